package cm

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// lineViews are the operations on subscriptions beyond finding them and their plan.
func (a *api) lineViews() []op.Operation {
	read, change := desk.May("subscription", auth.Get), desk.May("subscription", auth.Patch)
	missing := []fault.Kind{fault.NotFound}
	refused := []fault.Kind{fault.NotFound, fault.Conflict, fault.Forbidden}
	franc := map[string]any{"unit": "CHF", "value": 50}
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.subscription.types", Method: http.MethodGet, Path: desk.LinePath + "/type", Tag: "Subscription", Summary: "List the types of subscriptions",
			Description: "Those that the service provider supports: the paid types for which it has price plans on sale.", Permission: read, Status: http.StatusOK,
		}, a.lineTypes),
		op.Handle(op.Operation{
			ID: "cm.subscription.services", Method: http.MethodGet, Path: desk.LinePath + "/{id}/service", Tag: "Subscription", Summary: "List what a subscription holds",
			Description: "The add-ons and value-added services beside its price plan, those that ended included. By its id, or its mobile number.",
			Permission:  read, Status: http.StatusOK, Errors: missing,
		}, a.services),
		op.Handle(op.Operation{
			ID: "cm.subscription.stateHistory", Method: http.MethodGet, Path: desk.LinePath + "/{id}/stateHistory", Tag: "Subscription", Summary: "Read what became of a subscription",
			Description: "Its states, plans, numbers, SIMs, products and limits: when each changed, from what to what, by whom, and why, the newest first.",
			Permission:  read, Status: http.StatusOK, Also: desk.Pages(), Errors: missing,
		}, a.stateHistory),
		op.Handle(op.Operation{
			ID: "cm.subscription.supplementaryData", Method: http.MethodGet, Path: desk.LinePath + "/supplementaryData", Tag: "Subscription", Summary: "Read a subscription's supplementary data",
			Description: "The characteristics it was ordered with, and what was added to it beyond demarc's own attributes. Name it by subscriptionId or mobileNumber.",
			Permission:  read, Status: http.StatusOK, Errors: missing,
		}, a.supplementaryData),
		op.Handle(op.Operation{
			ID: "cm.subscription.creditLimit", Method: http.MethodPatch, Path: desk.LinePath + "/{id}/creditLimit", Tag: "Subscription", Summary: "Change a subscription's credit limit",
			Description: "How far below zero its money may go; null: not at all. For those whose user attribute allowCsrToManageCreditLimit is true.",
			Permission:  change, Writes: true, Status: http.StatusOK, Errors: refused, Request: &op.Body{Example: map[string]any{"creditLimit": franc}},
		}, a.creditLimit),
		op.Handle(op.Operation{
			ID: "cm.subscription.monthlySpendLimit", Method: http.MethodPatch, Path: desk.LinePath + "/{id}/monthlySpendLimit", Tag: "Subscription", Summary: "Change a subscription's monthly spend limit",
			Description: "The most that usage may cost in a calendar month of the service provider's time zone; null: no bound. For those whose user attribute " +
				"allowCsrToManageMonthlySpendLimit is true.",
			Permission: change, Writes: true, Status: http.StatusOK, Errors: refused, Request: &op.Body{Example: map[string]any{"monthlySpendLimit": franc}},
		}, a.spendLimit),
	}
}

// lineFilters are the conditions of a list of subscriptions. What is no subscription but a recorded product has no
// state.
func (a *api) lineFilters(ctx context.Context, in *linesIn) (out []store.Filter, err error) {
	filter := func(attribute string, values ...string) {
		out = append(out, store.Filter{Path: []string{attribute}, Op: store.Eq, Values: values, Type: store.Text})
	}
	if in.AccountID != "" || in.Upper != "" {
		i, err := a.accountOf(ctx, []named{{"accountId", in.AccountID}, {"accountID", in.Upper}})
		if err != nil {
			return nil, err
		}
		filter("accountId", string(i))
	}
	if in.CustomerID != "" {
		accounts, err := a.accountsOf(ctx, in.CustomerID)
		if err != nil {
			return nil, err
		}
		filter("accountId", accounts...)
	}
	if in.MobileNumber != "" {
		n, err := a.Subscriptions.Number(ctx, in.MobileNumber)
		if err != nil {
			return nil, fault.From(err).At("mobileNumber")
		}
		filter("msisdn", string(n))
	}
	if in.ICCID != "" {
		filter("iccid", strings.ReplaceAll(in.ICCID, " ", ""))
	}
	if in.Type != "" {
		filter("subscriptionType", strings.ToLower(in.Type))
	}
	states, err := statesOf(in.State)
	if err == nil && (in.State != "" || len(out) == 0) {
		filter("state", states...)
	}
	return out, err
}

// statesOf are the states that a name or number of operators' systems stands for; all for none.
func statesOf(text string) (out []string, err error) {
	for _, s := range subscription.States() {
		if text == "" || strings.EqualFold(text, s.Name()) || text == strconv.Itoa(s.Code()) || text == string(s) {
			out = append(out, string(s))
		}
	}
	if len(out) == 0 {
		return nil, fault.Invalidf("state", "%q is not a state of a subscription, such as ACTIVE or 1", desk.Limited(text))
	}
	return out, nil
}

// mostAccounts bounds the accounts of a customer whose subscriptions are listed together.
const mostAccounts = 200

// accountsOf are the ids of the accounts of a customer.
func (a *api) accountsOf(ctx context.Context, text string) ([]string, error) {
	i := id.ID(text)
	if !i.Is(customer.Kind) {
		return nil, fault.NotFoundf("there is no customer %q", desk.Limited(text)).At("customerId")
	}
	if _, _, err := a.Customers.Customers.Get(ctx, i); err != nil {
		return nil, fault.From(err).At("customerId")
	}
	page, err := a.Accounts.Billing.Docs(ctx, store.Query{Limit: mostAccounts, NoTotal: true, Filters: []store.Filter{{
		Path: []string{"relatedParty", "id"}, Op: store.Eq, Values: []string{text}, Type: store.Text,
	}}})
	if err != nil {
		return nil, err
	}
	out := []string{"none"} // a customer without accounts has no subscriptions
	for _, d := range page.Items {
		out = append(out, string(d.ID))
	}
	return out, nil
}

type typeView struct {
	Type        string `json:"subscriptionType" enum:"PREPAID,POSTPAID"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Plans       int    `json:"pricePlanCount" doc:"How many price plans of the type are on sale."`
	Kind        string `json:"@type"`
}

type typesOut struct{ Body []typeView }

func (a *api) lineTypes(ctx context.Context, _ *struct{}) (*typesOut, error) {
	page, err := a.Catalog.Offerings.Docs(ctx, store.Query{NoTotal: true, Filters: []store.Filter{{
		Path: []string{"offeringType"}, Op: store.Eq, Values: []string{catalog.PricePlan}, Type: store.Text,
	}}})
	if err != nil {
		return nil, err
	}
	out := &typesOut{Body: []typeView{}}
	prepaid := typeView{Type: "PREPAID", Name: "Prepaid", Description: "Spends what was paid in before.", Kind: "SubscriptionType"}
	now := a.Store.Now(ctx)
	for _, d := range page.Items {
		o, _, err := a.Catalog.Offerings.Get(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		if (o.PaidType == "" || o.PaidType == account.Prepaid) && o.Sellable(now) == nil {
			prepaid.Plans++
		}
	}
	if prepaid.Plans > 0 {
		out.Body = append(out.Body, prepaid)
	}
	return out, nil
}

type servicesOut struct{ Body []heldView }

func (a *api) services(ctx context.Context, in *lineIn) (*servicesOut, error) {
	_, v, err := a.Resolve(ctx, in.ID, "")
	if err != nil {
		return nil, err
	}
	return &servicesOut{Body: heldViews(in.Request.BaseURL, v)}, nil
}

type changeView struct {
	Date      time.Time `json:"date"`
	What      string    `json:"attribute" enum:"state,pricePlan,mobileNumber,sim,product,creditLimit,monthlySpendLimit"`
	From      string    `json:"from,omitzero"`
	To        string    `json:"to,omitzero"`
	Reason    string    `json:"reason,omitzero"`
	By        string    `json:"agent,omitzero" doc:"Subject of who did it."`
	Operation string    `json:"operation,omitzero" doc:"The operation or job that it was done by."`
}

type changesIn struct {
	desk.PageIn
	ID string `path:"id" doc:"Id of the subscription, or its mobile number."`
}

type changesOut struct {
	tmf630.Page
	Body []changeView
}

func (a *api) stateHistory(ctx context.Context, in *changesIn) (*changesOut, error) {
	i, _, err := a.Resolve(ctx, in.ID, "")
	if err != nil {
		return nil, err
	}
	all, err := a.Subscriptions.History(ctx, i)
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	total := len(all)
	all = all[min(in.Offset, total):]
	all = all[:min(in.Limit, len(all))]
	out := &changesOut{
		Page: in.Of(desk.LinePath+"/"+in.ID+"/stateHistory", len(all), int64(total)),
		Body: make([]changeView, 0, len(all)),
	}
	for _, c := range all {
		out.Body = append(out.Body, changeView{Date: c.At, What: c.What, From: c.From, To: c.To, Reason: c.Reason, By: c.By, Operation: c.Operation})
	}
	return out, nil
}

type supplement struct {
	Name  string         `json:"name"`
	Value jsontext.Value `json:"value"`
}

type supplementView struct {
	SubscriptionID id.ID        `json:"subscriptionId"`
	Data           []supplement `json:"supplementaryData"`
	Kind           string       `json:"@type"`
}

type supplementOut struct{ Body supplementView }

func (a *api) supplementaryData(ctx context.Context, in *profileIn) (*supplementOut, error) {
	i, v, err := a.Resolve(ctx, in.SubscriptionID, in.MobileNumber)
	if err != nil {
		return nil, err
	}
	out := supplementView{SubscriptionID: i, Data: []supplement{}, Kind: "SubscriptionSupplementaryData"}
	for _, c := range v.Characteristics {
		if len(c.Value) > 0 {
			out.Data = append(out.Data, supplement{c.Name, c.Value})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Rest)) {
		out.Data = append(out.Data, supplement{name, v.Rest[name]})
	}
	return &supplementOut{Body: out}, nil
}

type creditLimitIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the subscription, or its mobile number."`
	Body    struct {
		Limit *money.Amount `json:"creditLimit" nullable:"true" doc:"How far below zero the money may go; null: not at all."`
	}
}

func (a *api) creditLimit(ctx context.Context, in *creditLimitIn) (*limitOut, error) {
	return a.limit(ctx, in.ID, in.Body.Limit, a.Renewals.SetCreditLimit)
}

type spendLimitIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the subscription, or its mobile number."`
	Body    struct {
		Limit *money.Amount `json:"monthlySpendLimit" nullable:"true" doc:"The most that usage may cost in a calendar month; null: no bound."`
	}
}

func (a *api) spendLimit(ctx context.Context, in *spendLimitIn) (*limitOut, error) {
	return a.limit(ctx, in.ID, in.Body.Limit, a.Subscriptions.SetMonthlySpendLimit)
}

type limitView struct {
	SubscriptionID id.ID         `json:"subscriptionId"`
	CreditLimit    *money.Amount `json:"creditLimit,omitempty"`
	SpendLimit     *money.Amount `json:"monthlySpendLimit,omitempty"`
}

type limitOut struct{ Body limitView }

// limit sets a limit of a line, and shows both.
func (a *api) limit(ctx context.Context, line string, to *money.Amount, set func(context.Context, id.ID, *money.Amount) (subscription.Line, error)) (*limitOut, error) {
	i, _, err := a.Resolve(ctx, line, "")
	if err != nil {
		return nil, err
	}
	v, err := set(ctx, i, to)
	if err != nil {
		return nil, err
	}
	return &limitOut{Body: limitView{SubscriptionID: i, CreditLimit: v.CreditLimit, SpendLimit: v.MonthlySpendLimit}}, nil
}
