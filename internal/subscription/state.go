package subscription

import (
	"slices"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// State is where a line stands.
type State string

// The states. The first fourteen are those of operators' systems, in the order of their codes 0 to 13; the
// last two are steps on the way out that those systems show as another.
const (
	Pending             State = "pending"
	Active              State = "active"
	Inactive            State = "inactive"
	Suspended           State = "suspended"
	Moved               State = "moved"
	Locked              State = "locked"
	Expired             State = "expired"
	Available           State = "available"
	NonPaymentWarned    State = "nonPaymentWarned"
	NonPaymentSuspended State = "nonPaymentSuspended"
	PromiseToPay        State = "promiseToPay"
	InArrears           State = "inArrears"
	InCollection        State = "inCollection"
	Dormant             State = "dormant"
	// Disconnecting is a line whose end is under way.
	Disconnecting State = "pendingDisconnection"
	// Cancelled is a line that never came to be: its order failed.
	Cancelled State = "cancelled"
)

// Why a line is in its state.
const (
	// BecauseUnpaid is a renewal that could not be paid.
	BecauseUnpaid = "renewalUnpaid"
	// BecausePaid is one that was paid after all.
	BecausePaid = "renewalPaid"
	// BecauseUnused is a line without use or top-up for long.
	BecauseUnused = "notUsed"
	// BecauseUsed is one that was used or topped up again, or for the first time.
	BecauseUsed = "used"
	// BecauseOrdered is a line made ahead of its sale for which something was ordered.
	BecauseOrdered = "ordered"
	// BecauseLapsed is a line that was not paid or used until the end.
	BecauseLapsed = "lapsed"
	// BecauseAccount is an account on which nothing may be ordered.
	BecauseAccount = "account"
	// BecauseBlocked is a SIM that was blocked by taking all products off.
	BecauseBlocked = "productsRemoved"
)

// stateFacts says of each state how it is shown and what may follow.
var stateFacts = map[State]struct {
	code   int
	name   string // as operators' systems write it
	status string // TMF637 ProductStatusType
	next   []State
}{
	Pending:             {0, "PENDING", "pendingActive", []State{Active, Cancelled}},
	Active:              {1, "ACTIVE", "active", []State{Suspended, Locked, Expired, NonPaymentWarned, NonPaymentSuspended, PromiseToPay, InArrears, Dormant, Moved, Disconnecting}},
	Inactive:            {2, "INACTIVE", "terminated", nil},
	Suspended:           {3, "SUSPENDED", "suspended", []State{Active, Locked, Expired, Disconnecting}},
	Moved:               {4, "MOVED", "terminated", nil},
	Locked:              {5, "LOCKED", "suspended", []State{Active, Suspended, Expired, Disconnecting}},
	Expired:             {6, "EXPIRED", "suspended", []State{Active, Disconnecting}},
	Available:           {7, "AVAILABLE", "created", []State{Active, Pending, Cancelled}},
	NonPaymentWarned:    {8, "NON_PAYMENT_WARNED", "active", []State{Active, Suspended, Locked, NonPaymentSuspended, PromiseToPay, InArrears, Disconnecting}},
	NonPaymentSuspended: {9, "NON_PAYMENT_SUSPENDED", "suspended", []State{Active, Suspended, Locked, Expired, PromiseToPay, InArrears, InCollection, Disconnecting}},
	PromiseToPay:        {10, "PROMISE_TO_PAY", "active", []State{Active, Suspended, Locked, NonPaymentWarned, NonPaymentSuspended, InArrears, Disconnecting}},
	InArrears:           {11, "IN_ARREARS", "active", []State{Active, Suspended, Locked, NonPaymentSuspended, PromiseToPay, InCollection, Disconnecting}},
	InCollection:        {12, "IN_COLLECTION", "suspended", []State{Active, Suspended, Locked, InArrears, Disconnecting}},
	Dormant:             {13, "DORMANT", "active", []State{Active, Suspended, Locked, Expired, NonPaymentSuspended, Disconnecting}},
	Disconnecting:       {1, "ACTIVE", "pendingTerminate", []State{Active, Inactive}},
	Cancelled:           {2, "INACTIVE", "cancelled", nil},
}

// Known reports whether there is such a state.
func (s State) Known() bool { _, ok := stateFacts[s]; return ok }

// States are all states, in the order of their codes.
func States() []State {
	return []State{
		Pending, Active, Disconnecting, Inactive, Cancelled, Suspended, Moved, Locked, Expired, Available, NonPaymentWarned, NonPaymentSuspended,
		PromiseToPay, InArrears, InCollection, Dormant,
	}
}

// Code is the number that operators' systems have for the state, 0 to 13.
func (s State) Code() int { return stateFacts[s].code }

// Name is the state as operators' systems write it ("NON_PAYMENT_WARNED").
func (s State) Name() string { return stateFacts[s].name }

// Status is the state as TMF637 knows it ("pendingActive").
func (s State) Status() string { return stateFacts[s].status }

// May reports whether to may follow.
func (s State) May(to State) bool { return s == to || slices.Contains(stateFacts[s].next, to) }

// Ended reports whether the line is gone, so that its number may be another's.
func (s State) Ended() bool { return s == Inactive || s == Moved || s == Cancelled }

// MayUse reports whether the network serves a line in this state. What is Available or Dormant its use makes
// Active; see Service.Wake.
func (s State) MayUse() bool {
	switch s {
	case Active, Available, NonPaymentWarned, PromiseToPay, InArrears, Dormant:
		return true
	}
	return false
}

// Renews reports whether plan and add-ons of a line in this state go on by themselves. What falls due on a line
// that is suspended, locked or expired begins anew when it is back.
func (s State) Renews() bool {
	switch s {
	case Active, NonPaymentWarned, PromiseToPay, InArrears, Dormant:
		return true
	}
	return false
}

// CodeState is a state that may not follow the present one, or whose guard says no.
const CodeState fault.Code = "stateNotAllowed"

// guard refuses to enter a state that the line is not fit for.
func (v Line) guard(to State) error {
	if to == Active && (v.MSISDN == "" || v.ICCID == "") {
		return fault.Conflictf(CodeState, "a line becomes active only with a mobile number and a SIM").At("state")
	}
	return nil
}
