package cm_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/cm"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// gate lets everybody in to the service provider of the header (1 by default), save those who say in
// Authorization which permission they lack.
type gate struct{}

func (gate) Admit(_ context.Context, lacks, _, spid string, perms []auth.Permission) (scope.Scope, error) {
	for _, p := range perms {
		if p.String() == lacks {
			return scope.Scope{}, fault.New(fault.Forbidden, fault.CodeForbidden, "not permitted")
		}
	}
	n, err := strconv.Atoi(spid)
	if err != nil {
		n = 1
	}
	return auth.System(n, scope.Actor{Subject: "ann", Client: "test"}), nil
}

// server is the façade on a furnished house.
type server struct {
	t       *testing.T
	ctx     context.Context
	house   *ordertest.House
	handler http.Handler
}

func each(t *testing.T, run func(s *server)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			db := storetest.Open(t, engine, func(o *store.Options) { o.Hosts = []string{"demarc.test"} })
			s := &server{t: t, house: ordertest.New(db), ctx: storetest.Context(1)}
			s.house.Furnish(s.ctx, t, 5)
			s.handler = handler(t, s.house)
			run(s)
		})
	}
}

func operations(h *ordertest.House) []op.Operation {
	return cm.Operations(cm.Deps{House: h.House})
}

func handler(t *testing.T, h *ordertest.House) http.Handler {
	t.Helper()
	table, err := op.NewTable(operations(h)...)
	if err != nil {
		t.Fatal(err)
	}
	served, err := table.Handler(op.Options{Store: h.Store, Gate: gate{}})
	if err != nil {
		t.Fatal(err)
	}
	return optest.Declared(t, table, served)
}

// reply is an answer.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	raw    string
	body   any
}

// do sends a request; headers are "Name: value".
func (s *server) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://demarc.test"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := reply{t: s.t, status: w.Code, header: w.Result().Header, raw: string(text)}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a.body); err != nil {
			s.t.Fatalf("%s %s answers what is not JSON: %s", method, path, text)
		}
	}
	return a
}

// want holds the status.
func (a reply) want(status int) reply {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.raw)
	}
	return a
}

// at is the value at a path: "bucket.0.name"; "" for what is not there.
func (a reply) at(path string) string {
	v := a.body
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(x) {
				return ""
			}
			v = x[n]
		default:
			return ""
		}
	}
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	}
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

// is holds values by path.
func (a reply) is(want map[string]string) reply {
	a.t.Helper()
	for path, value := range want {
		if got := a.at(path); got != value {
			a.t.Errorf("%s is %q, want %q in %s", path, got, value, a.raw)
		}
	}
	return a
}

func (a reply) len() int {
	items, _ := a.body.([]any)
	return len(items)
}
