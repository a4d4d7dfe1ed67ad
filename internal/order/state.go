package order

import (
	"slices"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// State is where an order or an item stands (TMF622 ProductOrderStateType).
type State string

// The states. An order is partial when some of its items completed and some failed; items are never partial.
const (
	Acknowledged        State = "acknowledged"
	Rejected            State = "rejected"
	PendingOrder        State = "pending"
	Held                State = "held"
	InProgress          State = "inProgress"
	Cancelled           State = "cancelled"
	Completed           State = "completed"
	Failed              State = "failed"
	Partial             State = "partial"
	AssessingCancel     State = "assessingCancellation"
	PendingCancellation State = "pendingCancellation"
)

var next = map[State][]State{
	Acknowledged:        {Rejected, PendingOrder, Held, InProgress, Cancelled, AssessingCancel, Completed, Failed, Partial},
	PendingOrder:        {InProgress, Held, Cancelled, AssessingCancel, Completed, Failed, Partial},
	Held:                {InProgress, PendingOrder, Cancelled, AssessingCancel, Failed},
	InProgress:          {Completed, Failed, Partial, Held, PendingOrder, AssessingCancel},
	AssessingCancel:     {PendingCancellation, Acknowledged, InProgress, Held, PendingOrder, Cancelled},
	PendingCancellation: {Cancelled, InProgress},
	Rejected:            {}, Cancelled: {}, Completed: {}, Failed: {}, Partial: {},
}

// Known reports whether the standard has the state.
func (s State) Known() bool { _, ok := next[s]; return ok }

// Final reports whether nothing follows.
func (s State) Final() bool { return s.Known() && len(next[s]) == 0 }

// runs reports whether the steps of an order in this state are carried out, or taken back: not of one that is
// held, waits, or is at its end.
func (s State) runs() bool { return s == Acknowledged || s == InProgress || s == PendingCancellation }

// May reports whether to may follow.
func (s State) May(to State) bool { return s == to || slices.Contains(next[s], to) }

const (
	// CodeState is a state that may not follow the present one.
	CodeState fault.Code = "stateNotAllowed"
	// CodeUnderWay is the deletion of an order that is being carried out.
	CodeUnderWay fault.Code = "orderUnderWay"
	// CodeAccountBarred is an order on an account, or for a customer, that may not order.
	CodeAccountBarred fault.Code = "accountBarred"
	// CodePlanMismatch is a plan that does not suit the account.
	CodePlanMismatch fault.Code = "planDoesNotSuitAccount"
)

// mayFollow refuses a change that the states of the order and its items do not allow.
func (v Order) mayFollow(prev *Order) error {
	if !v.State.Known() {
		return fault.Invalidf("state", "%q is not a state of an order", v.State)
	}
	if !prev.State.May(v.State) {
		return fault.Conflictf(CodeState, "an order that is %s cannot become %s", prev.State, v.State).At("state")
	}
	if len(v.Items) == 0 {
		return fault.Invalidf("productOrderItem", "an order has at least one item")
	}
	if v.State == prev.State {
		return nil
	}
	for _, it := range v.all() {
		if it.Process == "" {
			continue
		}
		if v.State == Cancelled && !it.State.Final() || v.State == PendingCancellation && it.Ends == "" && !it.State.Final() {
			return fault.Conflictf(CodeState, "ask for the cancellation of an order that demarc carries out with a cancelProductOrder").At("state")
		}
		if v.State.Final() && !it.State.Final() {
			return fault.Conflictf(CodeState, "the order is carried out by demarc, and its item %s is %s", it.ID, it.State).At("state")
		}
	}
	return nil
}

func (v Order) removable() error {
	if v.State == InProgress || v.State == PendingCancellation || v.State == AssessingCancel {
		return fault.Conflictf(CodeUnderWay, "an order that is %s cannot be deleted", v.State)
	}
	return nil
}

// outcome is the order's state once all its items are final.
func (v Order) outcome() State {
	completed, failed := 0, 0
	for _, i := range v.all() {
		if i.Action == actionNone {
			continue
		}
		switch i.State {
		case Completed:
			completed++
		case Failed, Cancelled, Rejected:
			failed++
		}
	}
	switch {
	case failed == 0:
		return Completed
	case completed == 0:
		return Failed
	}
	return Partial
}
