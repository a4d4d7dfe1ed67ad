package cm

import (
	"context"
	"net/http"
	"time"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/usage"
)

const detailPath = desk.Base + "/callDetail"

func (a *api) callDetails() []op.Operation {
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.callDetail.list", Method: http.MethodGet, Path: detailPath, Tag: "CallDetail", Summary: "List a subscription's call details",
			Description: "What it used and was charged for, the newest first, with totals of the whole period by usage type. Name the subscription by " +
				"subscriptionId or mobileNumber. `from` is included and `to` is not; a date begins in the service provider's time zone. " +
				"The last 31 days when no period is given.",
			Permission: desk.May("callDetail", auth.Get), Status: http.StatusOK, Also: desk.Pages(), Errors: []fault.Kind{fault.NotFound},
			Params: []op.Param{{Name: "from", In: "query", Example: "2026-01-01"}, {Name: "to", In: "query", Example: "2026-02-01"}},
		}, a.listDetails),
	}
}

type detailsIn struct {
	desk.PageIn
	desk.LineKey
	From      string `query:"from" doc:"A moment (RFC 3339) or a date."`
	To        string `query:"to" doc:"A moment (RFC 3339) or a date."`
	UsageType string `query:"usageType" enum:"voice,data,sms" doc:"Only usage of this kind."`
}

type detailsView struct {
	SubscriptionID id.ID         `json:"subscriptionId"`
	MobileNumber   msisdn.Number `json:"mobileNumber,omitzero"`
	From           time.Time     `json:"from"`
	To             time.Time     `json:"to"`
	Details        []detailView  `json:"callDetail"`
	Totals         []totalView   `json:"total" doc:"Of the whole period, by usage type."`
	Type           string        `json:"@type"`
}

type detailView struct {
	Identifier        id.ID         `json:"identifier" doc:"The usage record."`
	CallType          string        `json:"callType" enum:"outgoing,incoming"`
	UsageType         string        `json:"usageType" enum:"voice,data,sms"`
	TransactionDate   time.Time     `json:"transactionDate" doc:"When it began."`
	OriginatingNumber string        `json:"originatingNumber,omitzero"`
	DestinationNumber string        `json:"destinationNumber,omitzero"`
	Duration          int64         `json:"duration" doc:"Seconds."`
	DataUsage         int64         `json:"dataUsage" doc:"Bytes."`
	Messages          int64         `json:"messages"`
	VisitedNetwork    string        `json:"visitedNetwork,omitzero"`
	Charge            *money.Amount `json:"charge,omitempty" doc:"What the balance paid, tax included."`
	Uncollected       *money.Amount `json:"uncollected,omitempty" doc:"What it could not pay."`
	Balance           *money.Amount `json:"balance,omitempty" doc:"Money left after it."`
	Bundles           []bundleUse   `json:"bundle,omitempty" doc:"What came out of bundles."`
	Description       string        `json:"description"`
	Status            usage.Status  `json:"status"`
}

type bundleUse struct {
	BucketID id.ID  `json:"bucketID"`
	Name     string `json:"bundleName"`
	Amount   int64  `json:"amount"`
	UnitType string `json:"unitType"`
}

type totalView struct {
	UsageType   string        `json:"usageType"`
	Count       int64         `json:"count"`
	Duration    int64         `json:"duration" doc:"Seconds."`
	DataUsage   int64         `json:"dataUsage" doc:"Bytes."`
	Messages    int64         `json:"messages"`
	Charge      *money.Amount `json:"charge,omitempty"`
	Uncollected *money.Amount `json:"uncollected,omitempty"`
}

type detailsOut struct {
	tmf630.Page
	Body detailsView
}

// usualPeriod is what is listed when no period is asked for.
const usualPeriod = 31

func (a *api) listDetails(ctx context.Context, in *detailsIn) (*detailsOut, error) {
	if err := desk.Said(in.Request, "subscriptionId", "mobileNumber", "from", "to", "usageType"); err != nil {
		return nil, err
	}
	i, v, err := a.Resolve(ctx, in.SubscriptionID, in.MobileNumber)
	if err != nil {
		return nil, err
	}
	p, err := a.period(ctx, in)
	if err != nil {
		return nil, err
	}
	p.Line = i
	list, totals, err := a.Usage.Details(ctx, p)
	if err != nil {
		return nil, err
	}
	out := detailsView{SubscriptionID: i, MobileNumber: v.MSISDN, From: p.From, To: p.To, Details: []detailView{}, Totals: []totalView{}, Type: "CallDetails"}
	var currency money.Currency
	if acc, _, err := a.Accounts.Billing.Get(ctx, v.AccountID); err == nil {
		currency, _ = a.Accounts.CurrencyOf(ctx, acc) // amounts say their own; totals of nothing need none
	}
	for _, d := range list {
		out.Details = append(out.Details, detail(d))
		if c := d.Usage.Charged; c != nil {
			currency = c.Currency()
		}
	}
	var count int64
	for _, t := range totals {
		count += t.Count
		out.Totals = append(out.Totals, total(t, currency))
	}
	return &detailsOut{Page: in.Of(detailPath, len(list), count), Body: out}, nil
}

// period is the period that is asked for.
func (a *api) period(ctx context.Context, in *detailsIn) (usage.Period, error) {
	p := usage.Period{UsageType: in.UsageType, Offset: in.Offset, Limit: in.Limit, To: a.Store.Now(ctx).Add(time.Second)}
	rules, err := a.Providers.Rules(ctx)
	if err != nil {
		return p, err
	}
	read := func(attribute, text string, into *time.Time) error {
		if text == "" {
			return nil
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t, err = time.ParseInLocation(time.DateOnly, text, rules.Location())
		}
		if err != nil {
			return fault.Invalidf(attribute, "%s is a moment such as 2026-01-31T09:30:00Z or a date", attribute)
		}
		*into = t
		return nil
	}
	if err := read("to", in.To, &p.To); err != nil {
		return p, err
	}
	p.From = p.To.AddDate(0, 0, -usualPeriod)
	if err := read("from", in.From, &p.From); err != nil {
		return p, err
	}
	if !p.From.Before(p.To) {
		return p, fault.Invalidf("to", "the period ends before it begins")
	}
	p.From, p.To = p.From.UTC(), p.To.UTC()
	return p, nil
}

func detail(d usage.Detail) detailView {
	u, f := d.Usage, d.Facts
	v := detailView{
		Identifier: d.ID, CallType: "outgoing", UsageType: f.UsageType, TransactionDate: u.UsageDate, VisitedNetwork: f.Network,
		OriginatingNumber: f.MSISDN, DestinationNumber: f.Other, Charge: u.Charged, Uncollected: u.Uncollected, Balance: u.Balance,
		Description: u.Description, Status: u.Status,
	}
	if f.Direction == "incoming" {
		v.CallType, v.OriginatingNumber, v.DestinationNumber = f.Direction, f.Other, f.MSISDN
	}
	v.Duration, v.DataUsage, v.Messages = measures(f.UsageType, f.Quantity)
	if f.UsageType == "data" {
		v.Duration = f.Duration
	}
	for _, t := range u.Taken {
		v.Bundles = append(v.Bundles, bundleUse{BucketID: t.Bucket, Name: t.Name, Amount: t.Amount, UnitType: t.Units})
	}
	return v
}

// measures puts a quantity where its kind of usage is counted.
func measures(usageType string, n int64) (seconds, bytes, messages int64) {
	switch usageType {
	case "voice":
		return n, 0, 0
	case "data":
		return 0, n, 0
	}
	return 0, 0, n
}

func total(t usage.Total, c money.Currency) totalView {
	v := totalView{UsageType: t.UsageType, Count: t.Count}
	v.Duration, v.DataUsage, v.Messages = measures(t.UsageType, t.Quantity)
	if c != "" {
		charge, over := money.OfMicros(t.Charged, c), money.OfMicros(t.Uncollected, c)
		v.Charge, v.Uncollected = &charge, &over
	}
	return v
}
