package subscription

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/resource"
)

// CodeNumberInUse is a mobile number that another line has.
const CodeNumberInUse fault.Code = "mobileNumberInUse"

func (v *Line) begin() error {
	if v.Type == "" {
		v.Type = "Product"
	}
	if v.Recorded {
		return v.check()
	}
	if v.State == "" {
		v.State = Pending
	}
	if v.NumberOwnership == "" {
		v.NumberOwnership = "own"
	}
	if v.SubscriptionType == "" {
		v.SubscriptionType = account.Prepaid
	}
	return v.check()
}

func (v Line) check() error {
	if v.Recorded {
		if v.Status == "" {
			return fault.Invalidf("status", "status is mandatory")
		}
		return nil
	}
	if !v.State.Known() {
		return fault.Invalidf("state", "%q is not a state of a subscription", v.State)
	}
	if v.AccountID == "" {
		return fault.Invalidf("accountId", "a subscription belongs to an account")
	}
	return nil
}

func (v *Line) to(prev *Line, now time.Time) error {
	if err := v.check(); err != nil {
		return err
	}
	if v.Recorded {
		return nil
	}
	if v.State == prev.State && v.Status != prev.Status {
		return fault.Invalidf("status", "status follows from state; it is not changed by itself")
	}
	if !prev.State.May(v.State) {
		return fault.Conflictf(CodeState, "a subscription that is %s cannot become %s", prev.State, v.State).At("state")
	}
	if v.State == prev.State {
		return nil
	}
	v.since(prev, now)
	if v.State == Active && v.StartDate == nil {
		v.StartDate = v.StateSince
	}
	if v.State.Ended() && v.TerminationDate == nil {
		v.TerminationDate = v.StateSince
	}
	return v.guard(v.State)
}

// since keeps with a new state when and why it was entered, where who brought the line there did not say; see Enter.
func (v *Line) since(prev *Line, now time.Time) {
	if !v.entered {
		v.StateSince = &now
		if v.StateReason == prev.StateReason {
			v.StateReason = ""
		}
	}
	if !prev.State.Renews() && v.State.Renews() {
		v.restart(*v.StateSince)
	}
}

// restart has what fell due while the line could not be renewed be due at once, its periods counted from then.
func (v *Line) restart(at time.Time) {
	again := func(r *Renewal) *Renewal {
		if r == nil || r.Next.After(at) {
			return r
		}
		return &Renewal{Anchor: at, Next: at, Before: r.Before + r.Count}
	}
	v.Renewal = again(v.Renewal)
	for n := range v.Products {
		v.Products[n].Renewal = again(v.Products[n].Renewal)
	}
}

// Enter brings the line to a state that it came to at a moment, and says why.
func (v *Line) Enter(to State, reason string, at time.Time) {
	if v.State != to {
		v.State, v.StateReason, v.StateSince, v.entered = to, reason, &at, true
	}
}

func (v Line) removable() error {
	if !v.Recorded && !v.State.Ended() {
		return fault.Conflictf(CodeState, "a subscription that is %s cannot be deleted", v.State)
	}
	return nil
}

func (s *Service) rules() resource.Rules[Line] {
	return resource.Rules[Line]{
		Domain: "productInventoryManagement",
		Home: func(v *Line) (id.Home, bool) {
			if v.Recorded && v.BillingAccount != nil {
				return id.ID(v.BillingAccount.ID).Home()
			}
			return v.AccountID.Home()
		},
		Create: func(ctx context.Context, i id.ID, v *Line, _ time.Time) error {
			if err := v.begin(); err != nil {
				return err
			}
			return s.hold(ctx, i, v)
		},
		Change: func(_ context.Context, prev, v *Line, now time.Time) error { return v.to(prev, now) },
		Remove: func(_ context.Context, v *Line) error { return v.removable() },
		After:  s.after,
		State: func(v *Line) string {
			if v.Recorded {
				return v.Status
			}
			return string(v.State)
		},
		Touch: func(v *Line, _ time.Time) {
			if !v.Recorded {
				v.Status = v.State.Status()
			}
		},
	}
}

// hold makes the line the one that has its number.
func (s *Service) hold(ctx context.Context, i id.ID, v *Line) error {
	if v.MSISDN == "" || v.State.Ended() {
		return nil
	}
	holder, err := s.store.Claimant(ctx, numberClaim, string(v.MSISDN))
	if err != nil {
		return err
	}
	if holder == i {
		return nil
	}
	if holder != "" {
		return fault.Conflictf(CodeNumberInUse, "the mobile number %s is in use", v.MSISDN.E123()).At("msisdn")
	}
	return s.store.Claim(ctx, numberClaim, string(v.MSISDN), i)
}

// after keeps the claim on the number in step with the line.
func (s *Service) after(ctx context.Context, i id.ID, prev, next *Line) error {
	if prev == nil {
		return nil
	}
	had := prev.MSISDN != "" && !prev.State.Ended()
	if had && (next == nil || next.State.Ended() || next.MSISDN != prev.MSISDN) {
		if err := s.store.Unclaim(ctx, numberClaim, string(prev.MSISDN)); err != nil {
			return err
		}
	}
	if next == nil {
		return nil
	}
	return s.hold(ctx, i, next)
}
