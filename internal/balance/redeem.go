package balance

import (
	"context"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/store"
)

// notKept stands in a record for the code of a voucher: whoever reads the record, its audit trail or its events must not
// be able to spend it.
const notKept = "not kept"

// payWithVoucher carries out a top-up that is paid with a voucher. A bad code is counted whatever becomes of the top-up.
func (s *Service) payWithVoucher(ctx context.Context, i id.ID, t *Topup, code string) error {
	t.Voucher = notKept
	if store.CallFrom(ctx).DryRun {
		return fault.Invalidf("voucher", "a voucher is not tried out: bad codes could not be counted")
	}
	who, bucket, refusal := s.holder(ctx, t.whose())
	if refusal == nil {
		refusal = t.fitsVoucher()
	}
	if refusal == nil && s.vouchers == nil {
		refusal = fault.Conflictf(CodeNotOffered, "there are no vouchers").At("voucher")
	}
	if refusal == nil {
		refusal = s.vouchers.Admit(ctx, who.Subscription, code)
	}
	return s.carryOut(ctx, &t.Task, func(ctx context.Context) error {
		if refusal != nil {
			return refusal
		}
		next := *t
		err := s.vouchers.Redeem(ctx, who.Subscription, code, func(ctx context.Context, worth money.Amount, serial string) (id.ID, error) {
			return i, s.payWorth(ctx, i, &next, bucket, worth, serial)
		})
		if err == nil {
			*t = next
		}
		return err
	})
}

// VoucherReference is the reference of a top-up that was paid with a voucher.
func VoucherReference(serial string) string { return "voucher " + serial }

// fitsVoucher refuses what a voucher does not pay.
func (t *Topup) fitsVoucher() error {
	switch {
	case t.RecurringPeriod != "" || t.IsAutoTopup:
		return fault.Conflictf(CodeNotOffered, "a voucher is spent once: such a top-up does not recur").At("recurringPeriod")
	case t.ValidFor != nil:
		return fault.Conflictf(CodeNotOffered, "what a voucher pays is valid for as long as the voucher says").At("validFor")
	}
	return nil
}

// payWorth pays what a voucher is worth into the main money of its line. An amount that the client said has to be that.
func (s *Service) payWorth(ctx context.Context, i id.ID, t *Topup, bucket id.ID, worth money.Amount, serial string) error {
	unit := string(worth.Currency())
	if len(t.Amount.Amount) > 0 {
		n, err := Count(unit, t.Amount)
		if err != nil || n != 0 && n != worth.Micros() {
			return fault.Conflictf(CodeUnit, "the voucher is worth %s", worth).At("amount")
		}
	}
	t.Amount, t.UsageType, t.Voucher, t.spent = Quantity(unit, worth.Micros()), Monetary, serial, true
	if t.Reference == "" {
		t.Reference = VoucherReference(serial)
	}
	if err := s.pay(ctx, i, t); err != nil {
		return err
	}
	main, _, err := s.Money(ctx, t.SubscriptionID)
	if err == nil && bucket != "" && bucket != main {
		err = fault.Conflictf(CodeNotOffered, "a voucher pays into the main money of its line, which is %s", main).At("bucket.id")
	}
	return err
}
