package payment

import (
	"context"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/store"
)

// neverArrived is the code of what is given up because the gateway never heard of it.
const neverArrived = "neverArrived"

// Tell takes what the gateway says of a payment, as a webhook brings it. A payment that has ended does not change any more.
// One that ended without the money, and was charged after all, is given back. Faults: NotFound; Invalid for what is no answer.
func (s *Service) Tell(ctx context.Context, i id.ID, a Answer) error {
	switch a.Outcome {
	case Succeeded, Declined:
		return s.record(ctx, i, a)
	case Accepted:
		_, _, err := s.Payments.Get(ctx, i)
		return err
	}
	return fault.Invalidf("outcome", "%q is no answer", a.Outcome)
}

// record keeps the gateway's last answer and does what follows from it, in one transaction.
func (s *Service) record(ctx context.Context, i id.ID, a Answer) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		p, d, err := s.Payments.Get(ctx, i)
		if err != nil {
			return err
		}
		switch {
		case p.Status == Pending && a.Outcome == Succeeded:
			err = s.succeed(ctx, p, d, a)
		case p.Status == Pending:
			err = s.decline(ctx, p, d, a)
		case p.Status != Done && a.Outcome == Succeeded && p.Booked == "":
			return s.late(ctx, p, d, a)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return s.forgetReplaced(ctx, p.TokenID)
	})
}

// learn notes what the gateway says.
func (p *Payment) learn(a Answer, code string) {
	p.Gateway = &Result{Code: code, Message: clip(a.Reason), Detail: clip(a.Code)}
	if a.Reference != "" {
		p.Reference = clip(a.Reference)
	}
	if a.Authorization != "" {
		p.AuthorizationCode = clip(a.Authorization)
	}
	p.Instrument = nil
}

// succeed ends a payment with the money: it is credited or booked as sales in the same transaction. What cannot be credited
// is given back.
func (s *Service) succeed(ctx context.Context, p Payment, d store.Doc, a Answer) error {
	now := s.store.Now(ctx)
	p.learn(a, ResultSuccess)
	p.Status, p.StatusDate, p.PaymentDate = Done, now, &now
	p.Billing = &Result{Code: ResultSuccess}
	var err error
	if p.Credit {
		err = s.credit(ctx, d.ID, &p)
	} else {
		err = s.post(ctx, d.ID, &p, balance.Sales, p.Amount.Amount, p.Tax.Amount)
	}
	if err != nil {
		return err
	}
	if _, err := s.Payments.Replace(ctx, d, &p); err != nil {
		return err
	}
	if p.Booked == Unapplied {
		return s.giveBack(ctx, d.ID, "it could not be credited")
	}
	return nil
}

// credit tops up the line's money with what was charged, less the tax on it.
func (s *Service) credit(ctx context.Context, i id.ID, p *Payment) error {
	err := s.store.Write(ctx, func(ctx context.Context) error {
		t, _, _, err := s.Balances.TopUp(ctx, balance.TopupOrder{
			Subscription: p.SubscriptionID, Amount: p.Amount.Amount, Reference: string(i), Reason: p.Description, Spent: true,
		})
		if err != nil {
			return err
		}
		p.Topup = t
		return s.post(ctx, i, p, balance.Topups, p.Amount.Amount, p.Tax.Amount)
	})
	switch f := fault.From(err); fault.KindOf(err) {
	case fault.None:
		p.Charging = &Result{Code: ResultSuccess}
		return nil
	case fault.Conflict, fault.NotFound, fault.Invalid, fault.Limit:
		p.Topup = ""
		p.Charging = &Result{Code: ResultFailed, Message: f.Message, Detail: string(f.Code)}
		return s.post(ctx, i, p, Unapplied, p.Total.Amount, money.OfMicros(0, p.Total.Currency()))
	}
	return err
}

// post books what the gateway took: to an account, and the tax in it.
func (s *Service) post(ctx context.Context, i id.ID, p *Payment, to string, net, tax money.Amount) error {
	p.Booked = to
	return s.book(ctx, Kind, i, "Card payment of "+p.Total.String(), entries(p.Total.Currency(), to, net, tax))
}

// entries are the two or three sides of money from the gateway; with negative amounts, of money to it.
func entries(c money.Currency, to string, net, tax money.Amount) []store.Entry {
	unit := string(c)
	out := []store.Entry{{Account: GatewayAccount, Unit: unit, Amount: -net.Micros() - tax.Micros()}}
	if net.Micros() != 0 {
		out = append(out, store.Entry{Account: to, Unit: unit, Amount: net.Micros()})
	}
	if tax.Micros() != 0 {
		out = append(out, store.Entry{Account: balance.Taxes, Unit: unit, Amount: tax.Micros()})
	}
	return out
}

func (s *Service) book(ctx context.Context, kind id.Kind, i id.ID, text string, e []store.Entry) error {
	home, _ := i.Home()
	return s.store.Post(ctx, home, store.Posting{
		ID: id.New(store.PostingKind, home, s.store.Now(ctx)), At: s.store.Now(ctx), CauseKind: kind.Name, Cause: string(i), Text: text, Entries: e,
	})
}

// decline ends a payment without the money.
func (s *Service) decline(ctx context.Context, p Payment, d store.Doc, a Answer) error {
	code := ResultDeclined
	if p.Status = Denied; a.Code == neverArrived {
		p.Status, code = Failed, ResultFailed
	}
	p.learn(a, code)
	p.StatusDate, p.StatusReason = s.store.Now(ctx), clip(a.Reason)
	p.Billing = &Result{Code: ResultFailed, Message: "nothing was charged"}
	if p.Credit {
		p.Charging = &Result{Code: ResultFailed, Message: "nothing was charged"}
	}
	_, err := s.Payments.Replace(ctx, d, &p)
	return err
}

// late notes that a gateway took money for a payment that had ended without it, and gives it back.
func (s *Service) late(ctx context.Context, p Payment, d store.Doc, a Answer) error {
	p.learn(a, ResultSuccess)
	if err := s.post(ctx, d.ID, &p, Unapplied, p.Total.Amount, money.OfMicros(0, p.Total.Currency())); err != nil {
		return err
	}
	if _, err := s.Payments.Replace(ctx, d, &p); err != nil {
		return err
	}
	return s.giveBack(ctx, d.ID, "the gateway took the money after the payment had ended")
}
