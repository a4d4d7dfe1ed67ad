package account

import (
	"context"

	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/party"
)

// Roles of an account's related parties.
const (
	roleCustomer = "customer"
	roleOwner    = "owner"
)

// NewPrepaid is a prepaid account to open for somebody new: a person or an organization, not both.
type NewPrepaid struct {
	Individual   *party.Individual
	Organization *party.Organization
	// Name is the account's; the party's by default.
	Name string
	// Currency is the service provider's by default.
	Currency money.Currency
	// Rest are attributes of the account beyond these.
	Rest sid.Rest
}

// OpenPrepaid makes a party, its customer and its prepaid billing account in one transaction, all or none.
// Faults: Invalid for what is missing of the party; Conflict when no currency is given and the service
// provider is not set up.
func (s *Service) OpenPrepaid(ctx context.Context, n NewPrepaid) (id.ID, error) {
	if (n.Individual == nil) == (n.Organization == nil) {
		return "", fault.Invalidf("givenName", "say who the account is for: givenName and familyName of a person, or tradingName of an organization")
	}
	var i id.ID
	err := s.store.Write(ctx, func(ctx context.Context) error {
		currency := n.Currency
		if currency == "" {
			p, err := s.providers.Current(ctx)
			if err != nil {
				return err
			}
			currency = p.Currency
		}
		who, name, contacts, err := s.newParty(ctx, n)
		if err != nil {
			return err
		}
		c, _, err := s.customers.Customers.Add(ctx, &customer.Customer{Name: name, EngagedParty: &sid.Ref{ID: string(who)}, Contacts: contacts})
		if err != nil {
			return err
		}
		a := Account{
			Name: n.Name, AccountType: Prepaid, Currency: currency, Rest: n.Rest,
			RelatedParty: []sid.Ref{{ID: string(c), Role: roleCustomer}, {ID: string(who), Role: roleOwner}},
		}
		if a.Name == "" {
			a.Name = name
		}
		i, _, err = s.Billing.Add(ctx, &a)
		return err
	})
	return i, err
}

func (s *Service) newParty(ctx context.Context, n NewPrepaid) (id.ID, string, []party.ContactMedium, error) {
	if n.Individual != nil {
		i, _, err := s.parties.Individuals.Add(ctx, n.Individual)
		return i, n.Individual.DisplayName(), n.Individual.Contacts, err
	}
	i, _, err := s.parties.Organizations.Add(ctx, n.Organization)
	return i, n.Organization.DisplayName(), n.Organization.Contacts, err
}

// Party is the id of the individual or organization of demarc's own that the account names; empty when there
// is none.
func (v Account) Party() id.ID {
	if i := v.related(party.IndividualKind); i != "" {
		return i
	}
	return v.related(party.OrganizationKind)
}
