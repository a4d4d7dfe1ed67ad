package tmf630_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

const base = "/tmf-api/customerManagement/v4/customer"

// customer is the least a domain can say of its type.
type customer struct {
	Type string   `json:"@type,omitzero"`
	Name string   `json:"name,omitzero"`
	Rest sid.Rest `json:",embed"`
}

// gate lets everybody in; the spid header names the service provider, 1 by default.
type gate struct{}

func (gate) Admit(_ context.Context, _, _, spid string, _ []auth.Permission) (scope.Scope, error) {
	n := 1
	if spid == "2" {
		n = 2
	}
	return auth.System(n, scope.Actor{Subject: "tester"}), nil
}

type server struct {
	t       testing.TB
	handler http.Handler
	set     *resource.Set[customer]
	store   *store.Store
}

// newServer serves the operations of customers on a fresh database; change may alter the declaration.
func newServer(t testing.TB, change ...func(*tmf630.Resource)) *server {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "demarc.db"), store.Options{
		Logger: slog.New(slog.DiscardHandler),
		Clock:  clock.NewVirtual(time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	set := resource.New(s, store.Definition{Kind: id.Kind{Name: "customer", Prefix: "cus"}, Table: "customer", Indexed: map[string]string{"name": "name"}},
		resource.Rules[customer]{Domain: "customerManagement"})
	if _, err := s.Migrate(ctx, false); err != nil {
		t.Fatal(err)
	}
	f := &op.Facade{Name: "tmf", Title: "T", Version: "1", Prefixes: []string{"/tmf-api/"}, Problem: tmf630.Problem, ProblemSchema: tmf630.ProblemSchema()}
	r := tmf630.Resource{Facade: f, Set: set, Shape: tmf630.ShapeOf("TMF629", "Customer"), Path: base,
		Example: map[string]any{"name": "Moon", "engagedParty": map[string]any{"id": "500", "@referredType": "Organization"}}}
	for _, c := range change {
		c(&r)
	}
	f.Components = tmf630.Components(r)
	table, err := op.NewTable(tmf630.Operations(r)...)
	if err != nil {
		t.Fatal(err)
	}
	h, err := table.Handler(op.Options{Store: s, Gate: gate{}})
	if err != nil {
		t.Fatal(err)
	}
	return &server{t, optest.Declared(t, table, h), set, s}
}

// reply is an answer of the server.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value".
func (s *server) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	if !strings.HasPrefix(path, "/tmf-api") {
		path = base + path
	}
	r := httptest.NewRequest(method, "http://demarc.test"+path, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
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
	return reply{s.t, w.Code, w.Header(), string(text)}
}

// want fails the test unless the answer has the status.
func (a reply) want(status int) reply {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("answered %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (a reply) object() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

func (a reply) list() []map[string]any {
	a.t.Helper()
	var v []map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// names are the names of a list's items, with commas between.
func (a reply) names() string {
	a.t.Helper()
	var names []string
	for _, item := range a.list() {
		name, _ := item["name"].(string)
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

// create stores a customer and gives its id. more is the rest of its members ("status":"x").
func (s *server) create(name string, more ...string) string {
	s.t.Helper()
	return s.do("POST", "", body(name, more...)).want(201).object()["id"].(string)
}

func body(name string, more ...string) string {
	members := append([]string{`"name":"` + name + `"`, `"engagedParty":{"id":"500","@referredType":"Organization"}`}, more...)
	return "{" + strings.Join(members, ",") + "}"
}

func inScope() context.Context {
	return scope.With(context.Background(), auth.System(1, scope.Actor{Subject: "tester"}))
}
