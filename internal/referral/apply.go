package referral

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
)

// usualWithin is for how many days after its activation a line may still say who recommended it.
const usualWithin = 30

// Valid is a code that may be used by somebody.
type Valid struct {
	Code Code
	// Bonuses is what both sides would get, and Due after how many days.
	Bonuses Promise
	Days    int
	// Referred is the customer that it was checked for; empty: for nobody in particular.
	Referred id.ID
}

// policy is the service provider's; a Conflict fault (CodeNone) when it rewards nobody.
func (s *Service) policy(ctx context.Context) (provider.ReferralPolicy, provider.ServiceProvider, error) {
	rules, err := s.Providers.Rules(ctx)
	if err != nil {
		return provider.ReferralPolicy{}, rules, err
	}
	p := rules.Policy.Referral
	if p == nil || p.Referrer == nil && p.Referred == nil {
		return provider.ReferralPolicy{}, rules, fault.Conflictf(CodeNone, "referral codes are not taken here").At("referralCode")
	}
	return *p, rules, nil
}

func promise(p provider.ReferralPolicy) (out Promise) {
	if p.Referrer != nil {
		out.Referrer = *p.Referrer
	}
	if p.Referred != nil {
		out.Referred = *p.Referred
	}
	return out
}

// Validate tells whether a customer may be referred with a code, and changes nothing. Without a customer it tells whether
// anybody may. Faults: Conflict (CodeUnknown, CodeNone, CodeSelf, CodeTwice, CodeNotEligible, CodeLimit).
func (s *Service) Validate(ctx context.Context, code string, referred id.ID) (v Valid, err error) {
	p, rules, err := s.policy(ctx)
	if err != nil {
		return v, err
	}
	v = Valid{Bonuses: promise(p), Days: provider.Or(p.AfterDays, 0), Referred: referred}
	if v.Code, _, err = s.ByCode(ctx, code); err != nil {
		return v, err
	}
	if err := s.mayRefer(ctx, p, v.Code, s.month(ctx, rules)); err != nil {
		return v, err
	}
	if referred != "" {
		_, err = s.mayBeReferred(ctx, v.Code, referred)
	}
	return v, err
}

// Known refuses a code that nobody can be referred with now. Faults as those of Validate.
func (s *Service) Known(ctx context.Context, code string) error {
	_, err := s.Validate(ctx, code, "")
	return err
}

func (s *Service) month(ctx context.Context, rules provider.ServiceProvider) string {
	return s.store.Now(ctx).In(rules.Location()).Format("2006-01")
}

// mayRefer refuses a referrer who cannot be paid, or was paid as often as is possible.
func (s *Service) mayRefer(ctx context.Context, p provider.ReferralPolicy, c Code, month string) error {
	v, _, err := s.Customers.Customers.Get(ctx, c.CustomerID)
	if fault.KindOf(err) == fault.NotFound {
		return unknown()
	}
	if err != nil {
		return err
	}
	if !v.Status.MayBuy() {
		return unknown()
	}
	inMonth := 0
	if c.Month == month {
		inMonth = c.InMonth
	}
	if p.MostInAll != nil && c.Count >= *p.MostInAll || p.MostPerMonth != nil && inMonth >= *p.MostPerMonth {
		return fault.Conflictf(CodeLimit, "who has this referral code has recommended as many as are rewarded").At("referralCode")
	}
	line, err := s.paid(ctx, c.CustomerID)
	if err == nil && line == "" {
		err = fault.Conflictf(CodeNotEligible, "who has this referral code has no subscription in use").At("referralCode")
	}
	return err
}

// mayBeReferred refuses a customer who is the referrer, or the same person or firm, or was referred before; and gives who
// that is.
func (s *Service) mayBeReferred(ctx context.Context, c Code, referred id.ID) (party id.ID, err error) {
	if referred == c.CustomerID {
		return "", self()
	}
	if party, err = s.party(ctx, referred); err != nil {
		return "", err
	}
	own, err := s.party(ctx, c.CustomerID)
	if err != nil {
		return "", err
	}
	if party != "" && party == own {
		return "", self()
	}
	// An account that two customers share is of one household and one purse.
	mine, err := s.accounts(ctx, c.CustomerID)
	if err != nil {
		return "", err
	}
	theirs, err := s.accounts(ctx, referred)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(mine, func(a id.ID) bool { return slices.Contains(theirs, a) }) {
		return "", self()
	}
	for _, name := range claims(referred, party) {
		holder, err := s.store.Claimant(ctx, referredClaim, name)
		if err != nil {
			return "", err
		}
		if holder != "" {
			return "", twice()
		}
	}
	return party, nil
}

func self() error {
	return fault.Conflictf(CodeSelf, "nobody recommends themselves").At("referralCode")
}

func twice() error {
	return fault.Conflictf(CodeTwice, "the customer was recommended before").At("referralCode")
}

// party is the person or firm that a customer is; empty for one that is kept elsewhere.
func (s *Service) party(ctx context.Context, of id.ID) (id.ID, error) {
	v, _, err := s.Customers.Customers.Get(ctx, of)
	if err != nil || v.EngagedParty == nil {
		return "", err
	}
	return id.ID(v.EngagedParty.ID), nil
}

// claims are what is referred once: the customer, and who it is.
func claims(referred, party id.ID) []string {
	if party == "" {
		return []string{string(referred)}
	}
	return []string{string(referred), string(party)}
}

// Check implements order.Referral.
func (s *Service) Check(ctx context.Context, of id.ID, code string) error {
	c, err := s.buyer(ctx, of)
	if err != nil {
		return err
	}
	_, err = s.Validate(ctx, code, c)
	return err
}

// buyer is the customer of an account.
func (s *Service) buyer(ctx context.Context, of id.ID) (id.ID, error) {
	a, _, err := s.Accounts.Billing.Get(ctx, of)
	if err == nil && a.Customer() == "" {
		err = fault.Conflictf(CodeNotEligible, "the account belongs to no customer: nobody can be rewarded").At("referralCode")
	}
	return a.Customer(), err
}

// Apply implements order.Referral. An order was checked when it was placed: what forbids the referral since is
// recorded as its refusal, and does not undo the order.
func (s *Service) Apply(ctx context.Context, line id.ID, code string) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		if _, there, err := s.ofLine(ctx, line); err != nil || there.ID != "" {
			return err
		}
		err := s.store.Write(ctx, func(ctx context.Context) error {
			_, err := s.refer(ctx, line, code)
			return err
		})
		if fault.KindOf(err) != fault.Conflict {
			return err
		}
		return s.refuse(ctx, line, code, fault.From(err))
	})
}

// Claim refers the customer of a line that is in use, and new enough. again says that it was so already, with the same
// code. Faults: NotFound; Conflict as those of Validate.
func (s *Service) Claim(ctx context.Context, line id.ID, code string) (d store.Doc, again bool, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		v, there, err := s.ofLine(ctx, line)
		if err != nil {
			return err
		}
		if d, again = there, there.ID != "" && v.Code == normal(code) && v.Status != Refused; again {
			return nil
		}
		p, _, err := s.policy(ctx)
		if err != nil {
			return err
		}
		l, _, err := s.Subscriptions.Lines.Get(ctx, line)
		if err != nil {
			return err
		}
		days := provider.Or(p.ApplyWithinDays, usualWithin)
		switch {
		case !inUse(l.State):
			return fault.Conflictf(CodeNotEligible, "the subscription is %s: nobody can be rewarded for it", l.State).At("subscriptionId")
		case l.StartDate == nil || s.store.Now(ctx).After(l.StartDate.AddDate(0, 0, days)):
			return fault.Conflictf(CodeNotEligible, "who recommended a subscription is told within %d days of its activation", days).At("subscriptionId")
		}
		d, err = s.refer(ctx, line, code)
		return err
	})
	return d, again, err
}

// ofLine is the referral that a line came with, the newest; none is no fault.
func (s *Service) ofLine(ctx context.Context, line id.ID) (v Referral, d store.Doc, err error) {
	a, err := s.accountOf(ctx, line)
	if err != nil || a.Customer() == "" {
		return v, d, err
	}
	page, err := s.Referrals.Docs(ctx, of("referredId", a.Customer()))
	if err != nil {
		return v, d, err
	}
	for _, one := range slices.Backward(page.Items) {
		var r Referral
		if err := read(one, &r); err != nil {
			return v, d, err
		}
		if r.Line == line && r.Status != Revoked {
			return r, one, nil
		}
	}
	return v, store.Doc{}, nil
}

func of(side string, customer id.ID) store.Query {
	return store.Query{NoTotal: true, Filters: []store.Filter{{Path: []string{side}, Op: store.Eq, Values: []string{string(customer)}, Type: store.Text}}}
}

func read(d store.Doc, v *Referral) error {
	if err := json.Unmarshal(d.Body, v); err != nil {
		return fault.Internalf(err, "the stored referral %s cannot be read", d.ID)
	}
	return nil
}

func (s *Service) accountOf(ctx context.Context, line id.ID) (account.Account, error) {
	l, _, err := s.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		return account.Account{}, err
	}
	a, _, err := s.Accounts.Billing.Get(ctx, l.AccountID)
	return a, err
}

// refer makes a referral, counts it, and pays what is due at once.
func (s *Service) refer(ctx context.Context, line id.ID, code string) (d store.Doc, err error) {
	p, rules, err := s.policy(ctx)
	if err != nil {
		return d, err
	}
	c, was, err := s.ByCode(ctx, code)
	if err != nil {
		return d, err
	}
	l, _, err := s.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		return d, err
	}
	customer, err := s.buyer(ctx, l.AccountID)
	if err != nil {
		return d, err
	}
	month := s.month(ctx, rules)
	if err := s.mayRefer(ctx, p, c, month); err != nil {
		return d, err
	}
	party, err := s.mayBeReferred(ctx, c, customer)
	if err != nil {
		return d, err
	}
	now := s.store.Now(ctx)
	v := Referral{
		Type: "Referral", Status: Pending, Code: c.Code, ReferrerID: c.CustomerID, ReferredID: customer, Account: l.AccountID, Line: line,
		Party: party, Created: now, Month: month, Due: now.AddDate(0, 0, provider.Or(p.AfterDays, 0)), Promised: promise(p),
	}
	i, d, err := s.Referrals.Add(ctx, &v)
	if err != nil {
		return d, err
	}
	for _, name := range claims(customer, party) {
		if err := s.store.Claim(ctx, referredClaim, name, i); err != nil {
			return d, err
		}
	}
	if c.Month != month {
		c.Month, c.InMonth = month, 0
	}
	c.Count, c.InMonth = c.Count+1, c.InMonth+1
	if _, err := s.Codes.Replace(ctx, was, &c); err != nil {
		return d, err
	}
	if v.Due.After(now) {
		return d, nil
	}
	return s.settle(ctx, i)
}

// refuse keeps that a referral came to nothing.
func (s *Service) refuse(ctx context.Context, line id.ID, code string, why *fault.Error) error {
	a, err := s.accountOf(ctx, line)
	if err != nil || a.Customer() == "" {
		return err
	}
	l, _, err := s.Subscriptions.Lines.Get(ctx, line)
	if err != nil {
		return err
	}
	now := s.store.Now(ctx)
	v := Referral{
		Type: "Referral", Status: Refused, Reason: why.Message, Code: normal(code), ReferredID: a.Customer(), Account: l.AccountID, Line: line,
		Created: now, Closed: &now,
	}
	if c, _, err := s.ByCode(ctx, code); err == nil {
		v.ReferrerID = c.CustomerID
	}
	_, _, err = s.Referrals.Add(ctx, &v)
	return err
}

type paying struct {
	Referral id.ID `json:"referral"`
}

// after promises to pay what falls due later.
func (s *Service) after(ctx context.Context, i id.ID, prev, next *Referral) error {
	if prev != nil || next == nil || next.Status != Pending || !next.Due.After(s.store.Now(ctx)) {
		return nil
	}
	payload, err := json.Marshal(paying{i})
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: JobPay, Key: string(i) + "/" + next.Due.UTC().Format(time.RFC3339), Payload: payload, RunAt: next.Due})
	return err
}

// due pays what has fallen due.
func (s *Service) due(ctx context.Context, j job.Job) error {
	var p paying
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Permanent{Err: err}
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		v, _, err := s.Referrals.Get(ctx, p.Referral)
		if err != nil || v.Status != Pending || v.Due.After(s.store.Now(ctx)) {
			return err
		}
		_, err = s.settle(ctx, p.Referral)
		return err
	})
}
