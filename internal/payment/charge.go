package payment

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// keyClaim leads from the key of a charge to its payment.
const keyClaim = "payment.key"

// longestKey bounds keys and what comes with them.
const (
	longestKey  = 255
	longestText = 500
)

// Charge records a payment as pending and promises that the gateway is asked for it. The same key and content again is
// the payment that there is. Faults: Invalid; NotFound for the account, the line or the token (CodeNoToken); Conflict for
// what belongs to another account (CodeOtherAccount), an account that is closed (CodeState) or has no stored method
// (CodeNoMethod), another currency (CodeCurrency) and a key that came with other content (CodeKeyReused); Unavailable
// without a gateway (CodeNoGateway).
func (s *Service) Charge(ctx context.Context, o Order) (i id.ID, p Payment, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		was := id.ID("")
		if o.Key != "" {
			if was, err = s.store.Claimant(ctx, keyClaim, o.Key); err != nil {
				return err
			}
		}
		if was != "" {
			i = was
			p, err = s.again(ctx, was, o)
			return err
		}
		var d, body = Payment{Description: o.Reason, order: &o}, Payment{}
		made, doc, err := s.Payments.Add(ctx, &d)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(doc.Body, &body); err != nil {
			return fault.Internalf(err, "the stored payment %s cannot be read", made)
		}
		i, p = made, body
		return nil
	})
	return i, p, err
}

// again gives the payment that was made under a key.
func (s *Service) again(ctx context.Context, i id.ID, o Order) (Payment, error) {
	p, _, err := s.Payments.Get(ctx, i)
	if err != nil {
		return p, err
	}
	tax := o.Tax
	if tax.Currency() == "" {
		tax = money.OfMicros(0, o.Amount.Currency())
	}
	same := p.Account != nil && id.ID(p.Account.ID) == o.Account && p.SubscriptionID == o.Subscription && p.Credit == o.Credit &&
		p.Amount != nil && p.Amount.Amount == o.Amount && p.Tax != nil && p.Tax.Amount == tax
	if same && o.Token != "" && o.Token != p.TokenID {
		t, err := s.Token(ctx, o.Account, o.Token)
		same = err == nil && t.ID == p.TokenID
	}
	if !same {
		return p, fault.Conflictf(CodeKeyReused, "the key was used for another payment").At("paymentKey")
	}
	return p, nil
}

func (s *Service) paymentRules() resource.Rules[Payment] {
	return resource.Rules[Payment]{
		Domain: domain,
		Home: func(v *Payment) (id.Home, bool) {
			if v.order != nil {
				return v.order.Account.Home()
			}
			if v.Account == nil {
				return 0, false
			}
			return id.ID(v.Account.ID).Home()
		},
		Create: s.begin,
		Change: func(_ context.Context, prev, next *Payment, _ time.Time) error {
			if prev.Status.Final() && prev.Status != next.Status {
				return fault.Conflictf(CodeState, "the payment is %s", prev.Status).At("status")
			}
			return nil
		},
		Remove: func(context.Context, *Payment) error {
			return fault.Conflictf(CodeState, "a payment is part of the ledger and is never deleted")
		},
		After: func(ctx context.Context, i id.ID, prev, next *Payment) error {
			if prev != nil || next == nil || next.Status != Pending {
				return nil
			}
			wait := time.Duration(0)
			if next.order.Wait {
				wait = s.patience()
			}
			return s.promise(ctx, JobCharge, next.Calls, i, 0, s.store.Now(ctx).Add(wait))
		},
		State: func(v *Payment) string { return string(v.Status) },
	}
}

// asked is what a client of TMF676 asks for.
func (v *Payment) asked() *Order {
	o := &Order{Subscription: v.SubscriptionID, Credit: v.Credit, Reason: v.Description}
	if v.Account != nil {
		o.Account = id.ID(v.Account.ID)
	}
	total, said := v.Total.amount()
	o.Tax, _ = v.Tax.amount()
	if o.Amount, _ = v.Amount.amount(); o.Amount.Currency() == "" && said {
		o.Amount = total
		if o.Tax.Currency() != "" {
			if net, err := total.Add(o.Tax.Neg()); err == nil {
				o.Amount = net
			}
		}
	}
	return o
}

// begin completes and checks a new payment. What is ordered by demarc itself is refused by a fault; what came as a
// document of TMF676 is kept with the refusal as its state.
func (s *Service) begin(ctx context.Context, i id.ID, v *Payment, now time.Time) error {
	strict := v.order != nil
	if !strict {
		if err := v.form(); err != nil {
			return err
		}
		v.order = v.asked()
	}
	v.clear(now)
	err := v.adds()
	if err == nil {
		err = s.prepare(ctx, i, v)
	}
	if err == nil {
		return nil
	}
	f := fault.From(err)
	switch f.Kind {
	case fault.Conflict, fault.NotFound, fault.Invalid, fault.Limit:
	default:
		return err
	}
	if strict {
		return err
	}
	v.Status, v.StatusReason = Failed, f.Message
	v.Billing, v.Gateway = &Result{Code: ResultFailed, Message: f.Message, Detail: string(f.Code)}, nil
	v.Charging, v.Instrument, v.TokenID, v.Calls = nil, nil, "", ""
	return nil
}

// adds holds that what a client says is the sum is one.
func (v *Payment) adds() error {
	amount, a := v.Amount.amount()
	total, t := v.Total.amount()
	tax, ok := v.Tax.amount()
	if !a || !t {
		return nil
	}
	if !ok {
		tax = money.OfMicros(0, amount.Currency())
	}
	if all, err := amount.Add(tax); err != nil || all != total {
		return fault.Invalidf("totalAmount", "totalAmount is not amount and taxAmount together")
	}
	return nil
}

// form refuses what no payment can be.
func (v *Payment) form() error {
	var found fault.Several
	for name, a := range map[string]*Sum{"amount": v.Amount, "taxAmount": v.Tax, "totalAmount": v.Total} {
		if m, ok := a.amount(); ok && m.Sign() < 0 {
			found.Invalidf(name+".value", "an amount is not below 0")
		}
	}
	return found.Err()
}

// clear empties what no client decides.
func (v *Payment) clear(now time.Time) {
	if v.Type == "" {
		v.Type = "Payment"
	}
	v.Status, v.StatusDate, v.StatusReason, v.PaymentDate = Pending, now, "", nil
	v.Key, v.Origin, v.TokenID, v.Instrument, v.Reference, v.Booked, v.Topup, v.Refunded, v.Calls = "", nil, "", nil, "", "", "", nil, ""
	v.Billing, v.Charging, v.Gateway = nil, nil, nil
}

// prepare decides whether the gateway may be asked, and has everything stand ready.
func (s *Service) prepare(ctx context.Context, i id.ID, v *Payment) error {
	o := v.order
	total, err := o.check()
	if err != nil {
		return err
	}
	a, err := s.payer(ctx, o.Account)
	if err != nil {
		return err
	}
	currency, err := s.Accounts.CurrencyOf(ctx, a)
	if err != nil {
		return err
	}
	if o.Amount.Currency() != currency {
		return fault.Conflictf(CodeCurrency, "the account is charged in %s", currency).At("amount")
	}
	if err := s.line(ctx, o); err != nil {
		return err
	}
	method, t, err := s.instrument(ctx, v, o)
	if err != nil {
		return err
	}
	if s.Parts.Gateway == nil {
		return fault.New(fault.Unavailable, CodeNoGateway, "no payment gateway is set up")
	}
	v.Account = reference(v.Account, string(o.Account), a.Name, "BillingAccount")
	v.Amount, v.Tax, v.Total = sum(o.Amount), sum(o.Tax), sum(total)
	v.SubscriptionID, v.Credit, v.Description, v.Key = o.Subscription, o.Credit, o.Reason, o.Key
	if o.Origin != (Origin{}) {
		v.Origin = &o.Origin
	}
	v.Method = method
	v.TokenID, v.Instrument = t.ID, &sid.Ref{ID: string(t.ID)}
	v.Billing, v.Gateway = &Result{Code: ResultPending}, &Result{Code: ResultPending}
	if v.Charging = (&Result{Code: ResultNotRequested}); o.Credit {
		v.Charging = &Result{Code: ResultPending}
	}
	if o.Key != "" {
		if err := s.store.Claim(ctx, keyClaim, o.Key, i); err != nil {
			return err
		}
	}
	v.Calls, err = s.expect(ctx, i)
	return err
}

// reference completes what a client said of a thing.
func reference(said *sid.Ref, i, name, typ string) *sid.Ref {
	r := sid.Ref{}
	if said != nil {
		r = *said
	}
	r.ID = i
	if r.Name == "" {
		r.Name = name
	}
	if r.ReferredType == "" {
		r.ReferredType = typ
	}
	return &r
}

// check refuses amounts that cannot be charged, and gives what the customer is charged in all.
func (o *Order) check() (total money.Amount, err error) {
	var found fault.Several
	c := o.Amount.Currency()
	if o.Tax.Currency() == "" {
		o.Tax = money.OfMicros(0, c)
	}
	payable := func(attribute string, a money.Amount) {
		if a.Round() != a {
			found.Invalidf(attribute, "an amount of %s has at most %d decimals", a.Currency(), a.Currency().Digits())
		}
	}
	switch {
	case c == "":
		found.Invalidf("amount", "amount is mandatory: a currency and a value above 0")
	case o.Amount.Sign() <= 0:
		found.Invalidf("amount", "the amount must be above 0")
	case o.Tax.Sign() < 0:
		found.Invalidf("taxAmount", "the tax is not below 0")
	default:
		payable("amount", o.Amount)
		payable("taxAmount", o.Tax)
		var err error
		if total, err = o.Amount.Add(o.Tax); err != nil {
			found.Invalidf("taxAmount", "amount and tax are of one currency")
		}
	}
	if len(o.Key) > longestKey {
		found.Invalidf("paymentKey", "a key has at most %d characters", longestKey)
	}
	if len(o.Reason) > longestText {
		found.Invalidf("description", "a reason has at most %d characters", longestText)
	}
	if o.Credit && o.Subscription == "" {
		found.Invalidf("subscriptionId", "name the subscription whose balance is to be credited")
	}
	return total, found.Err()
}

// payer is an account that can pay.
func (s *Service) payer(ctx context.Context, i id.ID) (account.Account, error) {
	if i == "" {
		return account.Account{}, fault.Invalidf("account.id", "name the account that pays")
	}
	a, _, err := s.Accounts.Billing.Get(ctx, i)
	if err != nil {
		return a, fault.From(err).At("account.id")
	}
	if a.State == account.Inactive {
		return a, fault.Conflictf(CodeState, "the account is closed").At("account.id")
	}
	return a, nil
}

// line holds that the line is the account's.
func (s *Service) line(ctx context.Context, o *Order) error {
	if o.Subscription == "" {
		return nil
	}
	v, _, err := s.Subscriptions.Lines.Get(ctx, o.Subscription)
	if err != nil {
		return fault.From(err).At("subscriptionId")
	}
	if v.AccountID != o.Account {
		return fault.Conflictf(CodeOtherAccount, "the subscription belongs to another account").At("subscriptionId")
	}
	if o.Credit && v.State.Ended() {
		return fault.Conflictf(CodeState, "the subscription is %s", v.State).At("subscriptionId")
	}
	return nil
}

// instrument is what a payment is paid with: the token named, the method named, or what the account has stored.
func (s *Service) instrument(ctx context.Context, v *Payment, o *Order) (*sid.Ref, Token, error) {
	if o.Token != "" {
		t, err := s.Token(ctx, o.Account, o.Token)
		if err != nil {
			return nil, t, err
		}
		name := "payment token"
		if t.Masked != "" {
			name = "card ending in " + t.Masked
		}
		return &sid.Ref{Name: name}, t, nil
	}
	stored, t, err := s.Stored(ctx, o.Account)
	if err != nil {
		return nil, t, err
	}
	if m := v.Method; m != nil && m.ID != "" && id.ID(m.ID) != stored {
		return nil, t, fault.Conflictf(CodeOtherAccount, "the payment method %s is not the one that the account has stored", fmt.Sprintf("%.64s", m.ID)).At("paymentMethod.id")
	}
	return reference(v.Method, string(stored), "", "PaymentMethod"), t, nil
}
