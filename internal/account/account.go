// Package account keeps the accounts of customers and what goes with them (TMF666 Account).
package account

import (
	"context"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// The id kinds of this package.
var (
	BillingKind      = id.Kind{Name: "billingAccount", Prefix: "bac"}
	PartyKind        = id.Kind{Name: "partyAccount", Prefix: "pac"}
	FinancialKind    = id.Kind{Name: "financialAccount", Prefix: "fac"}
	SettlementKind   = id.Kind{Name: "settlementAccount", Prefix: "sac"}
	BillFormatKind   = id.Kind{Name: "billFormat", Prefix: "bfm"}
	BillingCycleKind = id.Kind{Name: "billingCycleSpecification", Prefix: "bcy"}
	PresentationKind = id.Kind{Name: "billPresentationMedia", Prefix: "bpm"}
)

// CodeState is a state that may not follow the present one.
const CodeState fault.Code = "stateNotAllowed"

// CodeCustomerClosed is an account for a customer whose relation has ended.
const CodeCustomerClosed fault.Code = "customerClosed"

// Paid types, as they stand in accountType and in a subscription's subscriptionType.
const (
	Prepaid  = "prepaid"
	Postpaid = "postpaid"
)

// Account is any of TMF666's four accounts.
type Account struct {
	Type string `json:"@type,omitzero"`
	Name string `json:"name,omitzero"`
	// AccountNumber is what people call a billing account by: 8 digits, unique at the service provider.
	AccountNumber string `json:"accountNumber,omitzero"`
	// AccountType is free text in the standard; a billing account is postpaid when it says so, and prepaid
	// otherwise.
	AccountType  string         `json:"accountType,omitzero"`
	State        State          `json:"state,omitzero"`
	Currency     money.Currency `json:"currency,omitzero"`
	LastModified time.Time      `json:"lastModified,omitzero"`
	RelatedParty []sid.Ref      `json:"relatedParty,omitzero"`
	Rest         sid.Rest       `json:",embed"`
}

// PaidType is Prepaid or Postpaid.
func (v Account) PaidType() string {
	if strings.EqualFold(v.AccountType, Postpaid) {
		return Postpaid
	}
	return Prepaid
}

// Customer is the id of the customer of demarc's own that the account belongs to; empty when there is none.
func (v Account) Customer() id.ID { return v.related(customer.Kind) }

func (v Account) related(k id.Kind) id.ID {
	for _, r := range v.RelatedParty {
		if id.ID(r.ID).Is(k) {
			return id.ID(r.ID)
		}
	}
	return ""
}

// home is the customer's, else the party's.
func (v *Account) home() (id.Home, bool) {
	for _, k := range [...]id.Kind{customer.Kind, party.IndividualKind, party.OrganizationKind} {
		if h, ok := v.related(k).Home(); ok {
			return h, true
		}
	}
	return 0, false
}

// Named is a bill format, a billing cycle specification or a bill presentation medium: things that rules
// know by their name only.
type Named struct {
	Type string   `json:"@type,omitzero"`
	Name string   `json:"name,omitzero"`
	Rest sid.Rest `json:",embed"`
}

// Service is all accounts.
type Service struct {
	// Billing accounts are charged and hold subscriptions (BillingAccount).
	Billing *resource.Set[Account]
	// Party accounts are those of parties that are not billed (PartyAccount).
	Party *resource.Set[Account]
	// Financial accounts mirror an accounting system's (FinancialAccount).
	Financial *resource.Set[Account]
	// Settlement accounts are those of partners (SettlementAccount).
	Settlement *resource.Set[Account]

	BillFormats       *resource.Set[Named]
	BillingCycles     *resource.Set[Named]
	PresentationMedia *resource.Set[Named]

	store     *store.Store
	customers *customer.Service
	parties   *party.Service
	providers *provider.Service
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, customers *customer.Service, parties *party.Service, providers *provider.Service) *Service {
	a := &Service{store: s, customers: customers, parties: parties, providers: providers}
	billing := map[string]string{"name": "name", "state": "state", "accountNumber": "account_number"}
	plain := map[string]string{"name": "name", "state": "state"}
	named := map[string]string{"name": "name"}
	a.Billing = resource.New(s, store.Definition{Kind: BillingKind, Table: "billing_account", Indexed: billing}, a.billingRules())
	a.Party = resource.New(s, store.Definition{Kind: PartyKind, Table: "party_account", Indexed: plain}, a.rules("PartyAccount", true))
	a.Financial = resource.New(s, store.Definition{Kind: FinancialKind, Table: "financial_account", Indexed: plain}, a.rules("FinancialAccount", false))
	a.Settlement = resource.New(s, store.Definition{Kind: SettlementKind, Table: "settlement_account", Indexed: plain}, a.rules("SettlementAccount", true))
	a.BillFormats = resource.New(s, store.Definition{Kind: BillFormatKind, Table: "bill_format", Indexed: named}, namedRules("BillFormat"))
	a.BillingCycles = resource.New(s, store.Definition{Kind: BillingCycleKind, Table: "billing_cycle_specification", Indexed: named}, namedRules("BillingCycleSpecification"))
	a.PresentationMedia = resource.New(s, store.Definition{Kind: PresentationKind, Table: "bill_presentation_media", Indexed: named}, namedRules("BillPresentationMedia"))
	return a
}

// ByNumber is the id of the billing account with this number; a NotFound fault when there is none.
func (s *Service) ByNumber(ctx context.Context, number string) (id.ID, error) {
	i, err := s.store.Claimant(ctx, numberClaim, number)
	if err == nil && i == "" {
		err = fault.NotFoundf("there is no account with the number %s", number)
	}
	return i, err
}

// CurrencyOf is the currency of an account: its own, else the service provider's.
func (s *Service) CurrencyOf(ctx context.Context, v Account) (money.Currency, error) {
	if v.Currency != "" {
		return v.Currency, nil
	}
	p, err := s.providers.Current(ctx)
	return p.Currency, err
}
