package adjustment

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// Approve has a request carried out that waits. seen is the version that the approver has seen; 0 will do as long as
// there was one only. What cannot be carried out then is Failed, and says why.
//
// An approval that is repeated by the same person for the same version changes nothing and is no fault. Faults:
// NotFound; Forbidden for who may not approve (CodeNotAllowed), or may be who asked for it or edited it (CodeSamePerson);
// Conflict for what was decided (CodeDecided), for what was edited and is approved unseen (CodeVersion), and for more than
// the limits that hold now let ask for, or approve (CodeAboveLimit); Stale for what was edited since it was seen.
func (s *Service) Approve(ctx context.Context, i id.ID, seen int64, note string) (d store.Doc, v Adjustment, err error) {
	who, claims, err := actor(ctx)
	if err != nil {
		return d, v, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if v, d, err = s.Adjustments.Get(ctx, i); err != nil {
			return err
		}
		if !claims.ApproveAdjustments {
			return fault.New(fault.Forbidden, CodeNotAllowed, "you may not approve adjustments")
		}
		if v.approvedBy(who, seen, d.Version) {
			return nil
		}
		if v.Status != Pending {
			return decided(v)
		}
		if err := v.others(who); err != nil {
			return err
		}
		if err := fresh(d, seen); err != nil {
			return err
		}
		if seen == 0 && len(v.EditedBy) > 0 {
			return fault.Conflictf(CodeVersion, "the request was edited: say which version you have seen (If-Match)")
		}
		if err := s.mayApprove(ctx, &v, claims); err != nil {
			return err
		}
		v.decide(Approved, d, s.store.Now(ctx), who, note)
		if err := s.carryOut(ctx, i, &v); err != nil {
			return err
		}
		d, err = s.Adjustments.Replace(ctx, d, &v)
		return err
	})
	return d, v, err
}

// approvedBy reports whether an approval is one that was made before.
func (v *Adjustment) approvedBy(who scope.Actor, seen, version int64) bool {
	done := v.Status == Completed || v.Status == Failed
	return done && v.DecidedBy != nil && v.DecidedBy.Subject == who.Subject && (seen == 0 || seen == v.Version || seen == version)
}

// others refuses an approver who may be one of those who asked.
func (v *Adjustment) others(who scope.Actor) error {
	if who.MayBe(v.RequestedBy) || slices.ContainsFunc(v.EditedBy, who.MayBe) {
		return fault.New(fault.Forbidden, CodeSamePerson, "who asked for an adjustment, or edited it, does not approve it: somebody else must")
	}
	return nil
}

// mayApprove judges by the limits that hold now: of who asked last, and of the approver.
func (s *Service) mayApprove(ctx context.Context, v *Adjustment, claims scope.Claims) error {
	p, _, err := s.policy(ctx)
	if err != nil {
		return err
	}
	asked, ok := limit(p, v.Unit, v.Roles)
	if !ok {
		return fault.Conflictf(CodeAboveLimit, "who asked for it may not adjust balances in %s any more: reject it", v.Unit).At("amount")
	}
	if err := within(v.Unit, v.Count, asked.Most, "asked for by who asked for it"); err != nil {
		return err
	}
	mine, ok := limit(p, v.Unit, claims.Roles)
	if !ok {
		return fault.New(fault.Forbidden, CodeNotAllowed, "nobody with your roles may approve adjustments in %s", v.Unit)
	}
	return within(v.Unit, v.Count, mine.Approve, "approved by you")
}

// carryOut moves what was approved, or notes why it cannot be.
func (s *Service) carryOut(ctx context.Context, i id.ID, v *Adjustment) error {
	now := s.store.Now(ctx)
	err := s.store.Write(ctx, func(ctx context.Context) error {
		if _, err := s.line(ctx, v); err != nil {
			return err
		}
		w, err := s.Balances.Wallet(ctx, v.SubscriptionID)
		if err != nil {
			return err
		}
		return s.move(ctx, i, v, w)
	})
	switch f := fault.From(err); fault.KindOf(err) {
	case fault.None:
		v.enter(Completed, now, *v.DecidedBy, "")
	case fault.Conflict, fault.NotFound, fault.Invalid:
		v.Failure = &Failure{Code: f.Code, Reason: f.Message}
		v.enter(Failed, now, *v.DecidedBy, f.Message)
	default:
		return err
	}
	v.Completion = &now
	return nil
}

// move books it. The entry names the adjustment, which holds who asked and who approved, and says both in words.
func (s *Service) move(ctx context.Context, i id.ID, v *Adjustment, w *balance.Wallet) error {
	text := fmt.Sprintf("Adjustment by %s %s: %s, requested by %s", balance.Decimal(v.Unit, v.Count), v.Unit, v.Reason, person(v.RequestedBy))
	for n, e := range v.EditedBy {
		if n == 0 || e.Subject != v.EditedBy[n-1].Subject {
			text += ", edited by " + person(e)
		}
	}
	if v.DecidedBy != nil {
		text += ", approved by " + person(*v.DecidedBy)
	} else {
		text += ", within the limit"
	}
	c := balance.Cause{Kind: Kind.Name, ID: string(i), Text: text}
	if err := w.Move(c, balance.Movement{Bucket: v.BucketID, Amount: v.Count, Against: balance.Adjusted}); err != nil {
		return err
	}
	return s.Balances.Save(ctx, w)
}

// person is somebody in words: the name, and the subject that no other has.
func person(a scope.Actor) string {
	if a.Name == "" {
		return a.Subject
	}
	return a.Name + " (" + a.Subject + ")"
}

// Reject ends a request that waits. Who asked for it may do so too, which takes it back. Faults: NotFound; Forbidden
// (CodeNotAllowed) for who may not decide and did not ask; Conflict (CodeDecided) unless it waits; Stale.
func (s *Service) Reject(ctx context.Context, i id.ID, seen int64, note string) (d store.Doc, v Adjustment, err error) {
	who, claims, err := actor(ctx)
	if err != nil {
		return d, v, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if v, d, err = s.Adjustments.Get(ctx, i); err != nil {
			return err
		}
		if !claims.ApproveAdjustments && who.Subject != v.RequestedBy.Subject {
			return fault.New(fault.Forbidden, CodeNotAllowed, "you may not reject adjustments that others asked for")
		}
		if v.Status == Rejected && v.DecidedBy != nil && v.DecidedBy.Subject == who.Subject && (seen == 0 || seen == v.Version || seen == d.Version) {
			return nil
		}
		if v.Status != Pending {
			return decided(v)
		}
		if err := fresh(d, seen); err != nil {
			return err
		}
		v.decide(Rejected, d, s.store.Now(ctx), who, note)
		d, err = s.Adjustments.Replace(ctx, d, &v)
		return err
	})
	return d, v, err
}

// expire rejects a request that nobody decided in time.
func (s *Service) expire(ctx context.Context, j job.Job) error {
	var e expiring
	if err := json.Unmarshal(j.Payload, &e); err != nil {
		return job.Permanent{Err: err}
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		v, d, err := s.Adjustments.Get(ctx, e.Adjustment)
		if err != nil {
			return err
		}
		now := s.store.Now(ctx)
		if v.Status != Pending || v.Expires == nil || now.Before(*v.Expires) {
			return nil
		}
		v.decide(Rejected, d, now, scope.Actor{Subject: "system"}, "nobody decided in time")
		_, err = s.Adjustments.Replace(ctx, d, &v)
		return err
	})
}
