package cm_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// caller makes a line with 10 francs that calls for 30 centimes a minute.
func (s *server) caller() {
	s.t.Helper()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	h, ctx := s.house, s.ctx
	tariff, _, err := h.Catalog.Tariffs.Add(ctx, &catalog.Tariff{Name: "Talk", Currency: "CHF", Rates: []catalog.Rate{
		{Name: "Call", UsageType: catalog.Voice, Price: money.OfMicros(300_000, "CHF"), Per: 60, Step: 60, FirstStep: 60},
	}})
	must(err)
	plan, _, err := h.Catalog.Offerings.Add(ctx, &catalog.Offering{Name: "Talk", OfferingType: catalog.PricePlan, LifecycleStatus: catalog.Active, Tariff: &sid.Ref{ID: string(tariff)}})
	must(err)
	start := h.Store.Now(ctx).AddDate(0, -6, 0)
	line, _, err := h.Subscriptions.Lines.Add(ctx, &subscription.Line{
		AccountID: h.Account(ctx, s.t), MSISDN: "41791112233", ICCID: "8941001000000000991", IMSI: "228010000000991", State: subscription.Active, StartDate: &start,
		Offering: &sid.Ref{ID: string(plan)},
	})
	must(err)
	must(h.Store.Write(ctx, func(ctx context.Context) error {
		w, err := h.Balances.Wallet(ctx, line)
		if err != nil {
			return err
		}
		if _, err := w.Open(balance.Grant{Name: "Money", UsageType: "monetary", Unit: "CHF", Amount: 10_000_000}, balance.Cause{Kind: "test", ID: "1"}); err != nil {
			return err
		}
		return h.Balances.Save(ctx, w)
	}))
}

func TestCallDetailsOfWhatCameInABatchAndAFile(t *testing.T) {
	each(t, func(s *server) {
		s.caller()
		at := s.house.Store.Now(s.ctx).Add(-time.Hour).Format(time.RFC3339)
		batch := `{"record":[{"recordId":"a","msisdn":"079 111 22 33","usageType":"voice","start":"` + at + `","quantity":61,"otherNumber":"0441234567"},` +
			`{"recordId":"a","msisdn":"41791112233","usageType":"voice","start":"` + at + `","quantity":61},` +
			`{"recordId":"b","msisdn":"41791112233","usageType":"voice","start":"` + at + `","quantity":-1},` +
			`{"recordId":"c","msisdn":"41791112233","usageType":"data","start":"` + at + `","quantity":10}]}`
		got := s.do("POST", "/api/usage/batch", batch).Want(200)
		for path, want := range map[string]string{
			"outcome.0.status": "rated", "outcome.0.charged": "0.60", "outcome.1.duplicate": "true", "outcome.2.code": "negativeQuantity",
			"outcome.3.suspenseReason": "noRate", "ratedCount": "1", "otherCount": "3",
		} {
			if v := got.At(path); v != want {
				t.Errorf("%s is %q, want %q: %s", path, v, want, got.Raw)
			}
		}
		file := "recordId,msisdn,usageType,start,quantity,direction,otherNumber\nf1,41791112233,voice," + at + ",60,outgoing,41441234567\nf2,41791112233,voice," + at + ",300,incoming,4930123456\n"
		sent := s.do("POST", "/api/usage/file?name=calls.csv", file, "Content-Type: text/csv").Want(202)
		s.house.Work(s.ctx, t)
		where := strings.TrimPrefix(sent.Header.Get("Location"), "http://demarc.test")
		if done := s.do("GET", where, "").Want(200); done.At("status") != "completed" || done.At("ratedCount") != "2" {
			t.Errorf("%s", done.Raw)
		}
		s.do("POST", "/api/usage/file", file, "Content-Type: text/csv").Want(409)
		s.do("POST", "/api/usage/file", "nonsense\n", "Content-Type: text/csv").Want(400)
		list := s.do("GET", "/api/callDetail?mobileNumber=41791112233&limit=2", "").Want(206)
		if list.Header.Get("X-Total-Count") != "3" || list.At("total.0.count") != "3" || list.At("total.0.duration") != "421" || list.At("total.0.charge.value") != "0.9" {
			t.Errorf("%v %s", list.Header, list.Raw)
		}
		if list.At("callDetail.1.callType") == "" || list.At("callDetail.2.callType") != "" {
			t.Errorf("the page: %s", list.Raw)
		}
		if none := s.do("GET", "/api/callDetail?mobileNumber=41791112233&usageType=data", "").Want(200); none.At("callDetail.0.usageType") != "" {
			t.Errorf("data: %s", none.Raw)
		}
		s.do("GET", "/api/callDetail?mobileNumber=41791112233&from=2026-02-01&to=2026-01-01", "").Want(400)
		s.do("GET", "/api/callDetail?mobileNumber=41791112233&from=soon", "").Want(400)
		s.do("GET", "/api/callDetail", "").Want(400)
		s.do("GET", "/api/callDetail?mobileNumber=41790009999", "").Want(404)
		waiting := s.do("GET", "/api/usage/suspense?reason=noRate", "").Want(200)
		if waiting.At("0.suspenseReason") != "noRate" {
			t.Fatalf("%s", waiting.Raw)
		}
		one := s.do("POST", "/api/usage/suspense/rerate", `{"id":"`+waiting.At("0.id")+`"}`).Want(202)
		if one.At("usage.status") != "recycled" {
			t.Errorf("%s", one.Raw)
		}
		if all := s.do("POST", "/api/usage/suspense/rerate", `{"reason":"noRate"}`).Want(202); all.At("count") != "1" {
			t.Errorf("%s", all.Raw)
		}
	})
}
