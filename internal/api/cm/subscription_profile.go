package cm

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/subscription"
)

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
	Name     string `json:"name,omitzero"`
	Language string `json:"language,omitzero" doc:"What the service provider speaks to who chose nothing else."`
}

type ratingGroup struct {
	PricePlan *planRef     `json:"primaryPricePlan,omitzero"`
	Tariff    *tariffRef   `json:"tariff,omitzero" doc:"What usage costs on the plan."`
	Bundles   []bundleView `json:"bundles"`
	Services  []heldView   `json:"optionalService"`
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
	AccountState  account.State  `json:"accountState"`
	Currency      money.Currency `json:"currency,omitzero"`
	CreditLimit   *money.Amount  `json:"creditLimit,omitempty" doc:"How far below zero the money may go; missing: not at all."`
	SpendLimit    *money.Amount  `json:"monthlySpendLimit,omitempty" doc:"The most that usage may cost in a calendar month; missing: no bound."`
	Spent         *money.Amount  `json:"monthlySpend,omitempty" doc:"What usage has cost this calendar month."`
	Balance       *money.Amount  `json:"balance,omitempty" doc:"The money left."`
	NextRenewal   *time.Time     `json:"nextRenewal,omitzero" doc:"When the plan's next period is due."`
	UnpaidSince   *time.Time     `json:"unpaidSince,omitzero" doc:"Since when a period is due that could not be paid."`
}

type lifecycleGroup struct {
	State     string     `json:"state"`
	StateCode int        `json:"stateCode"`
	Reason    string     `json:"stateReason,omitzero" doc:"Why it is in this state, where there is more to say."`
	Since     *time.Time `json:"stateSince,omitzero"`
	Start     *time.Time `json:"startDate,omitzero"`
	End       *time.Time `json:"endDate,omitzero"`
}

type profileIn struct {
	Request *op.Request
	desk.LineKey
}

type profileOut struct{ Body profileView }

func (a *api) profile(ctx context.Context, in *profileIn) (*profileOut, error) {
	i, v, err := a.Resolve(ctx, in.SubscriptionID, in.MobileNumber)
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
	rules, err := a.Providers.Rules(ctx)
	if err != nil {
		return nil, err
	}
	shown := view(ctx, in.Request.BaseURL, i, v)
	out := profileView{
		Subscription: shown,
		Profile:      profileGroup{PaidType: shown.Type, Name: v.Name, Language: rules.Language},
		Rating:       ratingGroup{PricePlan: shown.PricePlan, Bundles: []bundleView{}, Services: heldViews(in.Request.BaseURL, v)},
		Billing: billingGroup{
			AccountID: v.AccountID, AccountNumber: acc.AccountNumber, AccountState: acc.State, Currency: currency,
			CreditLimit: v.CreditLimit, SpendLimit: v.MonthlySpendLimit,
		},
		Status: lifecycleGroup{
			State: shown.State, StateCode: shown.StateCode, Reason: v.StateReason, Since: v.StateSince, Start: v.StartDate, End: v.TerminationDate,
		},
	}
	if r := v.Renewal; r != nil {
		out.Billing.NextRenewal, out.Billing.UnpaidSince = &r.Next, r.UnpaidSince
	}
	if err := a.money(ctx, i, rules.Location(), currency, &out.Billing); err != nil {
		return nil, err
	}
	if plan := v.Plan(); plan != nil {
		o, _, err := a.Catalog.Offerings.Get(ctx, id.ID(plan.ID))
		if err != nil {
			return nil, err
		}
		out.Rating.Tariff = tariffOf(o)
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

// money adds what the line holds and has spent this month.
func (a *api) money(ctx context.Context, i id.ID, zone *time.Location, c money.Currency, b *billingGroup) error {
	return a.Store.Snapshot(ctx, func(ctx context.Context) error {
		w, err := a.Balances.Wallet(ctx, i)
		if err != nil || w.Money() == nil {
			return err
		}
		left, spent := money.OfMicros(w.Money().Left, c), money.OfMicros(w.Spent(a.Store.Now(ctx), zone), c)
		b.Balance, b.Spent = &left, &spent
		return nil
	})
}

type planView struct {
	ID          string               `json:"id"`
	Href        string               `json:"href"`
	Name        string               `json:"name"`
	Description string               `json:"description,omitzero"`
	PaidType    string               `json:"paidType,omitzero"`
	Prices      []subscription.Price `json:"productPrice"`
	Allowances  []catalog.Allowance  `json:"allowance"`
	Tariff      *tariffRef           `json:"tariff,omitzero" doc:"What usage costs on the plan."`
	Renewal     *renewalView         `json:"renewal,omitzero" doc:"How its recurring price goes on; missing for a plan without one."`
	Services    []heldView           `json:"addOn" doc:"Add-ons and value-added services held beside it, those that ended included."`
	History     []planSince          `json:"history" doc:"The plans it was on, the oldest first."`
}

type tariffRef struct {
	ID   string `json:"id"`
	Name string `json:"name,omitzero"`
}

type renewalView struct {
	Next        time.Time  `json:"next" doc:"When the next period is due."`
	Since       time.Time  `json:"since" doc:"When its first period began; each begins on that day."`
	Periods     int        `json:"periods" doc:"How many periods have begun since."`
	UnpaidSince *time.Time `json:"unpaidSince,omitzero" doc:"Since when a period is due that could not be paid."`
}

type planSince struct {
	ID   id.ID     `json:"id"`
	Name string    `json:"name,omitzero"`
	From time.Time `json:"from"`
}

type planOut struct{ Body planView }

func (a *api) pricePlan(ctx context.Context, in *lineIn) (*planOut, error) {
	_, v, err := a.Resolve(ctx, in.ID, "")
	if err != nil {
		return nil, err
	}
	plan := v.Plan()
	if plan == nil {
		return nil, fault.NotFoundf("the subscription has no price plan")
	}
	o, _, err := a.Catalog.Offerings.Get(ctx, id.ID(plan.ID))
	if err != nil {
		return nil, err
	}
	out := planView{
		ID: plan.ID, Href: in.Request.BaseURL + desk.Base + "/productOffering/" + plan.ID,
		Name: o.Name, Description: o.Description, PaidType: o.PaidType, Prices: v.Prices, Allowances: o.Allowances,
		Tariff: tariffOf(o), Renewal: renewalOf(v.Renewal), Services: heldViews(in.Request.BaseURL, v), History: make([]planSince, 0, len(v.Plans)),
	}
	for _, p := range v.Plans {
		out.History = append(out.History, planSince{ID: p.Offering, Name: p.Name, From: p.From})
	}
	if out.Prices == nil {
		out.Prices = []subscription.Price{}
	}
	if out.Allowances == nil {
		out.Allowances = []catalog.Allowance{}
	}
	return &planOut{Body: out}, nil
}

func tariffOf(o catalog.Offering) *tariffRef {
	if o.Tariff == nil {
		return nil
	}
	return &tariffRef{ID: o.Tariff.ID, Name: o.Tariff.Name}
}

func renewalOf(r *subscription.Renewal) *renewalView {
	if r == nil {
		return nil
	}
	return &renewalView{Next: r.Next, Since: r.Anchor, Periods: r.Count, UnpaidSince: r.UnpaidSince}
}

// heldView is an add-on or value-added service of a subscription.
type heldView struct {
	ID     id.ID                `json:"id" doc:"What orders that end it name."`
	Name   string               `json:"name"`
	Type   string               `json:"offeringType" doc:"package, boltOn or vas."`
	Status string               `json:"status" enum:"active,suspended,terminated"`
	Of     *planRef             `json:"productOffering,omitzero"`
	Start  *time.Time           `json:"startDate,omitzero"`
	End    *time.Time           `json:"terminationDate,omitzero"`
	Prices []subscription.Price `json:"productPrice"`
	Next   *renewalView         `json:"renewal,omitzero"`
}

func heldViews(baseURL string, v subscription.Line) []heldView {
	out := make([]heldView, 0, len(v.Products))
	for _, h := range v.Products {
		one := heldView{ID: h.ID, Name: h.Name, Type: h.Kind, Status: h.Status, Start: h.StartDate, End: h.TerminationDate, Prices: h.Prices, Next: renewalOf(h.Renewal)}
		if h.Offering != nil {
			one.Of = &planRef{ID: h.Offering.ID, Href: baseURL + desk.Base + "/productOffering/" + h.Offering.ID, Name: h.Offering.Name}
		}
		if one.Prices == nil {
			one.Prices = []subscription.Price{}
		}
		out = append(out, one)
	}
	return out
}
