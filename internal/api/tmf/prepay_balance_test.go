package tmf_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

const prepay = "/tmf-api/prepayBalanceManagement/v4"

// Two lines of different customers, by their mobile numbers.
var lines = func() map[string]balance.Holder {
	sub, bac := id.Kind{Prefix: "sub"}, id.Kind{Prefix: "bac"}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	all := map[string]balance.Holder{}
	for n, home := range []id.Home{3, 700} {
		number := fmt.Sprintf("4179000000%d", n+1)
		all[number] = balance.Holder{Subscription: id.New(sub, home, at), Account: id.New(bac, home, at), Number: number}
	}
	return all
}()

func theLine(_ context.Context, text string) (balance.Holder, error) {
	for number, h := range lines {
		if text == number || text == "+"+number || text == string(h.Subscription) {
			return h, nil
		}
	}
	return balance.Holder{}, fault.NotFoundf("there is no subscription %s", text)
}

func theLines(_ context.Context, account id.ID) (all []balance.Holder, err error) {
	for _, h := range lines {
		if h.Account == account {
			all = append(all, h)
		}
	}
	return all, nil
}

// at reads a path such as "bucket.id" or "0.amount.amount" in an answer.
func at(v any, path string) string { return optest.Reply{Body: v}.At(path) }

func expect(t *testing.T, v any, want map[string]string) {
	t.Helper()
	for path, value := range want {
		if got := at(v, path); got != value {
			t.Errorf("%s is %q, want %q", path, got, value)
		}
	}
}

// funded opens a money bucket on both lines, 50.00 and 0.
func (s *server) funded() (first, second string) {
	s.t.Helper()
	open := func(number, amount string) string {
		return at(s.do("POST", prepay+"/bucket", `{"name":"Main","usageType":"monetary","remainingValue":{"amount":`+amount+`,"units":"CHF"},"logicalResource":[{"id":"`+number+`"}]}`, 201), "id")
	}
	return open("41790000001", "50"), open("41790000002", "0")
}

func task(amount, more string) string {
	return `{"amount":{"amount":` + amount + `,"units":"CHF"},"usageType":"monetary","partyAccount":{"id":"x"}` + more + `}`
}

func TestABucketIsOpenedAndRead(t *testing.T) {
	s := newServer(t)
	first, _ := s.funded()
	one := s.do("GET", prepay+"/bucket/"+first, "", 200)
	expect(t, one, map[string]string{
		"remainingValue.amount": "50", "remainingValue.units": "CHF", "reservedValue.amount": "0", "status": "active", "usageType": "monetary",
		"isShared": "false", "product.0.id": string(lines["41790000001"].Subscription), "@type": "Bucket", "href": "http://demarc.test" + prepay + "/bucket/" + first,
	})
	if missing := tmf630.ShapeOf("TMF654", "Bucket").Missing(one.(map[string]any)); len(missing) > 0 {
		t.Errorf("it lacks %v", missing)
	}
	for query, n := range map[string]int{
		"": 2, "?usageType=monetary": 2, "?usageType=data": 0, "?remainingValue.amount.gt=10": 1, "?product.id=" + string(lines["41790000002"].Subscription): 1, "?status=active&fields=name": 2,
	} {
		if got := len(s.do("GET", prepay+"/bucket"+query, "", 200).([]any)); got != n {
			t.Errorf("bucket%s has %d, want %d", query, got, n)
		}
	}
	for body, attribute := range map[string]string{
		`{"usageType":"gas","remainingValue":{"amount":1,"units":"CHF"}}`:                                                                                    "usageType",
		`{"usageType":"monetary","remainingValue":{"amount":1,"units":"DUCAT"},"logicalResource":[{"id":"41790000001"}]}`:                                    "remainingValue.units",
		`{"usageType":"monetary","remainingValue":{"amount":-1,"units":"CHF"},"logicalResource":[{"id":"41790000001"}]}`:                                     "remainingValue.amount",
		`{"usageType":"monetary","remainingValue":{"amount":1000000000.01,"units":"CHF"},"logicalResource":[{"id":"41790000001"}]}`:                          "remainingValue.amount",
		`{"usageType":"monetary","remainingValue":{"amount":1.001,"units":"CHF"},"logicalResource":[{"id":"41790000001"}]}`:                                  "remainingValue.amount",
		`{"usageType":"data","remainingValue":{"amount":1,"units":"GB"},"logicalResource":[{"id":"sub_01m7yy49c2e2vbxw1j9f2z80bb"}]}`:                        "product",
		`{"usageType":"data","remainingValue":{"amount":1,"units":"GB"},"product":[{"id":"41790000001"}],"validFor":{"endDateTime":"2020-01-01T00:00:00Z"}}`: "validFor.endDateTime",
	} {
		if got := s.do("POST", prepay+"/bucket", body, 400); !strings.Contains(fmt.Sprint(got), attribute) {
			t.Errorf("%s: %v, want %s", body, got, attribute)
		}
	}
	data := s.do("POST", prepay+"/bucket", `{"usageType":"data","remainingValue":{"amount":2,"units":"GB"},"product":[{"id":"41790000001"}],"description":"kept","x-note":"kept"}`, 201)
	expect(t, data, map[string]string{"remainingValue.amount": "2000000000", "remainingValue.units": "bytes", "description": "kept", "x-note": "kept"})
	s.do("GET", prepay+"/bucket/c2df1950-c17c-4576-9c22-e59073a4a86a", "", 404)
}

func TestABucketOfWhatIsKeptElsewhereIsMovedByItsName(t *testing.T) {
	s := newServer(t)
	_, second := s.funded()
	made := s.do("POST", prepay+"/bucket", `{"name":"Toll","remainingValue":{"amount":5,"units":"CHF"},"product":[{"id":"42"}],"partyAccount":{"id":"A-7"},"isShared":true,"validFor":{"endDateTime":"2097-01-01T00:00:00Z"}}`, 201)
	expect(t, made, map[string]string{"usageType": "monetary", "remainingValue.amount": "5", "subscriptionId": "", "product.0.id": "42", "partyAccount.id": "A-7", "isShared": "true"})
	b := at(made, "id")
	named := `,"bucket":{"id":"` + b + `"}`
	expect(t, s.do("POST", prepay+"/topupBalance", task("20", named), 201), map[string]string{"status": "completed", "bucket.id": b, "subscriptionId": "", "product": ""})
	held := s.do("POST", prepay+"/reserveBalance", task("6", named), 201)
	expect(t, held, map[string]string{"status": "created"})
	expect(t, s.do("PATCH", prepay+"/reserveBalance/"+at(held, "id"), `{"consumedAmount":{"amount":1,"units":"CHF"},"status":"cancelled"}`, 200), map[string]string{"status": "cancelled"})
	expect(t, s.do("POST", prepay+"/adjustBalance", task("-4", named), 201), map[string]string{"status": "completed"})
	gift := `,"logicalResource":[{"id":"1"}],"reason":"gift","channel":{"id":"app"},"receiverBucketUsageType":"monetary","receiverLogicalResource":{"id":"2"}`
	expect(t, s.do("POST", prepay+"/transferBalance", task("3", named+`,"receiverBucket":{"id":"`+second+`"}`+gift), 201), map[string]string{"status": "completed"})
	expect(t, s.do("POST", prepay+"/transferBalance", task("1", `,"bucket":{"id":"`+second+`"},"receiverBucket":{"id":"`+b+`"}`+gift), 201), map[string]string{"status": "completed", "receiverSubscriptionId": ""})
	expect(t, s.do("GET", prepay+"/bucket/"+b, "", 200), map[string]string{"remainingValue.amount": "18", "reservedValue.amount": "0"})
	for query, n := range map[string]int{"?bucket.id=" + b: 1, "?id=" + b + ".monetary.CHF": 1, "": 3} {
		all := s.do("GET", prepay+"/accumulatedBalance"+query, "", 200).([]any)
		if len(all) != n {
			t.Errorf("accumulatedBalance%s has %d, want %d", query, len(all), n)
		}
		if n == 1 {
			expect(t, all, map[string]string{"0.totalBalance.amount": "18", "0.product.0.id": "42"})
		}
	}
	expect(t, s.do("POST", prepay+"/bucket", `{}`, 201), map[string]string{"usageType": "other", "remainingValue.amount": "0", "status": "active"})
	wrong, err := s.store.Unbalanced(context.Background())
	if err != nil || len(wrong) > 0 {
		t.Error(wrong, err)
	}
}

func TestWhatFailedCanBeGivenUp(t *testing.T) {
	s := newServer(t)
	for _, kind := range []string{"topupBalance", "adjustBalance", "reserveBalance"} {
		failed := s.do("POST", prepay+"/"+kind, task("20", `,"bucket":{"id":"42"}`), 201)
		expect(t, failed, map[string]string{"status": "failed"})
		one := prepay + "/" + kind + "/" + at(failed, "id")
		s.do("PATCH", one, `{"status":"completed"}`, 409)
		s.do("PATCH", one, `{"status":"created"}`, 409)
		expect(t, s.do("PATCH", one, `{"status":"cancelled","reason":"over"}`, 200), map[string]string{"status": "cancelled", "reason": "over"})
		s.do("PATCH", one, `{"status":"failed"}`, 409)
	}
	expect(t, s.do("POST", prepay+"/reserveBalance", `{"usageType":"monetary","partyAccount":{"id":"x"},"bucket":{"id":"42"}}`, 201), map[string]string{"status": "failed"})
	first, _ := s.funded()
	expect(t, s.do("POST", prepay+"/reserveBalance", `{"usageType":"monetary","partyAccount":{"id":"x"},"bucket":{"id":"`+first+`"}}`, 201), map[string]string{"status": "failed", "failure.code": "unitMismatch"})
}

func TestATopUpThatIsRefusedIsRecordedAsFailed(t *testing.T) {
	s := newServer(t)
	first, _ := s.funded()
	paid := s.do("POST", prepay+"/topupBalance", task("20", `,"bucket":{"id":"+41790000001"},"reference":"k1","channel":{"id":"kiosk"}`), 201)
	expect(t, paid, map[string]string{"status": "completed", "bucket.id": first, "amount.amount": "20", "channel.id": "kiosk", "failure": "", "logicalResource.0.id": "41790000001"})
	if missing := tmf630.ShapeOf("TMF654", "TopupBalance").Missing(paid.(map[string]any)); len(missing) > 0 || at(paid, "confirmationDate") == "" {
		t.Errorf("%v lacks %v", paid, missing)
	}
	for body, code := range map[string]string{
		task("20", `,"bucket":{"id":"+41790000001"},"reference":"k1"`):                           "referenceReused",
		task("20", `,"bucket":{"id":"nothing here"}`):                                            "notFound",
		task("20", `,"bucket":{"id":"bkt_01m7yy49c2e2vbxw1j9f2z80bb"}`):                          "notFound",
		task("20", `,"bucket":{"id":"`+first+`"},"product":[{"id":"41790000002"}]`):              "bucketOfAnotherLine",
		task("20.001", `,"bucket":{"id":"`+first+`"}`):                                           "unitMismatch",
		strings.Replace(task("20", `,"bucket":{"id":"`+first+`"}`), "CHF", "EUR", 1):             "unitMismatch",
		strings.Replace(task("20", `,"bucket":{"id":"41790000001"}`), `"monetary"`, `"data"`, 1): "bucketNotFound",
		task("20", `,"bucket":{"id":"`+first+`"},"voucher":"1234"`):                              "notOffered",
		task("20", `,"bucket":{"id":"`+first+`"},"isAutoTopup":true`):                            "notOffered",
		task("9300000000000", `,"bucket":{"id":"`+first+`"}`):                                    "unitMismatch",
		task("1000000000.01", `,"bucket":{"id":"`+first+`"}`):                                    "invalidValue",
	} {
		failed := s.do("POST", prepay+"/topupBalance", body, 201)
		expect(t, failed, map[string]string{"status": "failed"})
		if got := at(failed, "failure.code"); got != code {
			t.Errorf("%s: %s, want %s", body, got, code)
		}
	}
	for body, attribute := range map[string]string{
		task("0", `,"bucket":{"id":"1"}`):                                        "amount",
		task("-5", `,"bucket":{"id":"1"}`):                                       "amount",
		`{"usageType":"monetary","partyAccount":{"id":"x"},"bucket":{"id":"1"}}`: "amount",
		task("5", ``): "bucket",
		task("5", `,"bucket":{"id":"1"},"numberOfPeriods":3`):       "recurringPeriod",
		task("5", `,"bucket":{"id":"1"},"recurringPeriod":"daily"`): "recurringPeriod",
	} {
		if got := s.do("POST", prepay+"/topupBalance", body, 400); !strings.Contains(fmt.Sprint(got), attribute) {
			t.Errorf("%s: %v, want %s", body, got, attribute)
		}
	}
	expect(t, s.do("GET", prepay+"/bucket/"+first, "", 200), map[string]string{"remainingValue.amount": "70"})
	if n := len(s.do("GET", prepay+"/topupBalance?status=completed", "", 200).([]any)); n != 1 {
		t.Errorf("%d completed", n)
	}
	one := prepay + "/topupBalance/" + at(paid, "id")
	s.do("PATCH", one, `{"status":"cancelled"}`, 409)
	s.do("PATCH", one, `{"amount":{"amount":30,"units":"CHF"}}`, 409)
	s.do("PATCH", one, `{"description":"at the station"}`, 200)
	monthly := prepay + "/topupBalance/" + at(s.do("POST", prepay+"/topupBalance", task("5", `,"bucket":{"id":"`+first+`"},"recurringPeriod":"monthly","numberOfPeriods":3`), 201), "id")
	s.do("PATCH", monthly, `{"numberOfPeriods":-5}`, 400)
	s.do("PATCH", monthly, `{"numberOfPeriods":5}`, 200)
}

func TestAReservationHoldsIsConsumedAndGivenBack(t *testing.T) {
	s := newServer(t)
	first, _ := s.funded()
	made := s.do("POST", prepay+"/reserveBalance", task("30", `,"bucket":{"id":"`+first+`"}`), 201)
	expect(t, made, map[string]string{"status": "created", "failure": ""})
	if at(made, "validFor.endDateTime") == "" {
		t.Error("it has no end")
	}
	expect(t, s.do("GET", prepay+"/bucket/"+first, "", 200), map[string]string{"remainingValue.amount": "20", "reservedValue.amount": "30"})
	expect(t, s.do("POST", prepay+"/reserveBalance", task("20.01", `,"bucket":{"id":"`+first+`"}`), 201), map[string]string{"status": "failed", "failure.code": "insufficientBalance"})
	one := prepay + "/reserveBalance/" + at(made, "id")
	s.do("DELETE", one, "", 409)
	expect(t, s.do("PATCH", one, `{"consumedAmount":{"amount":5,"units":"CHF"}}`, 200), map[string]string{"status": "created"})
	expect(t, s.do("PATCH", one, `{"consumedAmount":{"amount":12.5,"units":"CHF"}}`, 200), map[string]string{"status": "created"})
	s.do("PATCH", one, `{"consumedAmount":{"amount":12,"units":"CHF"}}`, 400)
	s.do("PATCH", one, `{"consumedAmount":{"amount":12.501,"units":"CHF"}}`, 400)
	s.do("PATCH", one, `{"consumedAmount":{"amount":30.01,"units":"CHF"}}`, 409)
	expect(t, s.do("PATCH", one, `{"amount":{"amount":20,"units":"CHF"}}`, 200), map[string]string{"amount.amount": "20"})
	expect(t, s.do("GET", prepay+"/bucket/"+first, "", 200), map[string]string{"remainingValue.amount": "30", "reservedValue.amount": "7.5"})
	expect(t, s.do("PATCH", one, `{"status":"cancelled"}`, 200), map[string]string{"status": "cancelled", "consumedAmount.amount": "12.5"})
	s.do("PATCH", one, `{"consumedAmount":{"amount":20,"units":"CHF"}}`, 409)
	s.do("PATCH", one, `{"status":"created"}`, 409)
	expect(t, s.do("GET", prepay+"/bucket/"+first, "", 200), map[string]string{"remainingValue.amount": "37.5", "reservedValue.amount": "0"})
	whole := s.do("POST", prepay+"/reserveBalance", task("7.5", `,"bucket":{"id":"`+first+`"}`), 201)
	expect(t, s.do("PATCH", prepay+"/reserveBalance/"+at(whole, "id"), `{"status":"completed"}`, 200), map[string]string{"status": "completed", "consumedAmount.amount": "7.5"})
	expect(t, s.do("GET", prepay+"/bucket/"+first, "", 200), map[string]string{"remainingValue.amount": "30", "reservedValue.amount": "0"})
	s.do("DELETE", one, "", 204)
	s.do("GET", one, "", 404)
}

func TestATransferGoesBetweenHomesAndCosts(t *testing.T) {
	s := newServer(t)
	first, second := s.funded()
	body := func(amount, more string) string {
		return task(amount, `,"bucket":{"id":"`+first+`"},"logicalResource":[{"id":"41790000001"}],"reason":"gift","channel":{"id":"app"},"receiverBucketUsageType":"monetary","receiverBucket":{"id":"41790000002"},"receiverLogicalResource":{"id":"41790000002"}`+more)
	}
	made := s.do("POST", prepay+"/transferBalance", body("10", `,"transferCost":{"unit":"CHF","value":0.5}`), 201)
	expect(t, made, map[string]string{"status": "completed", "receiverBucket.id": second, "costOwner": "originator"})
	if missing := tmf630.ShapeOf("TMF654", "TransferBalance").Missing(made.(map[string]any)); len(missing) > 0 {
		t.Errorf("it lacks %v", missing)
	}
	expect(t, s.do("GET", prepay+"/bucket/"+first, "", 200), map[string]string{"remainingValue.amount": "39.5"})
	expect(t, s.do("GET", prepay+"/bucket/"+second, "", 200), map[string]string{"remainingValue.amount": "10"})
	expect(t, s.do("POST", prepay+"/transferBalance", body("39", `,"transferCost":{"unit":"CHF","value":0.51}`), 201), map[string]string{"status": "failed", "failure.code": "insufficientBalance"})
	expect(t, s.do("POST", prepay+"/transferBalance", body("39", `,"costOwner":"receiver","transferCost":{"unit":"CHF","value":0.51}`), 201), map[string]string{"status": "completed"})
	expect(t, s.do("GET", prepay+"/bucket/"+first, "", 200), map[string]string{"remainingValue.amount": "0.5"})
	expect(t, s.do("GET", prepay+"/bucket/"+second, "", 200), map[string]string{"remainingValue.amount": "48.49"})
	expect(t, s.do("POST", prepay+"/transferBalance", strings.ReplaceAll(body("0.1", ``), "41790000002", "41790000001"), 201), map[string]string{"status": "failed"})
	s.do("POST", prepay+"/transferBalance", task("1", `,"bucket":{"id":"`+first+`"}`), 400)
	s.do("POST", prepay+"/transferBalance", body("0.1", `,"transferCost":{"unit":"CHF","value":0.001}`), 400)
	s.do("PATCH", prepay+"/transferBalance/"+at(made, "id"), `{"status":"cancelled"}`, 400)
	wrong, err := s.store.Unbalanced(context.Background())
	if err != nil || len(wrong) > 0 {
		t.Error(wrong, err)
	}
}

func TestAnAdjustmentGivesTakesAndMovesTheEnd(t *testing.T) {
	s := newServer(t)
	first, _ := s.funded()
	b := `,"bucket":{"id":"` + first + `"},"reason":"Charged twice"`
	expect(t, s.do("POST", prepay+"/adjustBalance", task("2.5", b), 201), map[string]string{"status": "completed", "reason": "Charged twice"})
	expect(t, s.do("POST", prepay+"/adjustBalance", task("-12.5", b), 201), map[string]string{"status": "completed"})
	expect(t, s.do("POST", prepay+"/adjustBalance", task("-40.01", b), 201), map[string]string{"status": "failed", "failure.code": "insufficientBalance"})
	expect(t, s.do("POST", prepay+"/adjustBalance", task("1", b+`,"adjustType":"recurring"`), 201), map[string]string{"status": "failed", "failure.code": "notOffered"})
	s.do("POST", prepay+"/adjustBalance", task("0", b), 400)
	expect(t, s.do("POST", prepay+"/adjustBalance", task("0", b+`,"validFor":{"endDateTime":"2099-05-01T00:00:00Z"}`), 201), map[string]string{"status": "completed"})
	expect(t, s.do("POST", prepay+"/adjustBalance", task("0", b+`,"validFor":{"endDateTime":"2001-05-01T00:00:00Z"}`), 201), map[string]string{"status": "failed"})
	expect(t, s.do("GET", prepay+"/bucket/"+first, "", 200), map[string]string{"remainingValue.amount": "40", "validFor.endDateTime": "2099-05-01T00:00:00Z"})
}

func TestBalancesAddUpAndActionsAreRemembered(t *testing.T) {
	s := newServer(t)
	first, _ := s.funded()
	s.do("POST", prepay+"/bucket", `{"usageType":"data","remainingValue":{"amount":2,"units":"GB"},"product":[{"id":"41790000001"}]}`, 201)
	s.do("POST", prepay+"/bucket", `{"usageType":"data","isShared":true,"remainingValue":{"amount":1,"units":"GB"},"product":[{"id":"41790000001"}]}`, 201)
	s.do("POST", prepay+"/bucket", `{"usageType":"monetary","remainingValue":{"amount":1,"units":"CHF"},"product":[{"id":"41790000001"}],"validFor":{"endDateTime":"2099-01-01T00:00:00Z"}}`, 201)
	one, two := string(lines["41790000001"].Subscription), string(lines["41790000002"].Subscription)
	for query, n := range map[string]int{
		"": 3, "?product.id=" + one: 2, "?logicalResource.id=41790000002": 1, "?bucket.id=" + first: 1, "?partyAccount.id=" + string(lines["41790000001"].Account): 2,
		"?id=" + two + ".monetary.CHF": 1, "?product.id=nothing": 0, "?name=Money": 2, "?totalBalance.amount.gt=50&totalBalance.units=CHF": 1, "?limit=1&offset=5": 0, "?sort=-name": 3,
	} {
		status := 200
		if strings.Contains(query, "limit=") {
			status = 206
		}
		list := s.do("GET", prepay+"/accumulatedBalance"+query, "", status).([]any)
		if len(list) != n {
			t.Errorf("accumulatedBalance%s has %d, want %d", query, len(list), n)
		}
		for _, v := range list {
			if missing := tmf630.ShapeOf("TMF654", "AccumulatedBalance").Missing(v.(map[string]any)); len(missing) > 0 {
				t.Errorf("%v lacks %v", v, missing)
			}
		}
	}
	money := s.do("GET", prepay+"/accumulatedBalance/"+one+".monetary.CHF", "", 200)
	expect(t, money, map[string]string{"totalBalance.amount": "51", "bucket.1.id": first, "name": "Money", "product.0.id": one})
	expect(t, s.do("GET", prepay+"/accumulatedBalance/"+one+".data.bytes", "", 200), map[string]string{"totalBalance.amount": "3000000000"})
	s.do("GET", prepay+"/accumulatedBalance/"+one+".sms.messages", "", 404)
	s.do("GET", prepay+"/accumulatedBalance/c2df1950-c17c-4576-9c22-e59073a4a86a", "", 404)

	paid := at(s.do("POST", prepay+"/topupBalance", task("20", `,"bucket":{"id":"`+first+`"}`), 201), "id")
	s.do("POST", prepay+"/adjustBalance", task("-1", `,"bucket":{"id":"`+first+`"}`), 201)
	s.do("POST", prepay+"/reserveBalance", task("-1", `,"bucket":{"id":"`+first+`"}`), 400)
	s.do("POST", prepay+"/reserveBalance", task("1000", `,"bucket":{"id":"`+first+`"}`), 201)
	const history = prepay + "/balanceActionHistory"
	for query, n := range map[string]int{
		"": 3, "?status=failed": 1, "?id=" + paid: 1, "?actionType=adjustBalance": 1, "?actionType=topupBalance,adjustBalance": 2, "?@type=BalanceActionHistory": 3,
		"?bucket.id=" + first: 3, "?amount.amount.lt=0": 1, "?limit=2": 2, "?limit=2&offset=2": 1, "?sort=-amount.amount&limit=1": 1,
	} {
		status := 200
		if strings.Contains(query, "limit=") {
			status = 206
		}
		list := s.do("GET", history+query, "", status).([]any)
		if len(list) != n {
			t.Errorf("balanceActionHistory%s has %d, want %d", query, len(list), n)
		}
		for _, v := range list {
			if missing := tmf630.ShapeOf("TMF654", "BalanceActionHistory").Missing(v.(map[string]any)); len(missing) > 0 {
				t.Errorf("%v lacks %v", v, missing)
			}
		}
		if strings.HasPrefix(query, "?sort") {
			expect(t, list, map[string]string{"0.amount.amount": "1000"})
		}
		if query == "?limit=2" {
			expect(t, list, map[string]string{"0.id": paid, "1.actionType": "adjustBalance"})
		}
	}
	expect(t, s.do("GET", history+"/"+paid, "", 200), map[string]string{"@type": "BalanceActionHistory", "actionType": "topupBalance", "receiverLogicalResource.id": one})
	s.do("GET", history+"/c2df1950-c17c-4576-9c22-e59073a4a86a", "", 404)
	s.do("POST", history, `{}`, 405)
}
