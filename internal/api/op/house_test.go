package op_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// gate knows two tokens: "good" may do everything for service provider 1, "weak" nothing.
type gate struct{}

func (gate) Admit(_ context.Context, authorization, apiKey, spid string, perms []auth.Permission) (scope.Scope, error) {
	switch {
	case spid != "" && spid != "1":
		return scope.Scope{}, fault.New(fault.Forbidden, fault.CodeForbidden, "not permitted for this service provider")
	case authorization == "Bearer good" || apiKey == "good":
		return auth.System(1, scope.Actor{Subject: "anna", Client: "desk"}), nil
	case authorization == "Bearer weak":
		return scope.Scope{}, fault.New(fault.Forbidden, fault.CodeForbidden, "not permitted for this service provider")
	}
	return scope.Scope{}, fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, "a credential is needed")
}

// ledger stands in for the store: it counts what is written and keeps answers by key.
type ledger struct {
	mu      sync.Mutex
	writes  int
	calls   []store.Call
	answers map[string]store.Answer
	digests map[string][32]byte
}

type inWrite struct{}

func (l *ledger) Write(ctx context.Context, fn func(ctx context.Context) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, store.CallFrom(ctx))
	if err := fn(context.WithValue(ctx, inWrite{}, true)); err != nil {
		return err
	}
	if !store.CallFrom(ctx).DryRun {
		l.writes++
	}
	return nil
}

func (l *ledger) Once(ctx context.Context, k store.Key, fn func(ctx context.Context) (store.Answer, error)) (store.Answer, bool, error) {
	name := k.Client + " " + k.Value
	l.mu.Lock()
	a, known := l.answers[name]
	digest := l.digests[name]
	l.mu.Unlock()
	if known {
		if digest != k.Digest {
			return store.Answer{}, false, fault.New(fault.Conflict, "idempotencyKeyReused", "the key was used for another request")
		}
		return a, true, nil
	}
	err := l.Write(ctx, func(ctx context.Context) (err error) {
		a, err = fn(ctx)
		return err
	})
	if err == nil {
		if l.answers == nil {
			l.answers, l.digests = map[string]store.Answer{}, map[string][32]byte{}
		}
		l.answers[name], l.digests[name] = a, k.Digest
	}
	return a, false, err
}

type medium struct {
	MediumType string `json:"mediumType" enum:"email,mobile" doc:"What it is."`
	Value      string `json:"value,omitzero" maxLength:"20"`
}

type customer struct {
	Name          string   `json:"name" minLength:"1" doc:"What it is called." example:"Anna"`
	ContactMedium []medium `json:"contactMedium,omitempty"`
}

type createIn struct {
	Channel string `query:"channel" enum:"web,shop" doc:"Where it happens."`
	Body    customer
}

type createOut struct {
	Location string `header:"Location"`
	Body     customer
}

type readIn struct {
	ID    string   `path:"id"`
	Limit int      `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many."`
	Tags  []string `query:"tag"`
}

type readOut struct {
	Body struct {
		ID    string   `json:"id"`
		Limit int      `json:"limit"`
		Tags  []string `json:"tags,omitempty"`
	}
}

// desk is a small façade.
func desk() *op.Facade {
	return &op.Facade{Name: "desk", Title: "Desk", Version: "1.0", Prefixes: []string{"/api/"}}
}

func create(f *op.Facade) op.Operation {
	return op.Handle(op.Operation{
		ID: "customer.create", Facade: f, Method: "POST", Path: "/api/customer", Status: 201, Writes: true, Tag: "customer",
		Summary: "Create a customer", Permission: []auth.Permission{{Entity: "customer", Verb: auth.Post}},
		Errors: []fault.Kind{fault.Conflict}, Request: &op.Body{Example: map[string]any{"name": "Anna"}},
	}, func(ctx context.Context, in *createIn) (*createOut, error) {
		if in.Body.Name == "boom" {
			panic("boom")
		}
		return &createOut{Location: "/api/customer/1", Body: in.Body}, nil
	})
}

func read(f *op.Facade) op.Operation {
	return op.Handle(op.Operation{
		ID: "customer.read", Facade: f, Method: "GET", Path: "/api/customer/{id}", Aliases: []string{"/api/cust/{id}"}, Tag: "customer",
		Summary: "Read a customer", Permission: []auth.Permission{{Entity: "customer", Verb: auth.Get}},
		Errors: []fault.Kind{fault.NotFound},
	}, func(ctx context.Context, in *readIn) (*readOut, error) {
		if in.ID == "none" {
			return nil, fault.NotFoundf("there is no customer %s", in.ID)
		}
		out := &readOut{}
		out.Body.ID, out.Body.Limit, out.Body.Tags = in.ID, in.Limit, in.Tags
		return out, nil
	})
}

// house is a table being served.
type house struct {
	t       *testing.T
	ledger  *ledger
	handler http.Handler
	table   *op.Table
	log     *strings.Builder
	mu      sync.Mutex
	access  []op.Access
}

func serve(t *testing.T, ops ...op.Operation) *house {
	t.Helper()
	h := &house{t: t, ledger: &ledger{}, log: &strings.Builder{}}
	var err error
	if h.table, err = op.NewTable(ops...); err != nil {
		t.Fatal(err)
	}
	h.handler, err = h.table.Handler(op.Options{
		Store: h.ledger, Gate: gate{}, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
		BaseURL: func() string { return "https://desk.example" }, MaxInFlight: 8,
		AccessLog: func(a *op.Access) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.access = append(h.access, *a)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// send sends a request; headers are "Name: value". Without an Authorization among them the good token is sent.
func (h *house) send(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer good")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

// problem is what a refusal says.
type problem struct {
	Status    int            `json:"status"`
	Detail    string         `json:"detail"`
	Code      string         `json:"code"`
	Attribute string         `json:"attribute"`
	Errors    []fault.Detail `json:"errors"`
	RequestID string         `json:"requestId"`
}

func (h *house) refused(w *httptest.ResponseRecorder, status int) problem {
	h.t.Helper()
	if w.Code != status {
		h.t.Fatalf("status %d instead of %d: %s", w.Code, status, w.Body)
	}
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p, json.RejectUnknownMembers(false)); err != nil {
		h.t.Fatalf("%v in %s", err, w.Body)
	}
	if p.Status != status || p.RequestID != w.Header().Get("X-Request-Id") {
		h.t.Errorf("the problem says status %d and request %q", p.Status, p.RequestID)
	}
	return p
}

func (h *house) answered(w *httptest.ResponseRecorder, status int, body string) {
	h.t.Helper()
	if w.Code != status || w.Body.String() != body {
		h.t.Errorf("%d %s instead of %d %s", w.Code, w.Body, status, body)
	}
}
