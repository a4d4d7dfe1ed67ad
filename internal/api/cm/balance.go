package cm

import (
	"context"
	"net/http"
	"time"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

func (a *api) balances() []op.Operation {
	read, missing := desk.May("subscription", auth.Get), []fault.Kind{fault.NotFound}
	return append([]op.Operation{
		op.Handle(op.Operation{
			ID: "cm.subscription.balanceQuery", Method: http.MethodGet, Path: desk.LinePath + "/balanceQuery", Tag: "Balance",
			Summary: "Read what a subscription may spend",
			Description: "Its money and its bundles, each with the entries behind it: when, how much, what it held then, and what caused it. " +
				"With `at` it is what the subscription had at that moment. Name the subscription by subscriptionId or mobileNumber.",
			Permission: read, Status: http.StatusOK, Errors: missing,
		}, a.balanceQuery),
		op.Handle(op.Operation{
			ID: "cm.subscription.topup", Method: http.MethodPost, Path: desk.LinePath + "/topup", Tag: "Balance",
			Summary: "Pay money into a subscription's balance",
			Description: "The reference is the payer's own name for the payment. The same reference and amount again are answered with the top-up " +
				"that was made (200) and pay nothing; the same reference with another amount is refused.",
			Permission: desk.May("balance", auth.Post), Writes: true, Status: http.StatusCreated,
			Also: map[int]string{http.StatusOK: "The top-up that was made under this reference before."}, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{
				"mobileNumber": "+41 79 000 00 00", "amount": map[string]any{"unit": "CHF", "value": 20}, "reference": "kiosk-7-000123",
			}},
		}, a.topUp),
	}, a.balanceLists()...)
}

type balanceView struct {
	SubscriptionID id.ID          `json:"subscriptionId"`
	MobileNumber   msisdn.Number  `json:"mobileNumber,omitzero"`
	AccountID      id.ID          `json:"accountID"`
	State          string         `json:"state"`
	At             *time.Time     `json:"at,omitzero" doc:"The moment that it is the balance of, where one was asked for."`
	Balance        *sid.Quantity  `json:"balance,omitzero" doc:"Money left; the main balance."`
	Buckets        []bucketView   `json:"bucket" doc:"Money and bundles, the oldest first."`
	Type           string         `json:"@type"`
	Currency       money.Currency `json:"currency,omitzero"`
}

type bucketView struct {
	ID            id.ID          `json:"bucketID"`
	BundleID      string         `json:"bundleID,omitzero" doc:"The offering that granted it."`
	Name          string         `json:"bundleName"`
	UsageType     string         `json:"usageType" enum:"monetary,voice,data,sms,other"`
	UnitType      string         `json:"unitType" doc:"A currency, seconds, bytes or messages."`
	Status        balance.Status `json:"status" enum:"active,suspended,expired"`
	Scope         string         `json:"scope" enum:"personal,rollover,group"`
	IsPromotional bool           `json:"isPromotional"`
	Limit         sid.Quantity   `json:"limit" doc:"What it was opened with."`
	Remaining     sid.Quantity   `json:"remainingValue"`
	Reserved      *sid.Quantity  `json:"reservedValue,omitzero" doc:"What is set aside beside it; not told of the past."`
	CreditLimit   *sid.Quantity  `json:"creditLimit,omitzero" doc:"How far below zero it may go."`
	Activation    *time.Time     `json:"activationTime,omitzero"`
	Expiry        *time.Time     `json:"expiryTime,omitzero"`
	Entries       []entryView    `json:"entry" doc:"What made it what it is, the newest first."`
}

type entryView struct {
	Identifier     id.ID        `json:"identifier"`
	Date           time.Time    `json:"date"`
	Operation      string       `json:"operation" enum:"credit,debit"`
	Amount         sid.Quantity `json:"amount" doc:"Negative for what went out."`
	Balance        sid.Quantity `json:"balance" doc:"What the bucket held then."`
	UnitType       string       `json:"unitType"`
	BucketID       id.ID        `json:"bucketID,omitzero"`
	BundleName     string       `json:"bundleName,omitzero"`
	Expiry         *time.Time   `json:"expiryTime,omitzero"`
	AdjustmentType string       `json:"adjustmentType" doc:"What kind of thing moved it." example:"topup"`
	Reference      string       `json:"reference" doc:"The id of what caused it."`
	Cause          causeView    `json:"cause"`
	Text           string       `json:"text" doc:"The cause in words."`
}

type causeView struct {
	Type string `json:"type" doc:"Kind of thing that caused it." example:"productOrder"`
	ID   string `json:"id"`
}

type balanceIn struct {
	desk.LineKey
	At      *time.Time `query:"at" doc:"The moment to tell the balance of; now when absent."`
	Expired bool       `query:"expired" doc:"Tell of buckets that have ended too."`
	Entries int        `query:"entries" minimum:"0" maximum:"200" default:"10" doc:"The most entries of one bucket; 0 tells none."`
}

type balanceOut struct{ Body balanceView }

func (a *api) balanceQuery(ctx context.Context, in *balanceIn) (*balanceOut, error) {
	i, v, err := a.Resolve(ctx, in.SubscriptionID, in.MobileNumber)
	if err != nil {
		return nil, err
	}
	statements, err := a.Balances.Ask(ctx, i, balance.Question{At: in.At, Expired: in.Expired, Entries: in.Entries})
	if err != nil {
		return nil, err
	}
	out := balanceView{
		SubscriptionID: i, MobileNumber: v.MSISDN, AccountID: v.AccountID, State: v.State.Name(), At: in.At,
		Buckets: make([]bucketView, 0, len(statements)), Type: "BalanceQuery",
	}
	for _, s := range statements {
		b := bucket(s)
		if in.At != nil {
			b.Reserved = nil
		}
		if s.Main {
			out.Balance, out.Currency = &b.Remaining, money.Currency(s.Bucket.Unit)
		}
		out.Buckets = append(out.Buckets, b)
	}
	return &balanceOut{Body: out}, nil
}

func bucket(s balance.Statement) bucketView {
	b := bucketView{
		ID: s.ID, Name: s.Bucket.Name, UsageType: s.Bucket.UsageType, UnitType: s.Bucket.Unit, Status: s.Bucket.Status,
		Scope: s.Bucket.Scope(), IsPromotional: s.Bucket.IsPromotional, CreditLimit: s.Bucket.CreditLimit,
		Limit: s.Bucket.Granted, Remaining: balance.Quantity(s.Bucket.Unit, s.Held), Reserved: &s.Bucket.Reserved,
		Entries: make([]entryView, 0, len(s.Entries)),
	}
	if o := s.Bucket.Offering; o != nil {
		b.BundleID = o.ID
	}
	if p := s.Bucket.ValidFor; p != nil {
		b.Activation, b.Expiry = p.Start, p.End
	}
	for _, e := range s.Entries {
		b.Entries = append(b.Entries, entry(e))
	}
	return b
}

// adjustmentTypes are what this API calls the kinds of things that move a balance; others go by their own names.
var adjustmentTypes = map[string]string{
	balance.TopupKind.Name: "topup", balance.AdjustKind.Name: "adjustment", balance.ReserveKind.Name: "reservation",
	balance.TransferKind.Name: "transfer", balance.BucketKind.Name: "bundle", "productOrder": "order",
}

func entry(e balance.Entry) entryView {
	v := entryView{
		Identifier: e.Posting, Date: e.At, Operation: "credit", Amount: balance.Quantity(e.Unit, e.Amount), Balance: balance.Quantity(e.Unit, e.Balance),
		UnitType: e.Unit, AdjustmentType: desk.First(adjustmentTypes[e.Cause.Kind], e.Cause.Kind), Reference: e.Cause.ID,
		Cause: causeView{Type: e.Cause.Kind, ID: e.Cause.ID}, Text: e.Cause.Text,
	}
	if e.Amount < 0 {
		v.Operation = "debit"
	}
	return v
}

type topupRequest struct {
	SubscriptionID string       `json:"subscriptionId,omitzero" doc:"Id of the subscription; its mobile number is understood too."`
	MobileNumber   string       `json:"mobileNumber,omitzero" doc:"Mobile number in any spelling, instead of the id."`
	Amount         money.Amount `json:"amount" doc:"In the currency of the balance."`
	Reference      string       `json:"reference" minLength:"1" maxLength:"69" doc:"The payer's own name for the payment, unique at the subscription."`
	Reason         string       `json:"reason,omitzero" maxLength:"255"`
}

type topupView struct {
	ID             id.ID        `json:"id"`
	SubscriptionID id.ID        `json:"subscriptionId"`
	Status         string       `json:"status"`
	Amount         sid.Quantity `json:"amount"`
	Reference      string       `json:"reference"`
	Reason         string       `json:"reason,omitzero"`
	Date           *time.Time   `json:"confirmationDate,omitzero"`
	Balance        sid.Quantity `json:"balance" doc:"Money left now."`
	Type           string       `json:"@type"`
}

type topupIn struct{ Body topupRequest }

type topupOut struct {
	Status int
	Body   topupView
}

func (a *api) topUp(ctx context.Context, in *topupIn) (*topupOut, error) {
	line, _, err := a.Resolve(ctx, in.Body.SubscriptionID, in.Body.MobileNumber)
	if err != nil {
		return nil, err
	}
	i, t, again, err := a.Balances.TopUp(ctx, balance.TopupOrder{Subscription: line, Amount: in.Body.Amount, Reference: in.Body.Reference, Reason: in.Body.Reason})
	if err != nil {
		return nil, err
	}
	_, b, err := a.Balances.Money(ctx, line)
	if err != nil {
		return nil, err
	}
	out := &topupOut{Status: http.StatusCreated, Body: topupView{
		ID: i, SubscriptionID: line, Status: t.Status, Amount: t.Amount, Reference: t.Reference, Reason: t.Reason,
		Date: t.ConfirmationDate, Balance: b.Remaining, Type: t.Type,
	}}
	if again {
		out.Status = http.StatusOK
	}
	return out, nil
}
