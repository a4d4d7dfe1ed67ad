package renewal_test

import (
	"context"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// ahead makes the line one that was made ahead of its sale: on a plan, with money.
func (o *operator) ahead(plan, money string) {
	o.t.Helper()
	i := o.start(plan, "").Offering
	f, _, err := o.Catalog.Offerings.Get(o.ctx, i)
	if err != nil {
		o.t.Fatal(err)
	}
	prices, err := subscription.PricesOf(f)
	if err != nil {
		o.t.Fatal(err)
	}
	v := subscription.Line{
		State: subscription.Available, AccountID: o.see().AccountID, MSISDN: "41790000007", ICCID: "8941001000000000072", Prices: prices,
		Offering: &sid.Ref{ID: string(i), Name: f.Name},
		Plans:    []subscription.PlanPeriod{{Offering: i, Name: f.Name, From: o.clock.Now(), Prices: prices, ToBegin: true}},
	}
	if o.line, _, err = o.Subscriptions.Lines.Add(o.ctx, &v); err != nil {
		o.t.Fatal(err)
	}
	err = o.Store.Write(o.ctx, func(ctx context.Context) error {
		w, err := o.Balances.Wallet(ctx, o.line)
		if err != nil {
			return err
		}
		if _, err := w.Open(balance.Grant{Name: "Main balance", UsageType: catalog.Monetary, Unit: "CHF", Amount: chf(o.t, money).Micros()}, cause("ahead")); err != nil {
			return err
		}
		return o.Balances.Save(ctx, w)
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// wake is what usage does with a line before it is rated.
func (o *operator) wake() {
	o.t.Helper()
	if _, err := o.Subscriptions.Wake(o.ctx, o.line, o.see()); err != nil {
		o.t.Fatal(err)
	}
}

func TestTheFirstUseOfALineMadeAheadBeginsItsPlan(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		o.ahead("monthly", "50")
		o.until("2026-03-10 12:00") // it lies in a shop
		o.is(subscription.Available, "Main balance 50.00")
		if at, err := o.Network.Standing(o.ctx, o.line); at == network.Connected || err != nil {
			t.Errorf("the network has it as %s, %v", at, err)
		}
		o.wake()
		for range 3 { // whatever is looked at again, it begins once
			o.wake()
			o.Work(o.ctx, t)
			if err := o.Renewals.Due(o.ctx, o.line); err != nil {
				t.Fatal(err)
			}
		}
		o.is(subscription.Active, "Data 1000 Main balance 30.00 Welcome 10")
		v := o.see()
		if v.ToBegin() || v.Renewal == nil || !v.Renewal.Anchor.Equal(o.clock.Now()) || v.Renewal.Count != 1 || v.StateReason != subscription.BecauseUsed {
			t.Errorf("%+v %+v", v, v.Renewal)
		}
		if at, err := o.Network.Standing(o.ctx, o.line); at != network.Connected || err != nil {
			t.Errorf("the network has it as %s, %v", at, err)
		}
		o.until("2026-04-10 12:00") // from then on it is a line as any
		o.is(subscription.Active, "Data 1000 Data 1000 Main balance 10.00")
	})
}

func TestALineMadeAheadThatCannotPayItsPlanIsWarned(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		o.ahead("monthly", "7.50")
		o.until("2026-03-10 12:00")
		o.wake()
		o.Work(o.ctx, t)
		o.is(subscription.NonPaymentWarned, "Main balance 7.50")
		o.until("2026-03-11 12:00")
		o.topUp("20") // in time: all that a beginning gives
		o.is(subscription.Active, "Data 1000 Main balance 7.50 Welcome 10")
		if v := o.see(); v.ToBegin() || !v.Renewal.Next.Equal(time.Date(2026, 4, 10, 11, 0, 0, 0, time.UTC)) {
			t.Errorf("%+v", v.Renewal)
		}
	})
}

func TestALineMadeAheadThatPaysAfterItWasSuspendedBeginsThen(t *testing.T) {
	o := newOperator(t, "sqlite")
	o.ahead("monthly", "7.50")
	o.wake()
	o.until("2026-02-20 12:00")
	o.is(subscription.NonPaymentSuspended, "Main balance 7.50")
	o.topUp("20")
	o.is(subscription.Active, "Data 1000 Main balance 7.50 Welcome 10")
	if v := o.see(); v.ToBegin() || !v.Renewal.Anchor.Equal(o.clock.Now()) {
		t.Errorf("%+v", v.Renewal)
	}
	o.Balanced(o.ctx, t)
}

func TestAPlanWithoutPeriodOfALineMadeAheadBegins(t *testing.T) {
	o := newOperator(t, "sqlite")
	o.ahead("once", "3")
	o.wake()
	o.Work(o.ctx, t)
	o.is(subscription.NonPaymentWarned, "Main balance 3.00")
	o.topUp("8")
	o.is(subscription.Active, "Main balance 1.00 Start 60")
	o.until("2026-04-20 12:00")
	o.is(subscription.Active, "Main balance 1.00 Start 60")
	if v := o.see(); v.ToBegin() || v.Renewal != nil {
		t.Errorf("%+v", v)
	}
	o.Balanced(o.ctx, t)
}

func TestAPlanThatIsChangedBeforeItBeganIsLeft(t *testing.T) {
	o := newOperator(t, "sqlite")
	o.ahead("monthly", "7.50")
	o.wake()
	o.Work(o.ctx, t)
	b := o.start("cheap", "")
	b.Cause = cause("change")
	if err := o.Renewals.ChangePlan(o.ctx, b); err != nil {
		t.Fatal(err)
	}
	o.Work(o.ctx, t)
	if v := o.see(); v.ToBegin() || v.Name != "cheap" {
		t.Errorf("%+v", v)
	}
	if err := o.Renewals.Undo(o.ctx, b, cause("failed")); err != nil {
		t.Fatal(err)
	}
	if v := o.see(); !v.ToBegin() { // it is on the plan before, as it was
		t.Errorf("%+v", v)
	}
	o.Balanced(o.ctx, t)
}

func TestAPlanThatWasEndedBeforeItBeganNeverDoes(t *testing.T) {
	o := newOperator(t, "sqlite")
	o.ahead("monthly", "50")
	if err := o.Renewals.End(o.ctx, o.line, "", cause("end")); err != nil {
		t.Fatal(err)
	}
	o.wake()
	o.Work(o.ctx, t)
	o.is(subscription.Active, "Main balance 50.00")
}

func TestABeginningThatFailsWithTheUseIsUndone(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		o.ahead("monthly", "50")
		refused := fault.Conflictf("refused", "the use is refused")
		err := o.Store.Write(o.ctx, func(ctx context.Context) error {
			if _, err := o.Subscriptions.Wake(ctx, o.line, o.see()); err != nil {
				return err
			}
			return refused
		})
		if fault.From(err).Code != refused.Code {
			t.Fatal(err)
		}
		o.Work(o.ctx, t)
		o.is(subscription.Available, "Main balance 50.00")
		_, total, err := o.Store.Jobs(o.ctx, renewal.JobDue, "ready", 0, 10)
		if err != nil || total != 0 {
			t.Errorf("%d jobs wait, %v", total, err)
		}
	})
}
