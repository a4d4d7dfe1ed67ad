package party

import (
	"slices"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

var now = time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)

func attributes(err error) (names []string) {
	if err == nil {
		return nil
	}
	f := fault.From(err)
	if len(f.Details) == 0 {
		return []string{f.Attribute}
	}
	for _, d := range f.Details {
		names = append(names, d.Attribute)
	}
	return names
}

func TestWhatAnIndividualNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		v    Individual
		want []string
	}{
		"both names":          {Individual{GivenName: "Jane", FamilyName: "Doe"}, nil},
		"no names":            {Individual{}, []string{"givenName", "familyName"}},
		"a blank name":        {Individual{GivenName: " ", FamilyName: "Doe"}, []string{"givenName"}},
		"a known status":      {Individual{GivenName: "Jane", FamilyName: "Doe", Status: IndividualValidated}, nil},
		"an unknown status":   {Individual{GivenName: "Jane", FamilyName: "Doe", Status: "deceased"}, []string{"status"}},
		"a date":              {Individual{GivenName: "Jane", FamilyName: "Doe", BirthDate: "1990-12-31"}, nil},
		"a moment":            {Individual{GivenName: "Jane", FamilyName: "Doe", BirthDate: "1990-12-31T00:00:00Z"}, nil},
		"no date":             {Individual{GivenName: "Jane", FamilyName: "Doe", BirthDate: "31.12.1990"}, []string{"birthDate"}},
		"a birth to come":     {Individual{GivenName: "Jane", FamilyName: "Doe", BirthDate: "2026-02-01"}, []string{"birthDate"}},
		"death before birth":  {Individual{GivenName: "Jane", FamilyName: "Doe", BirthDate: "1990-12-31", DeathDate: "1989-01-01"}, []string{"deathDate"}},
		"a death without day": {Individual{GivenName: "Jane", FamilyName: "Doe", DeathDate: "soon"}, []string{"deathDate"}},
	} {
		if got := attributes(c.v.begin(now)); !slices.Equal(got, c.want) {
			t.Errorf("%s: refused at %v, want %v", name, got, c.want)
		}
	}
}

func TestADateIsKeptAsTheStandardsDateTime(t *testing.T) {
	for text, want := range map[string]string{"1990-12-31": "1990-12-31T00:00:00Z", "1990-12-31T02:00:00+02:00": "1990-12-31T02:00:00+02:00", "": ""} {
		v := Individual{GivenName: "Jane", FamilyName: "Doe", BirthDate: text}
		if err := v.begin(now); err != nil || v.BirthDate != want {
			t.Errorf("%q is kept as %q, want %q (%v)", text, v.BirthDate, want, err)
		}
	}
}

func TestDefaultsOfParties(t *testing.T) {
	i, o, r := Individual{GivenName: "Jane", FamilyName: "Doe"}, Organization{TradingName: "Moon"}, Role{Name: "Dealer"}
	if i.begin(now) != nil || i.Status != IndividualInitialized || i.Type != "Individual" {
		t.Errorf("individual: %+v", i)
	}
	if o.begin() != nil || o.Status != OrganizationInitialized || o.Type != "Organization" {
		t.Errorf("organization: %+v", o)
	}
	if r.begin() != nil || r.Status != RoleActive || r.Type != "PartyRole" {
		t.Errorf("role: %+v", r)
	}
}

func TestStatesOfAnIndividual(t *testing.T) {
	for _, c := range []struct {
		from, to IndividualStatus
		want     bool
	}{
		{IndividualInitialized, IndividualInitialized, true}, {IndividualInitialized, IndividualValidated, true}, {IndividualInitialized, IndividualDeceased, true},
		{IndividualValidated, IndividualInitialized, true}, {IndividualValidated, IndividualDeceased, true},
		{IndividualDeceased, IndividualValidated, false}, {IndividualDeceased, IndividualInitialized, false},
	} {
		prev, next := Individual{GivenName: "J", FamilyName: "D", Status: c.from}, Individual{GivenName: "J", FamilyName: "D", Status: c.to}
		if err := next.follow(&prev, now); (err == nil) != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
}

func TestStatesOfAnOrganization(t *testing.T) {
	for _, c := range []struct {
		from, to OrganizationStatus
		want     bool
	}{
		{OrganizationInitialized, OrganizationValidated, true}, {OrganizationInitialized, OrganizationClosed, true}, {OrganizationValidated, OrganizationInitialized, true},
		{OrganizationValidated, OrganizationClosed, true}, {OrganizationClosed, OrganizationValidated, false}, {OrganizationClosed, OrganizationClosed, true},
	} {
		prev, next := Organization{TradingName: "M", Status: c.from}, Organization{TradingName: "M", Status: c.to}
		if err := next.follow(&prev); (err == nil) != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
	if got := attributes((&Organization{Status: "open"}).begin()); !slices.Equal(got, []string{"tradingName", "status"}) {
		t.Errorf("refused at %v", got)
	}
}

func TestAPartysNameIsTheOnePeopleUse(t *testing.T) {
	for want, got := range map[string]string{
		"Jane Doe":  Individual{GivenName: "Jane", FamilyName: "Doe"}.DisplayName(),
		"Dr J. Doe": Individual{GivenName: "Jane", FamilyName: "Doe", FullName: "Dr J. Doe"}.DisplayName(),
		"Moon":      Organization{TradingName: "Moon", Name: "Moon Ltd"}.DisplayName(),
		"Moon Ltd":  Organization{Name: "Moon Ltd"}.DisplayName(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestARoleLivesWithItsParty(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p, ctx := New(s), storetest.Context(1)
		i, _, err := p.Individuals.Add(ctx, &Individual{GivenName: "Jane", FamilyName: "Doe"})
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := p.Roles.Add(ctx, &Role{Name: "Dealer", EngagedParty: &sid.Ref{ID: string(i)}})
		if err != nil {
			t.Fatal(err)
		}
		theirs, _ := i.Home()
		if its, _ := r.Home(); its != theirs {
			t.Errorf("the role lives at %d and its party at %d", its, theirs)
		}
		if name, typ, err := p.NameOf(ctx, i); name != "Jane Doe" || typ != "Individual" || err != nil {
			t.Errorf("%s %s %v", name, typ, err)
		}
		if _, _, err := p.Roles.Add(ctx, &Role{Name: "Dealer", EngagedParty: &sid.Ref{}}); fault.From(err).Attribute != "engagedParty.id" {
			t.Errorf("a role of nobody: %v", err)
		}
		if err := p.Individuals.Delete(ctx, i, 0); fault.From(err).Code != fault.CodeStillReferred {
			t.Errorf("a party with a role was deleted: %v", err)
		}
	})
}

func TestWhatSomebodySaysIsHeldAgainstWhatIsKnown(t *testing.T) {
	expired := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	jane := Individual{GivenName: "Jane", FamilyName: "Doe", BirthDate: "1990-12-31T00:00:00Z", Identifications: []Identification{
		{ID: "X1", Type: "passport"}, {ID: "Y2", Type: "passport", ValidFor: &sid.Period{End: &expired}},
	}}
	for name, c := range map[string]struct {
		claimed Claimed
		want    []Finding
	}{
		"the name":           {Claimed{GivenName: " jane", FamilyName: "DOE"}, []Finding{{"givenName", true}, {"familyName", true}}},
		"another name":       {Claimed{FamilyName: "Roe"}, []Finding{{"familyName", false}}},
		"the birthday":       {Claimed{BirthDate: "1990-12-31"}, []Finding{{"birthDate", true}}},
		"another birthday":   {Claimed{BirthDate: "1990-12-30"}, []Finding{{"birthDate", false}}},
		"no birthday":        {Claimed{BirthDate: "today"}, []Finding{{"birthDate", false}}},
		"the passport":       {Claimed{IdentificationType: "Passport", IdentificationID: "x1"}, []Finding{{"identificationId", true}}},
		"any document":       {Claimed{IdentificationID: "X1"}, []Finding{{"identificationId", true}}},
		"another document":   {Claimed{IdentificationType: "licence", IdentificationID: "X1"}, []Finding{{"identificationId", false}}},
		"an expired one":     {Claimed{IdentificationID: "Y2"}, []Finding{{"identificationId", false}}},
		"nothing in a field": {Claimed{}, nil},
	} {
		if got := jane.Compare(c.claimed, now); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
