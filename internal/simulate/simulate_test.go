package simulate_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	connect "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/demo"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/simulate"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/worker"
)

// world is a furnished house on a clock of its own.
func world(t testing.TB, engine string, lines int) (context.Context, simulate.World) {
	t.Helper()
	c := clock.NewVirtual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	s := storetest.Open(t, engine, func(o *store.Options) { o.Clock = c })
	sim := connect.NewSimulator(connect.SimulatorOptions{Clock: c})
	h := house.New(s, house.Outside{Network: sim, Secret: []byte("the secret of an installation")})
	w := worker.New(s, worker.Options{
		Scope:  func(spid int, a scope.Actor) scope.Scope { return scope.Grant(spid, a, scope.Claims{}) },
		Logger: slog.New(slog.DiscardHandler), Clock: c, Runners: 64,
	})
	for kind, do := range h.Jobs() {
		w.Handle(kind, do)
	}
	for kind, do := range h.WaitingJobs() {
		w.Handle(kind, do)
	}
	ctx := storetest.Context(1)
	d := demo.House{House: h}
	if err := d.Furnish(ctx, demo.Providers(map[int]string{1: "HappyPhone"})[0], 2*lines); err != nil {
		t.Fatal(err)
	}
	return ctx, simulate.World{House: h, Clock: c, Work: func(ctx context.Context) (runs int, err error) {
		for {
			n := 0
			err := s.Write(ctx, func(ctx context.Context) (err error) { n, err = w.DrainSome(ctx, 128); return err })
			if err != nil || n == 0 {
				return runs, err
			}
			runs += n
		}
	}}
}

func play(t testing.TB, engine string, o simulate.Options) simulate.Report {
	t.Helper()
	ctx, w := world(t, engine, o.Subscribers)
	r, err := simulate.Run(ctx, w, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(t testing.TB, r simulate.Report) string {
	t.Helper()
	out, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestTheSameSeedPlaysTheSameDaysOnEitherEngine(t *testing.T) {
	o := simulate.Options{Subscribers: 20, Days: 36, Seed: 7}
	first := play(t, "sqlite", o)
	if again := play(t, "postgres", o); text(t, first) != text(t, again) {
		t.Errorf("the same seed made\n%s\nand\n%s", text(t, first), text(t, again))
	}
	if !first.Proven() || first.Ledger.Entries == 0 || first.Ledger.Buckets == 0 {
		t.Errorf("the ledger is not proven: %+v", first.Ledger)
	}
	if first.Sold != o.Subscribers || first.Jobs.Dead != 0 || first.Usage["data"] == nil || first.Usage["data"].Records < 50 {
		t.Errorf("%s", text(t, first))
	}
	if first.Topups.Payments == 0 || first.Topups.Vouchers == 0 || len(first.Revenue) < 2 {
		t.Errorf("nobody paid: %s", text(t, first))
	}
	o.Seed = 8
	if other := play(t, "sqlite", o); text(t, first) == text(t, other) {
		t.Error("another seed made the same report")
	}
}

func TestTheReportIsForPeopleToo(t *testing.T) {
	r := play(t, "sqlite", simulate.Options{Subscribers: 5, Days: 8, Seed: 1})
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"5 lines sold in 8 days", "Revenue", "nothing was made, nothing was lost"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, out.String())
		}
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, o := range []simulate.Options{{}, {Subscribers: 1}, {Days: 1}, {Subscribers: -1, Days: 5}, {Subscribers: 1, Days: 100_000}} {
		if err := o.Check(); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
