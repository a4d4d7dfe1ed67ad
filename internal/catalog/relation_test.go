package catalog

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

const related = `currency: CHF
taxRate: 8.1
tariffs:
  - key: standard
    name: Standard
    zones:
      - {key: home, name: Switzerland, prefixes: 41}
      - {key: eu, name: Europe, prefixes: [33, 49], networks: [208, 262]}
    rates:
      - {name: Call, type: voice, price: 0.20, per: 1 min, firstStep: 1 min}
      - {name: Text, type: sms, price: 0.10}
  - key: plain
    name: Plain
    zones:
      - {key: home, prefixes: [41]}
    rates:
      - {name: Call, type: voice, price: 0.20, per: 1 min}
plans:
  - {key: any, name: Any, price: 0, tariff: standard}
  - {key: few, name: Few, price: 0, tariff: standard, addOns: [data, night], changesTo: any}
  - {key: plain, name: Plain, price: 0, tariff: plain, excludes: night}
  - {key: bill, name: Bill, price: 30, paidType: postpaid, tariff: standard}
addOns:
  - {key: data, name: Data, kind: boltOn, oneTimePrice: 5, bundles: [{name: Data, type: data, amount: 1 GB, validityDays: 30}]}
  - {key: euro, name: Euro, kind: package, price: 5, period: week, bundles: [{name: Calls, type: voice, amount: 60 min, zones: eu, recurring: true}]}
  - {key: night, name: Night, kind: package, price: 5, excludes: euro, bundles: [{name: Data, type: data, amount: 1 GB, recurring: true}]}
  - {key: mail, name: Mail, kind: vas, paidType: postpaid, oneTimePrice: 0}
  - {key: old, name: Old, kind: boltOn, oneTimePrice: 5, lifecycle: Retired}
sims:
  - {key: esim, name: eSIM, oneTimePrice: 0}
`

// relations loads the file above.
func relations(t *testing.T, run func(t *testing.T, c *Service, ctx context.Context, key func(string) id.ID)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		f, err := Parse([]byte(related))
		if err != nil {
			t.Fatal(fault.From(err).Details)
		}
		if _, err := c.Load(ctx, f); err != nil {
			t.Fatal(err)
		}
		run(t, c, ctx, func(key string) id.ID {
			i, err := c.ByKey(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			return i
		})
	})
}

func TestWhatGoesWithWhat(t *testing.T) {
	relations(t, func(t *testing.T, c *Service, ctx context.Context, key func(string) id.ID) {
		for _, f := range []struct{ plan, addOn, held, why string }{
			{"any", "data", "", ""},
			{"any", "data", "data", ""},
			{"any", "euro", "data", ""},
			{"few", "data", "", ""},
			{"few", "euro", "", "Euro does not go with Few"},
			{"plain", "euro", "", `Euro is for the zone "eu", which the tariff of Plain does not have`},
			{"plain", "night", "", "Night cannot be had on Plain"},
			{"any", "night", "euro", "Night cannot be had together with Euro"},
			{"any", "euro", "night", "Euro cannot be had together with Night"},
			{"any", "euro", "data euro", "the line has Euro already"},
			{"any", "mail", "", "Any is prepaid and Mail is postpaid"},
			{"bill", "mail", "", ""},
			{"any", "few", "", "Few is not an add-on"},
			{"any", "esim", "", "eSIM is not an add-on"},
			{"data", "euro", "", "Data is not a price plan"},
		} {
			var held []id.ID
			for _, k := range strings.Fields(f.held) {
				held = append(held, key(k))
			}
			err := c.Fits(ctx, key(f.plan), key(f.addOn), held)
			if f.why == "" && err != nil || f.why != "" && (fault.From(err) == nil || fault.From(err).Code != CodeNotFitting || fault.From(err).Message != f.why) {
				t.Errorf("%s with %s, holding %q: %v, want %q", f.addOn, f.plan, f.held, err, f.why)
			}
		}
		if err := c.Fits(ctx, "off_nothing", key("data"), nil); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an unknown plan: %v", err)
		}
	})
}

func TestTheAddOnsOfAPlan(t *testing.T) {
	relations(t, func(t *testing.T, c *Service, ctx context.Context, key func(string) id.ID) {
		for plan, want := range map[string]string{"any": "data euro night", "few": "data night", "plain": "data", "bill": "data euro mail night"} {
			all, err := c.AddOns(ctx, key(plan))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range all {
				got = append(got, a.Key)
			}
			if slices.Sort(got); strings.Join(got, " ") != want {
				t.Errorf("%s has %v, want %s", plan, got, want)
			}
		}
	})
}

func TestWhichPlanMayFollow(t *testing.T) {
	relations(t, func(t *testing.T, c *Service, ctx context.Context, key func(string) id.ID) {
		for _, f := range []struct{ from, to, why string }{
			{"any", "few", ""},
			{"few", "any", ""},
			{"few", "plain", "a line cannot change from Few to Plain"},
			{"any", "any", "the line is on Any already"},
			{"any", "bill", "Any is prepaid and Bill is postpaid"},
			{"any", "data", "Data is not a price plan"},
		} {
			err := c.MayChange(ctx, key(f.from), key(f.to))
			if f.why == "" && err != nil || f.why != "" && (fault.From(err) == nil || fault.From(err).Code != CodeNoChange || fault.From(err).Message != f.why) {
				t.Errorf("%s to %s: %v, want %q", f.from, f.to, err, f.why)
			}
		}
	})
}

func TestATariffIsLoadedWithItsFile(t *testing.T) {
	relations(t, func(t *testing.T, c *Service, ctx context.Context, key func(string) id.ID) {
		i, err := c.TariffByKey(ctx, "standard")
		if err != nil {
			t.Fatal(err)
		}
		plan, _, err := c.Offerings.Get(ctx, key("any"))
		if err != nil || plan.Tariff == nil || plan.Tariff.ID != string(i) {
			t.Fatalf("the plan's tariff is %+v (%v)", plan.Tariff, err)
		}
		v, _, err := c.Tariffs.Get(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		if r := v.Rates[0]; r.Direction != Outgoing || r.Per != 60 || r.FirstStep != 60 || r.Step != 1 || r.Price != *chf("0.20") || len(r.Tax) != 1 {
			t.Errorf("the first rate is %+v", r)
		}
		if r := v.Rates[1]; r.Per != 1 || r.FirstStep != 1 || r.Step != 1 {
			t.Errorf("the second rate is %+v", r)
		}
		if _, err := c.TariffByKey(ctx, "nothing"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an unknown key: %v", err)
		}
		f, err := Parse([]byte(related))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.Load(ctx, f); n != 0 || err != nil {
			t.Errorf("loading again changed %d (%v)", n, err)
		}
	})
}
