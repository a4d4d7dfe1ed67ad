package order

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// JobPort is the kind of job that asks the number portability gateway: for a port, how it stands, to cancel it.
const JobPort = "order.port"

// PortState is where the porting of a number stands, as number portability gateways name it.
type PortState string

// The states of a port order, from the first to the last ones.
const (
	PortDraft            PortState = "DRAFT"
	PortSubmitted        PortState = "SUBMITTED"
	PortApprovalPending  PortState = "APPROVAL_PENDING"
	PortInProgress       PortState = "IN_PROGRESS"
	PortCancelRequested  PortState = "CANCEL_REQUESTED"
	PortCancelInProgress PortState = "CANCEL_IN_PROGRESS"
	PortCancelFailed     PortState = "CANCEL_FAILED"
	PortCancelSuccess    PortState = "CANCEL_SUCCESS"
	PortFailed           PortState = "FAILED"
	PortCancelled        PortState = "CANCELED"
	PortRejected         PortState = "REJECTED"
	PortAborted          PortState = "ABORTED"
	PortDiscarded        PortState = "DISCARDED"
	PortCompleted        PortState = "COMPLETED"
)

// Ended reports whether nothing follows.
func (s PortState) Ended() bool {
	switch s {
	case PortCancelFailed, PortCancelSuccess, PortFailed, PortCancelled, PortRejected, PortAborted, PortDiscarded, PortCompleted:
		return true
	}
	return false
}

// Port is the porting of a number into this network. The names of its attributes are those of port orders.
type Port struct {
	// Request is the id under which the gateway knows it: asking again under it asks for nothing new.
	Request string        `json:"portOrderId"`
	Number  msisdn.Number `json:"numberToPort"`
	Donor   string        `json:"donorNetworkId"`
	State   PortState     `json:"portState"`
	// Crossed says that the point of no return is passed: it cannot be cancelled.
	Crossed bool       `json:"crossedPONR,omitzero"`
	Reason  string     `json:"reason,omitzero"`
	Checked *time.Time `json:"statusDate,omitzero"`
	// Asked counts the questions how it stands.
	Asked int `json:"statusChecks,omitzero"`
}

// PortAnswer is how a port stands.
type PortAnswer struct {
	State   PortState
	Crossed bool
	// Reason says why it was refused, for people.
	Reason string
	// since is how often the gateway had answered before it was asked this; see KeepPort.
	since int
}

// PortGateway is the way to the number portability gateway. An error is a call that may have arrived or not: it is
// made again under the same request. Implementations: connect/npg.
type PortGateway interface {
	// Submit asks to have a number ported in.
	Submit(ctx context.Context, p Port) (PortAnswer, error)
	// Status asks how a port stands; an empty state: it is not known there.
	Status(ctx context.Context, request string) (PortAnswer, error)
	// Cancel asks to have a port cancelled or, when it is completed, the number given back (a snap-back).
	Cancel(ctx context.Context, request string) (PortAnswer, error)
}

// askPort has the gateway asked for the port.
func (s *Service) askPort(ctx context.Context, w *Work) error {
	p := w.product()
	port := &Port{
		Request: w.Key, Number: msisdn.Number(p.asks(CharMSISDN)), Donor: p.asks(CharDonor), State: PortDraft,
	}
	if err := s.promisePort(ctx, w, 0, w.Now); err != nil {
		return err
	}
	w.Item.Port = port
	w.Wait()
	return nil
}

// cancelPort has the port cancelled, or the number given back.
func (s *Service) cancelPort(ctx context.Context, w *Work) error {
	if p := w.Item.Port; p == nil || p.State.Ended() && p.State != PortCompleted {
		return nil
	}
	if err := s.promisePort(ctx, w, 0, w.Now); err != nil {
		return err
	}
	w.Wait()
	return nil
}

// porting is the payload of JobPort: the step that waits, and how often was asked.
type porting struct {
	Order id.ID  `json:"order"`
	Key   string `json:"key"`
	Call  int    `json:"call"`
}

func (s *Service) promisePort(ctx context.Context, w *Work, call int, at time.Time) error {
	return s.laterPort(ctx, porting{w.ID, w.Key, call}, at)
}

func (s *Service) laterPort(ctx context.Context, p porting, at time.Time) error {
	key := p.Key + "/" + at.UTC().Format(time.RFC3339Nano)
	return s.promise(ctx, job.Job{Kind: JobPort, Key: key, RunAt: at, MaxAttempts: 1000}, p.Order, p)
}

// stopPort has the gateway asked at once to stop the port of an item that is cancelled, if one is under way.
func (s *Service) stopPort(ctx context.Context, i id.ID, v *Order, it *Item, now time.Time) error {
	m := it.milestone("port")
	if m == nil || m.Status != StepWaiting {
		return nil
	}
	return s.promisePort(ctx, &Work{ID: i, Order: v, Item: it, Key: move{Order: i, Item: it.ID, Step: m.Name}.key()}, 0, now)
}

// pauses between two questions how a port stands: the second after the first one, and so on; the last for ever.
var pauses = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// port asks the gateway once about a step that waits for it.
func (s *Service) port(ctx context.Context, j job.Job) error {
	var p porting
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Permanent{Err: err}
	}
	v, _, err := s.Orders.Get(ctx, p.Order)
	if err != nil {
		return err
	}
	it, ms, back := v.waiting(p.Order, p.Key)
	if ms == nil || it.Port == nil {
		return nil // answered meanwhile
	}
	a, err := s.askGateway(ctx, *it.Port, back, it.Ends != "")
	if err != nil {
		return err
	}
	if err := s.ported(ctx, p.Order, it.ID, a); err != nil || a.State.Ended() {
		return err
	}
	p.Call++
	at := s.store.Now(ctx).Add(pauses[min(p.Call, len(pauses))-1])
	return s.store.Write(ctx, func(ctx context.Context) error { return s.laterPort(ctx, p, at) })
}

// askGateway brings a port on its way, forth or back, or asks how it stands. unwanted is a port of an order that is
// cancelled: the gateway is asked to stop it, and one that it does not stop any more goes on, to be taken back.
func (s *Service) askGateway(ctx context.Context, p Port, back, unwanted bool) (PortAnswer, error) {
	if s.Ports == nil {
		return PortAnswer{}, fault.New(fault.Unavailable, fault.CodeUnavailable, "there is no way to a number portability gateway")
	}
	cancelling := p.State == PortCancelRequested || p.State == PortCancelInProgress
	if back && !cancelling {
		return s.Ports.Cancel(ctx, p.Request)
	}
	if !back && unwanted && !cancelling && !p.Crossed {
		a, err := s.Ports.Cancel(ctx, p.Request)
		if err != nil || a.State != PortCancelFailed {
			return a, err
		}
		a.State, a.Crossed = PortInProgress, true
		return a, nil
	}
	if p.State != PortDraft {
		a, err := s.Ports.Status(ctx, p.Request)
		if err != nil || a.State != "" {
			return a, err
		}
	}
	return s.Ports.Submit(ctx, p)
}

// ported records how a port stands and, when that is its end, goes on with the order.
func (s *Service) ported(ctx context.Context, i id.ID, item string, a PortAnswer) error {
	var key string
	return s.store.Write(ctx, func(ctx context.Context) error {
		ends, back := false, false
		_, err := s.Orders.Change(ctx, i, func(v *Order) error {
			key, ends, back = "", false, false
			it := v.item(item)
			if it == nil || it.Port == nil {
				return nil
			}
			now := s.store.Now(ctx)
			it.Port.State, it.Port.Crossed, it.Port.Reason = a.State, a.Crossed, a.Reason
			it.Port.Checked = &now
			it.Port.Asked++
			if m := it.milestone("port"); m != nil && (m.Status == StepWaiting || m.Status == StepUndoing) {
				back = m.Status == StepUndoing
				key, ends = move{Order: i, Item: it.ID, Step: m.Name, Back: back}.key(), a.State.Ended()
			}
			return nil
		})
		if err != nil || !ends {
			return err
		}
		done := a.State == PortCompleted
		if back {
			done = a.State == PortCancelSuccess || a.State == PortCancelled
		}
		return s.answered(ctx, key, done, false, first(a.Reason, "the port is "+string(a.State)))
	})
}

func first(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}

// PortOf is the id of the item of an order whose number is ported in, and how that stands; a NotFound fault when the
// order ports none.
func (v *Order) PortOf() (item string, p Port, err error) {
	for _, it := range v.all() {
		if it.Port != nil {
			return it.ID, *it.Port, nil
		}
		if it.Process == portIn {
			return it.ID, Port{Number: msisdn.Number(it.Product.asks(CharMSISDN)), Donor: it.Product.asks(CharDonor), State: PortDraft}, nil
		}
	}
	return "", Port{}, fault.NotFoundf("the order ports no number in")
}

// AskPort asks the gateway how the port of an order stands, outside any transaction; KeepPort stores the answer. It is
// empty when nothing was asked, since the port was not asked for yet or has ended, or when the gateway knows nothing.
func (s *Service) AskPort(ctx context.Context, i id.ID) (PortAnswer, error) {
	v, _, err := s.Orders.Get(ctx, i)
	if err != nil {
		return PortAnswer{}, err
	}
	_, p, err := v.PortOf()
	if err != nil || p.State == PortDraft || p.State.Ended() || s.Ports == nil {
		return PortAnswer{}, err
	}
	a, err := s.Ports.Status(ctx, p.Request)
	if err != nil {
		return a, fault.New(fault.Unavailable, fault.CodeUnavailable, "the number portability gateway does not answer now; try again").Because(err)
	}
	a.since = p.Asked
	return a, nil
}

// KeepPort stores what AskPort was told and gives the port as it is then. An answer that is empty changes nothing, and
// neither does one that is older than what is stored.
func (s *Service) KeepPort(ctx context.Context, i id.ID, a PortAnswer) (Port, error) {
	v, _, err := s.Orders.Get(ctx, i)
	if err != nil {
		return Port{}, err
	}
	item, p, err := v.PortOf()
	if err != nil || a.State == "" || a.since != p.Asked || p.State.Ended() {
		return p, err
	}
	if err := s.ported(ctx, i, item, a); err != nil {
		return p, err
	}
	if v, _, err = s.Orders.Get(ctx, i); err != nil {
		return p, err
	}
	_, p, err = v.PortOf()
	return p, err
}

// adopt takes a ported number into the pool, reserved for the order.
func (s *Service) adopt(ctx context.Context, w *Work) error {
	p := w.product()
	number := msisdn.Number(p.asks(CharMSISDN))
	i, _, err := s.Inventory.Numbers.Add(ctx, &inventory.Number{Value: number, Status: inventory.Available})
	if err != nil {
		return err
	}
	if _, err := s.Inventory.ReserveNumber(ctx, i, w.ID); err != nil {
		return err
	}
	p.Resources = append(p.Resources, sid.Ref{ID: string(i), Name: string(number), ReferredType: "MobileNumber"})
	return nil
}

// disown takes it out again: it is another operator's.
func (s *Service) disown(ctx context.Context, w *Work) error {
	p := w.product()
	i := p.resource(inventory.NumberKind)
	if err := s.Inventory.Release(ctx, i, "", w.ID); err != nil {
		return err
	}
	if err := s.Inventory.Numbers.Delete(ctx, i, 0); err != nil {
		return err
	}
	kept := p.Resources[:0]
	for _, r := range p.Resources {
		if r.ID != string(i) {
			kept = append(kept, r)
		}
	}
	p.Resources = kept
	return nil
}
