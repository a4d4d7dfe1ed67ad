package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/demarc-bss/demarc/internal/autotopup"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// topups has the first three lines topped up automatically by a card of the sandbox's: when the balance is low, every
// month, and once in twenty days.
func (h *House) topups(ctx context.Context, p Provider, n int, i id.ID, line subscription.Line) error {
	if n > 2 || len(h.Payments.Secret) == 0 {
		return nil
	}
	t, err := h.Payments.CreateToken(ctx, line.AccountID, payment.Secret(fmt.Sprintf("tok_success_demo%d", n+1)), payment.Card{Masked: "4242", Expiry: "2099/12"})
	if err != nil {
		return err
	}
	amount := func(units int64) money.Amount { return money.OfMicros(units*money.Micros, p.Currency) }
	w := autotopup.Wish{Line: i, Token: t.ID, Amount: amount(20)}
	switch n {
	case 0:
		low := amount(3)
		w.Threshold = &low
	case 1:
		w.Period = "monthly"
	default:
		at := h.Store.Now(ctx).Add(20 * 24 * time.Hour)
		w.Next = &at
	}
	_, _, err = h.AutoTopups.Create(ctx, w)
	return err
}
