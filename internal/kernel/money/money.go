// Package money holds amounts of a currency exactly.
//
// An Amount counts millionths of the currency's main unit (micros) in an int64: rating needs more than
// cents, and every ISO 4217 currency fits. One unit for all currencies keeps the ledger one column wide;
// the largest amount is 9.2 billion main units. Amounts are rounded to the currency's own digits (half to
// even) only where money changes hands.
package money

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Micros is how many ledger units one main unit of any currency has.
const Micros = 1_000_000

// Currency is an ISO 4217 alphabetic code.
type Currency string

// digits holds the currencies whose minor unit is not a hundredth (ISO 4217, list one).
var digits = map[Currency]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0,
	"UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3, "CLF": 4, "UYW": 4,
}

// hundredths are the other circulating currencies of ISO 4217.
var hundredths = func() map[Currency]bool {
	m := map[Currency]bool{}
	const codes = "AEDAFNALLAMDANGAOAARSAUDAWGAZNBAMBBDBDTBGNBMDBNDBOBBRLBSDBTNBWPBYNBZDCADCDFCHFCNYCOPCRCCUPCVECZKDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGTQGYDHKDHNLHTGHUFIDRILSINRIRRJMDKESKGSKHRKPWKYDKZTLAKLBPLKRLRDLSLMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMYRMZNNADNGNNIONOKNPRNZDPABPENPGKPHPPKRPLNQARRONRSDRUBSARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTOPTRYTTDTWDTZSUAHUSDUYUUZSVEDVESWSTXCDXCGYERZARZMWZWG"
	for i := 0; i < len(codes); i += 3 {
		m[Currency(codes[i:i+3])] = true
	}
	return m
}()

// Valid reports whether c is a currency of ISO 4217 that circulates.
func (c Currency) Valid() bool { _, ok := digits[c]; return ok || hundredths[c] }

// Digits is how many decimals the currency's minor unit has.
func (c Currency) Digits() int {
	if d, ok := digits[c]; ok {
		return d
	}
	return 2
}

// Amount is an exact amount of one currency. Its zero value is no money of no currency.
type Amount struct {
	micros   int64
	currency Currency
}

// OfMicros is an amount counted in millionths of the main unit.
func OfMicros(micros int64, c Currency) Amount { return Amount{micros, c} }

// Parse reads a decimal such as "12.5" or "-0.000001"; more than six decimals, an exponent that leaves
// the range, or an unknown currency is an Invalid fault.
func Parse(text string, c Currency) (Amount, error) {
	if !c.Valid() {
		return Amount{}, fault.Invalidf("unit", "%q is not a currency of ISO 4217", string(c))
	}
	d, err := decimal.Parse(text)
	if err != nil {
		return Amount{}, fault.Invalidf("value", "%q is not a decimal amount", text)
	}
	return fromDecimal(d, c)
}

func fromDecimal(d decimal.Decimal, c Currency) (Amount, error) {
	scaled, err := d.Mul(decimal.MustNew(Micros, 0))
	if err != nil {
		return Amount{}, fault.Invalidf("value", "the amount is out of range")
	}
	whole, frac, ok := scaled.Int64(0)
	if !ok {
		return Amount{}, fault.Invalidf("value", "the amount is out of range")
	}
	if frac != 0 || !scaled.IsInt() {
		return Amount{}, fault.Invalidf("value", "an amount has at most six decimals")
	}
	return Amount{whole, c}, nil
}

// Micros is the amount in millionths of the main unit.
func (a Amount) Micros() int64 { return a.micros }

// Currency is the amount's currency.
func (a Amount) Currency() Currency { return a.currency }

// IsZero reports whether there is no money in it.
func (a Amount) IsZero() bool { return a.micros == 0 }

// Sign is -1, 0 or 1.
func (a Amount) Sign() int {
	switch {
	case a.micros < 0:
		return -1
	case a.micros > 0:
		return 1
	}
	return 0
}

// Neg is the opposite amount.
func (a Amount) Neg() Amount { return Amount{-a.micros, a.currency} }

// Add adds; different currencies or an overflow is an Invalid fault.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, fault.Invalidf("unit", "%s and %s cannot be added", a.currency, b.currency)
	}
	s := a.micros + b.micros
	if (s > a.micros) != (b.micros > 0) && b.micros != 0 {
		return Amount{}, fault.Invalidf("value", "the amount is out of range")
	}
	return Amount{s, a.currency}, nil
}

// Mul multiplies by a decimal factor (a tax rate, a unit count) and rounds half to even at the micro.
func (a Amount) Mul(factor decimal.Decimal) (Amount, error) {
	d, err := decimal.MustNew(a.micros, 0).Mul(factor)
	if err != nil {
		return Amount{}, fault.Invalidf("value", "the amount is out of range")
	}
	whole, _, ok := d.Round(0).Int64(0)
	if !ok {
		return Amount{}, fault.Invalidf("value", "the amount is out of range")
	}
	return Amount{whole, a.currency}, nil
}

// Round rounds half to even to the currency's own digits: what can be paid.
func (a Amount) Round() Amount {
	d := decimal.MustNew(a.micros, 6).Round(a.currency.Digits())
	whole, err := d.Mul(decimal.MustNew(Micros, 0))
	if err != nil {
		return a // rounding moves an int64 by less than one main unit
	}
	n, _, _ := whole.Int64(0)
	return Amount{n, a.currency}
}

// Decimal is the amount as text, with at least the currency's own digits: "12.50", "0.000125".
func (a Amount) Decimal() string {
	neg, m := a.micros < 0, uint64(a.micros)
	if neg {
		m = -m
	}
	frac := fmt.Sprintf("%06d", m%Micros)
	keep := 6
	for keep > a.currency.Digits() && frac[keep-1] == '0' {
		keep--
	}
	s := strconv.FormatUint(m/Micros, 10)
	if keep > 0 {
		s += "." + frac[:keep]
	}
	if neg {
		s = "-" + s
	}
	return s
}

// String is the amount for people: "12.50 EUR".
func (a Amount) String() string { return a.Decimal() + " " + string(a.currency) }

// MarshalJSONTo writes TM Forum's Money: {"unit":"EUR","value":12.50}. The value is a JSON number
// written digit by digit; it never passes through a float.
func (a Amount) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(jsontext.Value(`{"unit":"` + string(a.currency) + `","value":` + a.Decimal() + `}`))
}

// UnmarshalJSONFrom reads TM Forum's Money, its value a JSON number or a string of one.
func (a *Amount) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	return a.unmarshal(raw)
}

func (a *Amount) unmarshal(raw jsontext.Value) error {
	var unit, value string
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return fault.Invalidf("", "money is an object of unit and value")
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		switch text := scalar(v); key {
		case "unit", "currency":
			unit = text
		case "value", "amount":
			value = text
		}
	}
	if unit == "" || value == "" {
		return fault.Invalidf("", "money needs a unit (ISO 4217) and a value")
	}
	parsed, err := Parse(value, Currency(unit))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

func scalar(v jsontext.Value) string {
	if v.Kind() == '"' {
		s, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(s)
	}
	if v.Kind() == '0' {
		return string(v)
	}
	return ""
}
