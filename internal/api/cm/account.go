package cm

import (
	"context"
	"net/http"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/party"
)

// quickAccount is a prepaid account to open together with its party and customer.
type quickAccount struct {
	GivenName   string         `json:"givenName,omitzero" doc:"Given name of the person."`
	FamilyName  string         `json:"familyName,omitzero" doc:"Family name of the person."`
	BirthDate   string         `json:"birthDate,omitzero" doc:"Birth date of the person: 1990-12-31."`
	TradingName string         `json:"tradingName,omitzero" doc:"Name of an organization, instead of a person's."`
	Email       string         `json:"email,omitzero" doc:"Where the party reads electronic mail." maxLength:"254"`
	PhoneNumber string         `json:"phoneNumber,omitzero" doc:"Another number that the party can be reached by." maxLength:"32"`
	Address     *postalAddress `json:"address,omitzero" doc:"Where the party lives."`
	AccountName string         `json:"name,omitzero" doc:"Name of the account; the party's name by default."`
	AccountType string         `json:"accountType,omitzero" enum:"prepaid" doc:"Always prepaid."`
	Currency    money.Currency `json:"currency,omitzero" doc:"Currency of the account; the service provider's by default."`
}

type postalAddress struct {
	Street1         string `json:"street1,omitzero"`
	Street2         string `json:"street2,omitzero"`
	City            string `json:"city,omitzero"`
	StateOrProvince string `json:"stateOrProvince,omitzero"`
	PostCode        string `json:"postCode,omitzero"`
	Country         string `json:"country,omitzero" doc:"ISO 3166 code or name."`
}

// openedAccount is a prepaid account with its customer and party.
type openedAccount struct {
	ID            id.ID          `json:"id" doc:"The account's id: orders name it."`
	Href          string         `json:"href"`
	AccountNumber string         `json:"accountNumber" doc:"8 digits, unique at the service provider."`
	Name          string         `json:"name"`
	AccountType   string         `json:"accountType"`
	State         account.State  `json:"state"`
	Currency      money.Currency `json:"currency,omitzero"`
	LastModified  time.Time      `json:"lastModified"`
	Customer      *partRef       `json:"customer,omitzero" doc:"The customer that the account belongs to."`
	Individual    *partRef       `json:"individual,omitzero" doc:"The person that the customer is."`
	Organization  *partRef       `json:"organization,omitzero" doc:"The organization that the customer is."`
	Type          string         `json:"@type"`
}

type partRef struct {
	ID   id.ID  `json:"id"`
	Href string `json:"href"`
	Name string `json:"name,omitzero"`
}

const quickPath = desk.Base + "/quickPrepaidBillingAccount"

func (a *api) accounts() []op.Operation {
	example := openedAccount{
		ID: "bac_06c3v4m8r1e2k7t9w5x0y3z4a6", Href: "http://127.0.0.1:8080/api/billingAccount/bac_06c3v4m8r1e2k7t9w5x0y3z4a6",
		AccountNumber: "48120937", Name: "Jane Doe", AccountType: account.Prepaid, State: account.Active, Currency: "CHF",
		LastModified: time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC), Type: "BillingAccount",
		Customer:   &partRef{ID: "cus_06c3v4m8r1e2k7t9w5x0y3z4a6", Href: "http://127.0.0.1:8080/api/customer/cus_06c3v4m8r1e2k7t9w5x0y3z4a6", Name: "Jane Doe"},
		Individual: &partRef{ID: "ind_06c3v4m8r1e2k7t9w5x0y3z4a6", Href: "http://127.0.0.1:8080/api/individual/ind_06c3v4m8r1e2k7t9w5x0y3z4a6", Name: "Jane Doe"},
	}
	request := map[string]any{
		"givenName": "Jane", "familyName": "Doe", "birthDate": "1990-12-31", "email": "jane@example.com",
		"address": map[string]any{"street1": "Main Street 1", "city": "Zurich", "postCode": "8001", "country": "CH"},
	}
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.quickPrepaidBillingAccount.create", Method: http.MethodPost, Path: quickPath, Tag: "BillingAccount",
			Summary: "Open a prepaid account for somebody new",
			Description: "Makes a party, its customer and its prepaid billing account at once, all or none. The id of the answer is the " +
				"account's: order a subscription for it with `POST /api/productOrder`. With an Idempotency-Key the request can be sent again without opening a second one.",
			Permission: []auth.Permission{{Entity: "billingAccount", Verb: auth.Post}, {Entity: "customer", Verb: auth.Post}, {Entity: "individual", Verb: auth.Post}},
			Writes:     true, Status: http.StatusCreated, Errors: []fault.Kind{fault.Conflict},
			Request: &op.Body{Example: request}, Response: &op.Body{Example: example},
		}, a.openQuick),
		op.Handle(op.Operation{
			ID: "cm.quickPrepaidBillingAccount.get", Method: http.MethodGet, Path: quickPath + "/{id}", Tag: "BillingAccount",
			Summary: "Read a prepaid account with its customer and party", Description: "The account may be named by its id or its number.",
			Permission: desk.May("billingAccount", auth.Get), Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound},
			Response: &op.Body{Example: example},
		}, a.getQuick),
	}
}

type quickIn struct {
	Request *op.Request
	Body    quickAccount
}

type quickOut struct {
	Location string `header:"Location"`
	Body     openedAccount
}

func (a *api) openQuick(ctx context.Context, in *quickIn) (*quickOut, error) {
	i, err := a.Accounts.OpenPrepaid(ctx, in.Body.input())
	if err != nil {
		return nil, err
	}
	out, err := a.opened(ctx, in.Request.BaseURL, i)
	if err != nil {
		return nil, err
	}
	return &quickOut{Location: in.Request.BaseURL + quickPath + "/" + string(i), Body: *out}, nil
}

func (b quickAccount) input() account.NewPrepaid {
	n := account.NewPrepaid{Name: b.AccountName, Currency: b.Currency}
	if b.TradingName != "" {
		n.Organization = &party.Organization{TradingName: b.TradingName, Contacts: b.contacts()}
	}
	if b.GivenName != "" || b.FamilyName != "" || b.TradingName == "" {
		n.Individual = &party.Individual{GivenName: b.GivenName, FamilyName: b.FamilyName, BirthDate: b.BirthDate, Contacts: b.contacts()}
	}
	return n
}

func (b quickAccount) contacts() (out []party.ContactMedium) {
	if b.Email != "" {
		out = append(out, party.ContactMedium{MediumType: "email", Preferred: true, Characteristic: &party.MediumCharacteristic{EmailAddress: b.Email}})
	}
	if b.PhoneNumber != "" {
		out = append(out, party.ContactMedium{MediumType: "phone", Characteristic: &party.MediumCharacteristic{PhoneNumber: b.PhoneNumber}})
	}
	if p := b.Address; p != nil {
		out = append(out, party.ContactMedium{MediumType: "postalAddress", Characteristic: &party.MediumCharacteristic{
			Street1: p.Street1, Street2: p.Street2, City: p.City, StateOrProvince: p.StateOrProvince, PostCode: p.PostCode, Country: p.Country,
		}})
	}
	return out
}

type accountIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id or number of the account."`
}

type accountOut struct{ Body openedAccount }

func (a *api) getQuick(ctx context.Context, in *accountIn) (*accountOut, error) {
	i, err := a.AccountID(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out, err := a.opened(ctx, in.Request.BaseURL, i)
	if err != nil {
		return nil, err
	}
	return &accountOut{Body: *out}, nil
}

func (a *api) opened(ctx context.Context, baseURL string, i id.ID) (*openedAccount, error) {
	v, _, err := a.Accounts.Billing.Get(ctx, i)
	if err != nil {
		return nil, err
	}
	ref := func(i id.ID, path string) *partRef {
		r := &partRef{ID: i, Href: baseURL + desk.Base + path + string(i)}
		for _, p := range v.RelatedParty {
			if p.ID == string(i) {
				r.Name = p.Name
			}
		}
		return r
	}
	out := &openedAccount{
		ID: i, Href: baseURL + desk.Base + "/billingAccount/" + string(i), AccountNumber: v.AccountNumber, Name: v.Name,
		AccountType: v.PaidType(), State: v.State, Currency: v.Currency, LastModified: v.LastModified, Type: v.Type,
	}
	if c := v.Customer(); c != "" {
		out.Customer = ref(c, "/customer/")
	}
	switch p := v.Party(); {
	case p.Is(party.IndividualKind):
		out.Individual = ref(p, "/individual/")
	case p.Is(party.OrganizationKind):
		out.Organization = ref(p, "/organization/")
	}
	return out, nil
}
