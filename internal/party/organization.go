package party

import (
	"context"
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// Organization is a company, club or authority (TMF632 Organization).
type Organization struct {
	Type        string             `json:"@type,omitzero"`
	TradingName string             `json:"tradingName,omitzero"`
	Name        string             `json:"name,omitzero"`
	Status      OrganizationStatus `json:"status,omitzero"`
	Contacts    []ContactMedium    `json:"contactMedium,omitzero"`
	Rest        sid.Rest           `json:",embed"`
}

// OrganizationStatus is where the knowledge of an organization stands.
type OrganizationStatus string

// The states of TMF632 OrganizationStateType.
const (
	OrganizationInitialized OrganizationStatus = "initialized"
	OrganizationValidated   OrganizationStatus = "validated"
	OrganizationClosed      OrganizationStatus = "closed"
)

var organizationNext = map[OrganizationStatus][]OrganizationStatus{
	OrganizationInitialized: {OrganizationValidated, OrganizationClosed},
	OrganizationValidated:   {OrganizationInitialized, OrganizationClosed},
	OrganizationClosed:      {},
}

// Known reports whether the standard has the state.
func (s OrganizationStatus) Known() bool { _, ok := organizationNext[s]; return ok }

// May reports whether next may follow; what is closed stays closed.
func (s OrganizationStatus) May(next OrganizationStatus) bool {
	return s == next || slices.Contains(organizationNext[s], next)
}

// DisplayName is the trading name, else the legal one.
func (v Organization) DisplayName() string {
	if v.TradingName != "" {
		return v.TradingName
	}
	return v.Name
}

func (v Organization) check() []fault.Detail {
	found := mandatory("tradingName", v.TradingName)
	if !v.Status.Known() {
		found = append(found, fault.Detail{Attribute: "status", Message: "status is one of initialized, validated, closed"})
	}
	return found
}

func (v *Organization) begin() error {
	if v.Type == "" {
		v.Type = "Organization"
	}
	if v.Status == "" {
		v.Status = OrganizationInitialized
	}
	return fault.InvalidAll(v.check())
}

func (v *Organization) follow(prev *Organization) error {
	if err := fault.InvalidAll(v.check()); err != nil {
		return err
	}
	if !prev.Status.May(v.Status) {
		return fault.Conflictf(CodeState, "an organization that is %s cannot become %s", prev.Status, v.Status).At("status")
	}
	return nil
}

func organizationRules() resource.Rules[Organization] {
	return resource.Rules[Organization]{
		Domain: "partyManagement",
		Create: func(_ context.Context, _ id.ID, v *Organization, _ time.Time) error { return v.begin() },
		Change: func(_ context.Context, prev, v *Organization, _ time.Time) error { return v.follow(prev) },
		State:  func(v *Organization) string { return string(v.Status) },
	}
}

// Role is a part that a party plays (TMF669 PartyRole). Its status is free text in the standard.
type Role struct {
	Type         string   `json:"@type,omitzero"`
	Name         string   `json:"name,omitzero"`
	Status       string   `json:"status,omitzero"`
	EngagedParty *sid.Ref `json:"engagedParty,omitzero"`
	Rest         sid.Rest `json:",embed"`
}

// RoleActive is the status of a new role that names none.
const RoleActive = "active"

func (v Role) check() []fault.Detail {
	found := mandatory("name", v.Name)
	if v.EngagedParty != nil {
		found = append(found, mandatory("engagedParty.id", v.EngagedParty.ID)...)
	}
	return found
}

func (v *Role) begin() error {
	if v.Type == "" {
		v.Type = "PartyRole"
	}
	if v.Status == "" {
		v.Status = RoleActive
	}
	return fault.InvalidAll(v.check())
}

func roleRules() resource.Rules[Role] {
	return resource.Rules[Role]{
		Domain: "partyRoleManagement",
		Home: func(v *Role) (id.Home, bool) {
			if v.EngagedParty == nil {
				return 0, false
			}
			return id.ID(v.EngagedParty.ID).Home()
		},
		Create: func(_ context.Context, _ id.ID, v *Role, _ time.Time) error { return v.begin() },
		Change: func(_ context.Context, _, v *Role, _ time.Time) error { return fault.InvalidAll(v.check()) },
		State:  func(v *Role) string { return v.Status },
	}
}
