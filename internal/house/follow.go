package house

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// wanted is what the network is to make of a line in a state. Of a line in any other state somebody else takes care:
// the order that it is made or ended by.
var wanted = map[subscription.State]network.Standing{
	subscription.Active: network.Connected, subscription.NonPaymentWarned: network.Connected, subscription.PromiseToPay: network.Connected,
	subscription.InArrears: network.Connected, subscription.Dormant: network.Connected,
	subscription.Suspended: network.Barred, subscription.Locked: network.Barred, subscription.Expired: network.Barred,
	subscription.NonPaymentSuspended: network.Barred, subscription.InCollection: network.Barred,
	subscription.Inactive: network.Absent, subscription.Moved: network.Absent,
}

// follow has the network do what a line's new state asks for, in the transaction of the change. An order has asked for
// it before: then there is nothing left to ask.
func (h *House) follow(ctx context.Context, e event.Event) error {
	var v subscription.Line
	if err := json.Unmarshal(e.Document, &v); err != nil {
		return fault.Internalf(err, "the line %s cannot be read", e.Subject)
	}
	want, ok := wanted[v.State]
	if !ok {
		return nil
	}
	is, err := h.Network.Standing(ctx, e.Subject)
	if err != nil {
		return err
	}
	action, ok := step(is, want)
	if !ok {
		return nil
	}
	o, err := h.provision(ctx, e.Subject, v)
	if err != nil {
		return err
	}
	o.Action = action
	_, err = h.Network.Request(ctx, "follow/"+string(e.ID), o)
	return err
}

// step is what leads from one standing to another; ok is false when nothing does, or nothing needs to.
func step(is, want network.Standing) (a network.Action, ok bool) {
	switch {
	case is == want:
		return "", false
	case want == network.Connected && is == network.Barred:
		return network.Resume, true
	case want == network.Connected:
		return network.Activate, true
	case want == network.Barred && is != network.Absent:
		return network.Suspend, true
	case want == network.Absent:
		return network.Deactivate, true
	}
	return "", false
}

// provision says what the network needs to know of a line.
func (h *House) provision(ctx context.Context, i id.ID, v subscription.Line) (network.Order, error) {
	o := network.Order{Line: i, MSISDN: v.MSISDN, ICCID: v.ICCID, IMSI: v.IMSI}
	key := func(offering string) (string, error) {
		f, _, err := h.Catalog.Offerings.Get(ctx, id.ID(offering))
		if fault.KindOf(err) == fault.NotFound { // withdrawn: the network is told the rest
			return "", nil
		}
		return f.Key, err
	}
	var err error
	if v.Offering != nil {
		if o.Plan, err = key(v.Offering.ID); err != nil {
			return o, err
		}
	}
	for _, p := range v.Products {
		if p.Offering == nil || p.Status != subscription.HeldActive {
			continue
		}
		k, err := key(p.Offering.ID)
		if err != nil {
			return o, err
		}
		if k != "" {
			o.Services = append(o.Services, k)
		}
	}
	return o, nil
}

// CodeNotProvisioned is a line that the network has nothing to know of.
const CodeNotProvisioned fault.Code = "nothingToProvision"

// Refresh sends the network again what a line's state asks for, whatever it was asked before, and names the last of the
// requests. A line that is not yet, or no more, to be in the network by its state is a Conflict fault.
func (h *House) Refresh(ctx context.Context, line id.ID) (last id.ID, err error) {
	err = h.Store.Write(ctx, func(ctx context.Context) error {
		v, _, err := h.Subscriptions.Lines.Get(ctx, line)
		if err != nil {
			return err
		}
		want, ok := wanted[v.State]
		if !ok {
			return fault.Conflictf(CodeNotProvisioned, "a subscription that is %s has nothing in the network to refresh", v.State)
		}
		o, err := h.provision(ctx, line, v)
		if err != nil {
			return err
		}
		once := id.New(network.Kind, 0, h.Store.Now(ctx))
		for _, a := range map[network.Standing][]network.Action{
			network.Connected: {network.Activate}, network.Barred: {network.Activate, network.Suspend}, network.Absent: {network.Deactivate},
		}[want] {
			o.Action = a
			if last, err = h.Network.Request(ctx, "refresh/"+string(once)+"/"+string(a), o); err != nil {
				return err
			}
		}
		return nil
	})
	return last, err
}
