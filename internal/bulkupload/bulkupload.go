// Package bulkupload takes in files of many things at once: SIMs, numbers, lines made ahead of their sale. An upload
// goes on where it stopped, tells its progress, and names every row that it could not take.
package bulkupload

import (
	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Kind is the id kind of uploads.
var Kind = id.Kind{Name: "bulkUpload", Prefix: "blk"}

// Parts are the domains that uploads fill.
type Parts struct {
	Providers     *provider.Service
	Accounts      *account.Service
	Catalog       *catalog.Service
	Inventory     *inventory.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
}

// Service is all uploads.
type Service struct {
	Parts
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service { return &Service{Parts: p, store: s} }

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{} }
