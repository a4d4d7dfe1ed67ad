package order_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	netsim "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// more loads offerings beside those of ordertest.
func more(ctx context.Context, t *testing.T, h *ordertest.House, yaml string) {
	t.Helper()
	parsed, err := catalog.Parse([]byte("currency: CHF\ntaxRate: 8.1\nplans: [{key: other, name: Other, price: 0}]\n" + yaml))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Catalog.Load(ctx, parsed); err != nil {
		t.Fatal(err)
	}
}

func ref(ctx context.Context, t *testing.T, h *ordertest.House, key string) *sid.Ref {
	t.Helper()
	return &sid.Ref{ID: string(h.Offering(ctx, t, key))}
}

// A blocked line is on no plan, and the product inventory shows the one that it was on last.
func TestALineIsBlockedAndOpenedAgain(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := newLine(ctx, t, h, "plus")
		o := change(ctx, t, h, line, "delete", "plus")
		o.Items[0].Block = true
		sold(ctx, t, h, o)
		v := see(ctx, t, h, line)
		if v.State != subscription.Locked || v.StateReason != subscription.BecauseBlocked || v.Plan() != nil || v.Renewal != nil || v.Offering == nil || len(v.Prices) == 0 {
			t.Errorf("the line is %s (%s), on %v, renewed %v, shown on %v", v.State, v.StateReason, v.Plan(), v.Renewal, v.Offering)
		}
		if l := h.Net.Line(line); !l.Barred || !l.Connected {
			t.Errorf("the network has %+v", l)
		}
		if _, _, err := h.Orders.Place(ctx, change(ctx, t, h, line, "add", "extra")); fault.From(err).Code != order.CodeLineState {
			t.Errorf("an add-on for a blocked line: %v", err)
		}
		sold(ctx, t, h, change(ctx, t, h, line, "add", "start"))
		if v = see(ctx, t, h, line); v.State != subscription.Active || v.Plan() == nil || v.Plan().Name != "Start" || h.Net.Line(line).Barred {
			t.Errorf("the line is %s, on %v", v.State, v.Plan())
		}
		h.Balanced(ctx, t)
	})
}

func TestASIMThatIsSoldSaysOfWhichFormItIs(t *testing.T) {
	each(t, 2, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		more(ctx, t, h, "sims:\n  - {key: esim, name: eSIM, oneTimePrice: 1}\n  - {key: card, name: SIM card, oneTimePrice: 2}\n")
		profile, _, err := h.Inventory.SIMs.Add(ctx, &inventory.SIM{ICCID: "8941001000000009999", IMSI: "228019999999999", Form: inventory.ESIM, Status: inventory.Available})
		if err != nil {
			t.Fatal(err)
		}
		o := h.Order(ctx, t, h.Account(ctx, t), "start")
		o.Items[0].Items = []order.Item{{Offering: ref(ctx, t, h, "esim")}}
		line := id.ID(sold(ctx, t, h, o).Items[0].Product.ID)
		if v := see(ctx, t, h, line); v.Resource(inventory.SIMKind) != profile {
			t.Errorf("the line has the SIM %s, want the eSIM", v.ICCID)
		}
		if m, _, err := h.Balances.Money(ctx, line); err != nil || spendable(ctx, t, h, line) != 4_000_000 {
			t.Errorf("%s holds %d, %v", m, spendable(ctx, t, h, line), err)
		}
		// A card in its place: it is sold, and the profile is never used again.
		sold(ctx, t, h, change(ctx, t, h, line, "modify", "card"))
		card, _, err := h.Inventory.SIMs.Get(ctx, see(ctx, t, h, line).Resource(inventory.SIMKind))
		if err != nil || card.Form != inventory.PlasticSIM || spendable(ctx, t, h, line) != 2_000_000 || h.Net.Line(line).Order.ICCID != card.ICCID {
			t.Errorf("the line has %+v and holds %d, %v", card, spendable(ctx, t, h, line), err)
		}
		if old, _, err := h.Inventory.SIMs.Get(ctx, profile); err != nil || old.Status != inventory.Retired {
			t.Errorf("the eSIM is %s, %v", old.Status, err)
		}
		// No profile is left: the order fails and takes nothing.
		i := place(ctx, t, h, o2(ctx, t, h))
		h.Work(ctx, t)
		if v := get(ctx, t, h, i); v.State != order.Failed || v.Errors[0].Code != inventory.CodeNone {
			t.Errorf("the order is %s: %+v", v.State, v.Errors)
		}
	})
}

func o2(ctx context.Context, t *testing.T, h *ordertest.House) *order.Order {
	o := h.Order(ctx, t, h.Account(ctx, t), "start")
	o.Items[0].Items = []order.Item{{Offering: ref(ctx, t, h, "esim")}}
	return o
}

func spendable(ctx context.Context, t *testing.T, h *ordertest.House, line id.ID) int64 {
	t.Helper()
	w, err := h.Balances.Wallet(ctx, line)
	if err != nil {
		t.Fatal(err)
	}
	return w.Money().Spendable(w.Now)
}

func TestAValueAddedServiceIsProvisionedAndTakenOff(t *testing.T) {
	refusing := false
	choose := func(o network.Order, _ int) netsim.Fault {
		if refusing && o.Action == network.Modify {
			return netsim.Refuse
		}
		return netsim.None
	}
	onNet(t, 1, choose, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		refusing = false
		more(ctx, t, h, "addOns:\n  - {key: voicemail, name: Voicemail, kind: vas, oneTimePrice: 1}\n")
		line := newLine(ctx, t, h, "start")
		asked := len(h.Net.Requests())
		sold(ctx, t, h, change(ctx, t, h, line, "add", "extra"))
		if n := len(h.Net.Requests()); n != asked {
			t.Error("the network was asked for an add-on that it knows nothing of")
		}
		done := sold(ctx, t, h, change(ctx, t, h, line, "add", "voicemail"))
		if got := h.Net.Line(line).Order.Services; !slices.Equal(got, []string{"voicemail"}) {
			t.Errorf("the network has the services %v", got)
		}
		product := done.Items[0].Held[0]
		sold(ctx, t, h, &order.Order{
			BillingAccount: done.BillingAccount, Items: []order.Item{{Action: "delete", Product: &order.Product{ID: string(product)}}},
		})
		if v := see(ctx, t, h, line); len(h.Net.Line(line).Order.Services) > 0 || !v.Product(product).Ended() {
			t.Errorf("the network has %v, the line %+v", h.Net.Line(line).Order.Services, v.Product(product))
		}
		// One that the network refuses is paid back.
		has := spendable(ctx, t, h, line)
		refusing = true
		i := place(ctx, t, h, change(ctx, t, h, line, "add", "voicemail"))
		h.Work(ctx, t)
		if v := get(ctx, t, h, i); v.State != order.Failed || spendable(ctx, t, h, line) != has || len(see(ctx, t, h, line).HeldOfferings()) != 1 {
			t.Errorf("the order is %s, the line holds %d, before it %d", v.State, spendable(ctx, t, h, line), has)
		}
		h.Balanced(ctx, t)
	})
}

// A reserved number is its customer's, its account's, or that of who names the reservation.
func TestAReservedNumberIsOrderedByWhomItIsFor(t *testing.T) {
	each(t, 3, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		theirs, others := h.Account(ctx, t), h.Account(ctx, t)
		for n, number := range []string{"41790000000", "41790000001", "41790000002"} {
			a, _, err := h.Accounts.Billing.Get(ctx, theirs)
			if err != nil {
				t.Fatal(err)
			}
			holder := []id.ID{a.Customer(), theirs, ""}[n]
			i, _, err := h.Inventory.Reserve(ctx, msisdn.Number(number), holder)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := h.Orders.Place(ctx, h.Order(ctx, t, others, "start", word("MSISDN", number))); fault.From(err).Code != inventory.CodeTaken {
				t.Errorf("%s: another's reserved number was ordered: %v", number, err)
			}
			o := h.Order(ctx, t, theirs, "start", word("MSISDN", number))
			if holder == "" {
				o.UserData = []order.NameValue{{Name: "RESERVATION_ID", Value: string(i)}}
			}
			if n == 0 { // whoever else the order names
				o.RelatedParty = []sid.Ref{{ID: "shop-12", Role: "seller"}}
			}
			v := see(ctx, t, h, id.ID(sold(ctx, t, h, o).Items[0].Product.ID))
			if string(v.MSISDN) != number {
				t.Errorf("the line has %s, want %s", v.MSISDN, number)
			}
			if r, _, err := h.Inventory.Reservations.Get(ctx, i); err != nil || r.Status != inventory.ReservationUsed {
				t.Errorf("the reservation is %s, %v", r.Status, err)
			}
		}
	})
}

func TestAPortIsCancelledUntilItIsBeyondReturn(t *testing.T) {
	timed(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House, c *clock.Virtual) {
		account := h.Account(ctx, t)
		i := place(ctx, t, h, h.Order(ctx, t, account, "start", word("MSISDN", "41761234567"), word(order.CharDonor, "SALT")))
		h.Work(ctx, t)
		request, _, err := h.Orders.Cancel(ctx, i, "stays with them")
		if err != nil {
			t.Fatal(err)
		}
		if v := get(ctx, t, h, i); v.State != order.PendingCancellation {
			t.Errorf("the order is %s while its port is under way", v.State)
		}
		h.Work(ctx, t) // the gateway is asked at once, long before the port would have ended
		v := get(ctx, t, h, i)
		if v.State != order.Cancelled {
			t.Fatalf("the order is %s: %+v %+v", v.State, v.Items[0].Port, v.Items[0].Milestones)
		}
		if r, _, err := h.Orders.Cancellations.Get(ctx, request); err != nil || r.State != order.TaskDone {
			t.Errorf("the request is %s, %v", r.State, err)
		}
		if _, err := h.Inventory.PickNumber(ctx, "41761234567"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("the number is in the pool: %v", err)
		}
		free(ctx, t, h)
	})
}

// A port that the gateway does not stop any more is taken back when it is there.
func TestAPortBeyondReturnIsTakenBackWhenItIsThere(t *testing.T) {
	timed(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House, c *clock.Virtual) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start", word("MSISDN", "41761234567"), word(order.CharDonor, "SALT")))
		h.Work(ctx, t)
		for range 7 {
			c.Advance(15 * time.Minute)
			h.Work(ctx, t)
		}
		if p := get(ctx, t, h, i).Items[0].Port; !p.Crossed {
			t.Fatalf("the port is not beyond return: %+v", p)
		}
		if _, _, err := h.Orders.Cancel(ctx, i, ""); err != nil {
			t.Fatal(err)
		}
		h.Work(ctx, t)
		if v := get(ctx, t, h, i); v.State != order.PendingCancellation {
			t.Errorf("the order is %s while the number is on its way", v.State)
		}
		for range 12 {
			c.Advance(15 * time.Minute)
			h.Work(ctx, t)
		}
		v := get(ctx, t, h, i)
		if m := v.Items[0].Milestones[1]; v.State != order.Cancelled || m.Status != order.StepCompensated {
			t.Errorf("the order is %s: %+v", v.State, m)
		}
	})
}

func TestWhatIsWithinALineThatIsThere(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		line := newLine(ctx, t, h, "plus")
		o := change(ctx, t, h, line, "modify", "", word("nickname", "Work"))
		o.Items[0].Items = []order.Item{{Offering: ref(ctx, t, h, "extra")}, {Offering: ref(ctx, t, h, "weekly"), Product: &order.Product{ID: string(line)}}}
		done := sold(ctx, t, h, o)
		for _, it := range append(slices.Clone(done.Items[0].Items), done.Items[0]) {
			if it.State != order.Completed {
				t.Errorf("the item %s is %s", it.ID, it.State)
			}
		}
		v := see(ctx, t, h, line)
		if len(v.HeldOfferings()) != 2 || spendable(ctx, t, h, line) != 100_000 {
			t.Errorf("the line holds %v and %d", v.HeldOfferings(), spendable(ctx, t, h, line))
		}
		// Only what is within it changes: the line itself is named to say of what.
		o = change(ctx, t, h, line, "modify", "")
		o.Items[0].Items = []order.Item{{Action: "delete", Offering: ref(ctx, t, h, "weekly")}}
		sold(ctx, t, h, o)
		if v = see(ctx, t, h, line); len(v.HeldOfferings()) != 1 {
			t.Errorf("the line holds %v", v.HeldOfferings())
		}
		// One that cannot be paid fails the whole order, and names itself.
		o = change(ctx, t, h, line, "modify", "")
		o.Items[0].Items = []order.Item{{Offering: ref(ctx, t, h, "extra")}}
		if _, _, err := h.Orders.Place(ctx, o); fault.From(err).Code != balance.CodeInsufficient {
			t.Errorf("%v", err)
		}
		h.Balanced(ctx, t)
	})
}

func TestAnAccountThatIsClosedOrdersNothing(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		a := h.Account(ctx, t)
		if _, err := h.Accounts.Billing.Change(ctx, a, func(v *account.Account) error { v.State = "Closed"; return nil }); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Orders.Place(ctx, h.Order(ctx, t, a, "start")); fault.From(err).Code != order.CodeAccountBarred {
			t.Errorf("%v", err)
		}
	})
}

// Prices that an offering refers to are charged like its own.
func TestAPlanWhosePriceStandsByItself(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		price, err := h.Catalog.Prices.Create(ctx, jsontext.Value(`{"name":"Monthly","lifecycleStatus":"Active","priceType":"recurring","recurringChargePeriodType":"month","recurringChargePeriodLength":1,"price":{"unit":"CHF","value":4},"tax":[{"taxRate":8.1}]}`))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := h.Catalog.Offerings.Create(ctx, jsontext.Value(`{"name":"Referred","lifecycleStatus":"Active","isSellable":true,"offeringType":"pricePlan","paidType":"prepaid","openingBalance":{"unit":"CHF","value":10},"productOfferingPrice":[{"id":"`+string(price.ID)+`"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		o := h.Order(ctx, t, h.Account(ctx, t), "start")
		o.Items[0].Offering.ID = string(plan.ID)
		done := sold(ctx, t, h, o)
		line := id.ID(done.Items[0].Product.ID)
		if v := see(ctx, t, h, line); spendable(ctx, t, h, line) != 6_000_000 || v.Renewal == nil || len(done.Total) == 0 || done.Total[0].Price.TaxIncluded.Micros() != 4_000_000 {
			t.Errorf("the line holds %d, renews %v, and the order came to %+v", spendable(ctx, t, h, line), v.Renewal, done.Total)
		}
	})
}

// What is wrong is told in the order of the items, whichever lines they are for.
func TestRefusalsComeInTheOrderOfTheItems(t *testing.T) {
	each(t, 4, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		a := h.Account(ctx, t)
		o := &order.Order{BillingAccount: &sid.Ref{ID: string(a)}}
		for range 4 {
			line := sold(ctx, t, h, h.Order(ctx, t, a, "start")).Items[0].Product.ID
			it := change(ctx, t, h, id.ID(line), "add", "extra").Items[0]
			it.Quantity = 20
			o.Items = append(o.Items, it)
		}
		_, _, err := h.Orders.Place(ctx, o)
		f := fault.From(err)
		for n := range o.Items {
			if want := fmt.Sprintf("productOrderItem[%d].productOffering", n); len(f.Details) != 4 || f.Details[n].Attribute != want {
				t.Fatalf("refusal %d of %+v is not at %s", n, f.Details, want)
			}
		}
	})
}

func TestAnAnswerOfTheGatewayThatIsOlderThanWhatIsKnownIsNotKept(t *testing.T) {
	timed(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House, c *clock.Virtual) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start", word("MSISDN", "41761234567"), word(order.CharDonor, "SALT")))
		ask := func() order.PortAnswer {
			a, err := h.Orders.AskPort(ctx, i)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		keep := func(a order.PortAnswer, want order.PortState) {
			t.Helper()
			if p, err := h.Orders.KeepPort(ctx, i, a); err != nil || p.State != want {
				t.Fatalf("the port is %s, and not %s: %v", p.State, want, err)
			}
			if it := get(ctx, t, h, i).Items[0]; it.Port != nil && it.Port.State != want {
				t.Fatalf("%s is stored, and not %s", it.Port.State, want)
			}
		}
		draft := ask()
		keep(draft, order.PortDraft)
		h.Work(ctx, t)
		keep(draft, order.PortApprovalPending)
		pending := ask()
		c.Advance(90 * time.Minute)
		keep(ask(), order.PortInProgress)
		keep(pending, order.PortInProgress)
		c.Advance(time.Hour)
		keep(ask(), order.PortCompleted)
		keep(draft, order.PortCompleted)
		if a := ask(); a != (order.PortAnswer{}) {
			t.Errorf("a port that has ended was asked for: %+v", a)
		}
	})
}

func TestAnOrderChargesWhatItsTotalSays(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		plan, err := h.Catalog.Offerings.Create(ctx, jsontext.Value(`{"name":"Less","lifecycleStatus":"Active","offeringType":"pricePlan","paidType":"prepaid","openingBalance":{"unit":"CHF","value":10},"productOfferingPrice":[
			{"name":"Fee","priceType":"Recurring","recurringChargePeriod":"monthly","price":{"unit":"CHF","value":9.90,"taxRate":8.1},"priceAlteration":[{"name":"Half","priceType":"discount","price":{"percentage":50}}]},
			{"name":"Setup","priceType":"one time","price":{"unit":"CHF","value":3,"taxRate":8.1},"priceAlteration":[{"name":"Nothing to pay","priceType":"discount","price":{"percentage":100}}]},
			{"name":"Per text","priceType":"usage","price":{"unit":"CHF","value":7,"taxRate":8.1}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		done := sold(ctx, t, h, &order.Order{
			BillingAccount: &sid.Ref{ID: string(h.Account(ctx, t))},
			Items:          []order.Item{{Offering: &sid.Ref{ID: string(plan.ID)}}},
		})
		var total []string
		for _, p := range done.Total {
			total = append(total, p.PriceType+p.Period+" "+p.Price.TaxIncluded.Decimal())
		}
		if got := strings.Join(total, ", "); got != "recurringmonth 9.90, oneTime 3.00, discountmonth -4.95, discount -3.00, tax 0.37" {
			t.Errorf("it comes to %s", got)
		}
		line := id.ID(done.Items[0].Product.ID)
		_, b, err := h.Balances.Money(ctx, line)
		if err != nil || b.Remaining.Amount == nil || string(b.Remaining.Amount) != "5.05" {
			t.Errorf("%s is left of 10.00 and not 5.05: %v", b.Remaining.Amount, err)
		}
		if v := see(ctx, t, h, line); len(v.Prices) != 3 || len(v.Prices[0].Lowered) != 1 || len(v.Prices[0].Alterations) != 0 {
			t.Errorf("the line keeps %+v", v.Prices)
		}
	})
}

func TestAPriceForAPeriodThatNobodyKnowsIsNotOrdered(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		plan, err := h.Catalog.Offerings.Create(ctx, jsontext.Value(`{"name":"When?","lifecycleStatus":"Active","offeringType":"pricePlan","openingBalance":{"unit":"CHF","value":10},"productOfferingPrice":[{"name":"Fee","priceType":"recurring","price":{"unit":"CHF","value":5}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = h.Orders.Place(ctx, &order.Order{
			BillingAccount: &sid.Ref{ID: string(h.Account(ctx, t))}, Items: []order.Item{{Offering: &sid.Ref{ID: string(plan.ID)}}},
		})
		if f := fault.From(err); f == nil || f.Attribute != "productOrderItem[0].productOffering" {
			t.Errorf("%v", err)
		}
	})
}
