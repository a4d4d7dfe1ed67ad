package customer

import (
	"context"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

var fixed = time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)

func TestWhatACustomerNeeds(t *testing.T) {
	foreign := &sid.Ref{ID: "500", ReferredType: "Organization"}
	account := &sid.Ref{ID: string(id.New(id.Kind{Prefix: "bac"}, 1, fixed))}
	for name, c := range map[string]struct {
		v    Customer
		want string
	}{
		"a name and a party":       {Customer{Name: "Moon", EngagedParty: foreign}, ""},
		"no name":                  {Customer{EngagedParty: foreign}, "name"},
		"a blank name":             {Customer{Name: "\t", EngagedParty: foreign}, "name"},
		"no party":                 {Customer{Name: "Moon"}, "engagedParty"},
		"a party without id":       {Customer{Name: "Moon", EngagedParty: &sid.Ref{Name: "Moon"}}, "engagedParty.id"},
		"an account for a party":   {Customer{Name: "Moon", EngagedParty: account}, "engagedParty.id"},
		"a contact without medium": {Customer{Name: "Moon", EngagedParty: foreign, Contacts: []party.ContactMedium{{}}}, "contactMedium"},
	} {
		err := c.v.begin()
		if (err == nil) != (c.want == "") || err != nil && fault.From(err).Attribute != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestStatesOfACustomer(t *testing.T) {
	all := []Status{Initialized, Approved, Active, Suspended, Closed}
	allowed := map[[2]Status]bool{
		{Initialized, Approved}: true, {Initialized, Active}: true, {Initialized, Closed}: true,
		{Approved, Active}: true, {Approved, Suspended}: true, {Approved, Closed}: true,
		{Active, Suspended}: true, {Active, Closed}: true,
		{Suspended, Approved}: true, {Suspended, Active}: true, {Suspended, Closed}: true,
	}
	for _, from := range all {
		for _, to := range all {
			if want := from == to || allowed[[2]Status{from, to}]; from.May(to) != want {
				t.Errorf("%s to %s: %v, want %v", from, to, !want, want)
			}
		}
	}
	if !Status("Prospect").May(Active) || !Active.May("Dunning") || Closed.May("Prospect") {
		t.Error("free text is kept, save after Closed")
	}
}

func TestACustomerLivesWithItsPartyAndNamesIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var events []string
		s.React(func(_ context.Context, e event.Event) error {
			events = append(events, e.Type)
			return nil
		})
		parties := party.New(s)
		c, ctx := New(s, parties), storetest.Context(1)
		p, _, err := parties.Organizations.Add(ctx, &party.Organization{TradingName: "Moon"})
		if err != nil {
			t.Fatal(err)
		}
		i, _, err := c.Customers.Add(ctx, &Customer{Name: "Moon", EngagedParty: &sid.Ref{ID: string(p)}})
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := c.Customers.Get(ctx, i)
		if err != nil || v.EngagedParty.Name != "Moon" || v.EngagedParty.ReferredType != "Organization" || v.Status != Approved {
			t.Errorf("%+v %v", v, err)
		}
		ph, _ := p.Home()
		if ch, _ := i.Home(); ch != ph {
			t.Errorf("the customer lives at %d and its party at %d", ch, ph)
		}
		if _, err := c.Customers.Change(ctx, i, func(v *Customer) error { v.Status = Closed; return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Customers.Change(ctx, i, func(v *Customer) error { v.Status = Active; return nil }); fault.From(err).Code != CodeState {
			t.Errorf("a closed customer was opened: %v", err)
		}
		if last := events[len(events)-1]; last != "CustomerStateChangeEvent" {
			t.Errorf("closing told %s", last)
		}
		if _, _, err := c.Customers.Add(ctx, &Customer{Name: "X", EngagedParty: &sid.Ref{ID: string(id.New(party.IndividualKind, 3, fixed))}}); fault.From(err).Attribute != "engagedParty.id" {
			t.Errorf("a customer that is nobody: %v", err)
		}
	})
}
