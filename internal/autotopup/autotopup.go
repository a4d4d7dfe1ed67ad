// Package autotopup keeps payment schedules: automatic top-ups of a line that a stored payment method pays, once at a
// date, every week, fortnight or month, or whenever the line's money is low. What is refused is tried again by a ladder
// of days, then the schedule is suspended.
package autotopup

import (
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Kind is the id kind of schedules.
var Kind = id.Kind{Name: "paymentSchedule", Prefix: "psc"}

// The refusals of schedules, as operators' systems know them.
const (
	// CodeNoAccount is an account that there is not.
	CodeNoAccount fault.Code = "noSuchAccount"
	// CodeNoSubscription is a line that there is not.
	CodeNoSubscription fault.Code = "noSuchSubscription"
	// CodeNotResponsible is an account that does not pay for the line.
	CodeNotResponsible fault.Code = "nonResponsibleAccount"
	// CodeNoToken is a payment token that there is not, or not at the line's account.
	CodeNoToken fault.Code = "noSuchToken"
	// CodeNoSchedule is a schedule that there is not.
	CodeNoSchedule fault.Code = "noSuchSchedule"
	// CodeNotAllowed is a line that cannot have a schedule, or has one.
	CodeNotAllowed fault.Code = "creationNotAllowed"
	// CodeState is a change that the state of a schedule forbids.
	CodeState fault.Code = "scheduleState"
)

// Status is where a schedule stands.
type Status string

// The states of a schedule. One that is active or suspended is its line's; the others are history.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
	// Completed is one whose date is past and paid.
	Completed Status = "completed"
	// Ended is one whose line or token is gone.
	Ended Status = "ended"
)

// Why a schedule is in its state.
const (
	// BecauseAsked is what somebody wanted.
	BecauseAsked = "requested"
	// BecauseRefused is a payment that was refused to the end.
	BecauseRefused = "paymentRefused"
	// BecauseToken is a token that was deleted, BecauseLine a line that is gone.
	BecauseToken = "tokenDeleted"
	BecauseLine  = "subscriptionEnded"
)

// Trigger is what makes a top-up due.
type Trigger string

// The triggers.
const (
	ByDate     Trigger = "byDate"
	Recurring  Trigger = "recurring"
	LowBalance Trigger = "lowBalance"
)

// Schedule is an automatic top-up of a line.
type Schedule struct {
	Type           string       `json:"@type,omitzero"`
	Status         Status       `json:"status"`
	Reason         string       `json:"statusReason,omitzero"`
	AccountID      id.ID        `json:"accountID"`
	SubscriptionID id.ID        `json:"subscriptionId"`
	TokenID        id.ID        `json:"tokenID"`
	Amount         money.Amount `json:"amount"`
	Trigger        Trigger      `json:"scheduleType"`
	// Anchor is the date, or the moment from which those that recur are reckoned.
	Anchor *time.Time `json:"anchorDate,omitzero"`
	// Period is weekly, fortnightly or monthly.
	Period string `json:"recurringPeriod,omitzero"`
	// Threshold is what the line's money falls below when it is low.
	Threshold *money.Amount `json:"threshold,omitzero"`
	// DailyLimit and MonthlyLimit are the most top-ups by low balance in a day and in a calendar month, 0 where the
	// service provider's hold.
	DailyLimit   int `json:"dailyLimit,omitzero"`
	MonthlyLimit int `json:"monthlyLimit,omitzero"`
	// Next is when a payment is due; nil while one is under way, and while the balance is not low.
	Next *time.Time `json:"nextApplication,omitzero"`
	// Payment is the one under way; there is one at most.
	Payment id.ID `json:"paymentUnderWay,omitzero"`
	// Due is the moment that Payment, or the first that was refused, was due for, and Charges how many payments began.
	Due     *time.Time `json:"due,omitzero"`
	Charges int        `json:"charges,omitzero"`
	// Refusal is what became of the last payment, if it was refused.
	Refusal *Refusal `json:"refusal,omitzero"`
	// Applications counts what was paid, Last was the last of it, and Counted how many there were in its day and month.
	Applications int          `json:"applications"`
	Last         *Application `json:"lastApplication,omitzero"`
	Counted      *Counted     `json:"counted,omitzero"`
	Created      time.Time    `json:"creationDate"`
	Rest         sid.Rest     `json:",embed"`
}

// Refusal is how often a payment was refused, and why last.
type Refusal struct {
	Times   int       `json:"times"`
	Date    time.Time `json:"date"`
	Reason  string    `json:"reason,omitzero"`
	Payment id.ID     `json:"payment,omitzero"`
}

// Application is a top-up that was paid.
type Application struct {
	Date    time.Time `json:"date"`
	Payment id.ID     `json:"payment"`
}

// Counted is how many top-ups there were in a day ("2026-11-22") and a month ("2026-11") of the service provider's time
// zone.
type Counted struct {
	Day     string `json:"day"`
	InDay   int    `json:"inDay"`
	Month   string `json:"month"`
	InMonth int    `json:"inMonth"`
}

// holds reports whether the schedule is its line's.
func (v *Schedule) holds() bool { return v != nil && (v.Status == Active || v.Status == Suspended) }

// Parts are the domains that schedules span.
type Parts struct {
	Providers     *provider.Service
	Accounts      *account.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
	Renewals      *renewal.Service
	Payments      *payment.Service
	// Messages tells customers; nil: nobody is told.
	Messages *message.Service
}

// Service is all schedules.
type Service struct {
	Schedules *resource.Set[Schedule]
	Parts
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	a := &Service{store: s, Parts: p}
	a.Schedules = resource.New(s, store.Definition{
		Kind: Kind, Table: "payment_schedule",
		Indexed: map[string]string{"subscriptionId": "subscription_id", "accountID": "account_id", "tokenID": "token_id"},
	}, resource.Rules[Schedule]{
		Domain: "paymentManagement",
		Home:   func(v *Schedule) (id.Home, bool) { return v.SubscriptionID.Home() },
		After:  a.after,
		State:  func(v *Schedule) string { return string(v.Status) },
	})
	s.React(a.low, balance.LowBalanceEvent)
	s.React(a.moved, event.TypeOf(subscription.Kind.Name, event.State))
	s.React(a.paid, event.TypeOf(payment.Kind.Name, event.State))
	s.React(a.tokenGone, event.TypeOf(payment.TokenKind.Name, event.Delete))
	return a
}
