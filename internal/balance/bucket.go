package balance

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Status is where a bucket stands (TMF654 BucketStatusType).
type Status string

// The states of a bucket.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
	Expired   Status = "expired"
)

// The usage types of buckets (TMF654 UsageType).
const (
	Monetary = "monetary"
	Voice    = "voice"
	Data     = "data"
	SMS      = "sms"
	Other    = "other"
)

// Bucket is a quantity of one unit that a line may spend (TMF654 Bucket). The attributes from HeldBy on, beside
// those of the standard, extend it.
type Bucket struct {
	Type        string `json:"@type,omitzero"`
	Name        string `json:"name,omitzero"`
	Description string `json:"description,omitzero"`
	// SubscriptionID is its line; a bucket of something that is kept elsewhere has none.
	SubscriptionID id.ID `json:"subscriptionId,omitzero"`
	// HeldBy is who may spend it: the line or, when it is shared, the account, or the bucket itself when it has no line.
	// An expired bucket has none.
	HeldBy id.ID `json:"heldBy,omitzero"`
	// UsageType is monetary, voice, data, sms or other.
	UsageType string `json:"usageType"`
	// Unit is what the ledger counts: a currency (in micros), seconds, bytes, messages.
	Unit   string `json:"unit"`
	Status Status `json:"status"`
	// Remaining can be spent, Reserved is set aside beside it.
	Remaining sid.Quantity `json:"remainingValue"`
	Reserved  sid.Quantity `json:"reservedValue"`
	// Granted is what the bucket was opened with.
	Granted  sid.Quantity `json:"grantedValue"`
	ValidFor *sid.Period  `json:"validFor,omitzero"`
	IsShared bool         `json:"isShared"`
	Product  []sid.Ref    `json:"product,omitzero"`
	// LogicalResource is what the client said that it is for.
	LogicalResource []sid.Ref `json:"logicalResource,omitzero"`
	// PartyAccount is the account that holds the line.
	PartyAccount *sid.Ref `json:"partyAccount,omitzero"`
	// Offering is what granted it, HeldProduct which of the add-ons that the line holds; empty: the plan.
	Offering    *sid.Ref `json:"productOffering,omitzero"`
	HeldProduct id.ID    `json:"heldProduct,omitzero"`
	// OpenedByKind and OpenedBy are the cause that opened it.
	OpenedByKind string `json:"openedByKind,omitzero"`
	OpenedBy     string `json:"openedBy,omitzero"`
	// Zones and Roaming are what it is good for, as its allowance says; Priority orders consumption.
	Zones    []string `json:"zones,omitzero"`
	Roaming  []string `json:"roaming,omitzero"`
	Priority int      `json:"priority,omitzero"`
	// IsPromotional says that it was given, not bought.
	IsPromotional bool `json:"isPromotional,omitzero"`
	// Rollover is what becomes of the rest at its end; RolledOver says that it is itself such a rest.
	Rollover   *Rollover `json:"rollover,omitzero"`
	RolledOver bool      `json:"isRollover,omitzero"`
	// CreditLimit is how far below zero the money may go.
	CreditLimit *sid.Quantity `json:"creditLimit,omitzero"`
	// Spending is what was spent on usage in the months that still count, the newest first.
	Spending []Spending `json:"usageSpending,omitzero"`
	// FullValue is what a threshold of 100 % would be: what was granted or, of money, what it held after it was
	// last paid into.
	FullValue *sid.Quantity `json:"fullValue,omitzero"`
	// Told is the lowest threshold below which its holder was told that it is, in percent.
	Told *int `json:"thresholdTold,omitzero"`
	// Watch has it told when it falls below an amount.
	Watch *Watch `json:"lowBalance,omitzero"`
	// Reservations are what makes up Reserved.
	Reservations []Reservation `json:"reservation,omitzero"`
	// LastActivity is when it was last used or paid into.
	LastActivity *time.Time `json:"lastActivity,omitzero"`
	Rest         sid.Rest   `json:",embed"`
}

// Rollover lets what is left of a bucket live on when it ends.
type Rollover struct {
	// Periods is how many further periods, each as long as the bucket's, the rest lives.
	Periods int `json:"periods"`
	// Max is the most that is carried over, in ledger units; 0 is no bound.
	Max int64 `json:"max,omitzero"`
	// Until is when the rest ends, when that is not so many times the bucket's length after its end: months differ.
	Until *time.Time `json:"until,omitzero"`
}

// Spending is what was spent on usage in a calendar month ("2026-11") of the service provider's time zone.
type Spending struct {
	Month  string       `json:"month"`
	Amount sid.Quantity `json:"amount"`
}

// Reservation is a part of a bucket that is set aside; Amount is in ledger units.
type Reservation struct {
	By     id.ID `json:"reservedBy"`
	Amount int64 `json:"amount"`
}

// Monetary reports whether the bucket holds money.
func (b Bucket) Monetary() bool { return b.UsageType == Monetary }

// Ended reports whether its validity was over at t.
func (b Bucket) Ended(t time.Time) bool {
	return b.ValidFor != nil && b.ValidFor.End != nil && !t.Before(*b.ValidFor.End)
}

// Spendable reports whether it may be spent at t.
func (b Bucket) Spendable(t time.Time) bool {
	return b.Status == Active && (b.ValidFor == nil || b.ValidFor.Contains(t))
}

// payable reports whether it may pay now for what was at a moment (zero: now). Usage is told of late: what was good when
// it was, and has not lapsed since, pays for it.
func (b Bucket) payable(at, now time.Time) bool {
	return b.Spendable(now) || !at.IsZero() && b.Spendable(at)
}

// Scope is "personal", "rollover" or "group".
func (b Bucket) Scope() string {
	switch {
	case b.IsShared:
		return "group"
	case b.RolledOver:
		return "rollover"
	}
	return "personal"
}

var scopeOrder = map[string]int{"rollover": 0, "personal": 1, "group": 2}

// inOrder sorts buckets as they are consumed.
func inOrder(held []*Held) {
	slices.SortStableFunc(held, func(a, b *Held) int {
		return cmp.Or(
			cmp.Compare(a.Bucket.Priority, b.Bucket.Priority),
			compareEnds(a.Bucket, b.Bucket),
			cmp.Compare(scopeOrder[a.Bucket.Scope()], scopeOrder[b.Bucket.Scope()]),
			strings.Compare(string(a.ID), string(b.ID)),
		)
	})
}

// compareEnds puts what ends first first, and what has no end last.
func compareEnds(a, b Bucket) int {
	x, y := a.end(), b.end()
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil:
		return 1
	case y == nil:
		return -1
	}
	return x.Compare(*y)
}

func (b Bucket) end() *time.Time {
	if b.ValidFor == nil {
		return nil
	}
	return b.ValidFor.End
}

// set updates what is reserved by one reservation; 0 takes it off.
func (b *Bucket) set(by id.ID, amount int64) {
	b.Reservations = slices.Clone(b.Reservations)
	i := slices.IndexFunc(b.Reservations, func(r Reservation) bool { return r.By == by })
	switch {
	case amount == 0 && i >= 0:
		b.Reservations = slices.Delete(b.Reservations, i, i+1)
	case i >= 0:
		b.Reservations[i].Amount = amount
	case amount != 0:
		b.Reservations = append(b.Reservations, Reservation{By: by, Amount: amount})
	}
}

// reserved is what one reservation has set aside.
func (b Bucket) reserved(by id.ID) int64 {
	for _, r := range b.Reservations {
		if r.By == by {
			return r.Amount
		}
	}
	return 0
}

// allReserved is what all reservations have set aside.
func (b Bucket) allReserved() (sum int64) {
	for _, r := range b.Reservations {
		sum += r.Amount
	}
	return sum
}
