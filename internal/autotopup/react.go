package autotopup

import (
	"cmp"
	"context"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// watches is how low the balance may fall before a top-up is due; nothing for a schedule that waits for no such thing.
func (v *Schedule) watches() money.Amount {
	if v == nil || v.Status != Active || v.Trigger != LowBalance {
		return money.Amount{}
	}
	return *v.Threshold
}

func read(e event.Event, into any) error {
	if err := json.Unmarshal(e.Document, into); err != nil {
		return fault.Internalf(err, "the %s %s cannot be read", e.Resource, e.Subject)
	}
	return nil
}

// low has a line topped up whose balance fell below what is watched, unless a payment is under way or due already.
func (s *Service) low(ctx context.Context, e event.Event) error {
	var bucket struct {
		Line id.ID `json:"subscriptionId"`
	}
	if err := read(e, &bucket); err != nil {
		return err
	}
	i, err := s.OfLine(ctx, bucket.Line)
	if err != nil || i == "" {
		return err
	}
	return s.change(ctx, i, func(v *Schedule) (bool, error) {
		if v.Status != Active || v.Trigger != LowBalance || v.Payment != "" || v.Next != nil {
			return false, nil
		}
		now := s.store.Now(ctx)
		v.Next = &now
		return true, nil
	})
}

// moved ends the schedule of a line that is gone, and looks at that of one that somebody blocked no more, or whose plan
// waits for money.
func (s *Service) moved(ctx context.Context, e event.Event) error {
	if !e.Subject.Is(subscription.Kind) {
		return nil
	}
	var line subscription.Line
	if err := read(e, &line); err != nil {
		return err
	}
	i, err := s.OfLine(ctx, e.Subject)
	if err != nil || i == "" {
		return err
	}
	if line.State.Ended() {
		return s.change(ctx, i, func(v *Schedule) (bool, error) {
			v.end(BecauseLine)
			return true, nil
		})
	}
	if barred(line.State) {
		return nil
	}
	return s.promise(ctx, i, s.store.Now(ctx), e.ID)
}

// paid notes what became of the payment under way, in the transaction that records it.
func (s *Service) paid(ctx context.Context, e event.Event) error {
	var p payment.Payment
	if err := read(e, &p); err != nil {
		return err
	}
	if p.Origin == nil || p.Origin.Kind != Kind.Name || !p.Status.Final() {
		return nil
	}
	i := id.ID(p.Origin.ID)
	rules, err := s.Providers.Rules(ctx)
	if err != nil {
		return err
	}
	again := false
	err = s.change(ctx, i, func(v *Schedule) (bool, error) {
		if v.Payment != e.Subject {
			return false, nil
		}
		now := s.store.Now(ctx)
		if p.Taken() {
			v.applied(e.Subject, now, rules)
			again = v.Status == Active && v.Trigger == LowBalance
			return true, s.tell(ctx, "autotopup.completed", v)
		}
		return true, s.refused(ctx, v, Refusal{Date: now, Reason: why(p), Payment: e.Subject}, rules)
	})
	if fault.KindOf(err) == fault.NotFound {
		return nil // it was deleted while the payment was under way
	}
	if err != nil || !again {
		return err
	}
	return s.promise(ctx, i, s.store.Now(ctx), e.Subject) // it may be low still
}

// why is what refused a payment.
func why(p payment.Payment) string {
	reason := p.StatusReason
	for _, r := range []*payment.Result{p.Gateway, p.Charging} {
		if r != nil && r.Code != payment.ResultSuccess && r.Code != payment.ResultNotRequested {
			return cmp.Or(r.Message, reason, r.Code)
		}
	}
	return reason
}

// tokenGone ends the schedules that a deleted token paid.
func (s *Service) tokenGone(ctx context.Context, e event.Event) error {
	page, err := s.Schedules.Docs(ctx, Asked{Token: e.Subject}.Query())
	if err != nil {
		return err
	}
	for _, d := range page.Items {
		if err := s.change(ctx, d.ID, func(v *Schedule) (bool, error) {
			if !v.holds() {
				return false, nil
			}
			v.end(BecauseToken)
			return true, nil
		}); err != nil {
			return err
		}
	}
	return nil
}
