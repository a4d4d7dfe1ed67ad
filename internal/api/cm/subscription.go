package cm

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
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

const linePath = base + "/subscription"

func (a *api) subscriptions() []op.Operation {
	read := may("subscription", auth.Get)
	missing := []fault.Kind{fault.NotFound}
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.subscription.list", Method: http.MethodGet, Path: linePath, Tag: "Subscription", Summary: "List subscriptions",
			Description: "Those of an account, or the one with a mobile number; all of the service provider's when neither is given.",
			Permission:  read, Status: http.StatusOK, Also: pages(), Errors: missing,
		}, a.listLines),
		op.Handle(op.Operation{
			ID: "cm.subscription.get", Method: http.MethodGet, Path: linePath + "/{id}", Tag: "Subscription", Summary: "Read a subscription",
			Description: "By its id, or by its mobile number in any spelling.", Permission: read, Status: http.StatusOK, Errors: missing,
		}, a.getLine),
		op.Handle(op.Operation{
			ID: "cm.subscription.profile", Method: http.MethodGet, Path: linePath + "/profile", Tag: "Subscription", Summary: "Read a subscription's profile",
			Description: "What it is, what it is rated by, how it is billed and where it stands. Name it by subscriptionId or mobileNumber.",
			Permission:  read, Status: http.StatusOK, Errors: missing,
		}, a.profile),
		op.Handle(op.Operation{
			ID: "cm.subscription.pricePlan", Method: http.MethodGet, Path: linePath + "/{id}/pricePlan", Tag: "Subscription", Summary: "Read a subscription's price plan",
			Description: "The plan with its prices and bundles.", Permission: read, Status: http.StatusOK, Errors: missing,
		}, a.pricePlan),
	}
}

// lineKey names one subscription in a query.
type lineKey struct {
	SubscriptionID string `query:"subscriptionId" doc:"Id of the subscription; its mobile number is understood too."`
	MobileNumber   string `query:"mobileNumber" doc:"Mobile number in any spelling, instead of the id."`
}

// resolve finds the line that id or number name; when both do, it is the same one.
func (a *api) resolve(ctx context.Context, subscriptionID, mobileNumber string) (id.ID, subscription.Line, error) {
	name := first(subscriptionID, mobileNumber)
	if name == "" {
		return "", subscription.Line{}, fault.Invalidf("subscriptionId", "say which subscription: subscriptionId or mobileNumber")
	}
	i, v, err := a.line(ctx, name)
	if err != nil || subscriptionID == "" || mobileNumber == "" {
		return i, v, err
	}
	other, _, err := a.line(ctx, mobileNumber)
	if err == nil && other != i {
		err = fault.Invalidf("mobileNumber", "subscriptionId names another subscription")
	}
	return i, v, err
}

func (a *api) line(ctx context.Context, name string) (id.ID, subscription.Line, error) {
	i, v, err := a.Subscriptions.Resolve(ctx, name)
	if f := fault.From(err); err != nil && f.Kind == fault.Invalid {
		return "", v, fault.NotFoundf("there is no subscription %q", limited(name)).Because(err)
	}
	return i, v, err
}

func limited(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

func view(ctx context.Context, baseURL string, i id.ID, v subscription.Line) lineView {
	sc, _ := scope.From(ctx)
	out := lineView{
		ID: i, Href: baseURL + linePath + "/" + string(i), AccountID: v.AccountID, Identifier: i,
		MobileNumber: v.MSISDN, NumberOwnership: v.NumberOwnership, SPID: sc.SPID(), Type: strings.ToUpper(v.SubscriptionType),
		State: v.State.Name(), StateCode: v.State.Code(), Status: v.Status, ICCID: v.ICCID, IMSI: v.IMSI,
		StartDate: v.StartDate, TerminationDate: v.TerminationDate, Kind: "Subscription",
	}
	if v.MSISDN != "" {
		out.Shown = v.MSISDN.E123()
	}
	if v.Offering != nil {
		out.PricePlan = &planRef{ID: v.Offering.ID, Href: baseURL + base + "/productOffering/" + v.Offering.ID, Name: v.Offering.Name}
	}
	if len(v.OrderItems) > 0 {
		out.OrderID = v.OrderItems[0].Order
	}
	return out
}

type linesIn struct {
	Request      *op.Request
	AccountID    string `query:"accountId" doc:"Id or number of the account; accountID is the same."`
	Upper        string `query:"accountID"`
	MobileNumber string `query:"mobileNumber" doc:"Mobile number in any spelling."`
	Offset       int    `query:"offset" minimum:"0" doc:"How many to skip."`
	Limit        int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most to answer with."`
}

type linesOut struct {
	tmf630.Page
	Body []lineView
}

func (a *api) listLines(ctx context.Context, in *linesIn) (*linesOut, error) {
	q := store.Query{Offset: in.Offset, Limit: in.Limit}
	filter := func(attribute, value string) {
		q.Filters = append(q.Filters, store.Filter{Path: []string{attribute}, Op: store.Eq, Values: []string{value}, Type: store.Text})
	}
	if err := said(in.Request, "accountId", "accountID", "mobileNumber"); err != nil {
		return nil, err
	}
	if in.AccountID != "" || in.Upper != "" {
		i, err := a.accountOf(ctx, []named{{"accountId", in.AccountID}, {"accountID", in.Upper}})
		if err != nil {
			return nil, err
		}
		filter("accountId", string(i))
	}
	if in.MobileNumber != "" {
		n, err := a.Subscriptions.Number(ctx, in.MobileNumber)
		if err != nil {
			return nil, fault.From(err).At("mobileNumber")
		}
		filter("msisdn", string(n))
	}
	page, err := a.Subscriptions.Lines.Docs(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &linesOut{Page: tmf630.PageOf(in.Request, linePath, in.Offset, in.Limit, len(page.Items), page.Total), Body: make([]lineView, 0, len(page.Items))}
	for _, d := range page.Items {
		var v subscription.Line
		if err := json.Unmarshal(d.Body, &v); err != nil {
			return nil, fault.Internalf(err, "a stored subscription cannot be read")
		}
		out.Body = append(out.Body, view(ctx, in.Request.BaseURL, d.ID, v))
	}
	return out, nil
}

type lineIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the subscription, or its mobile number."`
}

type lineOut struct{ Body lineView }

func (a *api) getLine(ctx context.Context, in *lineIn) (*lineOut, error) {
	i, v, err := a.resolve(ctx, in.ID, "")
	if err != nil {
		return nil, err
	}
	return &lineOut{Body: view(ctx, in.Request.BaseURL, i, v)}, nil
}

// profileView has the groups that front ends of this API know.
type profileView struct {
	Subscription lineView       `json:"subscription"`
	Profile      profileGroup   `json:"profile"`
	Rating       ratingGroup    `json:"rating"`
	Billing      billingGroup   `json:"billing"`
	Status       lifecycleGroup `json:"status"`
}

type profileGroup struct {
	PaidType string `json:"paidType" enum:"PREPAID,POSTPAID"`
}

type ratingGroup struct {
	PricePlan *planRef     `json:"primaryPricePlan,omitzero"`
	Bundles   []bundleView `json:"bundles"`
}

type bundleView struct {
	ID         id.ID          `json:"bundleID"`
	Name       string         `json:"bundleName"`
	UnitType   string         `json:"unitType"`
	Status     balance.Status `json:"status"`
	Activation *time.Time     `json:"activationTime,omitzero"`
	Expiry     *time.Time     `json:"expiryTime,omitzero"`
}

type billingGroup struct {
	AccountID     id.ID          `json:"accountID"`
	AccountNumber string         `json:"accountNumber"`
	Currency      money.Currency `json:"currency,omitzero"`
}

type lifecycleGroup struct {
	State     string     `json:"state"`
	StateCode int        `json:"stateCode"`
	Start     *time.Time `json:"startDate,omitzero"`
	End       *time.Time `json:"endDate,omitzero"`
}

type profileIn struct {
	Request *op.Request
	lineKey
}

type profileOut struct{ Body profileView }

func (a *api) profile(ctx context.Context, in *profileIn) (*profileOut, error) {
	i, v, err := a.resolve(ctx, in.SubscriptionID, in.MobileNumber)
	if err != nil {
		return nil, err
	}
	acc, _, err := a.Accounts.Billing.Get(ctx, v.AccountID)
	if err != nil {
		return nil, err
	}
	currency, err := a.Accounts.CurrencyOf(ctx, acc)
	if err != nil {
		return nil, err
	}
	statements, err := a.Balances.Statements(ctx, i, 1)
	if err != nil {
		return nil, err
	}
	shown := view(ctx, in.Request.BaseURL, i, v)
	out := profileView{
		Subscription: shown,
		Profile:      profileGroup{PaidType: shown.Type},
		Rating:       ratingGroup{PricePlan: shown.PricePlan, Bundles: []bundleView{}},
		Billing:      billingGroup{AccountID: v.AccountID, AccountNumber: acc.AccountNumber, Currency: currency},
		Status:       lifecycleGroup{State: shown.State, StateCode: shown.StateCode, Start: v.StartDate, End: v.TerminationDate},
	}
	for _, s := range statements {
		if s.Bucket.Monetary() {
			continue
		}
		b := bundleView{ID: s.ID, Name: s.Bucket.Name, UnitType: s.Bucket.Unit, Status: s.Bucket.Status}
		if p := s.Bucket.ValidFor; p != nil {
			b.Activation, b.Expiry = p.Start, p.End
		}
		out.Rating.Bundles = append(out.Rating.Bundles, b)
	}
	return &profileOut{Body: out}, nil
}

type planView struct {
	ID          string               `json:"id"`
	Href        string               `json:"href"`
	Name        string               `json:"name"`
	Description string               `json:"description,omitzero"`
	PaidType    string               `json:"paidType,omitzero"`
	Prices      []subscription.Price `json:"productPrice"`
	Allowances  []catalog.Allowance  `json:"allowance"`
}

type planOut struct{ Body planView }

func (a *api) pricePlan(ctx context.Context, in *lineIn) (*planOut, error) {
	_, v, err := a.resolve(ctx, in.ID, "")
	if err != nil {
		return nil, err
	}
	if v.Offering == nil {
		return nil, fault.NotFoundf("the subscription has no price plan")
	}
	o, _, err := a.Catalog.Offerings.Get(ctx, id.ID(v.Offering.ID))
	if err != nil {
		return nil, err
	}
	out := planView{
		ID: v.Offering.ID, Href: in.Request.BaseURL + base + "/productOffering/" + v.Offering.ID,
		Name: o.Name, Description: o.Description, PaidType: o.PaidType, Prices: v.Prices, Allowances: o.Allowances,
	}
	if out.Prices == nil {
		out.Prices = []subscription.Price{}
	}
	if out.Allowances == nil {
		out.Allowances = []catalog.Allowance{}
	}
	return &planOut{Body: out}, nil
}
