package balance

import (
	"context"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// LowBalanceEvent is the type of the events that tell, in the transaction that takes the money, that a line's main
// money fell below what was asked for by WatchMoney.
const LowBalanceEvent = "LowBalanceEvent"

// Watch is how low a bucket may fall before that is told.
type Watch struct {
	Below sid.Quantity `json:"below"`
	// Told says that it fell below, was told, and has not been above since.
	Told bool `json:"told,omitzero"`
}

// WatchMoney has it told when the main money of a line falls below an amount: once, and again after it has risen. Money
// that a reservation sets aside is not spent yet, and counts. What is below already is told at once. A line has
// one such amount; 0 takes it away. A line without money is a Conflict fault (CodeNoMoney), an amount of another
// currency an Invalid one.
func (s *Service) WatchMoney(ctx context.Context, line id.ID, below money.Amount) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		w, err := s.Wallet(ctx, line)
		if err != nil {
			return err
		}
		h := w.Money()
		switch {
		case h == nil && below.Sign() <= 0:
			return nil
		case h == nil:
			return fault.Conflictf(CodeNoMoney, "the subscription has no active money balance")
		case below.Sign() <= 0 && h.Bucket.Watch == nil:
			return nil
		case below.Sign() > 0 && string(below.Currency()) != h.Bucket.Unit:
			return fault.Invalidf("", "the balance is in %s", h.Bucket.Unit)
		}
		if h.Bucket.Watch, h.changed = nil, true; below.Sign() > 0 {
			h.Bucket.Watch = &Watch{Below: Quantity(h.Bucket.Unit, below.Micros())}
		}
		return s.Save(ctx, w)
	})
}

// Unspent is what a bucket holds, with what is set aside of it.
func (h *Held) Unspent() int64 { return h.Left + h.Bucket.allReserved() }

// fell reports whether the bucket fell below its watch since that was last told, and notes that it is told now.
func (h *Held) fell() bool {
	w := h.Bucket.Watch
	if w == nil || h.Bucket.Status != Active {
		return false
	}
	low := h.Unspent() < h.count(w.Below)
	news := low && !w.Told
	if low != w.Told {
		h.Bucket.Watch = &Watch{Below: w.Below, Told: low}
	}
	return news
}
