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
		got := s.do("POST", "/api/usage/batch", batch).want(200)
		for path, want := range map[string]string{
			"outcome.0.status": "rated", "outcome.0.charged": "0.60", "outcome.1.duplicate": "true", "outcome.2.code": "negativeQuantity",
			"outcome.3.suspenseReason": "noRate", "ratedCount": "1", "otherCount": "3",
		} {
			if v := got.at(path); v != want {
				t.Errorf("%s is %q, want %q: %s", path, v, want, got.raw)
			}
		}
		file := "recordId,msisdn,usageType,start,quantity,direction,otherNumber\nf1,41791112233,voice," + at + ",60,outgoing,41441234567\nf2,41791112233,voice," + at + ",300,incoming,4930123456\n"
		sent := s.do("POST", "/api/usage/file?name=calls.csv", file, "Content-Type: text/csv").want(202)
		s.house.Work(s.ctx, t)
		where := strings.TrimPrefix(sent.header.Get("Location"), "http://demarc.test")
		if done := s.do("GET", where, "").want(200); done.at("status") != "completed" || done.at("ratedCount") != "2" {
			t.Errorf("%s", done.raw)
		}
		s.do("POST", "/api/usage/file", file, "Content-Type: text/csv").want(409)
		s.do("POST", "/api/usage/file", "nonsense\n", "Content-Type: text/csv").want(400)
		list := s.do("GET", "/api/callDetail?mobileNumber=41791112233&limit=2", "").want(206)
		if list.header.Get("X-Total-Count") != "3" || list.at("total.0.count") != "3" || list.at("total.0.duration") != "421" || list.at("total.0.charge.value") != "0.9" {
			t.Errorf("%v %s", list.header, list.raw)
		}
		if list.at("callDetail.1.callType") == "" || list.at("callDetail.2.callType") != "" {
			t.Errorf("the page: %s", list.raw)
		}
		if none := s.do("GET", "/api/callDetail?mobileNumber=41791112233&usageType=data", "").want(200); none.at("callDetail.0.usageType") != "" {
			t.Errorf("data: %s", none.raw)
		}
		s.do("GET", "/api/callDetail?mobileNumber=41791112233&from=2026-02-01&to=2026-01-01", "").want(400)
		s.do("GET", "/api/callDetail?mobileNumber=41791112233&from=soon", "").want(400)
		s.do("GET", "/api/callDetail", "").want(400)
		s.do("GET", "/api/callDetail?mobileNumber=41790009999", "").want(404)
		waiting := s.do("GET", "/api/usage/suspense?reason=noRate", "").want(200)
		if waiting.at("0.suspenseReason") != "noRate" {
			t.Fatalf("%s", waiting.raw)
		}
		one := s.do("POST", "/api/usage/suspense/rerate", `{"id":"`+waiting.at("0.id")+`"}`).want(202)
		if one.at("usage.status") != "recycled" {
			t.Errorf("%s", one.raw)
		}
		if all := s.do("POST", "/api/usage/suspense/rerate", `{"reason":"noRate"}`).want(202); all.at("count") != "1" {
			t.Errorf("%s", all.raw)
		}
	})
}
