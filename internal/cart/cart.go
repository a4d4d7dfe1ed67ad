// Package cart keeps what a customer is about to buy (TMF663 Shopping Cart), priced as it changes.
package cart

import (
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Kind is the id kind of carts.
var Kind = id.Kind{Name: "shoppingCart", Prefix: "crt"}

// Parts are the domains that carts span.
type Parts struct {
	Providers     *provider.Service
	Catalog       *catalog.Service
	Subscriptions *subscription.Service
}

// Service is all carts.
type Service struct {
	Parts
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service { return &Service{Parts: p, store: s} }

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{} }
