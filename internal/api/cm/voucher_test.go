package cm_test

import (
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/op/optest"
)

// codes makes a batch available and gives its vouchers' serial numbers and codes.
func (s *server) codes(batch string) (out [][2]string) {
	s.t.Helper()
	s.house.Work(s.ctx, s.t)
	file := s.do("POST", "/api/voucher/batch/"+batch+"/file", "")
	if file.Status != 200 || file.Header.Get("Content-Type") != "text/csv;charset=utf-8" {
		s.t.Fatalf("the file: %d %s", file.Status, file.Raw)
	}
	s.do("PATCH", "/api/voucher/batch/"+batch, `{"voucherStatus":"available"}`).Want(200).Is(map[string]string{"voucherStatus": "available"})
	for line := range strings.Lines(file.Raw) {
		if serial, pin, _ := strings.Cut(strings.TrimSpace(line), ","); serial != "serialNumber" {
			out = append(out, [2]string{serial, pin})
		}
	}
	return out
}

func (s *server) newLine() string {
	s.t.Helper()
	account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).Want(201).At("id")
	return s.order(account, s.offering("Start")).At("productOrderItem.0.product.id")
}

func TestAVoucherFromTheBatchToTheBalance(t *testing.T) {
	each(t, func(s *server) {
		made := s.do("POST", "/api/voucher/batch", `{"batchNumber":"B7","count":3,"voucherAmount":{"unit":"CHF","value":20},"bonusAmount":{"unit":"CHF","value":2.5}}`).Want(201)
		made.Is(map[string]string{"voucherStatus": "generating", "count": "3", "made": "0"})
		s.do("POST", "/api/voucher/batch", `{"batchNumber":"B7","count":3,"voucherAmount":{"unit":"CHF","value":20}}`).Want(409)
		vouchers := s.codes("B7")
		s.do("POST", "/api/voucher/batch/B7/file", "").Want(409).Is(map[string]string{"code": "fileHandedOut"})
		s.do("GET", "/api/voucher/batch/"+made.At("id"), "").Want(200).Is(map[string]string{"batchNumber": "B7", "made": "3"})
		s.do("GET", "/api/voucher/batch?voucherStatus=available", "").Want(200).Is(map[string]string{"0.batchNumber": "B7"})

		line := s.newLine()
		s.do("GET", "/api/voucher", "", "Voucher-Code: "+vouchers[0][1]).Want(200).Is(map[string]string{
			"serialNumber": vouchers[0][0], "batchNumber": "B7", "voucherStatus": "available", "voucherAmount.value": "20", "bonusAmount.value": "2.5", "totalVoucherAmount.value": "22.5",
		})
		s.do("GET", "/api/voucher", "").Want(400)
		body := `{"subscriptionId":"` + line + `","voucherCode":"` + vouchers[0][1] + `"}`
		s.do("POST", "/api/subscription/voucherRecharge?dryRun=true", body).Want(201)
		paid := s.do("POST", "/api/subscription/voucherRecharge", body, "Idempotency-Key: a").Want(201)
		paid.Is(map[string]string{"totalVoucherAmount.value": "22.5", "balance.amount": "27.5", "serialNumber": vouchers[0][0]})
		again := s.do("POST", "/api/subscription/voucherRecharge", body, "Idempotency-Key: a").Want(201)
		if again.Raw != paid.Raw || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("under the same key: %s", again.Raw)
		}
		s.do("POST", "/api/subscription/voucherRecharge", body).Want(409).Is(map[string]string{"code": "voucherUsedBySame"})
		s.do("GET", "/api/voucher?serialNumber="+vouchers[0][0], "").Want(200).Is(map[string]string{"voucherStatus": "used", "subscriptionId": line})
		s.do("POST", "/api/subscription/voucherRecharge", `{"mobileNumber":"+41 79 999 99 99","voucherCode":"1234567890123456"}`).Want(404).Is(map[string]string{"code": "subscriberNotFound"})

		s.do("PATCH", "/api/voucher/"+vouchers[1][0], `{"voucherStatus":"stolenMissing","statusReason":"van"}`).Want(200).Is(map[string]string{"voucherStatus": "stolenMissing"})
		s.do("PATCH", "/api/voucher/"+vouchers[0][0], `{"voucherStatus":"blocked"}`).Want(409)
		s.do("PATCH", "/api/voucher/"+vouchers[1][0], `{"voucherStatus":"used"}`).Want(400)
		s.do("POST", "/api/subscription/voucherRecharge", `{"subscriptionId":"`+line+`","voucherCode":"`+vouchers[1][1]+`"}`).Want(409).Is(map[string]string{"code": "voucherStolenMissing"})
		s.house.Balanced(s.ctx, t)
	})
}

// A refused request is undone, and the bad code in it is counted all the same.
func TestBadCodesAreCountedThoughTheirRequestsFail(t *testing.T) {
	each(t, func(s *server) {
		line := s.newLine()
		try := func(headers ...string) optest.Reply {
			return s.do("POST", "/api/subscription/voucherRecharge?dryRun=true", `{"subscriptionId":"`+line+`","voucherCode":"1234567890123456"}`, headers...)
		}
		for range 5 {
			try("Idempotency-Key: k").Want(409).Is(map[string]string{"code": "voucherUnavailable"})
		}
		last := try().Want(429).Is(map[string]string{"code": "refillTemporarilyBlocked"})
		if last.Header.Get("Retry-After") == "" || strings.Contains(last.Raw, "1234567890123456") {
			t.Errorf("%v %s", last.Header, last.Raw)
		}
	})
}

func TestABatchIsImported(t *testing.T) {
	each(t, func(s *server) {
		path := "/api/voucher/batch/import?voucherAmount=10&batchNumber=OLD"
		if a := s.do("POST", path, "serialNumber,voucherCode\nA1,12345\n", "Content-Type: text/csv"); a.Status != 400 || !strings.Contains(a.Raw, "line 2") {
			t.Errorf("%d %s", a.Status, a.Raw)
		}
		if a := s.do("POST", path, "{}", "Content-Type: application/json"); a.Status != 415 {
			t.Errorf("%d %s", a.Status, a.Raw)
		}
		if a := s.do("POST", path, "serialNumber,voucherCode\nA1,123456789012\n", "Content-Type: text/csv"); a.Status != 201 || a.Header.Get("Location") == "" {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
		s.house.Work(s.ctx, t)
		s.do("PATCH", "/api/voucher/batch/OLD", `{"voucherStatus":"available"}`).Want(200)
		s.do("POST", "/api/subscription/voucherRecharge", `{"subscriptionId":"`+s.newLine()+`","voucherCode":"1234-5678-9012"}`).Want(201)
		v, err := s.house.Vouchers.BySerial(s.ctx, "A1")
		if err != nil {
			t.Fatal(err)
		}
		trail, err := s.house.Store.Audit(s.ctx, v.Voucher.Topup)
		if err != nil || len(trail) == 0 {
			t.Fatal(err)
		}
		for _, r := range trail {
			if strings.Contains(string(r.After), "123456789012") {
				t.Errorf("the audit trail shows a code: %s", r.After)
			}
		}
	})
}
