package cm_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// offering is the id of a plan, as a client finds it.
func (s *server) offering(name string) string {
	s.t.Helper()
	return s.do("GET", "/api/productOffering?name="+name, "").want(200).at("0.id")
}

// order places an order for an account and has it carried out.
func (s *server) order(account, offering string) reply {
	s.t.Helper()
	placed := s.do("POST", "/api/productOrder", `{"accountId":"`+account+`","productOrderItem":[{"action":"add","productOffering":{"id":"`+offering+`"}}]}`).want(201)
	placed.is(map[string]string{"state": "acknowledged", "billingAccount.id": account})
	if placed.header.Get("Location") != placed.at("href") {
		s.t.Errorf("Location %s is not href %s", placed.header.Get("Location"), placed.at("href"))
	}
	s.house.Work(s.ctx, s.t)
	return s.do("GET", "/api/productOrder/"+placed.at("id"), "").want(200).is(map[string]string{"state": "completed"})
}

// Provisioning a new subscriber with quickPrepaidBillingAccount: an account, then an order for it.
func TestANewSubscriberByTheQuickWay(t *testing.T) {
	each(t, func(s *server) {
		opened := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe","email":"jane@example.com"}`).want(201)
		account := opened.at("id")
		opened.is(map[string]string{"accountType": "prepaid", "currency": "CHF", "state": "active", "customer.name": "Jane Doe"})
		s.do("GET", "/api/individual/"+opened.at("individual.id"), "").want(200).is(map[string]string{"givenName": "Jane", "contactMedium.0.characteristic.emailAddress": "jane@example.com"})
		s.do("GET", "/api/customer/"+opened.at("customer.id"), "").want(200).is(map[string]string{"engagedParty.id": opened.at("individual.id")})
		s.do("GET", "/api/quickPrepaidBillingAccount/"+opened.at("accountNumber"), "").want(200).is(map[string]string{"id": account})

		done := s.order(account, s.offering("Plus"))
		line := done.at("productOrderItem.0.product.id")
		found := s.do("GET", "/api/subscription?accountId="+account, "").want(200)
		found.is(map[string]string{"0.id": line, "0.state": "ACTIVE", "0.stateCode": "1", "0.status": "active", "0.accountID": account, "0.subscriptionType": "PREPAID"})
		if found.len() != 1 || found.header.Get("X-Total-Count") != "1" {
			t.Errorf("%d subscriptions, total %s", found.len(), found.header.Get("X-Total-Count"))
		}
		number := found.at("0.mobileNumber")
		for _, path := range []string{"/api/subscription/" + line, "/api/subscription/" + number, "/api/v1/subscription/" + number, "/api/subscription?mobileNumber=0" + number[2:]} {
			if a := s.do("GET", path, "").want(200); a.at("id") != line && a.at("0.id") != line {
				t.Errorf("%s does not find the line: %s", path, a.raw)
			}
		}
		s.do("GET", "/api/subscription/profile?mobileNumber=%2B"+number, "").want(200).is(map[string]string{
			"profile.paidType": "PREPAID", "rating.primaryPricePlan.name": "Plus", "rating.bundles.0.bundleName": "Data", "status.state": "ACTIVE", "billing.currency": "CHF",
		})
		s.do("GET", "/api/subscription/"+line+"/pricePlan", "").want(200).is(map[string]string{"name": "Plus", "productPrice.0.price.taxIncludedAmount.unit": "CHF"})
		s.do("GET", "/api/subscription/balanceQuery?subscriptionId="+line, "").want(200).is(map[string]string{
			"balance.units": "CHF", "balance.amount": "5.1", "bucket.0.usageType": "monetary",
			"bucket.0.entry.0.operation": "debit", "bucket.0.entry.0.cause.type": "productOrder", "bucket.0.entry.0.cause.id": done.at("id"),
			"bucket.1.usageType": "data", "bucket.1.remainingValue.amount": "5000000000", "bucket.1.remainingValue.units": "bytes",
		})
		if n := s.do("GET", "/api/productOrder?accountId="+account, "").want(200).len(); n != 1 {
			t.Errorf("%d orders of the account", n)
		}
		s.house.Balanced(s.ctx, t)
	})
}

// Provisioning a new subscriber step by step: individual, customer, account, order.
func TestANewSubscriberStepByStep(t *testing.T) {
	each(t, func(s *server) {
		person := s.do("POST", "/api/individual", `{"givenName":"Jane","familyName":"Doe"}`).want(201).is(map[string]string{"status": "initialized"})
		customer := s.do("POST", "/api/customer", `{"name":"Jane Doe","engagedParty":{"id":"`+person.at("id")+`","href":"`+person.at("href")+`"}}`).want(201)
		customer.is(map[string]string{"engagedParty.@referredType": "Individual", "engagedParty.name": "Jane Doe", "status": "Approved"})
		account := s.do("POST", "/api/billingAccount", `{"name":"Jane","relatedParty":[{"id":"`+customer.at("id")+`","href":"`+customer.at("href")+`"}]}`).want(201)
		account.is(map[string]string{"relatedParty.0.@referredType": "Customer", "relatedParty.0.name": "Jane Doe", "state": "active"})
		if len(account.at("accountNumber")) != 8 {
			t.Errorf("account number %q", account.at("accountNumber"))
		}
		done := s.order(account.at("id"), s.offering("Start"))
		s.do("GET", "/api/subscription?accountID="+account.at("accountNumber"), "").want(200).is(map[string]string{"0.id": done.at("productOrderItem.0.product.id")})

		s.do("DELETE", "/api/billingAccount/"+account.at("id"), "").want(409).is(map[string]string{"code": "stillReferredTo"})
		s.do("DELETE", "/api/individual/"+person.at("id"), "").want(409)
		s.do("PATCH", "/api/billingAccount/"+account.at("id"), `{"state":"SUSPENDED"}`).want(200).is(map[string]string{"state": "suspended"})
		s.do("POST", "/api/productOrder", `{"accountId":"`+account.at("id")+`","cartItem":[{"productOffering":{"id":"`+s.offering("Start")+`"}}]}`).want(409).is(map[string]string{"code": "accountBarred"})
	})
}

func TestOpeningAnAccountIsAllOrNothingAndReplaySafe(t *testing.T) {
	each(t, func(s *server) {
		for body, attribute := range map[string]string{
			`{}`:                   "givenName",
			`{"givenName":"Jane"}`: "familyName",
			`{"givenName":"Jane","familyName":"Doe","currency":"XYZ"}`:             "currency",
			`{"givenName":"Jane","familyName":"Doe","tradingName":"Moon"}`:         "givenName",
			`{"givenName":"Jane","familyName":"Doe","accountType":"postpaid"}`:     "accountType",
			`{"givenName":"Jane","familyName":"Doe","birthDate":"2999-01-01"}`:     "birthDate",
			`{"givenName":"Jane","familyName":"Doe","email":"a","phoneNumber":12}`: "phoneNumber",
		} {
			if a := s.do("POST", "/api/quickPrepaidBillingAccount", body).want(400); a.at("details.0.attribute") != attribute {
				t.Errorf("%s is refused at %q, want %q", body, a.at("details.0.attribute"), attribute)
			}
		}
		if n := s.do("GET", "/api/individual", "").want(200).len(); n != 0 {
			t.Errorf("refused requests left %d individuals", n)
		}
		first := s.do("POST", "/api/quickPrepaidBillingAccount", `{"tradingName":"Moon FC"}`, "Idempotency-Key: k1").want(201)
		again := s.do("POST", "/api/quickPrepaidBillingAccount", `{"tradingName":"Moon FC"}`, "Idempotency-Key: k1").want(201)
		if first.raw != again.raw || first.at("organization.name") != "Moon FC" {
			t.Errorf("%s\n%s", first.raw, again.raw)
		}
		if n := s.do("GET", "/api/billingAccount", "").want(200).len(); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

func TestOrdersAreCheckedUpFront(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
		plan := `"productOrderItem":[{"productOffering":{"id":"` + s.offering("Start") + `"}}]`
		for body, want := range map[string]struct {
			status int
			at     string
		}{
			`{` + plan + `}`:                        {400, "accountId"},
			`{"accountId":"12345678",` + plan + `}`: {404, "accountId"},
			`{"accountId":"` + account + `"}`:       {400, "productOrderItem"},
			`{"accountId":"` + account + `","productOrderItem":[{"action":"add"}]}`:                                     {400, "productOrderItem[0].productOffering"},
			`{"accountId":"` + account + `","atuTokenID":"t","atuAmount":5,` + plan + `}`:                               {409, "atuTokenID"},
			`{"accountId":"` + account + `","userData":[{"name":"MSISDN","value":"abc"}],` + plan + `}`:                 {400, "productOrderItem[0].product.productCharacteristic[0].value"},
			`{"accountId":"` + account + `","userData":[{"name":"SCHEDULE","value":"2030-01-01"}],` + plan + `}`:        {400, "userData[0].value"},
			`{"accountId":"` + account + `","productOrderItem":[{"productOffering":{"id":"off_1"}}]}`:                   {400, "productOrderItem[0].productOffering.id"},
			`{"accountId":"` + account + `","productOrderItem":[{"action":"delete","productOffering":{"id":"start"}}]}`: {400, "productOrderItem[0].product.id"},
		} {
			a := s.do("POST", "/api/productOrder", body)
			if a.status != want.status || a.at("details.0.attribute") != want.at {
				t.Errorf("%s answers %d at %q, want %d at %q: %s", body, a.status, a.at("details.0.attribute"), want.status, want.at, a.raw)
			}
		}
	})
}

// What the server says of an order and its items is not taken from a client, and does no harm when it comes:
// clients send back what they were shown.
func TestWhatAnOrderSaysOfItselfIsTheServers(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
		a := s.do("POST", "/api/productOrder", `{"@type":"PrepaidOrder","id":"x","href":"http://elsewhere/x","state":"acknowledged","orderDate":"2000-01-01T00:00:00Z",
			"completionDate":"2000-01-01T00:00:00Z","orderTotalPrice":[],"productOrderErrorMessage":[{"code":"x"}],"priority":"1","accountId":"`+account+`",
			"productOrderItem":[{"@type":"Item","state":"completed","itemPrice":[],"process":"mine","milestone":[],"note":"n",
				"product":{"realizingResource":[{"id":"num_x"}]},"productOffering":{"id":"`+s.offering("Start")+`"}}]}`).want(201)
		a.is(map[string]string{
			"@type": "PrepaidOrder", "priority": "1", "state": "acknowledged", "completionDate": "", "productOrderErrorMessage": "",
			"productOrderItem.0.@type": "Item", "productOrderItem.0.note": "n", "productOrderItem.0.state": "acknowledged",
			"productOrderItem.0.process": "newLine", "productOrderItem.0.product.id": "", "productOrderItem.0.product.realizingResource": "",
		})
		if a.at("id") == "x" || strings.Count(a.raw, `"href":"http://`) != 1 || strings.HasPrefix(a.at("orderDate"), "2000") {
			t.Errorf("the client's say is kept: %s", a.raw)
		}
		s.house.Work(s.ctx, s.t)
		s.do("GET", "/api/productOrder/"+a.at("id"), "").want(200).is(map[string]string{"state": "completed"})
		s.do("POST", "/api/productOrder", `{"state":"completed","accountId":"`+account+`","productOrderItem":[{"productOffering":{"id":"start"}}]}`).
			want(400).is(map[string]string{"details.0.attribute": "state"})
	})
}

func TestTheNameOfAnItem(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
		for name, want := range map[string]string{
			`"A\/\u00e9\ud83d\ude00"`: "A/é😀", `7`: "7", `1.50`: "1.50", `null`: "1", `""`: "1", `true`: "400", `{"a":1}`: "400", `[]`: "400",
		} {
			a := s.do("POST", "/api/productOrder?dryRun=true", `{"accountId":"`+account+`","productOrderItem":[{"id":`+name+`,"productOffering":{"id":"start"}}]}`)
			if want == "400" {
				a.want(400).is(map[string]string{"details.0.attribute": "productOrderItem[0].id"})
			} else {
				a.want(201).is(map[string]string{"productOrderItem.0.id": want})
			}
		}
	})
}

func TestAllThatIsWrongWithAnOrderIsToldAtOnce(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
		other := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Joe","familyName":"Doe"}`).want(201).at("accountNumber")
		start := `"productOffering":{"id":"start"}`
		for body, want := range map[string][]string{
			`{"atuAmount":5,"productOrderItem":[{},{"productOffering":{"id":"nope"}}],"cartItem":[{}],"userData":[{"name":"SCHEDULE","value":"x"},{"name":"SUBSCRIPTION_ID","value":"x"}]}`: {
				"userData[0].value", "userData[1].value", "productOrderItem[0].productOffering", "productOrderItem[1].productOffering.id", "cartItem[0].productOffering", "accountId"},
			`{"accountId":"` + account + `","productOrderItem":[{"id":1,"action":"fly",` + start + `},{"id":1,` + start + `}]}`: {"productOrderItem[0].action", "productOrderItem[1].id"},
			`{"accountId":"` + account + `","productOrderItem":[{"quantity":2,` + start + `},{"product":{"productCharacteristic":[{"name":"MSISDN","value":"x"},{"name":"ICCID","value":"x"}]},` + start + `}]}`: {
				"productOrderItem[0].quantity", "productOrderItem[1].product.productCharacteristic[0].value", "productOrderItem[1].product.productCharacteristic[1].value"},
			// Two accounts, two numbers: nobody is to guess which was meant.
			`{"accountId":"` + account + `","billingAccount":{"id":"` + other + `"},"productOrderItem":[{` + start + `}]}`:                                                                                            {"billingAccount.id"},
			`{"accountId":"` + account + `","productOrderItem":[{"product":{"productCharacteristic":[{"name":"msisdn","value":"41790000001"}]},` + start + `}],"userData":[{"name":"MSISDN","value":"41790000002"}]}`: {"userData[0].value"},
			`{"accountId":"` + account + `","productOrderItem":[{"product":{"productCharacteristic":[{"name":"MSISDN","value":"41790000001"},{"name":"MSISDN","value":"41790000002"}]},` + start + `}]}`: {
				"productOrderItem[0].product.productCharacteristic[1].value"},
		} {
			a := s.do("POST", "/api/productOrder", body).want(400)
			for n, at := range want {
				if got := a.at("details." + strconv.Itoa(n) + ".attribute"); got != at {
					t.Errorf("%s: fault %d is at %q, want %q", body, n, got, at)
				}
			}
			if a.at("details."+strconv.Itoa(len(want))) != "" {
				t.Errorf("%s: more than %d faults: %s", body, len(want), a.raw)
			}
		}
		s.do("POST", "/api/productOrder?dryRun=true", `{"accountId":"`+other+`","accountID":"`+other+`","productOrderItem":[{`+start+`}]}`).want(201)
	})
}

func TestASubscriptionIsNamedInOneWayOrInTwoThatAgree(t *testing.T) {
	each(t, func(s *server) {
		line := func() (i, number string) {
			account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
			i = s.order(account, s.offering("Start")).at("productOrderItem.0.product.id")
			return i, s.do("GET", "/api/subscription/"+i, "").want(200).at("mobileNumber")
		}
		one, number := line()
		_, other := line()
		body := func(mobile string) string {
			return `{"subscriptionId":"` + one + `","mobileNumber":"` + mobile + `","amount":{"unit":"CHF","value":1},"reference":"r"}`
		}
		s.do("POST", "/api/subscription/topup", body(other)).want(400).is(map[string]string{"details.0.attribute": "mobileNumber"})
		s.do("GET", "/api/subscription/balanceQuery?subscriptionId="+one+"&mobileNumber="+other, "").want(400)
		s.do("POST", "/api/subscription/topup", body("+"+number)).want(201)
	})
}

func TestListsOfOrdersAndSubscriptionsComeInPages(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
		for range 3 {
			s.order(account, s.offering("Start"))
		}
		for _, path := range []string{"/api/productOrder", "/api/subscription"} {
			a := s.do("GET", path+"?accountId="+account+"&limit=1&offset=1", "").want(206)
			link := a.header.Get("Link")
			for _, want := range []string{`offset=0>; rel="first"`, `offset=0>; rel="prev"`, `offset=2>; rel="next"`, `offset=2>; rel="last"`, path + "?accountId=" + account + "&limit=1"} {
				if !strings.Contains(link, want) {
					t.Errorf("%s: %s is not in Link: %s", path, want, link)
				}
			}
			if a.len() != 1 || a.header.Get("X-Total-Count") != "3" || a.header.Get("X-Result-Count") != "1" {
				t.Errorf("%s: %d items, headers %v", path, a.len(), a.header)
			}
			s.do("GET", path, "").want(200)
			s.do("GET", path+"?accountId=", "").want(400).is(map[string]string{"details.0.attribute": "accountId"})
			s.do("GET", path+"?account=x", "").want(400)
		}
	})
}

func TestAnOrderMayNameItsNumber(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("accountNumber")
		s.do("POST", "/api/productOrder", `{"accountID":"`+account+`","cartItem":[{"action":"ADD","id":7,"productOffering":{"id":"`+s.offering("Start")+`"}}],"userData":[{"name":"MSISDN","value":"+41 79 000 00 03"},{"name":"CHANNEL","value":"WEB"}]}`).
			want(201).is(map[string]string{"productOrderItem.0.id": "7", "userData.1.value": "WEB"})
		s.house.Work(s.ctx, s.t)
		s.do("GET", "/api/subscription/41790000003", "").want(200).is(map[string]string{"state": "ACTIVE", "mobileNumberFormatted": "+41 79 000 00 03"})
	})
}

func TestTopUpsPayOnce(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
		line := s.order(account, s.offering("Start")).at("productOrderItem.0.product.id")
		body := func(amount, reference string) string {
			return `{"subscriptionId":"` + line + `","amount":{"unit":"CHF","value":` + amount + `},"reference":"` + reference + `"}`
		}
		made := s.do("POST", "/api/subscription/topup", body("20", "kiosk-1")).want(201).is(map[string]string{"balance.amount": "25", "status": "completed"})
		s.do("POST", "/api/subscription/topup", body("20.00", "kiosk-1")).want(200).is(map[string]string{"id": made.at("id"), "balance.amount": "25"})
		s.do("POST", "/api/subscription/topup", body("21", "kiosk-1")).want(409).is(map[string]string{"code": "referenceReused"})
		s.do("POST", "/api/subscription/topup", body("0", "kiosk-2")).want(400)
		s.do("POST", "/api/subscription/topup", body("0.001", "kiosk-2")).want(400)
		s.do("POST", "/api/subscription/topup", `{"mobileNumber":"41790000099","amount":{"unit":"CHF","value":1},"reference":"x"}`).want(404)
		s.do("POST", "/api/subscription/topup", `{"subscriptionId":"`+line+`","amount":{"unit":"EUR","value":1},"reference":"x"}`).want(400)
		s.do("GET", "/api/subscription/balanceQuery?subscriptionId="+line, "").want(200).is(map[string]string{
			"bucket.0.entry.0.text": "Top-up of 20.00 CHF, reference kiosk-1", "bucket.0.entry.0.cause.id": made.at("id"), "bucket.0.entry.0.balance.amount": "25",
		})
		if n := s.do("GET", "/api/subscription/"+line+"/history", "").want(200).len(); n != 2 {
			t.Errorf("%d movements, want opening balance and top-up", n)
		}
		s.house.Balanced(s.ctx, t)
	})
}

func TestAServiceProviderIsCreatedUnderItsOwnNumber(t *testing.T) {
	each(t, func(s *server) {
		s.do("POST", "/api/serviceProvider", `{"spid":7,"name":"Moon","currency":"EUR"}`).want(403)
		s.do("POST", "/api/serviceProvider", `{"spid":7,"name":"Moon","currency":"EUR"}`, "spid: 7").want(201).is(map[string]string{"spid": "7", "timeZone": "UTC"})
		s.do("POST", "/api/serviceProvider", `{"name":"Moon","currency":"EUR"}`, "spid: 7").want(409)
		list := s.do("GET", "/api/serviceProvider", "", "spid: 7").want(200).is(map[string]string{"0.name": "Moon"})
		one := "/api/serviceProvider/" + list.at("0.id")
		s.do("GET", one, "").want(404)
		s.do("PATCH", one, `{"name":"Sun","country":"DE"}`, "spid: 7").want(200).is(map[string]string{"name": "Sun"})
		s.do("PATCH", one, `{"spid":8}`, "spid: 7").want(400)
		s.do("PATCH", one, `{"timeZone":"Mars/Olympus"}`, "spid: 7").want(400).is(map[string]string{"details.0.attribute": "timeZone"})
		s.do("DELETE", one, "", "spid: 7").want(405)
	})
}

func TestEveryOperationAsksForItsPermission(t *testing.T) {
	each(t, func(s *server) {
		for _, lacks := range []string{"billingAccount:post", "customer:post", "individual:post"} {
			s.do("POST", "/api/quickPrepaidBillingAccount", `{"tradingName":"Moon"}`, "Authorization: "+lacks).want(403)
		}
		for path, lacks := range map[string]string{
			"/api/customer": "customer:get", "/api/individual": "individual:get", "/api/billingAccount": "billingAccount:get",
			"/api/serviceProvider": "serviceProvider:get", "/api/productOffering": "productOffering:get", "/api/subscription": "subscription:get",
			"/api/subscription/balanceQuery": "subscription:get", "/api/productOrder": "productOrder:get",
		} {
			s.do("GET", path, "", "Authorization: "+lacks).want(403)
		}
	})
}

func TestAnotherServiceProviderSeesNothing(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201)
		done := s.order(account.at("id"), s.offering("Start"))
		line := s.do("GET", "/api/subscription/"+done.at("productOrderItem.0.product.id"), "").want(200)
		for _, path := range []string{
			"/api/billingAccount/" + account.at("id"), "/api/quickPrepaidBillingAccount/" + account.at("accountNumber"), "/api/productOrder/" + done.at("id"),
			"/api/subscription/" + line.at("id"), "/api/subscription/" + line.at("mobileNumber"), "/api/subscription/balanceQuery?subscriptionId=" + line.at("id"),
		} {
			s.do("GET", path, "", "spid: 2").want(404)
		}
		if n := s.do("GET", "/api/subscription", "", "spid: 2").want(200).len(); n != 0 {
			t.Errorf("another service provider sees %d subscriptions", n)
		}
	})
}

func TestTheDeclarationsHold(t *testing.T) {
	h := ordertest.New(storetest.Open(t, "sqlite"))
	table, err := op.NewTable(operations(h)...)
	if err != nil {
		t.Fatal(err)
	}
	optest.Documents(t, table)
	for _, o := range operations(h) {
		if o.Summary == "" || o.Description == "" || o.Tag == "" {
			t.Errorf("%s lacks a summary, description or tag", o.ID)
		}
		if len(o.Aliases) == 0 {
			t.Errorf("%s has no path under /api/v1", o.ID)
		}
		if o.Method == http.MethodPost && (o.Request == nil || o.Request.Example == nil) {
			t.Errorf("%s has no example of its request", o.ID)
		}
	}
}

func TestAPartyIsValidated(t *testing.T) {
	each(t, func(s *server) {
		i := s.do("POST", "/api/individual", `{"givenName":"Jane","familyName":"Doe","individualIdentification":[{"identificationType":"passport","identificationId":"X1"}]}`).want(201).at("id")
		ask := func(more string) reply {
			return s.do("POST", "/api/individual/identification/validate", `{"individualId":"`+i+`"`+more+`}`)
		}
		ask(`,"givenName":"Jane","individualIdentification":{"identificationId":"X1"}`).want(200).is(map[string]string{"valid": "true"})
		ask(`,"givenName":"Joan","familyName":"Doe"`).want(200).is(map[string]string{"valid": "false", "finding.0.matches": "false", "finding.1.matches": "true"})
		ask(``).want(400)
		s.do("POST", "/api/individual/identification/validate", `{"individualId":"ind_1","givenName":"Jane"}`).want(404)
	})
}
