package cm

import (
	"context"
	"net/http"
	"time"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/store"
)

const (
	resourcePath   = desk.Base + "/resource"
	resourceTag    = "Resource"
	typeOfResource = "MSISDN"
)

// numberView is a number that can be had.
type numberView struct {
	ResourceType string          `json:"resourceType" enum:"MSISDN"`
	MSISDN       msisdn.Number   `json:"msisdn" doc:"Digits of E.164."`
	Shown        string          `json:"msisdnFormatted" doc:"The number as people write it (E.123)." example:"+41 79 000 00 00"`
	Status       string          `json:"status" example:"available"`
	Pricing      inventory.Class `json:"pricing" enum:"regular,premium"`
	Price        *money.Amount   `json:"price,omitzero" doc:"What it costs to have, once; nothing when it is left out."`
	Group        string          `json:"msisdnGroup,omitzero"`
}

// reservationView is a number that is held for somebody.
type reservationView struct {
	ID           id.ID                       `json:"reservationId" example:"rsv_06c3v4m8r1e2k7t9w5x0y3z4a6"`
	ResourceType string                      `json:"resourceType" enum:"MSISDN"`
	MSISDN       msisdn.Number               `json:"msisdn"`
	Till         time.Time                   `json:"reservationTill" doc:"When it ends by itself."`
	Pricing      inventory.Class             `json:"pricing" enum:"regular,premium"`
	Price        *money.Amount               `json:"price,omitzero"`
	Status       inventory.ReservationStatus `json:"status" enum:"active,used,cancelled,expired"`
	Customer     id.ID                       `json:"customerId,omitzero"`
}

func (a *api) numbers() []op.Operation {
	read, write := desk.May("resource", auth.Get), desk.May("resource", auth.Post)
	found := "Numbers that can be had now. A pattern is digits with `?` for any one and `*` for any number of them; without either it is what a number contains. " +
		"One that begins or ends with digits is answered at once; any other is looked for among all numbers, and refused where that takes too long."
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.resource.list", Method: http.MethodGet, Path: resourcePath, Tag: resourceTag, Summary: "Find available mobile numbers",
			Description: found, Permission: read, Status: http.StatusOK,
		}, a.findNumbers),
		op.Handle(op.Operation{
			ID: "cm.resource.search", Method: http.MethodGet, Path: resourcePath + "/{pattern}", Tag: resourceTag, Summary: "Find available mobile numbers by a pattern",
			Description: found, Permission: read, Status: http.StatusOK,
		}, a.searchNumbers),
		op.Handle(op.Operation{
			ID: "cm.resource.reserve", Method: http.MethodPost, Path: resourcePath + "/reserve", Tag: resourceTag, Summary: "Reserve a mobile number",
			Description: "Holds a number for a while: the one that is named, or any regular one. An order of the customer or account that it is for can ask for the number, " +
				"as can one that names the reservation.",
			Permission: write, Writes: true, Status: http.StatusCreated, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{"resourceType": typeOfResource, "msisdn": "41790000000"}},
		}, a.reserve),
		op.Handle(op.Operation{
			ID: "cm.resource.extend", Method: http.MethodPost, Path: resourcePath + "/extend", Tag: resourceTag, Summary: "Extend a reservation",
			Description: "Has it last for the service provider's reservation time from now; ten times at most.",
			Permission:  write, Writes: true, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{"reservationId": "rsv_06c3v4m8r1e2k7t9w5x0y3z4a6"}},
		}, a.extendReservation),
		op.Handle(op.Operation{
			ID: "cm.resource.cancel", Method: http.MethodPost, Path: resourcePath + "/cancel", Tag: resourceTag, Summary: "Cancel a reservation",
			Description: "Gives the number back. One that has ended already stays as it is.",
			Permission:  write, Writes: true, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{"reservationId": "rsv_06c3v4m8r1e2k7t9w5x0y3z4a6"}},
		}, a.cancelReservation),
		op.Handle(op.Operation{
			ID: "cm.resource.reservation", Method: http.MethodGet, Path: resourcePath + "/reservation/{id}", Tag: resourceTag, Summary: "Read a reservation",
			Description: "By its id.", Permission: read, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound},
		}, a.getReservation),
		op.Handle(op.Operation{
			ID: "cm.msisdnGroup.list", Method: http.MethodGet, Path: desk.Base + "/msisdnGroup", Tag: resourceTag, Summary: "List groups of numbers",
			Description: "What kinds of numbers are offered, and what they cost.", Permission: read, Status: http.StatusOK,
		}, a.listGroups),
		op.Handle(op.Operation{
			ID: "cm.refresh.provisioning", Method: http.MethodPost, Path: desk.Base + "/refresh/provisioning", Tag: "Subscription", Summary: "Send a subscription to the network again",
			Description: "Asks the network for what the state of the subscription wants, whatever it was asked before.",
			Permission:  desk.May("subscription", auth.Patch), Writes: true, Status: http.StatusAccepted, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{"mobileNumber": "41790000000"}},
		}, a.refreshProvisioning),
	}
}

type numberFilters struct {
	ResourceType string          `query:"resourceType" enum:"MSISDN"`
	Class        inventory.Class `query:"pricing" enum:"regular,premium"`
	Group        string          `query:"msisdnGroup" maxLength:"64"`
	Limit        int             `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most to answer with."`
}

type findIn struct {
	Request *op.Request
	numberFilters
	Pattern string `query:"pattern" maxLength:"33" doc:"Digits, ? and *." example:"4179*"`
}

type searchIn struct {
	Request *op.Request
	numberFilters
	Pattern string `path:"pattern" maxLength:"33" doc:"Digits, ? and *." example:"4179*"`
}

type numbersOut struct{ Body []numberView }

func (a *api) findNumbers(ctx context.Context, in *findIn) (*numbersOut, error) {
	if err := desk.Said(in.Request, "pattern", "resourceType", "pricing", "msisdnGroup"); err != nil {
		return nil, err
	}
	return a.found(ctx, in.Pattern, in.numberFilters)
}

func (a *api) searchNumbers(ctx context.Context, in *searchIn) (*numbersOut, error) {
	if err := desk.Said(in.Request, "resourceType", "pricing", "msisdnGroup"); err != nil {
		return nil, err
	}
	return a.found(ctx, in.Pattern, in.numberFilters)
}

func (a *api) found(ctx context.Context, pattern string, f numberFilters) (*numbersOut, error) {
	all, err := a.Inventory.Find(ctx, inventory.Search{Pattern: pattern, Class: f.Class, Group: f.Group, Limit: f.Limit})
	if err != nil {
		return nil, err
	}
	out := &numbersOut{Body: []numberView{}}
	for _, v := range all {
		out.Body = append(out.Body, numberView{
			ResourceType: typeOfResource, MSISDN: v.Value, Shown: v.Value.E123(), Status: string(v.Status), Pricing: v.Class, Price: v.Price, Group: v.Group,
		})
	}
	return out, nil
}

type reserveIn struct {
	Body struct {
		ResourceType string `json:"resourceType,omitzero" enum:"MSISDN"`
		MSISDN       string `json:"msisdn,omitzero" maxLength:"32" doc:"The number, in any spelling; any regular one when it is left out."`
		CustomerID   id.ID  `json:"customerId,omitzero" maxLength:"64" doc:"The customer that it is for."`
		AccountID    string `json:"accountId,omitzero" maxLength:"64" doc:"Or the account, by its id or number."`
	}
}

type reservationOut struct{ Body reservationView }

func showReservation(i id.ID, r inventory.Reservation) *reservationOut {
	return &reservationOut{Body: reservationView{
		ID: i, ResourceType: r.ResourceType, MSISDN: r.MSISDN, Till: r.Till, Pricing: r.Class, Price: r.Price, Status: r.Status, Customer: r.Customer,
	}}
}

func (a *api) reserve(ctx context.Context, in *reserveIn) (*reservationOut, error) {
	var number msisdn.Number
	var err error
	if in.Body.MSISDN != "" {
		if number, err = a.Subscriptions.Number(ctx, in.Body.MSISDN); err != nil {
			return nil, err
		}
	}
	whom := in.Body.CustomerID
	switch {
	case whom != "" && in.Body.AccountID != "":
		return nil, fault.Invalidf("accountId", "a reservation is for a customer or for an account, not for both")
	case whom != "":
		if _, _, err = a.Customers.Customers.Get(ctx, whom); err != nil {
			return nil, err
		}
	case in.Body.AccountID != "":
		if whom, err = a.accountOf(ctx, []named{{"accountId", in.Body.AccountID}}); err != nil {
			return nil, err
		}
	}
	i, r, err := a.Inventory.Reserve(ctx, number, whom)
	if err != nil {
		return nil, err
	}
	return showReservation(i, r), nil
}

type reservationIn struct {
	Body struct {
		ID id.ID `json:"reservationId" minLength:"1" maxLength:"64"`
	}
}

func (a *api) extendReservation(ctx context.Context, in *reservationIn) (*reservationOut, error) {
	r, err := a.Inventory.Extend(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	return showReservation(in.Body.ID, r), nil
}

func (a *api) cancelReservation(ctx context.Context, in *reservationIn) (*reservationOut, error) {
	r, err := a.Inventory.Cancel(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	return showReservation(in.Body.ID, r), nil
}

type reservationByID struct {
	ID id.ID `path:"id"`
}

func (a *api) getReservation(ctx context.Context, in *reservationByID) (*reservationOut, error) {
	r, _, err := a.Inventory.Reservations.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return showReservation(in.ID, r), nil
}

type groupView struct {
	ID          id.ID           `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitzero"`
	Pricing     inventory.Class `json:"pricing" enum:"regular,premium"`
	Price       *money.Amount   `json:"price,omitzero"`
}

type groupsOut struct{ Body []groupView }

// mostGroups is more than any service provider has.
const mostGroups = 1000

func (a *api) listGroups(ctx context.Context, _ *struct{}) (*groupsOut, error) {
	page, err := a.Inventory.Groups.Docs(ctx, store.Query{Limit: mostGroups, NoTotal: true})
	if err != nil {
		return nil, err
	}
	all, err := desk.Viewed(page, func(i id.ID, g inventory.Group) groupView {
		return groupView{ID: i, Name: g.Name, Description: g.Description, Pricing: g.Class, Price: g.Price}
	})
	return &groupsOut{Body: all}, err
}

type refreshIn struct {
	Body struct {
		SubscriptionID string `json:"subscriptionId,omitzero" maxLength:"64"`
		MobileNumber   string `json:"mobileNumber,omitzero" maxLength:"32"`
	}
}

type refreshOut struct {
	Body struct {
		Request        id.ID         `json:"requestId" doc:"The request to the network."`
		SubscriptionID id.ID         `json:"subscriptionId"`
		State          network.State `json:"state" example:"requested"`
	}
}

func (a *api) refreshProvisioning(ctx context.Context, in *refreshIn) (*refreshOut, error) {
	line, _, err := a.Resolve(ctx, in.Body.SubscriptionID, in.Body.MobileNumber)
	if err != nil {
		return nil, err
	}
	out := &refreshOut{}
	out.Body.SubscriptionID, out.Body.State = line, network.StateRequested
	out.Body.Request, err = a.Refresh(ctx, line)
	return out, err
}
