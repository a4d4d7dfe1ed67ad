package order

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// CancellationKind is the id kind of requests to cancel an order.
var CancellationKind = id.Kind{Name: "cancelProductOrder", Prefix: "cpo"}

// CodeTooLate is the cancellation of an order that is beyond its point of no return, or at its end.
const CodeTooLate fault.Code = "orderCannotBeCancelled"

// TaskState is where a request to cancel stands (TMF622 TaskStateType).
type TaskState string

// The states of a request: it is in progress while what was done is taken back.
const (
	TaskAcknowledged TaskState = "acknowledged"
	TaskInProgress   TaskState = "inProgress"
	TaskDone         TaskState = "done"
	TaskFailed       TaskState = "terminatedWithError"
)

// Cancellation is a request to cancel an order (TMF622 CancelProductOrder).
type Cancellation struct {
	Type   string    `json:"@type,omitzero"`
	Order  *sid.Ref  `json:"productOrder,omitzero"`
	Reason string    `json:"cancellationReason,omitzero"`
	State  TaskState `json:"state,omitzero"`
	// Requested is when the order is to be cancelled, Effective when it was.
	Requested *time.Time `json:"requestedCancellationDate,omitzero"`
	Effective *time.Time `json:"effectiveCancellationDate,omitzero"`
	// Refusal says why it was not.
	Refusal *ErrorMessage `json:"cancelProductOrderErrorMessage,omitzero"`
	Rest    sid.Rest      `json:",embed"`
}

func (s *Service) cancellationRules() resource.Rules[Cancellation] {
	return resource.Rules[Cancellation]{
		Domain: "productOrderingManagement",
		Home: func(v *Cancellation) (id.Home, bool) {
			if v.Order == nil {
				return 0, false
			}
			return id.ID(v.Order.ID).Home()
		},
		Create: s.beginCancel,
		State:  func(v *Cancellation) string { return string(v.State) },
		Fixed:  []string{"productOrder", "state", "effectiveCancellationDate", "cancelProductOrderErrorMessage"},
	}
}

// Cancel cancels an order while that is possible: until one of its items has passed its point of no return. What
// was done is taken back first. A refusal is a fault and leaves nothing behind; Cancellations.Create records it as the
// request's state instead. The request that it gives is done at once, or in progress.
func (s *Service) Cancel(ctx context.Context, order id.ID, reason string) (id.ID, store.Doc, error) {
	return s.Cancellations.Add(context.WithValue(ctx, strict{}, true), &Cancellation{Order: &sid.Ref{ID: string(order)}, Reason: reason})
}

func (s *Service) beginCancel(ctx context.Context, i id.ID, v *Cancellation, now time.Time) error {
	if v.Type == "" {
		v.Type = "CancelProductOrder"
	}
	if v.Order == nil || v.Order.ID == "" {
		return fault.Invalidf("productOrder", "productOrder is mandatory: the order to cancel")
	}
	v.State, v.Effective, v.Refusal = TaskAcknowledged, nil, nil
	if v.Requested == nil {
		v.Requested = &now
	}
	state, err := s.cancel(ctx, id.ID(v.Order.ID), i, v.Reason)
	if err != nil && (ctx.Value(strict{}) != nil || !refusal(err)) {
		return err
	}
	if err != nil {
		f := fault.From(err)
		v.State, v.Refusal = TaskFailed, &ErrorMessage{Code: f.Code, Reason: f.Message, Timestamp: now}
		return nil
	}
	if v.State = TaskInProgress; state == Cancelled {
		v.State, v.Effective = TaskDone, &now
	}
	return nil
}

// cancel has an order taken back, and says where it stands then.
func (s *Service) cancel(ctx context.Context, i, request id.ID, reason string) (State, error) {
	if !i.Is(Kind) {
		return "", fault.Invalidf("productOrder.id", "there is no order %s", i)
	}
	v, _, err := s.Orders.Get(ctx, i)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return "", fault.Invalidf("productOrder.id", "there is no order %s", i)
		}
		return "", err
	}
	if err := s.cancellable(&v); err != nil {
		return "", err
	}
	var now time.Time
	_, err = s.Orders.Change(ctx, i, func(v *Order) error {
		v.State, v.CancellationReason = AssessingCancel, reason
		return nil
	})
	if err != nil {
		return "", err
	}
	err = s.carry(ctx, i, func(ctx context.Context, v *Order, at time.Time) error {
		now = at
		v.State, v.Cancels = PendingCancellation, request
		for _, it := range v.all() {
			if it.State.Final() {
				continue
			}
			it.Ends = Cancelled
			if len(it.Milestones) == 0 && it.Process == "" {
				it.State = Cancelled
				continue
			}
			v.settle(it, now)
			if err := s.stopPort(ctx, i, v, it, now); err != nil {
				return err
			}
		}
		v.close(now)
		return nil
	})
	if err != nil {
		return "", err
	}
	v, _, err = s.Orders.Get(ctx, i)
	return v.State, err
}

// cancellable refuses to cancel what is beyond its point of no return.
func (s *Service) cancellable(v *Order) error {
	if v.State.Final() || v.State == PendingCancellation || v.State == AssessingCancel {
		return fault.Conflictf(CodeTooLate, "the order is %s: it cannot be cancelled", v.State).At("productOrder")
	}
	for _, it := range v.all() {
		if it.State == Completed && it.Process != "" {
			return fault.Conflictf(CodeTooLate, "the item %s is carried out: the order cannot be cancelled", it.ID).At("productOrder")
		}
		for _, m := range it.Milestones {
			if step, _ := s.processes[it.Process].step(m.Name); step.Final && m.Status == StepCompleted && it.Ends == "" {
				return fault.Conflictf(CodeTooLate, "the item %s is past its point of no return: %s", it.ID, m.Description).At("productOrder")
			}
		}
	}
	return nil
}

// cancelled tells the request that asked for it that an order was cancelled, or ended otherwise.
func (s *Service) cancelled(ctx context.Context, request id.ID) error {
	now := s.store.Now(ctx)
	_, err := s.Cancellations.Change(ctx, request, func(c *Cancellation) error {
		c.State, c.Effective = TaskDone, &now
		return nil
	})
	if fault.KindOf(err) == fault.NotFound { // it is just being made: it sees the state itself
		return nil
	}
	return err
}
