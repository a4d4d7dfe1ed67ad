package money_test

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/govalues/decimal"
	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

func TestParseAndShow(t *testing.T) {
	for _, c := range []struct {
		text     string
		currency money.Currency
		micros   int64
		shown    string
	}{
		{"12.5", "EUR", 12_500_000, "12.50 EUR"},
		{"0", "EUR", 0, "0.00 EUR"},
		{"-0.05", "USD", -50_000, "-0.05 USD"},
		{"100", "JPY", 100_000_000, "100 JPY"},
		{"1.2345", "KWD", 1_234_500, "1.2345 KWD"},
		{"0.000125", "ZAR", 125, "0.000125 ZAR"},
		{"9223372036854.775807", "EUR", 9223372036854775807, "9223372036854.775807 EUR"},
	} {
		a, err := money.Parse(c.text, c.currency)
		if err != nil {
			t.Errorf("%s %s: %v", c.text, c.currency, err)
			continue
		}
		if a.Micros() != c.micros || a.String() != c.shown {
			t.Errorf("%s %s is %d micros shown %q, want %d and %q", c.text, c.currency, a.Micros(), a, c.micros, c.shown)
		}
	}
}

func TestAmountsThatAreNone(t *testing.T) {
	for _, c := range []struct{ text, currency, attribute string }{
		{"1.0000001", "EUR", "value"}, {"abc", "EUR", "value"}, {"", "EUR", "value"}, {"1e400", "EUR", "value"},
		{"9223372036854.775808", "EUR", "value"}, {"NaN", "EUR", "value"}, {"1", "EURO", "unit"}, {"1", "eur", "unit"}, {"1", "XXX", "unit"},
	} {
		_, err := money.Parse(c.text, money.Currency(c.currency))
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Attribute != c.attribute {
			t.Errorf("%q %q: got %v, want an invalid %s", c.text, c.currency, err, c.attribute)
		}
	}
}

func TestRoundHalfToEven(t *testing.T) {
	for _, c := range []struct {
		micros   int64
		currency money.Currency
		want     string
	}{
		{12_345_000, "EUR", "12.34 EUR"}, {12_355_000, "EUR", "12.36 EUR"}, {12_345_001, "EUR", "12.35 EUR"},
		{-12_345_000, "EUR", "-12.34 EUR"}, {1_500_000, "JPY", "2 JPY"}, {2_500_000, "JPY", "2 JPY"}, {1_234_567, "KWD", "1.235 KWD"},
	} {
		if got := money.OfMicros(c.micros, c.currency).Round().String(); got != c.want {
			t.Errorf("%d micros round to %s, want %s", c.micros, got, c.want)
		}
	}
}

func TestMulByTaxRate(t *testing.T) {
	a, err := money.OfMicros(10_000_000, "EUR").Mul(decimal.MustParse("0.19"))
	if err != nil || a.String() != "1.90 EUR" {
		t.Errorf("19 %% of 10.00 EUR is %s (%v)", a, err)
	}
}

func TestAddRefusesWhatDoesNotAdd(t *testing.T) {
	if _, err := money.OfMicros(1, "EUR").Add(money.OfMicros(1, "USD")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("euros and dollars were added: %v", err)
	}
	if _, err := money.OfMicros(1<<62, "EUR").Add(money.OfMicros(1<<62, "EUR")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an overflow was not noticed: %v", err)
	}
	if _, err := money.OfMicros(-1<<62, "EUR").Add(money.OfMicros(-1<<62-1, "EUR")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an underflow was not noticed: %v", err)
	}
}

func TestJSONKeepsEveryDigit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := money.OfMicros(rapid.Int64().Draw(t, "micros"), rapid.SampledFrom([]money.Currency{"EUR", "JPY", "KWD"}).Draw(t, "currency"))
		out, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back money.Amount
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if back != a {
			t.Fatalf("%s came back as %s", a, back)
		}
	})
}

func TestJSONFaultsNameTheAttribute(t *testing.T) {
	for in, want := range map[string]string{
		`{"unit":"EUR","value":"x"}`: "value", `{"unit":"??","value":1}`: "unit", `{"unit":"EUR"}`: "", `12`: "",
	} {
		var a money.Amount
		err := json.Unmarshal([]byte(in), &a)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Attribute != want {
			t.Errorf("%s: got %v, want an invalid value at %q", in, err, want)
		}
	}
}
