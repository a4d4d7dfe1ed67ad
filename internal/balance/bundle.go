package balance

import (
	"context"
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Bundle is the buckets of one allowance: what was granted, what rolled over of it, and what the account shares.
type Bundle struct {
	Name, UsageType, Unit string
	// Offering granted it, to the add-on Product of the line; empty: to its plan.
	Offering, Product id.ID
	Promotional       bool
	Status            Status
	// Start is when the first of its buckets began, End when the last ends; nil has no end.
	Start, End *time.Time
	// Buckets are the ids in the order in which they are consumed.
	Buckets []id.ID
	// Scopes are what it holds as "personal", "rollover" and "group".
	Scopes map[string]Tally
}

// Tally is how much there was, how much of that is used, and how much is left, in ledger units.
type Tally struct{ Limit, Used, Balance int64 }

func (t Tally) plus(o Tally) Tally {
	return Tally{t.Limit + o.Limit, t.Used + o.Used, t.Balance + o.Balance}
}

// Total is all scopes of a bundle.
func (b Bundle) Total() (t Tally) {
	for _, s := range b.Scopes {
		t = t.plus(s)
	}
	return t
}

// tally counts what is given beyond the grant (a top-up, an adjustment) to the limit.
func (h *Held) tally() Tally {
	limit := max(h.Granted(), h.Left+h.Reserved())
	return Tally{Limit: limit, Used: limit - h.Left, Balance: h.Left}
}

// Standing is what a line may spend now: a wallet that is only read.
func (s *Service) Standing(ctx context.Context, line id.ID) (w *Wallet, err error) {
	err = s.store.Snapshot(ctx, func(ctx context.Context) error {
		w, err = s.Wallet(ctx, line)
		return err
	})
	return w, err
}

// Bundles are what of a wallet is not money, in the order in which it is consumed.
func (w *Wallet) Bundles() []Bundle {
	var all []Bundle
	for _, h := range w.Held {
		b := h.Bucket
		if b.Monetary() || b.Status == Expired {
			continue
		}
		v := Bundle{Name: b.Name, UsageType: b.UsageType, Unit: b.Unit, Product: b.HeldProduct, Promotional: b.IsPromotional, Status: b.Status}
		if b.Offering != nil {
			v.Offering = id.ID(b.Offering.ID)
		}
		i := slices.IndexFunc(all, func(o Bundle) bool {
			return o.Name == v.Name && o.UsageType == v.UsageType && o.Unit == v.Unit && o.Product == v.Product && o.Offering == v.Offering
		})
		if i < 0 {
			v.Scopes = map[string]Tally{}
			if b.ValidFor != nil {
				v.Start, v.End = b.ValidFor.Start, b.ValidFor.End
			}
			i, all = len(all), append(all, v)
		}
		g := &all[i]
		g.Buckets = append(g.Buckets, h.ID)
		g.Scopes[b.Scope()] = g.Scopes[b.Scope()].plus(h.tally())
		if end := b.end(); end == nil || g.End != nil && end.After(*g.End) {
			g.End = end
		}
		if start := b.start(); start != nil && g.Start != nil && start.Before(*g.Start) {
			g.Start = start
		}
	}
	return all
}

func (b Bucket) start() *time.Time {
	if b.ValidFor == nil {
		return nil
	}
	return b.ValidFor.Start
}
