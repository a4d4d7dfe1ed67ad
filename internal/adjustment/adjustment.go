// Package adjustment lets people give to a line's balance and take from it, money or allowances, under four eyes: who
// asks has limits, and above them somebody else approves.
//
// What needs no approval is carried out at once. A request above that waits, may be edited, and is approved or rejected
// by somebody who neither asked for it nor edited it, within the limits that hold then.
package adjustment

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The id kinds of this package.
var (
	Kind      = id.Kind{Name: "adjustment", Prefix: "ajm"}
	tallyKind = id.Kind{Name: "adjustmentTally", Prefix: "ajt"}
)

// What is unique at a service provider: the names that clients give to adjustments of a line, and the tally of a line.
const (
	referenceClaim = "adjustment.reference"
	tallyClaim     = "adjustment.tally"
)

// State is where an adjustment stands.
type State string

// The states. Created and Approved are passed through: what is created waits or is carried out, and what is approved is
// carried out, in the same transaction.
const (
	Created   State = "CREATED"
	Pending   State = "PENDING_APPROVAL"
	Approved  State = "APPROVED"
	Rejected  State = "REJECTED"
	Completed State = "COMPLETED"
	Failed    State = "FAILED"
)

// States are all states in the order of their numbers: 0 is Created.
func States() []State { return []State{Created, Pending, Approved, Rejected, Completed, Failed} }

const (
	// CodeReason is a reason that the service provider does not have, or not for this.
	CodeReason fault.Code = "reasonNotAllowed"
	// CodeNotAllowed is an adjustment that nobody with the caller's roles may ask for, or decide.
	CodeNotAllowed fault.Code = "adjustmentNotAllowed"
	// CodeAboveLimit is more than may be asked for, or approved.
	CodeAboveLimit fault.Code = "aboveLimit"
	// CodeReference is a reference that came before with other content.
	CodeReference fault.Code = "referenceReused"
	// CodeDecided is a change of what was decided.
	CodeDecided fault.Code = "adjustmentDecided"
	// CodeSamePerson is the approval of what one has asked for or edited.
	CodeSamePerson fault.Code = "approverIsRequester"
	// CodeVersion is an approval that does not say which version was seen of what was edited.
	CodeVersion fault.Code = "versionNeeded"
	// CodeLine is a line that has ended, or is another account's.
	CodeLine fault.Code = "subscriptionStateNotAllowed"
)

// Adjustment is so much that is given to a line's balance or taken from it by hand.
type Adjustment struct {
	Type           string `json:"@type,omitzero"`
	Status         State  `json:"status"`
	AccountID      id.ID  `json:"accountID"`
	SubscriptionID id.ID  `json:"subscriptionId"`
	MobileNumber   string `json:"mobileNumber,omitzero"`
	Asked
	// BucketName is the balance's name; Count is the amount in what the ledger counts of its Unit.
	BucketName string `json:"bucketName,omitzero"`
	Unit       string `json:"unit"`
	Count      int64  `json:"count"`
	// Bundle says that it is of an allowance and not of money.
	Bundle bool `json:"bundleAdjustment"`
	// Reference is the client's own name for it, unique at the line.
	Reference     string      `json:"externalTransactionNumber,omitzero"`
	RequestedBy   scope.Actor `json:"requestedBy"`
	RequestedDate time.Time   `json:"requestedDate"`
	// EditedBy are those who changed what is asked for, in their order.
	EditedBy []scope.Actor `json:"editedBy,omitzero"`
	// First is what was asked for at first, once that was edited.
	First *Asked `json:"firstAsked,omitzero"`
	// Roles are those roles of who asked last that the limits of the service provider spoke of then.
	Roles []string `json:"requestedAs,omitzero"`
	// DecidedBy is who approved or rejected it, with Version being the version that was decided about.
	DecidedBy    *scope.Actor `json:"decidedBy,omitzero"`
	DecidedDate  *time.Time   `json:"decidedDate,omitzero"`
	DecisionNote string       `json:"decisionNote,omitzero"`
	Version      int64        `json:"decidedVersion,omitzero"`
	// Expires is when it is rejected unless somebody has decided.
	Expires    *time.Time `json:"expiresAt,omitzero"`
	Completion *time.Time `json:"completionDate,omitzero"`
	Failure    *Failure   `json:"failure,omitzero"`
	// Trail is the states that it went through.
	Trail []Step   `json:"statusHistory"`
	Rest  sid.Rest `json:",embed"`
}

// Asked is what may be edited until it is decided.
type Asked struct {
	// BucketID is the balance meant. Without one it is the main money balance or, with a UsageType, the first of it that
	// is used up.
	BucketID  id.ID  `json:"bucketID,omitzero"`
	UsageType string `json:"usageType,omitzero"`
	// Amount is negative for what is taken; it stays as the client wrote it: 2 GB.
	Amount sid.Quantity `json:"amount"`
	Reason string       `json:"reasonCode"`
	Note   string       `json:"csrInput,omitzero"`
}

// Failure is why an approved adjustment was not carried out.
type Failure struct {
	Code fault.Code `json:"code"`
	// Reason is for people.
	Reason string `json:"reason"`
}

// Step is a state that was entered.
type Step struct {
	Status State     `json:"status"`
	At     time.Time `json:"at"`
	// By is who brought it about; the subject is "system" for what the time did.
	By   scope.Actor `json:"by"`
	Note string      `json:"note,omitzero"`
}

// Parts are the domains that adjustments span.
type Parts struct {
	Providers     *provider.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
}

// Service is all adjustments.
type Service struct {
	Parts
	Adjustments *resource.Set[Adjustment]

	store   *store.Store
	tallies *store.Collection[tally]
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	a := &Service{
		Parts: p, store: s,
		tallies: store.NewCollection[tally](s, store.Definition{Kind: tallyKind, Table: "adjustment_tally", Quiet: true}),
	}
	a.Adjustments = resource.New(s, store.Definition{
		Kind: Kind, Table: "adjustment", Indexed: map[string]string{"subscriptionId": "subscription_id", "status": "status"},
	}, resource.Rules[Adjustment]{
		Domain: "prepayBalanceManagement",
		Home:   func(v *Adjustment) (id.Home, bool) { return v.SubscriptionID.Home() },
		Create: a.begin,
		Remove: func(context.Context, *Adjustment) error {
			return fault.Conflictf(CodeDecided, "an adjustment is never deleted: reject it instead")
		},
		After: a.after,
		State: func(v *Adjustment) string { return string(v.Status) },
	})
	return a
}

// JobExpire is the kind of job that rejects what nobody decided.
const JobExpire = "adjustment.expire"

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{JobExpire: s.expire} }

// enter brings an adjustment to a state.
func (v *Adjustment) enter(to State, at time.Time, by scope.Actor, note string) {
	v.Status = to
	v.Trail = append(v.Trail[:len(v.Trail):len(v.Trail)], Step{Status: to, At: at, By: by, Note: note})
}

// decide notes who decided about which version.
func (v *Adjustment) decide(to State, d store.Doc, at time.Time, by scope.Actor, note string) {
	v.DecidedBy, v.DecidedDate, v.DecisionNote, v.Version, v.Expires = &by, &at, note, d.Version, nil
	v.enter(to, at, by, note)
}

// actor is who asks.
func actor(ctx context.Context) (scope.Actor, scope.Claims, error) {
	sc, err := scope.From(ctx)
	return sc.Actor(), sc.Claims(), err
}
