package cart

import (
	"context"
	"fmt"
	"time"

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
func (s *Service) price(ctx context.Context, v *Cart, now time.Time) (err error) {
	var wrong fault.Several
	number(v.Items, "", "", map[string]bool{}, &wrong)
	if err := s.priceItems(ctx, v.Items, "", now, &wrong); err != nil {
		return err
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	v.Total, err = Totals(lines(v.Items))
	return err
}

func (s *Service) priceItems(ctx context.Context, items []Item, at string, now time.Time, wrong *fault.Several) (err error) {
	for n := range items {
		it := &items[n]
		here := fmt.Sprintf("%scartItem[%d]", at, n)
		if err := s.priceItem(ctx, it, here, now, wrong); err != nil {
			return err
		}
		if err := s.priceItems(ctx, it.Items, here+".", now, wrong); err != nil {
			return err
		}
		if it.Total, err = Totals(lines(items[n : n+1])); err != nil {
			return err
		}
	}
	return nil
}

// priceItem prices one item by itself. What is another system's has no price here; what is not sold now is refused, as
// its order would be.
func (s *Service) priceItem(ctx context.Context, it *Item, at string, now time.Time, wrong *fault.Several) (err error) {
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
		if err := o.Sellable(now); err != nil && it.Status != Saved {
			return fault.From(err).At(at + ".productOffering")
		}
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

// Totals sums prices by their kind and period, one entry each: one-off and recurring prices, then the discounts on the
// first of them, which are negative, and last the tax in all that is due at once. Prices that are never due by
// themselves (catalog.Due) are in no sum. No two entries are of the same kind, period and currency.
func Totals(of []Line) ([]subscription.Price, error) {
	var out, off []subscription.Price
	tax := map[money.Currency]money.Amount{}
	var currencies []money.Currency
	for _, l := range of {
		for _, p := range l.Prices {
			due := catalog.Due(p.PriceType)
			if due == "" {
				continue
			}
			amount, err := times(p.Price, l.Quantity)
			if err != nil {
				return nil, err
			}
			if out, err = add(out, due, p.Period, amount); err != nil {
				return nil, err
			}
			for _, a := range p.Discounts() {
				less, err := times(a.Price, l.Quantity)
				if err != nil {
					return nil, err
				}
				if off, err = add(off, Discount, p.Period, less); err != nil {
					return nil, err
				}
			}
			c := p.Price.TaxIncluded.Currency()
			if _, seen := tax[c]; !seen {
				tax[c] = money.OfMicros(0, c)
				currencies = append(currencies, c)
			}
			if tax[c], err = taxed(tax[c], p, l.Quantity); err != nil {
				return nil, err
			}
		}
	}
	out = append(out, off...)
	for _, c := range currencies {
		none := money.OfMicros(0, c)
		out = append(out, subscription.Price{Name: "Tax", PriceType: Tax, Price: subscription.PriceAmount{TaxIncluded: tax[c], DutyFree: none}})
	}
	return out, nil
}

// taxed adds the tax that is due at once in so many of a price.
func taxed(sum money.Amount, p subscription.Price, n int) (money.Amount, error) {
	first, err := p.At(0)
	if err != nil {
		return sum, err
	}
	if first, err = times(first, n); err != nil {
		return sum, err
	}
	in, err := first.TaxIncluded.Add(first.DutyFree.Neg())
	if err != nil {
		return sum, err
	}
	return sum.Add(in)
}

func times(p subscription.PriceAmount, n int) (subscription.PriceAmount, error) {
	out := subscription.PriceAmount{TaxIncluded: p.TaxIncluded, DutyFree: p.DutyFree}
	if n == 1 {
		return out, nil
	}
	factor, err := decimal.New(int64(n), 0)
	if err != nil {
		return p, fault.Internalf(err, "a quantity cannot be counted")
	}
	if out.TaxIncluded, err = p.TaxIncluded.Mul(factor); err != nil {
		return p, err
	}
	out.DutyFree, err = p.DutyFree.Mul(factor)
	return out, err
}

func add(to []subscription.Price, kind, period string, p subscription.PriceAmount) (_ []subscription.Price, err error) {
	for n := range to {
		t := &to[n]
		if t.PriceType != kind || t.Period != period || t.Price.TaxIncluded.Currency() != p.TaxIncluded.Currency() {
			continue
		}
		if t.Price.TaxIncluded, err = t.Price.TaxIncluded.Add(p.TaxIncluded); err != nil {
			return nil, err
		}
		t.Price.DutyFree, err = t.Price.DutyFree.Add(p.DutyFree)
		return to, err
	}
	return append(to, subscription.Price{Name: names[kind], PriceType: kind, Period: period, Price: p}), nil
}

var names = map[string]string{catalog.OneTime: "One-off", catalog.Recurring: "Recurring", Discount: "Discount"}
