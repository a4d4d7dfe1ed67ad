package order_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/cart"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// timed is a house whose time moves only when told.
func timed(t *testing.T, resources int, run func(ctx context.Context, t *testing.T, h *ordertest.House, c *clock.Virtual)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			c := clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
			h := ordertest.New(storetest.Open(t, engine, func(o *store.Options) { o.Clock = c }))
			ctx := asAnn()
			h.Furnish(ctx, t, resources)
			run(ctx, t, h, c)
		})
	}
}

func word(name, value string) sid.Characteristic {
	return sid.Characteristic{Name: name, Value: jsontext.Value(`"` + value + `"`)}
}

// sold places an order and has it completed.
func sold(ctx context.Context, t *testing.T, h *ordertest.House, o *order.Order) order.Order {
	t.Helper()
	i := place(ctx, t, h, o)
	h.Work(ctx, t)
	done := get(ctx, t, h, i)
	if done.State != order.Completed {
		t.Fatalf("the order ended %s: %+v", done.State, done.Errors)
	}
	return done
}

// newLine is a line on a plan.
func newLine(ctx context.Context, t *testing.T, h *ordertest.House, plan string) id.ID {
	t.Helper()
	return id.ID(sold(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), plan)).Items[0].Product.ID)
}

// change is an order of one item for a line.
func change(ctx context.Context, t *testing.T, h *ordertest.House, line id.ID, action, offering string, words ...sid.Characteristic) *order.Order {
	t.Helper()
	it := order.Item{Action: action, Product: &order.Product{ID: string(line), Characteristics: words}}
	if offering != "" {
		it.Offering = &sid.Ref{ID: string(h.Offering(ctx, t, offering))}
	}
	return &order.Order{Items: []order.Item{it}}
}

func see(ctx context.Context, t *testing.T, h *ordertest.House, line id.ID) subscription.Line {
	t.Helper()
	v, _, err := h.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestASIMIsSwappedAndANumberChanged(t *testing.T) {
	each(t, 3, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := newLine(ctx, t, h, "start")
		before := see(ctx, t, h, line)
		free := "41790000000"
		if string(before.MSISDN) == free {
			free = "41790000001"
		}
		sim, err := h.Inventory.PickSIM(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		card, _, err := h.Inventory.SIMs.Get(ctx, sim)
		if err != nil {
			t.Fatal(err)
		}
		sold(ctx, t, h, change(ctx, t, h, line, "modify", "", word("ICCID", card.ICCID), word("MSISDN", free), word("nickname", "Work")))
		after := see(ctx, t, h, line)
		if after.ICCID != card.ICCID || after.IMSI != card.IMSI || string(after.MSISDN) != free || after.State != subscription.Active {
			t.Errorf("%+v", after)
		}
		if l := h.Net.Line(line); l.Order.ICCID != card.ICCID || string(l.Order.MSISDN) != free {
			t.Errorf("the network has %+v", l.Order)
		}
		for _, r := range before.Resources {
			if n, _, err := h.Inventory.Numbers.Get(ctx, id.ID(r.ID)); err == nil && n.Status != inventory.Quarantined {
				t.Errorf("the old number is %s", n.Status)
			}
			if s, _, err := h.Inventory.SIMs.Get(ctx, id.ID(r.ID)); err == nil && s.Status != inventory.Retired {
				t.Errorf("the old SIM is %s", s.Status)
			}
		}
	})
}

func TestALineThatEndsGivesUpWhatItHas(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := newLine(ctx, t, h, "plus")
		before := see(ctx, t, h, line)
		sold(ctx, t, h, change(ctx, t, h, line, "delete", ""))
		if v := see(ctx, t, h, line); v.State != subscription.Inactive || v.TerminationDate == nil {
			t.Errorf("the line is %s", v.State)
		}
		statements, err := h.Balances.Statements(ctx, line, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			if s.Held != 0 || s.Bucket.Status != balance.Expired {
				t.Errorf("%s holds %d and is %s", s.Bucket.Name, s.Held, s.Bucket.Status)
			}
		}
		if l := h.Net.Line(line); l.Connected || l.Deactivations != 1 {
			t.Errorf("the network has %+v", l)
		}
		for _, r := range before.Resources {
			if n, _, err := h.Inventory.Numbers.Get(ctx, id.ID(r.ID)); err == nil && n.Status != inventory.Quarantined {
				t.Errorf("its number is %s", n.Status)
			}
		}
		h.Balanced(ctx, t)
	})
}

func TestAnOrderWaitsForItsStart(t *testing.T) {
	timed(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House, c *clock.Virtual) {
		o := h.Order(ctx, t, h.Account(ctx, t), "start")
		at := c.Now().Add(48 * time.Hour)
		o.RequestedStart = &at
		i := place(ctx, t, h, o)
		c.Advance(47 * time.Hour)
		h.Work(ctx, t)
		if v := get(ctx, t, h, i); v.State != order.PendingOrder || v.Items[0].State != order.PendingOrder || !v.ExpectedCompletion.After(at) {
			t.Fatalf("the order is %s", v.State)
		}
		c.Advance(2 * time.Hour)
		h.Work(ctx, t)
		if v := get(ctx, t, h, i); v.State != order.Completed {
			t.Errorf("the order is %s: %+v", v.State, v.Errors)
		}
	})
}

func TestANumberIsPortedIn(t *testing.T) {
	timed(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House, c *clock.Virtual) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start", word("MSISDN", "41761234567"), word(order.CharDonor, "SALT")))
		for range 40 {
			h.Work(ctx, t)
			c.Advance(15 * time.Minute)
		}
		done := get(ctx, t, h, i)
		if done.State != order.Completed || done.Items[0].Port.State != order.PortCompleted {
			t.Fatalf("the order ended %s: %+v %+v", done.State, done.Errors, done.Items[0].Port)
		}
		v := see(ctx, t, h, id.ID(done.Items[0].Product.ID))
		if v.MSISDN != "41761234567" || v.NumberOwnership != "portedIn" || v.State != subscription.Active {
			t.Errorf("%+v", v)
		}
	})
}

func TestAPortThatIsRefusedLeavesNothingBehind(t *testing.T) {
	timed(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House, c *clock.Virtual) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start", word("MSISDN", "41761234903"), word(order.CharDonor, "SALT")))
		for range 40 {
			h.Work(ctx, t)
			c.Advance(15 * time.Minute)
		}
		done := get(ctx, t, h, i)
		if done.State != order.Failed || !strings.Contains(done.Errors[0].Reason, "wrong account number") {
			t.Fatalf("the order ended %s: %+v", done.State, done.Errors)
		}
		free(ctx, t, h)
	})
}

// What is refused on the strict way is recorded on the way of TMF622, with all its reasons, and does nothing.
func TestARefusalIsRecordedOrGivenBack(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		a := h.Account(ctx, t)
		wrong := func() *order.Order {
			o := h.Order(ctx, t, a, "start", word("MSISDN", "41761234567"))
			o.Items = append(o.Items, order.Item{Action: "add", Offering: &sid.Ref{ID: string(h.Offering(ctx, t, "extra"))}, Quantity: 20},
				order.Item{Action: "delete", Product: &order.Product{ID: string(id.New(subscription.Kind, 1, h.Store.Now(ctx)))}})
			return o
		}
		_, _, err := h.Orders.Place(ctx, wrong())
		if f := fault.From(err); err == nil || len(f.Details) != 3 {
			t.Fatalf("%+v", f)
		}
		i, _, err := h.Orders.Orders.Add(ctx, wrong())
		if err != nil {
			t.Fatal(err)
		}
		v := get(ctx, t, h, i)
		if v.State != order.Rejected || v.Items[0].State != order.Rejected || len(v.Errors) != 3 || len(v.Items[0].Milestones) != 0 {
			t.Errorf("%s %+v", v.State, v.Errors)
		}
		if ran := h.Work(ctx, t); ran != 0 {
			t.Errorf("%d jobs were run for a rejected order", ran)
		}
		if page, err := h.Orders.Orders.Docs(ctx, store.Query{}); err != nil || page.Total != 1 {
			t.Errorf("%d orders, %v", page.Total, err)
		}
	})
}

func TestLinesThatMayNotBeChangedAreNot(t *testing.T) {
	each(t, 2, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := newLine(ctx, t, h, "start")
		other := h.Account(ctx, t)
		dear := change(ctx, t, h, line, "add", "extra")
		dear.Items[0].Quantity = 4
		for name, c := range map[string]struct {
			o    *order.Order
			code fault.Code
		}{
			"not enough money":    {dear, balance.CodeInsufficient},
			"the plan it is on":   {change(ctx, t, h, line, "add", "start"), "planChangeNotAllowed"},
			"what it has not":     {change(ctx, t, h, line, "delete", "extra"), order.CodeNotHeld},
			"nothing to modify":   {change(ctx, t, h, line, "modify", ""), fault.CodeInvalid},
			"a package by halves": {change(ctx, t, h, line, "modify", "weekly"), order.CodePlanMismatch},
		} {
			if _, _, err := h.Orders.Place(ctx, c.o); fault.From(err) == nil || fault.From(err).Code != c.code {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
		}
		both := change(ctx, t, h, line, "add", "weekly")
		both.Items = append(both.Items, change(ctx, t, h, line, "delete", "weekly").Items...)
		if _, _, err := h.Orders.Place(ctx, both); fault.From(err) == nil || fault.From(err).Code != order.CodeNotHeld {
			t.Errorf("what the order adds is taken off, and with no id of its own that is the plan: %v", err)
		}
		o := change(ctx, t, h, line, "add", "extra")
		o.BillingAccount = &sid.Ref{ID: string(other)}
		if _, _, err := h.Orders.Place(ctx, o); fault.From(err).Code != order.CodeOtherAccount {
			t.Errorf("another account's line: %v", err)
		}
		if _, err := h.Subscriptions.Move(ctx, line, subscription.Suspended); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Orders.Place(ctx, change(ctx, t, h, line, "add", "extra")); fault.From(err).Code != order.CodeLineState {
			t.Errorf("a suspended line: %v", err)
		}
	})
}

// Orders side by side were each checked against a line without the other.
func TestWhatTwoOrdersAskForIsHadOnce(t *testing.T) {
	each(t, 2, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		for name, two := range map[string][2]string{"an add-on": {"weekly", "weekly"}, "a plan": {"plus", "plus"}} {
			line := newLine(ctx, t, h, "start")
			if _, _, _, err := h.Balances.TopUp(ctx, balance.TopupOrder{Subscription: line, Amount: money.OfMicros(100e6, "CHF"), Reference: "r"}); err != nil {
				t.Fatal(err)
			}
			first := place(ctx, t, h, change(ctx, t, h, line, "add", two[0]))
			second := place(ctx, t, h, change(ctx, t, h, line, "add", two[1]))
			h.Work(ctx, t)
			a, b := get(ctx, t, h, first), get(ctx, t, h, second)
			if a.State == b.State || a.State == order.Failed && b.State != order.Completed {
				t.Errorf("%s: the orders are %s and %s", name, a.State, b.State)
			}
			held := 0
			for _, p := range see(ctx, t, h, line).Products {
				if !p.Ended() {
					held++
				}
			}
			if held > 1 {
				t.Errorf("%s is held %d times", name, held)
			}
			h.Balanced(ctx, t)
		}
	})
}

func TestACartExpires(t *testing.T) {
	timed(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House, c *clock.Virtual) {
		i, _, err := h.Carts.Carts.Add(ctx, &cart.Cart{Items: []cart.Item{{Offering: &sid.Ref{ID: string(h.Offering(ctx, t, "start"))}}}})
		if err != nil {
			t.Fatal(err)
		}
		c.Advance(71 * time.Hour)
		h.Work(ctx, t)
		if _, err := h.Carts.Carts.Change(ctx, i, func(v *cart.Cart) error { v.Items[0].Quantity = 1; return nil }); err != nil {
			t.Fatal(err)
		}
		c.Advance(71 * time.Hour)
		h.Work(ctx, t)
		if v, _, err := h.Carts.Carts.Get(ctx, i); err != nil || v.Status != cart.Active {
			t.Errorf("a cart that was touched is %s, %v", v.Status, err)
		}
		c.Advance(2 * time.Hour)
		h.Work(ctx, t)
		if v, _, err := h.Carts.Carts.Get(ctx, i); err != nil || v.Status != cart.Expired {
			t.Errorf("the cart is %s, %v", v.Status, err)
		}
	})
}
