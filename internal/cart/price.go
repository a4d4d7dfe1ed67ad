package cart

import (
	"context"
	"fmt"

	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The kinds of price that a total is split by, beside the one-off and recurring prices of the catalogue.
const (
	// Discount is what is taken off the prices of its period: a negative amount.
	Discount = "discount"
	// Tax is the tax in all that is due at once: the one-off prices and the first recurring ones.
	Tax = "tax"
)

// price prices every item and the cart.
func (s *Service) price(ctx context.Context, v *Cart) (err error) {
	var wrong fault.Several
	number(v.Items, "", "", map[string]bool{}, &wrong)
	if err := s.priceItems(ctx, v.Items, "", &wrong); err != nil {
		return err
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	v.Total, err = Totals(lines(v.Items))
	return err
}

func (s *Service) priceItems(ctx context.Context, items []Item, at string, wrong *fault.Several) (err error) {
	for n := range items {
		it := &items[n]
		here := fmt.Sprintf("%scartItem[%d]", at, n)
		if err := s.priceItem(ctx, it, here, wrong); err != nil {
			return err
		}
		if err := s.priceItems(ctx, it.Items, here+".", wrong); err != nil {
			return err
		}
		if it.Total, err = Totals(lines(items[n : n+1])); err != nil {
			return err
		}
	}
	return nil
}

// priceItem prices one item by itself. What is another system's has no price here.
func (s *Service) priceItem(ctx context.Context, it *Item, at string, wrong *fault.Several) (err error) {
	it.Prices = nil
	if it.Offering == nil || !id.ID(it.Offering.ID).Is(catalog.Kind) {
		return nil
	}
	o, err := s.Catalog.Offering(ctx, id.ID(it.Offering.ID))
	if err != nil && fault.KindOf(err) == fault.NotFound {
		wrong.Invalidf(at+".productOffering.id", "there is no product offering %s", it.Offering.ID)
		return nil
	}
	if err != nil {
		return err
	}
	if it.Offering.Name == "" {
		it.Offering.Name = o.Name
	}
	if it.Action == "add" || it.Action == "modify" {
		it.Prices, err = subscription.PricesOf(o)
	}
	return err
}

// lines are the prices of items and of what is within them, save those that are saved for later.
func lines(items []Item) []Line {
	var out []Line
	for _, it := range items {
		if it.Status == Saved {
			continue
		}
		out = append(append(out, Line{Quantity: max(it.Quantity, 1), Prices: it.Prices}), lines(it.Items)...)
	}
	return out
}

// Line is so many of something with its prices.
type Line struct {
	Quantity int
	Prices   []subscription.Price
}

// Totals sums prices by their kind and period, one entry each: one-off and recurring prices, discounts, and last the
// tax in all that is due at once. No two entries are of the same kind, period and currency.
func Totals(of []Line) ([]subscription.Price, error) {
	var out []subscription.Price
	tax := map[money.Currency]money.Amount{}
	var currencies []money.Currency
	for _, l := range of {
		for _, p := range l.Prices {
			p, err := times(p, l.Quantity)
			if err != nil {
				return nil, err
			}
			if out, err = add(out, p); err != nil {
				return nil, err
			}
			c := p.Price.TaxIncluded.Currency()
			if _, seen := tax[c]; !seen {
				tax[c] = money.OfMicros(0, c)
				currencies = append(currencies, c)
			}
			in, err := p.Price.TaxIncluded.Add(p.Price.DutyFree.Neg())
			if err != nil {
				return nil, err
			}
			if tax[c], err = tax[c].Add(in); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range currencies {
		none := money.OfMicros(0, c)
		out = append(out, subscription.Price{Name: "Tax", PriceType: Tax, Price: subscription.PriceAmount{TaxIncluded: tax[c], DutyFree: none}})
	}
	return out, nil
}

func times(p subscription.Price, n int) (subscription.Price, error) {
	if n == 1 {
		return p, nil
	}
	factor, err := decimal.New(int64(n), 0)
	if err != nil {
		return p, fault.Internalf(err, "a quantity cannot be counted")
	}
	if p.Price.TaxIncluded, err = p.Price.TaxIncluded.Mul(factor); err != nil {
		return p, err
	}
	p.Price.DutyFree, err = p.Price.DutyFree.Mul(factor)
	return p, err
}

func add(to []subscription.Price, p subscription.Price) (_ []subscription.Price, err error) {
	for n := range to {
		t := &to[n]
		if t.PriceType != p.PriceType || t.Period != p.Period || t.Price.TaxIncluded.Currency() != p.Price.TaxIncluded.Currency() {
			continue
		}
		if t.Price.TaxIncluded, err = t.Price.TaxIncluded.Add(p.Price.TaxIncluded); err != nil {
			return nil, err
		}
		t.Price.DutyFree, err = t.Price.DutyFree.Add(p.Price.DutyFree)
		return to, err
	}
	return append(to, subscription.Price{
		Name: names[p.PriceType], PriceType: p.PriceType, Period: p.Period,
		Price: subscription.PriceAmount{TaxIncluded: p.Price.TaxIncluded, DutyFree: p.Price.DutyFree},
	}), nil
}

var names = map[string]string{catalog.OneTime: "One-off", catalog.Recurring: "Recurring", Discount: "Discount"}
