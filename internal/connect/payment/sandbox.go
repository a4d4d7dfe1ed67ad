// Package payment connects demarc with payment gateways: with Stripe over HTTP, or with a Sandbox that plays one and fails in
// every way that gateways do.
package payment

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/payment"
)

// Behaviour is what the Sandbox makes of a charge. A token's value names it: "tok_success_4711", "tok_decline", and for a
// decline with a code of its own "tok_decline_expired_card".
type Behaviour string

// The behaviours. A token that names none of them is one that the Sandbox does not know, and it declines it.
const (
	// Success takes the money and says so.
	Success Behaviour = "success"
	// Decline refuses for good.
	Decline Behaviour = "decline"
	// TimeOut does not hear the first call.
	TimeOut Behaviour = "timeout"
	// Lost takes the money, and its answer to the first call is lost.
	Lost Behaviour = "lost"
	// Late accepts, and takes the money after a while.
	Late Behaviour = "late"
	// Twice takes the money and says so three times.
	Twice Behaviour = "twice"
	// NoRefund takes the money and never gives it back.
	NoRefund Behaviour = "norefund"
)

var behaviours = []Behaviour{Success, Decline, TimeOut, Lost, Late, Twice, NoRefund}

// declineCodes are the codes that a token may ask for.
var declineCodes = []string{"insufficient_funds", "expired_card", "lost_card", "stolen_card", "do_not_honor", "processing_error"}

// behaviour reads a token; rest is what follows the name.
func behaviour(token string) (b Behaviour, rest string) {
	text, ok := strings.CutPrefix(token, "tok_")
	if !ok {
		return "", ""
	}
	name, rest, _ := strings.Cut(text, "_")
	if b = Behaviour(name); slices.Contains(behaviours, b) {
		return b, rest
	}
	return "", ""
}

// errLost is all that a caller learns of a call that failed: whether it arrived, it does not.
var errLost = errors.New("the gateway does not answer")

// Told is what a gateway says without being asked.
type Told struct {
	// Key is that of the charge or, with Refund, the refund.
	Key    id.ID
	Refund bool
	Answer payment.Answer
}

// SandboxOptions say how a Sandbox behaves. The zero value of a field means its default.
type SandboxOptions struct {
	// File keeps what it did, a line each, so that a restart does not lose it, and several processes on one machine share it; without one it is kept in memory.
	File string
	// Delay is how long Late takes (default 2 s).
	Delay time.Duration
	// Clock is what delays go by; clock.Real by default.
	Clock clock.Clock
	// Choose, when it is set, says what becomes of a charge instead of its token.
	Choose func(key id.ID) Behaviour
}

// Sandbox is a gateway that takes no money. What it did is durable: it does what carries one key once, whoever was killed in
// between.
type Sandbox struct {
	mu   sync.Mutex
	o    SandboxOptions
	done map[id.ID]*deed
	// refunded is what was given back of a charge, by its reference, in micros.
	refunded map[string]int64
	// heard counts the calls for a key that were not carried out.
	heard   map[id.ID]int
	read    int64
	tell    func(ctx context.Context, t Told) error
	pending sync.WaitGroup
}

// deed is a charge or a refund that it did, or declined: a line of its file.
type deed struct {
	Key       id.ID        `json:"key"`
	Reference string       `json:"reference"`
	Amount    money.Amount `json:"amount"`
	// Of is the charge that a refund is of.
	Of        string    `json:"of,omitzero"`
	Behaviour Behaviour `json:"behaviour"`
	// Code is why it was declined; empty: it was not.
	Code string `json:"code,omitzero"`
	// Due is when its answer is known.
	Due time.Time `json:"due"`
}

func (d *deed) answer(now time.Time) payment.Answer {
	switch {
	case d.Code != "":
		return payment.Answer{Outcome: payment.Declined, Reference: d.Reference, Code: d.Code, Reason: "declined: " + strings.ReplaceAll(d.Code, "_", " ")}
	case now.Before(d.Due):
		return payment.Answer{Outcome: payment.Accepted, Reference: d.Reference}
	}
	a := payment.Answer{Outcome: payment.Succeeded, Reference: d.Reference}
	if d.Of == "" {
		a.Authorization = "A" + d.Reference[len(d.Reference)-6:]
	}
	return a
}

// NewSandbox makes a Sandbox; a file that cannot be read is an error.
func NewSandbox(o SandboxOptions) (*Sandbox, error) {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Delay <= 0 {
		o.Delay = 2 * time.Second
	}
	s := &Sandbox{o: o, done: map[id.ID]*deed{}, refunded: map[string]int64{}, heard: map[id.ID]int{}}
	return s, s.with(func(*os.File) error { return nil })
}

// OnTold has what it says unasked taken by tell.
func (s *Sandbox) OnTold(tell func(ctx context.Context, t Told) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell = tell
}

// with runs fn when what other processes did is known, and nobody else does anything.
func (s *Sandbox) with(fn func(f *os.File) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.File == "" {
		return fn(nil)
	}
	f, err := os.OpenFile(s.o.File, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("the sandbox of payments cannot open its file: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("the sandbox of payments cannot lock its file: %w", err)
	}
	if err := s.catchUp(f); err != nil {
		return err
	}
	return fn(f)
}

// catchUp reads the lines that others wrote. Half a line is one whose writer was killed: nobody was told of it.
func (s *Sandbox) catchUp(f *os.File) error {
	if _, err := f.Seek(s.read, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return f.Truncate(s.read)
		}
		if err != nil {
			return err
		}
		var d deed
		if err := json.Unmarshal(line, &d); err != nil {
			return fmt.Errorf("the sandbox of payments cannot read its file at byte %d: %w", s.read, err)
		}
		s.keep(&d)
		s.read += int64(len(line))
	}
}

func (s *Sandbox) keep(d *deed) {
	s.done[d.Key] = d
	if d.Of != "" && d.Code == "" {
		s.refunded[d.Of] += d.Amount.Micros()
	}
}

// write makes a deed durable.
func (s *Sandbox) write(f *os.File, d *deed) error {
	if f != nil {
		line, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if _, err := f.Write(append(bytes.TrimSpace(line), '\n')); err != nil {
			return fmt.Errorf("the sandbox of payments cannot write its file: %w", err)
		}
		s.read += int64(len(line)) + 1
	}
	s.keep(d)
	return nil
}

// Charge implements payment.Gateway.
func (s *Sandbox) Charge(ctx context.Context, c payment.Instruction) (a payment.Answer, err error) {
	b, rest := behaviour(c.Token.Reveal())
	if s.o.Choose != nil {
		b, rest = s.o.Choose(c.Key), ""
	}
	d := &deed{Key: c.Key, Reference: "sbx_" + string(c.Key), Amount: c.Amount, Behaviour: b}
	switch b {
	case "":
		d.Code = "no_such_token"
	case Decline:
		d.Code = "card_declined"
		for _, code := range declineCodes { // the rest of the token is nobody's business
			if strings.HasPrefix(rest, code) {
				d.Code = code
			}
		}
	}
	return s.do(ctx, d, false)
}

// do carries out what is not done yet, and answers as it behaves.
func (s *Sandbox) do(ctx context.Context, d *deed, refund bool) (a payment.Answer, err error) {
	err = s.with(func(f *os.File) error {
		now := s.o.Clock.Now()
		was := s.done[d.Key]
		if was != nil {
			if was.Amount != d.Amount || was.Of != d.Of {
				return fmt.Errorf("the sandbox of payments got the key %s with another amount", d.Key)
			}
			a = was.answer(now)
			return nil
		}
		if d.Behaviour == TimeOut && s.heard[d.Key] == 0 {
			s.heard[d.Key]++
			return errLost
		}
		if d.Due = now; d.Behaviour == Late {
			d.Due = now.Add(s.o.Delay)
		}
		if refund {
			s.refuse(d)
		}
		if err := s.write(f, d); err != nil {
			return err
		}
		a = d.answer(now)
		switch d.Behaviour {
		case Lost:
			return errLost
		case Twice:
			s.say(ctx, d, refund, 2)
		case Late:
			s.say(ctx, d, refund, 1)
		}
		return nil
	})
	return a, err
}

// refuse declines a refund of what was not charged, or of more than that.
func (s *Sandbox) refuse(d *deed) {
	charge := s.done[id.ID(strings.TrimPrefix(d.Of, "sbx_"))]
	switch {
	case charge == nil || charge.Code != "":
		d.Code = "no_such_charge"
	case charge.Behaviour == NoRefund:
		d.Code = "refund_declined"
	case charge.Amount.Micros()-s.refunded[d.Of] < d.Amount.Micros():
		d.Code = "charge_already_refunded"
	}
	if charge != nil {
		d.Behaviour = charge.Behaviour
	}
}

// say tells of a deed so many times, when its answer is known.
func (s *Sandbox) say(ctx context.Context, d *deed, refund bool, times int) {
	tell := s.tell
	if tell == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	s.pending.Go(func() {
		<-s.o.Clock.After(d.Due.Sub(s.o.Clock.Now()))
		for range times {
			_ = tell(ctx, Told{Key: d.Key, Refund: refund, Answer: d.answer(s.o.Clock.Now())}) // who waits for it asks
		}
	})
}

// Wait waits until all that it had to say is said.
func (s *Sandbox) Wait() { s.pending.Wait() }

// Find implements payment.Gateway.
func (s *Sandbox) Find(_ context.Context, c payment.Instruction) (payment.Answer, error) {
	return s.find(c.Key)
}

func (s *Sandbox) find(key id.ID) (a payment.Answer, err error) {
	err = s.with(func(*os.File) error {
		if a = (payment.Answer{Outcome: payment.Unknown}); s.done[key] != nil {
			a = s.done[key].answer(s.o.Clock.Now())
		}
		return nil
	})
	return a, err
}

// Refund implements payment.Gateway.
func (s *Sandbox) Refund(ctx context.Context, r payment.Reversal) (payment.Answer, error) {
	d := &deed{Key: r.Key, Reference: "sbr_" + string(r.Key), Amount: r.Amount, Of: r.Reference}
	_ = s.with(func(*os.File) error {
		if charge := s.done[id.ID(strings.TrimPrefix(r.Reference, "sbx_"))]; charge != nil {
			d.Behaviour = charge.Behaviour
		}
		return nil
	})
	return s.do(ctx, d, true)
}

// FindRefund implements payment.Gateway.
func (s *Sandbox) FindRefund(_ context.Context, r payment.Reversal) (payment.Answer, error) {
	return s.find(r.Key)
}

// Taken is what it took in all, less what it gave back, in micros.
func (s *Sandbox) Taken() (n int64, err error) {
	err = s.with(func(*os.File) error {
		n = 0
		for _, d := range s.done {
			switch {
			case d.Code != "":
			case d.Of == "":
				n += d.Amount.Micros()
			default:
				n -= d.Amount.Micros()
			}
		}
		return nil
	})
	return n, err
}
