// Package renewal is the recurring life of lines: it charges plans and add-ons when they begin and each time they
// renew, grants and ends their allowances, and takes lines that are not paid or not used through grace,
// suspension, dormancy and expiry. Whatever is due at a moment is done by jobs that the moment makes due.
package renewal

import (
	"cmp"
	"context"
	"fmt"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Parts are the domains that renewals span.
type Parts struct {
	Providers     *provider.Service
	Accounts      *account.Service
	Catalog       *catalog.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
	Inventory     *inventory.Service
}

// Service is the recurring life of all lines.
type Service struct {
	Parts
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	r := &Service{Parts: p, store: s}
	s.React(r.paid, "TopupBalanceCreateEvent", "TopupBalanceStateChangeEvent", "AdjustBalanceCreateEvent", "AdjustBalanceStateChangeEvent",
		"TransferBalanceCreateEvent", "TransferBalanceStateChangeEvent")
	s.React(r.moved, "ProductCreateEvent", "ProductStateChangeEvent")
	return r
}

// Start is something that begins on a line.
type Start struct {
	Line id.ID
	// Product is the add-on held (subscription.HeldKind); empty for the plan.
	Product  id.ID
	Offering id.ID
	Cause    balance.Cause
}

// Begin charges what the offering costs at its beginning, grants its allowances and plans its renewal. For the
// plan of a new line it opens the money bucket first, with the plan's opening balance. An add-on that the line does
// not hold yet under Product it holds from now on. What cannot be paid is a Conflict fault
// (balance.CodeInsufficient) and nothing is done. It joins the transaction in ctx.
func (s *Service) Begin(ctx context.Context, b Start) error {
	return s.change(ctx, b.Line, func(ctx context.Context, l *life) error {
		t, err := s.offered(ctx, b.Offering)
		if err != nil {
			return err
		}
		if b.Product == "" {
			if err := l.openMoney(ctx, t, b.Cause); err != nil {
				return err
			}
		}
		return l.begin(t, b, false)
	})
}

// change loads a line, lets do alter it, stores what changed and promises what is due next.
func (s *Service) change(ctx context.Context, line id.ID, do func(ctx context.Context, l *life) error) error {
	return s.store.Write(within(ctx), func(ctx context.Context) error {
		l, err := s.life(ctx, line)
		if err != nil {
			return err
		}
		if err := do(ctx, l); err != nil {
			return err
		}
		return l.save(ctx)
	})
}

func (l *life) openMoney(ctx context.Context, t term, c balance.Cause) error {
	if l.w.Money() != nil {
		return nil
	}
	a, _, err := l.s.Accounts.Billing.Get(ctx, l.line.AccountID)
	if err != nil {
		return err
	}
	currency, err := l.s.Accounts.CurrencyOf(ctx, a)
	if err != nil {
		return err
	}
	g := balance.Grant{Name: "Main balance", UsageType: catalog.Monetary, Unit: string(currency), Offering: t.id, OfferingName: t.offering.Name}
	if o := t.offering.OpeningBalance; o != nil {
		g.Amount = o.Micros()
	}
	c.Text = "Opening balance of " + t.offering.Name
	_, err = l.w.Open(g, c)
	return err
}

// begin puts what begins on the line, charges and grants it. again leaves out what is charged only once.
func (l *life) begin(t term, b Start, again bool) error {
	r, err := t.first(l.now, l.rule.zone)
	if err != nil {
		return err
	}
	t.product, l.changed = b.Product, true
	if b.Product == "" {
		if err := l.line.EnterPlan(b.Offering, t.offering, l.now); err != nil {
			return err
		}
		l.line.Renewal, t.prices = r, l.line.Prices
	} else {
		h, err := l.line.Hold(b.Product, b.Offering, t.offering, l.now)
		if err != nil {
			return err
		}
		h.Renewal, t.prices = r, h.Prices
	}
	period := ""
	if r != nil {
		period = " for " + l.day(r.Anchor) + " to " + l.day(r.Next)
	}
	due, err := parts(t.prices, 0, again)
	if err != nil {
		return err
	}
	refused, err := l.charge(due, b.Cause, period)
	if err != nil || refused != nil {
		return cmp.Or(err, refused)
	}
	return l.grant(t, r, b.Cause, l.now, false)
}

// ChangePlan ends the present plan and begins another in its place: the old plan's allowances are forfeited, the new
// one's first period is charged and begins now, add-ons stay. What a plan costs once, at the beginning of a line, is
// not charged. Undo of the same Start restores the old plan.
func (s *Service) ChangePlan(ctx context.Context, b Start) error {
	return s.change(ctx, b.Line, func(ctx context.Context, l *life) error {
		t, err := s.offered(ctx, b.Offering)
		if err != nil {
			return err
		}
		if err := l.forfeit(saying(b.Cause, "Forfeited: the plan is changed to %s", t.offering.Name), ofPlan); err != nil {
			return err
		}
		return l.begin(t, b, true)
	})
}

// ofPlan are the buckets that belong to the line's plan: not its money, not what add-ons granted or others gave.
func ofPlan(b balance.Bucket) bool {
	return !b.Monetary() && b.HeldProduct == "" && b.Offering != nil && !b.IsPromotional
}

// saying is a cause in other words.
func saying(c balance.Cause, format string, args ...any) balance.Cause {
	c.Text = fmt.Sprintf(format, args...)
	return c
}

// Undo takes back what Begin or ChangePlan did under a cause, because of another: what was charged is paid back, what
// was granted is gone save what was used of it, the line is on the plan before, with what was left of that, or
// holds the add-on no more. Doing it twice changes nothing.
func (s *Service) Undo(ctx context.Context, b Start, because balance.Cause) error {
	return s.store.Write(within(ctx), func(ctx context.Context) error {
		line, _, err := s.Subscriptions.Lines.Get(ctx, b.Line)
		if err != nil {
			return err
		}
		began := line.Product(b.Product) != nil
		if n := len(line.Plans); b.Product == "" {
			began = n > 0 && line.Plans[n-1].Offering == b.Offering
		}
		if !began {
			return nil
		}
		if err := s.Balances.Reverse(ctx, b.Line, b.Cause, because); err != nil {
			return err
		}
		return s.change(ctx, b.Line, func(ctx context.Context, l *life) error {
			l.changed = true
			if b.Product != "" {
				l.line.Drop(b.Product)
				return nil
			}
			l.line.LeavePlan()
			return l.restore(ctx, b.Cause, because)
		})
	})
}

// restore opens again what a change of plan forfeited under a cause and has not ended since.
func (l *life) restore(ctx context.Context, of, because balance.Cause) error {
	all, err := l.s.Balances.Statements(ctx, l.id, 0)
	if err != nil {
		return err
	}
	for _, st := range all {
		b := st.Bucket
		if b.Status != balance.Expired || !ofPlan(b) || b.OpenedBy == of.ID || b.Ended(l.now) || len(st.Entries) == 0 {
			continue
		}
		last := st.Entries[0]
		if last.Cause.Kind != of.Kind || last.Cause.ID != of.ID || last.Amount >= 0 {
			continue
		}
		g := balance.Grant{
			Name: b.Name, UsageType: b.UsageType, Unit: b.Unit, Amount: -last.Amount, From: balance.Lapsed,
			Offering: id.ID(b.Offering.ID), OfferingName: b.Offering.Name, Group: b.IsShared,
			Zones: b.Zones, Roaming: b.Roaming, Priority: b.Priority, Rollover: b.Rollover,
		}
		if b.ValidFor != nil {
			g.Start, g.End = b.ValidFor.Start, b.ValidFor.End
		}
		if _, err := l.w.Open(g, saying(of, "%s", because.Text)); err != nil {
			return err
		}
	}
	return nil
}

// End stops an add-on (or, with an empty product, the plan): nothing is renewed any more, what is left of its
// allowances is forfeited. Nothing is paid back. What has ended stays as it is.
func (s *Service) End(ctx context.Context, line, product id.ID, c balance.Cause) error {
	return s.change(ctx, line, func(_ context.Context, l *life) error {
		if product == "" {
			l.changed = l.line.Renewal != nil || l.line.ToBegin()
			l.line.Renewal = nil
			l.line.PlanBegan()
			return l.forfeit(saying(c, "Forfeited: the plan ended"), ofPlan)
		}
		h := l.line.Product(product)
		if h == nil {
			return fault.NotFoundf("the subscription does not hold %s", product)
		}
		if h.Ended() {
			return nil
		}
		return l.endAddOn(h, saying(c, "Forfeited: %s ended", h.Name), l.now)
	})
}

// Close ends all that a line has, plan, add-ons and money: what a line that is disconnected leaves behind is
// forfeited. Doing it twice changes nothing.
func (s *Service) Close(ctx context.Context, line id.ID, c balance.Cause) error {
	return s.change(ctx, line, func(_ context.Context, l *life) error {
		return l.close(saying(c, "Forfeited: the subscription ended"), l.now)
	})
}
