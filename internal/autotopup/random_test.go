package autotopup_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/autotopup"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/store"
)

// TestWhateverHappensALineIsToppedUpOnceAtATime plays customers who spend, top up by hand and change their minds, and
// gateways that fail in every way.
func TestWhateverHappensALineIsToppedUpOnceAtATime(t *testing.T) {
	taken := 0
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			o := newOperator(t, "sqlite")
			r := rand.New(rand.NewPCG(seed, 1))
			o.create(autotopup.Wish{Threshold: amount("4"), Amount: chf("10"), DailyLimit: 2})
			for n := range 60 {
				o.happens(r, n)
				o.Work(o.ctx, t)
				o.onceAtATime()
			}
			o.gate.silent, o.gate.lost = false, false
			o.until(o.clock.Now().Add(2 * time.Hour).Format("2006-01-02 15:04"))
			o.sound()
			o.Balanced(o.ctx, t)
			taken += len(o.gate.took)
		})
	}
	if taken < 15 {
		t.Errorf("%d payments were taken in all", taken)
	}
}

func (o *operator) happens(r *rand.Rand, n int) {
	o.t.Helper()
	i, err := o.AutoTopups.OfLine(o.ctx, o.line)
	o.must(err)
	_, money, err := o.Balances.Money(o.ctx, o.line)
	o.must(err)
	held, err := balance.Count("CHF", money.Remaining)
	o.must(err)
	switch d := r.IntN(20); {
	case d < 7 && held > 0:
		o.take(fmt.Sprintf("%.2f", float64(r.Int64N(held/10_000))/100+0.01))
	case d < 9:
		o.gate.silent = !o.gate.silent
	case d < 11:
		o.gate.lost = true
	case d < 12:
		o.gate.says = append(o.gate.says, payment.Declined)
	case d == 12:
		_, _, _, err := o.Balances.TopUp(o.ctx, balance.TopupOrder{Subscription: o.line, Amount: chf("7"), Reference: fmt.Sprint("hand ", n)})
		o.must(err)
	case d == 13 && i != "":
		to := autotopup.Suspended
		if o.read(i).Status == to {
			to = autotopup.Active
		}
		_, err := o.AutoTopups.Change(o.ctx, i, autotopup.Change{Status: &to})
		o.must(err)
	case d == 14 && i != "":
		o.must(o.AutoTopups.Delete(o.ctx, i))
	case i == "":
		w := autotopup.Wish{Threshold: amount("4"), Amount: chf("10"), DailyLimit: 2}
		if r.IntN(2) == 0 {
			w = autotopup.Wish{Period: "weekly", Amount: chf("10")}
		}
		o.create(w)
	default:
		unit := time.Hour
		if o.gate.silent { // it is asked every few minutes
			unit = 2 * time.Minute
		}
		o.until(o.clock.Now().Add(time.Duration(1+r.IntN(40)) * unit).Format("2006-01-02 15:04"))
	}
}

// onceAtATime wants one payment of each schedule under way at most, and no more in a day than it may have.
func (o *operator) onceAtATime() {
	o.t.Helper()
	page, err := o.Payments.Payments.Docs(o.ctx, store.Query{})
	o.must(err)
	pending, days := map[string]int{}, map[string]int{}
	for _, d := range page.Items {
		var p payment.Payment
		o.must(json.Unmarshal(d.Body, &p))
		of := p.Origin.ID
		if p.Status == payment.Pending {
			if pending[of]++; pending[of] > 1 {
				o.t.Fatalf("%d payments of %s are under way", pending[of], of)
			}
		}
		if p.Status != payment.Done {
			continue
		}
		day := of + " " + p.PaymentDate.In(zurich).Format(time.DateOnly)
		if days[day]++; days[day] > 2 {
			o.t.Fatalf("%d top-ups: %s", days[day], day)
		}
	}
	i, err := o.AutoTopups.OfLine(o.ctx, o.line)
	o.must(err)
	if i == "" {
		return
	}
	v := o.read(i)
	if v.Status == autotopup.Active && v.Payment != "" && pending[string(i)] != 1 {
		o.t.Fatalf("the schedule waits for %s, which is over", v.Payment)
	}
	if v.Status == autotopup.Active && v.Payment == "" && pending[string(i)] != 0 {
		o.t.Fatal("a payment is under way that the schedule does not know")
	}
	if v.Status == autotopup.Active && v.Trigger == autotopup.Recurring && v.Payment == "" && v.Next == nil {
		o.t.Fatalf("%s is never applied again", i)
	}
}

var zurich = func() *time.Location {
	l, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		panic(err)
	}
	return l
}()
