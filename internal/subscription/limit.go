package subscription

import (
	"context"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// SetMonthlySpendLimit bounds what a line may spend on usage in a calendar month; nil takes the bound away. Faults:
// Forbidden for an actor whose claims do not let it (scope.Claims.ManageMonthlySpendLimit); Invalid for an amount below
// zero or in another currency than the account's; Conflict (CodeState) for a line that has ended.
func (s *Service) SetMonthlySpendLimit(ctx context.Context, i id.ID, limit *money.Amount) (Line, error) {
	if err := mayLimit(ctx, "monthly spend limits", func(c scope.Claims) bool { return c.ManageMonthlySpendLimit }); err != nil {
		return Line{}, err
	}
	return s.limit(ctx, i, "monthlySpendLimit", limit, func(v *Line) **money.Amount { return &v.MonthlySpendLimit })
}

// SetCreditLimit notes how far below zero a line's money may go; nil: not at all. Whoever keeps the money holds it to
// that: call renewal's SetCreditLimit. Faults as those of SetMonthlySpendLimit, with scope.Claims.ManageCreditLimit.
func (s *Service) SetCreditLimit(ctx context.Context, i id.ID, limit *money.Amount) (Line, error) {
	if err := mayLimit(ctx, "credit limits", func(c scope.Claims) bool { return c.ManageCreditLimit }); err != nil {
		return Line{}, err
	}
	return s.limit(ctx, i, "creditLimit", limit, func(v *Line) **money.Amount { return &v.CreditLimit })
}

func mayLimit(ctx context.Context, what string, may func(scope.Claims) bool) error {
	sc, err := scope.From(ctx)
	if err == nil && !may(sc.Claims()) {
		err = fault.New(fault.Forbidden, fault.CodeForbidden, "your account at the identity provider does not let you change %s", what)
	}
	return err
}

func (s *Service) limit(ctx context.Context, i id.ID, name string, limit *money.Amount, of func(v *Line) **money.Amount) (v Line, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if v, _, err = s.Lines.Get(ctx, i); err != nil {
			return err
		}
		if v.State.Ended() || v.Recorded {
			return fault.Conflictf(CodeState, "the subscription is %s", v.Status)
		}
		if err := s.fits(ctx, v, name, limit); err != nil {
			return err
		}
		if present := *of(&v); present == limit || present != nil && limit != nil && *present == *limit {
			return nil
		}
		v, err = s.Lines.Change(ctx, i, func(v *Line) error { *of(v) = limit; return nil })
		return err
	})
	return v, err
}

// fits refuses a limit that is none.
func (s *Service) fits(ctx context.Context, v Line, name string, limit *money.Amount) error {
	if limit == nil {
		return nil
	}
	a, _, err := s.accounts.Billing.Get(ctx, v.AccountID)
	if err != nil {
		return err
	}
	currency, err := s.accounts.CurrencyOf(ctx, a)
	switch {
	case err != nil:
		return err
	case limit.Currency() != currency:
		return fault.Invalidf(name, "the account is in %s", currency)
	case limit.Sign() < 0:
		return fault.Invalidf(name, "a limit is not below 0")
	case limit.Round() != *limit:
		return fault.Invalidf(name, "an amount of %s has at most %d decimals", currency, currency.Digits())
	}
	return nil
}
