package demo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	connect "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/demo"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
	"github.com/demarc-bss/demarc/internal/usage"
	"github.com/demarc-bss/demarc/internal/worker"
)

func build(s *store.Store) (demo.House, *subscription.Service) {
	h := demo.House{House: house.New(s, house.Outside{Network: connect.NewSimulator(connect.SimulatorOptions{}), Secret: []byte("the secret of an installation")})}
	w := worker.New(s, worker.Options{
		Scope:  func(spid int, a scope.Actor) scope.Scope { return scope.Grant(spid, a, scope.Claims{}) },
		Logger: slog.New(slog.DiscardHandler),
	})
	for kind, do := range h.Jobs() {
		w.Handle(kind, do)
	}
	for kind, do := range h.WaitingJobs() {
		w.Handle(kind, do)
	}
	h.Work = func(ctx context.Context) error { _, err := w.Drain(ctx); return err }
	return h, h.Subscriptions
}

func total(t *testing.T, docs func(context.Context, store.Query) (store.Page, error), ctx context.Context) int64 {
	t.Helper()
	page, err := docs(ctx, store.Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return page.Total
}

func TestLoadingTwiceOrAfterAnInterruptionMakesEveryCustomerOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h, lines := build(s)
		ctx := storetest.Context(1)
		p := demo.Providers(map[int]string{1: "HappyPhone"})[0]

		work, batches := h.Work, 0
		h.Work = func(ctx context.Context) error {
			if batches++; batches == 3 {
				return errors.New("the power fails")
			}
			return work(ctx)
		}
		if made, err := h.Load(ctx, p, 60); err == nil || made != 20 {
			t.Fatalf("%d customers before the interruption, error %v", made, err)
		}
		h.Work = work
		if made, err := h.Load(ctx, p, 60); err != nil || made != 40 {
			t.Fatalf("%d customers after the interruption, error %v", made, err)
		}
		if made, err := h.Load(ctx, p, 60); err != nil || made != 0 {
			t.Fatalf("%d customers the second time, error %v", made, err)
		}
		if n := total(t, h.Customers.Customers.Docs, ctx); n != 60 {
			t.Errorf("%d customers, want 60", n)
		}
		if n := total(t, lines.Lines.Docs, ctx); n < 5 {
			t.Errorf("only %d subscriptions", n)
		}
		states := map[string]int{}
		page, err := lines.Lines.Docs(ctx, store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Items {
			v, _, err := lines.Lines.Get(ctx, d.ID)
			if err != nil {
				t.Fatal(err)
			}
			states[v.Status]++
		}
		if states["active"] < 5 || states["suspended"] == 0 {
			t.Errorf("the lines are %v", states)
		}
		used, err := h.Usage.Usages.Docs(ctx, store.Query{})
		if err != nil || used.Total < 20 {
			t.Errorf("%d usage records, %v", used.Total, err)
		}
		for _, d := range used.Items {
			v, _, err := h.Usage.Usages.Get(ctx, d.ID)
			if err != nil || v.Status != usage.Rated {
				t.Errorf("a usage of the demonstration is %s: %s %v", v.Status, v.SuspenseText, err)
			}
		}
		if tops := total(t, h.Balances.Topups.Docs, ctx); tops < 5 {
			t.Errorf("%d top-ups", tops)
		}
		if n := total(t, h.AutoTopups.Schedules.Docs, ctx); n != 3 {
			t.Errorf("%d automatic top-ups", n)
		}
		if bad, err := s.Unbalanced(ctx); err != nil || len(bad) > 0 {
			t.Errorf("the ledger is out of balance: %q, %v", bad, err)
		}
	})
}

func TestADatabaseWithCustomersOfItsOwnIsLeftAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h, _ := build(s)
		ctx := storetest.Context(2)
		own := account.NewPrepaid{Individual: &party.Individual{GivenName: "Jane", FamilyName: "Doe"}, Currency: "GBP"}
		if _, err := h.Accounts.OpenPrepaid(ctx, own); err != nil {
			t.Fatal(err)
		}
		made, err := h.Load(ctx, demo.Providers(map[int]string{2: "SadPhone"})[0], 60)
		if err != nil || made != 0 {
			t.Errorf("%d customers were added, error %v", made, err)
		}
	})
}

// What a country's service providers have is told apart by number and SIM, however many they are.
func TestServiceProvidersShareNoNumberAndNoSIM(t *testing.T) {
	s := storetest.Open(t, "sqlite")
	h, _ := build(s)
	names := map[int]string{1: "A", 2: "B", 3: "C", 4: "D", 6: "E", 7: "F"}
	held := map[string]int{}
	for _, p := range demo.Providers(names) {
		ctx := storetest.Context(p.SPID)
		if _, err := h.Load(ctx, p, 0); err != nil {
			t.Fatal(err)
		}
		hold := func(docs func(context.Context, store.Query) (store.Page, error), value func(doc jsontext.Value) string) {
			page, err := docs(ctx, store.Query{})
			if err != nil || len(page.Items) < 300 {
				t.Fatalf("the service provider %d has %d, %v", p.SPID, len(page.Items), err)
			}
			for _, d := range page.Items {
				v := value(d.Body)
				if by, taken := held[v]; taken {
					t.Fatalf("%s is of the service providers %d and %d", v, by, p.SPID)
				}
				held[v] = p.SPID
			}
		}
		attribute := func(name string) func(jsontext.Value) string {
			return func(doc jsontext.Value) string {
				var v map[string]any
				if err := json.Unmarshal(doc, &v); err != nil || v[name] == nil {
					t.Fatalf("%s %v", doc, err)
				}
				return fmt.Sprint(name, " ", v[name])
			}
		}
		hold(h.Inventory.Numbers.Docs, attribute("msisdn"))
		hold(h.Inventory.SIMs.Docs, attribute("iccid"))
		hold(h.Inventory.SIMs.Docs, attribute("imsi"))
	}
}

// The same service provider gets the same people in every database.
func TestTheCustomersAreAlwaysTheSame(t *testing.T) {
	names := func() (out []string) {
		h, _ := build(storetest.Open(t, "sqlite"))
		ctx := storetest.Context(1)
		if _, err := h.Load(ctx, demo.Providers(map[int]string{1: "HappyPhone"})[0], 20); err != nil {
			t.Fatal(err)
		}
		page, err := h.Customers.Customers.Docs(ctx, store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Items {
			v, _, err := h.Customers.Customers.Get(ctx, d.ID)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v.Name)
		}
		return out
	}
	first, second := names(), names()
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("customer %d is %q and %q", i, first[i], second[i])
		}
	}
}
