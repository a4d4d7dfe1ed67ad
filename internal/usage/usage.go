// Package usage takes in what subscribers used (TMF635 Usage): records come singly, in batches and as files, are
// recognised when they come again, rated, charged, and kept as call details; what cannot be rated waits in
// suspense with the reason.
package usage

import (
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Parts are the domains that usage spans.
type Parts struct {
	Providers     *provider.Service
	Catalog       *catalog.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
}

// Service is all usage.
type Service struct {
	Parts
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service { return &Service{Parts: p, store: s} }

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{} }
