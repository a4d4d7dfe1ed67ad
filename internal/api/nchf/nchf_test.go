package nchf_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/nchf"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

type gate struct{}

func (gate) Admit(context.Context, string, string, string, []auth.Permission) (scope.Scope, error) {
	return auth.System(1, scope.Actor{Subject: "smf"}), nil
}

// network is a network function that charges a line with 5 francs, at a franc a megabyte.
type network struct {
	t       *testing.T
	h       *house.House
	handler http.Handler
	money   id.ID
}

func each(t *testing.T, run func(ctx context.Context, n *network)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		n := &network{t: t, h: house.New(s, house.Outside{})}
		ctx := storetest.Context(1)
		n.furnish(ctx)
		table, err := op.NewTable(nchf.Operations(nchf.Deps{Usage: n.h.Usage})...)
		if err != nil {
			t.Fatal(err)
		}
		h, err := table.Handler(op.Options{Store: s, Gate: gate{}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		n.handler = optest.Declared(t, table, h)
		run(ctx, n)
	})
}

func (n *network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) furnish(ctx context.Context) {
	_, _, err := n.h.Providers.Add(ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"})
	n.must(err)
	tariff, _, err := n.h.Catalog.Tariffs.Add(ctx, &catalog.Tariff{Name: "Data", Key: "data", Currency: "CHF", Rates: []catalog.Rate{
		{Name: "Internet", UsageType: catalog.Data, Price: money.OfMicros(1_000_000, "CHF"), Per: 1_000_000, Step: 1, FirstStep: 1},
	}})
	n.must(err)
	plan, _, err := n.h.Catalog.Offerings.Add(ctx, &catalog.Offering{Name: "Data", OfferingType: catalog.PricePlan, LifecycleStatus: catalog.Active, Tariff: &sid.Ref{ID: string(tariff)}})
	n.must(err)
	start := n.h.Store.Now(ctx).Add(-time.Hour)
	line, _, err := n.h.Subscriptions.Lines.Add(ctx, &subscription.Line{
		AccountID: "elsewhere", MSISDN: "41790000001", ICCID: "8941001000000000001", IMSI: "228010000000001", State: subscription.Active, StartDate: &start,
		Offering: &sid.Ref{ID: string(plan)},
	})
	n.must(err)
	n.must(n.h.Store.Write(ctx, func(ctx context.Context) error {
		w, err := n.h.Balances.Wallet(ctx, line)
		if err != nil {
			return err
		}
		h, err := w.Open(balance.Grant{Name: "Money", UsageType: "monetary", Unit: "CHF", Amount: 5_000_000}, balance.Cause{Kind: "test", ID: "1"})
		if err != nil {
			return err
		}
		n.money = h.ID
		return n.h.Balances.Save(ctx, w)
	}))
}

// post sends a request, and wants a status.
func (n *network) post(path, body string, want int) (http.Header, map[string]any) {
	n.t.Helper()
	r := httptest.NewRequest("POST", "http://demarc.test"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, r)
	var out map[string]any
	if w.Body.Len() > 0 {
		n.must(json.Unmarshal(w.Body.Bytes(), &out))
	}
	if w.Code != want {
		n.t.Fatalf("POST %s: %d, want %d: %s", path, w.Code, want, w.Body)
	}
	return w.Header(), out
}

// unit is the only unit of an answer.
func (n *network) unit(body map[string]any) map[string]any {
	n.t.Helper()
	all, _ := body["multipleUnitInformation"].([]any)
	if len(all) != 1 {
		n.t.Fatalf("%v", body)
	}
	return all[0].(map[string]any)
}

func (n *network) granted(body map[string]any) float64 {
	n.t.Helper()
	g, _ := n.unit(body)["grantedUnit"].(map[string]any)
	v, _ := g["totalVolume"].(float64)
	return v
}

func (n *network) holds(ctx context.Context, want string) {
	n.t.Helper()
	b, _, err := n.h.Balances.Buckets.Get(ctx, n.money)
	n.must(err)
	if string(b.Remaining.Amount) != want {
		n.t.Errorf("%s is left, want %s", b.Remaining.Amount, want)
	}
}

const collection = "/nchf-convergedcharging/v3/chargingdata"

func TestASessionOverHTTP(t *testing.T) {
	each(t, func(ctx context.Context, n *network) {
		open := `{"subscriberIdentifier":"imsi-228010000000001","chargingId":7,"invocationSequenceNumber":1,"multipleUnitUsage":[{"ratingGroup":10,"requestedUnit":{"totalVolume":2000000}}]}`
		head, body := n.post(collection, open, 201)
		ref := strings.TrimPrefix(head.Get("Location"), "http://demarc.test")
		if u := n.unit(body); u["resultCode"] != "SUCCESS" || n.granted(body) != 2_000_000 || u["validityTime"] != 600.0 {
			n.t.Fatalf("%v", body)
		}
		if again, _ := n.post(collection, open, 201); again.Get("Location") != head.Get("Location") {
			n.t.Errorf("the opening again opened %s", again.Get("Location"))
		}
		n.holds(ctx, "3.00")
		update := `{"invocationSequenceNumber":2,"multipleUnitUsage":[{"ratingGroup":10,"usedUnitContainer":[{"localSequenceNumber":1,"uplinkVolume":500000,"downlinkVolume":1500000}],"requestedUnit":{"totalVolume":4000000}}]}`
		for range 2 {
			_, body = n.post(ref+"/update", update, 200)
			if u := n.unit(body); n.granted(body) != 3_000_000 || u["finalUnitIndication"] == nil {
				n.t.Fatalf("%v", body)
			}
		}
		n.holds(ctx, "0.00")
		_, body = n.post(ref+"/update", `{"invocationSequenceNumber":3,"multipleUnitUsage":[{"ratingGroup":10,"usedUnitContainer":[{"totalVolume":3000000}],"requestedUnit":{}}]}`, 200)
		if u := n.unit(body); u["resultCode"] != "QUOTA_LIMIT_REACHED" || u["grantedUnit"] != nil {
			n.t.Fatalf("%v", body)
		}
		for range 2 {
			n.post(ref+"/release", `{"invocationSequenceNumber":4}`, 204)
		}
		n.holds(ctx, "0.00")
		_, body = n.post(ref+"/update", `{"invocationSequenceNumber":5}`, 404)
		if body["cause"] != "CHARGING_DATA_REF_UNKNOWN" || body["status"] != 404.0 {
			n.t.Errorf("%v", body)
		}
	})
}

func TestRefusalsAreProblemDetails(t *testing.T) {
	each(t, func(_ context.Context, n *network) {
		for body, want := range map[string]struct {
			status int
			cause  string
		}{
			`{"subscriberIdentifier":"msisdn-41790009999","invocationSequenceNumber":1}`:   {404, "USER_UNKNOWN"},
			`{"subscriberIdentifier":"imsi-228019999999999","invocationSequenceNumber":1}`: {404, "USER_UNKNOWN"},
			`{"invocationSequenceNumber":1}`:                                               {400, "INVALID_MSG_FORMAT"},
			`{"subscriberIdentifier":"msisdn-41790000001"}`:                                {400, "INVALID_MSG_FORMAT"},
			`{"subscriberIdentifier":"msisdn-41790000001","invocationSequenceNumber":1,"multipleUnitUsage":[{"ratingGroup":1,"requestedUnit":{"time":-1}}]}`:                                                 {400, "INVALID_MSG_FORMAT"},
			`{"subscriberIdentifier":"msisdn-41790000001","invocationSequenceNumber":1,"multipleUnitUsage":[{"ratingGroup":1,"usedUnitContainer":[{"time":1},{"totalVolume":1}]}]}`:                          {400, "INVALID_MSG_FORMAT"},
			`{"subscriberIdentifier":"msisdn-41790000001","invocationSequenceNumber":1,"multipleUnitUsage":[{"ratingGroup":1,"usedUnitContainer":[{"time":1}],"requestedUnit":{"serviceSpecificUnits":1}}]}`: {400, "INVALID_MSG_FORMAT"},
		} {
			_, got := n.post(collection, body, want.status)
			if got["cause"] != want.cause || got["title"] == "" || got["detail"] == "" {
				n.t.Errorf("%s: %v", body, got)
			}
		}
	})
}
