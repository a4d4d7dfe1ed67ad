package provider

import (
	"bytes"
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// Service providers are the one resource that a caller looks at side by side: each is stored under its own
// number, and a caller of several sees all at which it may do what it asks. Everything else is seen at one.

// each calls fn with a context for every service provider open to the caller, in the order of its token,
// until fn says that it is done.
func each(ctx context.Context, fn func(ctx context.Context) (done bool, err error)) error {
	sc, err := scope.From(ctx)
	if err != nil {
		return err
	}
	for _, spid := range sc.Open() {
		at, ok := sc.At(spid)
		if !ok {
			continue
		}
		if done, err := fn(scope.With(ctx, at)); done || err != nil {
			return err
		}
	}
	return nil
}

// Docs lists the service providers open to the caller.
func (p *Service) Docs(ctx context.Context, q store.Query) (store.Page, error) {
	var all []store.Doc
	err := each(ctx, func(ctx context.Context) (bool, error) {
		page, err := p.Set.Docs(ctx, store.Query{Filters: q.Filters, Sort: q.Sort, NoTotal: true})
		all = append(all, page.Items...)
		return false, err
	})
	if err != nil {
		return store.Page{}, err
	}
	slices.SortStableFunc(all, func(a, b store.Doc) int { return compare(q.Sort, a, b) })
	page := store.Page{Total: int64(len(all)), Items: all[min(q.Offset, len(all)):]}
	if q.Limit > 0 {
		page.Items = page.Items[:min(q.Limit, len(page.Items))]
	}
	return page, nil
}

// compare orders documents as a collection would: what has no such value comes last.
func compare(by []store.Sort, a, b store.Doc) int {
	for _, s := range by {
		x, y := s.Key(a.Body), s.Key(b.Body)
		switch {
		case x == nil && y == nil:
			continue
		case x == nil:
			return 1
		case y == nil:
			return -1
		}
		if c := bytes.Compare(x, y); c != 0 {
			if s.Desc {
				return -c
			}
			return c
		}
	}
	return 0
}

// Doc reads one of the service providers open to the caller.
func (p *Service) Doc(ctx context.Context, i id.ID) (d store.Doc, err error) {
	err = p.where(ctx, i, func(ctx context.Context) (err error) {
		d, err = p.Set.Doc(ctx, i)
		return err
	})
	return d, err
}

// Patch changes one of the service providers open to the caller; see resource.Any.
func (p *Service) Patch(ctx context.Context, i id.ID, version int64, apply func(now jsontext.Value) (jsontext.Value, error)) (d store.Doc, err error) {
	err = p.where(ctx, i, func(ctx context.Context) (err error) {
		d, err = p.Set.Patch(ctx, i, version, apply)
		return err
	})
	return d, err
}

// where calls fn at the service provider that the id belongs to; a NotFound fault when it is none of the
// caller's.
func (p *Service) where(ctx context.Context, i id.ID, fn func(ctx context.Context) error) error {
	last := error(fault.NotFoundf("there is no %s %.64s", Kind.Name, i))
	err := each(ctx, func(ctx context.Context) (bool, error) {
		last = fn(ctx)
		return fault.KindOf(last) != fault.NotFound, nil
	})
	if err != nil {
		return err
	}
	return last
}
