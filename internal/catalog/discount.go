package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Alteration is a discount on a price (TMF620 POPAlteration): a percentage of it, or an amount with its tax, for all
// periods or for the first of them. What is charged is the lower price, and the tax in that.
type Alteration struct {
	Name        string `json:"name,omitzero"`
	Description string `json:"description,omitzero"`
	// PriceType says for people what is lowered ("recurring discount"): the price that it stands in does.
	PriceType string `json:"priceType,omitzero"`
	// Priority is kept, and decides nothing: every discount is reckoned from the full price.
	Priority int `json:"priority,omitzero"`
	// Duration is how long a recurring price is lowered: so many of its own days, weeks, months or years, counted from
	// when it is first charged; nil: as long as it is charged.
	Duration *sid.Quantity `json:"applicationDuration,omitzero"`
	// ValidFor is when it must be bought to have the discount.
	ValidFor *sid.Period     `json:"validFor,omitzero"`
	Price    AlterationValue `json:"price,omitzero"`
	Rest     sid.Rest        `json:",embed"`
}

// AlterationValue is how much is taken off (TMF620 ProductPriceValue): one of its members.
type AlterationValue struct {
	// Percentage is a number above 0 and at most 100.
	Percentage  jsontext.Value `json:"percentage,omitzero"`
	TaxIncluded *money.Amount  `json:"taxIncludedAmount,omitempty"`
	DutyFree    *money.Amount  `json:"dutyFreeAmount,omitempty"`
	Rest        sid.Rest       `json:",embed"`
}

// Discount is what an alteration takes off a price each time that it is charged.
type Discount struct {
	Name, Description string
	// Percentage is the text of a number; empty for one of an amount.
	Percentage string
	// Gross is what is taken off, above 0, Tax the part of it that is tax.
	Gross, Tax money.Amount
	// Periods is how often it is taken off a recurring price, from the first time; 0 has no end.
	Periods int
}

// Discounts are what is taken off the price, what lasts longest first. Each is reckoned from the full price; together
// they take off no more than it.
func (p Price) Discounts() ([]Discount, error) {
	if p.Price == nil || p.Due() == "" || len(p.Alterations) == 0 {
		return nil, nil
	}
	out := make([]Discount, 0, len(p.Alterations))
	for _, a := range p.Alterations {
		d, err := p.discount(a)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	// Those that are taken off at any period are the first so many then, so that the tax of each is known.
	slices.SortStableFunc(out, func(a, b Discount) int {
		if (a.Periods == 0) != (b.Periods == 0) {
			return cmp.Compare(a.Periods, b.Periods)
		}
		return cmp.Compare(b.Periods, a.Periods)
	})
	left := p.Price.Round()
	tax, err := p.taxIn(left)
	if err != nil {
		return nil, err
	}
	kept := out[:0]
	for _, d := range out {
		if d.Gross.Micros() > left.Micros() {
			d.Gross = left
		}
		if d.Gross.Sign() <= 0 {
			continue
		}
		if left, err = left.Add(d.Gross.Neg()); err != nil {
			return nil, err
		}
		remains, err := p.taxIn(left)
		if err != nil {
			return nil, err
		}
		if d.Tax, err = tax.Add(remains.Neg()); err != nil {
			return nil, err
		}
		tax = remains
		kept = append(kept, d)
	}
	return kept, nil
}

// discount is one alteration by itself, without its tax.
func (p Price) discount(a Alteration) (d Discount, err error) {
	d = Discount{Name: cmp.Or(a.Name, "Discount"), Description: a.Description}
	if d.Periods, err = p.periods(a.Duration); err != nil {
		return d, err
	}
	v := a.Price
	switch {
	case len(v.Percentage) > 0 && v.TaxIncluded == nil && v.DutyFree == nil:
		share, err := decimal.Parse(plain(v.Percentage))
		if err == nil {
			d.Percentage = share.String()
			share, err = share.Quo(decimal.MustNew(100, 0))
		}
		if err != nil || share.Sign() <= 0 || share.Cmp(decimal.MustNew(1, 0)) > 0 {
			return d, fault.Invalidf("price.percentage", "a percentage is above 0, and at most 100")
		}
		d.Gross, err = p.Price.Round().Mul(share)
		d.Gross = d.Gross.Round()
		return d, err
	case len(v.Percentage) > 0:
		return d, fault.Invalidf("price.percentage", "a discount is a percentage or an amount, not both")
	case v.TaxIncluded != nil:
		d.Gross = *v.TaxIncluded
	case v.DutyFree != nil:
		rate, err := taxRate(p.Tax)
		if err != nil {
			return d, err
		}
		if d.Gross, err = grossOf(*v.DutyFree, rate); err != nil {
			return d, fault.Invalidf("price.dutyFreeAmount", "the amount is out of range")
		}
	default:
		return d, fault.Invalidf("price", "a discount has a percentage or a taxIncludedAmount")
	}
	d.Gross = d.Gross.Round()
	if d.Gross.Currency() != p.Price.Currency() || d.Gross.Sign() <= 0 || d.Gross.Micros() > p.Price.Round().Micros() {
		return d, fault.Invalidf("price.taxIncludedAmount", "a discount is above 0, in the currency of the price, and at most the price itself: %s", p.Price)
	}
	return d, nil
}

// periods is how many periods of the price a duration is; 0 for none.
func (p Price) periods(d *sid.Quantity) (int, error) {
	if d == nil {
		return 0, nil
	}
	if p.Due() != Recurring {
		return 0, fault.Invalidf("applicationDuration", "only a recurring price has a discount for so long")
	}
	length := max(int(p.Length), 1)
	n, err := strconv.Atoi(plain(d.Amount))
	if err != nil || PeriodNamed(d.Units) != PeriodNamed(p.Period) || n < 1 || n%length != 0 || n/length > maxPeriods {
		return 0, fault.Invalidf("applicationDuration", "a discount lasts whole periods of its price, at most %d: the price is for %d %s", maxPeriods, length, p.Period)
	}
	return n / length, nil
}

// plain is a number as it is written, within quotes or not.
func plain(v jsontext.Value) string { return strings.Trim(string(v), `"`) }

// mostAlterations bounds the discounts on one price.
const mostAlterations = 10

// checkAlterations refuses discounts that nothing can be reckoned by.
func (p Price) checkAlterations(wrong *fault.Several, at string) {
	if len(p.Alterations) > mostAlterations {
		wrong.Invalidf(under(at, "priceAlteration"), "a price has at most %d discounts", mostAlterations)
	}
	if p.Price == nil || p.Due() == "" {
		return
	}
	for n, a := range p.Alterations {
		here := under(at, fmt.Sprintf("priceAlteration[%d]", n))
		if f := fault.From(func() error { _, err := p.discount(a); return err }()); f != nil {
			wrong.Invalidf(under(here, f.Attribute), "%s", f.Message)
		}
		orderedAt(wrong, under(here, "validFor"), a.ValidFor)
	}
}

// at is the price as it is sold at a moment: without the discounts of another time.
func (p Price) at(now time.Time) Price {
	p.Alterations = slices.DeleteFunc(slices.Clone(p.Alterations), func(a Alteration) bool {
		return a.ValidFor != nil && !a.ValidFor.Contains(now)
	})
	return p
}
