// Package referral rewards customers who bring others: each has a code, who comes with it names it, and both get what
// the service provider's policy says, once.
//
// A customer is referred once and by somebody else. The bonuses of both sides are booked in the transaction that
// earns them, or in that of the day they fall due.
package referral

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The id kinds of this package.
var (
	Kind     = id.Kind{Name: "referral", Prefix: "rfl"}
	CodeKind = id.Kind{Name: "referralCode", Prefix: "rfc"}
)

// What is unique at a service provider: codes, the code of a customer, and that a customer, or the person or firm that
// it is, was referred.
const (
	codeClaim     = "referral.code"
	customerClaim = "referral.codeOf"
	referredClaim = "referral.referred"
)

// State is where a referral stands.
type State string

// The states. A referral is Pending until its bonuses fall due. Refused is one that came with an order and was not due to
// either side: the order is carried out all the same.
const (
	Pending  State = "PENDING"
	Awarded  State = "AWARDED"
	Refused  State = "REFUSED"
	Forfeit  State = "FORFEITED"
	Revoked  State = "REVOKED"
	referrer       = "referrer"
	referred       = "referred"
)

const (
	// CodeUnknown is a referral code that nobody has, or that is not taken any more.
	CodeUnknown fault.Code = "referralCodeUnknown"
	// CodeNone is a service provider that rewards nobody.
	CodeNone fault.Code = "referralNotAvailable"
	// CodeSelf is somebody who names themselves.
	CodeSelf fault.Code = "selfReferral"
	// CodeTwice is a customer who was referred before.
	CodeTwice fault.Code = "alreadyReferred"
	// CodeNotEligible is a referrer who has no line that a bonus could go to, or a line that is not new any more.
	CodeNotEligible fault.Code = "notEligibleForReferral"
	// CodeLimit is a referrer who was rewarded as often as the service provider rewards one.
	CodeLimit fault.Code = "referralLimitReached"
)

// Code is what a customer gives to others. It is no secret, but cannot be guessed.
type Code struct {
	Type       string    `json:"@type,omitzero"`
	Code       string    `json:"referralCode"`
	CustomerID id.ID     `json:"customerId"`
	Created    time.Time `json:"creationDate"`
	// Count is how many referrals count against the limits, in all and in Month (2026-11, the service provider's).
	Count   int      `json:"referralCount,omitzero"`
	Month   string   `json:"month,omitzero"`
	InMonth int      `json:"referralCountOfMonth,omitzero"`
	Rest    sid.Rest `json:",embed"`
}

// Referral is that one customer brought another.
type Referral struct {
	Type   string `json:"@type,omitzero"`
	Status State  `json:"status"`
	// Reason says why it was refused, forfeited or revoked.
	Reason string `json:"statusReason,omitzero"`
	Code   string `json:"referralCode"`
	// ReferrerID and ReferredID are the customers, Account and Line those of the referred one.
	ReferrerID id.ID `json:"referrerId"`
	ReferredID id.ID `json:"referredId"`
	Account    id.ID `json:"accountID"`
	Line       id.ID `json:"subscriptionId"`
	// Party is the person or firm that the referred customer is.
	Party   id.ID     `json:"partyId,omitzero"`
	Created time.Time `json:"creationDate"`
	// Month is the one that it counts in.
	Month string `json:"month"`
	// Due is when its bonuses are paid, Closed when they were, or when it ended otherwise.
	Due    time.Time  `json:"dueDate,omitzero"`
	Closed *time.Time `json:"closedDate,omitzero"`
	// Promised is what both were promised when it was made; later policies change nothing of it.
	Promised Promise `json:"promised"`
	// Bonuses are what was paid.
	Bonuses []Bonus  `json:"bonus,omitzero"`
	Rest    sid.Rest `json:",embed"`
}

// Promise is what both sides get.
type Promise struct {
	Referrer provider.ReferralBonus `json:"referrer,omitzero"`
	Referred provider.ReferralBonus `json:"referred,omitzero"`
}

// Bonus is one thing that was paid to one side.
type Bonus struct {
	// Side is "referrer" or "referred", Line the one that it was paid to.
	Side string `json:"side"`
	Line id.ID  `json:"subscriptionId"`
	// Bucket is the balance that it went to: the money, or what the add-on opened.
	Bucket id.ID         `json:"bucketID"`
	Amount *money.Amount `json:"amount,omitzero"`
	// AddOn is the key of the add-on that it is an allowance of, Name the allowance's.
	AddOn string `json:"addOn,omitzero"`
	Name  string `json:"name,omitzero"`
	// TakenBack is what of the money was taken back when the referral was revoked.
	TakenBack *money.Amount `json:"takenBack,omitzero"`
}

// Parts are the domains that referrals span.
type Parts struct {
	Providers     *provider.Service
	Customers     *customer.Service
	Accounts      *account.Service
	Catalog       *catalog.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
}

// Service is all referrals.
type Service struct {
	Parts
	Codes     *resource.Set[Code]
	Referrals *resource.Set[Referral]
	store     *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	r := &Service{Parts: p, store: s}
	kept := func(what string) error {
		return fault.Conflictf(CodeTwice, "a %s is never deleted", what)
	}
	r.Codes = resource.New(s, store.Definition{
		Kind: CodeKind, Table: "referral_code", Indexed: map[string]string{"customerId": "customer_id"},
		Loose: []string{"customerId"},
	}, resource.Rules[Code]{
		Domain: "referral", Home: func(v *Code) (id.Home, bool) { return v.CustomerID.Home() },
		Remove: func(context.Context, *Code) error { return kept("referral code") },
	})
	r.Referrals = resource.New(s, store.Definition{
		Kind: Kind, Table: "referral", Indexed: map[string]string{"referrerId": "referrer_id", "referredId": "referred_id"},
		Loose: []string{"referrerId", "referredId", "accountID", "subscriptionId", "partyId", "bonus"},
	}, resource.Rules[Referral]{
		Domain: "referral", Home: func(v *Referral) (id.Home, bool) { return v.ReferredID.Home() },
		Remove: func(context.Context, *Referral) error { return kept("referral") },
		After:  r.after,
		State:  func(v *Referral) string { return string(v.Status) },
	})
	return r
}

// JobPay is the kind of job that pays bonuses which fall due later.
const JobPay = "referral.pay"

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{JobPay: s.due} }
