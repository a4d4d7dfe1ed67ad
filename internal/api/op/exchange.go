package op

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/pan"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// exchange is one request and its answer: the http.ResponseWriter that handlers see, and what is logged and
// counted at the end.
type exchange struct {
	http.ResponseWriter
	facade *Facade
	start  time.Time
	id     string
	ids    [1]string
	spid   [1]string
	length [1]string
	access Access
	scope  scope.Scope
	status int
	bytes  int64
	fault  *fault.Error
	span   trace.Span
	head   bool
}

// Header values that are the same for every answer. Handlers replace them with Set and never write into them.
type fixedHeaders struct{ nosniff, noStore, json []string }

func fixed() *fixedHeaders {
	return &fixedHeaders{
		nosniff: []string{"nosniff"}, noStore: []string{"no-store"}, json: []string{"application/json;charset=utf-8"},
	}
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := e.server
	x := &exchange{ResponseWriter: w, facade: e.Facade, start: s.clock.Now(), head: r.Method == http.MethodHead}
	x.id = requestID(r.Header)
	x.ids[0] = x.id
	h := w.Header()
	h["X-Request-Id"] = x.ids[:]
	h["X-Content-Type-Options"] = s.headers.nosniff
	if !e.Public {
		h["Cache-Control"] = s.headers.noStore
	}
	busy := s.inFlight.Add(1)
	if s.tracer != nil {
		r = x.trace(e, r)
	}
	defer e.finish(x, r)
	if limit := s.options.MaxInFlight; limit > 0 && busy > limit && !e.system {
		x.refuse(r, fault.New(fault.Unavailable, CodeBusy, "too much is asked at once; ask again in a second").After(time.Second))
		return
	}
	if err := e.admitAndWork(x, r); err != nil {
		x.refuse(r, err)
	}
}

func (e *endpoint) admitAndWork(x *exchange, r *http.Request) error {
	if !e.Public {
		h := r.Header
		if err := once(h, "Authorization", "X-Api-Key", "Spid"); err != nil {
			return err
		}
		if spid, sent := h["Spid"]; sent && strings.TrimSpace(spid[0]) == "" {
			// An empty one is a client's mistake: the default would be another service provider than is meant.
			return fault.Invalidf("spid", "must be the number of a service provider; leave the header out for the default")
		}
		sc, err := e.server.options.Gate.Admit(r.Context(), first(h, "Authorization"), first(h, "X-Api-Key"), first(h, "Spid"), e.Permission)
		if err != nil {
			return err
		}
		x.scope = sc
		x.spid[0] = strconv.Itoa(sc.SPID())
		x.Header()["Spid"] = x.spid[:]
	}
	if e.accepted != nil {
		if a := r.Header["Accept"]; len(a) > 0 && a[0] != "*/*" && a[0] != "application/json" && !acceptsAny(a, e.accepted) {
			return fault.New(fault.Unsupported, CodeNotAcceptable, "the answer can be given as %s only", e.accepted[0])
		}
	}
	return e.work(x, r)
}

func acceptsAny(headers, types []string) bool {
	for _, h := range headers {
		if accepts(h, types) {
			return true
		}
	}
	return false
}

// once refuses a credential or service provider that is sent twice: two readers of such a request, a proxy
// and demarc say, might each take another one.
func once(h http.Header, names ...string) error {
	for _, name := range names {
		if len(h[name]) > 1 {
			return fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, "the header %s came more than once", name).At(name)
		}
	}
	return nil
}

// first is a header's value, its name given in canonical form.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// requestID is the caller's own, when it is sane, or a new one.
func requestID(h http.Header) string {
	for _, name := range [...]string{"X-Request-Id", "Transaction-Id"} {
		if v := first(h, name); v != "" && len(v) <= 128 && printable(v) && !pan.Found(v) {
			return v
		}
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return hex.EncodeToString(b[:])
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.bytes += int64(n)
	return n, err
}

// Unwrap gives http.ResponseController the connection's own writer.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// refuse answers with a fault in the façade's shape.
func (x *exchange) refuse(r *http.Request, err error) {
	f := fault.From(err)
	switch {
	case f.Kind != fault.Internal:
	case errors.Is(err, context.DeadlineExceeded):
		f = fault.New(fault.Unavailable, CodeTimeout, "it took too long; nothing was changed").Because(err)
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		f = fault.New(fault.Unavailable, CodeTimeout, "the caller went away").Because(err)
	}
	x.fault = f
	if x.status != 0 {
		return // the answer has begun: the log alone can tell
	}
	p := x.facade.show(f, x.id)
	h := x.Header()
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	if f.Kind == fault.Unauthenticated {
		challenge := `Bearer realm="demarc"`
		if first(r.Header, "Authorization") != "" {
			challenge += `, error="invalid_token"`
		}
		h.Set("WWW-Authenticate", challenge)
	}
	h.Set("Cache-Control", "no-store")
	x.answer(p.Status, p.ContentType, p.Body)
}

// answer writes a whole answer.
func (x *exchange) answer(status int, contentType string, body []byte) {
	h := x.Header()
	if len(body) > 0 {
		h.Set("Content-Type", contentType)
		x.length[0] = strconv.Itoa(len(body))
		h["Content-Length"] = x.length[:]
	}
	x.WriteHeader(status)
	if len(body) > 0 && !x.head {
		_, _ = x.Write(body) // a client that went away is no failure
	}
}

// finish runs at the end of every request, also of one that panicked.
func (e *endpoint) finish(x *exchange, r *http.Request) {
	s := e.server
	panicked := recover()
	if panicked != nil && panicked != any(http.ErrAbortHandler) {
		s.logger.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("requestId", x.id),
			slog.String("operation", e.ID), slog.Any("panic", panicked), slog.String("stack", string(debug.Stack())))
		begun := x.status != 0
		x.refuse(r, fault.Internalf(errors.New("panic"), "something went wrong here; the request id finds it in the log"))
		if begun {
			panicked = http.ErrAbortHandler // half an answer must not pass for a whole one
		} else {
			panicked = nil
		}
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	s.inFlight.Add(-1)
	took := max(s.clock.Now().Sub(x.start), 0)
	e.meter.observe(x.status, took)
	e.report(x, r, took)
	if panicked != nil {
		panic(panicked)
	}
}

func (e *endpoint) report(x *exchange, r *http.Request, took time.Duration) {
	s := e.server
	// 501 refuses what the client asked for; the rest from 500 on is demarc's own failure.
	failed := x.fault != nil && (x.fault.Kind == fault.Internal || x.status >= 500 && x.status != http.StatusNotImplemented)
	if failed {
		s.logger.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("requestId", x.id), slog.String("operation", e.ID),
			slog.Int("status", x.status), slog.String("code", string(x.fault.Code)), slog.String("cause", x.fault.Error()))
	}
	if x.span != nil {
		x.endSpan(failed)
	}
	if s.options.AccessLog == nil {
		return
	}
	x.access = Access{
		Time: x.start, RequestID: x.id, Operation: e.ID, Method: r.Method, Path: withoutCard(r.URL.Path), Status: x.status,
		Duration: took, Bytes: x.bytes, SPID: x.scope.SPID(), TraceID: x.traceID(r.Header),
	}
	a := &x.access
	if a.SPID > 0 {
		actor := x.scope.Actor()
		a.Subject, a.Client = actor.Subject, actor.Client
	}
	if x.fault != nil {
		a.Code = string(x.fault.Code)
		if failed {
			a.Cause = x.fault.Error()
		}
	}
	s.options.AccessLog(a)
}
