package cm_test

import (
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/catalog"
)

const shop = `currency: CHF
taxRate: 8.1
categories:
  - {key: plans, name: Plans}
  - {key: data, name: Data}
  - {key: cards, name: Cards}
tariffs:
  - key: t
    name: T
    zones: [{key: home, prefixes: 41}]
    rates: [{name: Call, type: voice, price: 0.2, per: 1 min}]
plans:
  - {key: shop-a, name: A, price: 10, openingBalance: 20, category: plans, tariff: t, term: 12 months}
  - {key: shop-b, name: B, price: 0, category: plans, changesTo: shop-a, addOns: [gb, mail]}
addOns:
  - {key: gb, name: Gigabyte, kind: boltOn, category: data, oneTimePrice: 5, bundles: [{name: Data, type: data, amount: 1 GB}]}
  - {key: gbs, name: Gigabytes, kind: package, category: data, price: 5, period: week, bundles: [{name: Data, type: data, amount: 1 GB, recurring: true}]}
  - {key: gone, name: Gone, kind: boltOn, category: data, oneTimePrice: 5, lifecycle: Retired}
  - {key: mail, name: Mail, kind: vas, oneTimePrice: 0}
sims:
  - {key: esim, name: eSIM, category: cards, oneTimePrice: 2}
`

func (s *server) stock() func(key string) string {
	s.t.Helper()
	f, err := catalog.Parse([]byte(shop))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.house.Catalog.Load(s.ctx, f); err != nil {
		s.t.Fatal(err)
	}
	return func(key string) string {
		i, err := s.house.Catalog.ByKey(s.ctx, key)
		if err != nil {
			s.t.Fatal(err)
		}
		return string(i)
	}
}

// names are the names of a list of objects.
func names(list any) string {
	var out []string
	for _, v := range list.([]any) {
		out = append(out, v.(map[string]any)["name"].(string))
	}
	return strings.Join(out, " ")
}

func TestWhatCanBeChosen(t *testing.T) {
	each(t, func(s *server) {
		id := s.stock()
		a := s.do("GET", "/api/productOffering/"+id("shop-b")+"/addOn", "").Want(200)
		a.Is(map[string]string{
			"0.name": "Gigabyte", "0.href": "http://demarc.test/api/productOffering/" + id("gb"), "0.productOfferingPrice.0.price.unit": "CHF",
			"0.productOfferingPrice.0.priceType": "oneTime", "0.allowance.0.usageType": "data", "0.category.0.name": "Data", "1.name": "Mail",
		})
		if got := a.Header.Get("X-Total-Count"); got != "2" {
			t.Errorf("%s in all", got)
		}
		page := s.do("GET", "/api/productOffering/"+id("shop-b")+"/addOn?limit=1&offset=1", "").Want(206)
		if got := names(page.Body); got != "Mail" || !strings.Contains(page.Header.Get("Link"), "prev") {
			t.Errorf("%s, %s", got, page.Header.Get("Link"))
		}
		for query, want := range map[string]string{"offeringType=vas": "Mail", "category=Data": "Gigabyte", "offset=9": ""} {
			if got := names(s.do("GET", "/api/productOffering/"+id("shop-b")+"/addOn?"+query, "").Body); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		if got := names(s.do("GET", "/api/productOffering/"+id("gb")+"/addOn", "").Want(200).Body); got != "" {
			t.Errorf("an add-on has the add-ons %s", got)
		}
		s.do("GET", "/api/productOffering/off_01m7zzzzzzezzvzzzzzzzzzzzz/addOn", "").Want(404)
		s.do("GET", "/api/productOffering/"+id("shop-b")+"/addOn?offeringType=sim", "").Want(400)
		s.do("GET", "/api/productOffering/"+id("shop-b")+"/addOn?colour=red", "").Want(400)
		s.do("GET", "/api/productOffering/"+id("shop-b")+"/addOn?category=", "").Want(400)

		all := s.do("GET", "/api/productOffering/"+id("shop-b")+"/selectableProducts", "").Want(200).Object()
		for part, want := range map[string]string{"addOn": "Gigabyte", "vas": "Mail", "sim": "eSIM", "device": "", "pricePlan": "A"} {
			if got := names(all[part]); got != want {
				t.Errorf("%s: %q, want %q", part, got, want)
			}
		}
		none := s.do("GET", "/api/productOffering/"+id("esim")+"/selectableProducts", "").Want(200).Object()
		if got := names(none["addOn"]) + names(none["pricePlan"]); got != "" {
			t.Errorf("with a SIM card comes %s", got)
		}
	})
}

func TestCategoriesAndFilters(t *testing.T) {
	each(t, func(s *server) {
		id := s.stock()
		if got := names(s.do("GET", "/api/category?sort=name", "").Want(200).Body); got != "Cards Data Plans" {
			t.Errorf("categories %s", got)
		}
		s.do("GET", "/api/simCategory", "").Want(200).Is(map[string]string{"0.name": "Cards", "0.@type": "Category"})
		bundles := s.do("GET", "/api/bundleCategory", "").Want(200).Items()
		if len(bundles) != 1 || bundles[0].(map[string]any)["count"] != 2.0 {
			t.Fatalf("%v", bundles)
		}
		category := bundles[0].(map[string]any)["id"].(string)
		s.do("GET", "/api/category/"+category, "").Want(200).Is(map[string]string{"name": "Data"})
		for query, want := range map[string]string{
			"category.id=" + category: "Gigabyte Gigabytes Gone", "category.name=Data&lifecycleStatus=Active": "Gigabyte Gigabytes",
			"offeringType=sim": "eSIM", "key=shop-a": "A",
		} {
			if got := names(s.do("GET", "/api/productOffering?sort=name&"+query, "").Want(200).Body); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		s.do("GET", "/api/productOffering/"+id("shop-a"), "").Want(200).Is(map[string]string{
			"productOfferingTerm.0.duration.units": "month", "tariff.name": "T", "productOfferingPrice.0.recurringChargePeriod": "month",
			"productOfferingPrice.0.price.unit": "CHF", "productOfferingPrice.0.price.dutyFreeAmount.unit": "CHF",
		})
		found := map[string]string{}
		for _, f := range s.do("GET", "/api/productOfferingFilters", "").Want(200).Items() {
			f := f.(map[string]any)
			found[f["attribute"].(string)] = names(f["value"])
		}
		if !strings.Contains(found["offeringType"], "boltOn package") || found["category.id"] != "Cards Data Plans" || found["paidType"] != "prepaid" {
			t.Errorf("%v", found)
		}
		for _, path := range []string{"/api/simCategory?x=1", "/api/productOfferingFilters?x=1"} {
			s.do("GET", path, "").Want(400)
		}
	})
}
