package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestWhatDiscountsTakeOff(t *testing.T) {
	months := func(n string) *sid.Quantity { return &sid.Quantity{Amount: jsontext.Value(n), Units: "month"} }
	percent := func(n string) AlterationValue { return AlterationValue{Percentage: jsontext.Value(n)} }
	tax := []Tax{{Rate: jsontext.Value("8.1")}}
	for name, c := range map[string]struct {
		price      string
		off        []Alteration
		gross, tax string // of each discount, what lasts longest first
		first, in  string // what is charged at first, and the tax in that
	}{
		// 9.90 − 4.95 = 4.95; 4.95 × 8.1 ÷ 108.1 = 0.3709, and 9.90 × 8.1 ÷ 108.1 = 0.7418.
		"half": {"9.90", []Alteration{{Price: percent("50")}}, "4.95", "0.37", "4.95", "0.37"},
		// A third of 10.00 is 3.333, so 3.33: 6.67 are left.
		"a third":    {"10", []Alteration{{Price: percent("33.33")}}, "3.33", "0.25", "6.67", "0.50"},
		"an amount":  {"9.90", []Alteration{{Price: AlterationValue{TaxIncluded: chf("2")}}}, "2.00", "0.15", "7.90", "0.59"},
		"before tax": {"9.90", []Alteration{{Price: AlterationValue{DutyFree: chf("2")}}}, "2.16", "0.16", "7.74", "0.58"},
		"everything": {"9.90", []Alteration{{Price: percent("100"), Duration: months("1")}}, "9.90", "0.74", "", ""},
		"two at once": {
			"10", []Alteration{{Price: percent("50"), Duration: months("3")}, {Price: percent("10")}}, "1.00 5.00", "0.08 0.37", "4.00", "0.30",
		},
		"more than all": {"10", []Alteration{{Price: percent("80")}, {Price: percent("70"), Duration: months("2")}}, "8.00 2.00", "0.60 0.15", "", ""},
	} {
		p := Price{Name: "Fee", PriceType: Recurring, Period: "month", Price: chf(c.price), Tax: tax, Alterations: c.off}
		all, err := p.Discounts()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var gross, in []string
		for _, d := range all {
			gross, in = append(gross, d.Gross.Decimal()), append(in, d.Tax.Decimal())
		}
		if strings.Join(gross, " ") != c.gross || strings.Join(in, " ") != c.tax {
			t.Errorf("%s: %v with a tax of %v, want %s with %s", name, gross, in, c.gross, c.tax)
		}
		charges, err := Offering{Prices: []Price{p}}.FirstCharges()
		switch {
		case err != nil || (len(charges) > 0) != (c.first != ""):
			t.Errorf("%s: %+v %v", name, charges, err)
		case c.first != "" && (charges[0].Gross.Decimal() != c.first || charges[0].Tax.Decimal() != c.in):
			t.Errorf("%s: %s with a tax of %s is charged, want %s with %s", name, charges[0].Gross, charges[0].Tax, c.first, c.in)
		}
	}
}

func TestADiscountIsSoldInItsTime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		const off = `"priceAlteration":[{"name":"Past","priceType":"discount","price":{"percentage":10},"validFor":{"endDateTime":"2001-01-01T00:00:00Z"}},` +
			`{"name":"Now","priceType":"discount","price":{"percentage":20}}]`
		price, err := c.Prices.Create(ctx, jsontext.Value(`{"name":"Fee","lifecycleStatus":"active","price":{"unit":"CHF","value":10},`+off+`}`))
		if err != nil {
			t.Fatal(err)
		}
		d, err := c.Offerings.Create(ctx, jsontext.Value(`{"name":"P","productOfferingPrice":[{"id":"`+string(price.ID)+`"},{"name":"Once","price":{"taxIncludedAmount":{"unit":"CHF","value":5}},`+off+`}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(d.Body), `"percentage":10`) {
			t.Errorf("the offering shows %s", d.Body)
		}
		v, err := c.Offering(ctx, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		charges, err := v.FirstCharges()
		if err != nil || len(charges) != 2 || charges[0].Gross != *chf("8") || charges[1].Gross != *chf("4") {
			t.Errorf("%+v %v", charges, err)
		}
	})
}

func TestADiscountInAFile(t *testing.T) {
	const file = `{currency: CHF, taxRate: 8.1, plans: [{key: p, name: P, price: 10, period: 2 weeks, oneTimePrice: 4, openingBalance: 12,
 discounts: [{name: A, percent: 20, periods: 3}, {name: B, on: oneTimePrice, amount: 1.50, validFrom: 2026-01-01}]}]}`
	f, err := Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	a, b := f.Offerings[0].Prices[0].Alterations, f.Offerings[0].Prices[1].Alterations
	if len(a) != 1 || len(b) != 1 || string(a[0].Duration.Amount) != "6" || a[0].Duration.Units != "week" || b[0].ValidFor == nil {
		t.Fatalf("%+v %+v", a, b)
	}
	if all, err := f.Offerings[0].Prices[0].Discounts(); err != nil || all[0].Periods != 3 || all[0].Gross != *chf("2") {
		t.Errorf("%+v %v", all, err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"neither":                {"percent: 20, ", "", "a discount has either"},
		"both":                   {"percent: 20,", "percent: 20, amount: 2,", "a discount has either"},
		"more than all":          {"percent: 20", "percent: 120", "a percentage is above 0"},
		"more than the price":    {"amount: 1.50", "amount: 4.50", "a discount is above 0"},
		"of another price":       {"on: oneTimePrice", "on: rental", "on is price or oneTimePrice"},
		"of no price":            {"oneTimePrice: 4,", "oneTimePrice: 0,", "there is no price that"},
		"of what is paid once":   {"on: oneTimePrice,", "on: oneTimePrice, periods: 2,", "only a recurring price"},
		"for no periods":         {"periods: 3", "periods: 0", "periods is a number"},
		"without a name":         {"name: A, ", "", "name is missing"},
		"what is not for long":   {"openingBalance: 12", "openingBalance: 11", "the opening balance"},
		"an end before it begun": {"validFrom: 2026-01-01", "validFrom: 2026-01-01, validTo: 2025-01-01", "validTo is after"},
		"a balance of nonsense":  {"openingBalance: 12", "openingBalance: 12000000", "openingBalance: an opening balance"},
		"a price of nonsense":    {"price: 10,", "price: 99000000,", "productOfferingPrice[0].price: "},
	} {
		if !strings.Contains(file, c.old) {
			t.Fatalf("%s: the file has no %q", name, c.old)
		}
		_, err := Parse([]byte(strings.Replace(file, c.old, c.new, 1)))
		if f := fault.From(err); f == nil || !strings.Contains(f.Message, c.want) || !strings.HasPrefix(f.Message, "line ") {
			t.Errorf("%s: %v, want %s…", name, err, c.want)
		}
	}
}

func TestNonsenseInAnOfferingIsRefused(t *testing.T) {
	const good = `{"name":"P","lifecycleStatus":"active","offeringType":"pricePlan","openingBalance":{"unit":"CHF","value":9},` +
		`"productOfferingTerm":[{"name":"Term","duration":{"amount":12,"units":"month"}}],` +
		`"productOfferingPrice":[{"name":"Fee","priceType":"recurring","recurringChargePeriodType":"month","recurringChargePeriodLength":2,` +
		`"price":{"unit":"CHF","value":5},"validFor":{"endDateTime":"2030-01-01T00:00:00Z"},` +
		`"priceAlteration":[{"priceType":"discount","applicationDuration":{"amount":4,"units":"month"},"price":{"percentage":10}}]}],` +
		`"allowance":[{"name":"Talk","usageType":"voice","amount":60,"units":"seconds"}]}`
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		if d, err := c.Offerings.Create(ctx, jsontext.Value(good)); err != nil || !strings.Contains(string(d.Body), `"Active"`) {
			t.Fatalf("%s %v", d.Body, err)
		}
		const price = "productOfferingPrice[0]."
		for name, o := range map[string]struct{ old, new, at string }{
			"an unknown status":         {`"active"`, `"on sale"`, "lifecycleStatus"},
			"a debt to begin with":      {`"value":9`, `"value":-9`, "openingBalance"},
			"riches to begin with":      {`"value":9`, `"value":9000000`, "openingBalance"},
			"a negative price":          {`"value":5`, `"value":-5`, price + "price"},
			"a price beyond sense":      {`"value":5`, `"value":5000000`, price + "price"},
			"a length of nothing":       {`PeriodLength":2`, `PeriodLength":0`, price + "recurringChargePeriodLength"},
			"every so many minutes":     {`PeriodType":"month"`, `PeriodType":"minute"`, price + "recurringChargePeriodType"},
			"a price that never held":   {`{"endDateTime"`, `{"startDateTime":"2031-01-01T00:00:00Z","endDateTime"`, price + "validFor.endDateTime"},
			"a discount of nothing":     {`"percentage":10`, `"percentage":0`, price + "priceAlteration[0].price.percentage"},
			"a discount beyond all":     {`"percentage":10`, `"percentage":100.5`, price + "priceAlteration[0].price.percentage"},
			"a discount of two kinds":   {`"percentage":10`, `"percentage":10,"taxIncludedAmount":{"unit":"CHF","value":1}`, price + "priceAlteration[0].price.percentage"},
			"a discount in euros":       {`"percentage":10`, `"taxIncludedAmount":{"unit":"EUR","value":1}`, price + "priceAlteration[0].price.taxIncludedAmount"},
			"a discount in other terms": {`"units":"month"},"price"`, `"units":"week"},"price"`, price + "priceAlteration[0].applicationDuration"},
			"half a period":             {`"amount":4`, `"amount":3`, price + "priceAlteration[0].applicationDuration"},
			"a discount that never was": {`"price":{"percentage"`, `"validFor":{"startDateTime":"2031-01-01T00:00:00Z","endDateTime":"2030-01-01T00:00:00Z"},"price":{"percentage"`, price + "priceAlteration[0].validFor.endDateTime"},
			"talk for a life":           {`"amount":60`, `"amount":60000000000`, "allowance[0].amount"},
			"less than nothing":         {`"amount":60`, `"amount":-60`, "allowance[0].amount"},
			"bound for no time":         {`"amount":12`, `"amount":-12`, "productOfferingTerm[0].duration.amount"},
		} {
			if !strings.Contains(good, o.old) {
				t.Fatalf("%s: there is no %s", name, o.old)
			}
			_, err := c.Offerings.Create(ctx, jsontext.Value(strings.Replace(good, o.old, o.new, 1)))
			if f := fault.From(err); f == nil || f.Kind != fault.Invalid || f.Attribute != o.at {
				t.Errorf("%s: %v, want it at %s", name, err, o.at)
			}
		}
		if _, err := c.Prices.Create(ctx, jsontext.Value(`{"name":"Fee","recurringChargePeriodLength":0}`)); fault.From(err) == nil || fault.From(err).Attribute != "recurringChargePeriodLength" {
			t.Errorf("a price for no time: %v", err)
		}
	})
}

func TestABundleDoesNotContainItself(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		var all []id.ID
		for n, name := range []string{"A", "B", "C"} {
			body := `{"name":"` + name + `","isBundle":true}`
			if n > 0 {
				body = `{"name":"` + name + `","isBundle":true,"bundledProductOffering":[{"id":"` + string(all[n-1]) + `"}]}`
			}
			d, err := c.Offerings.Create(ctx, jsontext.Value(body))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, d.ID)
		}
		for _, part := range all {
			_, err := c.Offerings.Change(ctx, all[0], func(v *Offering) error {
				v.Rest = sid.Rest{"bundledProductOffering": jsontext.Value(`[{"id":"` + string(part) + `"}]`)}
				return nil
			})
			if f := fault.From(err); f == nil || f.Kind != fault.Invalid || f.Attribute != "bundledProductOffering" {
				t.Errorf("it contains itself by %s: %v", part, err)
			}
		}
		_, err := c.Offerings.Change(ctx, all[0], func(v *Offering) error {
			v.Relationships = []Relationship{{ID: string(all[0]), Type: RelExclusion}}
			return nil
		})
		if f := fault.From(err); f == nil || f.Attribute != "productOfferingRelationship[0].id" {
			t.Errorf("it excludes itself: %v", err)
		}
	})
	const file = "[\n" + `{"@type":"ProductOffering","id":"a","name":"A","bundledProductOffering":[{"id":"b"}]},` + "\n" +
		`{"@type":"ProductOffering","id":"b","name":"B","bundledProductOffering":[{"id":"c"}]},` + "\n" +
		`{"@type":"ProductOffering","id":"c","name":"C","bundledProductOffering":[{"id":"b"}]}` + "\n]"
	_, err := Read([]byte(file), "application/json", "")
	var told []string
	for _, d := range fault.From(err).Details {
		told = append(told, d.Attribute)
	}
	if !slices.Equal(told, []string{"line 3", "line 4"}) {
		t.Errorf("%v: %v", told, err)
	}
}

func TestAnAlterationKeepsWhatItCame(t *testing.T) {
	const came = `{"name":"Half","priority":2,"validFor":{"endDateTime":"2030-01-01T00:00:00Z"},"price":{"percentage":50,"taxCategory":"VAT"},"unitOfMeasure":{"amount":1}}`
	var a Alteration
	if err := json.Unmarshal([]byte(came), &a); err != nil {
		t.Fatal(err)
	}
	if a.ValidFor.Contains(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error("its time is not read")
	}
	if out, err := json.Marshal(a, json.Deterministic(true)); err != nil || string(out) != came {
		t.Errorf("%s %v", out, err)
	}
}
