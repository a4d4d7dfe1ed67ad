package cm

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// lineView is a subscription in the words of this API.
type lineView struct {
	ID           id.ID         `json:"id"`
	Href         string        `json:"href"`
	AccountID    id.ID         `json:"accountID"`
	Identifier   id.ID         `json:"identifier" doc:"The id again, under the name that references to subscriptions have."`
	MobileNumber msisdn.Number `json:"mobileNumber,omitzero" doc:"Digits of E.164."`
	// Shown is the number for people.
	Shown           string     `json:"mobileNumberFormatted,omitzero" doc:"The number as people write it (E.123)." example:"+41 79 000 00 00"`
	NumberOwnership string     `json:"mobileNumberOwnership,omitzero"`
	SPID            int        `json:"spid"`
	Type            string     `json:"subscriptionType" enum:"PREPAID,POSTPAID"`
	State           string     `json:"state" doc:"State as operators' systems write it." example:"ACTIVE"`
	StateCode       int        `json:"stateCode" doc:"Number of the state, 0 to 13." example:"1"`
	Status          string     `json:"status" doc:"State as TMF637 writes it." example:"active"`
	ICCID           string     `json:"iccid,omitzero"`
	IMSI            string     `json:"imsi,omitzero"`
	PricePlan       *planRef   `json:"productOffering,omitzero" doc:"The price plan."`
	StartDate       *time.Time `json:"startDate,omitzero"`
	TerminationDate *time.Time `json:"terminationDate,omitzero"`
	OrderID         id.ID      `json:"productOrderId,omitzero" doc:"The order that made it."`
	Kind            string     `json:"@type"`
}

type planRef struct {
	ID   string `json:"id"`
	Href string `json:"href"`
	Name string `json:"name,omitzero"`
}

func (a *api) subscriptions() []op.Operation {
	read := desk.May("subscription", auth.Get)
	missing := []fault.Kind{fault.NotFound}
	return append([]op.Operation{
		op.Handle(op.Operation{
			ID: "cm.subscription.list", Method: http.MethodGet, Path: desk.LinePath, Tag: "Subscription", Summary: "List subscriptions",
			Description: "Those of an account or a customer, in a state, of a type, or the one with a mobile number or SIM; all of the service provider's " +
				"when nothing is given.",
			Permission: read, Status: http.StatusOK, Also: desk.Pages(), Errors: missing,
		}, a.listLines),
		op.Handle(op.Operation{
			ID: "cm.subscription.get", Method: http.MethodGet, Path: desk.LinePath + "/{id}", Tag: "Subscription", Summary: "Read a subscription",
			Description: "By its id, or by its mobile number in any spelling.", Permission: read, Status: http.StatusOK, Errors: missing,
		}, a.getLine),
		op.Handle(op.Operation{
			ID: "cm.subscription.profile", Method: http.MethodGet, Path: desk.LinePath + "/profile", Tag: "Subscription", Summary: "Read a subscription's profile",
			Description: "What it is, what it is rated by, how it is billed and where it stands. Name it by subscriptionId or mobileNumber.",
			Permission:  read, Status: http.StatusOK, Errors: missing,
		}, a.profile),
		op.Handle(op.Operation{
			ID: "cm.subscription.pricePlan", Method: http.MethodGet, Path: desk.LinePath + "/{id}/pricePlan", Tag: "Subscription", Summary: "Read a subscription's price plan",
			Description: "The plan with its prices, bundles and tariff, when it renews, the add-ons held beside it, and the plans it was on before. " +
				"By the subscription's id, or its mobile number.", Permission: read, Status: http.StatusOK, Errors: missing,
		}, a.pricePlan),
	}, a.lineViews()...)
}

func view(ctx context.Context, baseURL string, i id.ID, v subscription.Line) lineView {
	sc, _ := scope.From(ctx)
	out := lineView{
		ID: i, Href: baseURL + desk.LinePath + "/" + string(i), AccountID: v.AccountID, Identifier: i,
		MobileNumber: v.MSISDN, NumberOwnership: v.NumberOwnership, SPID: sc.SPID(), Type: strings.ToUpper(v.SubscriptionType),
		State: v.State.Name(), StateCode: v.State.Code(), Status: v.Status, ICCID: v.ICCID, IMSI: v.IMSI,
		StartDate: v.StartDate, TerminationDate: v.TerminationDate, Kind: "Subscription",
	}
	if v.MSISDN != "" {
		out.Shown = v.MSISDN.E123()
	}
	if plan := v.Plan(); plan != nil {
		out.PricePlan = &planRef{ID: plan.ID, Href: baseURL + desk.Base + "/productOffering/" + plan.ID, Name: plan.Name}
	}
	if len(v.OrderItems) > 0 {
		out.OrderID = v.OrderItems[0].Order
	}
	return out
}

type linesIn struct {
	desk.PageIn
	AccountID    string `query:"accountId" doc:"Id or number of the account; accountID is the same."`
	Upper        string `query:"accountID"`
	MobileNumber string `query:"mobileNumber" doc:"Mobile number in any spelling."`
	CustomerID   string `query:"customerId" doc:"Id of the customer whose accounts hold them."`
	State        string `query:"state" doc:"State by its name or number: ACTIVE, 1." example:"ACTIVE"`
	ICCID        string `query:"iccid" doc:"ICCID of the SIM."`
	Type         string `query:"subscriptionType" enum:"PREPAID,POSTPAID,prepaid,postpaid" doc:"Type of the subscriptions."`
}

type linesOut struct {
	tmf630.Page
	Body []lineView
}

func (a *api) listLines(ctx context.Context, in *linesIn) (*linesOut, error) {
	if err := desk.Said(in.Request, "accountId", "accountID", "mobileNumber", "customerId", "state", "iccid", "subscriptionType"); err != nil {
		return nil, err
	}
	filters, err := a.lineFilters(ctx, in)
	if err != nil {
		return nil, err
	}
	q := store.Query{Offset: in.Offset, Limit: in.Limit, Filters: filters}
	page, err := a.Subscriptions.Lines.Docs(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &linesOut{Page: in.Of(desk.LinePath, len(page.Items), page.Total)}
	out.Body, err = desk.Viewed(page, func(i id.ID, v subscription.Line) lineView { return view(ctx, in.Request.BaseURL, i, v) })
	return out, err
}

type lineIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the subscription, or its mobile number."`
}

type lineOut struct{ Body lineView }

func (a *api) getLine(ctx context.Context, in *lineIn) (*lineOut, error) {
	i, v, err := a.Resolve(ctx, in.ID, "")
	if err != nil {
		return nil, err
	}
	return &lineOut{Body: view(ctx, in.Request.BaseURL, i, v)}, nil
}
