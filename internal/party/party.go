// Package party keeps the people and organizations that an operator deals with, and the roles they play
// (TMF632 Party, TMF669 Party Role).
package party

import (
	"context"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// The id kinds of this package.
var (
	IndividualKind   = id.Kind{Name: "individual", Prefix: "ind"}
	OrganizationKind = id.Kind{Name: "organization", Prefix: "org"}
	RoleKind         = id.Kind{Name: "partyRole", Prefix: "rol"}
)

// Service is all parties and their roles.
type Service struct {
	// Individuals are people (TMF632 Individual).
	Individuals *resource.Set[Individual]
	// Organizations are companies, clubs, authorities (TMF632 Organization).
	Organizations *resource.Set[Organization]
	// Roles are parts that a party plays other than that of a customer: dealer, agent, partner (TMF669).
	Roles *resource.Set[Role]

	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store) *Service {
	return &Service{
		store: s,
		Individuals: resource.New(s, store.Definition{
			Kind: IndividualKind, Table: "individual",
			Indexed: map[string]string{"familyName": "family_name", "givenName": "given_name", "status": "status"},
		}, individualRules()),
		Organizations: resource.New(s, store.Definition{
			Kind: OrganizationKind, Table: "organization",
			Indexed: map[string]string{"tradingName": "trading_name", "status": "status"},
		}, organizationRules()),
		Roles: resource.New(s, store.Definition{
			Kind: RoleKind, Table: "party_role",
			Indexed: map[string]string{"name": "name", "status": "status"},
		}, roleRules()),
	}
}

// NameOf is what people call the individual or organization with this id, and its type on the wire
// ("Individual", "Organization"). An id that is neither's gives empty strings; one that is unknown a
// NotFound fault.
func (s *Service) NameOf(ctx context.Context, i id.ID) (name, typ string, err error) {
	switch {
	case i.Is(IndividualKind):
		v, _, err := s.Individuals.Get(ctx, i)
		return v.DisplayName(), "Individual", err
	case i.Is(OrganizationKind):
		v, _, err := s.Organizations.Get(ctx, i)
		return v.DisplayName(), "Organization", err
	}
	return "", "", nil
}

// ContactMedium is a way to reach a party (TMF632 ContactMedium).
type ContactMedium struct {
	// MediumType says what it is: "email", "mobile", "postalAddress"; free text in the standard.
	MediumType     string                `json:"mediumType,omitzero"`
	Preferred      bool                  `json:"preferred,omitzero"`
	Characteristic *MediumCharacteristic `json:"characteristic,omitzero"`
	Rest           sid.Rest              `json:",embed"`
}

// MediumCharacteristic is the address itself (TMF632 MediumCharacteristic).
type MediumCharacteristic struct {
	EmailAddress    string   `json:"emailAddress,omitzero"`
	PhoneNumber     string   `json:"phoneNumber,omitzero"`
	Street1         string   `json:"street1,omitzero"`
	Street2         string   `json:"street2,omitzero"`
	City            string   `json:"city,omitzero"`
	StateOrProvince string   `json:"stateOrProvince,omitzero"`
	PostCode        string   `json:"postCode,omitzero"`
	Country         string   `json:"country,omitzero"`
	Rest            sid.Rest `json:",embed"`
}

// mandatory refuses a value that is missing or blank.
func mandatory(attribute, value string) []fault.Detail {
	if strings.TrimSpace(value) != "" {
		return nil
	}
	return []fault.Detail{{Attribute: attribute, Message: attribute + " is mandatory and must not be blank"}}
}

// dateTime writes a plain date as the date-time that the standard's attribute is; other text stays.
func dateTime(text string) string {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.Format(time.RFC3339)
	}
	return text
}

// moment reads a date or a date-time (RFC 3339); parties' birthdays come as both.
func moment(text string) (time.Time, bool) {
	for _, layout := range [...]string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
