package catalog

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestAPriceIsReadInEitherWayAndWrittenInBoth(t *testing.T) {
	const both = `{"name":"Plan","priceType":"recurring","recurringChargePeriod":"month","recurringChargePeriodType":"month",` +
		`"recurringChargePeriodLength":1,"price":{"unit":"CHF","value":12.00,"taxIncludedAmount":{"unit":"CHF","value":12.00},` +
		`"dutyFreeAmount":{"unit":"CHF","value":10.00},"taxRate":20},"tax":[{"taxRate":20}]}`
	for name, came := range map[string]string{
		"as a price by itself":  `{"name":"Plan","priceType":"recurring","recurringChargePeriodType":"month","recurringChargePeriodLength":1,"price":{"unit":"CHF","value":12},"tax":[{"taxRate":20}]}`,
		"as one in an offering": `{"name":"Plan","priceType":"recurring","recurringChargePeriod":"monthly","recurringChargePeriodLength":1,"price":{"taxIncludedAmount":{"unit":"CHF","value":"12"},"taxRate":20}}`,
		"without the tax":       `{"name":"Plan","priceType":"recurring","recurringChargePeriod":"month","recurringChargePeriodLength":1,"price":{"dutyFreeAmount":{"unit":"CHF","value":10},"taxRate":20}}`,
		"in both":               both,
	} {
		var p Price
		if err := json.Unmarshal([]byte(came), &p); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := json.Marshal(p, json.Deterministic(true))
		if err != nil || string(out) != both {
			t.Errorf("%s: %s %v", name, out, err)
		}
	}
}

func TestAPriceKeepsWhatNoRuleTouches(t *testing.T) {
	const came = `{"price":{"percentage":10},"priceAlteration":[{"priority":1}]}`
	var p Price
	if err := json.Unmarshal([]byte(came), &p); err != nil {
		t.Fatal(err)
	}
	if out, err := json.Marshal(p, json.Deterministic(true)); err != nil || string(out) != came {
		t.Errorf("%s %v", out, err)
	}
}

func TestAPriceThatSaysTwoThings(t *testing.T) {
	for at, came := range map[string]string{
		"price.taxIncludedAmount": `{"price":{"unit":"CHF","value":12,"taxIncludedAmount":{"unit":"CHF","value":13}}}`,
		"price.taxRate":           `{"price":{"unit":"CHF","value":12,"taxRate":20},"tax":[{"taxRate":10}]}`,
		"recurringChargePeriod":   `{"recurringChargePeriod":"week","recurringChargePeriodType":"month"}`,
		"tax.taxRate":             `{"price":{"unit":"CHF","value":12,"taxRate":"much"}}`,
		"price.unit":              `{"price":{"unit":"DUCAT","value":12}}`,
		"price":                   `{"price":{"taxCategory":7}}`,
	} {
		var p Price
		if err := json.Unmarshal([]byte(came), &p); fault.KindOf(err) != fault.Invalid || fault.From(err).Attribute != at {
			t.Errorf("%s: %v", came, err)
		}
	}
}

func TestWhatIsChargedAtFirst(t *testing.T) {
	v := Offering{Name: "X", Prices: []Price{
		{Name: "a", PriceType: "recurring", Price: chf("10")}, {Name: "b", PriceType: "one time", Price: chf("2")}, {Name: "c", Price: chf("1")},
		{Name: "usage", PriceType: "usage", Price: chf("100")}, {Name: "discount", PriceType: "discount", Price: chf("100")}, {Name: "free", PriceType: OneTime, Price: chf("0")},
	}}
	out, err := v.FirstCharges()
	if err != nil || len(out) != 3 || !out[0].Recurring || out[1].Recurring || out[2].Recurring {
		t.Errorf("%+v %v", out, err)
	}
	v.Prices = append(v.Prices, Price{ID: "4711"})
	if _, err := v.FirstCharges(); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a price that is not known: %v", err)
	}
}

func TestAPriceThatStandsByItself(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		add := func(body string) id.ID {
			t.Helper()
			d, err := c.Prices.Create(ctx, jsontext.Value(body))
			if err != nil {
				t.Fatal(err)
			}
			return d.ID
		}
		now := add(`{"name":"Now","lifecycleStatus":"Active","priceType":"recurring","recurringChargePeriodType":"month","price":{"unit":"CHF","value":9.90},"tax":[{"taxRate":8.1}]}`)
		past := add(`{"name":"Past","lifecycleStatus":"Active","price":{"unit":"CHF","value":5},"validFor":{"endDateTime":"2001-01-01T00:00:00Z"}}`)
		draft := add(`{"name":"Draft","price":{"unit":"CHF","value":5}}`)
		d, err := c.Offerings.Create(ctx, jsontext.Value(`{"name":"Plan","productOfferingPrice":[{"id":"`+string(now)+`"},{"id":"`+string(past)+`"},{"id":"`+string(draft)+`"},{"name":"Once","price":{"taxIncludedAmount":{"unit":"CHF","value":1}}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		v, err := c.Offering(ctx, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		charges, err := v.FirstCharges()
		if err != nil || len(charges) != 2 || charges[0].Gross != *chf("9.90") || !charges[0].Recurring || charges[0].Tax != *chf("0.74") || charges[1].Gross != *chf("1") {
			t.Errorf("%+v %v", charges, err)
		}
		if err := c.Prices.Delete(ctx, now, 0); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a price that an offering refers to was deleted: %v", err)
		}
		bare, _, err := c.Offerings.Get(ctx, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bare.FirstCharges(); fault.KindOf(err) != fault.Conflict {
			t.Errorf("prices that were not looked up: %v", err)
		}
	})
}

func TestGrossOf(t *testing.T) {
	rate, err := taxRate([]Tax{{Rate: jsontext.Value("8.1")}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := grossOf(*chf("18.41"), rate); err != nil || got != *chf("19.90") {
		t.Errorf("%s %v", got, err)
	}
	if _, err := grossOf(money.OfMicros(9e18, "CHF"), rate); err == nil {
		t.Error("a price beyond all measure was taken")
	}
}
