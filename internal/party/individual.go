package party

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// Individual is a person (TMF632 Individual).
type Individual struct {
	Type       string           `json:"@type,omitzero"`
	GivenName  string           `json:"givenName,omitzero"`
	FamilyName string           `json:"familyName,omitzero"`
	FullName   string           `json:"fullName,omitzero"`
	BirthDate  string           `json:"birthDate,omitzero"`
	DeathDate  string           `json:"deathDate,omitzero"`
	Status     IndividualStatus `json:"status,omitzero"`
	Contacts   []ContactMedium  `json:"contactMedium,omitzero"`
	// Identifications are the documents that prove who the person is.
	Identifications []Identification `json:"individualIdentification,omitzero"`
	Rest            sid.Rest         `json:",embed"`
}

// IndividualStatus is where the knowledge of a person stands.
type IndividualStatus string

// The states of TMF632 IndividualStateType; the last keeps the standard's spelling.
const (
	IndividualInitialized IndividualStatus = "initialized"
	IndividualValidated   IndividualStatus = "validated"
	IndividualDeceased    IndividualStatus = "deceaded"
)

var individualNext = map[IndividualStatus][]IndividualStatus{
	IndividualInitialized: {IndividualValidated, IndividualDeceased},
	IndividualValidated:   {IndividualInitialized, IndividualDeceased},
	IndividualDeceased:    {},
}

// Known reports whether the standard has the state.
func (s IndividualStatus) Known() bool { _, ok := individualNext[s]; return ok }

// May reports whether next may follow: a person is validated and, when papers prove false, initialized
// again; nobody returns from the dead.
func (s IndividualStatus) May(next IndividualStatus) bool {
	return s == next || slices.Contains(individualNext[s], next)
}

// DisplayName is the full name as given, else given name and family name.
func (v Individual) DisplayName() string {
	if v.FullName != "" {
		return v.FullName
	}
	return strings.TrimSpace(v.GivenName + " " + v.FamilyName)
}

// check finds every fault of form: TMF632's mandatory attributes, its states, and dates that cannot be.
func (v Individual) check(now time.Time) []fault.Detail {
	found := slices.Concat(mandatory("givenName", v.GivenName), mandatory("familyName", v.FamilyName))
	if !v.Status.Known() {
		found = append(found, fault.Detail{Attribute: "status", Message: "status is one of initialized, validated, deceaded"})
	}
	return append(found, v.checkDates(now)...)
}

func (v Individual) checkDates(now time.Time) (found []fault.Detail) {
	var birth time.Time
	if v.BirthDate != "" {
		var ok bool
		if birth, ok = moment(v.BirthDate); !ok {
			found = append(found, fault.Detail{Attribute: "birthDate", Message: "birthDate is a date (1990-12-31) or a date-time"})
		} else if birth.After(now) {
			found = append(found, fault.Detail{Attribute: "birthDate", Message: "birthDate lies in the future"})
		}
	}
	if v.DeathDate != "" {
		if death, ok := moment(v.DeathDate); !ok {
			found = append(found, fault.Detail{Attribute: "deathDate", Message: "deathDate is a date (2020-12-31) or a date-time"})
		} else if death.Before(birth) {
			found = append(found, fault.Detail{Attribute: "deathDate", Message: "deathDate lies before birthDate"})
		}
	}
	return found
}

// begin gives a new person its defaults and checks it.
func (v *Individual) begin(now time.Time) error {
	if v.Type == "" {
		v.Type = "Individual"
	}
	if v.Status == "" {
		v.Status = IndividualInitialized
	}
	v.BirthDate, v.DeathDate = dateTime(v.BirthDate), dateTime(v.DeathDate)
	return fault.InvalidAll(v.check(now))
}

// follow checks a change from prev to v.
func (v *Individual) follow(prev *Individual, now time.Time) error {
	v.BirthDate, v.DeathDate = dateTime(v.BirthDate), dateTime(v.DeathDate)
	if err := fault.InvalidAll(v.check(now)); err != nil {
		return err
	}
	if !prev.Status.May(v.Status) {
		return fault.Conflictf(CodeState, "an individual that is %s cannot become %s", prev.Status, v.Status).At("status")
	}
	return nil
}

// CodeState is a state that may not follow the present one.
const CodeState fault.Code = "stateNotAllowed"

func individualRules() resource.Rules[Individual] {
	return resource.Rules[Individual]{
		Domain: "partyManagement",
		Create: func(_ context.Context, _ id.ID, v *Individual, now time.Time) error { return v.begin(now) },
		Change: func(_ context.Context, prev, v *Individual, now time.Time) error { return v.follow(prev, now) },
		State:  func(v *Individual) string { return string(v.Status) },
	}
}
