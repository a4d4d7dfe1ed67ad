// Package customer keeps who buys: a party in the role of a customer (TMF629 Customer).
package customer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// Kind is the id kind of customers.
var Kind = id.Kind{Name: "customer", Prefix: "cus"}

// CodeState is a status that may not follow the present one.
const CodeState fault.Code = "stateNotAllowed"

// Customer is a party in the role of a buyer (TMF629 Customer).
type Customer struct {
	Type         string                `json:"@type,omitzero"`
	Name         string                `json:"name,omitzero"`
	Status       Status                `json:"status,omitzero"`
	EngagedParty *sid.Ref              `json:"engagedParty,omitzero"`
	Contacts     []party.ContactMedium `json:"contactMedium,omitzero"`
	Rest         sid.Rest              `json:",embed"`
}

// Status is where the relation with a customer stands. TMF629 leaves it free text: the states below have
// rules, any other is kept as it came.
type Status string

// The states that have rules.
const (
	// Initialized is a customer whose data are being gathered.
	Initialized Status = "Initialized"
	// Approved is a customer who may buy; a new one is, unless it says otherwise.
	Approved Status = "Approved"
	// Active is a customer who has bought.
	Active Status = "Active"
	// Suspended is a customer who may not buy for now.
	Suspended Status = "Suspended"
	// Closed is a relation that has ended, for good.
	Closed Status = "Closed"
)

var next = map[Status][]Status{
	Initialized: {Approved, Active, Closed},
	Approved:    {Active, Suspended, Closed},
	Active:      {Suspended, Closed},
	Suspended:   {Approved, Active, Closed},
	Closed:      {},
}

// May reports whether to may follow. A status without rules may be left and entered freely, save that
// nothing follows Closed.
func (s Status) May(to Status) bool {
	allowed, known := next[s]
	if _, ruled := next[to]; s == to || !known || (!ruled && s != Closed) {
		return true
	}
	return slices.Contains(allowed, to)
}

// MayBuy reports whether a customer of this status may place orders.
func (s Status) MayBuy() bool { return s != Suspended && s != Closed && s != Initialized }

// Service is all customers.
type Service struct {
	Customers *resource.Set[Customer]
	parties   *party.Service
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, parties *party.Service) *Service {
	c := &Service{parties: parties}
	c.Customers = resource.New(s, store.Definition{
		Kind: Kind, Table: "customer",
		Indexed: map[string]string{"name": "name", "status": "status", "engagedParty.id": "engaged_party"},
	}, c.rules())
	return c
}

// check finds every fault of form: TMF629's mandatory attributes.
func (v Customer) check() []fault.Detail {
	var found []fault.Detail
	if strings.TrimSpace(v.Name) == "" {
		found = append(found, fault.Detail{Attribute: "name", Message: "name is mandatory and must not be blank"})
	}
	switch {
	case v.EngagedParty == nil:
		found = append(found, fault.Detail{Attribute: "engagedParty", Message: "engagedParty is mandatory: the individual or organization that the customer is"})
	case strings.TrimSpace(v.EngagedParty.ID) == "":
		found = append(found, fault.Detail{Attribute: "engagedParty.id", Message: "engagedParty.id is mandatory and must not be blank"})
	case ours(v.EngagedParty.ID) && !isParty(v.EngagedParty.ID):
		found = append(found, fault.Detail{Attribute: "engagedParty.id", Message: "engagedParty must be an individual or an organization"})
	}
	for _, m := range v.Contacts {
		if m.MediumType == "" || m.Characteristic == nil {
			found = append(found, fault.Detail{Attribute: "contactMedium", Message: "a contact medium needs mediumType and characteristic"})
			break
		}
	}
	return found
}

func ours(i string) bool { _, ok := id.ID(i).Home(); return ok }

func isParty(i string) bool {
	return id.ID(i).Is(party.IndividualKind) || id.ID(i).Is(party.OrganizationKind)
}

func (v *Customer) begin() error {
	if v.Type == "" {
		v.Type = "Customer"
	}
	if v.Status == "" {
		v.Status = Approved
	}
	return fault.InvalidAll(v.check())
}

func (v *Customer) follow(prev *Customer) error {
	if err := fault.InvalidAll(v.check()); err != nil {
		return err
	}
	if !prev.Status.May(v.Status) {
		return fault.Conflictf(CodeState, "a customer that is %s cannot become %s", prev.Status, v.Status).At("status")
	}
	return nil
}

// name completes the reference to the engaged party with its type and name when the party is known here.
func (s *Service) name(ctx context.Context, v *Customer) error {
	r := v.EngagedParty
	if r.ReferredType != "" && r.Name != "" || !isParty(r.ID) {
		return nil
	}
	name, typ, err := s.parties.NameOf(ctx, id.ID(r.ID))
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil // the store refuses a reference to nothing, and lets one to another server pass
	}
	if err != nil {
		return err
	}
	whole := *r
	if whole.Name == "" {
		whole.Name = name
	}
	if whole.ReferredType == "" {
		whole.ReferredType = typ
	}
	v.EngagedParty = &whole
	return nil
}

func (s *Service) rules() resource.Rules[Customer] {
	return resource.Rules[Customer]{
		Domain: "customerManagement",
		Home: func(v *Customer) (id.Home, bool) {
			if v.EngagedParty == nil || !isParty(v.EngagedParty.ID) {
				return 0, false
			}
			return id.ID(v.EngagedParty.ID).Home()
		},
		Create: func(ctx context.Context, _ id.ID, v *Customer, _ time.Time) error {
			if err := v.begin(); err != nil {
				return err
			}
			return s.name(ctx, v)
		},
		Change: func(_ context.Context, prev, v *Customer, _ time.Time) error { return v.follow(prev) },
		State:  func(v *Customer) string { return string(v.Status) },
	}
}
