// Package paymenttest is a payment gateway that fails in every way, and the proof that customers get what they pay for all the
// same.
package paymenttest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/payment"
)

// Fault is what becomes of one call to a Gateway.
type Fault string

// The faults.
const (
	// None is answered at once.
	None Fault = ""
	// Refused does not arrive: nobody listens.
	Refused Fault = "refused"
	// Lost arrives and is carried out, and its answer is lost.
	Lost Fault = "lost"
	// Delayed arrives after the caller has given up.
	Delayed Fault = "delayed"
	// Accepted is carried out later.
	Accepted Fault = "accepted"
	// Killed arrives, and the caller is killed before it has the answer; KilledBefore, before it arrives.
	Killed       Fault = "killed"
	KilledBefore Fault = "killedBefore"
	// Declined is refused for good.
	Declined Fault = "declined"
)

// ErrSilent is all that a caller learns of a call that failed.
var ErrSilent = errors.New("the gateway does not answer")

// Told is what a Gateway says unasked.
type Told struct {
	Key    id.ID
	Refund bool
	Answer payment.Answer
}

// Gateway remembers what it did and fails as Choose says. What carries one key it does once.
type Gateway struct {
	mu    sync.Mutex
	Clock clock.Clock
	// Choose says what becomes of a call; calls counts those for the key from 1. Nil: nothing fails.
	Choose func(key id.ID, calls int) Fault
	// Delay is how long after the call a Delayed one arrives, and an Accepted one is carried out.
	Delay func() time.Duration
	// Kill ends whoever makes the call in ctx.
	Kill func(ctx context.Context)

	deeds map[id.ID]*deed
	calls map[id.ID]int
	finds int
	// coming are deeds that have not arrived yet, told what is to be said.
	coming []*deed
	told   []Told
}

type deed struct {
	key      id.ID
	refund   bool
	of       string
	micros   int64
	declined string
	at       time.Time
}

// Charge implements payment.Gateway.
func (g *Gateway) Charge(ctx context.Context, c payment.Instruction) (payment.Answer, error) {
	d := &deed{key: c.Key, micros: c.Amount.Micros()}
	if strings.HasPrefix(c.Token.Reveal(), "tok_decline") {
		d.declined = "insufficient_funds"
	}
	return g.do(ctx, d)
}

// Refund implements payment.Gateway.
func (g *Gateway) Refund(ctx context.Context, r payment.Reversal) (payment.Answer, error) {
	return g.do(ctx, &deed{key: r.Key, refund: true, of: r.Reference, micros: r.Amount.Micros()})
}

// Find implements payment.Gateway.
func (g *Gateway) Find(ctx context.Context, c payment.Instruction) (payment.Answer, error) {
	return g.find(ctx, c.Key)
}

// FindRefund implements payment.Gateway.
func (g *Gateway) FindRefund(ctx context.Context, r payment.Reversal) (payment.Answer, error) {
	return g.find(ctx, r.Key)
}

func (g *Gateway) fault(key id.ID) Fault {
	if g.calls == nil {
		g.calls, g.deeds = map[id.ID]int{}, map[id.ID]*deed{}
	}
	g.calls[key]++
	if g.Choose == nil {
		return None
	}
	return g.Choose(key, g.calls[key])
}

func (g *Gateway) now() time.Time {
	if g.Clock == nil {
		return time.Time{}
	}
	return g.Clock.Now()
}

func (g *Gateway) delay() time.Duration {
	if g.Delay == nil {
		return time.Minute
	}
	return g.Delay()
}

func (g *Gateway) do(ctx context.Context, d *deed) (payment.Answer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrive()
	f := g.fault(d.key)
	d.at = g.now()
	switch f {
	case Refused:
		return payment.Answer{}, ErrSilent
	case KilledBefore:
		g.Kill(ctx)
		return payment.Answer{}, ctx.Err()
	case Delayed:
		d.at = d.at.Add(g.delay())
		g.coming = append(g.coming, d)
		return payment.Answer{}, ErrSilent
	case Accepted:
		d.at = d.at.Add(g.delay())
	case Declined:
		d.declined = "declined_by_chance"
	}
	g.carryOut(d)
	switch f {
	case Lost:
		return payment.Answer{}, ErrSilent
	case Killed:
		g.Kill(ctx)
		return payment.Answer{}, ctx.Err()
	}
	return g.answer(d.key), nil
}

// arrive carries out what has arrived by now.
func (g *Gateway) arrive() {
	now := g.now()
	g.coming = slices.DeleteFunc(g.coming, func(d *deed) bool {
		if d.at.After(now) {
			return false
		}
		g.carryOut(d)
		return true
	})
}

// carryOut does what was not done yet.
func (g *Gateway) carryOut(d *deed) {
	if g.deeds[d.key] != nil {
		return
	}
	if d.refund && d.declined == "" {
		left := int64(0)
		for _, o := range g.deeds {
			switch {
			case o.declined != "":
			case "ref_"+string(o.key) == d.of:
				left += o.micros
			case o.of == d.of:
				left -= o.micros
			}
		}
		if left < d.micros {
			d.declined = "not_so_much_left"
		}
	}
	g.deeds[d.key] = d
	g.told = append(g.told, Told{Key: d.key, Refund: d.refund})
}

func (g *Gateway) answer(key id.ID) payment.Answer {
	d := g.deeds[key]
	switch {
	case d == nil:
		return payment.Answer{Outcome: payment.Unknown}
	case d.at.After(g.now()):
		return payment.Answer{Outcome: payment.Accepted, Reference: "ref_" + string(key)}
	case d.declined != "":
		return payment.Answer{Outcome: payment.Declined, Reference: "ref_" + string(key), Code: d.declined, Reason: "declined"}
	}
	return payment.Answer{Outcome: payment.Succeeded, Reference: "ref_" + string(key), Authorization: "A1"}
}

func (g *Gateway) find(ctx context.Context, key id.ID) (payment.Answer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrive()
	g.finds++
	switch f := g.fault(key); f {
	case Refused, Lost, Delayed:
		return payment.Answer{}, ErrSilent
	case Killed, KilledBefore:
		g.Kill(ctx)
		return payment.Answer{}, ctx.Err()
	}
	return g.answer(key), nil
}

// Calls is how often it was called about a key.
func (g *Gateway) Calls(key id.ID) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls[key]
}

// Says takes some of what it has to say unasked: a part of it twice, and in no order.
func (g *Gateway) Says(chance *rand.Rand) (out []Told) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrive()
	now := g.now()
	g.told = slices.DeleteFunc(g.told, func(t Told) bool {
		if g.deeds[t.Key].at.After(now) || chance.IntN(3) == 0 {
			return false
		}
		t.Answer = g.answer(t.Key)
		out = append(out, t)
		return chance.IntN(2) == 0
	})
	chance.Shuffle(len(out), func(a, b int) { out[a], out[b] = out[b], out[a] })
	return out
}

// Taken is what it took for a key, in micros; a refund counts as less than nothing.
func (g *Gateway) Taken(key id.ID) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrive()
	d := g.deeds[key]
	if d == nil || d.declined != "" || d.at.After(g.now()) {
		return 0
	}
	if d.refund {
		return -d.micros
	}
	return d.micros
}

// All is what it took in all, less what it gave back, in micros.
func (g *Gateway) All() (n int64) {
	g.mu.Lock()
	keys := make([]id.ID, 0, len(g.deeds))
	for k := range g.deeds {
		keys = append(keys, k)
	}
	g.mu.Unlock()
	for _, k := range keys {
		n += g.Taken(k)
	}
	return n
}
