// Package npg is the way to a number portability gateway.
package npg

import (
	"context"
	"sync"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/order"
)

// Options say how a Simulator behaves.
type Options struct {
	// Now is the moment of a call: store.Now, so that ports of a sandbox complete as its clock is moved.
	Now func(ctx context.Context) time.Time
	// Takes is how long a port takes (default 2 hours): half of it until the donor has approved, which is the point of
	// no return.
	Takes time.Duration
	// Refuses says why the donor does not let a number go; empty: it does. Nil: see Refusals.
	Refuses func(p order.Port) string
}

// Simulator is a gateway that keeps ports in memory. A port that it does not know it begins anew.
type Simulator struct {
	o  Options
	mu sync.Mutex
	// ports are the ports by request.
	ports map[string]*ported
}

type ported struct {
	since     time.Time
	refusal   string
	cancelled bool
}

// NewSimulator makes a gateway that knows no ports yet.
func NewSimulator(o Options) *Simulator {
	if o.Takes <= 0 {
		o.Takes = 2 * time.Hour
	}
	if o.Refuses == nil {
		o.Refuses = Refusals
	}
	return &Simulator{o: o, ports: map[string]*ported{}}
}

// refusals are the reasons in use, by the last three digits of the numbers that they befall.
var refusals = map[string]string{
	"901": "number not active", "902": "the number is not the donor's", "903": "wrong account number", "904": "identity mismatch",
	"905": "prepaid/postpaid mismatch", "906": "suspended", "907": "already porting", "908": "ported within the minimum period",
	"909": "dues outstanding", "910": "contract obligation",
}

// Refusals has the donor refuse numbers that end in 901 to 910, each with another of the reasons in use.
func Refusals(p order.Port) string { return refusals[lastThree(p.Number)] }

func lastThree(n msisdn.Number) string {
	if len(n) < 3 {
		return ""
	}
	return string(n[len(n)-3:])
}

// Submit implements order.PortGateway.
func (s *Simulator) Submit(ctx context.Context, p order.Port) (order.PortAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ports[p.Request] == nil {
		s.ports[p.Request] = &ported{since: s.o.Now(ctx), refusal: s.o.Refuses(p)}
	}
	return s.answer(ctx, p.Request), nil
}

// Status implements order.PortGateway.
func (s *Simulator) Status(ctx context.Context, request string) (order.PortAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer(ctx, request), nil
}

// Cancel implements order.PortGateway: before the point of no return the port is cancelled, after it the number goes
// back.
func (s *Simulator) Cancel(ctx context.Context, request string) (order.PortAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.ports[request]; p != nil {
		p.cancelled = true
	} else {
		return order.PortAnswer{State: order.PortCancelSuccess}, nil
	}
	return s.answer(ctx, request), nil
}

func (s *Simulator) answer(ctx context.Context, request string) order.PortAnswer {
	p := s.ports[request]
	if p == nil {
		return order.PortAnswer{}
	}
	took := s.o.Now(ctx).Sub(p.since)
	switch {
	case p.cancelled:
		return order.PortAnswer{State: order.PortCancelSuccess}
	case took >= s.o.Takes/2 && p.refusal != "":
		return order.PortAnswer{State: order.PortRejected, Reason: p.refusal}
	case took >= s.o.Takes:
		return order.PortAnswer{State: order.PortCompleted, Crossed: true}
	case took >= s.o.Takes/2:
		return order.PortAnswer{State: order.PortInProgress, Crossed: true}
	}
	return order.PortAnswer{State: order.PortApprovalPending}
}
