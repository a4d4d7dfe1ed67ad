package autotopup

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// JobDue is the kind of job that does what is due of a schedule by now. One that comes too late, or again, does nothing.
const JobDue = "autotopup.due"

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler {
	return map[string]job.Handler{JobDue: func(ctx context.Context, j job.Job) error {
		var i id.ID
		if err := json.Unmarshal(j.Payload, &i); err != nil {
			return job.Permanent{Err: fault.Internalf(err, "the payload of a job cannot be read")}
		}
		return s.Due(ctx, i)
	}}
}

// promise has a schedule looked at, at a moment. What is promised for the same moment because of the same is promised
// once.
func (s *Service) promise(ctx context.Context, i id.ID, at time.Time, because id.ID) error {
	raw, err := json.Marshal(i)
	if err != nil {
		return fault.Internalf(err, "a job cannot be written")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{
		Kind: JobDue, Key: string(i) + "/" + strconv.FormatInt(at.UnixMicro(), 10) + string(because), Payload: raw, RunAt: at,
	})
	return err
}

// change lets a schedule be altered in a transaction, and stores it where decide says that it was.
func (s *Service) change(ctx context.Context, i id.ID, decide func(v *Schedule) (bool, error)) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		v, was, err := s.Schedules.Get(ctx, i)
		if err != nil {
			return err
		}
		changed, err := decide(&v)
		if err != nil || !changed {
			return err
		}
		_, err = s.Schedules.Replace(ctx, was, &v)
		return err
	})
}

// after keeps what follows from a schedule in step with it: whose it is, what of the balance is watched, and what is
// promised.
func (s *Service) after(ctx context.Context, i id.ID, prev, next *Schedule) error {
	v := next
	if v == nil {
		v = prev
	}
	var err error
	switch has, had := next.holds(), prev.holds(); {
	case has && !had:
		err = s.store.Claim(ctx, lineClaim, string(v.SubscriptionID), i)
	case had && !has:
		err = s.store.Unclaim(ctx, lineClaim, string(v.SubscriptionID))
	}
	if err != nil {
		return err
	}
	if next.due() && (!prev.due() || !prev.Next.Equal(*next.Next)) {
		if err := s.promise(ctx, i, *next.Next, ""); err != nil {
			return err
		}
	}
	if was, is := prev.watches(), next.watches(); was != is {
		if err := s.Balances.WatchMoney(ctx, v.SubscriptionID, is); err != nil {
			return err
		}
	}
	return nil
}

// due reports whether a payment is due some time.
func (v *Schedule) due() bool {
	return v != nil && v.Status == Active && v.Payment == "" && v.Next != nil
}

// Due does what is due of a schedule by now.
func (s *Service) Due(ctx context.Context, i id.ID) error {
	err := s.store.Write(ctx, func(ctx context.Context) error {
		v, _, err := s.Schedules.Get(ctx, i)
		if err != nil || v.Status != Active || v.Payment != "" {
			return err
		}
		line, _, err := s.Subscriptions.Lines.Get(ctx, v.SubscriptionID)
		if err != nil {
			return err
		}
		// What was paid just now pays what is unpaid first, before more is taken.
		if v.Trigger == LowBalance && unpaid(line) {
			if err := s.Renewals.Due(ctx, v.SubscriptionID); err != nil {
				return err
			}
			if line, _, err = s.Subscriptions.Lines.Get(ctx, v.SubscriptionID); err != nil {
				return err
			}
		}
		rules, err := s.Providers.Rules(ctx)
		if err != nil {
			return err
		}
		return s.change(ctx, i, func(v *Schedule) (bool, error) { return s.act(ctx, i, v, line, rules) })
	})
	if fault.KindOf(err) == fault.NotFound {
		return nil // it was deleted
	}
	return err
}

// act does what is due of a schedule of a line, and says whether that changed it.
func (s *Service) act(ctx context.Context, i id.ID, v *Schedule, line subscription.Line, rules provider.ServiceProvider) (bool, error) {
	now := s.store.Now(ctx)
	switch {
	case v.Status != Active || v.Payment != "" || v.Next != nil && v.Next.After(now):
		return false, nil
	case line.State.Ended():
		v.end(BecauseLine)
		return true, nil
	case barred(line.State):
		return false, nil // until it is back
	}
	if v.Trigger == LowBalance {
		wants, err := s.wants(ctx, v, line)
		if err != nil {
			return false, err
		}
		if !wants {
			had := v.Next != nil || v.Refusal != nil
			v.Next, v.Due, v.Refusal = nil, nil, nil
			return had, nil
		}
		if until, capped := v.capped(now, rules); capped {
			v.Next = &until
			return true, nil
		}
		if v.Next == nil {
			v.Next = &now
		}
	}
	if v.Next == nil {
		return false, nil
	}
	return true, s.charge(ctx, i, v, now, rules)
}

// barred reports whether nothing is paid into a line in this state by itself: somebody has blocked it.
func barred(s subscription.State) bool {
	return s == subscription.Suspended || s == subscription.Locked || s == subscription.Disconnecting || s == subscription.Pending
}

// unpaid reports whether a line's plan waits for money.
func unpaid(v subscription.Line) bool {
	return v.State == subscription.NonPaymentWarned || v.State == subscription.NonPaymentSuspended || v.Renewal != nil && v.Renewal.UnpaidSince != nil
}

// wants reports whether the balance is low: below the threshold, or less than the line's plan costs that is due.
func (s *Service) wants(ctx context.Context, v *Schedule, line subscription.Line) (bool, error) {
	w, err := s.Balances.Wallet(ctx, v.SubscriptionID)
	if err != nil {
		return false, err
	}
	money := w.Money()
	return money != nil && (money.Unspent() < v.Threshold.Micros() || unpaid(line)), nil
}

// charge has the payment begin that is due.
func (s *Service) charge(ctx context.Context, i id.ID, v *Schedule, now time.Time, rules provider.ServiceProvider) error {
	at := *v.Next
	v.Charges++ // a clock that stands makes several due at one moment
	p, _, err := s.Payments.Charge(ctx, payment.Order{
		Key: fmt.Sprintf("%s/%s/%d", i, at.UTC().Format(time.RFC3339Nano), v.Charges), Account: v.AccountID, Token: v.TokenID, Subscription: v.SubscriptionID,
		Amount: v.Amount, Credit: true, Reason: "Automatic top-up of " + v.Amount.String(), Origin: payment.Origin{Kind: Kind.Name, ID: string(i)},
	})
	if v.Due == nil {
		v.Due = &at
	}
	switch f := fault.From(err); fault.KindOf(err) {
	case fault.None:
		v.Payment, v.Next = p, nil
	case fault.NotFound:
		if f.Code == payment.CodeNoToken {
			v.end(BecauseToken)
			return nil
		}
		return s.refused(ctx, v, Refusal{Date: now, Reason: f.Message}, rules)
	case fault.Conflict, fault.Invalid:
		return s.refused(ctx, v, Refusal{Date: now, Reason: f.Message}, rules)
	case fault.Unavailable:
		if f.Code == payment.CodeNoGateway {
			return s.refused(ctx, v, Refusal{Date: now, Reason: f.Message}, rules)
		}
	}
	return err
}

// end makes a schedule history.
func (v *Schedule) end(reason string) { v.Status, v.Reason, v.Next = Ended, reason, nil }

// applied notes a payment that was made.
func (v *Schedule) applied(p id.ID, now time.Time, rules provider.ServiceProvider) {
	v.Payment, v.Due, v.Refusal, v.Last = "", nil, nil, &Application{Date: now, Payment: p}
	v.Applications++
	v.count(now, rules)
	if v.Trigger == ByDate && v.Status == Active {
		v.Status, v.Reason = Completed, ""
	}
	v.plan(now, rules)
}

// refused notes a payment that was not made, and when it is tried again: so many days after it was due, by the service
// provider's ladder. After the last the schedule is suspended.
func (s *Service) refused(ctx context.Context, v *Schedule, r Refusal, rules provider.ServiceProvider) error {
	if v.Refusal != nil {
		r.Times = v.Refusal.Times
	}
	r.Times++
	v.Payment, v.Next, v.Refusal = "", nil, &r
	if v.Status != Active {
		return nil
	}
	p := policy(rules)
	ladder := p.Retries()
	if r.Times > len(ladder) {
		v.Status, v.Reason, v.Due = Suspended, BecauseRefused, nil
	} else {
		at := renewal.Days(*v.Due, ladder[r.Times-1], rules.Location())
		if !at.After(r.Date) {
			at = renewal.Days(r.Date, 1, rules.Location()) // the answer came late
		}
		v.Next = &at
	}
	told := "autotopup.declined"
	if v.Status == Suspended {
		told = "autotopup.suspended"
	}
	return s.tell(ctx, told, v)
}

// tell tells the customer what became of a payment, in the transaction that records it.
func (s *Service) tell(ctx context.Context, template string, v *Schedule) error {
	if s.Messages == nil {
		return nil
	}
	return s.Messages.Tell(ctx, message.Order{Template: template, Line: v.SubscriptionID, Data: map[string]string{"amount": v.Amount.String()}})
}
