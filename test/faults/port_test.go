//go:build faults

package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/connect/npg"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// What befalls one call of the gateway, or one job. What a kill can leave behind is a call that never arrived, one whose
// answer nobody took in, or a job that was done and not told so: a change is in its transaction or not at all.
const (
	steady   = "nothing"
	fails    = "a call fails"
	loses    = "an answer is lost"
	forgets  = "the gateway forgets"
	down     = "the gateway is down for hours"
	repeated = "a job is done twice"
)

// A number is ported in on its hours-long way through a gateway that fails, with each of its calls and jobs hit in turn:
// it is asked for under one request, and ends as it would have: there once, with its line, or nowhere, with nothing left.
func TestPortsEndWhateverFails(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			c := clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
			s := storetest.Open(t, engine, func(o *store.Options) { o.Clock = c })
			p := &porter{T: t, h: ordertest.New(s), c: c, ctx: storetest.Context(1)}
			p.h.Furnish(p.ctx, t, 300)
			p.account = p.h.Account(p.ctx, t)
			for _, j := range []journey{
				{"completed", "41761%03d%03d", 200, 0, order.Completed, order.PortCompleted},
				{"refused", "41761%03d903", 0, 0, order.Failed, order.PortRejected},
				{"cancelled in time", "41761%03d%03d", 400, 10 * time.Minute, order.Cancelled, order.PortCancelSuccess},
				{"cancelled too late", "41761%03d%03d", 600, 90 * time.Minute, order.Cancelled, order.PortCancelSuccess},
			} {
				p.play(j, steady, 0)
				calls, jobs := p.calls, p.jobs
				if calls < 2 || jobs < 3 {
					t.Fatalf("%s: %d calls of the gateway and %d jobs", j.name, calls, jobs)
				}
				for n := 1; n <= calls; n++ {
					for _, what := range []string{fails, loses, forgets, down} {
						p.play(j, what, n)
					}
				}
				for n := 1; n <= jobs; n++ {
					p.play(j, repeated, n)
				}
			}
			p.h.Balanced(p.ctx, t)
			t.Logf("%d ports", p.played)
		})
	}
}

// journey is how a port goes when nothing fails.
type journey struct {
	name, number string
	// from makes the numbers of journeys differ.
	from int
	// cancel is after how long the order is cancelled; 0: never.
	cancel time.Duration
	ends   order.State
	port   order.PortState
}

// porter plays journeys, and is the gateway that they go through.
type porter struct {
	*testing.T
	h       *ordertest.House
	c       *clock.Virtual
	ctx     context.Context
	account id.ID
	gateway *npg.Simulator
	what    string
	at      int
	// calls and jobs are those of the journey so far, requests what the gateway was asked to port.
	calls, jobs int
	requests    map[string]bool
	downUntil   time.Time
	played      int
}

var errNoAnswer = errors.New("the connection broke off")

// hit makes a call, or has befall it what is to.
func (p *porter) hit(call func() (order.PortAnswer, error)) (order.PortAnswer, error) {
	p.calls++
	if p.calls == p.at {
		switch p.what {
		case fails:
			return order.PortAnswer{}, errNoAnswer
		case loses:
			_, _ = call()
			return order.PortAnswer{}, errNoAnswer
		case forgets:
			p.gateway = npg.NewSimulator(npg.Options{Now: p.h.Store.Now})
		case down:
			p.downUntil = p.c.Now().Add(3 * time.Hour)
		}
	}
	if p.c.Now().Before(p.downUntil) {
		return order.PortAnswer{}, errNoAnswer
	}
	return call()
}

// Submit implements order.PortGateway.
func (p *porter) Submit(ctx context.Context, v order.Port) (order.PortAnswer, error) {
	p.requests[v.Request] = true
	return p.hit(func() (order.PortAnswer, error) { return p.gateway.Submit(ctx, v) })
}

// Status implements order.PortGateway.
func (p *porter) Status(ctx context.Context, request string) (order.PortAnswer, error) {
	return p.hit(func() (order.PortAnswer, error) { return p.gateway.Status(ctx, request) })
}

// Cancel implements order.PortGateway.
func (p *porter) Cancel(ctx context.Context, request string) (order.PortAnswer, error) {
	return p.hit(func() (order.PortAnswer, error) { return p.gateway.Cancel(ctx, request) })
}

// play has one journey hit at its n-th call or job, and looks at what it leaves.
func (p *porter) play(j journey, what string, n int) {
	p.Helper()
	p.what, p.at, p.calls, p.jobs, p.requests, p.downUntil = what, n, 0, 0, map[string]bool{}, time.Time{}
	p.gateway = npg.NewSimulator(npg.Options{Now: p.h.Store.Now})
	p.h.Orders.Ports = p
	p.played++
	number := fmt.Sprintf(j.number, p.played%1000)
	if j.from > 0 {
		number = fmt.Sprintf(j.number, j.from+p.played/200, 100+p.played%200)
	}
	at := fmt.Sprintf("%s, %s (%d), number %s", j.name, what, n, number)
	word := func(name, value string) sid.Characteristic {
		return sid.Characteristic{Name: name, Value: jsontext.Value(`"` + value + `"`)}
	}
	i, _, err := p.h.Orders.Place(p.ctx, p.h.Order(p.ctx, p.T, p.account, "start", word(order.CharMSISDN, number), word(order.CharDonor, "SALT")))
	if err != nil {
		p.Fatalf("%s: %v", at, err)
	}
	begun, cancelled := p.c.Now(), j.cancel == 0
	v := p.order(i)
	for ; !v.State.Final(); v = p.order(i) {
		p.work()
		if p.c.Now().Sub(begun) > 48*time.Hour {
			p.Fatalf("%s: stuck, the order is %s: %+v %+v", at, v.State, v.Items[0].Milestones, v.Items[0].Port)
		}
		p.c.Advance(5 * time.Minute)
		if !cancelled && p.c.Now().Sub(begun) >= j.cancel {
			if _, _, err := p.h.Orders.Cancel(p.ctx, i, ""); err != nil {
				p.Fatalf("%s: %v", at, err)
			}
			cancelled = true
		}
	}
	p.work()
	p.left(at, j, v, number)
}

func (p *porter) order(i id.ID) order.Order {
	p.Helper()
	v, _, err := p.h.Orders.Orders.Get(p.ctx, i)
	if err != nil {
		p.Fatal(err)
	}
	return v
}

// left holds that a journey left what it should.
func (p *porter) left(at string, j journey, v order.Order, number string) {
	p.Helper()
	it := v.Items[0]
	if v.State != j.ends || it.Port == nil || it.Port.State != j.port && v.State == order.Completed || len(p.requests) > 1 {
		p.Errorf("%s: the order is %s, its port %+v, under %d requests: %+v", at, v.State, it.Port, len(p.requests), v.Errors)
		return
	}
	i, err := p.h.Inventory.PickNumber(p.ctx, msisdn.Number(number))
	if v.State != order.Completed {
		if fault.KindOf(err) != fault.NotFound {
			p.Errorf("%s: the number is in the pool: %v", at, err)
		}
		if line := id.ID(it.Product.ID); line != "" && p.h.Net.Line(line).Connected {
			p.Errorf("%s: a line is connected", at)
		}
		return
	}
	line := id.ID(it.Product.ID)
	r, _, err := p.h.Inventory.Numbers.Get(p.ctx, i)
	l, _, lineErr := p.h.Subscriptions.Lines.Get(p.ctx, line)
	if err != nil || lineErr != nil || r.Status != inventory.Assigned || r.Holder != line || l.State != subscription.Active || l.NumberOwnership != "portedIn" {
		p.Errorf("%s: the number is %s, the line %s: %v %v", at, r.Status, l.State, err, lineErr)
	}
	if n := p.h.Net.Line(line); !n.Connected || n.Activations != 1 {
		p.Errorf("%s: the network has %+v", at, n)
	}
	if _, b, err := p.h.Balances.Money(p.ctx, line); err != nil || string(b.Remaining.Amount) != "5.00" {
		p.Errorf("%s: %s is on its balance: %v", at, b.Remaining.Amount, err)
	}
}

// work runs what is due; what fails is tried again in a minute.
func (p *porter) work() {
	p.Helper()
	handlers := p.h.Jobs()
	maps.Copy(handlers, p.h.WaitingJobs())
	for {
		due, err := p.h.Store.ClaimJobs(p.ctx, 16, time.Hour)
		if err != nil {
			p.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		for _, j := range due {
			p.jobs++
			err := handlers[j.Kind](p.ctx, j)
			if p.what == repeated && p.jobs == p.at {
				err = handlers[j.Kind](p.ctx, j)
			}
			if err == nil {
				err = p.h.Store.FinishJob(p.ctx, j)
			} else {
				err = p.h.Store.FailJob(p.ctx, j, p.c.Now().Add(time.Minute), err.Error())
			}
			if err != nil {
				p.Fatal(err)
			}
		}
	}
}
