package cm_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"

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

// do sends a request; headers are "Name: value".
func (s *server) do(method, path, body string, headers ...string) optest.Reply {
	s.t.Helper()
	return optest.Send(s.t, s.handler, method, path, body, headers...)
}
