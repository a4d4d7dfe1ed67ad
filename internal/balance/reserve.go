package balance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// holdFor is how long a reservation holds that does not say.
const holdFor = 24 * time.Hour

// Reserve sets a part of a bucket aside (TMF654 ReserveBalance). It is created while it holds; a patch consumes
// (consumedAmount, in all so far), changes the amount, takes what is left of it (completed) or gives it back
// (cancelled). At validFor.endDateTime, 24 hours later where it says nothing, what is left goes back by itself.
type Reserve struct {
	Task
	// ConsumedAmount is what of it was consumed so far, in the units of amount.
	ConsumedAmount *sid.Quantity `json:"consumedAmount,omitzero"`
	// LedgerAccount is where the ledger keeps what is set aside.
	LedgerAccount string   `json:"ledgerAccount,omitzero"`
	Rest          sid.Rest `json:",embed"`
}

// ReserveOrder is a reservation that is asked for.
type ReserveOrder struct {
	Subscription id.ID
	// Bucket is the one meant; empty: the main money bucket or, with a UsageType, the first that is consumed.
	Bucket    id.ID
	UsageType string
	Amount    sid.Quantity
	// Until is when it ends by itself; nil: in 24 hours.
	Until  *time.Time
	Reason string
}

// Reserve sets something aside. Faults as those of Wallet.Move.
func (s *Service) Reserve(ctx context.Context, o ReserveOrder) (id.ID, Reserve, error) {
	v := Reserve{Task: Task{SubscriptionID: o.Subscription, UsageType: o.UsageType, Amount: o.Amount, Reason: o.Reason, strict: true}}
	if o.Bucket != "" {
		v.Bucket = &sid.Ref{ID: string(o.Bucket)}
	}
	if o.Until != nil {
		v.ValidFor = &sid.Period{End: o.Until}
	}
	return added(ctx, s.Reservations, &v)
}

// Consume spends a part of what a reservation holds. More than it holds is a Conflict fault (CodeInsufficient).
func (s *Service) Consume(ctx context.Context, i id.ID, more sid.Quantity) (Reserve, error) {
	return s.Reservations.Change(ctx, i, func(v *Reserve) error {
		b, _, err := s.Buckets.Get(ctx, id.ID(v.Bucket.ID))
		if err != nil {
			return err
		}
		n, err := Count(b.Unit, more)
		if err != nil {
			return err
		}
		if n <= 0 {
			return fault.Invalidf("amount", "what is consumed is above 0")
		}
		so, err := v.consumed(b.Unit)
		if err != nil {
			return err
		}
		q := Quantity(b.Unit, so+n)
		v.ConsumedAmount = &q
		return nil
	})
}

// Release ends a reservation and gives back what is left of it. Releasing twice changes nothing.
func (s *Service) Release(ctx context.Context, i id.ID) (Reserve, error) {
	return s.Reservations.Change(ctx, i, func(v *Reserve) error {
		if v.Status == Created {
			v.Status = Cancelled
		}
		return nil
	})
}

func (v *Reserve) consumed(unit string) (int64, error) {
	if v.ConsumedAmount == nil {
		return 0, nil
	}
	n, err := Count(unit, *v.ConsumedAmount)
	if err != nil {
		return 0, fault.From(err).At("consumedAmount")
	}
	return n, nil
}

func (s *Service) createReserve(ctx context.Context, i id.ID, v *Reserve, now time.Time) error {
	err := v.begin(ReserveKind.Name, now, false, false)
	if err != nil && (v.strict || len(v.Amount.Amount) > 0) { // TMF654 lets the amount be absent: such a one fails
		return err
	}
	v.Status, v.ConsumedAmount, v.LedgerAccount = Created, nil, ""
	if v.ValidFor == nil {
		v.ValidFor = &sid.Period{}
	}
	if v.ValidFor.End == nil {
		end := now.Add(holdFor)
		v.ValidFor.End = &end
	}
	return s.carryOut(ctx, &v.Task, func(ctx context.Context) error {
		if !v.ValidFor.End.After(now) {
			return fault.Conflictf(CodeTaskState, "the reservation would have ended already").At("validFor.endDateTime")
		}
		w, h, n, err := s.target(ctx, &v.Task)
		if err != nil {
			return err
		}
		v.LedgerAccount = account(i, h)
		if err := w.Reserve(v.cause(i, "Reservation of "+inWords(h.Bucket.Unit, n)), i, h, n); err != nil {
			return err
		}
		if err := s.promiseRelease(ctx, i, v); err != nil {
			return err
		}
		return s.Save(ctx, w)
	})
}

func (v *Reserve) cause(i id.ID, text string) Cause {
	return Cause{Kind: ReserveKind.Name, ID: string(i), Text: text}
}

func (s *Service) promiseRelease(ctx context.Context, i id.ID, v *Reserve) error {
	return s.promise(ctx, job.Job{Kind: releaseJob, Key: fmt.Sprintf("%s/%d", i, v.ValidFor.End.UnixMicro()), RunAt: *v.ValidFor.End}, i)
}

// self is the reservation's own id, which its ledger account begins with.
func (v *Reserve) self() id.ID {
	i, _, _ := strings.Cut(v.LedgerAccount, "/")
	return id.ID(i)
}

// changeReserve brings the ledger in step with what a change says of a reservation: amount, consumed, status, end.
func (s *Service) changeReserve(ctx context.Context, prev, next *Reserve, now time.Time) error {
	if prev.Status != Created {
		if next.ConsumedAmount != nil && prev.ConsumedAmount == nil || next.ConsumedAmount != nil && string(prev.ConsumedAmount.Amount) != string(next.ConsumedAmount.Amount) {
			return fault.Conflictf(CodeTaskState, "nothing is consumed of a reservation that is %s", prev.Status).At("consumedAmount")
		}
		return unmoved("reservation", prev.Task, next.Task)
	}
	if next.Status != Created && next.Status != Completed && next.Status != Cancelled {
		return stays("reservation", prev.Status, next.Status)
	}
	if next.ValidFor == nil || next.ValidFor.End == nil {
		next.ValidFor = prev.ValidFor
	}
	w, err := s.walletOf(ctx, id.ID(prev.Bucket.ID))
	if err != nil {
		return err
	}
	if err := next.settle(w, w.Held[0], prev); err != nil {
		return err
	}
	if err := s.Save(ctx, w); err != nil {
		return err
	}
	if next.Status != Created {
		next.ConfirmationDate = &now
		return nil
	}
	if !next.ValidFor.End.Equal(*prev.ValidFor.End) {
		return s.promiseRelease(ctx, prev.self(), next)
	}
	return nil
}

// settle moves what differs between prev and v.
func (v *Reserve) settle(w *Wallet, h *Held, prev *Reserve) error {
	unit, i := h.Bucket.Unit, prev.self()
	was, err := prev.amount(h)
	if err != nil {
		return err
	}
	n, err := v.amount(h)
	if err != nil {
		return fault.Invalidf("amount", "%s", fault.From(err).Message)
	}
	so, err := prev.consumed(unit)
	if err != nil {
		return err
	}
	used, err := v.consumed(unit)
	if err != nil {
		return err
	}
	switch {
	case n <= 0:
		return fault.Invalidf("amount.amount", "the amount must be above 0")
	case payable(unit, used) != used:
		return fault.Invalidf("consumedAmount", "an amount of %s has fewer decimals than %s", unit, v.ConsumedAmount.Amount)
	case used < so:
		return fault.Invalidf("consumedAmount", "what was consumed does not come back")
	case used > n:
		return fault.Conflictf(CodeInsufficient, "%s are reserved, less than what is consumed", inWords(unit, n)).At("consumedAmount")
	}
	if n > was {
		if err := w.Reserve(v.cause(i, "Reservation raised to "+inWords(unit, n)), i, h, n-was); err != nil {
			return err
		}
	}
	if used > so {
		if err := w.Consume(v.cause(i, "Reserved "+inWords(unit, used-so)+" consumed"), i, h, used-so, 0); err != nil {
			return err
		}
	}
	if n < was {
		if err := w.Release(v.cause(i, "Reservation lowered to "+inWords(unit, n)), i, h, was-n); err != nil {
			return err
		}
	}
	rest := w.Reserved(i, h)
	switch {
	case v.Status == Cancelled:
		return w.Release(v.cause(i, "Reserved "+inWords(unit, rest)+" given back"), i, h, rest)
	case v.Status == Completed:
		q := Quantity(unit, used+rest)
		v.ConsumedAmount = &q
		return w.Consume(v.cause(i, "Reserved "+inWords(unit, rest)+" consumed"), i, h, rest, 0)
	case rest == 0:
		v.Status = Completed
	}
	return nil
}

// releaseDue is the job that ends a reservation at its time: what is left goes back.
func (s *Service) releaseDue(ctx context.Context, i id.ID) error {
	_, err := s.Reservations.Change(ctx, i, func(v *Reserve) error {
		if v.Status == Created && v.ValidFor != nil && v.ValidFor.End != nil && !s.store.Now(ctx).Before(*v.ValidFor.End) {
			v.Status = Cancelled
		}
		return nil
	})
	if fault.KindOf(err) == fault.NotFound {
		return nil // it was deleted
	}
	return err
}
