package balance

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Units that the ledger counts beside currencies.
const (
	Seconds  = "seconds"
	Bytes    = "bytes"
	Messages = "messages"
)

// Decimal shows a count of ledger units as people write it: micros as "12.50", all else as whole numbers.
func Decimal(unit string, count int64) string {
	if c := money.Currency(unit); c.Valid() {
		return money.OfMicros(count, c).Decimal()
	}
	return strconv.FormatInt(count, 10)
}

// Quantity is Decimal as a quantity of the wire.
func Quantity(unit string, count int64) sid.Quantity {
	return sid.Quantity{Amount: jsontext.Value(Decimal(unit, count)), Units: unit}
}

// Count is how many ledger units a quantity of the wire is: the opposite of Quantity. A quantity that is not in the
// unit itself or in one that people use for it (GB, minutes) is an Invalid fault.
func Count(unit string, q sid.Quantity) (int64, error) {
	text := strings.Trim(string(q.Amount), `"`)
	if c := money.Currency(unit); c.Valid() {
		if q.Units != "" && q.Units != unit {
			return 0, fault.Invalidf("units", "the balance is in %s", unit)
		}
		a, err := money.Parse(text, c)
		if err != nil {
			return 0, fault.From(err).At("amount")
		}
		return a.Micros(), nil
	}
	if q.Units == unit || q.Units == "" {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
	}
	return scaled(unit, q.Units, text)
}

// spelled are the names that people use for the ledger's units, in lower case, and how many of those they are.
var spelled = map[string]map[string]int64{
	Seconds: {"": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "min": 60, "minute": 60, "minutes": 60, "h": 3600, "hour": 3600, "hours": 3600},
	Bytes: {
		"": 1, "b": 1, "byte": 1, "bytes": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	},
	Messages: {"": 1, "message": 1, "messages": 1, "sms": 1},
}

func scaled(unit, as, text string) (int64, error) {
	factor := int64(1)
	if names, ok := spelled[unit]; ok || as != unit {
		if factor, ok = names[strings.ToLower(as)]; !ok {
			return 0, fault.Invalidf("units", "%q is not a unit of a balance in %s", as, unit)
		}
	}
	d, err := decimal.Parse(text)
	if err != nil {
		return 0, fault.Invalidf("amount", "%q is not a number", text)
	}
	if d, err = d.Mul(decimal.MustNew(factor, 0)); err != nil {
		return 0, fault.Invalidf("amount", "the amount is out of range")
	}
	whole, _, ok := d.Int64(0)
	if !ok || !d.IsInt() {
		return 0, fault.Invalidf("amount", "the amount is a whole number of %s", unit)
	}
	return whole, nil
}

// UnitOf is the ledger's unit of a usage type and the unit that a quantity of it was given in; empty when there is
// none.
func UnitOf(usageType, units string) string {
	switch usageType {
	case Voice:
		return Seconds
	case Data:
		return Bytes
	case SMS:
		return Messages
	case Monetary:
		if money.Currency(units).Valid() {
			return units
		}
	case Other:
		return units
	}
	return ""
}

// most bounds what a client moves or grants at once: a thousand million in money, a petabyte. An account of a home
// counts what all its lines were ever given: one slip of a key would leave nothing of its range for the others.
const most = 1e15

func inBounds(n int64) error {
	if n > most || n < -most {
		return fault.Invalidf("amount", "the amount is out of range")
	}
	return nil
}

// payable is an amount of money rounded to what can be paid, and any other as it is.
func payable(unit string, n int64) int64 {
	if c := money.Currency(unit); c.Valid() {
		return money.OfMicros(n, c).Round().Micros()
	}
	return n
}
