// Package balance keeps what a line may spend: buckets of money, voice, data and messages (TMF654 Prepay
// Balance), each an account of a double-entry ledger. A bucket's remainingValue is its ledger balance,
// written in the transaction that moved it.
package balance

import (
	"context"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// The id kinds of this package.
var (
	BucketKind = id.Kind{Name: "bucket", Prefix: "bkt"}
	TopupKind  = id.Kind{Name: "topupBalance", Prefix: "top"}
)

// System accounts: where what enters a bucket comes from, and where what leaves it goes. Every home has
// its own.
const (
	// Issued is what the operator grants: opening balances, bundles, bonuses.
	Issued = "sys:issued"
	// Topups is money that subscribers paid in.
	Topups = "sys:topup"
	// Sales is what subscribers spent, net of tax.
	Sales = "sys:sales"
	// Taxes is the tax on what they spent.
	Taxes = "sys:tax"
)

const (
	// CodeInsufficient is a bucket that does not hold what is to leave it.
	CodeInsufficient fault.Code = "insufficientBalance"
	// CodeNotActive is a bucket that takes and gives nothing: suspended or expired.
	CodeNotActive fault.Code = "bucketNotActive"
	// CodeNoMoney is a line without a money bucket.
	CodeNoMoney fault.Code = "noMoneyBalance"
	// CodeInLedger is the deletion of what the ledger speaks of.
	CodeInLedger fault.Code = "partOfLedger"
	// CodeReferenceReused is a reference that came before with another amount.
	CodeReferenceReused fault.Code = "referenceReused"
)

// Status is where a bucket stands (TMF654 BucketStatusType).
type Status string

// The states of a bucket.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
	Expired   Status = "expired"
)

// Bucket is a quantity of one unit that a line may spend (TMF654 Bucket).
type Bucket struct {
	Type           string `json:"@type,omitzero"`
	Name           string `json:"name,omitzero"`
	SubscriptionID id.ID  `json:"subscriptionId"`
	// UsageType is monetary, voice, data or sms.
	UsageType string `json:"usageType"`
	// Unit is what the ledger counts: a currency (in micros), seconds, bytes, messages.
	Unit      string       `json:"unit"`
	Status    Status       `json:"status"`
	Remaining sid.Quantity `json:"remainingValue"`
	Reserved  sid.Quantity `json:"reservedValue"`
	// Granted is what the bucket was opened with.
	Granted  sid.Quantity `json:"grantedValue"`
	ValidFor *sid.Period  `json:"validFor,omitzero"`
	IsShared bool         `json:"isShared"`
	Product  []sid.Ref    `json:"product,omitzero"`
	// PartyAccount is the account that holds the line.
	PartyAccount *sid.Ref `json:"partyAccount,omitzero"`
	// Offering is what granted it.
	Offering *sid.Ref `json:"productOffering,omitzero"`
	Rest     sid.Rest `json:",embed"`
}

// Monetary reports whether the bucket holds money.
func (b Bucket) Monetary() bool { return b.UsageType == "monetary" }

// Decimal shows a count of ledger units as people write it: micros as "12.50", all else as whole numbers.
func Decimal(unit string, count int64) string {
	if c := money.Currency(unit); c.Valid() {
		return money.OfMicros(count, c).Decimal()
	}
	return strconv.FormatInt(count, 10)
}

// Quantity is Decimal as a quantity of the wire.
func Quantity(unit string, count int64) sid.Quantity {
	return sid.Quantity{Amount: jsontext.Value(Decimal(unit, count)), Units: unit}
}

// Service is all buckets and what moves them.
type Service struct {
	Buckets *resource.Set[Bucket]
	Topups  *resource.Set[Topup]
	store   *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store) *Service {
	line := map[string]string{"subscriptionId": "subscription_id"}
	return &Service{
		store: s,
		Buckets: resource.New(s, store.Definition{Kind: BucketKind, Table: "bucket", Indexed: line}, resource.Rules[Bucket]{
			Domain: "prepayBalanceManagement",
			Home:   func(v *Bucket) (id.Home, bool) { return v.SubscriptionID.Home() },
			Remove: func(context.Context, *Bucket) error { return kept("bucket") },
			State:  func(v *Bucket) string { return string(v.Status) },
			Fixed:  []string{"subscriptionId", "usageType", "unit", "remainingValue", "reservedValue", "grantedValue"},
		}),
		Topups: resource.New(s, store.Definition{Kind: TopupKind, Table: "topup", Indexed: line}, resource.Rules[Topup]{
			Domain: "prepayBalanceManagement",
			Home:   func(v *Topup) (id.Home, bool) { return v.SubscriptionID.Home() },
			Remove: func(context.Context, *Topup) error { return kept("top-up") },
			State:  func(v *Topup) string { return v.Status },
			Fixed:  []string{"subscriptionId", "amount", "usageType", "status", "reference", "bucket", "product"},
		}),
	}
}

// kept refuses a deletion: the ledger speaks of the thing for ever.
func kept(what string) error {
	return fault.Conflictf(CodeInLedger, "a %s is part of the ledger and is never deleted", what)
}

// Cause is what a posting follows from.
type Cause struct {
	// Kind and ID name it: "productOrder" and the order's id.
	Kind, ID string
	// Text says it in words, for people.
	Text string
}

// Holder is the line whose buckets they are.
type Holder struct {
	Subscription, Account, Offering id.ID
	OfferingName                    string
}

// Grant is a bucket to open.
type Grant struct {
	Name      string
	UsageType string
	Unit      string
	Amount    int64
	// End is when the bucket's validity ends; nil has no end.
	End *time.Time
}

// Open opens a bucket with what it is granted. The grant of nothing opens an empty bucket.
func (s *Service) Open(ctx context.Context, h Holder, g Grant, c Cause) (id.ID, error) {
	var i id.ID
	err := s.store.Write(ctx, func(ctx context.Context) (err error) {
		now := s.store.Now(ctx)
		b := Bucket{
			Type: "Bucket", Name: g.Name, SubscriptionID: h.Subscription, UsageType: g.UsageType, Unit: g.Unit, Status: Active,
			Remaining: Quantity(g.Unit, 0), Reserved: Quantity(g.Unit, 0), Granted: Quantity(g.Unit, g.Amount),
			ValidFor:     &sid.Period{Start: &now, End: g.End},
			Product:      []sid.Ref{{ID: string(h.Subscription)}},
			PartyAccount: &sid.Ref{ID: string(h.Account)},
		}
		if h.Offering != "" {
			b.Offering = &sid.Ref{ID: string(h.Offering), Name: h.OfferingName}
		}
		if i, _, err = s.Buckets.Add(ctx, &b); err != nil || g.Amount == 0 {
			return err
		}
		return s.Move(ctx, c, Movement{Bucket: i, Amount: g.Amount, Against: Issued})
	})
	return i, err
}
