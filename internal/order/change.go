package order

import (
	"context"
	"strings"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// affords refuses what a line cannot pay now.
func (s *Service) affords(ctx context.Context, l *line, c money.Currency) error {
	w, err := s.Balances.Wallet(ctx, l.id)
	if err != nil {
		return err
	}
	has := int64(0)
	if m := w.Money(); m != nil {
		has = m.Spendable(w.Now)
	}
	if has < l.due {
		return fault.Conflictf(balance.CodeInsufficient, "%s are needed now and the balance is %s", money.OfMicros(l.due, c), money.OfMicros(has, c))
	}
	return nil
}

// noted writes into a line which order changed it.
func (s *Service) noted(ctx context.Context, w *Work) error {
	_, err := s.Subscriptions.Lines.Change(ctx, w.line(), func(v *subscription.Line) error {
		v.OrderItems = append(v.OrderItems, w.orderItem())
		return nil
	})
	return err
}

// unnoted takes that back.
func (s *Service) unnoted(ctx context.Context, w *Work) error {
	_, err := s.Subscriptions.Lines.Change(ctx, w.line(), func(v *subscription.Line) error {
		if n := len(v.OrderItems); n > 0 && v.OrderItems[n-1].Order == w.ID && v.OrderItems[n-1].Item == w.Item.ID {
			v.OrderItems = v.OrderItems[:n-1]
		}
		return nil
	})
	return err
}

// add sells an add-on, or goods, to a line that is there.
func (s *Service) add(ctx context.Context, w *Work) error {
	if w.line() == "" {
		return fault.Conflictf(CodeLineState, "the subscription that it is for was not made")
	}
	if w.Item.Process == addProduct {
		if err := s.stillTakes(ctx, w); err != nil {
			return err
		}
	}
	if err := s.wake(ctx, w, true); err != nil {
		return err
	}
	if err := s.put(ctx, w, w.Item, w.cause("")); err != nil {
		return err
	}
	return s.noted(ctx, w)
}

// wake sells a line that was made ahead of its sale: it becomes active and, unless the order puts it on another, its
// plan begins. That stays when what was ordered is taken back: the line is in somebody's hands.
func (s *Service) wake(ctx context.Context, w *Work, begins bool) error {
	v, _, err := s.Subscriptions.Lines.Get(ctx, w.line())
	if err != nil || v.State != subscription.Available {
		return err
	}
	if begins && v.ToBegin() && v.Offering != nil {
		c := balance.Cause{Kind: Kind.Name, ID: string(w.ID) + "/plan"}
		if err := s.Renewals.Begin(ctx, renewal.Start{Line: w.line(), Offering: id.ID(v.Offering.ID), Cause: c}); err != nil {
			return err
		}
	}
	_, err = s.Subscriptions.MoveFor(ctx, w.line(), subscription.Active, subscription.BecauseOrdered)
	return err
}

func (s *Service) takeOff(ctx context.Context, w *Work) error {
	if err := s.pull(ctx, w, w.Item); err != nil {
		return err
	}
	return s.unnoted(ctx, w)
}

// endProduct ends what the item takes off the line.
func (s *Service) endProduct(ctx context.Context, w *Work) error {
	for _, product := range w.Item.Held {
		if err := s.Renewals.End(ctx, w.line(), product, w.cause("Ended by an order")); err != nil {
			return err
		}
	}
	return s.noted(ctx, w)
}

func (w *Work) start() renewal.Start {
	return renewal.Start{Line: w.line(), Offering: id.ID(w.Item.Offering.ID), Cause: w.cause("")}
}

func (s *Service) swapPlan(ctx context.Context, w *Work) error {
	if err := s.stillChanges(ctx, w); err != nil {
		return err
	}
	if err := s.Renewals.ChangePlan(ctx, w.start()); err != nil {
		return err
	}
	if err := s.wake(ctx, w, false); err != nil {
		return err
	}
	return s.noted(ctx, w)
}

func (s *Service) swapPlanBack(ctx context.Context, w *Work) error {
	if err := s.Renewals.Undo(ctx, w.start(), w.takenBack()); err != nil {
		return err
	}
	return s.unnoted(ctx, w)
}

// planAgain begins a plan on a line that had none.
func (s *Service) planAgain(ctx context.Context, w *Work) error {
	if err := s.stillChanges(ctx, w); err != nil {
		return err
	}
	if err := s.Renewals.Begin(ctx, w.start()); err != nil {
		return err
	}
	return s.noted(ctx, w)
}

func (s *Service) planOff(ctx context.Context, w *Work) error {
	if err := s.Renewals.Undo(ctx, w.start(), w.takenBack()); err != nil {
		return err
	}
	return s.unnoted(ctx, w)
}

// block takes the plan off a line: nothing is renewed any more, and nobody uses it. Its number and what money it
// has stay.
func (s *Service) block(ctx context.Context, w *Work) error {
	if err := s.Renewals.End(ctx, w.line(), "", w.cause("The price plan was taken off")); err != nil {
		return err
	}
	if err := s.noted(ctx, w); err != nil {
		return err
	}
	_, err := s.Subscriptions.Lines.Change(ctx, w.line(), func(v *subscription.Line) error {
		v.State, v.StateReason = subscription.Locked, subscription.BecauseBlocked
		v.Renewal = nil
		return nil
	})
	return err
}

// swap gives a line the number, the SIM and the characteristics that the item asks for. The number that it had
// rests, the SIM that it had is never used again.
func (s *Service) swap(ctx context.Context, w *Work) error {
	p, i := w.product(), w.line()
	number, sim := p.resource(inventory.NumberKind), p.resource(inventory.SIMKind)
	var oldNumber, oldSIM id.ID
	_, err := s.Subscriptions.Lines.Change(ctx, i, func(v *subscription.Line) error {
		if number != "" {
			oldNumber = replaced(v, inventory.NumberKind, p)
			v.MSISDN, v.NumberOwnership = msisdn.Number(p.asks(CharMSISDN)), "own"
		}
		if sim != "" {
			oldSIM = replaced(v, inventory.SIMKind, p)
			v.ICCID, v.IMSI = p.asks(CharICCID), p.asks(charIMSI)
		}
		for _, c := range p.Characteristics {
			characterise(v, c)
		}
		v.OrderItems = append(v.OrderItems, w.orderItem())
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.Inventory.Retire(ctx, oldNumber, oldSIM, i); err != nil {
		return err
	}
	return s.Inventory.Assign(ctx, number, sim, w.ID, i)
}

// replaced puts the item's resource of a kind in the place of the line's, and gives the one that it had.
func replaced(v *subscription.Line, k id.Kind, by *Product) (old id.ID) {
	var next sid.Ref
	for _, r := range by.Resources {
		if id.ID(r.ID).Is(k) {
			next = r
		}
	}
	for n, r := range v.Resources {
		if id.ID(r.ID).Is(k) {
			v.Resources[n] = next
			return id.ID(r.ID)
		}
	}
	v.Resources = append(v.Resources, next)
	return ""
}

func characterise(v *subscription.Line, c sid.Characteristic) {
	for n := range v.Characteristics {
		if strings.EqualFold(v.Characteristics[n].Name, c.Name) {
			v.Characteristics[n] = c
			return
		}
	}
	v.Characteristics = append(v.Characteristics, c)
}

// disconnect begins the end of a line.
func (s *Service) disconnect(ctx context.Context, w *Work) error {
	_, err := s.Subscriptions.Move(ctx, w.line(), subscription.Disconnecting)
	return err
}

// reconnect takes disconnect back: the line is in the state that it was in.
func (s *Service) reconnect(ctx context.Context, w *Work) error {
	back := []subscription.State{subscription.Active, w.Item.Was}
	if w.Item.Was == subscription.InCollection {
		back = []subscription.State{subscription.Active, subscription.InArrears, subscription.InCollection}
	}
	for _, to := range back {
		if _, err := s.Subscriptions.Move(ctx, w.line(), to); err != nil {
			return err
		}
	}
	return nil
}

// terminate ends a line: what it holds, its plan, its balance; its number rests and its SIM is never used again.
func (s *Service) terminate(ctx context.Context, w *Work) error {
	i, c := w.line(), w.cause("The subscription ended")
	v, _, err := s.Subscriptions.Lines.Get(ctx, i)
	if err != nil {
		return err
	}
	for _, h := range v.Products {
		if !h.Ended() {
			if err := s.Renewals.End(ctx, i, h.ID, c); err != nil {
				return err
			}
		}
	}
	if err := s.Renewals.End(ctx, i, "", c); err != nil {
		return err
	}
	if err := s.forfeit(ctx, i, c); err != nil {
		return err
	}
	if err := s.noted(ctx, w); err != nil {
		return err
	}
	line := Product{Resources: v.Resources}
	if err := s.Inventory.Retire(ctx, line.resource(inventory.NumberKind), line.resource(inventory.SIMKind), i); err != nil {
		return err
	}
	_, err = s.Subscriptions.Move(ctx, i, subscription.Inactive)
	return err
}

// forfeit ends all buckets that are a line's own.
func (s *Service) forfeit(ctx context.Context, line id.ID, c balance.Cause) error {
	w, err := s.Balances.Wallet(ctx, line)
	if err != nil {
		return err
	}
	for _, h := range w.Held {
		if h.Bucket.SubscriptionID != line || h.Bucket.Status == balance.Expired {
			continue
		}
		if err := w.Forfeit(c, h); err != nil {
			return err
		}
	}
	return s.Balances.Save(ctx, w)
}
