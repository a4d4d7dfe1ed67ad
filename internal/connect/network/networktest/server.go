// Package networktest serves a Simulator in the protocol of docs/network.md: a network for tests of whatever calls one.
package networktest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	connect "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/webhook"
	"github.com/demarc-bss/demarc/internal/network"
)

// Server is a network that listens on the loopback.
type Server struct {
	*httptest.Server
	Simulator *connect.Simulator

	key   []byte
	clock clock.Clock
	mu    sync.Mutex
	calls map[id.ID]connect.Message
}

// New serves a simulator; the key is that of the connector. Its Close ends it.
func New(s *connect.Simulator, key []byte, c clock.Clock) *Server {
	v := &Server{Simulator: s, key: key, clock: c, calls: map[id.ID]connect.Message{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /requests", v.submit)
	mux.HandleFunc("GET /requests/{id}", v.status)
	v.Server = httptest.NewServer(mux)
	s.OnCallback(v.callBack)
	return v
}

func (v *Server) submit(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = webhook.Verify(r.Header, v.key, v.clock.Now(), body)
	}
	if err != nil {
		answer(w, http.StatusUnauthorized, network.Answer{Reason: err.Error()})
		return
	}
	var m connect.Message
	if err := json.Unmarshal(body, &m); err != nil || r.Header.Get("Idempotency-Key") != string(m.ID) {
		answer(w, http.StatusBadRequest, network.Answer{Reason: "the request cannot be read, or its key is another's"})
		return
	}
	v.mu.Lock()
	v.calls[m.ID] = m
	v.mu.Unlock()
	ctx := scope.With(r.Context(), scope.Scope{})
	a, err := v.Simulator.Submit(ctx, m.Order)
	switch {
	case err != nil:
		answer(w, http.StatusBadGateway, network.Answer{})
	case a.Result == network.Accepted:
		answer(w, http.StatusAccepted, a)
	case a.Result == network.Refused:
		answer(w, http.StatusUnprocessableEntity, a)
	default:
		answer(w, http.StatusOK, a)
	}
}

func (v *Server) status(w http.ResponseWriter, r *http.Request) {
	if err := webhook.Verify(r.Header, v.key, v.clock.Now(), nil); err != nil {
		answer(w, http.StatusUnauthorized, network.Answer{Reason: err.Error()})
		return
	}
	a, _ := v.Simulator.Status(r.Context(), id.ID(r.PathValue("id"))) // it never fails
	if a.Result == network.Unknown {
		answer(w, http.StatusNotFound, a)
		return
	}
	answer(w, http.StatusOK, a)
}

func answer(w http.ResponseWriter, status int, a network.Answer) {
	text, err := json.Marshal(a)
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// callBack POSTs an answer to where the request wants it; without such an address nobody is told.
func (v *Server) callBack(ctx context.Context, request id.ID, a network.Answer) error {
	v.mu.Lock()
	m := v.calls[request]
	v.mu.Unlock()
	if m.Callback == "" {
		return nil
	}
	body, err := json.Marshal(connect.Callback{Request: request, SPID: m.SPID, Answer: a})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Callback, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	webhook.Sign(r.Header, v.key, string(request), v.clock.Now(), body)
	got, err := v.Client().Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = got.Body.Close() }()
	if got.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(got.Body, 1<<10))
		return fmt.Errorf("the callback was answered %s: %s", got.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// Listen takes callbacks as demarc does, for tests of a network alone.
func Listen(key []byte, c clock.Clock, take func(connect.Callback) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = webhook.Verify(r.Header, key, c.Now(), body)
		}
		var got connect.Callback
		if err == nil {
			err = json.Unmarshal(body, &got)
		}
		if err == nil {
			err = take(got)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
