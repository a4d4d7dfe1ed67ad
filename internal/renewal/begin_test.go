package renewal_test

import (
	"context"
	"testing"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// house is a furnished house with a line that has a number and a SIM, and nothing on it yet.
type house struct {
	*ordertest.House
	t    *testing.T
	ctx  context.Context
	line id.ID
}

func each(t *testing.T, run func(t *testing.T, h *house)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h := &house{House: ordertest.New(s), t: t, ctx: storetest.Context(1)}
		h.Furnish(h.ctx, t, 2)
		var err error
		h.line, _, err = h.Subscriptions.Lines.Add(h.ctx, &subscription.Line{AccountID: h.Account(h.ctx, t), MSISDN: "41790000000", ICCID: "8941001000000000015"})
		if err != nil {
			t.Fatal(err)
		}
		run(t, h)
		h.Balanced(h.ctx, t)
	})
}

func cause(n string) balance.Cause { return balance.Cause{Kind: "productOrder", ID: n} }

func (h *house) start(plan string, product id.ID) renewal.Start {
	return renewal.Start{Line: h.line, Product: product, Offering: h.Offering(h.ctx, h.t, plan), Cause: cause("1")}
}

func (h *house) see() subscription.Line {
	h.t.Helper()
	v, _, err := h.Subscriptions.Lines.Get(h.ctx, h.line)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

// left is what the line holds by the name of the bucket, as people read it.
func (h *house) left() map[string]string {
	h.t.Helper()
	all, err := h.Balances.Statements(h.ctx, h.line, 1)
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range all {
		if s.Bucket.Status == balance.Active {
			out[s.Bucket.Name] = string(s.Bucket.Remaining.Amount)
		}
	}
	return out
}

func TestAPlanBeginsWithItsChargesAndBundles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.start("plus", "")
		if err := h.Renewals.Begin(h.ctx, b); err != nil {
			t.Fatal(err)
		}
		if got := h.left(); got["Main balance"] != "5.10" || got["Data"] != "5000000000" || got["Talk"] != "6000" || got["Texts"] != "50" {
			t.Errorf("%v", got)
		}
		v := h.see()
		if v.Renewal == nil || v.Renewal.Count != 1 || !v.Renewal.Next.After(v.Renewal.Anchor) {
			t.Errorf("the renewal is %+v", v.Renewal)
		}
		if len(v.Plans) != 1 || v.Plans[0].Offering != b.Offering || len(v.Prices) != 1 || v.Name != "Plus" {
			t.Errorf("%+v", v)
		}
		for range 2 { // the second time changes nothing
			if err := h.Renewals.Undo(h.ctx, b, cause("failed")); err != nil {
				t.Fatal(err)
			}
			if got := h.left(); len(got) != 0 {
				t.Errorf("after it was undone: %v", got)
			}
			if v := h.see(); v.Renewal != nil {
				t.Errorf("it is still to be renewed: %+v", v.Renewal)
			}
		}
	})
}

func TestWhatCannotBePaidDoesNotBegin(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		if err := h.Renewals.Begin(h.ctx, h.start("start", "")); err != nil {
			t.Fatal(err)
		}
		before := h.see()
		b := h.start("plus", id.New(subscription.HeldKind, 1, h.Store.Now(h.ctx)))
		if err := h.Renewals.Begin(h.ctx, b); fault.From(err).Code != balance.CodeInsufficient {
			t.Fatalf("%v", err)
		}
		if after := h.see(); len(after.Products) != 0 || len(after.Plans) != len(before.Plans) {
			t.Errorf("it is held: %+v", after)
		}
		if got := h.left(); len(got) != 1 || got["Main balance"] != "5.00" {
			t.Errorf("%v", got)
		}
	})
}
