package tmf_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/api/tmf"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/cart"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/hub"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
	"github.com/demarc-bss/demarc/internal/usage"
)

// gate lets everybody in who may be asked for; it remembers the permissions it was asked.
type gate struct{}

func (gate) Admit(context.Context, string, string, string, []auth.Permission) (scope.Scope, error) {
	return auth.System(1, scope.Actor{Subject: "tester"}), nil
}

type server struct {
	t       *testing.T
	handler http.Handler
	deps    tmf.Deps
	hubs    *hub.Service
	store   *store.Store
}

func newServer(t *testing.T) *server {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "demarc.db"), store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	providers := provider.New(s)
	parties := party.New(s)
	customers := customer.New(s, parties)
	accounts := account.New(s, customers, parties, providers)
	catalogue := catalog.New(s)
	balances := balance.New(s, balance.Parts{Providers: providers, Line: theLine, Lines: theLines})
	carts := cart.New(s, cart.Parts{Providers: providers, Catalog: catalogue})
	orders := order.New(s, order.Parts{Providers: providers, Customers: customers, Accounts: accounts, Catalog: catalogue, Carts: carts})
	lines := subscription.New(s, accounts, providers)
	usages := usage.New(s, usage.Parts{Providers: providers, Catalog: catalogue, Subscriptions: lines, Balances: balances})
	messages := message.New(s, message.Parts{Providers: providers, Parties: parties, Customers: customers, Accounts: accounts, Subscriptions: lines})
	payments := payment.New(s, payment.Parts{
		Providers: providers, Accounts: accounts, Subscriptions: lines, Balances: balances, Secret: []byte("0123456789abcdef0123456789abcdef"),
	})
	hubs := hub.New(s, hub.Options{
		Key: []byte("0123456789abcdef0123456789abcdef"), Parse: tmf630.ParseQuery, Href: tmf.Href("http://demarc.test"),
		Guard: hub.PublicOnly{Except: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
	})
	if _, err := s.Migrate(ctx, false); err != nil {
		t.Fatal(err)
	}
	d := tmf.Deps{
		Payments: payments.Payments, Refunds: payments.Refunds, PaymentMethods: payments.Methods,
		Customers: customers.Customers, Individuals: parties.Individuals, Organizations: parties.Organizations, PartyRoles: parties.Roles,
		BillingAccounts: accounts.Billing, PartyAccounts: accounts.Party, FinancialAccounts: accounts.Financial,
		SettlementAccounts: accounts.Settlement, BillFormats: accounts.BillFormats, BillingCycles: accounts.BillingCycles,
		PresentationMedia: accounts.PresentationMedia,
		Catalogs:          catalogue.Catalogs, Categories: catalogue.Categories, Offerings: catalogue.Offerings,
		OfferingPrices: catalogue.Prices, ProductSpecifications: catalogue.Specifications,
		ImportJobs: catalogue.ImportJobs, ExportJobs: catalogue.ExportJobs,
		Buckets: balances.Openings(), Topups: balances.Topups, Adjustments: balances.Adjustments, Reservations: balances.Reservations,
		Transfers: balances.Transfers, AccumulatedBalances: balances.Accumulated(), BalanceActionHistory: balances.Actions(),
		Products: lines.Products(), Usages: usages.Usages, UsageSpecifications: usages.Specifications,
		Messages: messages.Messages,
		Orders:   orders.Orders, Cancellations: orders.Cancellations, Carts: carts.Carts,
		Hubs: hubs.Hubs, Secret: hubs.Secret,
	}
	table, err := op.NewTable(tmf.Operations(d)...)
	if err != nil {
		t.Fatal(err)
	}
	h, err := table.Handler(op.Options{Store: s, Gate: gate{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return &server{t, optest.Declared(t, table, h), d, hubs, s}
}

// do sends a request; headers are "Name: value". It fails the test unless it is answered with the
// status. The answer is decoded.
func (s *server) do(method, path, body string, status int, header ...string) any {
	s.t.Helper()
	return optest.Send(s.t, s.handler, method, path, body, header...).Want(status).Body
}

// TestTheLifeOfEveryResource follows what the official kits do, for every resource of every API.
func TestTheLifeOfEveryResource(t *testing.T) {
	s := newServer(t)
	for _, r := range tmf.Resources(s.deps) {
		if strings.HasSuffix(r.Path, "/hub") {
			continue
		}
		if r.Verbs != 0 && r.Verbs&tmf630.Delete == 0 {
			continue // it has a test of its own
		}
		example, err := json.Marshal(r.Example)
		if err != nil || r.Example == nil {
			t.Fatalf("%s has no example: %v", r.Path, err)
		}
		made := s.do("POST", r.Path, string(example), 201).(map[string]any)
		s.do("POST", r.Path, string(example), 201)
		id, typ := made["id"].(string), r.Shape.Name
		if own, ok := r.Example.(map[string]any)["@type"].(string); ok {
			typ = own
		}
		if made["href"] != "http://demarc.test"+r.Path+"/"+id || made["@type"] != typ {
			t.Errorf("%s created %v", r.Path, made)
		}
		for _, item := range s.do("GET", r.Path, "", 200).([]any) {
			item := item.(map[string]any)
			for name := range r.Example.(map[string]any) {
				if item[name] == nil {
					t.Errorf("an item of %s lacks %s", r.Path, name)
				}
			}
			if missing := r.Shape.Missing(item); len(missing) > 0 {
				t.Errorf("an item of %s lacks %v", r.Path, missing)
			}
		}
		for query, least := range map[string]int{"id=" + id: 1, "href=" + made["href"].(string): 1, "fields=href": 2, "@type=" + typ: 2} {
			if n := len(s.do("GET", r.Path+"?"+query, "", 200).([]any)); n != least {
				t.Errorf("%s?%s has %d items, want %d", r.Path, query, n, least)
			}
		}
		one := r.Path + "/" + id
		if r.Verbs != 0 && r.Verbs&tmf630.Patch == 0 {
			s.do("PATCH", one, `{"x-note":"kept"}`, 405)
		} else if changed := s.do("PATCH", one, `{"x-note":"kept"}`, 200).(map[string]any); changed["x-note"] != "kept" {
			t.Errorf("%s: %v", r.Path, changed)
		}
		s.do("GET", one, "", 200)
		s.do("DELETE", one, "", 204)
		s.do("GET", one, "", 404)
		s.do("GET", r.Path+"/c2df1950-c17c-4576-9c22-e59073a4a86a", "", 404)
	}
}

func TestEveryOperationHasAPermissionSomebodyCanHave(t *testing.T) {
	for _, o := range tmf.Operations(newServer(t).deps) {
		for _, p := range o.Permission {
			if !p.Known() {
				t.Errorf("%s needs %s", o.ID, p)
			}
		}
		if len(o.Permission) != 1 {
			t.Errorf("%s needs %d permissions", o.ID, len(o.Permission))
		}
	}
}

func TestSubscribingToAnAPI(t *testing.T) {
	s := newServer(t)
	var got []string
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, string(body))
		w.WriteHeader(http.StatusCreated)
	}))
	defer listener.Close()
	const customers, parties = "/tmf-api/customerManagement/v4", "/tmf-api/party/v4"
	made := s.do("POST", customers+"/hub", `{"callback":"`+listener.URL+`","query":"eventType=CustomerCreateEvent,CustomerDeleteEvent"}`, 201).(map[string]any)
	id := made["id"].(string)
	if !strings.HasPrefix(made["secret"].(string), "whsec_") || made["callback"] != listener.URL || made["query"] == nil {
		t.Errorf("%v", made)
	}
	if again := s.do("GET", customers+"/hub/"+id, "", 200).(map[string]any); again["secret"] != nil {
		t.Error("the secret is shown again")
	}
	keyed := `{"callback":"` + listener.URL + `/again"}`
	twice := s.do("POST", customers+"/hub", keyed, 201, "Idempotency-Key: k1").(map[string]any)
	s.do("POST", customers+"/hub", keyed, 409, "Idempotency-Key: k1") // its secret is not kept to be shown again
	s.do("DELETE", customers+"/hub/"+twice["id"].(string), "", 204)
	if n := len(s.do("GET", customers+"/hub", "", 200).([]any)); n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	// Another API knows nothing of it.
	s.do("GET", parties+"/hub/"+id, "", 404)
	s.do("DELETE", parties+"/hub/"+id, "", 404)
	if n := len(s.do("GET", parties+"/hub", "", 200).([]any)); n != 0 {
		t.Errorf("%d subscriptions at the other API", n)
	}
	s.do("POST", customers+"/hub", `{"query":"eventType=X"}`, 400)
	s.do("POST", customers+"/hub", `{"callback":"http://10.0.0.1/"}`, 400)
	s.do("POST", customers+"/hub", `{"callback":"https://example.com/","query":"filter=$[?(@.x)]"}`, 400)

	s.do("POST", parties+"/individual", `{"givenName":"A","familyName":"B"}`, 201)
	c := s.do("POST", customers+"/customer", `{"name":"Moon","engagedParty":{"id":"500","@referredType":"Organization"}}`, 201).(map[string]any)
	ctx := scope.With(context.Background(), auth.System(1, scope.Actor{Subject: "tester"}))
	jobs, _, err := s.store.Jobs(ctx, hub.JobKind, job.Ready, 0, 10)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d deliveries, %v", len(jobs), err)
	}
	if err := s.hubs.Handler()(ctx, jobs[0]); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || !strings.Contains(got[0], `"CustomerCreateEvent"`) || !strings.Contains(got[0], c["href"].(string)) {
		t.Errorf("%v", got)
	}
	s.do("DELETE", customers+"/hub/"+id, "", 204)
	s.do("DELETE", customers+"/hub/"+id, "", 404)
}

func TestHref(t *testing.T) {
	href := tmf.Href("https://demarc.test")
	if got := href("individual", "ind_1"); got != "https://demarc.test/tmf-api/party/v4/individual/ind_1" {
		t.Error(got)
	}
	if got := href("nothing", "x_1"); got != "" {
		t.Error(got)
	}
}
