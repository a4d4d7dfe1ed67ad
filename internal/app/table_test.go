package app

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// byOneHeader takes an API key as Authorization too: what walks all operations sends one header alone.
type byOneHeader struct{ gate }

func (g byOneHeader) Admit(ctx context.Context, authorization, apiKey, spid string, perms []auth.Permission) (scope.Scope, error) {
	if key, ok := strings.CutPrefix(authorization, "Key "); ok {
		authorization, apiKey = "", key
	}
	return g.gate.Admit(ctx, authorization, apiKey, spid, perms)
}

// Every operation of the table that is served refuses who has no credential or no role, and shows an
// administrator nothing of another service provider.
func TestEveryOperationRefusesWhoMayNot(t *testing.T) {
	s, err := config.Default()
	if err != nil {
		t.Fatal(err)
	}
	s.Dev, s.Listen, s.Data, s.AccessLog = true, "127.0.0.1:0", t.TempDir(), "none"
	a := New(s, Options{Logger: slog.New(slog.DiscardHandler), Version: "test"})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	table, err := a.table()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := table.Handler(op.Options{Store: a.Store, Gate: byOneHeader{gate{a.auth}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	powerless, _ := a.issue(t, 1)
	_, their := a.issue(t, 2)
	powerful, err := a.Mint(realm.AdminOf(1), realm.GatewayClient)
	if err != nil {
		t.Fatal(err)
	}
	things := a.happen(t, 2)
	things["admin.apiKey"] = their
	optest.Walk(t, optest.House{
		Table: table, Handler: handler, Powerless: "Key " + powerless, Powerful: "Bearer " + powerful,
		Foreign: func(o *op.Operation, param string) (string, bool) {
			kind := o.ID[:strings.LastIndex(o.ID, ".")]
			return things[kind], param == "id" && things[kind] != ""
		},
	})
}

// issue makes an API key that opens nothing by itself.
func (a *App) issue(t *testing.T, spid int) (text, keyID string) {
	t.Helper()
	text, k, err := a.auth.Keys().Issue(t.Context(), auth.Operator("test", spid), auth.KeySpec{Client: "tests", SPIDs: []int{spid}})
	if err != nil {
		t.Fatal(err)
	}
	return text, k.ID
}

// happen leaves a job and an event at a service provider, by the operations that show such.
func (a *App) happen(t *testing.T, spid int) map[string]string {
	t.Helper()
	things := map[string]string{}
	err := a.Store.Write(a.As(t.Context(), spid), func(ctx context.Context) error {
		i, err := a.Store.Enqueue(ctx, 1, job.Job{Kind: "test"})
		if err != nil {
			return err
		}
		e := id.New(event.Kind, 1, a.Store.Now(ctx))
		things["admin.job"], things["admin.event"] = string(i), string(e)
		return a.Store.Emit(ctx, event.Event{ID: e, Type: "TestCreateEvent", Resource: "test"})
	})
	if err != nil {
		t.Fatal(err)
	}
	return things
}
