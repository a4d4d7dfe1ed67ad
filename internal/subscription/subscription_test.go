package subscription

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestStatesAreShownInThreeWays(t *testing.T) {
	for _, c := range []struct {
		s      State
		code   int
		name   string
		status string
	}{
		{Pending, 0, "PENDING", "pendingActive"}, {Active, 1, "ACTIVE", "active"}, {Inactive, 2, "INACTIVE", "terminated"},
		{Suspended, 3, "SUSPENDED", "suspended"}, {Moved, 4, "MOVED", "terminated"}, {Locked, 5, "LOCKED", "suspended"},
		{Expired, 6, "EXPIRED", "suspended"}, {Available, 7, "AVAILABLE", "created"}, {NonPaymentWarned, 8, "NON_PAYMENT_WARNED", "active"},
		{NonPaymentSuspended, 9, "NON_PAYMENT_SUSPENDED", "suspended"}, {PromiseToPay, 10, "PROMISE_TO_PAY", "active"}, {InArrears, 11, "IN_ARREARS", "active"},
		{InCollection, 12, "IN_COLLECTION", "suspended"}, {Dormant, 13, "DORMANT", "active"},
		{Disconnecting, 1, "ACTIVE", "pendingTerminate"}, {Cancelled, 2, "INACTIVE", "cancelled"},
	} {
		if c.s.Code() != c.code || c.s.Name() != c.name || c.s.Status() != c.status {
			t.Errorf("%s: %d %s %s", c.s, c.s.Code(), c.s.Name(), c.s.Status())
		}
	}
}

func TestEveryWayThroughTheStatesIsDeclared(t *testing.T) {
	if len(States()) != len(stateFacts) {
		t.Errorf("%d states of %d are listed", len(States()), len(stateFacts))
	}
	for _, s := range States() {
		if !s.Known() {
			t.Errorf("%s is not a state", s)
		}
	}
	for s, facts := range stateFacts {
		for _, to := range facts.next {
			if !to.Known() || to == s {
				t.Errorf("%s leads to %q", s, to)
			}
		}
		if s.Ended() && len(facts.next) > 0 {
			t.Errorf("%s is the end and leads to %v", s, facts.next)
		}
		if !s.Ended() && s != Pending && s != Available && s != Disconnecting && s != Active && !s.May(Active) {
			t.Errorf("no way back from %s", s)
		}
		if !s.May(s) {
			t.Errorf("%s may not stay", s)
		}
	}
}

func TestWhatMayFollow(t *testing.T) {
	at := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	whole := Line{AccountID: "bac_1", MSISDN: "41790000001", ICCID: "8941"}
	for name, c := range map[string]struct {
		from State
		next func(v *Line)
		code fault.Code
	}{
		"activated":               {Pending, func(v *Line) { v.State = Active }, ""},
		"activated without a SIM": {Pending, func(v *Line) { v.State, v.ICCID = Active, "" }, CodeState},
		"activated numberless":    {Pending, func(v *Line) { v.State, v.MSISDN = Active, "" }, CodeState},
		"suspended":               {Active, func(v *Line) { v.State = Suspended }, ""},
		"suspended before":        {Pending, func(v *Line) { v.State = Suspended }, CodeState},
		"back from the end":       {Inactive, func(v *Line) { v.State = Active }, CodeState},
		"disconnected at once":    {Active, func(v *Line) { v.State = Inactive }, CodeState},
		"an unknown state":        {Active, func(v *Line) { v.State = "lost" }, fault.CodeInvalid},
		"status by itself":        {Active, func(v *Line) { v.Status = "terminated" }, fault.CodeInvalid},
		"no account":              {Active, func(v *Line) { v.AccountID = "" }, fault.CodeInvalid},
	} {
		prev := whole
		prev.State, prev.Status = c.from, c.from.Status()
		v := prev
		c.next(&v)
		if err := v.to(&prev, at); fault.From(err) != nil && fault.From(err).Code != c.code || err == nil && c.code != "" {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
	prev, v := whole, whole
	prev.State, v.State = Pending, Active
	if err := v.to(&prev, at); err != nil || v.StartDate == nil || !v.StartDate.Equal(at) {
		t.Errorf("a line begins %v, %v", v.StartDate, err)
	}
	prev = v
	prev.State, v.State = Disconnecting, Inactive
	if err := v.to(&prev, at); err != nil || v.TerminationDate == nil || !v.TerminationDate.Equal(at) {
		t.Errorf("a line ends %v, %v", v.TerminationDate, err)
	}
}

func TestPricesAreShownWithAndWithoutTax(t *testing.T) {
	gross, _ := money.Parse("12", "CHF")
	out, err := PricesOf(catalog.Offering{Prices: []catalog.Price{{Name: "Plan", PriceType: "recurring", Period: "month", Price: &gross, Tax: []catalog.Tax{{Rate: []byte("20")}}}, {Name: "nothing"}}})
	if err != nil || len(out) != 1 || out[0].Price.TaxIncluded.Decimal() != "12.00" || out[0].Price.DutyFree.Decimal() != "10.00" {
		t.Errorf("%+v %v", out, err)
	}
}

func TestANumberBelongsToOneLine(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := storetest.Context(1)
		v, a := build(ctx, t, s)
		add := func() (id.ID, error) {
			i, _, err := v.Lines.Add(ctx, &Line{AccountID: a, MSISDN: "41790000001", ICCID: "8941001"})
			return i, err
		}
		first, err := add()
		if err != nil {
			t.Fatal(err)
		}
		theirs, _ := a.Home()
		if its, _ := first.Home(); its != theirs {
			t.Errorf("the line lives at %d and its account at %d", its, theirs)
		}
		if _, err := add(); fault.From(err).Code != CodeNumberInUse {
			t.Errorf("a second line has the number: %v", err)
		}
		for _, text := range []string{string(first), "41790000001", "+41 79 000 00 01", "0041790000001", "079 000 00 01"} {
			if i, _, err := v.Resolve(ctx, text); i != first || err != nil {
				t.Errorf("%s leads to %q, %v", text, i, err)
			}
		}
		for _, text := range []string{"41790000002", string(id.New(Kind, 1, time.Unix(0, 0)))} {
			if _, _, err := v.Resolve(ctx, text); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s: %v", text, err)
			}
		}
		if _, err := v.Move(ctx, first, Cancelled); err != nil {
			t.Fatal(err)
		}
		if _, err := add(); err != nil {
			t.Errorf("the number of a line that ended did not come free: %v", err)
		}
	})
}

func build(ctx context.Context, t *testing.T, s *store.Store) (*Service, id.ID) {
	t.Helper()
	parties, providers := party.New(s), provider.New(s)
	accounts := account.New(s, customer.New(s, parties), parties, providers)
	if _, _, err := providers.Add(ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"}); err != nil {
		t.Fatal(err)
	}
	a, _, err := accounts.Billing.Add(ctx, &account.Account{Name: "A", RelatedParty: []sid.Ref{{ID: "500"}}})
	if err != nil {
		t.Fatal(err)
	}
	return New(s, accounts, providers), a
}

func TestTheInventoryShowsLinesAndKeepsWhatIsRecorded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := storetest.Context(1)
		v, a := build(ctx, t, s)
		line, _, err := v.Lines.Add(ctx, &Line{AccountID: a, MSISDN: "41790000001", ICCID: "8941001"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Move(ctx, line, Active); err != nil {
			t.Fatal(err)
		}
		p := v.Products()
		d, err := p.Create(ctx, []byte(`{"name":"Router","status":"active","billingAccount":{"id":"`+string(a)+`"},`+
			`"productPrice":[{"name":"Router","priceType":"recurring","price":{"taxIncludedAmount":{"unit":"CHF","value":4}}},{"priceType":"discount","price":{"percentage":10}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(d.Body), `"price":{"taxIncludedAmount":{"unit":"CHF","value":4.00}}`) || !strings.Contains(string(d.Body), `"price":{"percentage":10}`) {
			t.Errorf("the prices of what was recorded: %s", d.Body)
		}
		if page, err := p.Docs(ctx, store.Query{}); err != nil || page.Total != 2 {
			t.Errorf("%d products, %v", page.Total, err)
		}
		if _, _, err := v.Resolve(ctx, string(d.ID)); fault.KindOf(err) != fault.NotFound {
			t.Errorf("what is recorded is a subscription: %v", err)
		}
		for _, body := range []string{`{"status":"active","state":"active"}`, `{"status":"active","accountId":"` + string(a) + `"}`, `{"status":"active","msisdn":"41790000009"}`} {
			if _, err := p.Create(ctx, []byte(body)); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s was recorded: %v", body, err)
			}
		}
		patch := func(i id.ID, body string) (Line, error) {
			_, err := p.Patch(ctx, i, 0, func(now jsontext.Value) (jsontext.Value, error) {
				was, _ := objectOf(now)
				next, err := objectOf([]byte(body))
				if err != nil {
					return nil, err
				}
				for name, value := range next {
					was[name] = value
				}
				return json.Marshal(was, json.Deterministic(true))
			})
			now, _, _ := v.Lines.Get(ctx, i)
			return now, err
		}
		for body, want := range map[string]string{
			`{"msisdn":"41790000002"}`: "msisdn", `{"state":"locked"}`: "state", `{"creditLimit":{"unit":"CHF","value":9}}`: "creditLimit",
			`{"monthlySpendLimit":{"unit":"CHF","value":9}}`: "monthlySpendLimit", `{"isRecord":true}`: "isRecord",
			`{"productOffering":{"id":"1"}}`: "productOffering", `{"terminationDate":"2026-01-01T00:00:00Z"}`: "terminationDate",
			`{"status":"terminated"}`: "status",
		} {
			if _, err := patch(line, body); err == nil || fault.From(err).Attribute != want {
				t.Errorf("%s: %v", body, err)
			}
		}
		if now, err := patch(line, `{"description":"Mum's"}`); err != nil || string(now.Rest["description"]) != `"Mum's"` || now.State != Active {
			t.Errorf("%+v %v", now, err)
		}
		if now, err := patch(line, `{"status":"suspended"}`); err != nil || now.State != Suspended || now.StateSince == nil {
			t.Errorf("%+v %v", now, err)
		}
		if now, err := patch(line, `{"status":"active"}`); err != nil || now.State != Active {
			t.Errorf("%+v %v", now, err)
		}
		if now, err := patch(d.ID, `{"status":"terminated"}`); err != nil || now.Status != "terminated" {
			t.Errorf("%+v %v", now, err)
		}
		if err := p.Delete(ctx, line, 0); fault.From(err).Code != CodeState {
			t.Errorf("an active line was deleted: %v", err)
		}
		if err := p.Delete(ctx, d.ID, 0); err != nil {
			t.Error(err)
		}
	})
}

// as is a context of somebody whose claims let it change limits.
func as(c scope.Claims) context.Context {
	return scope.With(context.Background(), scope.Grant(1, scope.Actor{Subject: "csr"}, c))
}

func TestLimitsAreChangedByThoseWhoMay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := storetest.Context(1)
		v, a := build(ctx, t, s)
		line, _, err := v.Lines.Add(ctx, &Line{AccountID: a, MSISDN: "41790000001", ICCID: "8941001"})
		if err != nil {
			t.Fatal(err)
		}
		amount := func(text, currency string) *money.Amount {
			m, err := money.Parse(text, money.Currency(currency))
			if err != nil {
				t.Fatal(err)
			}
			return &m
		}
		ten := amount("10", "CHF")
		spend, credit := as(scope.Claims{ManageMonthlySpendLimit: true}), as(scope.Claims{ManageCreditLimit: true})
		if _, err := v.SetMonthlySpendLimit(credit, line, ten); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a spend limit by who may change credit limits: %v", err)
		}
		if _, err := v.SetCreditLimit(spend, line, ten); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a credit limit by who may change spend limits: %v", err)
		}
		for _, bad := range []*money.Amount{amount("10", "EUR"), amount("-1", "CHF"), amount("0.001", "CHF")} {
			if _, err := v.SetMonthlySpendLimit(spend, line, bad); fault.From(err) == nil || fault.From(err).Attribute != "monthlySpendLimit" {
				t.Errorf("%s: %v", bad, err)
			}
		}
		if now, err := v.SetMonthlySpendLimit(spend, line, ten); err != nil || *now.MonthlySpendLimit != *ten {
			t.Errorf("%+v %v", now, err)
		}
		if now, err := v.SetCreditLimit(credit, line, ten); err != nil || *now.CreditLimit != *ten {
			t.Errorf("%+v %v", now, err)
		}
		if _, err := v.SetMonthlySpendLimit(spend, line, amount("0", "CHF")); err != nil {
			t.Error(err)
		}
		if now, _, err := v.Lines.Get(ctx, line); err != nil || now.MonthlySpendLimit == nil || !now.MonthlySpendLimit.IsZero() {
			t.Errorf("a limit of nothing is not kept: %+v %v", now.MonthlySpendLimit, err)
		}
		if now, err := v.SetMonthlySpendLimit(spend, line, nil); err != nil || now.MonthlySpendLimit != nil {
			t.Errorf("%+v %v", now, err)
		}
		if _, err := v.MoveFor(ctx, line, Cancelled, "failed"); err != nil {
			t.Fatal(err)
		}
		if _, err := v.SetCreditLimit(credit, line, nil); fault.From(err).Code != CodeState {
			t.Errorf("of a line that ended: %v", err)
		}
		history, err := v.History(ctx, line)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, c := range history {
			told = append(told, c.What+" "+c.From+">"+c.To+" "+c.Reason+" "+c.By)
		}
		want := []string{
			"state >pending  tester", "mobileNumber >41790000001  tester", "sim >8941001  tester", "monthlySpendLimit >10.00 CHF  csr",
			"creditLimit >10.00 CHF  csr", "monthlySpendLimit 10.00 CHF>0.00 CHF  csr", "monthlySpendLimit 0.00 CHF>  csr", "state pending>cancelled failed tester",
		}
		if !slices.Equal(told, want) {
			t.Errorf("%q", told)
		}
	})
}

func TestTheLinesOfAnAccountFollowIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		ctx := storetest.Context(1)
		v, a := build(ctx, t, s)
		var lines []id.ID
		for n := range linesAtOnce + 2 {
			i, _, err := v.Lines.Add(ctx, &Line{AccountID: a, MSISDN: msisdn.Number(fmt.Sprint(41790000000 + n)), ICCID: "8941001"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Move(ctx, i, Active); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, i)
		}
		if _, err := v.MoveFor(ctx, lines[1], Locked, "stolen"); err != nil {
			t.Fatal(err)
		}
		move := func(to account.State) {
			t.Helper()
			if _, err := v.accounts.Billing.Change(ctx, a, func(v *account.Account) error { v.State = to; return nil }); err != nil {
				t.Fatal(err)
			}
			for {
				jobs, err := s.ClaimJobs(ctx, 1, time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				if len(jobs) == 0 {
					return
				}
				if err := v.Jobs()[jobs[0].Kind](ctx, jobs[0]); err != nil {
					t.Fatal(err)
				}
				if err := s.FinishJob(ctx, jobs[0]); err != nil {
					t.Fatal(err)
				}
			}
		}
		holds := func(first, second, last State) {
			t.Helper()
			for i, want := range map[id.ID]State{lines[0]: first, lines[1]: second, lines[len(lines)-1]: last} {
				if now, _, err := v.Lines.Get(ctx, i); err != nil || now.State != want {
					t.Errorf("a line is %s, want %s: %v", now.State, want, err)
				}
			}
		}
		move(account.Suspended)
		holds(Suspended, Locked, Suspended)
		if _, err := v.MoveFor(ctx, lines[0], Active, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := v.MoveFor(ctx, lines[0], Suspended, "lost"); err != nil {
			t.Fatal(err)
		}
		move(account.Active)
		holds(Suspended, Locked, Active) // what was suspended for another reason stays so
	})
}
