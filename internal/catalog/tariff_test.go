package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

const tariffDoc = `{"key":"t","name":"T","currency":"CHF","zone":[{"key":"home","prefix":["41"]},{"key":"eu","prefix":["33","49"],"network":["208","26201"]}],` +
	`"rate":[{"name":"Call","usageType":"voice","zone":"home","price":{"unit":"CHF","value":0.2},"per":60,"step":1,"firstStep":60},` +
	`{"name":"Data","usageType":"data","roaming":"eu","price":{"unit":"CHF","value":0.1},"per":1000000,"step":1000}]}`

func TestWhatIsWrongWithATariff(t *testing.T) {
	for name, c := range map[string]struct{ old, new, at string }{
		"no name":                        {`"name":"T"`, `"name":" "`, "name"},
		"a key with a space":             {`"key":"t"`, `"key":"a b"`, "key"},
		"a zone twice":                   {`"key":"eu"`, `"key":"home"`, "zone[1].key"},
		"a zone without a key":           {`{"key":"eu",`, `{"key":"",`, "zone[1].key"},
		"a prefix in two zones":          {`"33"`, `"41"`, "zone[1].prefix[0]"},
		"a prefix twice in one":          {`"33"`, `"49"`, "zone[1].prefix[1]"},
		"a prefix with a plus":           {`"33"`, `"+33"`, "zone[1].prefix[0]"},
		"a prefix that begins with 0":    {`"33"`, `"033"`, "zone[1].prefix[0]"},
		"a network of 4 digits":          {`"26201"`, `"2620"`, "zone[1].network[1]"},
		"a network twice":                {`"26201"`, `"208"`, "zone[1].network[1]"},
		"a zone of nothing":              {`"prefix":["41"]`, `"prefix":[]`, "zone[0]"},
		"a rate without a name":          {`"name":"Call"`, `"name":""`, "rate[0].name"},
		"an unknown usage":               {`"usageType":"voice"`, `"usageType":"fax"`, "rate[0].usageType"},
		"an unknown zone":                {`"zone":"home"`, `"zone":"moon"`, "rate[0].zone"},
		"an unknown roaming zone":        {`"roaming":"eu"`, `"roaming":"home"`, "rate[1].roaming"},
		"data to a destination":          {`"roaming":"eu"`, `"zone":"home"`, "rate[1].zone"},
		"a received call by destination": {`"zone":"home"`, `"zone":"home","direction":"incoming"`, "rate[0].zone"},
		"sideways":                       {`"zone":"home"`, `"direction":"sideways"`, "rate[0].direction"},
		"data received":                  {`"roaming":"eu"`, `"direction":"incoming"`, "rate[1].direction"},
		"another currency":               {`"unit":"CHF","value":0.1`, `"unit":"EUR","value":0.1`, "rate[1].price"},
		"a negative price":               {`"value":0.1`, `"value":-0.1`, "rate[1].price"},
		"a setup of another currency":    {`"roaming":"eu"`, `"roaming":"eu","setup":{"unit":"EUR","value":1}`, "rate[1].setup"},
		"for no units":                   {`"per":60`, `"per":0`, "rate[0].per"},
		"a negative step":                {`"step":1,`, `"step":-1,`, "rate[0].step"},
		"a negative first step":          {`"firstStep":60`, `"firstStep":-60`, "rate[0].firstStep"},
		"a step beyond measure":          {`"step":1,`, `"step":9000000000000000000,`, "rate[0].step"},
		"less than nothing free":         {`"firstStep":60`, `"firstStep":60,"free":-1`, "rate[0].free"},
		"half a time band":               {`"zone":"home"`, `"from":"22:00"`, "rate[0].to"},
		"25 o'clock":                     {`"zone":"home"`, `"from":"25:00","to":"06:00"`, "rate[0].from"},
		"an empty time band":             {`"zone":"home"`, `"from":"22:00","to":"22:00"`, "rate[0].to"},
		"a tax of words":                 {`"zone":"home"`, `"tax":[{"taxRate":"much"}]`, "rate[0].tax.taxRate"},
	} {
		if !strings.Contains(tariffDoc, c.old) {
			t.Fatalf("%s: the tariff has no %s", name, c.old)
		}
		var v Tariff
		if err := json.Unmarshal([]byte(strings.Replace(tariffDoc, c.old, c.new, 1)), &v); err != nil {
			t.Fatal(err)
		}
		v.complete()
		f := fault.From(v.check())
		if f == nil {
			t.Errorf("%s: nothing is wrong", name)
			continue
		}
		told := []string{f.Attribute}
		for _, d := range f.Details {
			told = append(told, d.Attribute)
		}
		if f.Kind != fault.Invalid || !slices.Contains(told, c.at) {
			t.Errorf("%s is told at %v, want %s", name, told, c.at)
		}
	}
}

func TestTheLifeOfATariff(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		d, err := c.Tariffs.Create(ctx, jsontext.Value(tariffDoc))
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := c.Tariffs.Get(ctx, d.ID)
		if err != nil || v.LifecycleStatus != Active && v.LifecycleStatus != InStudy || v.Rates[1].FirstStep != 1000 || v.Rates[0].Direction != Outgoing {
			t.Errorf("%+v %v", v, err)
		}
		if _, err := c.Tariffs.Create(ctx, jsontext.Value(tariffDoc)); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a second one with the key: %v", err)
		}
		if _, err := c.Tariffs.Change(ctx, d.ID, func(v *Tariff) error { v.Currency, v.Rates = "EUR", nil; return nil }); fault.From(err).Attribute != "currency" {
			t.Errorf("another currency: %v", err)
		}
		plan, err := c.Offerings.Create(ctx, jsontext.Value(`{"name":"P","offeringType":"pricePlan","tariff":{"id":"`+string(d.ID)+`"}}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Offerings.Change(ctx, plan.ID, func(v *Offering) error {
			v.Allowances = []Allowance{{Name: "A", UsageType: Voice, Units: Seconds, Amount: 1, Zones: []string{"moon"}}}
			return nil
		})
		if fault.From(err) == nil || fault.From(err).Attribute != "allowance" {
			t.Errorf("a bundle for the moon: %v", err)
		}
		if err := c.Tariffs.Delete(ctx, d.ID, 0); fault.KindOf(err) != fault.Conflict {
			t.Errorf("the tariff of a plan was deleted: %v", err)
		}
		if err := c.Offerings.Delete(ctx, plan.ID, 0); err != nil {
			t.Fatal(err)
		}
		if err := c.Tariffs.Delete(ctx, d.ID, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Tariffs.Create(ctx, jsontext.Value(tariffDoc)); err != nil {
			t.Errorf("the key was not given back: %v", err)
		}
	})
}

func TestWhatIsWrongWithAnOffering(t *testing.T) {
	const good = `{"name":"P","key":"p","offeringType":"package","paidType":"prepaid","validFor":{"startDateTime":"2026-01-01T00:00:00Z","endDateTime":"2027-01-01T00:00:00Z"},` +
		`"productOfferingPrice":[{"name":"Fee","priceType":"recurring","recurringChargePeriodType":"month","recurringChargePeriodLength":1,"price":{"unit":"CHF","value":5},"tax":[{"taxRate":8.1}]}],` +
		`"allowance":[{"name":"Data","usageType":"data","amount":5,"units":"bytes","recurring":true,"validityDays":30,"rollover":{"periods":1,"max":5}}]}`
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		if d, err := c.Offerings.Create(ctx, jsontext.Value(good)); err != nil {
			t.Fatal(err)
		} else if err := c.Offerings.Delete(ctx, d.ID, 0); err != nil {
			t.Fatal(err)
		}
		for name, o := range map[string]struct{ old, new, at string }{
			"no name":                 {`"name":"P"`, `"name":" "`, "name"},
			"a key with a space":      {`"key":"p"`, `"key":"a b"`, "key"},
			"an unknown kind":         {`"package"`, `"parcel"`, "offeringType"},
			"an unknown paid type":    {`"prepaid"`, `"free"`, "paidType"},
			"an end before its start": {`2027-01-01`, `2025-01-01`, "validFor.endDateTime"},
			"a tax of words":          {`"taxRate":8.1`, `"taxRate":"much"`, "productOfferingPrice[0].tax.taxRate"},
			"a negative period":       {`PeriodLength":1`, `PeriodLength":-1`, "productOfferingPrice[0].recurringChargePeriodLength"},
			"a period without end":    {`PeriodLength":1`, `PeriodLength":2147483648`, "productOfferingPrice[0].recurringChargePeriodLength"},
			"all that there is":       {`"amount":5`, `"amount":9223372036854775807`, "allowance[0].amount"},
			"a nameless allowance":    {`"name":"Data"`, `"name":""`, "allowance[0].name"},
			"an unknown usage":        {`"usageType":"data"`, `"usageType":"fax"`, "allowance[0].usageType"},
			"wrong units":             {`"bytes"`, `"seconds"`, "allowance[0].units"},
			"nothing":                 {`"amount":5`, `"amount":0`, "allowance[0].amount"},
			"a negative validity":     {`"validityDays":30`, `"validityDays":-1`, "allowance[0].validityDays"},
			"no recurring price":      {`"priceType":"recurring"`, `"priceType":"oneTime"`, "allowance[0].recurring"},
			"a rollover once":         {`"recurring":true,`, ``, "allowance[0].rollover"},
			"a rollover for ever":     {`"periods":1`, `"periods":0`, "allowance[0].rollover.periods"},
			"a rollover of less":      {`"max":5`, `"max":-5`, "allowance[0].rollover.max"},
		} {
			_, err := c.Offerings.Create(ctx, jsontext.Value(strings.Replace(good, o.old, o.new, 1)))
			if f := fault.From(err); f == nil || f.Kind != fault.Invalid || f.Attribute != o.at {
				t.Errorf("%s: %v, want it at %s", name, err, o.at)
			}
		}
	})
}

func TestCategoriesStandInOneAnother(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		c, ctx := New(s), storetest.Context(1)
		a, err := c.Categories.Create(ctx, jsontext.Value(`{"name":"A"}`))
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Categories.Create(ctx, jsontext.Value(`{"name":"B","parentId":"`+string(a.ID)+`","isRoot":true}`))
		if err != nil || !strings.Contains(string(b.Body), `"isRoot":false`) || !strings.Contains(string(a.Body), `"isRoot":true`) {
			t.Fatalf("%s %v", b.Body, err)
		}
		if _, err := c.Categories.Change(ctx, a.ID, func(v *Category) error { v.ParentID = string(b.ID); return nil }); fault.From(err) == nil || fault.From(err).Attribute != "parentId" {
			t.Errorf("a circle: %v", err)
		}
		if err := c.Categories.Delete(ctx, a.ID, 0); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a category with another in it was deleted: %v", err)
		}
		if err := c.Categories.Delete(ctx, b.ID, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Categories.Create(ctx, jsontext.Value(`{"name":"C","parentId":"`+string(b.ID)+`"}`)); fault.From(err) == nil || fault.From(err).Attribute != "parentId" {
			t.Errorf("a parent that is gone: %v", err)
		}
		if err := c.Categories.Delete(ctx, a.ID, 0); err != nil {
			t.Error(err)
		}
	})
}
