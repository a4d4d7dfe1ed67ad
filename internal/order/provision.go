package order

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// wanted is what the network is to make of a line; asks is false when nothing is to be asked. back says that a step
// is taken back.
type wanted func(ctx context.Context, w *Work, back bool) (o network.Order, asks bool, err error)

// network is a step that the network does.
func (s *Service) network(name, text string, what wanted, do, undo network.Action) Step {
	ask := func(action network.Action, back bool) func(context.Context, *Work) error {
		return func(ctx context.Context, w *Work) error {
			o, asks, err := what(ctx, w, back)
			if err != nil || !asks {
				return err
			}
			o.Action = action
			if _, err := s.Network.Request(ctx, w.Key, o); err != nil {
				return err
			}
			w.Wait()
			return nil
		}
	}
	return Step{Name: name, Text: text, Do: ask(do, false), Undo: ask(undo, true)}
}

// onNetwork is the line as it stands, on the plan before when a change of plan is taken back.
func (s *Service) onNetwork(ctx context.Context, w *Work, back bool) (network.Order, bool, error) {
	v, _, err := s.Subscriptions.Lines.Get(ctx, w.line())
	if err != nil {
		return network.Order{}, false, err
	}
	plan := id.ID("")
	if v.Offering != nil {
		plan = id.ID(v.Offering.ID)
	}
	if n := len(v.Plans); back && w.Item.Process == changePlan && n > 1 {
		plan = v.Plans[n-2].Offering
	}
	o := network.Order{Line: w.line(), MSISDN: v.MSISDN, ICCID: v.ICCID, IMSI: v.IMSI}
	if o.Plan, err = s.key(ctx, plan); err != nil {
		return o, false, err
	}
	o.Services, err = s.services(ctx, v, nil)
	return o, true, err
}

// servicesOnNetwork is the line with the value-added services that it has then. Add-ons that the network knows
// nothing of are no reason to ask.
func (s *Service) servicesOnNetwork(ctx context.Context, w *Work, back bool) (network.Order, bool, error) {
	v, _, err := s.Subscriptions.Lines.Get(ctx, w.line())
	if err != nil {
		return network.Order{}, false, err
	}
	known := slices.ContainsFunc(w.Item.Held, func(i id.ID) bool {
		h := v.Product(i)
		return h != nil && h.Kind == catalog.VAS
	})
	if !known {
		return network.Order{}, false, nil
	}
	o, _, err := s.onNetwork(ctx, w, back)
	if err != nil || (w.Item.Process == addProduct) != back {
		return o, err == nil, err
	}
	// Taken off, or put on and taken back.
	o.Services, err = s.services(ctx, v, w.Item.Held)
	return o, err == nil, err
}

// swapOnNetwork is the line with the number and the SIM that it gets. Other characteristics are no matter of the
// network's.
func (s *Service) swapOnNetwork(ctx context.Context, w *Work, back bool) (network.Order, bool, error) {
	p := w.product()
	if len(p.Resources) == 0 {
		return network.Order{}, false, nil
	}
	o, _, err := s.onNetwork(ctx, w, back)
	if err != nil || back {
		return o, err == nil, err
	}
	if number := p.asks(CharMSISDN); number != "" {
		o.MSISDN = msisdn.Number(number)
	}
	if iccid := p.asks(CharICCID); iccid != "" {
		o.ICCID, o.IMSI = iccid, p.asks(charIMSI)
	}
	return o, true, nil
}

// services are the keys of the value-added services that a line holds, without some.
func (s *Service) services(ctx context.Context, v subscription.Line, without []id.ID) ([]string, error) {
	var out []string
	for _, h := range v.Products {
		if h.Ended() || h.Kind != catalog.VAS || h.Offering == nil || slices.Contains(without, h.ID) {
			continue
		}
		key, err := s.key(ctx, id.ID(h.Offering.ID))
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	return out, nil
}

// key is what networks call an offering: its key, or its id when it has none.
func (s *Service) key(ctx context.Context, i id.ID) (string, error) {
	if !i.Is(catalog.Kind) {
		return string(i), nil
	}
	o, _, err := s.Catalog.Offerings.Get(ctx, i)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return "", err
	}
	if o.Key == "" {
		return string(i), nil
	}
	return o.Key, nil
}

// NetworkEnded takes the network's last answer to a request, in the transaction that records it. What is no order's,
// or was taken before, changes nothing.
func (s *Service) NetworkEnded(ctx context.Context, o network.Outcome) error {
	return s.answered(ctx, o.For, o.Answer.Result == network.Done, o.Answer.Silent, o.Answer.Reason)
}

// CodeRefused is a step that another system refused.
const CodeRefused fault.Code = "refusedByNetwork"

// answered takes the answer to a step that waits under a key, and goes on. silent says that nobody knows whether it
// was done.
func (s *Service) answered(ctx context.Context, key string, done, silent bool, reason string) error {
	text, _, _ := strings.Cut(key, "/")
	i := id.ID(text)
	if !i.Is(Kind) {
		return nil
	}
	return s.carry(ctx, i, func(_ context.Context, v *Order, now time.Time) error {
		it, ms, back := v.waiting(i, key)
		if ms == nil {
			return errNotDue
		}
		ms.Date = &now
		why := fault.Conflictf(CodeRefused, "%s: %s", ms.Description, reason)
		switch {
		case done && back:
			ms.Status = StepCompensated
		case done:
			ms.Status = StepCompleted
		case back:
			// Nothing more can be done about it here: a person is told.
			ms.Status, ms.Message = StepCompensated, "not taken back: "+reason
			v.Errors = append(v.Errors, ErrorMessage{Code: CodeRefused, Reason: "not taken back: " + why.Message, Timestamp: now, Item: it.ID})
		case silent:
			v.failed(it, ms, StepUnanswered, why, now)
		default:
			v.failed(it, ms, StepFailed, why, now)
		}
		v.settle(it, now)
		return nil
	})
}

// waiting finds the step that waits for the answer under a key.
func (v *Order) waiting(i id.ID, key string) (*Item, *Milestone, bool) {
	for _, it := range v.all() {
		for n := range it.Milestones {
			m := &it.Milestones[n]
			back := m.Status == StepUndoing
			if (back || m.Status == StepWaiting) && (move{Order: i, Item: it.ID, Step: m.Name, Back: back}).key() == key {
				return it, m, back
			}
		}
	}
	return nil, nil, false
}
