package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// Load brings the catalogue to what a file says, matched by key, in one transaction. What is as it should be is
// not touched, so that loading twice changes nothing; what it does not name stays. It says how many things are
// new or changed.
func (s *Service) Load(ctx context.Context, f *File) (changed int, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		l := loading{Service: s, ids: map[string]id.ID{}, changed: map[id.ID]bool{}}
		if err := l.file(ctx, f); err != nil {
			return err
		}
		changed = len(l.changed)
		return nil
	})
	return changed, err
}

// loading is one Load on its way.
type loading struct {
	*Service
	// ids are what the names in the file stand for, by kind and name.
	ids     map[string]id.ID
	changed map[id.ID]bool
}

func (l *loading) file(ctx context.Context, f *File) error {
	for _, v := range parentsFirst(f.Categories) {
		l.resolve(CategoryKind, &v.ParentID)
		if err := put(ctx, l, l.Categories, v); err != nil {
			return err
		}
	}
	for _, v := range f.Catalogs {
		v.Category = l.refs(CategoryKind, slices.Clone(v.Category))
		if err := put(ctx, l, l.Catalogs, v); err != nil {
			return err
		}
	}
	for _, v := range f.Specifications {
		if err := put(ctx, l, l.Specifications, v); err != nil {
			return err
		}
	}
	for _, v := range f.Tariffs {
		if err := put(ctx, l, l.Tariffs, v); err != nil {
			return err
		}
	}
	for _, v := range f.Prices {
		if err := put(ctx, l, l.Prices, v); err != nil {
			return err
		}
	}
	return l.offerings(ctx, f.Offerings)
}

// offerings puts those that are new without their relationships first: they may lead to one another.
func (l *loading) offerings(ctx context.Context, all []Offering) error {
	all = slices.Clone(all)
	for n := range all {
		v := &all[n]
		v.Category = l.refs(CategoryKind, slices.Clone(v.Category))
		v.Tariff = l.ref(TariffKind, v.Tariff)
		v.Specification = l.ref(SpecificationKind, v.Specification)
		v.Prices = slices.Clone(v.Prices)
		for m := range v.Prices {
			l.resolve(PriceKind, &v.Prices[m].ID)
		}
		i, err := l.store.Claimant(ctx, claimOf(Kind), v.Key)
		if err != nil {
			return err
		}
		if i == "" {
			alone := *v
			alone.Relationships = nil
			if i, _, err = l.Offerings.Add(ctx, &alone); err != nil {
				return at(err, "offering", v.Key)
			}
			l.changed[i] = true
		}
		l.ids[Kind.Name+"\x00"+v.Key] = i
	}
	for _, v := range all {
		v.Relationships = slices.Clone(v.Relationships)
		for m := range v.Relationships {
			l.resolve(Kind, &v.Relationships[m].ID)
		}
		if err := put(ctx, l, l.Offerings, v); err != nil {
			return err
		}
	}
	return nil
}

// resolve puts the id in place of a name of the file; what is none is left as it is.
func (l *loading) resolve(k id.Kind, name *string) {
	if i, ok := l.ids[k.Name+"\x00"+*name]; ok {
		*name = string(i)
	}
}

func (l *loading) refs(k id.Kind, refs []sid.Ref) []sid.Ref {
	for n := range refs {
		l.resolve(k, &refs[n].ID)
	}
	return refs
}

func (l *loading) ref(k id.Kind, r *sid.Ref) *sid.Ref {
	if r == nil {
		return nil
	}
	out := *r
	l.resolve(k, &out.ID)
	return &out
}

// put makes what has the key as v says.
func put[T any, P part[T]](ctx context.Context, l *loading, set *resource.Set[T], v T) error {
	kind, key := set.Kind(), *P(&v).core().key
	i, err := l.store.Claimant(ctx, claimOf(kind), key)
	if err != nil {
		return err
	}
	if i == "" {
		i, _, err := set.Add(ctx, &v)
		l.ids[kind.Name+"\x00"+key], l.changed[i] = i, true
		return at(err, kind.Name, key)
	}
	l.ids[kind.Name+"\x00"+key] = i
	present, _, err := set.Get(ctx, i)
	if err != nil {
		return err
	}
	P(&v).complete()
	was, is := P(&present).core(), P(&v).core()
	*is.kind, *is.updated = *was.kind, *was.updated
	same, err := equal(present, v)
	if err != nil || same {
		return err
	}
	l.changed[i] = true
	_, err = set.Change(ctx, i, func(now *T) error { *now = v; return nil })
	return at(err, kind.Name, key)
}

// at says which part of the file a fault is about.
func at(err error, what, key string) error {
	if err == nil {
		return nil
	}
	f := *fault.From(err)
	f.Message = fmt.Sprintf("%s %s: %s", what, key, f.Message)
	return &f
}

func equal(a, b any) (bool, error) {
	x, err := json.Marshal(a, json.Deterministic(true))
	if err != nil {
		return false, fault.Internalf(err, "a resource cannot be encoded")
	}
	y, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		return false, fault.Internalf(err, "a resource cannot be encoded")
	}
	return string(x) == string(y), nil
}

// parentsFirst orders categories so that each comes after the one it is a part of.
func parentsFirst(all []Category) []Category {
	depth := func(v Category) (n int) {
		for n < len(all) {
			p := slices.IndexFunc(all, func(o Category) bool { return o.Key == v.ParentID })
			if v.ParentID == "" || p < 0 {
				return n
			}
			v, n = all[p], n+1
		}
		return n
	}
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b Category) int { return depth(a) - depth(b) })
	return out
}
