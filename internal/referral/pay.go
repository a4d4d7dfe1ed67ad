package referral

import (
	"context"
	"fmt"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
)

// settle pays the bonuses of a referral that waits, to both sides in one transaction, or forfeits them when the new line
// is not in use any more.
func (s *Service) settle(ctx context.Context, i id.ID) (store.Doc, error) {
	v, d, err := s.Referrals.Get(ctx, i)
	if err != nil || v.Status != Pending {
		return d, err
	}
	now := s.store.Now(ctx)
	v.Closed = &now
	fit, err := s.fit(ctx, v.Line)
	if err != nil {
		return d, err
	}
	if !fit {
		v.Status, v.Reason = Forfeit, "the recommended subscription is not in use any more"
		return s.Referrals.Replace(ctx, d, &v)
	}
	v.Status, v.Bonuses = Awarded, nil
	if err := s.pay(ctx, i, &v, referred, v.Line, v.Promised.Referred); err != nil {
		return d, err
	}
	theirs, err := s.paid(ctx, v.ReferrerID)
	if err != nil {
		return d, err
	}
	if theirs == "" {
		v.Reason = "who recommended it has no subscription in use any more, and got nothing"
	} else if err := s.pay(ctx, i, &v, referrer, theirs, v.Promised.Referrer); err != nil {
		return d, err
	}
	return s.Referrals.Replace(ctx, d, &v)
}

// pay gives a line its side's bonus.
func (s *Service) pay(ctx context.Context, i id.ID, v *Referral, side string, line id.ID, b provider.ReferralBonus) error {
	if b.Amount == nil && len(b.AddOns) == 0 {
		return nil
	}
	w, err := s.Balances.Wallet(ctx, line)
	if err != nil {
		return err
	}
	c := balance.Cause{Kind: Kind.Name, ID: string(i)}
	if b.Amount != nil {
		h := w.Money()
		if h == nil || h.Bucket.Unit != string(b.Amount.Currency()) {
			return fault.Conflictf(CodeNotEligible, "the subscription has no money in %s that a bonus could go to", b.Amount.Currency())
		}
		c.Text = fmt.Sprintf("Bonus of %s: %s", b.Amount, words(side))
		if err := w.Move(c, balance.Movement{Bucket: h.ID, Amount: b.Amount.Micros(), Against: balance.Issued}); err != nil {
			return err
		}
		v.Bonuses = append(v.Bonuses, Bonus{Side: side, Line: line, Bucket: h.ID, Amount: b.Amount, Name: h.Bucket.Name})
	}
	for _, key := range b.AddOns {
		if err := s.give(ctx, w, v, c, side, key); err != nil {
			return err
		}
	}
	return s.Balances.Save(ctx, w)
}

func words(side string) string {
	if side == referrer {
		return "recommended to a friend"
	}
	return "recommended by a friend"
}

// give opens the allowances of an add-on. An add-on that is sold no more gives nothing.
func (s *Service) give(ctx context.Context, w *balance.Wallet, v *Referral, c balance.Cause, side, key string) error {
	offering, err := s.Catalog.ByKey(ctx, key)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	o, err := s.Catalog.Offering(ctx, offering)
	if err != nil {
		return err
	}
	for _, al := range o.Allowances {
		g := balance.Grant{
			Name: al.Name, UsageType: al.UsageType, Unit: al.Units, Amount: al.Amount, Offering: offering, OfferingName: o.Name,
			Zones: al.Zones, Roaming: al.Roaming, Priority: al.Priority, Promotional: true,
		}
		days := al.ValidityDays
		if days == 0 && al.Recurring { // it is given once: for a month
			days = monthOfBonus
		}
		if days > 0 {
			end := w.Now.Add(time.Duration(days) * 24 * time.Hour)
			g.End = &end
		}
		c.Text = fmt.Sprintf("Bonus %s of %s: %s", al.Name, o.Name, words(side))
		h, err := w.Open(g, c)
		if err != nil {
			return err
		}
		v.Bonuses = append(v.Bonuses, Bonus{Side: side, Line: w.Line, Bucket: h.ID, AddOn: key, Name: al.Name})
	}
	return nil
}

// monthOfBonus is how many days an allowance is good for that would be granted anew each period if it were bought.
const monthOfBonus = 30

// Revoke implements order.Referral: it takes back what a referral brought, as far as it is still there, and the
// customer may be referred again.
func (s *Service) Revoke(ctx context.Context, line id.ID, _ string) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		v, d, err := s.ofLine(ctx, line)
		if err != nil || d.ID == "" || v.Status == Refused {
			return err
		}
		for n := range v.Bonuses {
			if err := s.takeBack(ctx, d.ID, &v.Bonuses[n]); err != nil {
				return err
			}
		}
		for _, name := range claims(v.ReferredID, v.Party) {
			if err := s.store.Unclaim(ctx, referredClaim, name); err != nil {
				return err
			}
		}
		if err := s.uncount(ctx, v); err != nil {
			return err
		}
		now := s.store.Now(ctx)
		v.Status, v.Reason, v.Closed = Revoked, "the order was not carried out", &now
		_, err = s.Referrals.Replace(ctx, d, &v)
		return err
	})
}

// takeBack takes back one bonus: of money what is there, of an add-on what is left of it.
func (s *Service) takeBack(ctx context.Context, i id.ID, b *Bonus) error {
	w, err := s.Balances.Wallet(ctx, b.Line)
	if err != nil {
		return err
	}
	h := w.Find(b.Bucket)
	if h == nil {
		return nil // it has ended, and left nothing
	}
	c := balance.Cause{Kind: Kind.Name, ID: string(i), Text: "Taken back: the recommended subscription did not come to be"}
	if b.Amount == nil {
		if err := w.Forfeit(c, h); err != nil {
			return err
		}
		return s.Balances.Save(ctx, w)
	}
	n := min(b.Amount.Micros(), h.Spendable(w.Now))
	back := money.OfMicros(n, b.Amount.Currency())
	b.TakenBack = &back
	if n == 0 {
		return nil
	}
	if err := w.Move(c, balance.Movement{Bucket: h.ID, Amount: -n, Against: balance.Issued}); err != nil {
		return err
	}
	return s.Balances.Save(ctx, w)
}

// uncount takes a referral off its referrer's limits.
func (s *Service) uncount(ctx context.Context, v Referral) error {
	c, was, err := s.ByCode(ctx, v.Code)
	if err != nil {
		return err
	}
	c.Count = max(c.Count-1, 0)
	if c.Month == v.Month {
		c.InMonth = max(c.InMonth-1, 0)
	}
	_, err = s.Codes.Replace(ctx, was, &c)
	return err
}

// History is the referrals of a customer, on either side, the newest first, and how many there are.
func (s *Service) History(ctx context.Context, customer id.ID, offset, limit int) (all []Entry, total int64, err error) {
	err = s.store.Snapshot(ctx, func(ctx context.Context) error {
		newest := []store.Sort{{Path: []string{"id"}, Desc: true}}
		came, err := s.Referrals.Docs(ctx, store.Query{Filters: of("referredId", customer).Filters, Sort: newest})
		if err != nil {
			return err
		}
		first := came.Items[min(offset, len(came.Items)):]
		made, err := s.Referrals.Docs(ctx, store.Query{
			Filters: of("referrerId", customer).Filters, Sort: newest, Offset: max(offset-len(came.Items), 0), Limit: max(limit-len(first), 1),
		})
		if err != nil {
			return err
		}
		all, total = nil, made.Total+came.Total
		// What brought the customer here is told first: it is one, or few that came to nothing.
		for _, part := range []struct {
			side string
			docs []store.Doc
		}{{referred, first[:min(limit, len(first))]}, {referrer, made.Items[:min(max(limit-len(first), 0), len(made.Items))]}} {
			for _, d := range part.docs {
				e := Entry{ID: d.ID, Side: part.side}
				if err := read(d, &e.Referral); err != nil {
					return err
				}
				all = append(all, e)
			}
		}
		return nil
	})
	return all, total, err
}

// Entry is a referral as one of its sides sees it.
type Entry struct {
	ID   id.ID
	Side string
	Referral
}
