package balance

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Adjustment gives to a bucket or takes from it by hand, or moves its end (TMF654 AdjustBalance). The amount is
// negative for what is taken; validFor.endDateTime is the bucket's new end.
type Adjustment struct {
	Task
	// AdjustType is oneTime, which nothing said means too.
	AdjustType string   `json:"adjustType,omitzero"`
	Rest       sid.Rest `json:",embed"`
}

// AdjustOrder is an adjustment that is asked for.
type AdjustOrder struct {
	Subscription id.ID
	// Bucket is the one meant; empty: the main money bucket or, with a UsageType, the first that is consumed.
	Bucket    id.ID
	UsageType string
	// Amount is negative for what is taken.
	Amount sid.Quantity
	// End is the bucket's new end; nil leaves it.
	End    *time.Time
	Reason string
	// Rest are further attributes to keep with it.
	Rest sid.Rest
}

// Adjust carries out an adjustment. Faults as those of Wallet.Move; Invalid for an amount or a unit that cannot be.
func (s *Service) Adjust(ctx context.Context, o AdjustOrder) (id.ID, Adjustment, error) {
	v := Adjustment{Task: Task{SubscriptionID: o.Subscription, UsageType: o.UsageType, Amount: o.Amount, Reason: o.Reason, strict: true}, Rest: o.Rest}
	if o.Bucket != "" {
		v.Bucket = &sid.Ref{ID: string(o.Bucket)}
	}
	if o.End != nil {
		v.ValidFor = &sid.Period{End: o.End}
	}
	return added(ctx, s.Adjustments, &v)
}

func (s *Service) createAdjustment(ctx context.Context, i id.ID, v *Adjustment, now time.Time) error {
	end := v.ValidFor != nil && v.ValidFor.End != nil
	if err := v.begin(AdjustKind.Name, now, true, end); err != nil {
		return err
	}
	return s.carryOut(ctx, &v.Task, func(ctx context.Context) error {
		if v.AdjustType == "recurring" {
			return fault.Conflictf(CodeNotOffered, "an adjustment is made once: order an add-on for what recurs").At("adjustType")
		}
		return s.adjust(ctx, i, v)
	})
}

func (s *Service) adjust(ctx context.Context, i id.ID, v *Adjustment) error {
	w, h, n, err := s.target(ctx, &v.Task)
	if err != nil {
		return err
	}
	if v.ValidFor != nil && v.ValidFor.End != nil {
		if err := w.extend(h, *v.ValidFor.End); err != nil {
			return err
		}
		if err := s.promiseExpiry(ctx, h); err != nil {
			return err
		}
	}
	if n != 0 {
		text := "Adjustment by " + inWords(h.Bucket.Unit, n)
		if v.Reason != "" {
			text += ": " + v.Reason
		}
		if err := w.Move(Cause{Kind: AdjustKind.Name, ID: string(i), Text: text}, Movement{Bucket: h.ID, Amount: n, Against: Adjusted}); err != nil {
			return err
		}
	}
	return s.Save(ctx, w)
}

// extend moves a bucket's end.
func (w *Wallet) extend(h *Held, end time.Time) error {
	if !end.After(w.Now) {
		return fault.Conflictf(CodeNotActive, "the balance would have ended already").At("validFor.endDateTime")
	}
	p := sid.Period{}
	if h.Bucket.ValidFor != nil {
		p = *h.Bucket.ValidFor
	}
	p.End = &end
	h.Bucket.ValidFor, h.changed = &p, true
	return nil
}

// Lengthen lets a bucket that ends be valid until a moment at least; one without an end keeps none.
func (s *Service) Lengthen(ctx context.Context, bucket id.ID, until time.Time) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		w, err := s.walletOf(ctx, bucket)
		if err != nil {
			return err
		}
		h := w.Find(bucket)
		if end := h.Bucket.end(); end == nil || !end.Before(until) {
			return nil
		}
		if err := w.extend(h, until); err != nil {
			return err
		}
		if err := s.Save(ctx, w); err != nil {
			return err
		}
		return s.promiseExpiry(ctx, h)
	})
}

func (s *Service) changeAdjustment(_ context.Context, prev, next *Adjustment, _ time.Time) error {
	return unmoved("adjustment", prev.Task, next.Task)
}

// unmoved refuses to change what a task that is over has moved. Its client may give up one that failed.
func unmoved(what string, prev, next Task) error {
	if prev.Status != next.Status && (prev.Status != Failed || next.Status != Cancelled) {
		return stays(what, prev.Status, next.Status)
	}
	if string(prev.Amount.Amount) != string(next.Amount.Amount) || prev.Amount.Units != next.Amount.Units {
		return fault.Conflictf(CodeTaskState, "the amount of a %s that is %s cannot be changed", what, prev.Status).At("amount")
	}
	return nil
}
