package rating_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/rating"
)

// caseFile is testdata/cases.yaml, which says what the fields mean.
type caseFile struct {
	Tariffs map[string]struct {
		Zones    map[string][]string
		Networks map[string][]string
		Rates    []struct {
			Name, Use, Zone, Roaming, From, To string
			In                                 bool
			Setup, Price                       string
			Per, First, Step, Free             int64
			Tax                                []string
		}
	}
	Cases []usage
}

type usage struct {
	Name, Tariff, Use, To, At, Zone, Visited, Sum string
	Lasted                                        time.Duration
	Funds                                         []struct {
		Kind           string
		Left           int64
		Zones, Roaming []string
		From, Until    string
	}
	Money, Limit string
	Then         []usage
	Want         struct {
		Price, Tax, Charged, ChargedTax string
		Takes                           []int64
		Rates                           []string
		Short                           rating.Short
		Error                           string
	}
}

func cases(t *testing.T) (caseFile, map[string]*rating.Tariff) {
	t.Helper()
	text, err := os.ReadFile("testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var f caseFile
	d := yaml.NewDecoder(strings.NewReader(strings.ReplaceAll(string(text), "chargedTax:", "chargedtax:")))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	tariffs := map[string]*rating.Tariff{}
	for key, from := range f.Tariffs {
		c := catalog.Tariff{Key: key, Currency: "CHF"}
		for z, prefixes := range from.Zones {
			c.Zones = append(c.Zones, catalog.Zone{Key: z, Prefixes: prefixes})
		}
		for z, networks := range from.Networks {
			c.Zones = append(c.Zones, catalog.Zone{Key: z, Networks: networks})
		}
		for _, r := range from.Rates {
			one := catalog.Rate{
				Name: r.Name, UsageType: r.Use, Zone: r.Zone, Roaming: r.Roaming, From: r.From, To: r.To,
				Price: amount(t, r.Price), Per: r.Per, FirstStep: r.First, Step: r.Step, Free: r.Free,
			}
			if r.In {
				one.Direction = "incoming"
			}
			if r.Setup != "" {
				setup := amount(t, r.Setup)
				one.Setup = &setup
			}
			for _, tax := range r.Tax {
				one.Tax = append(one.Tax, catalog.Tax{Rate: jsontext.Value(tax)})
			}
			c.Rates = append(c.Rates, one)
		}
		if tariffs[key], err = rating.Compile(c); err != nil {
			t.Fatalf("tariff %s: %v", key, err)
		}
	}
	return f, tariffs
}

func amount(t *testing.T, text string) money.Amount {
	t.Helper()
	if text == "" {
		text = "0"
	}
	a, err := money.Parse(text, "CHF")
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return a
}

func moment(t *testing.T, text, zone string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	at, err := time.ParseInLocation(time.DateTime, text, location(t, zone))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func location(t *testing.T, zone string) *time.Location {
	t.Helper()
	if zone == "" {
		zone = "Europe/Zurich"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestWhatUsageCosts(t *testing.T) {
	f, tariffs := cases(t)
	if len(f.Cases) < 60 {
		t.Fatalf("only %d cases", len(f.Cases))
	}
	for _, c := range f.Cases {
		t.Run(strings.ReplaceAll(c.Name, " ", "_"), func(t *testing.T) {
			if len(c.Sum) < 20 {
				t.Error("its sum is not worked out")
			}
			s := &played{t: t, tariffs: tariffs, purse: rating.Purse{Left: 100_000_000}}
			s.play(c)
			for _, next := range c.Then {
				if next.Tariff == "" {
					next.Tariff = c.Tariff
				}
				if next.At == "" {
					next.At = c.At
				}
				next.To, next.Visited, next.Zone, next.Sum = c.To, c.Visited, c.Zone, c.Sum
				s.play(next)
			}
		})
	}
}

// played is a session of a case.
type played struct {
	t       *testing.T
	tariffs map[string]*rating.Tariff
	funds   []rating.Fund
	purse   rating.Purse
	before  rating.Progress
}

func (s *played) play(c usage) {
	t := s.t
	t.Helper()
	words := strings.Fields(c.Use)
	n, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if c.At == "" {
		c.At = "2026-03-02 10:00:00"
	}
	r := rating.Record{
		Kind: words[0], Quantity: n, Incoming: len(words) == 3, Start: moment(t, c.At, c.Zone), Lasted: c.Lasted,
		Other: c.To, Network: c.Visited, Before: s.before,
	}
	for _, f := range c.Funds {
		if f.Kind == "" {
			f.Kind = r.Kind
		}
		s.funds = append(s.funds, rating.Fund{
			Kind: f.Kind, Left: f.Left, Zones: f.Zones, Roaming: f.Roaming, Start: moment(t, f.From, c.Zone), End: moment(t, f.Until, c.Zone),
		})
	}
	if c.Money != "" {
		s.purse.Left = amount(t, c.Money).Micros()
	}
	if c.Limit != "" {
		limit := amount(t, c.Limit).Micros()
		s.purse.Spend = &limit
	}
	tariff := s.tariffs[c.Tariff]
	if tariff == nil {
		t.Fatalf("there is no tariff %q", c.Tariff)
	}
	got, err := tariff.Rate(r, s.funds, s.purse, location(t, c.Zone))
	if c.Want.Error != "" {
		if err != rating.ErrNoRate { //nolint:errorlint // it is not wrapped
			t.Errorf("%v; want %s. %s", err, c.Want.Error, c.Sum)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v. %s", err, c.Sum)
	}
	s.compare(c, got)
	s.before = got.After
}

// compare holds a result to what the case wants, and moves the funds.
func (s *played) compare(c usage, got rating.Result) {
	t := s.t
	t.Helper()
	same := func(what string, got int64, want string) {
		if w := amount(t, want).Micros(); got != w {
			t.Errorf("%s is %s, want %s. %s", what, money.OfMicros(got, "CHF").Decimal(), want, c.Sum)
		}
	}
	same("the price", got.Gross, c.Want.Price)
	same("the tax", got.Tax, c.Want.Tax)
	if c.Want.Charged == "" {
		c.Want.Charged, c.Want.ChargedTax = c.Want.Price, c.Want.Tax
	}
	same("what is charged", got.Charged, c.Want.Charged)
	same("the tax in what is charged", got.ChargedTax, c.Want.ChargedTax)
	if got.Short != c.Want.Short {
		t.Errorf("short: %q, want %q. %s", got.Short, c.Want.Short, c.Sum)
	}
	takes := make([]int64, len(s.funds))
	var rates []string
	for _, p := range got.Parts {
		rates = append(rates, p.Rate)
		for _, take := range p.Takes {
			takes[take.Fund] += take.Units
			s.funds[take.Fund].Left -= take.Units
		}
	}
	if want := append(slices.Clone(c.Want.Takes), make([]int64, max(0, len(takes)-len(c.Want.Takes)))...); !slices.Equal(takes, want) {
		t.Errorf("it takes %v, want %v. %s", takes, c.Want.Takes, c.Sum)
	}
	if c.Want.Rates != nil && !slices.Equal(rates, c.Want.Rates) {
		t.Errorf("the rates are %v, want %v. %s", rates, c.Want.Rates, c.Sum)
	}
}

// drawn is a record with funds and a purse, on a tariff with steps, setup, free units and bands.
func drawn(t *rapid.T, most int64) (*rating.Tariff, rating.Record, []rating.Fund, rating.Purse) {
	price := func(name string) money.Amount {
		return money.OfMicros(rapid.Int64Range(0, 2_000_000).Draw(t, name), "CHF")
	}
	setup := price("setup")
	rate := func(name, from, to string) catalog.Rate {
		return catalog.Rate{
			Name: name, UsageType: rating.Voice, From: from, To: to, Setup: &setup, Price: price(name), Per: rapid.Int64Range(1, 120).Draw(t, "per"),
			FirstStep: rapid.Int64Range(0, 90).Draw(t, "first"), Step: rapid.Int64Range(0, 90).Draw(t, "step"), Free: rapid.Int64Range(0, 60).Draw(t, "free"),
			Tax: []catalog.Tax{{Rate: jsontext.Value(fmt.Sprint(rapid.IntRange(0, 25).Draw(t, "tax")))}},
		}
	}
	tariff, err := rating.Compile(catalog.Tariff{Currency: "CHF", Rates: []catalog.Rate{rate("band", "06:00", "22:00"), rate("rest", "", "")}})
	if err != nil {
		t.Fatal(err)
	}
	r := rating.Record{
		Kind: rating.Voice, Quantity: rapid.Int64Range(0, most).Draw(t, "quantity"), Other: "41791234567",
		Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 86_399).Draw(t, "start")) * time.Second),
	}
	var funds []rating.Fund
	for range rapid.IntRange(0, 3).Draw(t, "funds") {
		f := rating.Fund{Kind: rating.Voice, Left: rapid.Int64Range(0, 600).Draw(t, "left")}
		if rapid.Bool().Draw(t, "ends") {
			f.End = r.Start.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "end")) * time.Second)
		}
		funds = append(funds, f)
	}
	return tariff, r, funds, rating.Purse{Left: rapid.Int64Range(0, 40_000_000).Draw(t, "money")}
}

func rated(t *rapid.T, tariff *rating.Tariff, r rating.Record, funds []rating.Fund, p rating.Purse) rating.Result {
	got, err := tariff.Rate(r, funds, p, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEveryUnitIsFreeTakenOrCharged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tariff, r, funds, purse := drawn(t, 3000)
		got := rated(t, tariff, r, funds, purse)
		var units int64
		taken := make([]int64, len(funds))
		for _, p := range got.Parts {
			sum := p.Free + p.Charged
			for _, take := range p.Takes {
				sum += take.Units
				taken[take.Fund] += take.Units
			}
			if sum != p.Units {
				t.Errorf("%d units, of which %d are accounted for", p.Units, sum)
			}
			units += p.Units
		}
		if units < r.Quantity || units != got.After.Paid {
			t.Errorf("%d units were counted for %d, and %d are paid", units, r.Quantity, got.After.Paid)
		}
		for n, f := range funds {
			if taken[n] > f.Left {
				t.Errorf("a fund of %d gave %d", f.Left, taken[n])
			}
		}
		if got.Charged > purse.Left || got.Charged > got.Gross || got.ChargedTax > got.Charged || (got.Charged < got.Gross) != (got.Short != "") {
			t.Errorf("%+v of a purse of %d", got, purse.Left)
		}
	})
}

func TestASessionCountsWhatARecordCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tariff, r, funds, purse := drawn(t, 3000)
		whole := rated(t, tariff, r, funds, purse)
		cut := rapid.Int64Range(0, r.Quantity).Draw(t, "cut")
		first, second := r, r
		first.Quantity = cut
		one := rated(t, tariff, first, funds, purse)
		left := slices.Clone(funds)
		for _, p := range one.Parts {
			for _, take := range p.Takes {
				left[take.Fund].Left -= take.Units
			}
		}
		second.Before, second.Quantity, second.Start = one.After, r.Quantity-cut, r.Start.Add(time.Duration(cut)*time.Second)
		two := rated(t, tariff, second, left, purse)
		if two.After != whole.After {
			t.Errorf("cut at %d the session stands at %+v, in one at %+v", cut, two.After, whole.After)
		}
		// Each of at most four parts may be cut in two, and is then rounded twice.
		if d := one.Gross + two.Gross - whole.Gross; d > 4 || d < -4 {
			t.Errorf("cut at %d it costs %d + %d, in one %d", cut, one.Gross, two.Gross, whole.Gross)
		}
	})
}

func TestAGrantIsTheMostThatCanBePaidFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tariff, r, funds, purse := drawn(t, 3000)
		n, got, err := tariff.Grant(r, funds, purse, time.UTC)
		if err != nil || got.Short != "" || n > r.Quantity {
			t.Fatalf("%d units: %+v %v", n, got, err)
		}
		if n == r.Quantity {
			return
		}
		more := r
		more.Quantity = n + 1
		if rated(t, tariff, more, funds, purse).Short == "" {
			t.Errorf("%d units were granted, and %d could be paid for", n, n+1)
		}
	})
}

func TestWhatNoAmountCanHoldIsTold(t *testing.T) {
	price := money.OfMicros(9_000_000_000_000_000_000, "CHF")
	tariff, err := rating.Compile(catalog.Tariff{Rates: []catalog.Rate{{Name: "Dear", UsageType: rating.Data, Price: price, Per: 1, Step: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{2, 1 << 62, 1<<63 - 1} {
		if _, err := tariff.Rate(rating.Record{Kind: rating.Data, Quantity: n}, nil, rating.Purse{}, time.UTC); err != rating.ErrRange { //nolint:errorlint // it is not wrapped
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := tariff.Rate(rating.Record{Kind: rating.Data, Quantity: -1}, nil, rating.Purse{}, time.UTC); err != rating.ErrRange { //nolint:errorlint // it is not wrapped
		t.Errorf("a negative quantity: %v", err)
	}
}

func TestATariffThatCannotBeRatedByIsRefused(t *testing.T) {
	rate := catalog.Rate{Name: "Call", UsageType: rating.Voice, Price: money.OfMicros(1, "CHF"), Per: 60}
	for what, change := range map[string]func(c *catalog.Tariff){
		"a prefix with letters": func(c *catalog.Tariff) { c.Zones = []catalog.Zone{{Key: "a", Prefixes: []string{"+41"}}} },
		"an empty prefix":       func(c *catalog.Tariff) { c.Zones = []catalog.Zone{{Key: "a", Prefixes: []string{""}}} },
		"one prefix in two zones": func(c *catalog.Tariff) {
			c.Zones = []catalog.Zone{{Key: "a", Prefixes: []string{"41"}}, {Key: "b", Prefixes: []string{"41"}}}
		},
		"a price for no units":     func(c *catalog.Tariff) { c.Rates[0].Per = 0 },
		"a negative price":         func(c *catalog.Tariff) { c.Rates[0].Price = money.OfMicros(-1, "CHF") },
		"a negative step":          func(c *catalog.Tariff) { c.Rates[0].Step = -1 },
		"a time that is none":      func(c *catalog.Tariff) { c.Rates[0].From = "25:00" },
		"a tax that is no number":  func(c *catalog.Tariff) { c.Rates[0].Tax = []catalog.Tax{{Rate: jsontext.Value(`"much"`)}} },
		"a tax that is negative":   func(c *catalog.Tariff) { c.Rates[0].Tax = []catalog.Tax{{Rate: jsontext.Value("-1")}} },
		"free units that are owed": func(c *catalog.Tariff) { c.Rates[0].Free = -1 },
	} {
		c := catalog.Tariff{Rates: []catalog.Rate{rate}}
		change(&c)
		if _, err := rating.Compile(c); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}
