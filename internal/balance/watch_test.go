package balance

import (
	"context"
	"slices"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestMoneyThatFallsBelowAnAmountIsToldOnceEachTime(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		if err := h.WatchMoney(ctx, of.Subscription, money.OfMicros(5, "CHF")); fault.From(err).Code != CodeNoMoney {
			t.Errorf("a line without money: %v", err)
		}
		if err := h.WatchMoney(ctx, of.Subscription, money.OfMicros(0, "CHF")); err != nil {
			t.Errorf("nothing to take away: %v", err)
		}
		cash := h.open(ctx, t, of, Monetary, "CHF", 20)
		if err := h.WatchMoney(ctx, of.Subscription, money.OfMicros(5, "EUR")); fault.KindOf(err) != fault.Invalid {
			t.Errorf("another currency: %v", err)
		}
		watch := func(below int64) func() {
			return func() {
				if err := h.WatchMoney(ctx, of.Subscription, money.OfMicros(below, "CHF")); err != nil {
					t.Error(err)
				}
			}
		}
		move := func(n int64) func() {
			return func() {
				h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Move(because, Movement{cash, n, Topups}) })
			}
		}
		reservation := id.New(ReserveKind, 1, h.store.Now(ctx))
		for n, step := range []struct {
			what string
			do   func()
			told int
		}{
			{"watched", watch(10), 0},
			{"as much as is watched", move(-10), 0},
			{"below", move(-1), 1},
			{"further below", move(-1), 1},
			{"up, and still below", move(1), 1},
			{"above", move(11), 1},
			{"set aside", func() {
				h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Reserve(because, reservation, w.Find(cash), 15) })
			}, 1},
			{"spent of it", func() {
				h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Consume(because, reservation, w.Find(cash), 11, 0) })
			}, 2},
			{"watched lower", watch(6), 2},
			{"watched at what is below", watch(19), 3},
			{"watched no more", watch(0), 3},
			{"nobody watches", move(-5), 3},
		} {
			step.do()
			if got := len(h.low()); got != step.told {
				t.Errorf("%d, %s: told %d times, want %d", n, step.what, got, step.told)
			}
		}
		if !slices.Equal(h.low(), []string{string(cash), string(cash), string(cash)}) {
			t.Errorf("told of %v", h.low())
		}
		h.balanced(ctx, t)
	})
}

func TestWhoHearsOfLowMoneyCanUndoWhatTookIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx, refuse := storetest.Context(1), false
		h := timed{house: newHouse(s)}
		s.React(func(context.Context, event.Event) error {
			if refuse {
				return fault.Conflictf("no", "no")
			}
			return nil
		}, LowBalanceEvent)
		of := h.holder(ctx, t)
		cash := h.open(ctx, t, of, Monetary, "CHF", 20)
		if err := h.WatchMoney(ctx, of.Subscription, money.OfMicros(10, "CHF")); err != nil {
			t.Fatal(err)
		}
		refuse = true
		if err := h.in(ctx, t, of.Subscription, func(w *Wallet) error { return w.Move(because, Movement{cash, -15, Topups}) }); err == nil {
			t.Error("the money was taken without who heard of it")
		}
		h.holds(ctx, t, cash, 20)
	})
}
