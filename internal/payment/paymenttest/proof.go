package paymenttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Options say what is proved.
type Options struct {
	Engine string
	Seed   uint64
	// Charges is how many customers' charges are made, Side how many do so side by side.
	Charges, Side int
}

// errFault is what undoes a transaction that the proof has fail.
var errFault = errors.New("the database is lost here")

// run is one proof under way.
type run struct {
	Options
	t       *testing.T
	ctx     context.Context
	clock   *clock.Virtual
	house   *ordertest.House
	gateway *Gateway
	made    map[string]charge
	quiet   atomic.Bool

	mu     sync.Mutex
	chance *rand.Rand
	count  map[string]int
}

// charge is one that a customer asked for.
type charge struct {
	order payment.Order
	id    id.ID
}

// Prove makes charges, and refunds of some, through a gateway that loses, delays, repeats and declines, kills whoever asks it, and
// has transactions fail. When all is quiet again nothing is open; each customer was charged once or not at all, and got what was paid
// for; and ledger, gateway and balances agree to the micro.
func Prove(t *testing.T, o Options) {
	t.Helper()
	r := &run{
		Options: o, t: t, ctx: storetest.Context(1), clock: clock.NewVirtual(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)),
		chance: rand.New(rand.NewPCG(o.Seed, 7)), made: map[string]charge{}, count: map[string]int{}, //nolint:gosec // the same again is what a seed is for
	}
	s := storetest.Open(t, o.Engine, func(o *store.Options) { o.Clock = r.clock })
	r.house = &ordertest.House{House: house.New(s, house.Outside{Secret: []byte("the secret of an installation")})}
	r.gateway = &Gateway{Clock: r.clock, Choose: r.choose, Delay: r.delay, Kill: r.kill}
	r.house.Payments.Parts.Gateway = r.gateway
	s.React(r.spoil, event.TypeOf(payment.Kind.Name, event.State), event.TypeOf(payment.RefundKind.Name, event.State))
	if _, _, err := r.house.Providers.Add(r.ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"}); err != nil {
		t.Fatal(err)
	}
	r.charges(r.customers())
	r.settle()
	r.refunds()
	r.settle()
	r.check()
	t.Logf("%s: %d charges, %v", o.Engine, o.Charges, r.count)
}

func (r *run) draw(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.chance.IntN(n)
}

// choose has three calls of ten fail; when it is to be quiet, none.
func (r *run) choose(id.ID, int) Fault {
	f := None
	if n := r.draw(100); !r.quiet.Load() && n < 42 {
		f = []Fault{Refused, Lost, Delayed, Accepted, Killed, KilledBefore, Declined}[n/6]
	}
	r.mu.Lock()
	r.count["call:"+string(f)]++
	r.mu.Unlock()
	return f
}

// delay is a few seconds or minutes: a call arrives within ten minutes, or never.
func (r *run) delay() time.Duration { return time.Duration(1+r.draw(500)) * time.Second }

type killKey struct{}

// killable is a context whose holder the gateway may kill.
func (r *run) killable() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.ctx)
	return context.WithValue(ctx, killKey{}, cancel), cancel
}

func (r *run) kill(ctx context.Context) {
	if cancel, ok := ctx.Value(killKey{}).(context.CancelFunc); ok {
		cancel()
	}
}

// spoil has the transaction that records an outcome fail now and then.
func (r *run) spoil(context.Context, event.Event) error {
	if !r.quiet.Load() && r.draw(12) == 0 {
		return errFault
	}
	return nil
}

// customer is who pays.
type customer struct {
	account, line, token id.ID
}

// customers are a tenth as many as there are charges: some pay several times, side by side.
func (r *run) customers() []customer {
	out := make([]customer, max(1, r.Charges/10))
	for n := range out {
		c := &out[n]
		c.account = r.house.Account(r.ctx, r.t)
		v := subscription.Line{AccountID: c.account, State: subscription.Active, MSISDN: msisdn.Number(fmt.Sprintf("4178%07d", n)), ICCID: fmt.Sprintf("8942%015d", n)}
		var err error
		if c.line, _, err = r.house.Subscriptions.Lines.Add(r.ctx, &v); err != nil {
			r.t.Fatal(err)
		}
		holder := balance.Holder{Subscription: c.line, Account: c.account}
		if _, err := r.house.Balances.Open(r.ctx, holder, balance.Grant{Name: "Money", UsageType: "monetary", Unit: "CHF"}, balance.Cause{Kind: "test", ID: "1"}); err != nil {
			r.t.Fatal(err)
		}
		value := payment.Secret("tok_success")
		if n%20 == 19 {
			value = "tok_decline"
		}
		token, err := r.house.Payments.CreateToken(r.ctx, c.account, value, payment.Card{Masked: "1111", Expiry: "2200/01"})
		if err != nil {
			r.t.Fatal(err)
		}
		c.token = token.ID
	}
	return out
}

// charges makes all charges, some asked for twice, by clients that wait for the answer and ones that do not, while jobs run
// and the gateway speaks.
func (r *run) charges(all []customer) {
	orders := make([]payment.Order, r.Charges)
	for n := range orders {
		c := all[n%len(all)]
		o := payment.Order{
			Key: fmt.Sprintf("charge-%d", n), Account: c.account, Token: c.token, Subscription: c.line, Amount: money.OfMicros(int64(1+r.draw(5000))*10_000, "CHF"),
			Credit: r.draw(4) > 0, Wait: r.draw(2) == 0, Reason: "a charge",
		}
		if r.draw(3) == 0 {
			o.Tax = money.OfMicros(int64(r.draw(300))*10_000, "CHF")
		}
		orders[n] = o
	}
	var wait sync.WaitGroup
	for side := range r.Side {
		wait.Go(func() {
			for n := side; n < len(orders); n += r.Side {
				r.ask(orders[n])
				if n%50 == 0 {
					r.step(2 * time.Second)
				}
			}
		})
	}
	wait.Wait()
}

// ask makes one charge, again where it is not answered.
func (r *run) ask(o payment.Order) {
	var first id.ID
	for range 1 + r.draw(2) {
		ctx, cancel := r.killable()
		i, _, err := r.house.Payments.Charge(ctx, o)
		if err != nil {
			r.t.Errorf("%s: %v", o.Key, err)
			cancel()
			return
		}
		if first == "" {
			first = i
		}
		if i != first {
			r.t.Errorf("%s is %s and %s", o.Key, first, i)
		}
		if o.Wait && r.draw(10) > 0 { // one of ten is killed before it asks
			_, _ = r.house.Payments.Settle(ctx, i) // killed, undone or unanswered: that is what the jobs are for
		}
		cancel()
	}
	r.mu.Lock()
	r.made[o.Key] = charge{o, first}
	r.mu.Unlock()
}

// step lets time pass, runs jobs that are due, and lets the gateway speak.
func (r *run) step(d time.Duration) {
	r.clock.Advance(d)
	for _, t := range r.gateway.Says(rand.New(rand.NewPCG(uint64(r.draw(1<<30)), 3))) { //nolint:gosec // the same again is what a seed is for
		if r.draw(2) == 0 {
			continue // it gets lost
		}
		tell := r.house.Payments.Tell
		if t.Refund {
			tell = r.house.Payments.TellRefund
		}
		_ = tell(r.ctx, t.Key, t.Answer) // undone: who waits for it asks
	}
	r.work()
}

// work runs the jobs that are due, each in a context that the gateway may end; of some the worker dies before it says that they
// are done.
func (r *run) work() {
	handlers := r.house.WaitingJobs()
	maps.Copy(handlers, r.house.Jobs())
	for {
		jobs, err := r.house.Store.ClaimJobs(r.ctx, 64, time.Minute)
		if err != nil {
			r.t.Error(err)
			return
		}
		if len(jobs) == 0 {
			return
		}
		for _, j := range jobs {
			r.one(handlers[j.Kind], j)
		}
	}
}

func (r *run) one(handle job.Handler, j job.Job) {
	ctx, cancel := r.killable()
	defer cancel()
	err := handle(ctx, j)
	if !r.quiet.Load() && r.draw(20) == 0 {
		return // the lease ends, and another takes it over
	}
	if err == nil {
		err = r.house.Store.FinishJob(r.ctx, j)
	} else {
		err = r.house.Store.FailJob(r.ctx, j, r.clock.Now().Add(job.Backoff(j.Attempts)), err.Error())
	}
	if err != nil {
		r.t.Error(err)
	}
}

// settle lets a while of faults pass, and then hours without.
func (r *run) settle() {
	for range 20 {
		r.step(20 * time.Second)
	}
	r.quiet.Store(true)
	for n := 0; n < 60 && r.open() > 0; n++ {
		r.step(3 * time.Minute)
	}
	if n := r.open(); n > 0 {
		r.t.Errorf("%d are not settled", n)
	}
	r.quiet.Store(false)
}

// open counts what has not ended.
func (r *run) open() (n int64) {
	q := store.Query{Limit: 1, Filters: []store.Filter{{Path: []string{"status"}, Op: store.Eq, Values: []string{string(payment.Pending)}, Type: store.Text}}}
	for _, docs := range []func(context.Context, store.Query) (store.Page, error){r.house.Payments.Payments.Docs, r.house.Payments.Refunds.Docs} {
		page, err := docs(r.ctx, q)
		if err != nil {
			r.t.Fatal(err)
		}
		n += page.Total
	}
	return n
}

// refunds gives a tenth of the charges back, in parts, more than once and more than there is.
func (r *run) refunds() {
	for key, c := range r.made {
		if r.draw(10) > 0 {
			continue
		}
		p, _, err := r.house.Payments.Payments.Get(r.ctx, c.id)
		if err != nil {
			r.t.Fatal(err)
		}
		for n := range 3 {
			part := money.OfMicros(p.Total.Micros()/2, "CHF").Round()
			o := payment.RefundOrder{Key: fmt.Sprintf("%s-%d", key, n), Payment: c.id, Amount: part}
			i, _, err := r.house.Payments.Refund(r.ctx, o)
			if err != nil {
				r.count["refused refunds"]++
				continue
			}
			ctx, cancel := r.killable()
			_, _ = r.house.Payments.SettleRefund(ctx, i)
			cancel()
		}
	}
}

// check compares what customers paid, what the gateway took, what the ledger says and what balances hold.
func (r *run) check() {
	lines := map[id.ID]int64{}
	for key, c := range r.made {
		p, _, err := r.house.Payments.Payments.Get(r.ctx, c.id)
		if err != nil {
			r.t.Fatal(err)
		}
		r.count[string(p.Status)]++
		got := r.gateway.Taken(c.id)
		switch {
		case !p.Status.Final():
			r.t.Errorf("%s is %s", key, p.Status)
		case (p.Booked != "") != (got == p.Total.Micros()) || got != 0 && got != p.Total.Micros():
			r.t.Errorf("%s is %s, booked to %q, and the gateway took %d of %d", key, p.Status, p.Booked, got, p.Total.Micros())
		}
		if p.Topup != "" {
			lines[p.SubscriptionID] += p.Amount.Micros()
		}
	}
	r.checkRefunds(lines)
	for line, want := range lines {
		_, b, err := r.house.Balances.Money(r.ctx, line)
		if err != nil {
			r.t.Fatal(err)
		}
		if got, err := balance.Count("CHF", b.Remaining); err != nil || got != want {
			r.t.Errorf("%s holds %d, and %d were credited: %v", line, got, want, err)
		}
	}
	var ledger int64
	seen := map[id.Home]bool{}
	for _, c := range r.made {
		home, _ := c.id.Home()
		if seen[home] {
			continue
		}
		seen[home] = true
		n, err := r.house.Store.Balance(r.ctx, home, payment.GatewayAccount, "CHF")
		if err != nil {
			r.t.Fatal(err)
		}
		ledger -= n
		if n, err = r.house.Store.Balance(r.ctx, home, payment.Unapplied, "CHF"); err != nil || n != 0 {
			r.t.Errorf("%d are neither used nor given back: %v", n, err)
		}
	}
	if all := r.gateway.All(); all != ledger {
		r.t.Errorf("the gateway has %d, the ledger says %d", all, ledger)
	}
	r.house.Balanced(r.ctx, r.t)
}

// checkRefunds holds that the gateway gave back what is recorded, and takes it off what lines were credited.
func (r *run) checkRefunds(lines map[id.ID]int64) {
	for offset := 0; ; offset += 500 {
		page, err := r.house.Payments.Refunds.Docs(r.ctx, store.Query{Offset: offset, Limit: 500, NoTotal: true})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, d := range page.Items {
			v, _, err := r.house.Payments.Refunds.Get(r.ctx, d.ID)
			if err != nil {
				r.t.Fatal(err)
			}
			r.count["refund "+string(v.Status)]++
			if got := -r.gateway.Taken(d.ID); (v.Status == payment.Done) != (got == v.Total.Micros()) || v.Status != payment.Done && got != 0 {
				r.t.Errorf("the refund %s is %s, and the gateway gave %d of %d", d.ID, v.Status, got, v.Total.Micros())
			}
			if v.Status != payment.Done || v.Taken == "" {
				continue
			}
			p, _, err := r.house.Payments.Payments.Get(r.ctx, id.ID(v.Payment.ID))
			if err != nil {
				r.t.Fatal(err)
			}
			lines[p.SubscriptionID] -= v.Amount.Micros()
		}
		if len(page.Items) < 500 {
			return
		}
	}
}
