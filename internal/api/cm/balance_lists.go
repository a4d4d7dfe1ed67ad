package cm

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/usage"
)

func (a *api) balanceLists() []op.Operation {
	read, missing := desk.May("subscription", auth.Get), []fault.Kind{fault.NotFound}
	const paged = "Newest first. `Link` leads to the next page by its key."
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.subscription.balanceHistory", Method: http.MethodGet, Path: desk.LinePath + "/balanceHistory", Tag: "Balance",
			Summary: "List what moved a subscription's money", Description: paged + " Name the subscription by subscriptionId or mobileNumber.",
			Permission: read, Status: http.StatusOK, Errors: missing,
		}, a.balanceHistory),
		op.Handle(op.Operation{
			ID: "cm.subscription.bundleBalance", Method: http.MethodGet, Path: desk.LinePath + "/bundleBalance", Tag: "Balance",
			Summary: "Read what is left of a subscription's bundles",
			Description: "Each bundle with what is personal, rolled over and shared by the account, and the sums by usage type. " +
				"Name the subscription by subscriptionId or mobileNumber.",
			Permission: read, Status: http.StatusOK, Errors: missing,
		}, a.bundleBalance),
		op.Handle(op.Operation{
			ID: "cm.subscription.history", Method: http.MethodGet, Path: desk.LinePath + "/{id}/history", Tag: "Balance",
			Summary: "List what moved a subscription's buckets", Description: "All buckets together, or one. " + paged,
			Permission: read, Status: http.StatusOK, Errors: missing,
		}, a.history),
		op.Handle(op.Operation{
			ID: "cm.subscription.transaction", Method: http.MethodGet, Path: desk.LinePath + "/{id}/transaction", Tag: "Balance",
			Summary:     "List a subscription's transactions",
			Description: "What was paid, charged, granted, adjusted and transferred; usage is in the call details. " + paged,
			Permission:  read, Status: http.StatusOK, Errors: missing,
		}, a.transactions),
		op.Handle(op.Operation{
			ID: "cm.subscription.detailedTransaction", Method: http.MethodGet, Path: desk.LinePath + "/{id}/detailedSubscriptionTransaction", Tag: "Balance",
			Summary:     "List a subscription's transactions with all that is known of them",
			Description: "Beside the transaction: who made it, what was given as its reason, reference and payment, and how it moved a bucket's end. " + paged,
			Permission:  read, Status: http.StatusOK, Errors: missing,
		}, a.detailedTransactions),
	}
}

// period is the part of a history that is asked for.
type period struct {
	From  *time.Time `query:"from" doc:"Only what was booked from this moment on."`
	To    *time.Time `query:"to" doc:"Only what was booked before this moment."`
	Key   string     `query:"key" maxLength:"120" doc:"Where the page begins: as the Link of the page before says."`
	Limit int        `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most to answer with."`
}

func (p period) query() balance.HistoryQuery {
	return balance.HistoryQuery{From: p.From, To: p.To, After: p.Key, Limit: p.Limit}
}

// keyed is what a page that goes on by a key says of itself.
type keyed struct {
	Count string `header:"X-Result-Count"`
	Links string `header:"Link"`
	Next  string `header:"X-Next-Key"`
}

func keyedBy(r *op.Request, path string, count int, next string) keyed {
	k := keyed{Count: strconv.Itoa(count), Next: next}
	address := func(key string) string {
		q := url.Values{}
		for name, values := range r.Query {
			if name != "key" {
				q[name] = values
			}
		}
		if key != "" {
			q.Set("key", key)
		}
		if len(q) == 0 {
			return r.BaseURL + path
		}
		return r.BaseURL + path + "?" + q.Encode()
	}
	k.Links = "<" + address(r.Query.Get("key")) + `>; rel="self", <` + address("") + `>; rel="first"`
	if next != "" {
		k.Links += ", <" + address(next) + `>; rel="next"`
	}
	return k
}

type bucketHistoryIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the subscription, or its mobile number."`
	Bucket  string `query:"bucketID" doc:"Only what moved this bucket."`
	period
}

type bucketHistoryOut struct {
	keyed
	Body []entryView
}

func (a *api) history(ctx context.Context, in *bucketHistoryIn) (*bucketHistoryOut, error) {
	i, _, err := a.Resolve(ctx, in.ID, "")
	if err != nil {
		return nil, err
	}
	q := in.query()
	q.Bucket = id.ID(in.Bucket)
	return a.entries(ctx, in.Request, desk.LinePath+"/"+in.ID+"/history", i, q)
}

type balanceHistoryIn struct {
	Request *op.Request
	desk.LineKey
	period
}

func (a *api) balanceHistory(ctx context.Context, in *balanceHistoryIn) (*bucketHistoryOut, error) {
	i, _, err := a.Resolve(ctx, in.SubscriptionID, in.MobileNumber)
	if err != nil {
		return nil, err
	}
	q := in.query()
	q.UsageType = balance.Monetary
	return a.entries(ctx, in.Request, desk.LinePath+"/balanceHistory", i, q)
}

func (a *api) entries(ctx context.Context, r *op.Request, path string, line id.ID, q balance.HistoryQuery) (*bucketHistoryOut, error) {
	p, err := a.Balances.History(ctx, line, q)
	if err != nil {
		return nil, err
	}
	out := &bucketHistoryOut{keyed: keyedBy(r, path, len(p.Entries), p.Next), Body: make([]entryView, 0, len(p.Entries))}
	for _, e := range p.Entries {
		v, b := entry(e), p.Buckets[e.Bucket]
		v.BucketID, v.BundleName = e.Bucket, b.Name
		if b.ValidFor != nil {
			v.Expiry = b.ValidFor.End
		}
		out.Body = append(out.Body, v)
	}
	return out, nil
}

type bundlesView struct {
	SubscriptionID id.ID               `json:"subscriptionId"`
	Bundles        []bundleBalanceView `json:"bundle"`
	Categories     []categoryView      `json:"category" doc:"The sums of all bundles, by usage type."`
	Type           string              `json:"@type"`
}

type bundleBalanceView struct {
	BundleID      id.ID          `json:"bundleID,omitzero" doc:"The offering that granted it."`
	BucketID      id.ID          `json:"bucketID" doc:"The bucket that is consumed first."`
	BucketIDs     []id.ID        `json:"bucketIDs" doc:"All buckets of the bundle, in the order in which they are consumed."`
	ProductID     id.ID          `json:"productID,omitzero" doc:"The add-on of the subscription that it belongs to."`
	Name          string         `json:"bundleName"`
	UsageType     string         `json:"usageType" enum:"voice,data,sms,other"`
	UnitType      string         `json:"unitType"`
	Status        balance.Status `json:"status" enum:"active,suspended,expired"`
	IsPromotional bool           `json:"isPromotional"`
	Activation    *time.Time     `json:"activationTime,omitzero"`
	Expiry        *time.Time     `json:"expiryTime,omitzero"`
	Personal      *tallyView     `json:"personal,omitzero"`
	Rollover      *tallyView     `json:"rollover,omitzero"`
	Group         *tallyView     `json:"group,omitzero"`
}

type tallyView struct {
	Limit   int64 `json:"limit"`
	Used    int64 `json:"used"`
	Balance int64 `json:"balance"`
}

type categoryView struct {
	Category string `json:"category" enum:"voice,data,sms,other"`
	UnitType string `json:"unitType"`
	tallyView
}

type bundlesIn struct{ desk.LineKey }

type bundlesOut struct{ Body bundlesView }

func (a *api) bundleBalance(ctx context.Context, in *bundlesIn) (*bundlesOut, error) {
	i, _, err := a.Resolve(ctx, in.SubscriptionID, in.MobileNumber)
	if err != nil {
		return nil, err
	}
	w, err := a.Balances.Standing(ctx, i)
	if err != nil {
		return nil, err
	}
	out := bundlesView{SubscriptionID: i, Bundles: []bundleBalanceView{}, Categories: []categoryView{}, Type: "BundleBalance"}
	for _, b := range w.Bundles() {
		v := bundleBalanceView{
			BundleID: b.Offering, BucketID: b.Buckets[0], BucketIDs: b.Buckets, ProductID: b.Product, Name: b.Name, UsageType: b.UsageType,
			UnitType: b.Unit, Status: b.Status, IsPromotional: b.Promotional, Activation: b.Start, Expiry: b.End,
		}
		for scope, into := range map[string]**tallyView{"personal": &v.Personal, "rollover": &v.Rollover, "group": &v.Group} {
			if t, ok := b.Scopes[scope]; ok {
				*into = &tallyView{t.Limit, t.Used, t.Balance}
			}
		}
		out.Bundles = append(out.Bundles, v)
		out.count(b)
	}
	return &bundlesOut{Body: out}, nil
}

func (v *bundlesView) count(b balance.Bundle) {
	t := b.Total()
	for i := range v.Categories {
		c := &v.Categories[i]
		if c.Category == b.UsageType && c.UnitType == b.Unit {
			c.Limit, c.Used, c.Balance = c.Limit+t.Limit, c.Used+t.Used, c.Balance+t.Balance
			return
		}
	}
	v.Categories = append(v.Categories, categoryView{b.UsageType, b.Unit, tallyView{t.Limit, t.Used, t.Balance}})
}

type transactionView struct {
	Identifier      id.ID        `json:"identifier"`
	AdjustmentType  string       `json:"adjustmentType" example:"topup"`
	Amount          sid.Quantity `json:"amount" doc:"Negative for what went out."`
	Balance         sid.Quantity `json:"balance" doc:"What the bucket held then."`
	TransactionDate time.Time    `json:"transactionDate" doc:"When it was asked for."`
	ReceiveDate     time.Time    `json:"receiveDate" doc:"When it was booked."`
	BucketID        id.ID        `json:"bucketID"`
	Reference       string       `json:"reference" doc:"The id of what caused it."`
	Text            string       `json:"text" doc:"The cause in words."`
	*transactionDetail
}

type transactionDetail struct {
	Agent                     string         `json:"agent,omitzero" doc:"Who made it."`
	CSRInput                  string         `json:"csrInput,omitzero" doc:"The reason that was given."`
	ReasonCode                string         `json:"reasonCode,omitzero"`
	ExternalTransactionNumber string         `json:"externalTransactionNumber,omitzero" doc:"The payer's own reference."`
	ExpiryDateExtension       *time.Time     `json:"expiryDateExtension,omitzero" doc:"The bucket's end as it was set."`
	LocationCode              string         `json:"locationCode,omitzero"`
	PaymentAgency             string         `json:"paymentAgency,omitzero" doc:"The channel that it came through."`
	PaymentDetails            jsontext.Value `json:"paymentDetails,omitzero"`
	TransactionMethodID       string         `json:"transactionMethodID,omitzero"`
	ReceiptNumber             string         `json:"receiptNumber,omitzero"`
}

type transactionsIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the subscription, or its mobile number."`
	period
}

type transactionsOut struct {
	keyed
	Body []transactionView
}

func (a *api) transactions(ctx context.Context, in *transactionsIn) (*transactionsOut, error) {
	return a.transacted(ctx, in, "transaction", false)
}

func (a *api) detailedTransactions(ctx context.Context, in *transactionsIn) (*transactionsOut, error) {
	return a.transacted(ctx, in, "detailedSubscriptionTransaction", true)
}

func (a *api) transacted(ctx context.Context, in *transactionsIn, name string, detailed bool) (*transactionsOut, error) {
	i, _, err := a.Resolve(ctx, in.ID, "")
	if err != nil {
		return nil, err
	}
	q := in.query()
	q.Without = []string{usage.Kind.Name}
	p, err := a.Balances.History(ctx, i, q)
	if err != nil {
		return nil, err
	}
	out := &transactionsOut{keyed: keyedBy(in.Request, desk.LinePath+"/"+in.ID+"/"+name, len(p.Entries), p.Next), Body: make([]transactionView, 0, len(p.Entries))}
	for _, e := range p.Entries {
		v := transactionView{
			Identifier: e.Posting, AdjustmentType: desk.First(adjustmentTypes[e.Cause.Kind], e.Cause.Kind), Amount: balance.Quantity(e.Unit, e.Amount),
			Balance: balance.Quantity(e.Unit, e.Balance), TransactionDate: e.At, ReceiveDate: e.At, BucketID: e.Bucket,
			Reference: e.Cause.ID, Text: e.Cause.Text,
		}
		if detailed {
			d, err := a.Balances.Detail(ctx, e.Cause)
			if err != nil {
				return nil, err
			}
			v.explain(d)
		}
		out.Body = append(out.Body, v)
	}
	return out, nil
}

func (v *transactionView) explain(d balance.Detail) {
	v.transactionDetail = &transactionDetail{
		Agent: d.Agent, CSRInput: d.Reason, ReasonCode: d.Text("reasonCode"), ExternalTransactionNumber: desk.First(d.Reference, d.Text("externalTransactionNumber")),
		ExpiryDateExtension: d.End, LocationCode: d.Text("locationCode"), PaymentAgency: desk.First(d.Text("paymentAgency"), d.Channel),
		PaymentDetails: d.Rest["paymentMethod"], TransactionMethodID: desk.First(d.Text("transactionMethodID"), d.Channel),
		ReceiptNumber: desk.First(d.Text("receiptNumber"), v.Reference),
	}
	if d.Requested != nil {
		v.TransactionDate = *d.Requested
	}
}
