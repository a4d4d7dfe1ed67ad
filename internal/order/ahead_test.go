package order_test

import (
	"context"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// ahead makes a line ahead of its sale, with so many francs.
func ahead(ctx context.Context, t *testing.T, h *ordertest.House, plan string, francs int64) id.ID {
	t.Helper()
	i := h.Offering(ctx, t, plan)
	o, err := h.Catalog.Offering(ctx, i)
	if err != nil {
		t.Fatal(err)
	}
	prices, err := subscription.LinePrices(o)
	if err != nil {
		t.Fatal(err)
	}
	line, _, err := h.Subscriptions.Lines.Add(ctx, &subscription.Line{
		State: subscription.Available, AccountID: h.Account(ctx, t), MSISDN: "41790000077", ICCID: "8941001000000000072", Prices: prices,
		Offering: &sid.Ref{ID: string(i), Name: o.Name},
		Plans:    []subscription.PlanPeriod{{Offering: i, Name: o.Name, From: h.Store.Now(ctx), Prices: prices, ToBegin: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = h.Store.Write(ctx, func(ctx context.Context) error {
		w, err := h.Balances.Wallet(ctx, line)
		if err != nil {
			return err
		}
		if _, err := w.Open(balance.Grant{Name: "Main balance", UsageType: catalog.Monetary, Unit: "CHF", Amount: francs * 1e6}, balance.Cause{Kind: "upload", ID: "1"}); err != nil {
			return err
		}
		return h.Balances.Save(ctx, w)
	})
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func left(ctx context.Context, t *testing.T, h *ordertest.House, line id.ID) string {
	t.Helper()
	_, b, err := h.Balances.Money(ctx, line)
	if err != nil {
		t.Fatal(err)
	}
	return string(b.Remaining.Amount)
}

func TestWhatIsOrderedForALineMadeAheadSellsIt(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := ahead(ctx, t, h, "plus", 25)
		both := change(ctx, t, h, line, "add", "extra")
		both.Items = append(both.Items, change(ctx, t, h, line, "add", "weekly").Items...)
		sold(ctx, t, h, both)
		v := see(ctx, t, h, line)
		if v.State != subscription.Active || v.StateReason != subscription.BecauseOrdered || v.ToBegin() || v.Renewal == nil || len(v.HeldOfferings()) != 2 {
			t.Errorf("%s %s: %+v", v.State, v.StateReason, v.HeldOfferings())
		}
		if got := left(ctx, t, h, line); got != "0.10" { // 25 − 19.90 − 2 − 3
			t.Errorf("%s is left", got)
		}
		if l := h.Net.Line(line); !l.Connected {
			t.Errorf("the network has %+v", l)
		}
	})
}

func TestALineMadeAheadIsSoldOnAnotherPlan(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := ahead(ctx, t, h, "plus", 5)
		sold(ctx, t, h, change(ctx, t, h, line, "modify", "start"))
		if v := see(ctx, t, h, line); v.State != subscription.Active || v.Name != "Start" || v.ToBegin() {
			t.Errorf("%s on %s", v.State, v.Name)
		}
		if got := left(ctx, t, h, line); got != "5.00" {
			t.Errorf("%s is left: the plan that it never began was charged", got)
		}
		if l := h.Net.Line(line); !l.Connected {
			t.Errorf("the network has %+v", l)
		}
	})
}

func TestALineMadeAheadThatCannotPayIsNotSold(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := ahead(ctx, t, h, "plus", 21) // enough for the plan, or the add-on
		_, _, err := h.Orders.Place(ctx, change(ctx, t, h, line, "add", "extra"))
		if f := fault.From(err); f == nil || f.Code != balance.CodeInsufficient {
			t.Errorf("%v", err)
		}
		for _, o := range []*order.Order{change(ctx, t, h, line, "delete", ""), change(ctx, t, h, line, "modify", "", word("nickname", "Shop"))} {
			_, _, err := h.Orders.Place(ctx, o)
			if f := fault.From(err); f == nil || f.Code != order.CodeLineState || !strings.Contains(f.Message, "not sold yet") {
				t.Errorf("%v", err)
			}
		}
		if v := see(ctx, t, h, line); v.State != subscription.Available {
			t.Errorf("it is %s", v.State)
		}
	})
}

func TestAnOrderThatChangesNothingIsDone(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := newLine(ctx, t, h, "plus")
		o := change(ctx, t, h, line, "noChange", "")
		o.Items[0].Items = []order.Item{{Action: "noChange", Offering: &sid.Ref{ID: string(h.Offering(ctx, t, "extra"))}}}
		i := place(ctx, t, h, o)
		h.Work(ctx, t)
		done := get(ctx, t, h, i)
		if done.State != order.Completed || done.CompletionDate == nil || done.Items[0].State != order.Completed || done.Items[0].Items[0].State != order.Completed {
			t.Errorf("it is %s: %+v", done.State, done.Items)
		}
		h.Balanced(ctx, t)
	})
}
