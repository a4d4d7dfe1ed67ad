package credential

import (
	"context"
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/provider"
)

// Defaults of the policy, see provider.CredentialPolicy.
const (
	defaultTries       = 5
	defaultLockMinutes = 60
	defaultIssues      = 5
	defaultOTPLength   = 6
	defaultOTPMinutes  = 5
)

// Proof says that somebody knew a secret, until that is changed.
type Proof struct {
	subject id.ID
	of      id.ID
	version int64
	expired bool
}

// mostSecret bounds what is tried.
const mostSecret = 64

// try checks a secret. It is counted as a wrong try before it is looked at, and the count is taken back when it was right.
// Call it outside any transaction. refusal is the answer to who tried; err that it could not be checked.
func (s *Service) try(ctx context.Context, t Type, subject id.ID, secret string) (p Proof, refusal, err error) {
	ctx = always(ctx)
	h, err := s.hashes()
	if err != nil {
		return p, nil, err
	}
	leave, err := h.enter()
	if err != nil {
		return p, nil, err
	}
	defer leave()
	done, err := s.turns.take(ctx, name(t, subject))
	if err != nil {
		return p, nil, err
	}
	defer done()
	var v held
	var last bool
	err = s.store.Write(ctx, func(ctx context.Context) (err error) {
		v, last, refusal, err = s.count(ctx, t, subject)
		return err
	})
	if err != nil || refusal != nil {
		return p, refusal, err
	}
	hash := v.hash
	if hash == "" {
		hash = h.idle
	}
	right, old, err := h.check(ctx, t, secret, hash)
	if err != nil {
		return p, nil, err
	}
	if !right || v.hash == "" {
		return p, wrong(), s.tellLocked(ctx, t, subject, last)
	}
	fresh := ""
	if old {
		if fresh, err = h.of(ctx, t, secret); err != nil {
			return p, nil, err
		}
	}
	return s.right(ctx, v, fresh)
}

func wrong() error {
	return fault.New(fault.Invalid, CodeWrong, "that is not the right PIN or code").At("pin")
}

func locked(wait time.Duration) error {
	f := fault.New(fault.Limit, CodeLocked, "too many wrong tries: the PIN is locked")
	if wait > 0 {
		f = f.After(wait)
	}
	return f
}

// blocked is the refusal of a guard that is locked; nil when it is not.
func (g guard) blocked(now time.Time) error {
	switch {
	case g.Locked:
		return locked(0)
	case g.Until != nil && now.Before(*g.Until):
		return locked(g.Until.Sub(now))
	}
	return nil
}

// count counts a try as wrong; last says that it locks.
func (s *Service) count(ctx context.Context, t Type, subject id.ID) (v held, last bool, refusal, err error) {
	rules, err := s.rules(ctx)
	if err != nil {
		return v, false, nil, err
	}
	g, err := s.guardOf(ctx, t, subject)
	if err != nil {
		return v, false, nil, err
	}
	now := s.store.Now(ctx)
	if refusal := g.blocked(now); refusal != nil {
		return v, false, refusal, nil
	}
	if g.Until != nil { // a lock that is over begins a new row
		g.Tries, g.Until = 0, nil
	}
	g.Tries++
	if last = g.Tries >= provider.Or(rules.Tries, defaultTries); last {
		minutes := provider.Or(rules.LockMinutes, defaultLockMinutes)
		if end := now.Add(time.Duration(minutes) * time.Minute); minutes > 0 {
			g.Until = &end
		} else {
			g.Locked = true
		}
	}
	if err := s.put(ctx, g); err != nil {
		return v, last, nil, err
	}
	v, err = s.held(ctx, t, subject)
	return v, last, nil, err
}

// tellLocked tells the customer that the PIN is locked.
func (s *Service) tellLocked(ctx context.Context, t Type, subject id.ID, last bool) error {
	if !last || t != PIN {
		return nil
	}
	return s.Messages.Tell(ctx, message.Order{Template: "pin.locked", Line: subject})
}

// right takes the count back, and a one-time password off. A secret that was changed meanwhile was the wrong one.
func (s *Service) right(ctx context.Context, v held, fresh string) (p Proof, refusal, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		p, refusal = Proof{}, nil
		is, err := s.held(ctx, v.Kind, v.Subject)
		if err != nil {
			return err
		}
		if is.version != v.version || is.id != v.id {
			refusal = wrong()
			return nil
		}
		g, err := s.guardOf(ctx, v.Kind, v.Subject)
		if err != nil {
			return err
		}
		g.Tries, g.Until, g.Locked = 0, nil, false
		if err := s.put(ctx, g); err != nil {
			return err
		}
		expired := v.Expires != nil && !s.store.Now(ctx).Before(*v.Expires)
		p = Proof{subject: v.Subject, of: v.id, version: v.version, expired: expired}
		switch {
		case v.Kind == OTP:
			if expired {
				p, refusal = Proof{}, wrong()
			}
			return s.drop(ctx, v)
		case fresh != "":
			return s.checkedBy(ctx, v.id, fresh)
		}
		return nil
	})
	return p, refusal, err
}

// issue counts that a secret is sent; a Limit fault when that was done too often in the last hour. A locked one is sent
// only to be unlocked.
func (s *Service) issue(ctx context.Context, t Type, subject id.ID, unlock bool) error {
	rules, err := s.rules(ctx)
	if err != nil {
		return err
	}
	g, err := s.guardOf(ctx, t, subject)
	if err != nil {
		return err
	}
	now := s.store.Now(ctx)
	if refusal := g.blocked(now); refusal != nil && !unlock {
		return refusal
	}
	g.Issued = slices.DeleteFunc(slices.Clone(g.Issued), func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if len(g.Issued) >= provider.Or(rules.IssuesPerHour, defaultIssues) {
		return fault.New(fault.Limit, CodeIssued, "one was sent too often in the last hour").After(time.Hour - now.Sub(g.Issued[0]))
	}
	g.Issued = append(g.Issued, now)
	if unlock {
		g.Tries, g.Until, g.Locked = 0, nil, false
	}
	return s.put(ctx, g)
}

// unlock takes the count of wrong tries back.
func (s *Service) unlock(ctx context.Context, t Type, subject id.ID) error {
	g, err := s.guardOf(ctx, t, subject)
	if err != nil || g.version == 0 {
		return err
	}
	g.Tries, g.Until, g.Locked = 0, nil, false
	return s.put(ctx, g)
}
