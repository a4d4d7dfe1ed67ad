// Package balance keeps what a line may spend: buckets of money, voice, data and messages (TMF654 Prepay
// Balance), each an account of a double-entry ledger. A bucket's remainingValue is its ledger balance,
// written in the transaction that moved it.
package balance

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// domain is what events call the API.
const domain = "prepayBalanceManagement"

// The id kinds of this package.
var (
	BucketKind   = id.Kind{Name: "bucket", Prefix: "bkt"}
	TopupKind    = id.Kind{Name: "topupBalance", Prefix: "top"}
	AdjustKind   = id.Kind{Name: "adjustBalance", Prefix: "adj"}
	ReserveKind  = id.Kind{Name: "reserveBalance", Prefix: "rbl"}
	TransferKind = id.Kind{Name: "transferBalance", Prefix: "xfr"}
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
	// Used is what they used of bundles: seconds, bytes, messages.
	Used = "sys:used"
	// Lapsed is what was left of buckets that ended.
	Lapsed = "sys:expired"
	// Adjusted is what was given or taken by hand.
	Adjusted = "sys:adjusted"
	// TransferFees is what transfers cost.
	TransferFees = "sys:transferFees"
	// InTransit is what is on its way between lines of different homes: no balance of one home, and none in all.
	InTransit = "sys:transit"
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

// Parts are what balances need of other domains.
type Parts struct {
	Providers *provider.Service
	// Line finds a line by its id, or by its mobile number in any spelling; a NotFound or Invalid fault when there is
	// none.
	Line func(ctx context.Context, text string) (Holder, error)
	// Lines are those of an account.
	Lines func(ctx context.Context, account id.ID) ([]Holder, error)
}

// Vouchers spends vouchers for top-ups.
type Vouchers interface {
	// Admit decides whether a line may try a code. It counts a bad one, in the transaction of ctx: what it refuses must
	// not undo that.
	Admit(ctx context.Context, line id.ID, code string) error
	// Redeem spends a voucher on a line, and has pay pay what it is worth under the voucher's serial number.
	Redeem(ctx context.Context, line id.ID, code string, pay func(ctx context.Context, worth money.Amount, serial string) (id.ID, error)) error
}

// Service is all buckets and what moves them.
type Service struct {
	Buckets      *resource.Set[Bucket]
	Topups       *resource.Set[Topup]
	Adjustments  *resource.Set[Adjustment]
	Reservations *resource.Set[Reserve]
	Transfers    *resource.Set[Transfer]

	store    *store.Store
	parts    Parts
	vouchers Vouchers
}

// TakeVouchers lets top-ups be paid with vouchers; call it once, before the store is used.
func (s *Service) TakeVouchers(v Vouchers) { s.vouchers = v }

// New makes the service on a store; call it once, before the store is used.
func New(st *store.Store, parts Parts) *Service {
	s := &Service{store: st, parts: parts}
	s.Buckets = resource.New(st, store.Definition{
		Kind: BucketKind, Table: "bucket", Quiet: true, Loose: loose,
		Indexed: map[string]string{"subscriptionId": "subscription_id", "heldBy": "held_by"},
	}, resource.Rules[Bucket]{
		Domain: domain,
		Home:   func(v *Bucket) (id.Home, bool) { return v.SubscriptionID.Home() },
		Remove: func(context.Context, *Bucket) error {
			return fault.Conflictf(CodeInLedger, "a bucket is part of the ledger and is never deleted")
		},
		State: func(v *Bucket) string { return string(v.Status) },
		Fixed: []string{"subscriptionId", "heldBy", "usageType", "unit", "remainingValue", "reservedValue", "grantedValue"},
	})
	s.Topups = tasks(s, TopupKind, "topup", func(v *Topup) *Task { return &v.Task }, resource.Rules[Topup]{
		Create: s.createTopup, Change: s.changeTopup,
		Fixed: []string{"reference", "recurringPeriod", "isAutoTopup", "voucher", "periodsDone"},
	})
	s.Adjustments = tasks(s, AdjustKind, "adjust_balance", func(v *Adjustment) *Task { return &v.Task }, resource.Rules[Adjustment]{
		Create: s.createAdjustment, Change: s.changeAdjustment, Fixed: []string{"adjustType", "validFor"},
	})
	s.Reservations = tasks(s, ReserveKind, "reserve_balance", func(v *Reserve) *Task { return &v.Task }, resource.Rules[Reserve]{
		Create: s.createReserve, Change: s.changeReserve, Fixed: []string{"ledgerAccount"},
	})
	s.Transfers = tasks(s, TransferKind, "transfer_balance", func(v *Transfer) *Task { return &v.Task }, resource.Rules[Transfer]{
		Create: s.createTransfer, Change: s.changeTransfer, Fixed: []string{"receiverBucket", "receiverBucketUsageType", "receiverLogicalResource", "receiverProduct", "transferCost", "costOwner"},
	})
	return s
}

// tasks makes the set of one kind of task.
func tasks[T any](s *Service, kind id.Kind, table string, of func(*T) *Task, r resource.Rules[T]) *resource.Set[T] {
	r.Domain = domain
	r.Home = func(v *T) (id.Home, bool) { return of(v).home() }
	r.State = func(v *T) string { return of(v).Status }
	r.Fixed = append(r.Fixed, "subscriptionId", "usageType", "bucket", "product", "failure", "requestedDate", "confirmationDate")
	r.Remove = func(_ context.Context, v *T) error {
		if of(v).Status == Created {
			return fault.Conflictf(CodeTaskState, "cancel the %s before it is deleted", kind.Name).At("status")
		}
		return nil
	}
	r.After = func(ctx context.Context, i id.ID, prev, next *T) error {
		if next == nil {
			return nil
		}
		var was *Task
		if prev != nil {
			was = of(prev)
		}
		return s.told(ctx, kind, i, was, *of(next), next)
	}
	return resource.New(s.store, store.Definition{
		Kind: kind, Table: table, Loose: loose, Indexed: map[string]string{"subscriptionId": "subscription_id"},
	}, r)
}

// Cause is what a posting follows from.
type Cause struct {
	// Kind and ID name it: "productOrder" and the order's id.
	Kind, ID string
	// Text says it in words, for people.
	Text string
	// At is when what it tells of was, when that is not now: usage comes late.
	At time.Time
}

// Holder is the line whose buckets they are.
type Holder struct {
	Subscription, Account, Offering id.ID
	OfferingName                    string
	// Number is the line's mobile number; it may be empty.
	Number string
	// Ended says that the line is gone: nothing is opened for it any more.
	Ended bool
}

// Grant is a bucket to open.
type Grant struct {
	Name      string
	UsageType string
	Unit      string
	Amount    int64
	// Start is when it can first be spent (nil: now), End when its validity ends; nil has no end.
	Start, End *time.Time
	// From is the ledger account it comes out of: Issued when empty.
	From string
	// Offering is what grants it, Product which of the add-ons that the line holds; empty: the plan.
	Offering     id.ID
	OfferingName string
	Product      id.ID
	// Group has all lines of the account share it.
	Group bool
	// Zones, Roaming and Priority are the allowance's.
	Zones, Roaming []string
	Priority       int
	Rollover       *Rollover
	// Promotional says that it is given, not bought.
	Promotional bool

	rolledOver bool
}

// Open opens a bucket with what it is granted. The grant of nothing opens an empty bucket. The offering of the
// holder is the grant's when that names none.
func (s *Service) Open(ctx context.Context, h Holder, g Grant, c Cause) (id.ID, error) {
	if g.Offering == "" {
		g.Offering, g.OfferingName = h.Offering, h.OfferingName
	}
	var i id.ID
	err := s.store.Write(ctx, func(ctx context.Context) error {
		rules, err := s.parts.Providers.Rules(ctx)
		if err != nil {
			return err
		}
		w, err := s.wallet(ctx, h.Subscription, h.Account, nil, rules)
		if err != nil {
			return err
		}
		b, err := w.Open(g, c)
		if err != nil {
			return err
		}
		i = b.ID
		return s.Save(ctx, w)
	})
	return i, err
}
