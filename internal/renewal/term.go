package renewal

import (
	"context"
	"fmt"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// term is an offering that a line has: its plan or an add-on, at the prices at which it was bought.
type term struct {
	id       id.ID
	offering catalog.Offering
	prices   []subscription.Price
	// of is the line or the add-on, product the add-on.
	of, product id.ID
}

// term reads an offering that a line is on. One that is no more costs and grants nothing.
func (s *Service) term(ctx context.Context, r *sid.Ref) (t term, err error) {
	if r == nil {
		return t, nil
	}
	t.id = id.ID(r.ID)
	if t.offering, err = s.Catalog.Sold(ctx, t.id); fault.KindOf(err) == fault.NotFound {
		err = nil
	}
	return t, err
}

// offered reads an offering that begins, at the prices that hold now.
func (s *Service) offered(ctx context.Context, i id.ID) (t term, err error) {
	t.id = i
	if t.offering, err = s.Catalog.Offering(ctx, i); fault.KindOf(err) == fault.NotFound {
		err = nil
	}
	return t, err
}

// first is the renewal of a first period that begins at a moment; nil for what never renews.
func (t term) first(at time.Time, zone *time.Location) (*subscription.Renewal, error) {
	p, renews, err := PeriodOf(t.offering)
	if err != nil || !renews {
		return nil, err
	}
	return &subscription.Renewal{Anchor: at, Count: 1, Next: p.After(at, 1, zone)}, nil
}

// part is an amount that is charged, with the tax in it, in micros.
type part struct {
	name       string
	gross, tax int64
	unit       string
	// less says what was taken off, for people; empty for nothing.
	less string
}

// parts are what prices come to for their n-th period, counted from 0, discounts taken off: of the recurring ones
// alone, when again is set. What is never due by itself is left out (catalog.Due).
func parts(prices []subscription.Price, n int, again bool) (all []part, err error) {
	for _, p := range prices {
		due := catalog.Due(p.PriceType)
		if due == "" || again && due != catalog.Recurring || p.Price.TaxIncluded.Sign() <= 0 {
			continue
		}
		v, err := p.At(n)
		if err != nil {
			return nil, err
		}
		if v.TaxIncluded.Sign() <= 0 {
			continue
		}
		one := part{p.Name, v.TaxIncluded.Micros(), v.TaxIncluded.Micros() - v.DutyFree.Micros(), string(v.TaxIncluded.Currency()), ""}
		for _, a := range p.Discounts() {
			if a.LastsTo(n) {
				one.less += ", less " + a.Price.TaxIncluded.Neg().String() + ": " + a.Name
			}
		}
		all = append(all, one)
	}
	return all, nil
}

// charge takes parts from the money of the line: all, or none when they cannot be paid; then refused says why.
func (l *life) charge(all []part, c balance.Cause, period string) (refused, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	money := l.w.Money()
	if money == nil {
		return fault.Conflictf(balance.CodeNoMoney, "the subscription has no active money balance"), nil
	}
	unit, needed := money.Bucket.Unit, int64(0)
	for _, p := range all {
		needed += p.gross
		if p.unit != unit {
			return fault.Conflictf(balance.CodeNoMoney, "%s costs %s and the balance is in %s", p.name, p.unit, unit), nil
		}
	}
	if has := money.Spendable(l.now); has < needed {
		return fault.Conflictf(balance.CodeInsufficient, "the balance %s holds %s %s, and %s is needed",
			money.Bucket.Name, balance.Decimal(unit, has), unit, balance.Decimal(unit, needed)), nil
	}
	for _, p := range all {
		c.Text = fmt.Sprintf("%s%s: %s %s, of which tax %s%s", p.name, period, balance.Decimal(unit, p.gross), unit, balance.Decimal(unit, p.tax), p.less)
		if err := l.w.Charge(c, money, p.gross, p.tax, false); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// grant opens the buckets of an offering's allowances: of those that recur only, when again is set.
func (l *life) grant(t term, r *subscription.Renewal, c balance.Cause, at time.Time, again bool) error {
	for _, al := range t.offering.Allowances {
		if again && !al.Recurring {
			continue
		}
		g := balance.Grant{
			Name: al.Name, UsageType: al.UsageType, Unit: al.Units, Amount: al.Amount, Start: &at,
			Offering: t.id, OfferingName: t.offering.Name, Product: t.product,
			Group: al.Group, Zones: al.Zones, Roaming: al.Roaming, Priority: al.Priority,
		}
		l.ends(&g, al, t, r, at)
		c.Text = fmt.Sprintf("Bundle %s of %s", al.Name, t.offering.Name)
		if _, err := l.w.Open(g, c); err != nil {
			return err
		}
	}
	return nil
}

// ends says until when a grant lasts: so many days of 24 hours, or until its period ends; and what becomes of the rest.
func (l *life) ends(g *balance.Grant, al catalog.Allowance, t term, r *subscription.Renewal, at time.Time) {
	byPeriod := al.ValidityDays == 0 && al.Recurring && r != nil
	switch {
	case al.ValidityDays > 0:
		end := at.Add(time.Duration(al.ValidityDays) * 24 * time.Hour)
		g.End = &end
	case byPeriod:
		g.End = &r.Next
	}
	if al.Rollover == nil || g.End == nil {
		return
	}
	g.Rollover = &balance.Rollover{Periods: al.Rollover.Periods, Max: al.Rollover.Max}
	if p, renews, err := PeriodOf(t.offering); err == nil && renews && byPeriod {
		until := p.After(r.Anchor, r.Count+al.Rollover.Periods, l.rule.zone)
		g.Rollover.Until = &until
	}
}
