package autotopup_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/autotopup"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/subscription"
)

func TestWhatCannotBeScheduled(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		other := o.Account(o.ctx, t)
		foreign, err := o.Payments.CreateToken(o.ctx, other, "tok_foreign", payment.Card{})
		o.must(err)
		ended := o.sell("start")
		for _, to := range []subscription.State{subscription.Disconnecting, subscription.Inactive} {
			_, err := o.Subscriptions.Move(o.ctx, ended, to)
			o.must(err)
		}
		bare, _, err := o.Subscriptions.Lines.Add(o.ctx, &subscription.Line{AccountID: o.account})
		o.must(err)
		for name, c := range map[string]struct {
			wish      autotopup.Wish
			code      fault.Code
			attribute string
		}{
			"no line":                    {autotopup.Wish{Line: id.New(subscription.Kind, 1, begin)}, autotopup.CodeNoSubscription, "subscriptionId"},
			"no account":                 {autotopup.Wish{Account: "bac_0000000000000000000000000a"}, autotopup.CodeNoAccount, "accountID"},
			"another's account":          {autotopup.Wish{Account: other}, autotopup.CodeNotResponsible, "accountID"},
			"a line that is gone":        {autotopup.Wish{Line: ended}, autotopup.CodeNotAllowed, "subscriptionId"},
			"a line that is not yet":     {autotopup.Wish{Line: bare}, autotopup.CodeNotAllowed, "subscriptionId"},
			"no token":                   {autotopup.Wish{Token: id.New(payment.TokenKind, 1, begin)}, autotopup.CodeNoToken, "tokenID"},
			"another's token":            {autotopup.Wish{Token: foreign.ID}, autotopup.CodeNoToken, "tokenID"},
			"nothing":                    {autotopup.Wish{Amount: chf("0")}, fault.CodeInvalid, "amount"},
			"less than nothing":          {autotopup.Wish{Amount: chf("-1")}, fault.CodeInvalid, "amount"},
			"parts of a cent":            {autotopup.Wish{Amount: chf("1.005")}, fault.CodeInvalid, "amount"},
			"another currency":           {autotopup.Wish{Amount: money.OfMicros(1_000_000, "EUR")}, fault.CodeInvalid, "amount"},
			"no threshold":               {autotopup.Wish{Threshold: amount("0")}, fault.CodeInvalid, "threshold"},
			"a date that is past":        {autotopup.Wish{Next: at("2027-01-30 08:00")}, fault.CodeInvalid, "nextApplication"},
			"a date out of sight":        {autotopup.Wish{Next: at("2038-01-30 08:00")}, fault.CodeInvalid, "nextApplication"},
			"no date":                    {autotopup.Wish{Trigger: autotopup.ByDate}, fault.CodeInvalid, "nextApplication"},
			"a date with a low balance":  {autotopup.Wish{Trigger: autotopup.LowBalance, Next: at("2027-02-01 08:00")}, fault.CodeInvalid, "nextApplication"},
			"a threshold of what recurs": {autotopup.Wish{Period: "weekly", Threshold: amount("5")}, fault.CodeInvalid, "threshold"},
			"limits of what recurs":      {autotopup.Wish{Period: "weekly", DailyLimit: 2}, fault.CodeInvalid, "dailyLimit"},
			"a limit below nothing":      {autotopup.Wish{MonthlyLimit: -1}, fault.CodeInvalid, "dailyLimit"},
			"a period that is none":      {autotopup.Wish{Period: "daily"}, fault.CodeInvalid, "recurringPeriod"},
			"a period of a date":         {autotopup.Wish{Trigger: autotopup.ByDate, Next: at("2027-02-01 08:00"), Period: "weekly"}, fault.CodeInvalid, "recurringPeriod"},
			"no such type":               {autotopup.Wish{Trigger: "sometimes"}, fault.CodeInvalid, "scheduleType"},
		} {
			w := c.wish
			if w.Line == "" {
				w.Line = o.line
			}
			if w.Token == "" {
				w.Token = o.token
			}
			if w.Amount.Currency() == "" {
				w.Amount = chf("20")
			}
			if _, _, err := o.AutoTopups.Create(o.ctx, w); fault.From(err).Code != c.code || fault.From(err).Attribute != c.attribute {
				t.Errorf("%s: %v, want %s at %s", name, err, c.code, c.attribute)
			}
		}
		if _, _, err := o.AutoTopups.Create(o.ctx, autotopup.Wish{Line: o.line, Amount: chf("1")}); fault.From(err).Attribute != "tokenID" {
			t.Errorf("without a token: %v", err)
		}
		if has, err := o.AutoTopups.OfLine(o.ctx, o.line); has != "" || err != nil {
			t.Errorf("%s %v", has, err)
		}
		none := id.New(autotopup.Kind, 1, begin)
		for what, err := range map[string]error{
			"read": second(o.AutoTopups.Read(o.ctx, none)), "change": second(o.AutoTopups.Change(o.ctx, none, autotopup.Change{})), "delete": o.AutoTopups.Delete(o.ctx, none),
		} {
			if f := fault.From(err); f == nil || f.Code != autotopup.CodeNoSchedule || f.Kind != fault.NotFound {
				t.Errorf("%s of none: %v", what, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestALineHasOneSchedule(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		var wait sync.WaitGroup
		made := make(chan id.ID, 6)
		for range cap(made) {
			wait.Add(1)
			go func() {
				defer wait.Done()
				if i, _, err := o.AutoTopups.Create(o.ctx, autotopup.Wish{Line: o.line, Token: o.token, Amount: chf("20")}); err == nil {
					made <- i
				} else if fault.From(err).Code != autotopup.CodeNotAllowed {
					t.Error(err)
				}
			}()
		}
		wait.Wait()
		if len(made) != 1 {
			t.Fatalf("%d schedules", len(made))
		}
		first := <-made
		o.must(o.AutoTopups.Delete(o.ctx, first))
		next := o.create(autotopup.Wish{})
		page, err := o.AutoTopups.Schedules.Docs(o.ctx, autotopup.Asked{Line: o.line, Status: autotopup.Active}.Query())
		if err != nil || page.Total != 1 || page.Items[0].ID != next {
			t.Errorf("%+v %v", page, err)
		}
		suspended := autotopup.Suspended
		if _, err := o.AutoTopups.Change(o.ctx, next, autotopup.Change{Status: &suspended}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := o.AutoTopups.Create(o.ctx, autotopup.Wish{Line: o.line, Token: o.token, Amount: chf("20")}); fault.From(err).Code != autotopup.CodeNotAllowed {
			t.Errorf("beside one that is suspended: %v", err)
		}
	})
}

func TestWhatIsSuspendedAppliesNothing(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		suspended, active := autotopup.Suspended, autotopup.Active
		i := o.create(autotopup.Wish{Threshold: amount("3")})
		set := func(c autotopup.Change) {
			t.Helper()
			_, err := o.AutoTopups.Change(o.ctx, i, c)
			o.must(err)
			o.Work(o.ctx, t)
		}
		set(autotopup.Change{Status: &suspended})
		o.take("4")
		o.Work(o.ctx, t)
		o.paid(0)
		set(autotopup.Change{Status: &active})
		o.paid(1)
		o.holds("21.10")
		set(autotopup.Change{Threshold: amount("25"), Amount: amount("5")})
		o.paid(2)
		o.must(o.AutoTopups.Delete(o.ctx, i))
		i = o.create(autotopup.Wish{Next: at("2027-02-10 10:00")})
		set(autotopup.Change{Next: at("2027-02-12 10:00")})
		o.until("2027-02-11 10:00")
		o.paid(2)
		set(autotopup.Change{Status: &suspended})
		o.until("2027-02-13 10:00")
		o.paid(2)
		set(autotopup.Change{Status: &active})
		o.paid(3) // its date is past
		if _, err := o.AutoTopups.Change(o.ctx, i, autotopup.Change{Amount: amount("1")}); fault.From(err).Code != autotopup.CodeState {
			t.Errorf("a change of what is over: %v", err)
		}
		i = o.create(autotopup.Wish{Period: "monthly"})
		weekly := "weekly"
		set(autotopup.Change{Period: &weekly, Next: at("2027-02-14 10:00")})
		o.next(i, "2027-02-14 10:00")
		o.until("2027-02-14 10:00")
		o.next(i, "2027-02-21 10:00")
		for name, c := range map[string]struct {
			change    autotopup.Change
			attribute string
		}{
			"amount": {autotopup.Change{Amount: amount("0")}, "amount"}, "threshold": {autotopup.Change{Threshold: amount("1")}, "threshold"},
			"date": {autotopup.Change{Next: at("2027-01-01 00:00")}, "nextApplication"}, "token": {autotopup.Change{Token: &o.line}, "tokenID"},
			"status": {autotopup.Change{Status: new(autotopup.Status)}, "status"},
		} {
			if _, err := o.AutoTopups.Change(o.ctx, i, c.change); fault.From(err).Attribute != c.attribute {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestAScheduleEndsWithItsToken(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		i := o.create(autotopup.Wish{Period: "monthly"})
		o.must(o.Payments.DeleteToken(o.ctx, o.token))
		if v := o.read(i); v.Status != autotopup.Ended || v.Reason != autotopup.BecauseToken || v.Next != nil {
			t.Errorf("%+v", v)
		}
		if _, _, err := o.AutoTopups.Create(o.ctx, autotopup.Wish{Line: o.line, Token: o.token, Amount: chf("20")}); fault.From(err).Code != autotopup.CodeNoToken {
			t.Errorf("%v", err)
		}
		o.create(autotopup.Wish{Token: o.card("tok_other")})
	})
}

func TestAScheduleEndsWithItsLine(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		i := o.create(autotopup.Wish{Period: "weekly"})
		for _, to := range []subscription.State{subscription.Disconnecting, subscription.Inactive} {
			_, err := o.Subscriptions.Move(o.ctx, o.line, to)
			o.must(err)
		}
		if v := o.read(i); v.Status != autotopup.Ended || v.Reason != autotopup.BecauseLine {
			t.Errorf("%+v", v)
		}
		o.until("2027-02-28 10:00")
		o.paid(0)
	})
}

func TestNothingIsPaidIntoALineThatSomebodyBlocked(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		i := o.create(autotopup.Wish{Period: "weekly"})
		_, err := o.Subscriptions.Move(o.ctx, o.line, subscription.Suspended)
		o.must(err)
		o.until("2027-02-20 10:00")
		o.paid(0)
		_, err = o.Subscriptions.Move(o.ctx, o.line, subscription.Active)
		o.must(err)
		o.Work(o.ctx, t)
		o.paid(1)
		o.next(i, "2027-02-21 08:30")
	})
}

func TestAPaymentUnderWayOutlivesItsSchedule(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		o.gate.silent = true
		i := o.create(autotopup.Wish{Threshold: amount("10")})
		if v := o.read(i); v.Payment == "" {
			t.Fatalf("%+v", v)
		}
		o.must(o.AutoTopups.Delete(o.ctx, i))
		o.gate.silent = false
		o.until("2027-01-31 09:00")
		o.paid(1)
		o.holds("25.10")
	})
}

func TestWithoutAGatewayATopupIsRefused(t *testing.T) {
	o := newOperator(t, "sqlite")
	o.Payments.Gateway = nil
	i := o.create(autotopup.Wish{Threshold: amount("10")})
	if v := o.read(i); v.Refusal == nil || v.Refusal.Times != 1 || v.Payment != "" {
		t.Errorf("%+v", v)
	}
	o.sound()
}

func TestAnOrderSetsUpATopup(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		ordered := func(token string, amount string) (*order.Order, error) {
			v := o.Order(o.ctx, t, o.account, "plus")
			v.TopupToken, v.TopupAmount = token, jsontext.Value(amount)
			i, _, err := o.Orders.Place(o.ctx, v)
			if err != nil {
				return nil, err
			}
			o.Work(o.ctx, t)
			done, _, err := o.Orders.Orders.Get(o.ctx, i)
			o.must(err)
			return &done, nil
		}
		for name, c := range map[string][2]string{
			"no such token": {"ptk_0000000000000000000000000a", "10"}, "no amount": {string(o.token), ""}, "another currency": {string(o.token), `{"unit":"EUR","value":10}`},
			"no number": {string(o.token), `"ten"`}, "a list": {string(o.token), `[10]`}, "too little": {string(o.token), `0`}, "half an amount": {string(o.token), `{"value":10}`},
		} {
			if _, err := ordered(c[0], c[1]); err == nil {
				t.Errorf("%s was ordered", name)
			}
		}
		for n, amount := range []string{`10`, `"10.00"`, `{"unit":"CHF","value":10}`} {
			v, err := ordered(string(o.token), amount)
			o.must(err)
			line := id.ID(v.Items[0].Product.ID)
			i, err := o.AutoTopups.OfLine(o.ctx, line)
			if err != nil || v.State != "completed" || i == "" {
				t.Fatalf("%s: %s %q %v", amount, v.State, i, err)
			}
			s := o.read(i)
			if s.Amount != chf("10") || s.Trigger != autotopup.LowBalance || *s.Threshold != chf("2.50") || s.TokenID != o.token || s.AccountID != o.account {
				t.Errorf("%+v", s)
			}
			o.paid(0) // the opening balance pays the first month, and 5.10 is not low
			orders := autotopup.Orders{Service: o.AutoTopups}
			o.must(orders.Begin(o.ctx, line, string(o.token), jsontext.Value("10")))
			for range 2 {
				o.must(orders.End(o.ctx, line))
			}
			if has, err := o.AutoTopups.OfLine(o.ctx, line); has != "" || err != nil {
				t.Errorf("%d: %s %v", n, has, err)
			}
		}
	})
}

func TestUsageHasATopupDueInItsOwnTransaction(t *testing.T) {
	o := newOperator(t, "sqlite")
	i := o.create(autotopup.Wish{Threshold: amount("5")})
	err := o.Store.Write(o.ctx, func(ctx context.Context) error {
		w, err := o.Balances.Wallet(ctx, o.line)
		if err != nil {
			return err
		}
		if err := w.Charge(balance.Cause{Kind: "test", ID: "1"}, w.Money(), 1_000_000, 0, true); err != nil {
			return err
		}
		if err := o.Balances.Save(ctx, w); err != nil {
			return err
		}
		if v, err := o.AutoTopups.Read(ctx, i); err != nil || v.Next == nil {
			t.Errorf("%+v %v", v, err)
		}
		return fault.Conflictf("undone", "it is undone")
	})
	if err == nil {
		t.Fatal("it was not undone")
	}
	o.next(i, "")
	o.until(begin.Add(time.Hour).Format("2006-01-02 15:04"))
	o.paid(0)
}
