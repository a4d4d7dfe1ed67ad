// Package catalog keeps what can be bought: product offerings with their prices, opening balance and
// bundles (TMF620 Product Catalog), and the tariffs that usage is rated by. Catalogues come from a file that
// people can read; see Parse.
package catalog

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

const domain = "productCatalogManagement"

// Service is the catalogue.
type Service struct {
	Catalogs       *resource.Set[Catalog]
	Categories     *resource.Set[Category]
	Specifications *resource.Set[Specification]
	Prices         *resource.Set[OfferingPrice]
	Offerings      *resource.Set[Offering]
	Tariffs        *resource.Set[Tariff]
	ImportJobs     *resource.Set[ImportJob]
	ExportJobs     *resource.Set[ExportJob]
	// Files are the files that jobs read and write beside those in their own URLs; nil: none.
	Files Files
	// ParseQuery reads the query of an export job; nil: there are none.
	ParseQuery func(query string) ([]store.Filter, error)
	store      *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(st *store.Store) *Service {
	s := &Service{store: st}
	s.Catalogs = set[Catalog](st, CatalogKind, "catalog")
	s.Categories = set[Category](st, CategoryKind, "category", s.placed)
	s.Specifications = set[Specification](st, SpecificationKind, "product_specification")
	s.Prices = set[OfferingPrice](st, PriceKind, "product_offering_price")
	s.Tariffs = set(st, TariffKind, "tariff", oneCurrency)
	s.Offerings = set[Offering](st, Kind, "product_offering", s.sound)
	s.jobSets(st)
	return s
}

// core is what every resource of the catalogue has.
type core struct {
	kind    *string
	key     *string
	status  *LifecycleStatus
	updated *time.Time
	rest    *sid.Rest
}

// entry is a resource of the catalogue: it fills in what is left out, checks itself, and knows which others it names,
// and how to do without them.
type entry interface {
	core() core
	complete()
	check() error
	refs() []reference
	detach()
}

var _ = []entry{(*Catalog)(nil), (*Category)(nil), (*Specification)(nil), (*OfferingPrice)(nil), (*Tariff)(nil), (*Offering)(nil)}

// part is a pointer to a T that is an entry.
type part[T any] interface {
	*T
	entry
}

// set makes the set of a kind of resources. One that has a key is known by it at its service provider: the key is
// claimed when it is set, given back with the resource, and never changed. also is run when one is stored (next
// nil: deleted).
func set[T any, P part[T]](st *store.Store, k id.Kind, table string, also ...func(ctx context.Context, i id.ID, prev, next *T) error) *resource.Set[T] {
	d := store.Definition{Kind: k, Table: table, Indexed: map[string]string{"name": "name", "lifecycleStatus": "lifecycle_status"}}
	if k == Kind {
		d.Indexed["offeringType"] = "offering_type"
	}
	keyOf := func(v *T) string { return *P(v).core().key }
	return resource.New(st, d, resource.Rules[T]{
		Domain: domain,
		Create: func(_ context.Context, _ id.ID, v *T, _ time.Time) error { P(v).complete(); return P(v).check() },
		Change: func(_ context.Context, prev, v *T, _ time.Time) error {
			P(v).complete()
			if err := P(v).check(); err != nil {
				return err
			}
			if before, after := *P(prev).core().status, *P(v).core().status; !before.May(after) {
				return fault.Conflictf(CodeState, "what is %s cannot become %s", before, after).At("lifecycleStatus")
			}
			return nil
		},
		After: func(ctx context.Context, i id.ID, prev, next *T) error {
			for _, do := range also {
				if err := do(ctx, i, prev, next); err != nil {
					return err
				}
			}
			switch {
			case next == nil && keyOf(prev) != "":
				return st.Unclaim(ctx, claimOf(k), keyOf(prev))
			case next != nil && keyOf(next) != "" && (prev == nil || keyOf(prev) == ""):
				return st.Claim(ctx, claimOf(k), keyOf(next), i)
			}
			return nil
		},
		State: func(v *T) string { return string(*P(v).core().status) },
		Touch: func(v *T, now time.Time) { *P(v).core().updated = now },
		Fixed: []string{"key"},
	})
}

// claimOf is what the keys of a kind are claimed as.
func claimOf(k id.Kind) string { return k.Name + ".key" }

// sound refuses an offering that is made of itself, and a plan whose own bundles are for zones that its tariff does
// not have.
func (s *Service) sound(ctx context.Context, i id.ID, _, v *Offering) error {
	if v == nil {
		return nil
	}
	if err := s.foreign(ctx, i, v); err != nil || v.OfferingType != PricePlan {
		return err
	}
	err := s.zonesKnown(ctx, *v, *v)
	if f := fault.From(err); f != nil && f.Kind == fault.Conflict {
		return fault.Invalidf("allowance", "%s", f.Message)
	}
	return err
}

// ByKey is the id of the offering with this key; a NotFound fault when there is none.
func (s *Service) ByKey(ctx context.Context, key string) (id.ID, error) {
	return s.holder(ctx, Kind, key)
}

// TariffByKey is the id of the tariff with this key; a NotFound fault when there is none.
func (s *Service) TariffByKey(ctx context.Context, key string) (id.ID, error) {
	return s.holder(ctx, TariffKind, key)
}

func (s *Service) holder(ctx context.Context, k id.Kind, key string) (id.ID, error) {
	i, err := s.store.Claimant(ctx, claimOf(k), key)
	if err == nil && i == "" {
		err = fault.NotFoundf("there is no %s with the key %q", k.Name, key)
	}
	return i, err
}
