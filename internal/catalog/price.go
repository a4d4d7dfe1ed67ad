package catalog

import (
	"context"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Price types of TMF620 that rules know.
const (
	OneTime   = "oneTime"
	Recurring = "recurring"
)

// Price is what an offering costs (TMF620 ProductOfferingPriceRefOrValue). Price includes the tax. One with an
// ID refers to a price that stands by itself: see Service.Offering, which looks it up.
type Price struct {
	Type string
	ID   string
	Name string
	// PriceType is OneTime, Recurring, or another, which is shown but not charged.
	PriceType string
	// Period is day, week, month or year, and Length how many of them a recurring price pays; 0 is one.
	Period   string
	Length   Length
	Price    *money.Amount
	Tax      []Tax
	ValidFor *sid.Period
	// Alterations are discounts on it.
	Alterations []Alteration
	Rest        sid.Rest
	// more is what its value says that no rule touches.
	more sid.Rest
}

// Tax is a tax that a price includes; the rate is in percent.
type Tax struct {
	Category string         `json:"taxCategory,omitzero"`
	Rate     jsontext.Value `json:"taxRate,omitzero"`
	Rest     sid.Rest       `json:",embed"`
}

// Charge is an amount with the part of it that is tax.
type Charge struct {
	Name       string
	Gross, Tax money.Amount
	Recurring  bool
}

// FirstCharges is what an offering costs when it is bought: all that is due at its start, each rounded to what can be
// paid and its discounts taken off. A price that is only referred to is a Conflict fault: take the offering from
// Service.Offering.
func (v Offering) FirstCharges() ([]Charge, error) {
	var out []Charge
	for _, p := range v.Prices {
		if p.ID != "" && p.Price == nil {
			return nil, fault.Conflictf(CodeNotSellable, "the price %s of the offering %s is not known here", p.ID, v.Name)
		}
		if p.Price == nil || p.Price.Sign() <= 0 || p.Due() == "" {
			continue
		}
		c := Charge{Name: p.Name, Gross: p.Price.Round(), Recurring: p.Due() == Recurring}
		cuts, err := p.Discounts()
		if err != nil {
			return nil, err
		}
		for _, d := range cuts {
			if c.Gross, err = c.Gross.Add(d.Gross.Neg()); err != nil {
				return nil, err
			}
		}
		if c.Gross.IsZero() {
			continue
		}
		if c.Tax, err = p.taxIn(c.Gross); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// Net is the price without the tax in it; one that is never due by itself is given as it is.
func (p Price) Net() (money.Amount, error) {
	if p.Due() == "" || p.Price.Sign() <= 0 {
		return *p.Price, nil
	}
	gross := p.Price.Round()
	tax, err := p.taxIn(gross)
	if err != nil {
		return money.Amount{}, err
	}
	return gross.Add(tax.Neg())
}

// Due says when a price of a type is charged, however the type is spelt ("one time", "OneTime"): OneTime, at the start
// and never again, Recurring, at the start and at each renewal, or never by itself, which is empty: usage, penalties,
// prices that describe a discount. A price without a type is charged once. Carts, orders and renewals go by it.
func Due(priceType string) string {
	switch strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(priceType)) {
	case "", "onetime", "oneoff":
		return OneTime
	case Recurring:
		return Recurring
	}
	return ""
}

// Due is Due of the price's type.
func (p Price) Due() string { return Due(p.PriceType) }

// taxIn is the part of a gross amount that is tax: gross × rate ÷ (100 + rate).
func (p Price) taxIn(gross money.Amount) (money.Amount, error) {
	sum, err := taxRate(p.Tax)
	if err != nil {
		return money.Amount{}, err
	}
	whole, err := sum.Add(decimal.MustNew(100, 0))
	if err != nil {
		return money.Amount{}, errTaxRange
	}
	share, err := sum.Quo(whole)
	if err != nil {
		return money.Amount{}, errTaxRange
	}
	tax, err := gross.Mul(share)
	return tax.Round(), err
}

var errTaxRange = fault.Invalidf("productOfferingPrice.tax.taxRate", "the tax rate is out of range")

// taxRate is the sum of the rates of some taxes, in percent.
func taxRate(taxes []Tax) (decimal.Decimal, error) {
	sum := decimal.MustNew(0, 0)
	for _, t := range taxes {
		rate, err := decimal.Parse(strings.Trim(string(t.Rate), `"`))
		if err != nil || rate.IsNeg() {
			return sum, fault.Invalidf("productOfferingPrice.tax.taxRate", "a tax rate is a percentage such as 8.1")
		}
		if sum, err = sum.Add(rate); err != nil {
			return sum, errTaxRange
		}
	}
	return sum, nil
}

// PriceKind is the id kind of prices that stand by themselves.
var PriceKind = id.Kind{Name: "productOfferingPrice", Prefix: "pop"}

// OfferingPrice is a price that stands by itself, so that several offerings can refer to it (TMF620
// ProductOfferingPrice).
type OfferingPrice struct {
	Type            string          `json:"@type,omitzero"`
	Name            string          `json:"name,omitzero"`
	Description     string          `json:"description,omitzero"`
	Version         string          `json:"version,omitzero"`
	LifecycleStatus LifecycleStatus `json:"lifecycleStatus,omitzero"`
	LastUpdate      time.Time       `json:"lastUpdate,omitzero"`
	PriceType       string          `json:"priceType,omitzero"`
	Period          string          `json:"recurringChargePeriodType,omitzero"`
	Length          Length          `json:"recurringChargePeriodLength,omitzero"`
	Price           *money.Amount   `json:"price,omitempty"`
	Tax             []Tax           `json:"tax,omitzero"`
	ValidFor        *sid.Period     `json:"validFor,omitzero"`
	// Alterations are discounts on it; TMF620 has them on the prices of an offering.
	Alterations []Alteration `json:"priceAlteration,omitzero"`
	Key         string       `json:"key,omitzero"`
	Rest        sid.Rest     `json:",embed"`
}

func (v *OfferingPrice) complete() { begin(&v.Type, "ProductOfferingPrice", &v.LifecycleStatus) }

func (v OfferingPrice) check() error {
	var wrong fault.Several
	named(&wrong, v.Name, v.Key, v.LifecycleStatus)
	v.value().check(&wrong, "")
	return wrong.Err()
}

func (v *OfferingPrice) core() core {
	return core{&v.Type, &v.Key, &v.LifecycleStatus, &v.LastUpdate, &v.Rest}
}

// value is the price as an offering holds one.
func (v OfferingPrice) value() Price {
	return Price{
		Type: v.Type, Name: v.Name, PriceType: v.PriceType, Period: v.Period, Length: v.Length, Price: v.Price, Tax: v.Tax, ValidFor: v.ValidFor,
		Alterations: v.Alterations,
	}
}

// Offering is an offering with the prices that hold now: those it refers to are looked up, those of another time
// or not in use are left out. A price of another system stays a reference, which nobody can buy by.
func (s *Service) Offering(ctx context.Context, i id.ID) (Offering, error) {
	return s.priced(ctx, i, false)
}

// Sold is an offering as those have it who bought it: with all its prices, those it refers to looked up, whether they
// are still asked of others or not.
func (s *Service) Sold(ctx context.Context, i id.ID) (Offering, error) { return s.priced(ctx, i, true) }

func (s *Service) priced(ctx context.Context, i id.ID, all bool) (Offering, error) {
	v, err := s.known(ctx, i)
	if err != nil {
		return v, err
	}
	now := s.store.Now(ctx)
	prices := make([]Price, 0, len(v.Prices))
	for _, p := range v.Prices {
		if ref := id.ID(p.ID); ref.Is(PriceKind) {
			found, err := s.Prices.Shared(ctx, ref)
			if err != nil {
				return v, err
			}
			if !all && found.LifecycleStatus != Active && found.LifecycleStatus != Launched {
				continue
			}
			p = found.value()
			p.ID = string(ref)
		}
		switch {
		case all:
			prices = append(prices, p)
		case p.ValidFor == nil || p.ValidFor.Contains(now):
			prices = append(prices, p.at(now))
		}
	}
	v.Prices = prices
	return v, nil
}
