package catalog

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

const plans = `# three lines of head
currency: CHF
taxRate: 8.1
plans:
  - key: start
    name: Start
    price: 0
    openingBalance: 5
  - key: plus
    name: Plus
    description: For every day
    paidType: prepaid
    price: 19.90
    oneTimePrice: 5
    openingBalance: 25
    bundles:
      - {name: Data, type: data, amount: 1.5 GB, validityDays: 30}
      - {name: Talk, type: voice, amount: 100 min, validityDays: 30}
      - {name: Texts, type: sms, amount: 50}
`

func chf(text string) *money.Amount {
	a, err := money.Parse(text, "CHF")
	if err != nil {
		panic(err)
	}
	return &a
}

func TestAFileOfPricePlans(t *testing.T) {
	out, err := Parse([]byte(plans))
	if err != nil || len(out.Plans()) != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	v := out.Offerings[1]
	if v.Key != "plus" || v.Name != "Plus" || v.OfferingType != PricePlan || v.LifecycleStatus != Active || *v.OpeningBalance != *chf("25") {
		t.Errorf("%+v", v)
	}
	if len(v.Prices) != 2 || v.Prices[0].PriceType != "recurring" || v.Prices[0].Period != "month" || *v.Prices[0].Price != *chf("19.90") || v.Prices[1].PriceType != "oneTime" {
		t.Errorf("prices %+v", v.Prices)
	}
	want := []Allowance{
		{Name: "Data", UsageType: Data, Amount: 1_500_000_000, Units: Bytes, ValidityDays: 30},
		{Name: "Talk", UsageType: Voice, Amount: 6000, Units: Seconds, ValidityDays: 30},
		{Name: "Texts", UsageType: SMS, Amount: 50, Units: Messages},
	}
	for n, w := range want {
		if got := v.Allowances[n]; got.Name != w.Name || got.UsageType != w.UsageType || got.Amount != w.Amount || got.Units != w.Units || got.ValidityDays != w.ValidityDays {
			t.Errorf("%+v, want %+v", got, w)
		}
	}
}

func TestAMistakeIsToldWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"an unknown currency":     {"currency: CHF", "currency: XYZ", "line 2: currency is a code"},
		"a wrong tax rate":        {"taxRate: 8.1", "taxRate: 8.1%", "line 3: taxRate is a percentage"},
		"a misspelt word":         {"openingBalance: 5", "openingBalence: 5", `line 8: a plan has no "openingBalence"`},
		"a key twice":             {"key: plus", "key: start", `line 9: the key "start" is already that of the offering in line 5`},
		"a key with a space":      {"key: plus", "key: plus one", "line 9: a key is made of"},
		"a plan without a name":   {"    name: Plus\n", "", "line 9: name is missing"},
		"a plan without a price":  {"    price: 0\n", "", "line 5: price is missing"},
		"a price in words":        {"price: 19.90", "price: cheap", "line 13: price is an amount of CHF"},
		"a price of half a cent":  {"price: 19.90", "price: 19.905", "line 13: price is an amount of CHF"},
		"a negative price":        {"price: 19.90", "price: -1", "line 13: price is an amount of CHF"},
		"too small a balance":     {"openingBalance: 25", "openingBalance: 20", "line 15: the opening balance of 20.00 CHF does not cover the first charge of 24.90 CHF"},
		"an unknown paid type":    {"paidType: prepaid", "paidType: free", "line 12: paidType is prepaid or postpaid"},
		"an unknown bundle":       {"type: data", "type: fax", "line 17: type is voice, data or sms"},
		"a bundle without amount": {"amount: 100 min, ", "", "line 18: amount is missing"},
		"a bundle in other units": {"amount: 100 min", "amount: 100 MB", "line 18: the amount of a voice bundle is written as 100 min"},
		"half a message":          {"amount: 50", "amount: 50.5", "line 19: the amount of a sms bundle"},
		"a validity of nothing":   {"amount: 1.5 GB, validityDays: 30", "amount: 1.5 GB, validityDays: 0", "line 17: validityDays is a number from 1"},
		"no YAML":                 {"plans:", "plans: [", "the file is not YAML"},
		"no plans":                {plans[strings.Index(plans, "plans:"):], "plans: []", "line 4: plans is a list"},
	} {
		if !strings.Contains(plans, c.old) {
			t.Fatalf("%s: the file has no %q", name, c.old)
		}
		_, err := Parse([]byte(strings.Replace(plans, c.old, c.new, 1)))
		if err == nil || fault.From(err).Code != CodeFile || !strings.HasPrefix(fault.From(err).Message, c.want) {
			t.Errorf("%s: %v, want %s…", name, err, c.want)
		}
	}
	if _, err := Parse(nil); fault.From(err).Code != CodeFile {
		t.Errorf("an empty file: %v", err)
	}
}

func TestEveryMistakeIsTold(t *testing.T) {
	_, err := Parse([]byte(strings.NewReplacer("taxRate: 8.1", "taxRate: x", "type: sms", "type: fax").Replace(plans)))
	if f := fault.From(err); len(f.Details) != 2 || f.Details[0].Attribute != "line 3" || f.Details[1].Attribute != "line 19" {
		t.Errorf("%+v", f)
	}
}

func TestTheTaxInAPrice(t *testing.T) {
	for _, c := range []struct{ gross, rate, tax string }{
		{"19.90", "8.1", "1.49"}, {"10", "0", "0"}, {"12", "20", "2"}, {"0.01", "20", "0"}, {"100", "7.7", "7.15"},
	} {
		p := Price{Price: chf(c.gross), Tax: []Tax{{Rate: jsontext.Value(c.rate)}}}
		if got, err := p.taxIn(*chf(c.gross)); err != nil || got != *chf(c.tax) {
			t.Errorf("%s at %s%%: tax %s, want %s (%v)", c.gross, c.rate, got, c.tax, err)
		}
	}
	if _, err := (Price{Price: chf("1"), Tax: []Tax{{Rate: jsontext.Value(`"a lot"`)}}}).taxIn(*chf("1")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
}

func TestWhatIsSold(t *testing.T) {
	now, later := time.Unix(1000, 0), time.Unix(2000, 0)
	no, yes := false, true
	for name, c := range map[string]struct {
		v    Offering
		want bool
	}{
		"active":          {Offering{LifecycleStatus: Active}, true},
		"launched":        {Offering{LifecycleStatus: Launched, IsSellable: &yes}, true},
		"in study":        {Offering{LifecycleStatus: InStudy}, false},
		"retired":         {Offering{LifecycleStatus: Retired}, false},
		"part of another": {Offering{LifecycleStatus: Active, IsSellable: &no}, false},
		"not yet":         {Offering{LifecycleStatus: Active, ValidFor: &sid.Period{Start: &later}}, false},
		"no more":         {Offering{LifecycleStatus: Active, ValidFor: &sid.Period{End: &now}}, false},
	} {
		if err := c.v.Sellable(now); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStatesOfAnOffering(t *testing.T) {
	for _, c := range []struct {
		from, to LifecycleStatus
		want     bool
	}{
		{InStudy, Active, true}, {Active, Retired, true}, {Retired, Active, true}, {Retired, Obsolete, true},
		{Obsolete, Active, false}, {Active, InStudy, false}, {Active, Rejected, false},
	} {
		if got := c.from.May(c.to); got != c.want {
			t.Errorf("%s to %s: %t", c.from, c.to, got)
		}
	}
}

func TestLoadingTwiceChangesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		load := func(text string) int {
			t.Helper()
			offerings, err := Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			n, err := c.Load(ctx, offerings)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := load(plans); n != 2 {
			t.Errorf("%d were new, want 2", n)
		}
		if n := load(plans); n != 0 {
			t.Errorf("the same file changed %d", n)
		}
		before, err := c.ByKey(ctx, "plus")
		if err != nil {
			t.Fatal(err)
		}
		if n := load(strings.Replace(plans, "19.90", "18.90", 1)); n != 1 {
			t.Errorf("one new price changed %d", n)
		}
		after, err := c.ByKey(ctx, "plus")
		if err != nil || after != before {
			t.Errorf("%s became %s, %v", before, after, err)
		}
		if v, d, err := c.Offerings.Get(ctx, after); err != nil || d.Version != 2 || *v.Prices[0].Price != *chf("18.90") {
			t.Errorf("version %d: %+v %v", d.Version, v, err)
		}
		if _, _, err := c.Offerings.Add(ctx, &Offering{Name: "Again", Key: "plus"}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a second offering with the key: %v", err)
		}
	})
}
