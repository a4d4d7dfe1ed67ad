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
	return s.do("GET", "/api/productOffering?name="+name, "").Want(200).At("0.id")
}

// order places an order for an account and has it carried out.
func (s *server) order(account, offering string) optest.Reply {
	s.t.Helper()
	placed := s.do("POST", "/api/productOrder", `{"accountId":"`+account+`","productOrderItem":[{"action":"add","productOffering":{"id":"`+offering+`"}}]}`).Want(201)
	placed.Is(map[string]string{"state": "acknowledged", "billingAccount.id": account})
	if placed.Header.Get("Location") != placed.At("href") {
		s.t.Errorf("Location %s is not href %s", placed.Header.Get("Location"), placed.At("href"))
	}
	s.house.Work(s.ctx, s.t)
	return s.do("GET", "/api/productOrder/"+placed.At("id"), "").Want(200).Is(map[string]string{"state": "completed"})
}

// Provisioning a new subscriber with quickPrepaidBillingAccount: an account, then an order for it.
func TestANewSubscriberByTheQuickWay(t *testing.T) {
	each(t, func(s *server) {
		opened := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe","email":"jane@example.com"}`).Want(201)
		account := opened.At("id")
		opened.Is(map[string]string{"accountType": "prepaid", "currency": "CHF", "state": "active", "customer.name": "Jane Doe"})
		s.do("GET", "/api/individual/"+opened.At("individual.id"), "").Want(200).Is(map[string]string{"givenName": "Jane", "contactMedium.0.characteristic.emailAddress": "jane@example.com"})
		s.do("GET", "/api/customer/"+opened.At("customer.id"), "").Want(200).Is(map[string]string{"engagedParty.id": opened.At("individual.id")})
		s.do("GET", "/api/quickPrepaidBillingAccount/"+opened.At("accountNumber"), "").Want(200).Is(map[string]string{"id": account})

		done := s.order(account, s.offering("Plus"))
		line := done.At("productOrderItem.0.product.id")
		found := s.do("GET", "/api/subscription?accountId="+account, "").Want(200)
		found.Is(map[string]string{"0.id": line, "0.state": "ACTIVE", "0.stateCode": "1", "0.status": "active", "0.accountID": account, "0.subscriptionType": "PREPAID"})
		if found.Len() != 1 || found.Header.Get("X-Total-Count") != "1" {
			t.Errorf("%d subscriptions, total %s", found.Len(), found.Header.Get("X-Total-Count"))
		}
		number := found.At("0.mobileNumber")
		for _, path := range []string{"/api/subscription/" + line, "/api/subscription/" + number, "/api/v1/subscription/" + number, "/api/subscription?mobileNumber=0" + number[2:]} {
			if a := s.do("GET", path, "").Want(200); a.At("id") != line && a.At("0.id") != line {
				t.Errorf("%s does not find the line: %s", path, a.Raw)
			}
		}
		s.do("GET", "/api/subscription/profile?mobileNumber=%2B"+number, "").Want(200).Is(map[string]string{
			"profile.paidType": "PREPAID", "rating.primaryPricePlan.name": "Plus", "rating.bundles.0.bundleName": "Data", "status.state": "ACTIVE", "billing.currency": "CHF",
		})
		s.do("GET", "/api/subscription/"+line+"/pricePlan", "").Want(200).Is(map[string]string{"name": "Plus", "productPrice.0.price.taxIncludedAmount.unit": "CHF"})
		s.do("GET", "/api/subscription/balanceQuery?subscriptionId="+line, "").Want(200).Is(map[string]string{
			"balance.units": "CHF", "balance.amount": "5.1", "bucket.0.usageType": "monetary",
			"bucket.0.entry.0.operation": "debit", "bucket.0.entry.0.cause.type": "productOrder", "bucket.0.entry.0.cause.id": done.At("id"),
			"bucket.1.usageType": "data", "bucket.1.remainingValue.amount": "5000000000", "bucket.1.remainingValue.units": "bytes",
		})
		if n := s.do("GET", "/api/productOrder?accountId="+account, "").Want(200).Len(); n != 1 {
			t.Errorf("%d orders of the account", n)
		}
		s.house.Balanced(s.ctx, t)
	})
}

// Provisioning a new subscriber step by step: individual, customer, account, order.
func TestANewSubscriberStepByStep(t *testing.T) {
	each(t, func(s *server) {
		person := s.do("POST", "/api/individual", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).Is(map[string]string{"status": "initialized"})
		customer := s.do("POST", "/api/customer", `{"name":"Jane Doe","engagedParty":{"id":"`+person.At("id")+`","href":"`+person.At("href")+`"}}`).Want(201)
		customer.Is(map[string]string{"engagedParty.@referredType": "Individual", "engagedParty.name": "Jane Doe", "status": "Approved"})
		account := s.do("POST", "/api/billingAccount", `{"name":"Jane","relatedParty":[{"id":"`+customer.At("id")+`","href":"`+customer.At("href")+`"}]}`).Want(201)
		account.Is(map[string]string{"relatedParty.0.@referredType": "Customer", "relatedParty.0.name": "Jane Doe", "state": "active"})
		if len(account.At("accountNumber")) != 8 {
			t.Errorf("account number %q", account.At("accountNumber"))
		}
		done := s.order(account.At("id"), s.offering("Start"))
		s.do("GET", "/api/subscription?accountID="+account.At("accountNumber"), "").Want(200).Is(map[string]string{"0.id": done.At("productOrderItem.0.product.id")})

		s.do("DELETE", "/api/billingAccount/"+account.At("id"), "").Want(409).Is(map[string]string{"code": "stillReferredTo"})
		s.do("DELETE", "/api/individual/"+person.At("id"), "").Want(409)
		s.do("PATCH", "/api/billingAccount/"+account.At("id"), `{"state":"SUSPENDED"}`).Want(200).Is(map[string]string{"state": "suspended"})
		s.do("POST", "/api/productOrder", `{"accountId":"`+account.At("id")+`","cartItem":[{"productOffering":{"id":"`+s.offering("Start")+`"}}]}`).Want(409).Is(map[string]string{"code": "accountBarred"})
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
			if a := s.do("POST", "/api/quickPrepaidBillingAccount", body).Want(400); a.At("details.0.attribute") != attribute {
				t.Errorf("%s is refused at %q, want %q", body, a.At("details.0.attribute"), attribute)
			}
		}
		if n := s.do("GET", "/api/individual", "").Want(200).Len(); n != 0 {
			t.Errorf("refused requests left %d individuals", n)
		}
		first := s.do("POST", "/api/quickPrepaidBillingAccount", `{"tradingName":"Moon FC"}`, "Idempotency-Key: k1").Want(201)
		again := s.do("POST", "/api/quickPrepaidBillingAccount", `{"tradingName":"Moon FC"}`, "Idempotency-Key: k1").Want(201)
		if first.Raw != again.Raw || first.At("organization.name") != "Moon FC" {
			t.Errorf("%s\n%s", first.Raw, again.Raw)
		}
		if n := s.do("GET", "/api/billingAccount", "").Want(200).Len(); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

func TestOrdersAreCheckedUpFront(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
		plan := `"productOrderItem":[{"productOffering":{"id":"` + s.offering("Start") + `"}}]`
		for body, want := range map[string]struct {
			status int
			at     string
		}{
			`{` + plan + `}`:                        {400, "accountId"},
			`{"accountId":"12345678",` + plan + `}`: {404, "accountId"},
			`{"accountId":"` + account + `"}`:       {400, "productOrderItem"},
			`{"accountId":"` + account + `","productOrderItem":[{"action":"add"}]}`:                                     {400, "productOrderItem[0].productOffering"},
			`{"accountId":"` + account + `","atuTokenID":"t","atuAmount":5,` + plan + `}`:                               {400, "atuTokenID"},
			`{"accountId":"` + account + `","userData":[{"name":"MSISDN","value":"abc"}],` + plan + `}`:                 {400, "productOrderItem[0].product.productCharacteristic[0].value"},
			`{"accountId":"` + account + `","userData":[{"name":"SCHEDULE","value":"2030-01-01"}],` + plan + `}`:        {400, "userData[0].value"},
			`{"accountId":"` + account + `","productOrderItem":[{"productOffering":{"id":"off_1"}}]}`:                   {400, "productOrderItem[0].productOffering.id"},
			`{"accountId":"` + account + `","productOrderItem":[{"action":"delete","productOffering":{"id":"start"}}]}`: {400, "productOrderItem[0].product.id"},
		} {
			a := s.do("POST", "/api/productOrder", body)
			if a.Status != want.status || a.At("details.0.attribute") != want.at {
				t.Errorf("%s answers %d at %q, want %d at %q: %s", body, a.Status, a.At("details.0.attribute"), want.status, want.at, a.Raw)
			}
		}
	})
}

// What the server says of an order and its items is not taken from a client, and does no harm when it comes:
// clients send back what they were shown.
func TestWhatAnOrderSaysOfItselfIsTheServers(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
		a := s.do("POST", "/api/productOrder", `{"@type":"PrepaidOrder","id":"x","href":"http://elsewhere/x","state":"acknowledged","orderDate":"2000-01-01T00:00:00Z",
			"completionDate":"2000-01-01T00:00:00Z","orderTotalPrice":[],"productOrderErrorMessage":[{"code":"x"}],"priority":"1","accountId":"`+account+`",
			"productOrderItem":[{"@type":"Item","state":"completed","itemPrice":[],"process":"mine","milestone":[],"note":"n",
				"product":{"realizingResource":[{"id":"num_x"}]},"productOffering":{"id":"`+s.offering("Start")+`"}}]}`).Want(201)
		a.Is(map[string]string{
			"@type": "PrepaidOrder", "priority": "1", "state": "acknowledged", "completionDate": "", "productOrderErrorMessage": "",
			"productOrderItem.0.@type": "Item", "productOrderItem.0.note": "n", "productOrderItem.0.state": "acknowledged",
			"productOrderItem.0.process": "newLine", "productOrderItem.0.product.id": "", "productOrderItem.0.product.realizingResource": "",
		})
		if a.At("id") == "x" || strings.Count(a.Raw, `"href":"http://`) != 1 || strings.HasPrefix(a.At("orderDate"), "2000") {
			t.Errorf("the client's say is kept: %s", a.Raw)
		}
		s.house.Work(s.ctx, s.t)
		s.do("GET", "/api/productOrder/"+a.At("id"), "").Want(200).Is(map[string]string{"state": "completed"})
		s.do("POST", "/api/productOrder", `{"state":"completed","accountId":"`+account+`","productOrderItem":[{"productOffering":{"id":"start"}}]}`).
			Want(400).Is(map[string]string{"details.0.attribute": "state"})
	})
}

func TestTheNameOfAnItem(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
		for name, want := range map[string]string{
			`"A\/\u00e9\ud83d\ude00"`: "A/é😀", `7`: "7", `1.50`: "1.50", `null`: "1", `""`: "1", `true`: "400", `{"a":1}`: "400", `[]`: "400",
		} {
			a := s.do("POST", "/api/productOrder?dryRun=true", `{"accountId":"`+account+`","productOrderItem":[{"id":`+name+`,"productOffering":{"id":"start"}}]}`)
			if want == "400" {
				a.Want(400).Is(map[string]string{"details.0.attribute": "productOrderItem[0].id"})
			} else {
				a.Want(201).Is(map[string]string{"productOrderItem.0.id": want})
			}
		}
	})
}

func TestAllThatIsWrongWithAnOrderIsToldAtOnce(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
		other := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Joe","familyName":"Doe"}`).Want(201).At("accountNumber")
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
			a := s.do("POST", "/api/productOrder", body).Want(400)
			for n, at := range want {
				if got := a.At("details." + strconv.Itoa(n) + ".attribute"); got != at {
					t.Errorf("%s: fault %d is at %q, want %q", body, n, got, at)
				}
			}
			if a.At("details."+strconv.Itoa(len(want))) != "" {
				t.Errorf("%s: more than %d faults: %s", body, len(want), a.Raw)
			}
		}
		s.do("POST", "/api/productOrder?dryRun=true", `{"accountId":"`+other+`","accountID":"`+other+`","productOrderItem":[{`+start+`}]}`).Want(201)
	})
}

func TestASubscriptionIsNamedInOneWayOrInTwoThatAgree(t *testing.T) {
	each(t, func(s *server) {
		line := func() (i, number string) {
			account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
			i = s.order(account, s.offering("Start")).At("productOrderItem.0.product.id")
			return i, s.do("GET", "/api/subscription/"+i, "").Want(200).At("mobileNumber")
		}
		one, number := line()
		_, other := line()
		body := func(mobile string) string {
			return `{"subscriptionId":"` + one + `","mobileNumber":"` + mobile + `","amount":{"unit":"CHF","value":1},"reference":"r"}`
		}
		s.do("POST", "/api/subscription/topup", body(other)).Want(400).Is(map[string]string{"details.0.attribute": "mobileNumber"})
		s.do("GET", "/api/subscription/balanceQuery?subscriptionId="+one+"&mobileNumber="+other, "").Want(400)
		s.do("POST", "/api/subscription/topup", body("+"+number)).Want(201)
	})
}

func TestListsOfOrdersAndSubscriptionsComeInPages(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
		for range 3 {
			s.order(account, s.offering("Start"))
		}
		for _, path := range []string{"/api/productOrder", "/api/subscription"} {
			a := s.do("GET", path+"?accountId="+account+"&limit=1&offset=1", "").Want(206)
			link := a.Header.Get("Link")
			for _, want := range []string{`offset=0>; rel="first"`, `offset=0>; rel="prev"`, `offset=2>; rel="next"`, `offset=2>; rel="last"`, path + "?accountId=" + account + "&limit=1"} {
				if !strings.Contains(link, want) {
					t.Errorf("%s: %s is not in Link: %s", path, want, link)
				}
			}
			if a.Len() != 1 || a.Header.Get("X-Total-Count") != "3" || a.Header.Get("X-Result-Count") != "1" {
				t.Errorf("%s: %d items, headers %v", path, a.Len(), a.Header)
			}
			s.do("GET", path, "").Want(200)
			s.do("GET", path+"?accountId=", "").Want(400).Is(map[string]string{"details.0.attribute": "accountId"})
			s.do("GET", path+"?account=x", "").Want(400)
		}
	})
}

func TestAnOrderMayNameItsNumber(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("accountNumber")
		s.do("POST", "/api/productOrder", `{"accountID":"`+account+`","cartItem":[{"action":"ADD","id":7,"productOffering":{"id":"`+s.offering("Start")+`"}}],"userData":[{"name":"MSISDN","value":"+41 79 000 00 03"},{"name":"CHANNEL","value":"WEB"}]}`).
			Want(201).Is(map[string]string{"productOrderItem.0.id": "7", "userData.1.value": "WEB"})
		s.house.Work(s.ctx, s.t)
		s.do("GET", "/api/subscription/41790000003", "").Want(200).Is(map[string]string{"state": "ACTIVE", "mobileNumberFormatted": "+41 79 000 00 03"})
	})
}

func TestTopUpsPayOnce(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
		line := s.order(account, s.offering("Start")).At("productOrderItem.0.product.id")
		body := func(amount, reference string) string {
			return `{"subscriptionId":"` + line + `","amount":{"unit":"CHF","value":` + amount + `},"reference":"` + reference + `"}`
		}
		made := s.do("POST", "/api/subscription/topup", body("20", "kiosk-1")).Want(201).Is(map[string]string{"balance.amount": "25", "status": "completed"})
		s.do("POST", "/api/subscription/topup", body("20.00", "kiosk-1")).Want(200).Is(map[string]string{"id": made.At("id"), "balance.amount": "25"})
		s.do("POST", "/api/subscription/topup", body("21", "kiosk-1")).Want(409).Is(map[string]string{"code": "referenceReused"})
		s.do("POST", "/api/subscription/topup", body("0", "kiosk-2")).Want(400)
		s.do("POST", "/api/subscription/topup", body("0.001", "kiosk-2")).Want(400)
		s.do("POST", "/api/subscription/topup", `{"mobileNumber":"41790000099","amount":{"unit":"CHF","value":1},"reference":"x"}`).Want(404)
		s.do("POST", "/api/subscription/topup", `{"subscriptionId":"`+line+`","amount":{"unit":"EUR","value":1},"reference":"x"}`).Want(400)
		s.do("GET", "/api/subscription/balanceQuery?subscriptionId="+line, "").Want(200).Is(map[string]string{
			"bucket.0.entry.0.text": "Top-up of 20.00 CHF, reference kiosk-1", "bucket.0.entry.0.cause.id": made.At("id"), "bucket.0.entry.0.balance.amount": "25",
		})
		if n := s.do("GET", "/api/subscription/"+line+"/history", "").Want(200).Len(); n != 2 {
			t.Errorf("%d movements, want opening balance and top-up", n)
		}
		s.house.Balanced(s.ctx, t)
	})
}

func TestAServiceProviderIsCreatedUnderItsOwnNumber(t *testing.T) {
	each(t, func(s *server) {
		s.do("POST", "/api/serviceProvider", `{"spid":7,"name":"Moon","currency":"EUR"}`).Want(403)
		s.do("POST", "/api/serviceProvider", `{"spid":7,"name":"Moon","currency":"EUR"}`, "spid: 7").Want(201).Is(map[string]string{"spid": "7", "timeZone": "UTC"})
		s.do("POST", "/api/serviceProvider", `{"name":"Moon","currency":"EUR"}`, "spid: 7").Want(409)
		list := s.do("GET", "/api/serviceProvider", "", "spid: 7").Want(200).Is(map[string]string{"0.name": "Moon"})
		one := "/api/serviceProvider/" + list.At("0.id")
		s.do("GET", one, "").Want(404)
		s.do("PATCH", one, `{"name":"Sun","country":"DE"}`, "spid: 7").Want(200).Is(map[string]string{"name": "Sun"})
		s.do("PATCH", one, `{"spid":8}`, "spid: 7").Want(400)
		s.do("PATCH", one, `{"timeZone":"Mars/Olympus"}`, "spid: 7").Want(400).Is(map[string]string{"details.0.attribute": "timeZone"})
		s.do("DELETE", one, "", "spid: 7").Want(405)
	})
}

func TestEveryOperationAsksForItsPermission(t *testing.T) {
	each(t, func(s *server) {
		for _, lacks := range []string{"billingAccount:post", "customer:post", "individual:post"} {
			s.do("POST", "/api/quickPrepaidBillingAccount", `{"tradingName":"Moon"}`, "Authorization: "+lacks).Want(403)
		}
		for path, lacks := range map[string]string{
			"/api/customer": "customer:get", "/api/individual": "individual:get", "/api/billingAccount": "billingAccount:get",
			"/api/serviceProvider": "serviceProvider:get", "/api/productOffering": "productOffering:get", "/api/subscription": "subscription:get",
			"/api/subscription/balanceQuery": "subscription:get", "/api/productOrder": "productOrder:get",
		} {
			s.do("GET", path, "", "Authorization: "+lacks).Want(403)
		}
	})
}

func TestAnotherServiceProviderSeesNothing(t *testing.T) {
	each(t, func(s *server) {
		account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201)
		done := s.order(account.At("id"), s.offering("Start"))
		line := s.do("GET", "/api/subscription/"+done.At("productOrderItem.0.product.id"), "").Want(200)
		for _, path := range []string{
			"/api/billingAccount/" + account.At("id"), "/api/quickPrepaidBillingAccount/" + account.At("accountNumber"), "/api/productOrder/" + done.At("id"),
			"/api/subscription/" + line.At("id"), "/api/subscription/" + line.At("mobileNumber"), "/api/subscription/balanceQuery?subscriptionId=" + line.At("id"),
		} {
			s.do("GET", path, "", "spid: 2").Want(404)
		}
		if n := s.do("GET", "/api/subscription", "", "spid: 2").Want(200).Len(); n != 0 {
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
		i := s.do("POST", "/api/individual", `{"givenName":"Jane","familyName":"Doe","individualIdentification":[{"identificationType":"passport","identificationId":"X1"}]}`).Want(201).At("id")
		ask := func(more string) optest.Reply {
			return s.do("POST", "/api/individual/identification/validate", `{"individualId":"`+i+`"`+more+`}`)
		}
		ask(`,"givenName":"Jane","individualIdentification":{"identificationId":"X1"}`).Want(200).Is(map[string]string{"valid": "true"})
		ask(`,"givenName":"Joan","familyName":"Doe"`).Want(200).Is(map[string]string{"valid": "false", "finding.0.matches": "false", "finding.1.matches": "true"})
		ask(``).Want(400)
		s.do("POST", "/api/individual/identification/validate", `{"individualId":"ind_1","givenName":"Jane"}`).Want(404)
	})
}
