// Package network connects demarc with networks: over HTTP, in the protocol that docs/network.md describes, or with a
// Simulator that fails in every way that networks do.
package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/webhook"
	"github.com/demarc-bss/demarc/internal/network"
)

// LeastKey is how many bytes the key has at least that requests and callbacks are signed with.
const LeastKey = 32

// HTTPOptions say where a network is. The zero value of a field means its default, except URL and Key.
type HTTPOptions struct {
	// URL is the base of the network's addresses: requests are POSTed to URL/requests.
	URL string
	// Key signs requests, and the network's callbacks.
	Key []byte
	// Callback is where the network answers what it accepted; empty: demarc asks for the answer.
	Callback func() string
	// Timeout bounds one call (default 10 s).
	Timeout time.Duration
	// Clock gives requests their time; clock.Real by default.
	Clock clock.Clock
	// Client makes the calls; one that follows no redirects by default.
	Client *http.Client
}

// HTTP is a network that speaks the protocol of docs/network.md.
type HTTP struct{ o HTTPOptions }

// NewHTTP makes a connector. A URL that is none, or a key that is too short, is an error.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the URL of the network is an absolute http or https URL without a query")
	}
	if len(o.Key) < LeastKey {
		return nil, fmt.Errorf("the key for the network has %d bytes: it needs %d", len(o.Key), LeastKey)
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout,
				MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: mostAnswer, ForceAttemptHTTP2: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &HTTP{o}, nil
}

// Message is a request as it is sent.
type Message struct {
	network.Order
	SPID int `json:"spid"`
	// Callback is where the answer to an accepted request is POSTed to.
	Callback string `json:"callback,omitzero"`
}

// Callback is an answer as the network sends it.
type Callback struct {
	Request id.ID `json:"request"`
	SPID    int   `json:"spid"`
	network.Answer
}

// Submit implements network.Connector.
func (h *HTTP) Submit(ctx context.Context, o network.Order) (network.Answer, error) {
	sc, err := scope.From(ctx)
	if err != nil {
		return network.Answer{}, err
	}
	m := Message{Order: o, SPID: sc.SPID()}
	if h.o.Callback != nil {
		m.Callback = h.o.Callback()
	}
	body, err := json.Marshal(m)
	if err != nil {
		return network.Answer{}, err
	}
	status, text, err := h.call(ctx, http.MethodPost, h.o.URL+"/requests", string(o.ID), body)
	if err != nil {
		return network.Answer{}, err
	}
	return answerOf(status, text)
}

// Status implements network.Connector.
func (h *HTTP) Status(ctx context.Context, request id.ID) (network.Answer, error) {
	status, text, err := h.call(ctx, http.MethodGet, h.o.URL+"/requests/"+string(request), "status_"+string(request), nil)
	switch {
	case err != nil:
		return network.Answer{}, err
	case status == http.StatusNotFound:
		return network.Answer{Result: network.Unknown}, nil
	case status != http.StatusOK:
		return network.Answer{}, fmt.Errorf("the network answered %d", status)
	}
	return answerOf(status, text)
}

// mostAnswer is how much of an answer is read.
const mostAnswer = 64 << 10

func (h *HTTP) call(ctx context.Context, method, address, message string, body []byte) (status int, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, h.o.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	webhook.Sign(r.Header, h.o.Key, message, h.o.Clock.Now(), body)
	r.Header.Set("User-Agent", "demarc")
	r.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json;charset=utf-8")
		r.Header.Set("Idempotency-Key", message)
	}
	answer, err := h.o.Client.Do(r)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok { // the address may hold a secret: it stays out of jobs and logs
			err = failed.Err
		}
		return 0, nil, fmt.Errorf("the network does not answer: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if text, err = io.ReadAll(io.LimitReader(answer.Body, mostAnswer)); err != nil {
		return 0, nil, fmt.Errorf("the network's answer broke off: %w", err)
	}
	return answer.StatusCode, text, nil
}

// notOurs are refusals that say nothing of the request itself: it is made again.
var notOurs = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired,
	http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests,
}

// answerOf reads an answer: 200 and 202 say the result themselves, other 4xx are refusals, anything else is none.
func answerOf(status int, text []byte) (a network.Answer, err error) {
	readable := json.Unmarshal(text, &a) == nil
	a.Silent = false // only demarc says so
	switch {
	case status == http.StatusOK && readable && (a.Result == network.Done || a.Result == network.Accepted || a.Result == network.Refused):
		return a, nil
	case status == http.StatusAccepted:
		return network.Answer{Result: network.Accepted}, nil
	case status/100 == 4 && !slices.Contains(notOurs, status):
		if a.Reason == "" {
			a.Reason = fmt.Sprintf("the network answered %d %s", status, http.StatusText(status))
		}
		return network.Answer{Result: network.Refused, Reason: a.Reason}, nil
	case status == http.StatusOK:
		return network.Answer{}, errors.New("the network's answer cannot be read")
	}
	return network.Answer{}, fmt.Errorf("the network answered %d", status)
}
