package payment_test

import (
	"testing"

	"github.com/demarc-bss/demarc/internal/payment/paymenttest"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestNobodyIsChargedTwiceOrCreditedForNothing(t *testing.T) {
	for n, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			paymenttest.Prove(t, paymenttest.Options{Engine: engine, Seed: uint64(n + 1), Charges: 200, Side: 4}) //nolint:gosec // a few
		})
	}
}
