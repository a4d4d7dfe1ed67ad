package autotopup_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/autotopup"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// gateway answers as it is told to, and takes what carries one key once.
type gateway struct {
	// says answers the next charges; it succeeds when there is nothing left.
	says []payment.Outcome
	// silent gateways are asked in vain.
	silent bool
	// lost has the answer to the next charge lost.
	lost  bool
	took  map[id.ID]money.Amount
	asked []money.Amount
}

var errSilent = errors.New("no answer")

func (g *gateway) Charge(_ context.Context, c payment.Instruction) (payment.Answer, error) {
	if g.silent {
		return payment.Answer{}, errSilent
	}
	g.asked = append(g.asked, c.Amount)
	out := payment.Succeeded
	if len(g.says) > 0 {
		out, g.says = g.says[0], g.says[1:]
	}
	if out == payment.Declined {
		return payment.Answer{Outcome: out, Code: "insufficient_funds", Reason: "the card has no money"}, nil
	}
	g.took[c.Key] = c.Amount
	if g.lost {
		g.lost = false
		return payment.Answer{}, errSilent
	}
	return payment.Answer{Outcome: out, Reference: "ref"}, nil
}

func (g *gateway) Find(_ context.Context, c payment.Instruction) (payment.Answer, error) {
	if g.silent {
		return payment.Answer{}, errSilent
	}
	if _, ok := g.took[c.Key]; ok {
		return payment.Answer{Outcome: payment.Succeeded, Reference: "ref"}, nil
	}
	return payment.Answer{Outcome: payment.Unknown}, nil
}

func (g *gateway) Refund(context.Context, payment.Reversal) (payment.Answer, error) {
	return payment.Answer{Outcome: payment.Succeeded}, nil
}

func (g *gateway) FindRefund(context.Context, payment.Reversal) (payment.Answer, error) {
	return payment.Answer{Outcome: payment.Unknown}, nil
}

// operator is a house on a clock of its own whose one line has a token that pays.
type operator struct {
	*ordertest.House
	t       *testing.T
	ctx     context.Context
	clock   *clock.Virtual
	gate    *gateway
	account id.ID
	line    id.ID
	token   id.ID
}

// begin is the 31st of a month, 09:30 in Zurich.
var begin = time.Date(2027, 1, 31, 8, 30, 0, 0, time.UTC)

func each(t *testing.T, run func(t *testing.T, o *operator)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			o := newOperator(t, engine)
			run(t, o)
			o.Balanced(o.ctx, t)
			o.sound()
		})
	}
}

func newOperator(t *testing.T, engine string) *operator { return newOperatorAt(t, engine, begin) }

func newOperatorAt(t *testing.T, engine string, now time.Time) *operator {
	t.Helper()
	o := &operator{t: t, ctx: storetest.Context(1), clock: clock.NewVirtual(now), gate: &gateway{took: map[id.ID]money.Amount{}}}
	s := storetest.Open(t, engine, func(opts *store.Options) { opts.Clock = o.clock })
	net := network.NewSimulator(network.SimulatorOptions{})
	o.House = &ordertest.House{Net: net, House: house.New(s, house.Outside{
		Network: net, Payments: o.gate, Secret: []byte("the secret of an installation"),
	})}
	o.Furnish(o.ctx, t, 5)
	o.policy(func(v *provider.ServiceProvider) { v.TimeZone = "Europe/Zurich" })
	o.account = o.Account(o.ctx, t)
	o.line = o.sell("plus")
	o.token = o.card("tok_one")
	return o
}

func (o *operator) policy(change func(v *provider.ServiceProvider)) {
	o.t.Helper()
	i, err := o.Providers.Find(o.ctx)
	if err == nil {
		_, err = o.Providers.Change(o.ctx, i, func(v *provider.ServiceProvider) error { change(v); return nil })
	}
	o.must(err)
}

func (o *operator) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// sell is a new active line on a plan.
func (o *operator) sell(plan string) id.ID {
	o.t.Helper()
	i, _, err := o.Orders.Place(o.ctx, o.Order(o.ctx, o.t, o.account, plan))
	o.must(err)
	o.Work(o.ctx, o.t)
	v, _, err := o.Orders.Orders.Get(o.ctx, i)
	o.must(err)
	if v.State != "completed" {
		o.t.Fatalf("the order is %s: %v", v.State, v.Errors)
	}
	return id.ID(v.Items[0].Product.ID)
}

func (o *operator) card(value string) id.ID {
	o.t.Helper()
	t, err := o.Payments.CreateToken(o.ctx, o.account, payment.Secret(value), payment.Card{Masked: "4242", Expiry: "2099/12"})
	o.must(err)
	return t.ID
}

func chf(text string) money.Amount {
	a, err := money.Parse(text, "CHF")
	if err != nil {
		panic(err)
	}
	return a
}

// until moves the clock as a sandbox's is: it stops wherever work is due, and does it.
func (o *operator) until(text string) {
	o.t.Helper()
	end := *at(text)
	for o.clock.Now().Before(end) {
		next := end
		jobs, _, err := o.Store.Jobs(o.ctx, "", job.Ready, 0, 0)
		o.must(err)
		for _, j := range jobs {
			if j.RunAt.Before(next) {
				next = j.RunAt
			}
		}
		if next.After(o.clock.Now()) {
			o.clock.Set(next)
		}
		o.Work(o.ctx, o.t)
	}
}

func (o *operator) create(w autotopup.Wish) id.ID {
	o.t.Helper()
	if w.Line == "" {
		w.Line = o.line
	}
	if w.Token == "" {
		w.Token = o.token
	}
	if w.Amount.IsZero() {
		w.Amount = chf("20")
	}
	i, _, err := o.AutoTopups.Create(o.ctx, w)
	o.must(err)
	o.Work(o.ctx, o.t)
	return i
}

func (o *operator) read(i id.ID) autotopup.Schedule {
	o.t.Helper()
	v, err := o.AutoTopups.Read(o.ctx, i)
	o.must(err)
	return v
}

// holds wants so much money on the line.
func (o *operator) holds(want string) {
	o.t.Helper()
	_, b, err := o.Balances.Money(o.ctx, o.line)
	o.must(err)
	n, err := balance.Count("CHF", b.Remaining)
	if err != nil || n != chf(want).Micros() {
		o.t.Errorf("%s: the balance is %s, want %s (%v)", o.clock.Now().Format(time.DateTime), b.Remaining.Amount, want, err)
	}
}

// take spends money of the line's.
func (o *operator) take(amount string) {
	o.t.Helper()
	o.must(o.Store.Write(o.ctx, func(ctx context.Context) error {
		w, err := o.Balances.Wallet(ctx, o.line)
		if err != nil {
			return err
		}
		if err := w.Charge(balance.Cause{Kind: "test", ID: "1", Text: "spent"}, w.Money(), chf(amount).Micros(), 0, true); err != nil {
			return err
		}
		return o.Balances.Save(ctx, w)
	}))
}

// paid wants so many charges in all, each of which was asked for.
func (o *operator) paid(want int) {
	o.t.Helper()
	if len(o.gate.took) != want {
		o.t.Errorf("%s: %d payments were taken, want %d", o.clock.Now().Format(time.DateTime), len(o.gate.took), want)
	}
}

// next wants the schedule's next application at a moment, in UTC; "" is none.
func (o *operator) next(i id.ID, want string) {
	o.t.Helper()
	v, got := o.read(i), ""
	if v.Next != nil {
		got = v.Next.UTC().Format("2006-01-02 15:04")
	}
	if got != want {
		o.t.Errorf("%s: the next application is %q, want %q: %+v", o.clock.Now().Format(time.DateTime), got, want, v)
	}
}

func at(text string) *time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return &t
}

func amount(text string) *money.Amount { a := chf(text); return &a }

func TestATopupByDateIsMadeOnItsDayAndOnce(t *testing.T) {
	each(t, func(_ *testing.T, o *operator) {
		i := o.create(autotopup.Wish{Next: at("2027-02-03 10:00")})
		o.until("2027-02-03 09:59")
		o.paid(0)
		o.holds("5.10")
		o.until("2027-02-03 10:00")
		o.paid(1)
		o.holds("25.10")
		v := o.read(i)
		if v.Status != autotopup.Completed || v.Next != nil || v.Applications != 1 || v.Last == nil || !v.Last.Date.Equal(o.clock.Now()) || v.Trigger != autotopup.ByDate {
			o.t.Errorf("%+v", v)
		}
		if p, _, err := o.Payments.Payments.Get(o.ctx, v.Last.Payment); err != nil || p.SubscriptionID != o.line || !p.Credit || p.Status != payment.Done {
			o.t.Errorf("%+v %v", p, err)
		}
		o.must(o.AutoTopups.Due(o.ctx, i))
		o.until("2027-02-10 00:00")
		o.paid(1)
		if again := o.create(autotopup.Wish{Next: at("2027-02-11 10:00")}); again == i {
			o.t.Error("one that is over is given again")
		}
	})
}

func TestRecurringTopupsKeepTheirDayAndTimeOfDay(t *testing.T) {
	for name, c := range map[string]struct {
		wish autotopup.Wish
		want []string
	}{
		// 09:30 in Zurich, which changes its clocks on 28 March.
		"at the end of the month": {autotopup.Wish{Period: "monthly", Next: at("2027-01-31 09:30")}, []string{"2027-01-31 09:30", "2027-02-28 09:30", "2027-03-31 08:30", "2027-04-30 08:30", "2027-05-31 08:30"}},
		"a month from now":        {autotopup.Wish{Trigger: autotopup.Recurring}, []string{"2027-02-28 08:30", "2027-03-31 07:30"}},
		"every week":              {autotopup.Wish{Period: "weekly", Next: at("2027-03-21 08:30")}, []string{"2027-03-21 08:30", "2027-03-28 07:30", "2027-04-04 07:30"}},
		"every fortnight":         {autotopup.Wish{Period: "fortnightly"}, []string{"2027-02-14 08:30", "2027-02-28 08:30", "2027-03-14 08:30", "2027-03-28 07:30"}},
		// 02:30 is skipped on 28 March, and there twice on 31 October.
		"in an hour that is skipped": {autotopup.Wish{Period: "monthly", Next: at("2027-02-28 01:30")}, []string{"2027-02-28 01:30", "2027-03-28 01:30", "2027-04-28 00:30"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t, "sqlite")
			i := o.create(c.wish)
			for n, moment := range c.want {
				o.next(i, moment)
				o.until(moment)
				o.paid(n + 1)
				if v := o.read(i); v.Last == nil || v.Last.Date.UTC().Format("2006-01-02 15:04") != moment {
					t.Fatalf("%d: applied at %+v, want %s", n, v.Last, moment)
				}
			}
		})
	}
}

func TestOnLeapDay(t *testing.T) {
	o := newOperatorAt(t, "sqlite", *at("2028-01-30 23:30")) // the 31st in Zurich
	i := o.create(autotopup.Wish{Period: "monthly"})
	o.next(i, "2028-02-28 23:30") // the 29th there
	o.until("2028-02-28 23:30")
	o.paid(1)
	o.next(i, "2028-03-30 22:30") // the 31st, in summer
}

func TestPeriodsThatWentByWhileNobodyWorkedArePaidOnce(t *testing.T) {
	each(t, func(_ *testing.T, o *operator) {
		i := o.create(autotopup.Wish{Period: "weekly"})
		o.clock.Set(*at("2027-03-01 00:00"))
		o.Work(o.ctx, o.t)
		o.paid(1)
		o.next(i, "2027-03-07 08:30")
	})
}

func TestALowBalanceIsToppedUpOnceAtATime(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		i := o.create(autotopup.Wish{Threshold: amount("3"), Amount: chf("10")})
		o.next(i, "")
		o.take("2.10")
		o.Work(o.ctx, t)
		o.paid(0) // 3.00 is not below
		o.gate.silent = true
		o.take("0.01")
		o.next(i, o.clock.Now().UTC().Format("2006-01-02 15:04")) // in the transaction that took it
		o.Work(o.ctx, t)
		v := o.read(i)
		if v.Payment == "" || v.Next != nil {
			t.Errorf("no payment is under way: %+v", v)
		}
		o.take("1")
		o.take("1")
		o.Work(o.ctx, t)
		if now := o.read(i); now.Payment != v.Payment || now.Next != nil {
			t.Errorf("a second payment: %+v", now)
		}
		o.gate.silent = false
		o.until("2027-01-31 08:50")
		o.paid(1)
		o.holds("10.99")
		if v = o.read(i); v.Payment != "" || v.Next != nil || v.Applications != 1 {
			t.Errorf("%+v", v)
		}
		o.take("8")
		o.Work(o.ctx, t)
		o.paid(2)
		o.holds("12.99")
	})
}

func TestABalanceThatIsLowStillIsToppedUpAgainUpToItsLimits(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		i := o.create(autotopup.Wish{Threshold: amount("100"), Amount: chf("10"), MonthlyLimit: 4})
		o.paid(3) // three a day, by default
		o.holds("35.10")
		o.next(i, "2027-01-31 23:00")
		o.take("30")
		o.Work(o.ctx, t)
		o.paid(3)
		o.until("2027-01-31 23:00") // February in Zurich
		o.paid(6)
		o.until("2027-02-01 23:00")
		o.paid(7)
		o.next(i, "2027-02-28 23:00")
		_, _, _, err := o.Balances.TopUp(o.ctx, balance.TopupOrder{Subscription: o.line, Amount: chf("100"), Reference: "by hand"})
		o.must(err)
		o.until("2027-03-02 12:00")
		o.paid(7) // nobody needs it any more
		o.next(i, "")
	})
}

func TestARenewalThatCannotBePaidIsTopUpped(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		i := o.create(autotopup.Wish{Threshold: amount("1"), Amount: chf("10")})
		o.until("2027-02-28 09:30")
		// 5.10 is not low, and does not pay 19.90: two top-ups do.
		o.paid(2)
		o.holds("5.20")
		if v, _, err := o.Subscriptions.Lines.Get(o.ctx, o.line); err != nil || v.State != subscription.Active {
			t.Errorf("%s %v", v.State, err)
		}
		o.next(i, "")
	})
}

func TestARefusedPaymentClimbsTheLadder(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		declined := slices.Repeat([]payment.Outcome{payment.Declined}, 4)
		o.gate.says = slices.Clone(declined)
		i := o.create(autotopup.Wish{Period: "monthly", Next: at("2027-02-10 10:00")})
		for n, step := range []struct{ until, next string }{
			{"2027-02-10 10:00", "2027-02-11 10:00"}, {"2027-02-11 10:00", "2027-02-13 10:00"}, {"2027-02-13 10:00", "2027-02-17 10:00"}, {"2027-02-17 10:00", ""},
		} {
			o.until(step.until)
			o.next(i, step.next)
			if v := o.read(i); v.Refusal == nil || v.Refusal.Times != n+1 || v.Refusal.Reason != "the card has no money" || (v.Status == autotopup.Suspended) != (n == 3) {
				t.Errorf("%d: %+v %+v", n, v, v.Refusal)
			}
		}
		v := o.read(i)
		if v.Status != autotopup.Suspended || v.Reason != autotopup.BecauseRefused || len(o.gate.asked) != 4 {
			t.Errorf("%+v; asked %d times", v, len(o.gate.asked))
		}
		o.until("2027-03-20 10:00")
		o.paid(0)
		o.holds("5.10")
		active := autotopup.Active
		_, err := o.AutoTopups.Change(o.ctx, i, autotopup.Change{Status: &active})
		o.must(err)
		o.next(i, "2027-04-10 09:00")
		o.gate.says = declined[:1]
		o.until("2027-04-11 09:00")
		o.paid(1)
		o.next(i, "2027-05-10 09:00")
		if v := o.read(i); v.Refusal != nil || v.Applications != 1 {
			t.Errorf("%+v", v)
		}
	})
}

func TestALadderOfTheServiceProvidersOwn(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		o.policy(func(v *provider.ServiceProvider) {
			v.Policy = &provider.Policy{AutoTopup: &provider.AutoTopupPolicy{RetryDays: []int{}, Default: "weekly"}}
		})
		o.gate.says = []payment.Outcome{payment.Declined}
		i := o.create(autotopup.Wish{})
		if v := o.read(i); v.Trigger != autotopup.Recurring || v.Period != "weekly" {
			t.Errorf("%+v", v)
		}
		o.until("2027-02-07 08:30")
		if v := o.read(i); v.Status != autotopup.Suspended {
			t.Errorf("%+v", v)
		}
	})
}

func TestAnotherTokenIsTriedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		o.gate.says = []payment.Outcome{payment.Declined}
		i := o.create(autotopup.Wish{Threshold: amount("50")})
		o.next(i, "2027-02-01 08:30")
		other := o.card("tok_two")
		_, err := o.AutoTopups.Change(o.ctx, i, autotopup.Change{Token: &other})
		o.must(err)
		o.Work(o.ctx, t)
		o.paid(3) // 45.10 is below 50 still
		if v := o.read(i); v.TokenID != other || v.Refusal != nil {
			t.Errorf("%+v", v)
		}
	})
}

func TestAnAnswerThatComesLateIsWaitedFor(t *testing.T) {
	each(t, func(t *testing.T, o *operator) {
		i := o.create(autotopup.Wish{Period: "weekly", Next: at("2027-02-01 10:00")})
		o.gate.lost = true
		o.until("2027-02-01 10:00")
		if v := o.read(i); v.Payment == "" || v.Next != nil {
			t.Errorf("%+v", v)
		}
		o.paid(1)
		o.holds("5.10")
		o.clock.Set(*at("2027-02-09 10:00")) // the second is due meanwhile
		o.must(o.AutoTopups.Due(o.ctx, i))
		o.Work(o.ctx, t)
		o.paid(1)
		o.holds("25.10")
		o.next(i, "2027-02-15 10:00")
	})
}

// sound wants no dead job, and every payment that was taken credited once.
func (o *operator) sound() {
	o.t.Helper()
	jobs, _, err := o.Store.Jobs(o.ctx, "", job.Dead, 0, 0)
	o.must(err)
	for _, j := range jobs {
		o.t.Error(j.Kind, j.Key, j.LastError)
	}
	page, err := o.Balances.Topups.Docs(o.ctx, store.Query{})
	o.must(err)
	credited := map[string]int{}
	for _, d := range page.Items {
		var t balance.Topup
		o.must(json.Unmarshal(d.Body, &t))
		credited[t.Reference]++
	}
	for key := range o.gate.took {
		if credited[string(key)] != 1 {
			o.t.Errorf("%s was credited %d times", key, credited[string(key)])
		}
	}
}
