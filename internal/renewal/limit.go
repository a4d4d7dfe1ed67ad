package renewal

import (
	"context"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// SetCreditLimit lets the money of a line go so far below zero; nil: not at all. Money that is further down already is a
// Conflict fault (balance.CodeInsufficient), other faults are those of subscription.Service.SetCreditLimit. What the line
// could not pay is tried again with it.
func (s *Service) SetCreditLimit(ctx context.Context, line id.ID, limit *money.Amount) (v subscription.Line, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if v, err = s.Subscriptions.SetCreditLimit(ctx, line, limit); err != nil {
			return err
		}
		micros := int64(0)
		if limit != nil {
			micros = limit.Micros()
		}
		if err := s.Balances.SetCreditLimit(ctx, line, micros); err != nil {
			return fault.From(err).At("creditLimit")
		}
		if !wants(v) {
			return nil
		}
		return s.promise(ctx, line, s.store.Now(ctx), "")
	})
	return v, err
}
