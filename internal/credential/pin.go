package credential

import (
	"context"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Prepared is a new secret that is ready to be kept: working its hash out takes long, and is done outside any transaction.
type Prepared struct {
	plain, hash, origin string
}

// Choose prepares a PIN that somebody chose. Faults at attribute: Invalid for one that the service provider does not allow
// (CodeWeak for one that is too easily guessed); none repeats it. Limit when too much is asked at once.
func (s *Service) Choose(ctx context.Context, line id.ID, attribute, pin string) (Prepared, error) {
	rules, err := s.rules(ctx)
	if err != nil {
		return Prepared{}, err
	}
	v, err := s.line(ctx, line)
	if err != nil {
		return Prepared{}, err
	}
	least, most, _ := rules.Lengths()
	switch {
	case !digits(pin) || len(pin) < least || len(pin) > most:
		return Prepared{}, fault.Invalidf(attribute, "a PIN has %d to %d digits", least, most)
	case weak(pin) || strings.HasSuffix(string(v.MSISDN), pin):
		return Prepared{}, fault.New(fault.Invalid, CodeWeak, "a PIN is no row of digits, no repetition and no part of the number").At(attribute)
	}
	return s.prepare(ctx, pin, chosen)
}

// Draw prepares a PIN at random.
func (s *Service) Draw(ctx context.Context) (Prepared, error) {
	rules, err := s.rules(ctx)
	if err != nil {
		return Prepared{}, err
	}
	_, _, length := rules.Lengths()
	for {
		pin, err := draw(length)
		if err != nil {
			return Prepared{}, err
		}
		if !weak(pin) {
			return s.prepare(ctx, pin, generated)
		}
	}
}

func (s *Service) prepare(ctx context.Context, pin, origin string) (Prepared, error) {
	h, err := s.hashes()
	if err != nil {
		return Prepared{}, err
	}
	leave, err := h.enter()
	if err != nil {
		return Prepared{}, err
	}
	defer leave()
	hash, err := h.of(ctx, PIN, pin)
	return Prepared{plain: pin, hash: hash, origin: origin}, err
}

func digits(text string) bool {
	for n := range len(text) {
		if text[n] < '0' || text[n] > '9' {
			return false
		}
	}
	return text != ""
}

// weak reports whether a PIN is among the first that anybody tries: a row up or down, or a repetition.
func weak(pin string) bool {
	up, down := true, true
	for n := 1; n < len(pin); n++ {
		step := (int(pin[n]) - int(pin[n-1]) + 10) % 10
		up, down = up && step == 1, down && step == 9
	}
	if up || down {
		return true
	}
	for period := 1; period <= len(pin)/2; period++ {
		if len(pin)%period == 0 && strings.Repeat(pin[:period], len(pin)/period) == pin {
			return true
		}
	}
	return false
}

// line is a line that PINs are for: one that has not ended.
func (s *Service) line(ctx context.Context, i id.ID) (subscription.Line, error) {
	v, _, err := s.Subscriptions.Lines.Get(ctx, i)
	if err == nil && v.State.Ended() {
		err = fault.Conflictf(CodeEnded, "the subscription has ended")
	}
	return v, err
}

// Generate gives a line the PIN that was drawn, in the place of the one that it has, and sends it to the customer. Faults:
// Limit while the PIN is locked or when one was sent too often; those of message.Send.
func (s *Service) Generate(ctx context.Context, line id.ID, p Prepared) (id.ID, error) {
	return s.deliver(ctx, line, p, false)
}

// Reset is Generate for a line that has a PIN, and unlocks it. A NotFound fault (CodeNone) when it has none.
func (s *Service) Reset(ctx context.Context, line id.ID, p Prepared) (sent id.ID, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if _, err := s.pin(ctx, line); err != nil {
			return err
		}
		sent, err = s.deliver(ctx, line, p, true)
		return err
	})
	return sent, err
}

func (s *Service) deliver(ctx context.Context, line id.ID, p Prepared, unlock bool) (sent id.ID, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if _, err := s.line(ctx, line); err != nil {
			return err
		}
		if err := s.issue(ctx, PIN, line, unlock); err != nil {
			return err
		}
		if err := s.keepPIN(ctx, line, p); err != nil {
			return err
		}
		sent, err = s.Messages.Send(ctx, message.Order{Template: "pin.generated", Line: line, Secret: map[string]string{"pin": p.plain}})
		return err
	})
	return sent, err
}

func (s *Service) keepPIN(ctx context.Context, line id.ID, p Prepared) error {
	rules, err := s.rules(ctx)
	if err != nil {
		return err
	}
	var expires *time.Time
	if days := provider.Or(rules.ExpiryDays, 0); days > 0 {
		end := s.store.Now(ctx).AddDate(0, 0, days)
		expires = &end
	}
	return s.keep(ctx, PIN, line, p, expires)
}

// pin is the PIN of a line that has not ended; a NotFound fault (CodeNone) when it has none.
func (s *Service) pin(ctx context.Context, line id.ID) (held, error) {
	if _, err := s.line(ctx, line); err != nil {
		return held{}, err
	}
	h, err := s.held(ctx, PIN, line)
	if err == nil && h.version == 0 {
		err = fault.New(fault.NotFound, CodeNone, "the subscription has no PIN")
	}
	return h, err
}

// Set gives a line the PIN that was chosen, and unlocks it: who may do so answers for it. The customer is told that it was
// changed.
func (s *Service) Set(ctx context.Context, line id.ID, p Prepared) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		if _, err := s.line(ctx, line); err != nil {
			return err
		}
		if err := s.keepPIN(ctx, line, p); err != nil {
			return err
		}
		if err := s.unlock(ctx, PIN, line); err != nil {
			return err
		}
		return s.Messages.Tell(ctx, message.Order{Template: "pin.changed", Line: line})
	})
}

// Verify checks a PIN. Call it outside any transaction: a wrong try is counted whatever becomes of the request. refusal is
// the answer to who tried: Invalid (CodeWrong), the same where there is no PIN; Limit while it is locked (CodeLocked);
// Conflict for one that is right and too old (CodeExpired). err is any other fault.
func (s *Service) Verify(ctx context.Context, line id.ID, pin string) (refusal, err error) {
	p, refusal, err := s.Prove(ctx, line, "pin", pin)
	if refusal == nil && err == nil && p.expired {
		refusal = fault.Conflictf(CodeExpired, "the PIN is right, and too old: it has to be changed")
	}
	return refusal, err
}

// Prove is Verify for who is to do something with the proof; one of an expired PIN is a proof, too. A wrong PIN is a fault
// at attribute.
func (s *Service) Prove(ctx context.Context, line id.ID, attribute, pin string) (p Proof, refusal, err error) {
	if !digits(pin) || len(pin) > mostSecret {
		return p, nil, fault.Invalidf(attribute, "a PIN has digits alone")
	}
	if _, err := s.line(ctx, line); err != nil {
		return p, nil, err
	}
	p, refusal, err = s.try(ctx, PIN, line, pin)
	if f := fault.From(refusal); f != nil && f.Code == CodeWrong {
		refusal = f.At(attribute)
	}
	return p, refusal, err
}

// Change gives a line another PIN, by the proof that the one before was known. A Conflict fault when that was changed since.
func (s *Service) Change(ctx context.Context, line id.ID, proof Proof, p Prepared) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		h, err := s.pin(ctx, line)
		if err != nil {
			return err
		}
		if proof.subject != line || h.id != proof.of || h.version != proof.version {
			return fault.New(fault.Stale, fault.CodeStale, "the PIN has been changed meanwhile")
		}
		if err := s.keepPIN(ctx, line, p); err != nil {
			return err
		}
		return s.Messages.Tell(ctx, message.Order{Template: "pin.changed", Line: line})
	})
}

// Remove takes the PIN off a line. What was tried at it stays counted.
func (s *Service) Remove(ctx context.Context, line id.ID) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		h, err := s.pin(ctx, line)
		if err != nil {
			return err
		}
		if err := s.drop(ctx, h); err != nil {
			return err
		}
		return s.Messages.Tell(ctx, message.Order{Template: "pin.deleted", Line: line})
	})
}

// Unlock lets a line's PIN be tried again.
func (s *Service) Unlock(ctx context.Context, line id.ID) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		if _, err := s.pin(ctx, line); err != nil {
			return err
		}
		return s.unlock(ctx, PIN, line)
	})
}

// Standing is how it stands with the PIN of a line.
type Standing struct {
	Set     time.Time
	Origin  string
	Expires *time.Time
	// Tries are the wrong ones in a row; Locked until a moment or, without one, until somebody unlocks it.
	Tries  int
	Locked bool
	Until  *time.Time
}

// Standing says how it stands with the PIN of a line; a NotFound fault (CodeNone) when it has none.
func (s *Service) Standing(ctx context.Context, line id.ID) (v Standing, err error) {
	err = s.store.Snapshot(ctx, func(ctx context.Context) error {
		h, err := s.pin(ctx, line)
		if err != nil {
			return err
		}
		g, err := s.guardOf(ctx, PIN, line)
		if err != nil {
			return err
		}
		v = Standing{Set: h.Set, Origin: h.Origin, Expires: h.Expires, Tries: g.Tries}
		if g.blocked(s.store.Now(ctx)) != nil {
			v.Locked, v.Until = true, g.Until
		} else if g.Until != nil {
			v.Tries = 0
		}
		return nil
	})
	return v, err
}
