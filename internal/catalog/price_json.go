package catalog

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// TMF620 writes a price in two ways: one that stands by itself has Money, its taxes beside it and a
// recurringChargePeriodType; one within an offering has a ProductPriceValue and a recurringChargePeriod. An
// offering's prices are read in either way and written in both at once, so that every client finds its own.

// priceDoc is a price within an offering as it is written.
type priceDoc struct {
	Type      string         `json:"@type,omitzero"`
	ID        string         `json:"id,omitzero"`
	Name      string         `json:"name,omitzero"`
	PriceType string         `json:"priceType,omitzero"`
	Cycle     string         `json:"recurringChargePeriod,omitzero"`
	Period    string         `json:"recurringChargePeriodType,omitzero"`
	Length    Length         `json:"recurringChargePeriodLength,omitzero"`
	Price     jsontext.Value `json:"price,omitzero"`
	Tax       []Tax          `json:"tax,omitzero"`
	ValidFor  *sid.Period    `json:"validFor,omitzero"`
	Altered   []Alteration   `json:"priceAlteration,omitzero"`
	Rest      sid.Rest       `json:",embed"`
}

// priceValue is Money and ProductPriceValue in one.
type priceValue struct {
	Unit        string         `json:"unit,omitzero"`
	Value       jsontext.Value `json:"value,omitzero"`
	TaxIncluded *money.Amount  `json:"taxIncludedAmount,omitempty"`
	DutyFree    *money.Amount  `json:"dutyFreeAmount,omitempty"`
	Rate        jsontext.Value `json:"taxRate,omitzero"`
	Category    string         `json:"taxCategory,omitzero"`
	Rest        sid.Rest       `json:",embed"`
}

// MarshalJSONTo writes the price in both ways.
func (p Price) MarshalJSONTo(enc *jsontext.Encoder) error {
	d := priceDoc{
		Type: p.Type, ID: p.ID, Name: p.Name, PriceType: p.PriceType, Cycle: p.Period, Period: p.Period, Length: p.Length,
		Tax: p.Tax, ValidFor: p.ValidFor, Altered: p.Alterations, Rest: p.Rest,
	}
	if p.Price != nil || len(p.more) > 0 {
		v := priceValue{Rest: p.more}
		if p.Price != nil {
			v.Unit, v.Value, v.TaxIncluded = string(p.Price.Currency()), jsontext.Value(p.Price.Decimal()), p.Price
		}
		p.taxed(&v)
		value, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			return err
		}
		d.Price = value
	}
	return json.MarshalEncode(enc, d, json.Deterministic(true))
}

// taxed adds the tax to a value, when it is one that can be told.
func (p Price) taxed(v *priceValue) {
	rate, err := taxRate(p.Tax)
	if err != nil {
		return
	}
	if len(p.Tax) > 0 {
		v.Rate, v.Category = jsontext.Value(rate.String()), p.Tax[0].Category
	}
	if p.Price == nil {
		return
	}
	tax, err := p.taxIn(*p.Price)
	if err != nil {
		return
	}
	if net, err := p.Price.Add(tax.Neg()); err == nil {
		v.DutyFree = &net
	}
}

// UnmarshalJSONFrom reads a price written in either way. Two ways that say different things are an Invalid fault.
func (p *Price) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var d priceDoc
	if err := json.UnmarshalDecode(dec, &d); err != nil {
		return err
	}
	*p = Price{
		Type: d.Type, ID: d.ID, Name: d.Name, PriceType: d.PriceType, Period: d.Period, Length: d.Length,
		Tax: d.Tax, ValidFor: d.ValidFor, Alterations: d.Altered, Rest: d.Rest,
	}
	switch cycle := PeriodNamed(d.Cycle); {
	case p.Period == "":
		p.Period = cycle
	case cycle != "" && cycle != p.Period:
		return fault.Invalidf("recurringChargePeriod", "recurringChargePeriod and recurringChargePeriodType say different things: give one, or the same")
	}
	if len(d.Price) == 0 || d.Price.Kind() == 'n' {
		return nil
	}
	return p.read(d.Price)
}

// read takes the amount and its tax from a value.
func (p *Price) read(raw jsontext.Value) error {
	var v priceValue
	if err := json.Unmarshal(raw, &v); err != nil {
		if f := fault.From(err); f.Kind != fault.Internal {
			return f.At(under("price", f.Attribute))
		}
		return fault.Invalidf("price", "a price has unit and value, or taxIncludedAmount").Because(err)
	}
	p.more = v.Rest
	if len(p.Tax) == 0 && len(v.Rate) > 0 {
		p.Tax = []Tax{{Category: v.Category, Rate: v.Rate}}
	}
	rate, err := taxRate(p.Tax)
	if err != nil {
		return fault.Invalidf("tax.taxRate", "a tax rate is a percentage such as 8.1")
	}
	if told, err := decimal.Parse(strings.Trim(string(v.Rate), `"`)); len(v.Rate) > 0 && (err != nil || told.Cmp(rate) != 0) {
		return fault.Invalidf("price.taxRate", "taxRate and the rates under tax say different things: give one, or the same")
	}
	if v.Unit != "" || len(v.Value) > 0 {
		var a money.Amount
		if err := json.Unmarshal(raw, &a); err != nil {
			return fault.From(err).At(under("price", fault.From(err).Attribute))
		}
		p.Price = &a
	}
	switch {
	case v.TaxIncluded != nil && p.Price != nil && *p.Price != *v.TaxIncluded:
		return fault.Invalidf("price.taxIncludedAmount", "taxIncludedAmount and value say different things: give one, or the same")
	case v.TaxIncluded != nil:
		p.Price = v.TaxIncluded
	case v.DutyFree != nil && p.Price == nil:
		gross, err := grossOf(*v.DutyFree, rate)
		if err != nil {
			return fault.Invalidf("price.dutyFreeAmount", "the price is out of range")
		}
		p.Price = &gross
	}
	return nil
}

// grossOf adds a tax, in percent, to an amount without it.
func grossOf(net money.Amount, rate decimal.Decimal) (money.Amount, error) {
	whole, err := rate.Add(decimal.MustNew(100, 0))
	if err != nil {
		return net, err
	}
	factor, err := whole.Quo(decimal.MustNew(100, 0))
	if err != nil {
		return net, err
	}
	gross, err := net.Mul(factor)
	return gross.Round(), err
}

// PeriodNamed is the period that a word stands for, day, week, month or year: clients write "monthly" as well as
// "month". Any other word is given back.
func PeriodNamed(word string) string {
	switch low := strings.ToLower(word); low {
	case "day", "days", "daily":
		return "day"
	case "week", "weeks", "weekly":
		return "week"
	case "month", "months", "monthly":
		return "month"
	case "year", "years", "yearly", "annual", "annually":
		return "year"
	}
	return word
}

// Periodic reports whether a period is one that prices are charged for: day, week, month or year.
func Periodic(period string) bool { return slices.Contains(periods, period) }

// Length is how many days, weeks, months or years a recurring price pays; 0 when nobody said, which is one.
type Length int

// UnmarshalJSONFrom refuses what is no length, 0 among it.
func (l *Length) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(v))
	if v.Kind() == 'n' {
		n, err = 0, nil
	} else if err == nil && (n < 1 || n > maxLength) || err != nil {
		return fault.Invalidf("", "the length of a period is a number from 1 to %d", maxLength)
	}
	*l = Length(n)
	return err
}
