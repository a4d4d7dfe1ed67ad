package cm_test

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// codes makes a batch available and gives its vouchers' serial numbers and codes.
func (s *server) codes(batch string) (out [][2]string) {
	s.t.Helper()
	s.house.Work(s.ctx, s.t)
	file := s.text("POST", "/api/voucher/batch/"+batch+"/file", "", "")
	if file.status != 200 || file.header.Get("Content-Type") != "text/csv;charset=utf-8" {
		s.t.Fatalf("the file: %d %s", file.status, file.raw)
	}
	s.do("PATCH", "/api/voucher/batch/"+batch, `{"voucherStatus":"available"}`).want(200).is(map[string]string{"voucherStatus": "available"})
	for line := range strings.Lines(file.raw) {
		if serial, pin, _ := strings.Cut(strings.TrimSpace(line), ","); serial != "serialNumber" {
			out = append(out, [2]string{serial, pin})
		}
	}
	return out
}

// text sends a body that is not JSON, or takes an answer that is not.
func (s *server) text(method, path, media, body string) reply {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://demarc.test"+path, strings.NewReader(body))
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return reply{t: s.t, status: w.Code, header: w.Result().Header, raw: w.Body.String()}
}

func (s *server) newLine() string {
	s.t.Helper()
	account := s.do("POST", "/api/quickPrepaidBillingAccount", `{"givenName":"Jane","familyName":"Doe"}`).want(201).at("id")
	return s.order(account, s.offering("Start")).at("productOrderItem.0.product.id")
}

func TestAVoucherFromTheBatchToTheBalance(t *testing.T) {
	each(t, func(s *server) {
		made := s.do("POST", "/api/voucher/batch", `{"batchNumber":"B7","count":3,"voucherAmount":{"unit":"CHF","value":20},"bonusAmount":{"unit":"CHF","value":2.5}}`).want(201)
		made.is(map[string]string{"voucherStatus": "generating", "count": "3", "made": "0"})
		s.do("POST", "/api/voucher/batch", `{"batchNumber":"B7","count":3,"voucherAmount":{"unit":"CHF","value":20}}`).want(409)
		vouchers := s.codes("B7")
		s.do("POST", "/api/voucher/batch/B7/file", "").want(409).is(map[string]string{"code": "fileHandedOut"})
		s.do("GET", "/api/voucher/batch/"+made.at("id"), "").want(200).is(map[string]string{"batchNumber": "B7", "made": "3"})
		s.do("GET", "/api/voucher/batch?voucherStatus=available", "").want(200).is(map[string]string{"0.batchNumber": "B7"})

		line := s.newLine()
		s.do("GET", "/api/voucher", "", "Voucher-Code: "+vouchers[0][1]).want(200).is(map[string]string{
			"serialNumber": vouchers[0][0], "batchNumber": "B7", "voucherStatus": "available", "voucherAmount.value": "20", "bonusAmount.value": "2.5", "totalVoucherAmount.value": "22.5",
		})
		s.do("GET", "/api/voucher", "").want(400)
		body := `{"subscriptionId":"` + line + `","voucherCode":"` + vouchers[0][1] + `"}`
		s.do("POST", "/api/subscription/voucherRecharge?dryRun=true", body).want(201)
		paid := s.do("POST", "/api/subscription/voucherRecharge", body, "Idempotency-Key: a").want(201)
		paid.is(map[string]string{"totalVoucherAmount.value": "22.5", "balance.amount": "27.5", "serialNumber": vouchers[0][0]})
		again := s.do("POST", "/api/subscription/voucherRecharge", body, "Idempotency-Key: a").want(201)
		if again.raw != paid.raw || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("under the same key: %s", again.raw)
		}
		s.do("POST", "/api/subscription/voucherRecharge", body).want(409).is(map[string]string{"code": "voucherUsedBySame"})
		s.do("GET", "/api/voucher?serialNumber="+vouchers[0][0], "").want(200).is(map[string]string{"voucherStatus": "used", "subscriptionId": line})
		s.do("POST", "/api/subscription/voucherRecharge", `{"mobileNumber":"+41 79 999 99 99","voucherCode":"1234567890123456"}`).want(404).is(map[string]string{"code": "subscriberNotFound"})

		s.do("PATCH", "/api/voucher/"+vouchers[1][0], `{"voucherStatus":"stolenMissing","statusReason":"van"}`).want(200).is(map[string]string{"voucherStatus": "stolenMissing"})
		s.do("PATCH", "/api/voucher/"+vouchers[0][0], `{"voucherStatus":"blocked"}`).want(409)
		s.do("PATCH", "/api/voucher/"+vouchers[1][0], `{"voucherStatus":"used"}`).want(400)
		s.do("POST", "/api/subscription/voucherRecharge", `{"subscriptionId":"`+line+`","voucherCode":"`+vouchers[1][1]+`"}`).want(409).is(map[string]string{"code": "voucherStolenMissing"})
		s.house.Balanced(s.ctx, t)
	})
}

// A refused request is undone, and the bad code in it is counted all the same.
func TestBadCodesAreCountedThoughTheirRequestsFail(t *testing.T) {
	each(t, func(s *server) {
		line := s.newLine()
		try := func(headers ...string) reply {
			return s.do("POST", "/api/subscription/voucherRecharge?dryRun=true", `{"subscriptionId":"`+line+`","voucherCode":"1234567890123456"}`, headers...)
		}
		for range 5 {
			try("Idempotency-Key: k").want(409).is(map[string]string{"code": "voucherUnavailable"})
		}
		last := try().want(429).is(map[string]string{"code": "refillTemporarilyBlocked"})
		if last.header.Get("Retry-After") == "" || strings.Contains(last.raw, "1234567890123456") {
			t.Errorf("%v %s", last.header, last.raw)
		}
	})
}

func TestABatchIsImported(t *testing.T) {
	each(t, func(s *server) {
		path := "/api/voucher/batch/import?voucherAmount=10&batchNumber=OLD"
		if a := s.text("POST", path, "text/csv", "serialNumber,voucherCode\nA1,12345\n"); a.status != 400 || !strings.Contains(a.raw, "line 2") {
			t.Errorf("%d %s", a.status, a.raw)
		}
		if a := s.text("POST", path, "application/json", "{}"); a.status != 415 {
			t.Errorf("%d %s", a.status, a.raw)
		}
		if a := s.text("POST", path, "text/csv", "serialNumber,voucherCode\nA1,123456789012\n"); a.status != 201 || a.header.Get("Location") == "" {
			t.Fatalf("%d %s", a.status, a.raw)
		}
		s.house.Work(s.ctx, t)
		s.do("PATCH", "/api/voucher/batch/OLD", `{"voucherStatus":"available"}`).want(200)
		s.do("POST", "/api/subscription/voucherRecharge", `{"subscriptionId":"`+s.newLine()+`","voucherCode":"1234-5678-9012"}`).want(201)
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
