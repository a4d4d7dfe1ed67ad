package payment

import (
	"context"
	"errors"
	"math/big"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// refundKeyClaim leads from the key of a refund to it.
const refundKeyClaim = "refund.key"

// RefundOrder is a refund that is asked for.
type RefundOrder struct {
	// Key names the refund at the service provider, as that of an Order does.
	Key string
	// Payment is what is given back, Amount how much of its total; without a currency, all that is left.
	Payment id.ID
	Amount  money.Amount
	Reason  string
	// Wait says that who orders it calls SettleRefund: see Order.
	Wait bool
}

// Refund is money given back of a payment, or to be given back (TMF676 Refund).
type Refund struct {
	Type              string     `json:"@type,omitzero"`
	Name              string     `json:"name,omitzero"`
	Description       string     `json:"description,omitzero"`
	CorrelatorID      string     `json:"correlatorId,omitzero"`
	AuthorizationCode string     `json:"authorizationCode,omitzero"`
	Status            State      `json:"status,omitzero"`
	StatusDate        time.Time  `json:"statusDate,omitzero"`
	StatusReason      string     `json:"statusReason,omitzero"`
	RefundDate        *time.Time `json:"refundDate,omitzero"`
	Account           *sid.Ref   `json:"account,omitzero"`
	Method            *sid.Ref   `json:"paymentMethod,omitzero"`
	// Payment is what is given back.
	Payment *sid.Ref `json:"payment,omitzero"`
	// Total is what the customer gets: Amount and the Tax on it.
	Amount *Sum `json:"amount,omitzero"`
	Tax    *Sum `json:"taxAmount,omitzero"`
	Total  *Sum `json:"totalAmount,omitzero"`

	Key string `json:"refundKey,omitzero"`
	// Billing, Charging and Gateway are as those of a Payment: Charging is what was taken back of the balance.
	Billing  *Result `json:"billingResult,omitzero"`
	Charging *Result `json:"chargingResult,omitzero"`
	Gateway  *Result `json:"paymentGatewayResult,omitzero"`
	// Reference is the gateway's own name for it.
	Reference string `json:"gatewayReference,omitzero"`
	// Taken is the bucket that it was taken back of, Booked the account that paid it otherwise.
	Taken  id.ID    `json:"bucketId,omitzero"`
	Booked string   `json:"bookedFrom,omitzero"`
	Calls  id.ID    `json:"callsId,omitzero"`
	Rest   sid.Rest `json:",embed"`

	order *RefundOrder
}

// Refund gives a part of a payment back, or what is left of it, and promises that the gateway is asked. What was credited is
// taken out of the balance at once. Faults: NotFound for the payment; Invalid; Conflict for a payment that the gateway did not
// take (CodeState), more than is left of it (CodeTooMuch), money that the balance has not any more
// (balance.CodeInsufficient) and a key that came with other content (CodeKeyReused).
func (s *Service) Refund(ctx context.Context, o RefundOrder) (i id.ID, r Refund, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		was := id.ID("")
		if o.Key != "" {
			if was, err = s.store.Claimant(ctx, refundKeyClaim, o.Key); err != nil {
				return err
			}
		}
		if was != "" {
			i = was
			if r, _, err = s.Refunds.Get(ctx, was); err == nil &&
				(r.Payment == nil || id.ID(r.Payment.ID) != o.Payment || o.Amount.Currency() != "" && r.Total.Amount != o.Amount) {
				err = fault.Conflictf(CodeKeyReused, "the key was used for another refund").At("refundKey")
			}
			return err
		}
		var stored Refund
		made, d, err := s.Refunds.Add(ctx, &Refund{Description: o.Reason, order: &o})
		if err != nil {
			return err
		}
		if err := json.Unmarshal(d.Body, &stored); err != nil {
			return fault.Internalf(err, "the stored refund %s cannot be read", made)
		}
		i, r = made, stored
		return nil
	})
	return i, r, err
}

func (s *Service) refundRules() resource.Rules[Refund] {
	return resource.Rules[Refund]{
		Domain: domain,
		Home: func(v *Refund) (id.Home, bool) {
			if v.order != nil {
				return v.order.Payment.Home()
			}
			if v.Payment == nil {
				return 0, false
			}
			return id.ID(v.Payment.ID).Home()
		},
		Create: s.beginRefund,
		Change: func(_ context.Context, prev, next *Refund, _ time.Time) error {
			if prev.Status.Final() && prev.Status != next.Status {
				return fault.Conflictf(CodeState, "the refund is %s", prev.Status).At("status")
			}
			return nil
		},
		Remove: func(context.Context, *Refund) error {
			return fault.Conflictf(CodeState, "a refund is part of the ledger and is never deleted")
		},
		After: func(ctx context.Context, i id.ID, prev, next *Refund) error {
			if prev != nil || next == nil || next.Status != Pending {
				return nil
			}
			wait := time.Duration(0)
			if next.order.Wait {
				wait = s.patience()
			}
			return s.promise(ctx, JobRefund, next.Calls, i, 0, s.store.Now(ctx).Add(wait))
		},
		State: func(v *Refund) string { return string(v.Status) },
	}
}

// beginRefund completes and checks a new refund; see begin.
func (s *Service) beginRefund(ctx context.Context, i id.ID, v *Refund, now time.Time) error {
	strict := v.order != nil
	if !strict {
		if m, ok := v.Total.amount(); ok && m.Sign() < 0 {
			return fault.Invalidf("totalAmount.value", "an amount is not below 0")
		}
		v.order = &RefundOrder{Reason: v.Description}
		v.order.Amount, _ = v.Total.amount()
		if v.Payment != nil {
			v.order.Payment = id.ID(v.Payment.ID)
		}
	}
	if v.Type == "" {
		v.Type = "Refund"
	}
	v.Status, v.StatusDate, v.StatusReason, v.RefundDate = Pending, now, "", nil
	v.Key, v.Billing, v.Charging, v.Gateway, v.Reference, v.Taken, v.Booked, v.Calls = "", nil, nil, nil, "", "", "", ""
	err := s.store.Write(ctx, func(ctx context.Context) error { return s.prepareRefund(ctx, i, v) })
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
	v.Billing, v.Charging, v.Gateway = &Result{Code: ResultFailed, Message: f.Message, Detail: string(f.Code)}, nil, nil
	v.Taken, v.Booked, v.Calls = "", "", ""
	return nil
}

// prepareRefund decides whether so much may be given back, and takes it from where the payment went.
func (s *Service) prepareRefund(ctx context.Context, i id.ID, v *Refund) error {
	o := v.order
	if len(o.Reason) > longestText {
		return fault.Invalidf("description", "a reason has at most %d characters", longestText)
	}
	if o.Payment == "" {
		return fault.Invalidf("payment.id", "name the payment that is given back")
	}
	p, d, err := s.Payments.Get(ctx, o.Payment)
	if err != nil {
		return fault.From(err).At("payment.id")
	}
	if p.Booked == "" {
		return fault.Conflictf(CodeState, "the payment is %s: there is nothing to give back", p.Status).At("payment.id")
	}
	if v.Account != nil && v.Account.ID != "" && v.Account.ID != p.Account.ID {
		return fault.Conflictf(CodeOtherAccount, "the payment is another account's").At("account.id")
	}
	amount, net, tax, err := p.share(o.Amount)
	if err != nil {
		return err
	}
	v.Account = reference(v.Account, p.Account.ID, p.Account.Name, "BillingAccount")
	if v.Method == nil {
		v.Method = &sid.Ref{ID: p.Method.ID, Name: p.Method.Name, ReferredType: p.Method.ReferredType}
	}
	v.Payment = reference(v.Payment, string(o.Payment), "", "Payment")
	v.Amount, v.Tax, v.Total, v.Key, v.Description = sum(net), sum(tax), sum(amount), o.Key, o.Reason
	v.Billing, v.Gateway, v.Charging = &Result{Code: ResultPending}, &Result{Code: ResultPending}, &Result{Code: ResultNotRequested}
	if err := s.takeBack(ctx, i, p, v); err != nil {
		return err
	}
	before, _ := p.Refunded.amount()
	if before.Currency() == "" {
		before = money.OfMicros(0, amount.Currency())
	}
	all, err := before.Add(amount)
	if err != nil {
		return err
	}
	p.Refunded = sum(all)
	if _, err := s.Payments.Replace(ctx, d, &p); err != nil {
		return err
	}
	if o.Key != "" {
		if err := s.store.Claim(ctx, refundKeyClaim, o.Key, i); err != nil {
			return err
		}
	}
	v.Calls, err = s.expect(ctx, i)
	return err
}

// share is how much of a payment is given back, and what of it is tax: so much that all refunds together give back all of
// it.
func (p Payment) share(wanted money.Amount) (amount, net, tax money.Amount, err error) {
	c := p.Total.Currency()
	done, _ := p.Refunded.amount()
	left := p.Total.Micros() - done.Micros()
	if amount = wanted; amount.Currency() == "" {
		amount = money.OfMicros(left, c)
	}
	switch {
	case amount.Currency() != c:
		err = fault.Conflictf(CodeCurrency, "the payment was in %s", c).At("totalAmount")
	case left == 0:
		err = fault.Conflictf(CodeTooMuch, "all of the payment was given back").At("totalAmount")
	case amount.Sign() <= 0:
		err = fault.Invalidf("totalAmount", "the amount must be above 0")
	case amount.Round() != amount:
		err = fault.Invalidf("totalAmount", "an amount of %s has at most %d decimals", c, c.Digits())
	case amount.Micros() > left:
		err = fault.Conflictf(CodeTooMuch, "%s of the payment are left to give back", money.OfMicros(left, c)).At("totalAmount")
	}
	if err != nil {
		return amount, net, tax, err
	}
	taxed := p.Tax.Micros()
	if p.Booked == Unapplied {
		taxed = 0
	}
	due := part(taxed, done.Micros()+amount.Micros(), p.Total.Micros(), c) - part(taxed, done.Micros(), p.Total.Micros(), c)
	return amount, money.OfMicros(amount.Micros()-due, c), money.OfMicros(due, c), nil
}

// takeBack books a refund as going to the gateway, from where the payment went.
func (s *Service) takeBack(ctx context.Context, i id.ID, p Payment, v *Refund) error {
	text := "Refund of " + v.Total.String()
	from, net := p.Booked, v.Amount.Amount
	if p.Topup != "" && net.Micros() != 0 {
		bucket, _, err := s.Balances.Money(ctx, p.SubscriptionID)
		if err != nil {
			return err
		}
		err = s.Balances.Move(ctx, balance.Cause{Kind: RefundKind.Name, ID: string(i), Text: text}, balance.Movement{Bucket: bucket, Amount: -net.Micros(), Against: GatewayAccount})
		if err != nil {
			return err
		}
		v.Taken, v.Charging = bucket, &Result{Code: ResultSuccess}
		net = money.OfMicros(0, net.Currency())
	}
	v.Booked = from
	if net.IsZero() && v.Tax.Sign() == 0 {
		return nil
	}
	return s.book(ctx, RefundKind, i, text, entries(net.Currency(), from, net.Neg(), v.Tax.Neg()))
}

// giveBack refunds all of a payment that could not be used for what it was meant for.
func (s *Service) giveBack(ctx context.Context, payment id.ID, why string) error {
	_, _, err := s.Refund(ctx, RefundOrder{Key: "giveBack/" + string(payment), Payment: payment, Reason: "Given back: " + why})
	return err
}

func (s *Service) refundJob(ctx context.Context, j job.Job) error {
	var t turn
	if err := json.Unmarshal(j.Payload, &t); err != nil {
		return job.Permanent{Err: err}
	}
	return s.later(ctx, JobRefund, t, s.askRefund(ctx, t.Of, t.Begun))
}

// SettleRefund is Settle for a refund.
func (s *Service) SettleRefund(ctx context.Context, i id.ID) (Refund, error) {
	if err := s.askRefund(ctx, i, -1); err != nil && !errors.Is(err, errBusy) {
		return Refund{}, err
	}
	r, _, err := s.Refunds.Get(ctx, i)
	return r, err
}

// askRefund takes a refund one call on.
func (s *Service) askRefund(ctx context.Context, i id.ID, begun int) error {
	r, _, err := s.Refunds.Get(ctx, i)
	if err != nil || r.Status.Final() {
		return err
	}
	p, _, err := s.Payments.Get(ctx, id.ID(r.Payment.ID))
	if err != nil {
		return err
	}
	window, err := s.resends(ctx)
	if err != nil {
		return err
	}
	a, before, err := s.take(ctx, r.Calls, begun)
	if errors.Is(err, errOver) {
		return nil
	}
	if err != nil {
		return err
	}
	o := Reversal{Key: i, Reference: p.Reference, Amount: r.Total.Amount, Text: r.Description, Asked: *a.First}
	answer, err := s.callGateway(ctx, before, a, window,
		func(ctx context.Context) (Answer, error) { return s.Parts.Gateway.Refund(ctx, o) },
		func(ctx context.Context) (Answer, error) { return s.Parts.Gateway.FindRefund(ctx, o) })
	if ctx.Err() != nil { // what came of it is asked for when the lease has ended
		return context.Cause(ctx)
	}
	if err == nil && (answer.Outcome == Succeeded || answer.Outcome == Declined) {
		return s.recordRefund(ctx, i, answer)
	}
	pause := min(job.Backoff(a.Attempts), longestPause)
	state, text := ResultUnknown, ""
	if err != nil {
		text = err.Error()
	} else {
		state, pause = ResultPending, max(pause, silence)
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		if err := s.unanswered(ctx, JobRefund, r.Calls, a.Attempts, text, pause); err != nil {
			return err
		}
		now, _, err := s.Refunds.Get(ctx, i)
		if err != nil || now.Status.Final() || now.Gateway.Code == state {
			return err
		}
		_, err = s.Refunds.Change(ctx, i, func(v *Refund) error {
			v.Gateway = &Result{Code: state}
			return nil
		})
		return err
	})
}

// TellRefund is Tell for a refund.
func (s *Service) TellRefund(ctx context.Context, i id.ID, a Answer) error {
	switch a.Outcome {
	case Succeeded, Declined:
		return s.recordRefund(ctx, i, a)
	case Accepted:
		_, _, err := s.Refunds.Get(ctx, i)
		return err
	}
	return fault.Invalidf("outcome", "%q is no answer", a.Outcome)
}

// recordRefund keeps the gateway's last answer. What it did not give back goes back to where it was taken from.
func (s *Service) recordRefund(ctx context.Context, i id.ID, a Answer) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		r, d, err := s.Refunds.Get(ctx, i)
		if err != nil || r.Status.Final() {
			return err
		}
		now := s.store.Now(ctx)
		r.StatusDate = now
		r.Gateway = &Result{Code: ResultSuccess, Message: clip(a.Reason), Detail: clip(a.Code)}
		if a.Reference != "" {
			r.Reference = clip(a.Reference)
		}
		if a.Outcome == Succeeded {
			r.Status, r.RefundDate, r.Billing = Done, &now, &Result{Code: ResultSuccess}
		} else {
			r.Status, r.Gateway.Code, r.StatusReason = Denied, ResultDeclined, clip(a.Reason)
			if a.Code == neverArrived {
				r.Status, r.Gateway.Code = Failed, ResultFailed
			}
			r.Billing = &Result{Code: ResultFailed, Message: "nothing was given back"}
			if err := s.restore(ctx, i, &r); err != nil {
				return err
			}
		}
		_, err = s.Refunds.Replace(ctx, d, &r)
		return err
	})
}

// restore undoes what a refund took that came to nothing.
func (s *Service) restore(ctx context.Context, i id.ID, r *Refund) error {
	payment := id.ID(r.Payment.ID)
	_, err := s.Payments.Change(ctx, payment, func(p *Payment) error {
		p.Refunded = sum(money.OfMicros(p.Refunded.Micros()-r.Total.Micros(), r.Total.Currency()))
		return nil
	})
	if err != nil {
		return err
	}
	text, net := "Refund undone: "+r.Total.String(), r.Amount.Amount
	to := r.Booked
	if r.Taken != "" {
		c := balance.Cause{Kind: RefundKind.Name, ID: string(i), Text: text}
		err := s.Balances.Move(ctx, c, balance.Movement{Bucket: r.Taken, Amount: net.Micros(), Against: GatewayAccount})
		switch fault.KindOf(err) {
		case fault.None:
			r.Charging = &Result{Code: ResultNotRequested, Message: "it went back to the balance"}
			net = money.OfMicros(0, net.Currency())
		case fault.Conflict, fault.NotFound:
			to = Unapplied
			r.Charging = &Result{Code: ResultFailed, Message: fault.From(err).Message, Detail: string(fault.From(err).Code)}
		default:
			return err
		}
	}
	if net.IsZero() && r.Tax.Sign() == 0 {
		return nil
	}
	return s.book(ctx, RefundKind, i, text, entries(net.Currency(), to, net, r.Tax.Amount))
}

// part is amount × of / all, rounded down to what can be paid.
func part(amount, of, all int64, c money.Currency) int64 {
	if all == 0 || amount == 0 {
		return 0
	}
	n := new(big.Int).Mul(big.NewInt(amount), big.NewInt(of))
	whole := n.Div(n, big.NewInt(all)).Int64()
	step := int64(money.Micros)
	for range c.Digits() {
		step /= 10
	}
	return whole - whole%step
}
