package balance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

const referenceClaim = "topup.reference"

// maxReference is the longest reference of a top-up, in bytes.
const maxReference = 69

// maxPeriods bounds how often a top-up comes again.
const maxPeriods = 1200

// Topup is money, or units, that were paid into a line's balance (TMF654 TopupBalance).
type Topup struct {
	Task
	// Reference is the payer's own name for it, unique at the line.
	Reference string `json:"reference,omitzero"`
	// IsAutoTopup, RecurringPeriod and NumberOfPeriods have it paid again and again: weekly, fortnightly or monthly,
	// so many times in all (0: until it is cancelled). PeriodsDone counts.
	IsAutoTopup     bool   `json:"isAutoTopup,omitzero"`
	RecurringPeriod string `json:"recurringPeriod,omitzero"`
	NumberOfPeriods int    `json:"numberOfPeriods,omitzero"`
	PeriodsDone     int    `json:"periodsDone,omitzero"`
	// Voucher comes in as the code of a voucher, and is kept as the serial number of the one that was spent.
	Voucher string   `json:"voucher,omitzero"`
	Rest    sid.Rest `json:",embed"`

	spent bool
}

// TopupOrder is a top-up that is asked for.
type TopupOrder struct {
	Subscription id.ID
	Amount       money.Amount
	// Reference is the payer's own name for the payment, 1 to 69 characters.
	Reference string
	// Reason is free text.
	Reason string
	// Spent says that what is paid with can be spent once and is spent in the same transaction, as a voucher is: the
	// reference is shown, and whether another payment bears it does not matter.
	Spent bool
}

func (o TopupOrder) check() error {
	var found []fault.Detail
	if o.Amount.Sign() <= 0 {
		found = append(found, fault.Detail{Attribute: "amount", Message: "the amount must be above 0"})
	} else if o.Amount.Round() != o.Amount {
		found = append(found, fault.Detail{Attribute: "amount", Message: fmt.Sprintf("an amount of %s has at most %d decimals", o.Amount.Currency(), o.Amount.Currency().Digits())})
	}
	if r := strings.TrimSpace(o.Reference); r == "" || len(o.Reference) > maxReference {
		found = append(found, fault.Detail{Attribute: "reference", Message: "reference is mandatory: your own name for the payment, at most 69 characters"})
	}
	return fault.InvalidAll(found)
}

// TopUp pays money into a line's balance. The same reference and amount again answer with the top-up that
// was made, and pay nothing; the same reference with another amount is a Conflict fault
// (CodeReferenceReused).
func (s *Service) TopUp(ctx context.Context, o TopupOrder) (i id.ID, t Topup, again bool, err error) {
	if err := o.check(); err != nil {
		return "", Topup{}, false, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		again = false
		var was id.ID
		if !o.Spent {
			if was, err = s.store.Claimant(ctx, referenceClaim, string(o.Subscription)+"/"+o.Reference); err != nil {
				return err
			}
		}
		if was != "" {
			i, again = was, true
			t, err = s.made(ctx, i, o)
			return err
		}
		v := Topup{
			Task: Task{
				SubscriptionID: o.Subscription, UsageType: Monetary, Amount: Quantity(string(o.Amount.Currency()), o.Amount.Micros()),
				Reason: o.Reason, strict: true,
			},
			Reference: o.Reference, spent: o.Spent,
		}
		i, t, err = added(ctx, s.Topups, &v)
		return err
	})
	return i, t, again, err
}

// made gives the top-up that was made under the reference.
func (s *Service) made(ctx context.Context, i id.ID, o TopupOrder) (Topup, error) {
	t, _, err := s.Topups.Get(ctx, i)
	if fault.KindOf(err) == fault.NotFound {
		return t, fault.Conflictf(CodeReferenceReused, "the reference %q was used for a top-up that was deleted", o.Reference).At("reference")
	}
	if err != nil {
		return t, err
	}
	if was, err := money.Parse(string(t.Amount.Amount), money.Currency(t.Amount.Units)); err != nil || was != o.Amount {
		return t, fault.Conflictf(CodeReferenceReused, "the reference %q was used for a top-up of %s %s", o.Reference, t.Amount.Amount, t.Amount.Units).At("reference")
	}
	return t, nil
}

var periods = map[string]func(from time.Time, n int) time.Time{
	"weekly":      func(from time.Time, n int) time.Time { return from.AddDate(0, 0, 7*n) },
	"fortnightly": func(from time.Time, n int) time.Time { return from.AddDate(0, 0, 14*n) },
	"monthly":     months,
}

// months is n months later, on the month's last day where it has no such day.
func months(from time.Time, n int) time.Time {
	t := from.AddDate(0, n, 0)
	if t.Day() != from.Day() {
		t = t.AddDate(0, 0, -t.Day())
	}
	return t
}

func (s *Service) createTopup(ctx context.Context, i id.ID, t *Topup, now time.Time) error {
	code := t.Voucher
	if err := t.begin(TopupKind.Name, now, false, code != ""); err != nil && (code == "" || len(t.Amount.Amount) > 0) {
		return err
	}
	t.PeriodsDone = 0
	if err := t.periods(); err != nil {
		return err
	}
	switch {
	case t.RecurringPeriod != "" && periods[t.RecurringPeriod] == nil:
		return fault.Invalidf("recurringPeriod", "recurringPeriod is weekly, fortnightly or monthly")
	case t.NumberOfPeriods > 1 && t.RecurringPeriod == "":
		return fault.Invalidf("recurringPeriod", "numberOfPeriods needs a recurringPeriod")
	case len(t.Reference) > maxReference:
		return fault.Invalidf("reference", "a reference has at most %d characters", maxReference)
	}
	if code != "" {
		return s.payWithVoucher(ctx, i, t, code)
	}
	return s.carryOut(ctx, &t.Task, func(ctx context.Context) error {
		if t.IsAutoTopup && t.RecurringPeriod == "" {
			return fault.Conflictf(CodeNotOffered, "a top-up by low balance is set up as a payment schedule; a recurringPeriod is understood here").At("isAutoTopup")
		}
		if err := s.pay(ctx, i, t); err != nil || t.RecurringPeriod == "" {
			return err
		}
		return s.goOn(ctx, i, t)
	})
}

// periods refuses how often it is to come.
func (t *Topup) periods() error {
	if t.NumberOfPeriods < 0 || t.NumberOfPeriods > maxPeriods {
		return fault.Invalidf("numberOfPeriods", "numberOfPeriods is a number from 0 to %d", maxPeriods)
	}
	return nil
}

// pay carries out one payment of a top-up.
func (s *Service) pay(ctx context.Context, i id.ID, t *Topup) error {
	named := t.Bucket != nil && id.ID(t.Bucket.ID).Is(BucketKind)
	w, h, n, err := s.target(ctx, &t.Task)
	if err != nil {
		return err
	}
	text := "Top-up of " + inWords(h.Bucket.Unit, n)
	if t.Reference != "" {
		text += ", reference " + t.Reference
		if t.PeriodsDone == 0 && !t.spent {
			if err := s.claimReference(ctx, i, t); err != nil {
				return err
			}
		}
	}
	if t.RecurringPeriod != "" {
		text += fmt.Sprintf(", %s, number %d", t.RecurringPeriod, t.PeriodsDone+1)
	}
	c := Cause{Kind: TopupKind.Name, ID: string(i), Text: text}
	if t.ValidFor != nil && t.ValidFor.End != nil && !named {
		if h, err = w.openFor(t, h, n, c); err == nil {
			t.Bucket = &sid.Ref{ID: string(h.ID), Name: h.Bucket.Name}
			err = s.promiseExpiry(ctx, h)
		}
	} else {
		err = w.Move(c, Movement{Bucket: h.ID, Amount: n, Against: Topups})
	}
	if err != nil {
		return err
	}
	return s.Save(ctx, w)
}

// openFor gives a payment with an end of its own a bucket of its own, like the one it would have gone to.
func (w *Wallet) openFor(t *Topup, like *Held, n int64, c Cause) (*Held, error) {
	if !t.ValidFor.End.After(w.Now) {
		return nil, fault.Conflictf(CodeNotActive, "the top-up ends before it begins").At("validFor.endDateTime")
	}
	b := like.Bucket
	return w.Open(Grant{
		Name: b.Name + ", limited", UsageType: b.UsageType, Unit: b.Unit, Amount: n, Start: t.ValidFor.Start, End: t.ValidFor.End,
		From: Topups, Zones: b.Zones, Roaming: b.Roaming,
	}, c)
}

func (s *Service) claimReference(ctx context.Context, i id.ID, t *Topup) error {
	err := s.store.Claim(ctx, referenceClaim, string(t.SubscriptionID)+"/"+t.Reference, i)
	if fault.KindOf(err) == fault.Conflict {
		return fault.Conflictf(CodeReferenceReused, "the reference %q was used for another top-up of the line", t.Reference).At("reference")
	}
	return err
}

// goOn counts a payment and promises the next.
func (s *Service) goOn(ctx context.Context, i id.ID, t *Topup) error {
	t.PeriodsDone++
	if t.NumberOfPeriods > 0 && t.PeriodsDone >= t.NumberOfPeriods {
		t.Status = Completed
		return nil
	}
	t.Status = Created
	rules, err := s.parts.Providers.Rules(ctx)
	if err != nil {
		return err
	}
	due := periods[t.RecurringPeriod](t.RequestedDate.In(rules.Location()), t.PeriodsDone)
	return s.promise(ctx, job.Job{Kind: topupJob, Key: fmt.Sprintf("%s/%d", i, t.PeriodsDone), RunAt: due}, i)
}

func (s *Service) promise(ctx context.Context, j job.Job, of id.ID) error {
	var err error
	if j.Payload, err = json.Marshal(of); err != nil {
		return fault.Internalf(err, "a job cannot be written")
	}
	home, _ := of.Home()
	_, err = s.store.Enqueue(ctx, home, j)
	return err
}

// payAgain is the job of a top-up that recurs: whatever payment is due.
func (s *Service) payAgain(ctx context.Context, i id.ID) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		rules, err := s.parts.Providers.Rules(ctx)
		if err != nil {
			return err
		}
		_, err = s.Topups.Change(ctx, i, func(t *Topup) error {
			if t.Status != Created || t.RecurringPeriod == "" ||
				periods[t.RecurringPeriod](t.RequestedDate.In(rules.Location()), t.PeriodsDone).After(s.store.Now(ctx)) {
				return nil
			}
			t.own = true
			return s.carryOut(ctx, &t.Task, func(ctx context.Context) error {
				if err := s.pay(ctx, i, t); err != nil {
					return err
				}
				return s.goOn(ctx, i, t)
			})
		})
		if fault.KindOf(err) == fault.NotFound {
			return nil // it was deleted
		}
		return err
	})
}

func (s *Service) changeTopup(_ context.Context, prev, next *Topup, _ time.Time) error {
	if prev.Status != Created {
		return unmoved("top-up", prev.Task, next.Task)
	}
	if err := next.check(false, false); err != nil {
		return err
	}
	if err := next.periods(); err != nil {
		return err
	}
	if next.Status == Created || next.Status == Cancelled || next.own {
		return nil
	}
	return stays("top-up", prev.Status, next.Status)
}

// Money is the main money bucket of a line; a Conflict fault (CodeNoMoney) when it has none.
func (s *Service) Money(ctx context.Context, line id.ID) (id.ID, Bucket, error) {
	held, err := s.load(ctx, line)
	if err != nil {
		return "", Bucket{}, err
	}
	if h := (&Wallet{Held: held}).Money(); h != nil {
		return h.ID, h.Bucket, nil
	}
	return "", Bucket{}, fault.Conflictf(CodeNoMoney, "the subscription has no active money balance")
}
