package autotopup

import (
	"context"
	"time"

	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Wish is a schedule that is asked for. What it leaves out of when it applies follows from the rest: a period recurs, a
// threshold is of the balance, a moment alone is a date; of nothing at all the service provider's default is taken.
type Wish struct {
	// Account is who pays; empty: the line's.
	Account id.ID
	Line    id.ID
	Token   id.ID
	Amount  money.Amount
	Trigger Trigger
	// Next is the date, or the first of those that recur: one period from now when it is nil. It is not in the past.
	Next *time.Time
	// Period is weekly, fortnightly or monthly.
	Period string
	// Threshold is, when it is nil, the part of the amount that the service provider says.
	Threshold                *money.Amount
	DailyLimit, MonthlyLimit int
}

// periods are the lengths in which a top-up recurs.
var periods = map[string]renewal.Period{
	"weekly": {Unit: "week", Length: 1}, "fortnightly": {Unit: "week", Length: 2}, "monthly": {Unit: "month", Length: 1},
}

// furthest is how far ahead a date may lie.
const furthest = 10 * 366 * 24 * time.Hour

// lineClaim is held by the schedule of a line.
const lineClaim = "autotopup.line"

// Create makes the schedule of a line. Faults: NotFound for a line, account or token that there is not
// (CodeNoSubscription, CodeNoAccount, CodeNoToken); Conflict for an account that does not pay for the line
// (CodeNotResponsible) and for a line that has a schedule or cannot have one (CodeNotAllowed); Invalid.
func (s *Service) Create(ctx context.Context, w Wish) (i id.ID, v Schedule, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		rules, err := s.Providers.Rules(ctx)
		if err != nil {
			return err
		}
		account, err := s.payer(ctx, w)
		if err != nil {
			return err
		}
		if err := s.allowed(ctx, w.Line); err != nil {
			return err
		}
		if err := s.usable(ctx, account, w.Token); err != nil {
			return err
		}
		v := Schedule{
			Type: "PaymentSchedule", Status: Active, AccountID: account, SubscriptionID: w.Line, TokenID: w.Token, Amount: w.Amount,
			Trigger: w.Trigger, Period: w.Period, Anchor: w.Next, Threshold: w.Threshold, DailyLimit: w.DailyLimit, MonthlyLimit: w.MonthlyLimit,
			Created: s.store.Now(ctx),
		}
		if err := ahead(v.Anchor, v.Created); err != nil {
			return err
		}
		if err := v.begin(v.Created, rules); err != nil {
			return err
		}
		if err := s.check(ctx, &v); err != nil {
			return err
		}
		i, _, err = s.Schedules.Add(ctx, &v)
		return err
	})
	if err != nil {
		return "", v, err
	}
	v, err = s.Read(ctx, i)
	return i, v, err
}

// Read gives a schedule; a NotFound fault (CodeNoSchedule) when there is none.
func (s *Service) Read(ctx context.Context, i id.ID) (Schedule, error) {
	v, _, err := s.Schedules.Get(ctx, i)
	return v, missing(err, CodeNoSchedule, "scheduleID")
}

// missing is a fault of what is not found under the code that operators' systems know.
func missing(err error, code fault.Code, attribute string) error {
	if fault.KindOf(err) != fault.NotFound {
		return err
	}
	return fault.New(fault.NotFound, code, "%s", fault.From(err).Message).At(attribute)
}

// OfLine is the schedule that a line has; empty when it has none.
func (s *Service) OfLine(ctx context.Context, line id.ID) (id.ID, error) {
	return s.store.Claimant(ctx, lineClaim, string(line))
}

// payer finds the account that pays.
func (s *Service) payer(ctx context.Context, w Wish) (id.ID, error) {
	line, _, err := s.Subscriptions.Lines.Get(ctx, w.Line)
	if err == nil && line.Recorded {
		err = fault.NotFoundf("the product %s is recorded, and no subscription", w.Line)
	}
	if err != nil {
		return "", missing(err, CodeNoSubscription, "subscriptionId")
	}
	if w.Account == "" || w.Account == line.AccountID {
		return line.AccountID, nil
	}
	if _, _, err := s.Accounts.Billing.Get(ctx, w.Account); err != nil {
		return "", missing(err, CodeNoAccount, "accountID")
	}
	return "", fault.Conflictf(CodeNotResponsible, "the account %s does not pay for the subscription", w.Account).At("accountID")
}

// allowed refuses a line that has a schedule already, or none for its state.
func (s *Service) allowed(ctx context.Context, line id.ID) error {
	has, err := s.OfLine(ctx, line)
	if err != nil {
		return err
	}
	if has != "" {
		return fault.Conflictf(CodeNotAllowed, "the subscription has the schedule %s: delete or change that", has).At("subscriptionId")
	}
	v, _, err := s.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		return err
	}
	if v.State.Ended() || v.State == subscription.Disconnecting || v.State == subscription.Pending {
		return fault.Conflictf(CodeNotAllowed, "a subscription that is %s has no automatic top-ups", v.State).At("subscriptionId")
	}
	if _, _, err := s.Balances.Money(ctx, line); err != nil {
		if fault.KindOf(err) == fault.Conflict {
			err = fault.Conflictf(CodeNotAllowed, "%s", fault.From(err).Message).At("subscriptionId")
		}
		return err
	}
	return nil
}

// usable refuses a token that the account does not have.
func (s *Service) usable(ctx context.Context, account, token id.ID) error {
	if token == "" {
		return fault.Invalidf("tokenID", "tokenID is mandatory: the id of the account's payment token")
	}
	_, err := s.Payments.Token(ctx, account, token)
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Conflict:
		return fault.New(fault.NotFound, CodeNoToken, "%s", fault.From(err).Message).At("tokenID")
	}
	return err
}

// begin says of a new schedule when it applies.
func (v *Schedule) begin(now time.Time, rules provider.ServiceProvider) error {
	if v.Trigger == "" {
		v.Trigger = v.trigger(rules)
	}
	switch v.Trigger {
	case LowBalance:
		if v.Threshold == nil {
			t, err := part(v.Amount, provider.Or(policy(rules).LowBalancePercent, 25))
			if err != nil {
				return err
			}
			v.Threshold = &t
		}
		return nil
	case Recurring:
		if v.Period == "" {
			v.Period = "monthly"
		}
		if v.Anchor == nil {
			v.Anchor = &now
			v.plan(now, rules)
			return nil
		}
	}
	v.Next = v.Anchor
	return nil
}

func policy(rules provider.ServiceProvider) provider.AutoTopupPolicy {
	if p := rules.Policy; p != nil && p.AutoTopup != nil {
		return *p.AutoTopup
	}
	return provider.AutoTopupPolicy{}
}

// trigger is what applies a schedule that does not say.
func (v *Schedule) trigger(rules provider.ServiceProvider) Trigger {
	switch {
	case v.Period != "":
		return Recurring
	case v.Threshold != nil:
		return LowBalance
	case v.Anchor != nil:
		return ByDate
	}
	if d := policy(rules).Default; d != "" && d != string(LowBalance) {
		v.Period = d
		return Recurring
	}
	return LowBalance
}

// part is so many percent of an amount, as much as can be paid of it, and no less than the least.
func part(a money.Amount, percent int) (money.Amount, error) {
	of, err := a.Mul(decimal.MustNew(int64(percent), 2))
	if err != nil {
		return of, err
	}
	if of = of.Round(); of.Sign() == 0 {
		return a, nil
	}
	return of, nil
}

// check refuses what a schedule cannot be.
func (s *Service) check(ctx context.Context, v *Schedule) error {
	a, _, err := s.Accounts.Billing.Get(ctx, v.AccountID)
	if err != nil {
		return err
	}
	currency, err := s.Accounts.CurrencyOf(ctx, a)
	if err != nil {
		return err
	}
	var wrong fault.Several
	payable(&wrong, "amount", v.Amount, currency)
	if v.Threshold != nil {
		payable(&wrong, "threshold", *v.Threshold, currency)
	}
	if v.Trigger != LowBalance {
		if v.Threshold != nil {
			wrong.Invalidf("threshold", "a threshold is of a top-up by low balance")
		}
		if v.DailyLimit != 0 || v.MonthlyLimit != 0 {
			wrong.Invalidf("dailyLimit", "limits are of a top-up by low balance")
		}
	}
	if v.DailyLimit < 0 || v.MonthlyLimit < 0 {
		wrong.Invalidf("dailyLimit", "a limit is above 0")
	}
	switch v.Trigger {
	case LowBalance:
		if v.Anchor != nil {
			wrong.Invalidf("nextApplication", "a top-up by low balance has no date")
		}
	case ByDate:
		if v.Anchor == nil {
			wrong.Invalidf("nextApplication", "nextApplication is mandatory: the date of the top-up")
		}
	case Recurring:
		if _, known := periods[v.Period]; !known {
			wrong.Invalidf("recurringPeriod", "recurringPeriod is weekly, fortnightly or monthly")
		}
	default:
		wrong.Invalidf("scheduleType", "scheduleType is byDate, recurring or lowBalance")
	}
	if v.Trigger != Recurring && v.Period != "" {
		wrong.Invalidf("recurringPeriod", "only what recurs has a period")
	}
	return wrong.Err()
}

// payable refuses an amount that cannot be paid in a currency.
func payable(wrong *fault.Several, attribute string, a money.Amount, currency money.Currency) {
	switch {
	case a.Sign() <= 0:
		wrong.Invalidf(attribute, "the amount must be above 0")
	case a.Currency() != currency:
		wrong.Invalidf(attribute, "the account is in %s", currency)
	case a.Round() != a:
		wrong.Invalidf(attribute, "an amount of %s has at most %d decimals", currency, currency.Digits())
	}
}

// ahead refuses a date that has passed, or that is too far away. A day's grace lets "today" be said as its midnight.
func ahead(at *time.Time, now time.Time) error {
	if at == nil {
		return nil
	}
	if at.Before(now.Add(-24*time.Hour)) || at.After(now.Add(furthest)) {
		return fault.Invalidf("nextApplication", "the next application is today or later, within ten years")
	}
	return nil
}

// Change is what is to be different of a schedule; what is nil stays.
type Change struct {
	Amount *money.Amount
	Token  *id.ID
	// Next moves the date, or all that recurs.
	Next                     *time.Time
	Period                   *string
	Threshold                *money.Amount
	DailyLimit, MonthlyLimit *int
	// Status suspends or resumes it.
	Status *Status
}

// Change changes a schedule. What is suspended applies nothing; a payment under way goes on. One that is resumed goes on
// with the next date that is to come, or at once when its balance is low or its date is past. Another token for one
// whose payment was refused is tried at once. Faults: NotFound (CodeNoSchedule, CodeNoToken), Conflict for one that is
// over (CodeState), Invalid.
func (s *Service) Change(ctx context.Context, i id.ID, c Change) (v Schedule, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if v, err = s.Read(ctx, i); err != nil {
			return err
		}
		rules, err := s.Providers.Rules(ctx)
		if err != nil {
			return err
		}
		err = s.change(ctx, i, func(v *Schedule) (bool, error) {
			if !v.holds() {
				return false, fault.Conflictf(CodeState, "the schedule is %s", v.Status).At("status")
			}
			return true, s.alter(ctx, v, c, rules)
		})
		if err == nil {
			v, err = s.Read(ctx, i)
		}
		return err
	})
	return v, err
}

func (s *Service) alter(ctx context.Context, v *Schedule, c Change, rules provider.ServiceProvider) error {
	now := s.store.Now(ctx)
	set(&v.Amount, c.Amount)
	set(&v.Period, c.Period)
	set(&v.DailyLimit, c.DailyLimit)
	set(&v.MonthlyLimit, c.MonthlyLimit)
	if c.Threshold != nil {
		v.Threshold = c.Threshold
	}
	if c.Token != nil && *c.Token != v.TokenID {
		if err := s.usable(ctx, v.AccountID, *c.Token); err != nil {
			return err
		}
		if v.TokenID = *c.Token; v.Refusal != nil && v.Payment == "" && v.Status == Active {
			v.Refusal, v.Due, v.Next = nil, nil, &now
		}
	}
	if err := ahead(c.Next, now); err != nil {
		return err
	}
	if c.Next != nil {
		v.Anchor = c.Next
	}
	if err := s.check(ctx, v); err != nil {
		return err
	}
	if c.Status != nil && *c.Status != v.Status {
		switch *c.Status {
		case Suspended:
			v.Status, v.Reason, v.Next = Suspended, BecauseAsked, nil
		case Active:
			v.Status, v.Reason, v.Refusal = Active, "", nil
			v.plan(now, rules)
		default:
			return fault.Invalidf("status", "one suspends a schedule or makes it active")
		}
	} else if (c.Next != nil || c.Period != nil) && v.Status == Active && v.Payment == "" {
		v.Refusal = nil
		if v.plan(now, rules); c.Next != nil {
			v.Next = c.Next
		}
	}
	return nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// plan says when the schedule applies next, of what has a date.
func (v *Schedule) plan(now time.Time, rules provider.ServiceProvider) {
	v.Next = nil
	if v.Payment != "" {
		return // it comes after that
	}
	v.Due = nil
	switch {
	case v.Status != Active:
	case v.Trigger == ByDate && v.Anchor.Before(now):
		v.Next = &now
	case v.Trigger == ByDate:
		v.Next = v.Anchor
	case v.Trigger == Recurring:
		next := v.occurrence(now, rules.Location())
		v.Next = &next
	}
}

// occurrence is the first moment after now that recurs.
func (v *Schedule) occurrence(now time.Time, zone *time.Location) time.Time {
	p, known := periods[v.Period]
	if !known {
		return *v.Anchor // it is about to be refused
	}
	n := 0
	if gone := now.Sub(*v.Anchor); gone > 0 {
		longest := 31 * 24 * time.Hour
		if p.Unit == "week" {
			longest = time.Duration(p.Length) * 7 * 25 * time.Hour
		}
		n = int(gone / longest) // no more than have passed
	}
	for {
		if at := p.After(*v.Anchor, n, zone); at.After(now) {
			return at
		}
		n++
	}
}

// Delete takes a schedule away. A payment under way goes on. A NotFound fault (CodeNoSchedule) when there is none.
func (s *Service) Delete(ctx context.Context, i id.ID) error {
	return missing(s.Schedules.Delete(ctx, i, 0), CodeNoSchedule, "scheduleID")
}

// Asked are schedules that are asked for; what is empty is not asked.
type Asked struct {
	Account, Line, Token id.ID
	Status               Status
	Offset, Limit        int
}

// Query asks for schedules, the oldest first.
func (a Asked) Query() store.Query {
	q := store.Query{Offset: a.Offset, Limit: a.Limit}
	for _, f := range []struct{ attribute, value string }{
		{"subscriptionId", string(a.Line)}, {"accountID", string(a.Account)}, {"tokenID", string(a.Token)}, {"status", string(a.Status)},
	} {
		if f.value != "" {
			q.Filters = append(q.Filters, store.Filter{Path: []string{f.attribute}, Op: store.Eq, Values: []string{f.value}, Type: store.Text})
		}
	}
	return q
}
