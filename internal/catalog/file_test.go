package catalog

import (
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

const whole = `currency: CHF
taxRate: 8.1
catalog: {key: c, name: C, validFrom: 2026-01-01}
categories:
  - {key: top, name: Top}
  - {key: low, name: Low, parent: top}
specifications:
  - {key: line, name: Line, characteristics: [{name: A, values: [x, y]}]}
tariffs:
  - key: t
    name: T
    zones: &zones
      - {key: home, prefixes: 41}
    rates:
      - {name: Call, type: voice, zone: home, price: 0.2, per: 1 min}
  - {key: u, name: U, zones: *zones, rates: [{name: Text, type: sms, price: 0.1}]}
plans:
  - {key: a, name: A, price: 5, period: 30 days, openingBalance: 9, tariff: t, category: [top, low], specification: line, term: 12 months, changesTo: b, addOns: [x]}
  - {key: b, name: B, price: 0, paidType: prepaid, validFrom: 2026-01-01, validTo: 2027-01-01T00:00:00+01:00, sellable: false}
addOns:
  - {key: x, name: X, kind: package, price: 5, bundles: [{name: Data, type: data, amount: 1 GB, recurring: true, rollover: {periods: 1, max: 1 GB}}]}
  - {key: y, name: Y, kind: boltOn, oneTimePrice: 5, excludes: x, bundles: [{name: Talk, type: voice, amount: 1 h, zones: home, priority: -5, validityDays: 7}]}
sims:
  - {key: s, name: S, oneTimePrice: 1}
devices:
  - {key: d, name: D, oneTimePrice: 1}
`

func TestAWholeFile(t *testing.T) {
	f, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(fault.From(err).Details)
	}
	a, b := f.Offerings[0], f.Offerings[1]
	if p := a.Prices[0]; p.Period != "day" || p.Length != 30 || p.Name != "A, every 30 days" {
		t.Errorf("%+v", p)
	}
	if a.Tariff.ID != "t" || a.Tariff.Name != "T" || len(a.Category) != 2 || a.Category[1].Name != "Low" || a.Specification.ID != "line" {
		t.Errorf("%+v", a)
	}
	if t0 := a.Terms[0]; string(t0.Duration.Amount) != "12" || t0.Duration.Units != "month" {
		t.Errorf("%+v", t0)
	}
	if r := a.Relationships; len(r) != 2 || r[0].Type != RelAddOn || r[0].ID != "x" || r[1].Type != RelMigration || r[1].Name != "B" {
		t.Errorf("%+v", r)
	}
	if b.ValidFor.Start.Format("2006-01-02T15") != "2026-01-01T00" || b.ValidFor.End.Format("2006-01-02T15") != "2026-12-31T23" || *b.IsSellable {
		t.Errorf("%+v", b)
	}
	if len(f.Tariffs[1].Zones) != 1 || len(f.Catalogs[0].Category) != 1 || f.Len() != 1+2+1+2+6 {
		t.Errorf("%+v", f)
	}
}

func TestMistakesInAWholeFile(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"an unknown parent":              {"parent: top", "parent: tip", `line 6: there is no category with the key "tip"`},
		"a category in itself":           {"parent: top", "parent: low", "line 6: the category low is a part of itself"},
		"a characteristic twice":         {"{name: A, values: [x, y]}", "{name: A}, {name: A}", `line 8: there is a characteristic "A" already`},
		"a rate for no zone":             {"zone: home, price", "zone: moon, price", `line 15: the tariff has no zone "moon" with prefixes`},
		"a rate for so much of nothing":  {"per: 1 min}", "per: 1 MB}", "line 15: per of voice is written as 100 min"},
		"a rate without a price":         {"price: 0.2, ", "", "line 15: price is missing"},
		"a call for one what":            {", per: 1 min", "", "line 15: per is missing"},
		"a price of seven decimals":      {"price: 0.2,", "price: 0.0000001,", "line 15: price is an amount of CHF"},
		"a prefix that is none":          {"prefixes: 41", "prefixes: +41", `line 13: "+41" is wrong`},
		"an unknown tariff":              {"tariff: t,", "tariff: v,", `line 18: there is no tariff with the key "v"`},
		"an unknown category":            {"[top, low]", "[top, lo]", `line 18: there is no category with the key "lo"`},
		"an unknown specification":       {"specification: line", "specification: lane", `line 18: there is no specification with the key "lane"`},
		"an unknown offering":            {"changesTo: b", "changesTo: z", `line 18: there is no offering with the key "z"`},
		"a change to an add-on":          {"changesTo: b", "changesTo: x", "line 18: changesTo names x, and X is not a plan"},
		"an add-on that is a plan":       {"addOns: [x]", "addOns: [b]", "line 18: addOns names b, and B is not an add-on"},
		"an add-on that excludes itself": {"excludes: x", "excludes: y", "line 22: excludes names y, and Y is not another offering"},
		"a period of nothing":            {"30 days", "0 days", "line 18: period is day, week, month or year"},
		"a term of nothing":              {"12 months", "long", "line 18: a term is a number of"},
		"an end before its start":        {"validTo: 2027", "validTo: 2025", "line 19: validTo is after validFrom"},
		"a day that is none":             {"validFrom: 2026-01-01, validTo", "validFrom: 2026-02-30, validTo", "line 19: validFrom is a date"},
		"perhaps for sale":               {"sellable: false", "sellable: perhaps", "line 19: sellable is true or false"},
		"a package without a price":      {"kind: package, price: 5, bundles", "kind: package, oneTimePrice: 5, bundles", "line 21: a bundle recurs with a price that does"},
		"a bolt-on that renews":          {"kind: boltOn, oneTimePrice: 5", "kind: boltOn, price: 5", "line 22: a bolt-on is paid once"},
		"a service without a price":      {"kind: boltOn, oneTimePrice: 5", "kind: vas", "line 22: oneTimePrice is missing"},
		"an unknown kind":                {"kind: boltOn", "kind: bolt", "line 22: kind is package, boltOn or vas"},
		"a bundle that cannot recur":     {"validityDays: 7", "recurring: true", "line 22: a bundle recurs with a price that does"},
		"a bundle for the moon":          {"zones: home, priority", "zones: moon, priority", `line 22: the bundle Talk is for the zone "moon"`},
		"a rollover of what is once":     {"recurring: true, rollover", "validityDays: 9, rollover", "line 21: only a recurring bundle"},
		"a rollover for ever":            {"periods: 1, ", "", "line 21: periods is missing"},
		"a SIM with a bundle":            {"name: S,", "name: S, bundles: [],", `line 24: a SIM kind has no "bundles"`},
		"a device for nothing":           {"name: D, oneTimePrice: 1", "name: D", "line 26: oneTimePrice is missing"},
		"a name twice":                   {"name: D,", "name: D, name: E,", "line 26: name stands here twice"},
		"a list that is none":            {"zones: *zones", "zones: all", "line 16: zones is a list"},
		"a tariff of nothing":            {"rates: [{name: Text, type: sms, price: 0.1}]", "rates: []", "line 16: a tariff has rates"},
	} {
		if !strings.Contains(whole, c.old) {
			t.Fatalf("%s: the file has no %q", name, c.old)
		}
		_, err := Parse([]byte(strings.Replace(whole, c.old, c.new, 1)))
		if err == nil || fault.From(err).Code != CodeFile || !strings.HasPrefix(fault.From(err).Message, c.want) {
			t.Errorf("%s: %v, want %s…", name, err, c.want)
		}
	}
}

func TestAFileThatIsNoYAMLIsToldAtItsLine(t *testing.T) {
	_, err := Parse([]byte("currency: CHF\ntaxRate: [\n"))
	if f := fault.From(err); f == nil || !strings.HasPrefix(f.Attribute, "line ") || !strings.HasPrefix(f.Message, "the file is not YAML") {
		t.Errorf("%v", err)
	}
}
