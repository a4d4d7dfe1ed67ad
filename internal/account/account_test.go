package account

import (
	"context"
	"slices"
	"testing"

	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestWhatAnAccountNeeds(t *testing.T) {
	owner := []sid.Ref{{ID: "6838", Name: "Richard Cole", ReferredType: "Organization"}}
	for name, c := range map[string]struct {
		v     Account
		party bool
		want  string
	}{
		"name and owner":        {Account{Name: "Home", RelatedParty: owner}, true, ""},
		"no name":               {Account{RelatedParty: owner}, true, "name"},
		"no owner":              {Account{Name: "Home"}, true, "relatedParty"},
		"a financial account":   {Account{Name: "Home"}, false, ""},
		"an owner without id":   {Account{Name: "Home", RelatedParty: []sid.Ref{{Name: "X"}}}, true, "relatedParty.id"},
		"an unknown currency":   {Account{Name: "Home", RelatedParty: owner, Currency: "XYZ"}, true, "currency"},
		"a state of free text":  {Account{Name: "Home", RelatedParty: owner, State: "under review"}, true, ""},
		"a state in upper case": {Account{Name: "Home", RelatedParty: owner, State: "NON_PAYMENT_WARNED"}, true, ""},
	} {
		err := c.v.begin("BillingAccount", c.party)
		if (err == nil) != (c.want == "") || err != nil && fault.From(err).Attribute != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestStatesOfAnAccountAreReadInAnySpelling(t *testing.T) {
	for text, want := range map[State]State{
		"Active": Active, "ACTIVE": Active, "NON_PAYMENT_SUSPENDED": NonPaymentSuspended, "promise to pay": PromiseToPay,
		"in-arrears": InArrears, "under review": "under review", "": "",
	} {
		if got := stateOf(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestCodesOfAccountStates(t *testing.T) {
	for want, s := range []State{Active, Suspended, Inactive, NonPaymentWarned, NonPaymentSuspended, PromiseToPay, InArrears, InCollection} {
		if got, ok := s.Code(); got != want || !ok {
			t.Errorf("%s has code %d, want %d", s, got, want)
		}
	}
}

func TestStatesOfAnAccount(t *testing.T) {
	follow := map[State][]State{
		Active:              {Suspended, Inactive, NonPaymentWarned, NonPaymentSuspended, PromiseToPay, InArrears},
		Suspended:           {Active, Inactive},
		Inactive:            {Active},
		NonPaymentWarned:    {Active, Inactive, NonPaymentSuspended, PromiseToPay, InArrears},
		NonPaymentSuspended: {Active, Inactive, PromiseToPay, InArrears, InCollection},
		PromiseToPay:        {Active, Inactive, NonPaymentWarned, NonPaymentSuspended, InArrears},
		InArrears:           {Active, Inactive, NonPaymentSuspended, PromiseToPay, InCollection},
		InCollection:        {Active, Inactive, InArrears},
	}
	for _, from := range states {
		for _, to := range states {
			prev, v := Account{State: from}, Account{Name: "A", State: to}
			err := v.follow(&prev, false)
			if want := from == to || slices.Contains(follow[from], to); (err == nil) != want {
				t.Errorf("%s to %s: %v, want %v", from, to, err, want)
			}
		}
		barred := from == Suspended || from == Inactive || from == NonPaymentSuspended || from == InCollection
		if from.MayOrder() == barred {
			t.Errorf("ordering on an account that is %s", from)
		}
	}
}

func TestAnAccountThatIsOverOrdersNothing(t *testing.T) {
	for text, want := range map[State]bool{
		"closed": false, "Terminated": false, " CANCELLED ": false, "blocked": false, "ended": false,
		"under review": true, "open": true, "active": true, "": true,
	} {
		if got := stateOf(text).MayOrder(); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

type house struct {
	*Service
	parties   *party.Service
	customers *customer.Service
	providers *provider.Service
}

func each(t *testing.T, run func(ctx context.Context, t *testing.T, h house)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h := house{parties: party.New(s), providers: provider.New(s)}
		h.customers = customer.New(s, h.parties)
		h.Service = New(s, h.customers, h.parties, h.providers)
		run(storetest.Context(1), t, h)
	})
}

func (h house) jane() NewPrepaid {
	return NewPrepaid{Individual: &party.Individual{GivenName: "Jane", FamilyName: "Doe"}, Currency: "CHF"}
}

func TestAPrepaidAccountComesWithItsCustomerAndParty(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		i, err := h.OpenPrepaid(ctx, h.jane())
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := h.Billing.Get(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		home, _ := i.Home()
		for _, of := range []id.ID{v.Customer(), v.Party()} {
			if its, ok := of.Home(); !ok || its != home {
				t.Errorf("%s does not live with the account", of)
			}
		}
		if v.Name != "Jane Doe" || v.PaidType() != Prepaid || v.State != Active || v.LastModified.IsZero() {
			t.Errorf("%+v", v)
		}
		if found, err := h.ByNumber(ctx, v.AccountNumber); found != i || err != nil {
			t.Errorf("the number %s leads to %s, %v", v.AccountNumber, found, err)
		}
		c, _, err := h.customers.Customers.Get(ctx, v.Customer())
		if err != nil || c.EngagedParty.ID != string(v.Party()) {
			t.Errorf("%+v %v", c, err)
		}
	})
}

func TestAPrepaidAccountIsOpenedAllOrNone(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		bad := h.jane()
		bad.Currency = "XYZ"
		if _, err := h.OpenPrepaid(ctx, bad); err == nil {
			t.Error("an account in no currency was opened")
		}
		if _, err := h.OpenPrepaid(ctx, NewPrepaid{Individual: bad.Individual}); fault.From(err).Code != provider.CodeMissing {
			t.Errorf("without service provider: %v", err)
		}
		if page, err := h.parties.Individuals.Docs(ctx, store.Query{}); err != nil || page.Total != 0 {
			t.Errorf("%d individuals are left, %v", page.Total, err)
		}
	})
}

func TestAccountNumbersAreUniqueAndStay(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		owner := []sid.Ref{{ID: "6838"}}
		i, _, err := h.Billing.Add(ctx, &Account{Name: "A", AccountNumber: "12345678", RelatedParty: owner})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Billing.Add(ctx, &Account{Name: "B", AccountNumber: "12345678", RelatedParty: owner}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a number was given twice: %v", err)
		}
		if _, _, err := h.Billing.Add(ctx, &Account{Name: "B", AccountNumber: "1234", RelatedParty: owner}); fault.From(err).Attribute != "accountNumber" {
			t.Errorf("a number of four digits: %v", err)
		}
		if err := h.Billing.Delete(ctx, i, 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Billing.Add(ctx, &Account{Name: "B", AccountNumber: "12345678", RelatedParty: owner}); err != nil {
			t.Errorf("the number of a deleted account did not come free: %v", err)
		}
	})
}

func TestAClosedCustomerGetsNoAccount(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		c, _, err := h.customers.Customers.Add(ctx, &customer.Customer{Name: "Moon", EngagedParty: &sid.Ref{ID: "500"}, Status: customer.Closed})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Billing.Add(ctx, &Account{Name: "A", RelatedParty: []sid.Ref{{ID: string(c)}}}); fault.From(err).Code != CodeCustomerClosed {
			t.Errorf("%v", err)
		}
	})
}

func TestBillFormatsNeedAName(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		if _, _, err := h.BillFormats.Add(ctx, &Named{}); fault.From(err).Attribute != "name" {
			t.Errorf("%v", err)
		}
		if _, d, err := h.BillingCycles.Add(ctx, &Named{Name: "Monthly"}); err != nil || !slices.Contains([]string{`{"@type":"BillingCycleSpecification","name":"Monthly"}`}, string(d.Body)) {
			t.Errorf("%s %v", d.Body, err)
		}
	})
}
