// Package renewal is the recurring life of lines: it charges plans and add-ons when they begin and each time they
// renew, grants and ends their allowances, and takes lines that are not paid or not used through grace,
// suspension, dormancy and expiry. Whatever is due at a moment is done by jobs that the moment makes due.
package renewal

import (
	"context"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Parts are the domains that renewals span.
type Parts struct {
	Providers     *provider.Service
	Accounts      *account.Service
	Catalog       *catalog.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
}

// Service is the recurring life of all lines.
type Service struct {
	Parts
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service { return &Service{Parts: p, store: s} }

// Start is something that begins on a line.
type Start struct {
	Line id.ID
	// Product is the add-on held (subscription.HeldKind); empty for the plan.
	Product  id.ID
	Offering id.ID
	Cause    balance.Cause
}

// Begin charges what the offering costs at its beginning, grants its allowances and plans its renewal. For the
// plan of a new line it opens the money bucket first. What cannot be paid is a Conflict fault
// (balance.CodeInsufficient) and nothing is done. It joins the transaction in ctx.
func (s *Service) Begin(_ context.Context, _ Start) error {
	return fault.Internalf(nil, "not there yet")
}

// Undo takes back what Begin did under a cause, because of another. Doing it twice changes nothing.
func (s *Service) Undo(_ context.Context, _ Start, _ balance.Cause) error {
	return fault.Internalf(nil, "not there yet")
}

// End stops an add-on (or, with an empty product, the plan): nothing is renewed any more, what is left of its
// allowances is forfeited. Nothing is paid back.
func (s *Service) End(_ context.Context, _, _ id.ID, _ balance.Cause) error {
	return fault.Internalf(nil, "not there yet")
}

// ChangePlan ends the present plan and begins another in its place: the old plan's allowances are forfeited, the new
// one's first period is charged and begins now, add-ons stay. Undo of the same Start restores the old plan.
func (s *Service) ChangePlan(_ context.Context, _ Start) error {
	return fault.Internalf(nil, "not there yet")
}

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{} }
