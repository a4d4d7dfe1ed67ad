package admin_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/api/admin"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// server is the façade on a store, whose callers come with API keys.
type server struct {
	t       *testing.T
	store   *store.Store
	parties *store.Collection[party]
	keys    *auth.Keys
	clock   *clock.Virtual
	table   *op.Table
	handler http.Handler
	// boss may do everything at service provider 1, both at 1 and 2, other at 2; warden has admin tasks alone,
	// viewer everything but admin tasks, clerk customers alone, nobody nothing.
	boss, both, other, warden, viewer, clerk, nobody string
}

type party struct {
	Name string `json:"name"`
}

var partyKind = id.Kind{Name: "individual", Prefix: "ind"}

// gate lets in who authenticates and has the permission.
type gate struct{ *auth.Authenticator }

func (g gate) Admit(ctx context.Context, authorization, apiKey, spid string, perms []auth.Permission) (scope.Scope, error) {
	if apiKey == "" {
		apiKey, authorization = strings.TrimPrefix(authorization, "Key "), "" // what walks all operations sends one header alone
	}
	p, err := g.Authenticate(ctx, authorization, apiKey)
	if err != nil {
		return scope.Scope{}, err
	}
	return p.Scope(spid, perms...)
}

func each(t *testing.T, run func(s *server)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) { run(serve(t, engine)) })
	}
}

func serve(t *testing.T, engine string) *server {
	t.Helper()
	at := clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	s := &server{t: t, clock: at, store: storetest.Open(t, engine, func(o *store.Options) { o.Clock = at })}
	s.parties = store.NewCollection[party](s.store, store.Definition{Kind: partyKind, Table: "individual", Indexed: map[string]string{"familyName": "family_name"}})
	a, err := auth.New(auth.Config{Pepper: []byte("0123456789abcdef0123456789abcdef")}, at, &auth.MemoryKeys{})
	if err != nil {
		t.Fatal(err)
	}
	s.keys = a.Keys()
	all := []string{auth.ScopeRead, auth.ScopeWrite, auth.ScopeAdmin}
	s.boss = s.issue([]int{1}, all, "1:*:*", "1:admin")
	s.both = s.issue([]int{1, 2}, all, "1:*:*", "1:admin", "2:*:*", "2:admin")
	s.other = s.issue([]int{2}, all, "2:*:*", "2:admin")
	s.warden = s.issue([]int{1}, all, "1:admin")
	s.viewer = s.issue([]int{1}, all, "1:*:*")
	s.clerk = s.issue([]int{1}, all, "1:customer:*")
	s.nobody = s.issue([]int{1}, nil)
	s.table, err = op.NewTable(admin.Operations(admin.Deps{
		Store: s.store, Keys: s.keys,
		KeyTrail: func(ctx context.Context, keyID string) ([]store.Record, error) {
			return []store.Record{{ID: "aud_1", Entity: "apiKey", EntityID: keyID, Operation: "admin.apiKey.issue"}}, nil
		},
		Authenticate: func(ctx context.Context, h http.Header) (*auth.Principal, error) {
			if h.Get("X-Api-Key") == "" {
				return a.Authenticate(ctx, "", strings.TrimPrefix(h.Get("Authorization"), "Key "))
			}
			return a.AuthenticateHeader(ctx, h)
		},
	})...)
	if err != nil {
		t.Fatal(err)
	}
	s.handler, err = s.table.Handler(op.Options{Store: s.store, Gate: gate{a}, Clock: at, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// issue makes a key for a caller, as the binary's command does.
func (s *server) issue(spids []int, scopes []string, roles ...string) string {
	s.t.Helper()
	text, _, err := s.keys.Issue(s.t.Context(), auth.Operator("test", 1, 2), auth.KeySpec{Client: "tests", SPIDs: spids, Scopes: scopes, Roles: roles})
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// idOf is the public part of a key.
func idOf(key string) string { return strings.Split(key, "_")[1] }

// at is a context in which somebody works at a service provider.
func (s *server) at(spid int) context.Context {
	return store.WithCall(storetest.Context(spid), store.Call{Operation: "test", RequestID: "r1", Reason: "why not"})
}

func (s *server) write(spid int, do func(ctx context.Context) error) {
	s.t.Helper()
	if err := s.store.Write(s.at(spid), do); err != nil {
		s.t.Fatal(err)
	}
}

// do sends a request with an API key; headers are "Name: value".
func (s *server) do(key, method, path, body string, headers ...string) optest.Reply {
	s.t.Helper()
	return optest.Send(s.t, s.handler, method, path, body, append(headers, "X-Api-Key: "+key)...)
}
