package renewal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// operator is a house on a clock of its own, with a plan by the month and an add-on by the week, and one active line.
type operator struct {
	house
	clock *clock.Virtual
	tops  int
}

// begin is the 31st of a month, 09:30 in Zurich.
var begin = time.Date(2026, 1, 31, 8, 30, 0, 0, time.UTC)

func eachOperator(t *testing.T, run func(t *testing.T, o *operator)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			o := newOperator(t, engine)
			run(t, o)
			o.Balanced(o.ctx, t)
		})
	}
}

func newOperator(t *testing.T, engine string) *operator {
	t.Helper()
	o := &operator{clock: clock.NewVirtual(begin)}
	s := storetest.Open(t, engine, func(opts *store.Options) { opts.Clock = o.clock })
	o.house = house{House: ordertest.New(s), t: t, ctx: storetest.Context(1)}
	o.Furnish(o.ctx, t, 2)
	i, err := o.Providers.Find(o.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Providers.Change(o.ctx, i, func(v *provider.ServiceProvider) error { v.TimeZone = "Europe/Zurich"; return nil }); err != nil {
		t.Fatal(err)
	}
	o.offer("monthly", catalog.PricePlan, "month", "20", "50", catalog.Allowance{
		Name: "Data", UsageType: catalog.Data, Amount: 1000, Units: catalog.Bytes, Recurring: true, Rollover: &catalog.Rollover{Periods: 1},
	}, catalog.Allowance{Name: "Welcome", UsageType: catalog.SMS, Amount: 10, Units: catalog.Messages, ValidityDays: 7})
	o.offer("cheap", catalog.PricePlan, "month", "5", "0", catalog.Allowance{Name: "Talk", UsageType: catalog.Voice, Amount: 60, Units: catalog.Seconds, Recurring: true})
	o.offer("weekly", catalog.Package, "week", "3", "0", catalog.Allowance{Name: "Texts", UsageType: catalog.SMS, Amount: 30, Units: catalog.Messages, Recurring: true})
	o.once()
	o.line, _, err = o.Subscriptions.Lines.Add(o.ctx, &subscription.Line{AccountID: o.Account(o.ctx, t), MSISDN: "41790000000", ICCID: "8941001000000000015"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *operator) offer(key, kind, period, price, opening string, allowances ...catalog.Allowance) {
	o.t.Helper()
	v := catalog.Offering{Name: key, Key: "life-" + key, OfferingType: kind, LifecycleStatus: catalog.Active, Allowances: allowances,
		Prices: []catalog.Price{{Name: key, PriceType: "recurring", Period: period, Length: 1, Price: chf(o.t, price), Tax: []catalog.Tax{{Rate: []byte("8.1")}}}}}
	if kind == catalog.PricePlan {
		v.OpeningBalance = chf(o.t, opening)
	}
	if _, _, err := o.Catalog.Offerings.Add(o.ctx, &v); err != nil {
		o.t.Fatal(err)
	}
}

// once offers a plan that is paid once and never renewed.
func (o *operator) once() {
	o.t.Helper()
	v := catalog.Offering{Name: "once", Key: "life-once", OfferingType: catalog.PricePlan, LifecycleStatus: catalog.Active,
		Prices:     []catalog.Price{{Name: "once", PriceType: "oneTime", Price: chf(o.t, "10")}},
		Allowances: []catalog.Allowance{{Name: "Start", UsageType: catalog.Voice, Amount: 60, Units: catalog.Seconds}}}
	if _, _, err := o.Catalog.Offerings.Add(o.ctx, &v); err != nil {
		o.t.Fatal(err)
	}
}

// start is of an offering of the operator's, or of the house's plan without a recurring price.
func (o *operator) start(plan string, product id.ID) renewal.Start {
	if plan != "start" {
		plan = "life-" + plan
	}
	return o.house.start(plan, product)
}

func chf(t *testing.T, text string) *money.Amount {
	t.Helper()
	a, err := money.Parse(text, "CHF")
	if err != nil {
		t.Fatal(err)
	}
	return &a
}

// sell puts the line on a plan and makes it active.
func (o *operator) sell(plan string) {
	o.t.Helper()
	if err := o.Renewals.Begin(o.ctx, o.start(plan, "")); err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.Subscriptions.Move(o.ctx, o.line, subscription.Active); err != nil {
		o.t.Fatal(err)
	}
}

// add has the line hold an add-on.
func (o *operator) add(key string) id.ID {
	o.t.Helper()
	i := id.New(subscription.HeldKind, 1, o.clock.Now())
	if err := o.Renewals.Begin(o.ctx, o.start(key, i)); err != nil {
		o.t.Fatal(err)
	}
	return i
}

// until moves the clock and has done what is due, in one step.
func (o *operator) until(text string) {
	o.t.Helper()
	at, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		o.t.Fatal(err)
	}
	o.clock.Set(at)
	o.Work(o.ctx, o.t)
}

func (o *operator) topUp(amount string) {
	o.t.Helper()
	o.tops++
	if _, _, _, err := o.Balances.TopUp(o.ctx, balance.TopupOrder{Subscription: o.line, Amount: *chf(o.t, amount), Reference: fmt.Sprint(o.tops)}); err != nil {
		o.t.Fatal(err)
	}
	o.Work(o.ctx, o.t)
}

// is holds the state of the line and what is left.
func (o *operator) is(state subscription.State, left string) {
	o.t.Helper()
	if v := o.see(); v.State != state || v.Status != state.Status() {
		o.t.Errorf("at %s the line is %s (%s), want %s", o.clock.Now().Format(time.DateTime), v.State, v.StateReason, state)
	}
	all, err := o.Balances.Statements(o.ctx, o.line, 1)
	if err != nil {
		o.t.Fatal(err)
	}
	var got []string
	for _, s := range all {
		if s.Bucket.Status == balance.Active {
			got = append(got, s.Bucket.Name+" "+string(s.Bucket.Remaining.Amount))
		}
	}
	slices.Sort(got)
	if text := fmt.Sprint(got); text != "["+left+"]" {
		o.t.Errorf("at %s there is %s, want [%s]", o.clock.Now().Format(time.DateTime), text, left)
	}
}

func TestAPlanRenewsOnItsDay(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		o.sell("monthly")
		o.is(subscription.Active, "Data 1000 Main balance 30.00 Welcome 10")
		o.until("2026-02-28 08:29")
		o.is(subscription.Active, "Data 1000 Main balance 30.00") // the welcome was for seven days
		o.until("2026-02-28 08:30")
		if v := o.see(); v.Renewal.Count != 2 || !v.Renewal.Next.Equal(time.Date(2026, 3, 31, 7, 30, 0, 0, time.UTC)) {
			t.Errorf("the next is on %s (%d)", v.Renewal.Next, v.Renewal.Count) // 09:30 in summer
		}
		st, err := o.Balances.Statements(o.ctx, o.line, 1)
		if err != nil {
			t.Fatal(err)
		}
		if e := st[0].Entries[0]; e.Cause.Text != "monthly for 28 February 2026 to 31 March 2026: 20.00 CHF, of which tax 1.50" || e.Cause.Kind != renewal.CauseKind || e.Cause.ID != string(o.line)+"@2026-02-28T08:30:00Z" {
			t.Errorf("%+v", e)
		}
		if n := len(st); n != 5 {
			t.Errorf("%d buckets: money, two months of data, what was rolled over, the welcome", n)
		}
	})
}

func TestALineThatCannotPayIsWarnedSuspendedAndComesBack(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		o.sell("monthly")
		o.until("2026-02-28 08:30")
		o.until("2026-03-31 07:30") // 10.00 is left of 50
		o.is(subscription.NonPaymentWarned, "Data 1000 Main balance 10.00")
		v := o.see()
		if v.Renewal.Count != 2 || v.StateReason != subscription.BecauseUnpaid || v.StateSince == nil {
			t.Errorf("%+v", v)
		}
		o.topUp("5")
		o.is(subscription.NonPaymentWarned, "Data 1000 Main balance 15.00")
		o.until("2026-04-03 07:29")
		o.topUp("5")                                                       // in time
		o.is(subscription.Active, "Data 1000 Data 1000 Main balance 0.00") // March's rest lives until the end of April
		if v := o.see(); v.Renewal.Count != 3 || !v.Renewal.Next.Equal(time.Date(2026, 4, 30, 7, 30, 0, 0, time.UTC)) || v.Renewal.UnpaidSince != nil {
			t.Errorf("paid late: %+v", v.Renewal)
		}
		o.until("2026-05-03 07:30") // three days after the end of April
		o.is(subscription.NonPaymentSuspended, "Data 1000 Main balance 0.00")
		o.until("2026-05-20 12:00")
		o.topUp("25")
		o.is(subscription.Active, "Data 1000 Data 1000 Main balance 5.00")
		if v := o.see(); !v.Renewal.Anchor.Equal(o.clock.Now()) || v.Renewal.Count != 1 || v.StateReason != subscription.BecausePaid {
			t.Errorf("a new month begins on the day it is back: %+v %s", v.Renewal, v.StateReason)
		}
	})
}

func TestALineThatNobodyPaysForEnds(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		o.sell("monthly")
		addOn := o.add("weekly")
		o.is(subscription.Active, "Data 1000 Main balance 27.00 Texts 30 Welcome 10")
		o.until("2027-12-31 00:00") // in one step
		o.is(subscription.Inactive, "")
		v := o.see()
		// Paid: the weeks of 7, 14 and 21 February; on the 28th 18.00 are too little for the month and enough for six
		// weeks more. The plan is suspended three days later, and with it all.
		if v.Renewal != nil || v.StateReason != subscription.BecauseLapsed || !v.Product(addOn).Ended() {
			t.Errorf("%+v", v)
		}
		zurich := time.FixedZone("", 3600)
		suspended := time.Date(2026, 3, 3, 9, 30, 0, 0, zurich)
		ended := suspended.AddDate(0, 0, 30+90).Add(-time.Hour) // in summer
		if v.TerminationDate == nil || !v.TerminationDate.Equal(ended) || !v.StateSince.Equal(ended) {
			t.Errorf("it ended %s, want %s", v.TerminationDate, ended)
		}
		if _, _, err := o.Subscriptions.Lines.Add(o.ctx, &subscription.Line{AccountID: v.AccountID, MSISDN: v.MSISDN, ICCID: "x"}); err != nil {
			t.Errorf("its number cannot be another's: %v", err)
		}
		held, err := o.Store.Balance(o.ctx, home(o.line), balance.Lapsed, "CHF")
		if err != nil || held != 15_000_000 {
			t.Errorf("%d micros were forfeited, %v", held, err)
		}
	})
}

func (o *operator) held(i id.ID) *subscription.Held {
	v := o.see()
	return v.Product(i)
}

func home(i id.ID) id.Home { h, _ := i.Home(); return h }

func TestALineThatIsNotUsedFallsAsleepAndWakes(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		if err := o.Renewals.Begin(o.ctx, o.start("start", "")); err != nil { // pay as you go
			t.Fatal(err)
		}
		if _, err := o.Subscriptions.Move(o.ctx, o.line, subscription.Active); err != nil {
			t.Fatal(err)
		}
		o.until("2026-04-01 12:00")
		o.topUp("1")
		o.until("2026-06-30 11:59")
		o.is(subscription.Active, "Main balance 6.00")
		o.until("2026-06-30 12:00")
		o.is(subscription.Dormant, "Main balance 6.00")
		o.until("2026-09-01 12:00")
		o.topUp("1")
		o.is(subscription.Active, "Main balance 7.00")
		o.until("2026-11-30 13:00") // dormant again
		o.is(subscription.Dormant, "Main balance 7.00")
		o.until("2027-02-28 13:00")
		o.is(subscription.Expired, "Main balance 7.00")
		o.until("2027-05-01 12:00")
		o.topUp("1")
		o.is(subscription.Active, "Main balance 8.00")
		o.until("2028-05-01 12:00")
		o.is(subscription.Inactive, "")
	})
}

func TestAnAddOnThatIsNotPaidIsSuspendedAlone(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		if err := o.Renewals.Begin(o.ctx, o.start("start", "")); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Subscriptions.Move(o.ctx, o.line, subscription.Active); err != nil {
			t.Fatal(err)
		}
		addOn := o.add("weekly") // 2.00 of 5.00 are left
		o.until("2026-02-07 08:30")
		o.is(subscription.Active, "Main balance 2.00")
		o.until("2026-02-10 08:30")
		if h := o.held(addOn); h.Status != subscription.HeldSuspended {
			t.Errorf("%+v", h)
		}
		o.until("2026-02-12 10:00")
		o.topUp("4")
		o.is(subscription.Active, "Main balance 3.00 Texts 30")
		if h := o.held(addOn); h.Status != subscription.HeldActive || !h.Renewal.Next.Equal(time.Date(2026, 2, 14, 8, 30, 0, 0, time.UTC)) {
			t.Errorf("the week that runs was paid: %+v", h)
		}
		o.until("2026-04-30 08:30")
		h := o.held(addOn)
		if h.Status != subscription.HeldTerminated || !h.TerminationDate.Equal(time.Date(2026, 3, 26, 8, 30, 0, 0, time.UTC)) {
			t.Errorf("unpaid on 21 February, suspended on 24, ended 30 days later: %s %s", h.Status, h.TerminationDate)
		}
		o.is(subscription.Active, "Main balance 0.00")
	})
}

func TestAPlanIsChangedAndChangedBack(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		o.sell("monthly")
		o.add("weekly")
		o.until("2026-02-10 10:00")
		before := o.see()
		b := o.start("cheap", "")
		b.Cause = cause("change")
		if err := o.Renewals.ChangePlan(o.ctx, b); err != nil {
			t.Fatal(err)
		}
		o.is(subscription.Active, "Main balance 19.00 Talk 60 Texts 30")
		if v := o.see(); len(v.Plans) != 2 || v.Name != "cheap" || v.Offering.ID != string(b.Offering) || !v.Renewal.Anchor.Equal(o.clock.Now()) || v.PlanAt(begin) == v.PlanAt(o.clock.Now()) {
			t.Errorf("%+v", v)
		}
		for range 2 {
			if err := o.Renewals.Undo(o.ctx, b, cause("failed")); err != nil {
				t.Fatal(err)
			}
			o.is(subscription.Active, "Data 1000 Main balance 24.00 Texts 30")
			if v := o.see(); v.Name != before.Name || *v.Renewal != *before.Renewal || len(v.Plans) != 1 || v.Plans[0].Renewal != nil {
				t.Errorf("%+v", v)
			}
		}
		o.until("2026-02-28 08:30") // it goes on as if nothing had been
		o.is(subscription.NonPaymentWarned, "Data 1000 Main balance 15.00 Texts 30")
	})
}

func TestNothingIsRenewedWhileALineIsSuspended(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		o.sell("monthly")
		o.until("2026-02-20 10:00")
		if _, err := o.Subscriptions.MoveFor(o.ctx, o.line, subscription.Suspended, "lost"); err != nil {
			t.Fatal(err)
		}
		o.until("2026-04-20 10:00")
		o.is(subscription.Suspended, "Main balance 30.00") // what was rolled over has ended too
		if _, err := o.Subscriptions.Move(o.ctx, o.line, subscription.Active); err != nil {
			t.Fatal(err)
		}
		o.Work(o.ctx, t)
		o.is(subscription.Active, "Data 1000 Main balance 10.00")
		if v := o.see(); !v.Renewal.Anchor.Equal(o.clock.Now()) {
			t.Errorf("%+v", v.Renewal)
		}
	})
}

func TestALineOfWhichNothingIsDueIsNotWritten(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		o.sell("monthly")
		_, before, err := o.Subscriptions.Lines.Get(o.ctx, o.line)
		if err != nil {
			t.Fatal(err)
		}
		o.until("2026-02-01 10:00")
		for range 3 {
			if err := o.Renewals.Due(o.ctx, o.line); err != nil {
				t.Fatal(err)
			}
		}
		if _, after, err := o.Subscriptions.Lines.Get(o.ctx, o.line); err != nil || after.Version != before.Version {
			t.Errorf("version %d became %d, %v", before.Version, after.Version, err)
		}
		jobs, total, err := o.Store.Jobs(o.ctx, renewal.JobDue, "ready", 0, 10)
		if err != nil || total > 2 { // the end of the welcome and, planned while the line was pending, the same
			t.Errorf("%d jobs wait: %+v", total, jobs)
		}
	})
}
