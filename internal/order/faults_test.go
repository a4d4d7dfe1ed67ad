package order_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	netsim "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Whatever the network does, every order ends carried out or taken back, and the network has just the lines that are
// active.
func TestOrdersEndWhateverTheNetworkDoes(t *testing.T) {
	const orders = 24
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			c := clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
			s := storetest.Open(t, engine, func(o *store.Options) { o.Clock = c })
			h := ordertest.NewOn(s, netsim.SimulatorOptions{
				Seed: 7, Delay: time.Hour, Clock: c, Chances: map[netsim.Fault]float64{
					netsim.Fail: .15, netsim.Lose: .15, netsim.Refuse: .15, netsim.Later: .15, netsim.Twice: .1, netsim.Mute: .1,
				},
			})
			ctx := asAnn()
			h.Furnish(ctx, t, orders)
			var placed []id.ID
			for n := range orders {
				i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "plus"))
				if placed = append(placed, i); n%8 == 7 {
					h.Work(ctx, t)
					if _, _, err := h.Orders.Cancel(ctx, i, "changed my mind"); err != nil {
						t.Log(err) // it was done already
					}
				}
			}
			settle(ctx, t, h, c, placed)
			ended := map[order.State]int{}
			for _, i := range placed {
				v := get(ctx, t, h, i)
				ended[v.State]++
				right(ctx, t, h, v)
			}
			if ended[order.Completed] == 0 || ended[order.Failed] == 0 {
				t.Errorf("the orders ended %v: nothing went wrong, or everything did", ended)
			}
			if doubled := h.Net.Doubled(); len(doubled) > 0 {
				t.Errorf("provisioned twice: %v", doubled)
			}
			h.Balanced(ctx, t)
		})
	}
}

// settle lets time pass until every order has ended.
func settle(ctx context.Context, t *testing.T, h *ordertest.House, c *clock.Virtual, placed []id.ID) {
	t.Helper()
	for range 300 {
		h.Work(ctx, t)
		if _, err := h.Net.Deliver(); err != nil {
			t.Fatal(err)
		}
		open := 0
		for _, i := range placed {
			if !get(ctx, t, h, i).State.Final() {
				open++
			}
		}
		if open == 0 {
			return
		}
		c.Advance(10 * time.Minute)
	}
	t.Fatal("orders are stuck")
}

// right holds that an order left what it should: an active line, or nothing at all.
func right(ctx context.Context, t *testing.T, h *ordertest.House, v order.Order) {
	t.Helper()
	line := id.ID(v.Items[0].Product.ID)
	if line == "" {
		return
	}
	l, _, err := h.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		t.Fatal(err)
	}
	if v.State == order.Completed {
		if l.State != subscription.Active || !h.Net.Line(line).Connected {
			t.Errorf("a completed order's line is %s, connected %v", l.State, h.Net.Line(line).Connected)
		}
		return
	}
	if l.State != subscription.Cancelled {
		t.Errorf("the line of an order that is %s is %s", v.State, l.State)
	}
	refused := false // by the network, to take it back: a person is told
	for _, e := range v.Errors {
		refused = refused || len(e.Reason) > 14 && e.Reason[:14] == "not taken back"
	}
	if h.Net.Line(line).Connected && !refused {
		t.Errorf("the network has the line of an order that is %s", v.State)
	}
	statements, err := h.Balances.Statements(ctx, line, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if s.Held != 0 {
			t.Errorf("the line of an order that is %s holds %d of %s", v.State, s.Held, s.Bucket.Name)
		}
	}
}

// What the ledger has no room to count is refused for good: trying it again and again would leave the order open.
func TestAnOrderThatTheLedgerCannotCountFails(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := newLine(ctx, t, h, "start")
		home, _ := line.Home()
		has, err := h.Store.Balance(ctx, home, balance.Issued, balance.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		all := math.MaxInt64 + has - 1
		if err := h.Store.Write(ctx, func(ctx context.Context) error {
			return h.Store.Post(ctx, home, store.Posting{CauseKind: "test", Cause: "1", Text: "all", Entries: []store.Entry{
				{Account: balance.Issued, Unit: balance.Bytes, Amount: -all}, {Account: "elsewhere", Unit: balance.Bytes, Amount: all},
			}})
		}); err != nil {
			t.Fatal(err)
		}
		i := place(ctx, t, h, change(ctx, t, h, line, "add", "weekly"))
		h.Work(ctx, t)
		if v := get(ctx, t, h, i); v.State != order.Failed || v.Errors[0].Code != store.CodeBalanceRange {
			t.Errorf("the order is %s: %+v", v.State, v.Errors)
		}
		h.Balanced(ctx, t)
	})
}
