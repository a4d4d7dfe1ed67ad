package catalog

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// Load brings the catalogue to what a file says, in one transaction. An entry is matched by its key; one without, by
// the id that it has in the file, here or when it was loaded before. What is as it should be is not touched, so that
// loading twice changes nothing; what the file does not name stays. It says how many things are new or changed.
func (s *Service) Load(ctx context.Context, f *File) (changed int, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		l := loading{Service: s, file: f, names: f.names(), ids: map[string]id.ID{}, changed: map[id.ID]bool{}}
		if err := l.run(ctx); err != nil {
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
	file *File
	// names are those of all entries, by kind and name.
	names map[string]bool
	// ids are what the names in the file stand for, by kind and name.
	ids     map[string]id.ID
	changed map[id.ID]bool
	// later are the entries that lead to others which were not there yet.
	later []func(ctx context.Context) error
}

func (l *loading) run(ctx context.Context) error {
	f := l.file
	for _, step := range []func() error{
		func() error { return putAll(ctx, l, l.Categories, f.Categories, parentsFirst(f)) },
		func() error { return putAll(ctx, l, l.Catalogs, f.Catalogs, nil) },
		func() error { return putAll(ctx, l, l.Specifications, f.Specifications, nil) },
		func() error { return putAll(ctx, l, l.Tariffs, f.Tariffs, nil) },
		func() error { return putAll(ctx, l, l.Prices, f.Prices, nil) },
		func() error { return putAll(ctx, l, l.Offerings, f.Offerings, nil) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, again := range l.later {
		if err := again(ctx); err != nil {
			return err
		}
	}
	return nil
}

// name is a name in the file as it is looked up.
func name(k id.Kind, text string) string { return k.Name + " " + text }

// reference is where a resource names another of a kind.
type reference struct {
	kind id.Kind
	id   *string
}

// putAll puts the entries of one kind, in their order or in another.
func putAll[T any, P part[T]](ctx context.Context, l *loading, set *resource.Set[T], all []T, order []int) error {
	for n := range all {
		at := n
		if order != nil {
			at = order[n]
		}
		local := l.file.local(set.Kind(), at)
		if err := put[T, P](ctx, l, set, all[at], local, false); err != nil {
			return err
		}
	}
	return nil
}

// put makes the entry as v says. One that leads to an entry which is not there yet is made without what leads there,
// and put again at the end.
func put[T any, P part[T]](ctx context.Context, l *loading, set *resource.Set[T], came T, local string, again bool) error {
	var v T
	if err := clone(&came, &v); err != nil {
		return err
	}
	kind, key := set.Kind(), *P(&v).core().key
	open := l.resolve(P(&v).refs(), P(&v).core().rest)
	i, err := l.find(ctx, kind, key, local)
	if err != nil {
		return err
	}
	if open && !again {
		l.later = append(l.later, func(ctx context.Context) error { return put[T, P](ctx, l, set, came, local, true) })
	}
	var present T
	if i != "" {
		switch present, _, err = set.Get(ctx, i); {
		case fault.KindOf(err) == fault.NotFound: // loaded before and deleted since
			i = ""
		case err != nil:
			return err
		}
	}
	switch {
	case i == "":
		if open {
			P(&v).detach()
		}
		if i, _, err = set.Add(ctx, &v); err != nil {
			return at(err, kind, key, local)
		}
		l.changed[i] = true
		if err := l.remember(ctx, kind, key, local, i); err != nil {
			return err
		}
	case !open || again:
		if err := change[T, P](ctx, l, set, i, present, v); err != nil {
			return at(err, kind, key, local)
		}
	}
	l.ids[name(kind, key)], l.ids[name(kind, local)] = i, i
	return nil
}

// change brings what is there to v.
func change[T any, P part[T]](ctx context.Context, l *loading, set *resource.Set[T], i id.ID, present, v T) error {
	P(&v).complete()
	was, is := P(&present).core(), P(&v).core()
	*is.kind, *is.updated = *was.kind, *was.updated
	if *was.key != "" && *is.key != *was.key {
		return fault.Conflictf(CodeState, "it has the key %q, which cannot be changed", *was.key).At("key")
	}
	same, err := equal(present, v)
	if err != nil || same {
		return err
	}
	l.changed[i] = true
	_, err = set.Change(ctx, i, func(now *T) error { *now = v; return nil })
	return err
}

// originClaim keeps under which id an entry without a key was in the file that it came from.
const originClaim = "catalog.origin"

// find is the id of an entry that is there already; empty when there is none.
func (l *loading) find(ctx context.Context, k id.Kind, key, local string) (id.ID, error) {
	if i := l.ids[name(k, key)]; i != "" && key != "" {
		return i, nil
	}
	if key != "" {
		return l.store.Claimant(ctx, claimOf(k), key)
	}
	if i := id.ID(local); i.Is(k) {
		if there, err := l.exists(ctx, k, i); err != nil || there {
			return i, err
		}
	}
	return l.store.Claimant(ctx, originClaim, name(k, local))
}

func (l *loading) exists(ctx context.Context, k id.Kind, i id.ID) (bool, error) {
	for _, set := range []resource.Any{l.Catalogs, l.Categories, l.Specifications, l.Prices, l.Tariffs, l.Offerings} {
		if set.Kind() == k {
			_, err := set.Doc(ctx, i)
			if fault.KindOf(err) == fault.NotFound {
				return false, nil
			}
			return err == nil, err
		}
	}
	return false, nil
}

// remember notes where an entry without a key came from.
func (l *loading) remember(ctx context.Context, k id.Kind, key, local string, i id.ID) error {
	if key != "" || local == "" {
		return nil
	}
	if err := l.store.Unclaim(ctx, originClaim, name(k, local)); err != nil {
		return err
	}
	return l.store.Claim(ctx, originClaim, name(k, local), i)
}

// resolve puts ids in place of the names of the file. open: some name is of an entry that is not there yet.
func (l *loading) resolve(refs []reference, rest *sid.Rest) (open bool) {
	for _, r := range refs {
		if i, ok := l.ids[name(r.kind, *r.id)]; ok {
			*r.id = string(i)
		} else if l.names[name(r.kind, *r.id)] {
			open = true
		}
	}
	for member, v := range *rest {
		next, left := l.rewrite(v)
		(*rest)[member] = next
		open = open || left
	}
	return open
}

// ownID finds ids of demarc's own form.
var ownID = regexp.MustCompile(`"[a-z]{3}_[0-9a-z]{10,40}"`)

// rewrite does the same to attributes that no rule touches. They name entries by the ids that these have in the
// file, of demarc's own form, which tells the kind.
func (l *loading) rewrite(v jsontext.Value) (out jsontext.Value, open bool) {
	out = ownID.ReplaceAllFunc(v, func(quoted []byte) []byte {
		local := string(quoted[1 : len(quoted)-1])
		for _, k := range []id.Kind{CatalogKind, CategoryKind, SpecificationKind, PriceKind, Kind} {
			switch i, known := l.ids[name(k, local)]; {
			case !id.ID(local).Is(k):
			case known:
				return []byte(`"` + string(i) + `"`)
			default:
				open = open || l.names[name(k, local)]
			}
		}
		return quoted
	})
	return out, open
}

// at says which entry of the file a fault is about.
func at(err error, k id.Kind, key, local string) error {
	if err == nil {
		return nil
	}
	if key == "" {
		key = local
	}
	f := *fault.From(err)
	f.Message = fmt.Sprintf("%s %s: %s", k.Name, key, f.Message)
	for n := range f.Details {
		f.Details = slices.Clone(f.Details)
		f.Details[n].Message = fmt.Sprintf("%s %s: %s", k.Name, key, f.Details[n].Message)
	}
	return &f
}

// clone copies an entry with everything in it: names are replaced by ids in the copy.
func clone[T any](from, to *T) error {
	body, err := json.Marshal(from)
	if err != nil {
		return fault.Internalf(err, "an entry of the catalogue cannot be encoded")
	}
	return json.Unmarshal(body, to)
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
func parentsFirst(f *File) []int {
	all := f.Categories
	order, depths := make([]int, len(all)), make([]int, len(all))
	for n := range all {
		order[n] = n
		for at := n; at >= 0 && depths[n] <= len(all); depths[n]++ {
			parent := all[at].ParentID
			at = -1
			for p := range all {
				if parent != "" && (all[p].Key == parent || f.local(CategoryKind, p) == parent) {
					at = p
				}
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return depths[a] - depths[b] })
	return order
}

// detach leaves out what an offering says of others.
func (v *Offering) detach() {
	v.Relationships = nil
	v.Rest = withoutRefs(v.Rest)
}

func (v *Catalog) detach()       { v.Rest = withoutRefs(v.Rest) }
func (v *Category) detach()      { v.Rest = withoutRefs(v.Rest) }
func (v *Specification) detach() { v.Rest = withoutRefs(v.Rest) }
func (v *OfferingPrice) detach() { v.Rest = withoutRefs(v.Rest) }
func (t *Tariff) detach()        {}

func withoutRefs(r sid.Rest) sid.Rest {
	out := sid.Rest{}
	for name, v := range r {
		if !strings.Contains(string(v), `"id"`) {
			out[name] = v
		}
	}
	return out
}

func (v *Catalog) refs() []reference { return refsOf(CategoryKind, v.Category) }

func (v *Category) refs() []reference {
	if v.ParentID == "" {
		return nil
	}
	return []reference{{CategoryKind, &v.ParentID}}
}

func (v *Specification) refs() []reference { return nil }
func (v *OfferingPrice) refs() []reference { return nil }
func (t *Tariff) refs() []reference        { return nil }

func (v *Offering) refs() []reference {
	out := refsOf(CategoryKind, v.Category)
	if v.Tariff != nil {
		out = append(out, reference{TariffKind, &v.Tariff.ID})
	}
	if v.Specification != nil {
		out = append(out, reference{SpecificationKind, &v.Specification.ID})
	}
	for n := range v.Prices {
		if v.Prices[n].ID != "" {
			out = append(out, reference{PriceKind, &v.Prices[n].ID})
		}
	}
	for n := range v.Relationships {
		out = append(out, reference{Kind, &v.Relationships[n].ID})
	}
	return out
}

func refsOf(k id.Kind, refs []sid.Ref) (out []reference) {
	for n := range refs {
		out = append(out, reference{k, &refs[n].ID})
	}
	return out
}
