package tmf630_test

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// do sends a request; headers are "Name: value".
func (s *server) do(method, path, body string, headers ...string) optest.Reply {
	s.t.Helper()
	if !strings.HasPrefix(path, "/tmf-api") {
		path = base + path
	}
	return optest.Send(s.t, s.handler, method, path, body, headers...)
}

// create stores a customer and gives its id. more is the rest of its members ("status":"x").
func (s *server) create(name string, more ...string) string {
	s.t.Helper()
	return s.do("POST", "", body(name, more...)).Want(201).Object()["id"].(string)
}

func body(name string, more ...string) string {
	members := append([]string{`"name":"` + name + `"`, `"engagedParty":{"id":"500","@referredType":"Organization"}`}, more...)
	return "{" + strings.Join(members, ",") + "}"
}

func inScope() context.Context {
	return scope.With(context.Background(), auth.System(1, scope.Actor{Subject: "tester"}))
}
