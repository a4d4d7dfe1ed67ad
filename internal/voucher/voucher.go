// Package voucher keeps prepaid vouchers: batches with serial numbers and secret PINs, their states and shelf
// life, and the refill of a line's balance with one.
package voucher

import (
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Parts are the domains that vouchers span.
type Parts struct {
	Providers     *provider.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
}

// Service is all vouchers.
type Service struct {
	Parts
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service { return &Service{Parts: p, store: s} }

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{} }
