package cm_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// lineWith makes a line with 10.00 CHF and 1,000 bytes, half of them shared by the account.
func (s *server) lineWith(number msisdn.Number) (line id.ID, cash, data id.ID) {
	s.t.Helper()
	account := id.ID(s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id"))
	line, _, err := s.house.Subscriptions.Lines.Add(s.ctx, &subscription.Line{AccountID: account, MSISDN: number, ICCID: "8941" + string(number), State: subscription.Active, SubscriptionType: "prepaid"})
	if err != nil {
		s.t.Fatal(err)
	}
	open := func(g balance.Grant) id.ID {
		i, err := s.house.Balances.Open(s.ctx, balance.Holder{Subscription: line, Account: account}, g, balance.Cause{Kind: "productOrder", ID: "ord_1", Text: "Opening"})
		if err != nil {
			s.t.Fatal(err)
		}
		return i
	}
	cash = open(balance.Grant{Name: "Main balance", UsageType: balance.Monetary, Unit: "CHF", Amount: 10_000_000})
	data = open(balance.Grant{Name: "Data", UsageType: balance.Data, Unit: balance.Bytes, Amount: 500})
	open(balance.Grant{Name: "Data", UsageType: balance.Data, Unit: balance.Bytes, Amount: 500, Group: true})
	return line, cash, data
}

func TestABalanceSaysWhyAndAsOfWhen(t *testing.T) {
	each(t, func(s *server) {
		line, cash, data := s.lineWith("41790000071")
		before := time.Now()
		s.do("POST", "/api/subscription/topup", `{"mobileNumber":"+41790000071","amount":{"unit":"CHF","value":20},"reference":"k1","reason":"Thanks"}`).Want(201).Is(map[string]string{"balance.amount": "30", "status": "completed"})
		if err := s.house.Balances.Move(s.ctx, balance.Cause{Kind: "usage", ID: "usg_1", Text: "Data at home"}, balance.Movement{Bucket: data, Amount: -200, Against: balance.Used}); err != nil {
			t.Fatal(err)
		}
		now := s.do("GET", "/api/subscription/balanceQuery?mobileNumber=41790000071", "").Want(200).Is(map[string]string{
			"balance.amount": "30", "currency": "CHF", "bucket.0.bucketID": string(cash), "bucket.0.entry.0.adjustmentType": "topup", "bucket.0.entry.0.text": "Top-up of 20.00 CHF, reference k1",
			"bucket.1.remainingValue.amount": "300", "bucket.1.entry.0.cause.type": "usage", "bucket.1.entry.0.text": "Data at home", "bucket.2.scope": "group",
		})
		then := s.do("GET", "/api/subscription/balanceQuery?subscriptionId="+string(line)+"&at="+url.QueryEscape(before.Format(time.RFC3339Nano)), "").Want(200).Is(map[string]string{
			"balance.amount": "10", "bucket.1.remainingValue.amount": "500", "bucket.0.entry.0.text": "Opening", "bucket.0.reservedValue.amount": "",
		})
		if now.At("at") != "" || then.At("at") == "" {
			t.Errorf("as of %q and %q", now.At("at"), then.At("at"))
		}
		s.do("GET", "/api/subscription/balanceQuery?subscriptionId="+string(line)+"&at=yesterday", "").Want(400)
		s.do("GET", "/api/subscription/balanceQuery?subscriptionId="+string(line)+"&entries=0", "").Want(200).Is(map[string]string{"bucket.0.entry.0.text": ""})
		s.do("GET", "/api/subscription/balanceQuery", "").Want(400)
		s.do("GET", "/api/subscription/balanceQuery?mobileNumber=41790000072", "").Want(404)
	})
}

func TestBundleBalancesAddUpByScopeAndCategory(t *testing.T) {
	each(t, func(s *server) {
		_, _, data := s.lineWith("41790000071")
		if err := s.house.Balances.Move(s.ctx, balance.Cause{Kind: "usage", ID: "usg_1"}, balance.Movement{Bucket: data, Amount: -200, Against: balance.Used}); err != nil {
			t.Fatal(err)
		}
		s.do("GET", "/api/subscription/bundleBalance?mobileNumber=41790000071", "").Want(200).Is(map[string]string{
			"bundle.0.bundleName": "Data", "bundle.0.bucketID": string(data), "bundle.0.unitType": "bytes", "bundle.0.status": "active", "bundle.0.isPromotional": "false",
			"bundle.0.personal.limit": "500", "bundle.0.personal.used": "200", "bundle.0.personal.balance": "300", "bundle.0.group.balance": "500", "bundle.0.rollover.limit": "",
			"category.0.category": "data", "category.0.limit": "1000", "category.0.used": "200", "category.0.balance": "800",
		})
		s.do("GET", "/api/subscription/bundleBalance", "").Want(400)
	})
}

func TestHistoriesGoOnByTheirKey(t *testing.T) {
	each(t, func(s *server) {
		line, cash, data := s.lineWith("41790000071")
		for range 5 {
			for i, against := range map[id.ID]string{cash: balance.Sales, data: balance.Used} {
				if err := s.house.Balances.Move(s.ctx, balance.Cause{Kind: "usage", ID: "usg_1", Text: "Used"}, balance.Movement{Bucket: i, Amount: -1, Against: against}); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, _, err := s.house.Balances.Adjust(s.ctx, balance.AdjustOrder{Subscription: line, Bucket: cash, Amount: sid.Quantity{Amount: []byte("-2.5")}, Reason: "Charged twice", Rest: sid.Rest{"reasonCode": []byte(`"R7"`)}})
		if err != nil {
			t.Fatal(err)
		}
		base := "/api/subscription/" + string(line)
		for path, want := range map[string]int{
			base + "/history": 14, base + "/history?bucketID=" + string(data): 6, "/api/subscription/balanceHistory?mobileNumber=41790000071": 7,
			base + "/transaction": 4, "/api/subscription/41790000071/history": 14, base + "/history?to=2020-01-01T00:00:00Z": 0,
		} {
			join := "?"
			if strings.Contains(path, "?") {
				join = "&"
			}
			seen, next := 0, path+join+"limit=3"
			for pages := 0; next != ""; pages++ {
				page := s.do("GET", next, "").Want(200)
				seen += page.Len()
				if next = ""; page.Header.Get("X-Next-Key") != "" {
					next = path + join + "limit=3&key=" + page.Header.Get("X-Next-Key")
					if !strings.Contains(page.Header.Get("Link"), `rel="next"`) {
						t.Errorf("%s: no link to the next page in %s", path, page.Header.Get("Link"))
					}
				}
				if pages > 10 {
					t.Fatalf("%s never ends", path)
				}
			}
			if seen != want {
				t.Errorf("%s has %d entries, want %d", path, seen, want)
			}
		}
		s.do("GET", base+"/transaction", "").Want(200).Is(map[string]string{
			"0.adjustmentType": "adjustment", "0.amount.amount": "-2.5", "0.balance.amount": "7.499995", "0.bucketID": string(cash), "0.csrInput": "",
		})
		s.do("GET", base+"/detailedSubscriptionTransaction?limit=1", "").Want(200).Is(map[string]string{
			"0.adjustmentType": "adjustment", "0.csrInput": "Charged twice", "0.reasonCode": "R7", "0.agent": "tester", "0.amount.amount": "-2.5",
		})
		s.do("GET", base+"/history?key=nonsense", "").Want(400)
		s.do("GET", base+"/history?limit=0", "").Want(400)
		s.do("GET", "/api/subscription/41790000072/transaction", "").Want(404)
	})
}
