// Package renewal is the recurring life of lines: it charges plans and add-ons when they begin and each time they
// renew, grants and ends their allowances, and takes lines that are not paid or not used through grace,
// suspension, dormancy and expiry. Whatever is due at a moment is done by jobs that the moment makes due.
package renewal

import (
	"context"
	"fmt"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
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
}

// Service is the recurring life of all lines.
type Service struct {
	Parts
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service { return &Service{Parts: p, store: s} }

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
	return s.store.Write(ctx, func(ctx context.Context) error {
		t, err := s.terms(ctx, b.Offering)
		if err != nil {
			return err
		}
		line, err := s.Subscriptions.Lines.Change(ctx, b.Line, func(v *subscription.Line) error { return t.enter(v, b) })
		if err != nil {
			return err
		}
		h := balance.Holder{Subscription: b.Line, Account: line.AccountID, Offering: b.Offering, OfferingName: t.offering.Name}
		if b.Product == "" {
			if err := s.openMoney(ctx, h, t, b.Cause); err != nil {
				return err
			}
		}
		if err := s.charge(ctx, b, t); err != nil {
			return err
		}
		return s.grant(ctx, h, t, b.Cause)
	})
}

// terms are what an offering means for a line now.
type terms struct {
	offering catalog.Offering
	period   Period
	renews   bool
	zone     *time.Location
	now      time.Time
}

func (s *Service) terms(ctx context.Context, offering id.ID) (t terms, err error) {
	if t.offering, _, err = s.Catalog.Offerings.Get(ctx, offering); err != nil {
		return t, err
	}
	if t.period, t.renews, err = PeriodOf(t.offering); err != nil {
		return t, err
	}
	rules, err := s.Providers.Rules(ctx)
	t.zone, t.now = rules.Location(), s.store.Now(ctx)
	return t, err
}

// renewal is that of a first period that begins now; nil for what never renews.
func (t terms) renewal() *subscription.Renewal {
	if !t.renews {
		return nil
	}
	return &subscription.Renewal{Anchor: t.now, Count: 1, Next: t.period.After(t.now, 1, t.zone)}
}

// enter writes what begins into the line.
func (t terms) enter(v *subscription.Line, b Start) error {
	if b.Product == "" {
		if err := v.EnterPlan(b.Offering, t.offering, t.now); err != nil {
			return err
		}
		v.Renewal = t.renewal()
		return nil
	}
	h, err := v.Hold(b.Product, b.Offering, t.offering, t.now)
	if err != nil {
		return err
	}
	h.Renewal = t.renewal()
	return nil
}

func (s *Service) openMoney(ctx context.Context, h balance.Holder, t terms, c balance.Cause) error {
	if _, _, err := s.Balances.Money(ctx, h.Subscription); err == nil || fault.From(err).Code != balance.CodeNoMoney {
		return err
	}
	a, _, err := s.Accounts.Billing.Get(ctx, h.Account)
	if err != nil {
		return err
	}
	currency, err := s.Accounts.CurrencyOf(ctx, a)
	if err != nil {
		return err
	}
	g := balance.Grant{Name: "Main balance", UsageType: catalog.Monetary, Unit: string(currency)}
	if o := t.offering.OpeningBalance; o != nil {
		g.Amount = o.Micros()
	}
	_, err = s.Balances.Open(ctx, h, g, saying(c, "Opening balance of %s", t.offering.Name))
	return err
}

// saying is a cause in other words.
func saying(c balance.Cause, format string, args ...any) balance.Cause {
	c.Text = fmt.Sprintf(format, args...)
	return c
}

func (s *Service) charge(ctx context.Context, b Start, t terms) error {
	charges, err := t.offering.FirstCharges()
	if err != nil || len(charges) == 0 {
		return err
	}
	money, _, err := s.Balances.Money(ctx, b.Line)
	if err != nil {
		return err
	}
	for _, c := range charges {
		cause := saying(b.Cause, "%s: %s, of which tax %s", c.Name, c.Gross, c.Tax)
		if err := s.Balances.Charge(ctx, cause, money, c.Gross.Micros(), c.Tax.Micros()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) grant(ctx context.Context, h balance.Holder, t terms, c balance.Cause) error {
	for _, al := range t.offering.Allowances {
		g := balance.Grant{Name: al.Name, UsageType: al.UsageType, Unit: al.Units, Amount: al.Amount}
		switch r := t.renewal(); {
		case al.ValidityDays > 0:
			end := t.now.Add(time.Duration(al.ValidityDays) * 24 * time.Hour)
			g.End = &end
		case al.Recurring && r != nil:
			g.End = &r.Next
		}
		if _, err := s.Balances.Open(ctx, h, g, saying(c, "Bundle %s of %s", al.Name, t.offering.Name)); err != nil {
			return err
		}
	}
	return nil
}

// Undo takes back what Begin or ChangePlan did under a cause, because of another: what was charged is paid back, what
// was granted is gone, the line is on the plan before, or holds the add-on no more. Doing it twice changes nothing.
func (s *Service) Undo(ctx context.Context, b Start, because balance.Cause) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		if err := s.Balances.Reverse(ctx, b.Line, b.Cause, because); err != nil {
			return err
		}
		_, err := s.Subscriptions.Lines.Change(ctx, b.Line, func(v *subscription.Line) error {
			if b.Product != "" {
				v.Drop(b.Product)
			} else if n := len(v.Plans); n > 0 && v.Plans[n-1].Offering == b.Offering {
				v.LeavePlan()
			}
			return nil
		})
		return err
	})
}

// End stops an add-on (or, with an empty product, the plan): nothing is renewed any more, what is left of its
// allowances is forfeited. Nothing is paid back.
func (s *Service) End(_ context.Context, _, _ id.ID, _ balance.Cause) error {
	return fault.Internalf(nil, "not there yet")
}

// ChangePlan ends the present plan and begins another in its place: the old plan's allowances are forfeited, the new
// one's first period is charged and begins now, add-ons stay. Undo of the same Start restores the old plan.
func (s *Service) ChangePlan(_ context.Context, _ Start) error {
	return fault.Internalf(nil, "not there yet")
}

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{} }
