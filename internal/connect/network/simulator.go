package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/network"
)

// Fault is what becomes of one call to the Simulator.
type Fault string

// The faults. Later is none: it is how many networks answer.
const (
	// None is answered at once.
	None Fault = ""
	// Slow is answered after the delay.
	Slow Fault = "slow"
	// Fail does not arrive.
	Fail Fault = "fail"
	// Lose is carried out, and its answer lost.
	Lose Fault = "lose"
	// Refuse is refused for good.
	Refuse Fault = "refuse"
	// Later is accepted, and answered by a callback after the delay.
	Later Fault = "later"
	// Twice is Later with the callback made twice.
	Twice Fault = "twice"
	// Mute is Later without the callback: only who asks is told.
	Mute Fault = "mute"
)

// Faults are all of them, None left out, in the order in which chances are drawn.
var Faults = []Fault{Slow, Fail, Lose, Refuse, Later, Twice, Mute}

// Known reports whether there is such a fault.
func (f Fault) Known() bool { return slices.Contains(Faults, f) }

// errLost is all that a caller learns of a call that failed: whether it arrived, it does not.
var errLost = errors.New("the network does not answer")

// SimulatorOptions say how a Simulator behaves. With none it answers everything at once.
type SimulatorOptions struct {
	// Seed makes the same faults of the same calls.
	Seed uint64
	// Chances are the faults of a call, each from 0 to 1; what is left of 1 is None.
	Chances map[Fault]float64
	// Delay is how long Slow and callbacks take.
	Delay time.Duration
	// Clock is what delays go by; clock.Real by default.
	Clock clock.Clock
	// Choose, when it is set, says what becomes of a call instead of chance; call counts those of the request from 1.
	Choose func(o network.Order, call int) Fault
	// Tell takes callbacks, in a context with the scope of the call; nil loses them.
	Tell func(ctx context.Context, request id.ID, a network.Answer) error
}

// Simulator is a network that keeps in memory what it did. It carries out each request once, whatever arrives how
// often; a number or SIM that another line has is refused.
type Simulator struct {
	mu       sync.Mutex
	o        SimulatorOptions
	chance   *rand.Rand
	requests map[id.ID]*carried
	lines    map[id.ID]*Line
	// numbers and cards lead to the line that is connected with them.
	numbers, cards map[string]id.ID
	callbacks      []callback
	pending        sync.WaitGroup
}

// carried is a request that arrived.
type carried struct {
	calls  int
	answer *network.Answer // nil: not carried out
}

// Line is what the Simulator knows of a line.
type Line struct {
	Order network.Order
	// Connected and Barred say whether it may be used: a barred line is connected, too.
	Connected, Barred bool
	// Activations and Deactivations count the requests that connected and disconnected it: one that finds it so
	// counts, too.
	Activations, Deactivations int
}

type callback struct {
	ctx     context.Context
	request id.ID
	answer  network.Answer
}

// NewSimulator makes a network without lines.
func NewSimulator(o SimulatorOptions) *Simulator {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	return &Simulator{
		o: o, chance: rand.New(rand.NewPCG(o.Seed, 1)), //nolint:gosec // the same again is what a seed is for
		requests: map[id.ID]*carried{}, lines: map[id.ID]*Line{}, numbers: map[string]id.ID{}, cards: map[string]id.ID{},
	}
}

// OnCallback has callbacks taken by tell, for a Simulator that is made before who takes them.
func (s *Simulator) OnCallback(tell func(ctx context.Context, request id.ID, a network.Answer) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Tell = tell
}

// Submit implements network.Connector.
func (s *Simulator) Submit(ctx context.Context, o network.Order) (network.Answer, error) {
	a, err, slow := s.submit(ctx, o)
	if !slow {
		return a, err
	}
	select {
	case <-s.o.Clock.After(s.o.Delay):
		return a, err
	case <-ctx.Done():
		return network.Answer{}, ctx.Err()
	}
}

func (s *Simulator) submit(ctx context.Context, o network.Order) (a network.Answer, err error, slow bool) { //nolint:revive // slow says of both that they come late
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.requests[o.ID]
	if r == nil {
		r = &carried{}
		s.requests[o.ID] = r
	}
	r.calls++
	fault := s.fault(o, r.calls)
	if fault == Fail {
		return network.Answer{}, errLost, false
	}
	if r.answer == nil {
		answer := s.carryOut(o, fault == Refuse)
		r.answer = &answer
	}
	switch fault {
	case Lose:
		return network.Answer{}, errLost, false
	case Later, Twice, Mute:
		times := map[Fault]int{Later: 1, Twice: 2}[fault]
		for range times {
			s.callBack(callback{context.WithoutCancel(ctx), o.ID, *r.answer})
		}
		return network.Answer{Result: network.Accepted}, nil, false
	}
	return *r.answer, nil, fault == Slow
}

// fault says what becomes of a call.
func (s *Simulator) fault(o network.Order, call int) Fault {
	if s.o.Choose != nil {
		return s.o.Choose(o, call)
	}
	x := s.chance.Float64()
	for _, f := range Faults {
		if x -= s.o.Chances[f]; x < 0 {
			return f
		}
	}
	return None
}

// callBack promises a callback after the delay; s is locked.
func (s *Simulator) callBack(c callback) {
	s.callbacks = append(s.callbacks, c)
	s.pending.Go(func() {
		<-s.o.Clock.After(s.o.Delay)
		s.mu.Lock()
		i := slices.IndexFunc(s.callbacks, func(o callback) bool { return o.request == c.request })
		if i < 0 { // Deliver was faster
			s.mu.Unlock()
			return
		}
		s.callbacks = slices.Delete(s.callbacks, i, i+1)
		s.mu.Unlock()
		_ = s.deliver(c) // a callback that fails is lost: who waits for it asks
	})
}

func (s *Simulator) deliver(c callback) error {
	s.mu.Lock()
	tell := s.o.Tell
	s.mu.Unlock()
	if tell == nil {
		return nil
	}
	return tell(c.ctx, c.request, c.answer)
}

// Deliver makes all callbacks that are still to come at once, and says how many there were.
func (s *Simulator) Deliver() (n int, err error) {
	s.mu.Lock()
	all := s.callbacks
	s.callbacks = nil
	s.mu.Unlock()
	for _, c := range all {
		err = errors.Join(err, s.deliver(c))
	}
	return len(all), err
}

// Status implements network.Connector. It never fails.
func (s *Simulator) Status(_ context.Context, request id.ID) (network.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.requests[request]
	if r == nil || r.answer == nil {
		return network.Answer{Result: network.Unknown}, nil
	}
	return *r.answer, nil
}

// carryOut does what a request asks for; s is locked.
func (s *Simulator) carryOut(o network.Order, refuse bool) network.Answer {
	if refuse {
		return network.Answer{Result: network.Refused, Reason: "the network refuses " + string(o.Action)}
	}
	if o.Action != network.Deactivate {
		if other := s.numbers[string(o.MSISDN)]; other != "" && other != o.Line {
			return network.Answer{Result: network.Refused, Reason: fmt.Sprintf("the number %s is connected for another line", o.MSISDN)}
		}
		if other := s.cards[o.ICCID]; other != "" && other != o.Line {
			return network.Answer{Result: network.Refused, Reason: fmt.Sprintf("the SIM %s is connected for another line", o.ICCID)}
		}
	}
	l := s.lines[o.Line]
	if l == nil {
		// A line from before the Simulator was started is taken for one that it always had.
		l = &Line{Connected: o.Action != network.Activate && o.Action != network.Deactivate}
		s.lines[o.Line] = l
	}
	switch o.Action {
	case network.Activate:
		l.Connected, l.Barred = true, false
		l.Activations++
	case network.Suspend:
		l.Barred = true
	case network.Resume:
		l.Barred = false
	case network.Deactivate:
		l.Connected, l.Barred = false, false
		l.Deactivations++
	}
	s.connect(l, o)
	return network.Answer{Result: network.Done}
}

// connect keeps the number and the SIM of a line as an order has them; s is locked.
func (s *Simulator) connect(l *Line, o network.Order) {
	for in, key := range map[*map[string]id.ID]string{&s.numbers: string(l.Order.MSISDN), &s.cards: l.Order.ICCID} {
		if (*in)[key] == o.Line {
			delete(*in, key)
		}
	}
	if !l.Connected {
		l.Order = o
		return
	}
	if o.MSISDN == "" {
		o.MSISDN = l.Order.MSISDN
	}
	if o.ICCID == "" {
		o.ICCID = l.Order.ICCID
	}
	if o.MSISDN != "" {
		s.numbers[string(o.MSISDN)] = o.Line
	}
	if o.ICCID != "" {
		s.cards[o.ICCID] = o.Line
	}
	l.Order = o
}

// Line is what the network knows of a line; the zero Line for one that it never heard of.
func (s *Simulator) Line(i id.ID) Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lines[i]; l != nil {
		return *l
	}
	return Line{}
}

// Lines are all lines that were ever connected.
func (s *Simulator) Lines() map[id.ID]Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[id.ID]Line{}
	for i, l := range s.lines {
		out[i] = *l
	}
	return out
}

// Calls is how often a request arrived or tried to.
func (s *Simulator) Calls(request id.ID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[request]; r != nil {
		return r.calls
	}
	return 0
}

// Doubled names the lines that were provisioned twice: connected by more requests than one, and one more for
// each time that they were disconnected in between.
func (s *Simulator) Doubled() (lines []id.ID) {
	for i, l := range s.Lines() {
		if l.Activations > 1+l.Deactivations {
			lines = append(lines, i)
		}
	}
	slices.Sort(lines)
	return lines
}

// Wait returns when no callback is to come any more; with a Virtual clock, somebody must move it.
func (s *Simulator) Wait() { s.pending.Wait() }

// Requests are the ids of all requests that arrived or tried to.
func (s *Simulator) Requests() []id.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.requests))
}
