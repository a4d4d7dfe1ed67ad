package voucher

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
)

// Defaults of the policy: how many bad codes in a row block, and for how many minutes.
const (
	defaultTries   = 5
	defaultMinutes = 24 * 60
	// lookTries is by how much more a caller may err who only looks codes up: it asks for many subscribers.
	lookTries = 20
)

const guardClaim = "voucher.guard"

// guard counts the bad codes in a row of a line, or of a caller that looks codes up.
type guard struct {
	// Of is "line/" and the line's id, or "caller/" and who it is.
	Of    string     `json:"of"`
	Tries int        `json:"tries"`
	Until *time.Time `json:"blockedUntil,omitzero"`
}

// blocked says for how long nothing may be tried yet; 0 is not at all.
func (g guard) blocked(now time.Time) time.Duration {
	if g.Until == nil || !now.Before(*g.Until) {
		return 0
	}
	return g.Until.Sub(now)
}

// guarded is a guard as it is stored; without a version it is not there yet.
type guarded struct {
	guard
	id      id.ID
	version int64
}

func (s *Service) guardOf(ctx context.Context, of string) (g guarded, err error) {
	g.Of = of
	if g.id, err = s.store.Claimant(ctx, guardClaim, of); err != nil || g.id == "" {
		return g, err
	}
	v, d, err := s.guards.Get(ctx, g.id)
	g.guard, g.version = v, d.Version
	return g, err
}

func (s *Service) put(ctx context.Context, g guarded) error {
	if g.version > 0 {
		_, err := s.guards.Update(ctx, g.id, g.version, &g.guard)
		return err
	}
	i := id.New(guardKind, id.HomeOf(g.Of), s.store.Now(ctx))
	if err := s.store.Claim(ctx, guardClaim, g.Of, i); err != nil {
		return err
	}
	_, err := s.guards.Insert(ctx, i, &g.guard)
	return err
}

// try decides whether a code may be looked at, and counts one that is bad. What it counts is kept whatever becomes of
// the request: it writes in a transaction of its own where none is open, and not as a dry run. Its fault is
// returned and not made of the transaction.
func (s *Service) try(ctx context.Context, of, pin string, most func(provider.Policy) int) (v id.ID, refusal, err error) {
	p, err := s.secrets()
	if err != nil {
		return "", nil, err
	}
	call := store.CallFrom(ctx)
	call.DryRun = false
	err = s.store.Write(store.WithCall(ctx, call), func(ctx context.Context) error {
		refusal = nil
		now := s.store.Now(ctx)
		g, err := s.guardOf(ctx, of)
		if err != nil {
			return err
		}
		if wait := g.blocked(now); wait > 0 {
			refusal = refused(TemporarilyBlocked).After(wait)
			return nil
		}
		if v, err = s.store.Claimant(ctx, pinClaim, p.of(pin)); err != nil {
			return err
		}
		good, err := s.live(ctx, v)
		if err != nil || good {
			return err
		}
		rules, err := s.Providers.Rules(ctx)
		if err != nil {
			return err
		}
		if g.Until != nil { // a block that is over begins a new row
			g.Tries, g.Until = 0, nil
		}
		g.Tries++
		refusal = refused(Unavailable)
		if g.Tries >= most(*rules.Policy) {
			wait := time.Duration(provider.Or(rules.Policy.VoucherBlockMinutes, defaultMinutes)) * time.Minute
			end := now.Add(wait)
			g.Until = &end
		}
		return s.put(ctx, g)
	})
	return v, refusal, err
}

// live reports whether a code is that of a voucher that was ever given out: one that is not yet, or is blocked, looks
// like one that is not there.
func (s *Service) live(ctx context.Context, v id.ID) (bool, error) {
	if v == "" {
		return false, nil
	}
	was, _, _, err := s.voucher(ctx, v)
	return was.State != Generated && was.State != Blocked, err
}

// Admit decides whether a line may try a code, before the refill: a line that tried too many bad ones in a row is
// refused for a while (TemporarilyBlocked), and a bad one is counted and refused (Unavailable), whatever becomes of
// the request. Call it outside the transaction of the refill.
func (s *Service) Admit(ctx context.Context, line id.ID, pin string) error {
	pin, err := Normal(pin)
	if err != nil {
		return err
	}
	_, refusal, err := s.try(ctx, lineGuard(line), pin, tries)
	if err != nil {
		return err
	}
	return refusal
}

func lineGuard(line id.ID) string { return "line/" + string(line) }

func tries(p provider.Policy) int { return provider.Or(p.VoucherTries, defaultTries) }

// ByPIN shows a voucher by its code and spends nothing. Callers who try many bad codes in a row are refused for a
// while. Faults: Invalid; Conflict (Unavailable) for a code that is nobody's; Limit (TemporarilyBlocked).
func (s *Service) ByPIN(ctx context.Context, pin string) (Shown, error) {
	pin, err := Normal(pin)
	if err != nil {
		return Shown{}, err
	}
	sc, err := scope.From(ctx)
	if err != nil {
		return Shown{}, err
	}
	a := sc.Actor()
	v, refusal, err := s.try(ctx, "caller/"+a.Client+"/"+a.Subject, pin, func(p provider.Policy) int { return lookTries * tries(p) })
	if err == nil {
		err = refusal
	}
	if err != nil {
		return Shown{}, err
	}
	out, _, _, err := s.voucher(ctx, v)
	return out, err
}
