// Package resource is the life of a TM Forum resource, written once: create, patch, delete, read and list
// with defaults, rules, states and events.
//
// A domain declares its type and Rules, and gets a Set. Rules are the domain's; façades call the Set and
// decide nothing.
package resource

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// Rules are what a domain decides about its type. Every function may be nil. They see decoded values, may
// change next, and answer faults that name the attribute.
type Rules[T any] struct {
	// Domain is the API that owns the type, as events name it ("customerManagement").
	Domain string
	// Home chooses the home of a new resource: usually its owner's. Nil, or not ok: a random one.
	Home func(next *T) (id.Home, bool)
	// Create completes and checks a new resource: defaults, mandatory attributes, first state.
	Create func(ctx context.Context, i id.ID, next *T, now time.Time) error
	// Change checks a change from prev to next: which states may follow, which attributes are fixed.
	Change func(ctx context.Context, prev, next *T, now time.Time) error
	// Remove checks a deletion. That nothing refers to it is checked by the store.
	Remove func(ctx context.Context, prev *T) error
	// After runs in the transaction once the resource is stored (next nil: deleted; prev nil: created).
	After func(ctx context.Context, i id.ID, prev, next *T) error
	// State is the attribute whose change is a StateChange event.
	State func(v *T) string
	// Touch sets the attribute that says when the resource last changed, for the types that have one.
	Touch func(v *T, now time.Time)
	// Fixed names attributes that no client may change once set, beside id and href.
	Fixed []string
}

// Any is a Set without its type, as façades see it.
type Any interface {
	Kind() id.Kind
	// Create stores a new resource from a JSON object. id and href in it are ignored.
	Create(ctx context.Context, body jsontext.Value) (store.Doc, error)
	// Patch changes a resource: apply gets the present document with its id and gives the next one. With
	// version > 0 the resource must still have that version, else a Stale fault. Giving the present document
	// back changes nothing: no version, no event.
	Patch(ctx context.Context, i id.ID, version int64, apply func(now jsontext.Value) (jsontext.Value, error)) (store.Doc, error)
	// Delete removes a resource; version as in Patch.
	Delete(ctx context.Context, i id.ID, version int64) error
	Doc(ctx context.Context, i id.ID) (store.Doc, error)
	Docs(ctx context.Context, q store.Query) (store.Page, error)
}

// Set is all resources of a type: the collection under the type's rules.
type Set[T any] struct {
	*store.Collection[T]
	store *store.Store
	kind  id.Kind
	quiet bool
	rules Rules[T]
}

// New makes a Set; call it once for each type, before the store is used.
func New[T any](s *store.Store, d store.Definition, r Rules[T]) *Set[T] {
	return &Set[T]{Collection: store.NewCollection[T](s, d), store: s, kind: d.Kind, quiet: d.Quiet, rules: r}
}

// Kind is the id kind of the set's resources.
func (s *Set[T]) Kind() id.Kind { return s.kind }

// Create implements Any.
func (s *Set[T]) Create(ctx context.Context, body jsontext.Value) (store.Doc, error) {
	var v T
	if err := decode(body, &v); err != nil {
		return store.Doc{}, err
	}
	_, d, err := s.add(ctx, &v, body)
	return d, err
}

// Add stores a new resource; the domains' own way to create one.
func (s *Set[T]) Add(ctx context.Context, v *T) (id.ID, store.Doc, error) { return s.add(ctx, v, nil) }

// add stores v; came is the document that v was read from, if there was one.
func (s *Set[T]) add(ctx context.Context, v *T, came jsontext.Value) (id.ID, store.Doc, error) {
	var d store.Doc
	var i id.ID
	err := s.store.Write(ctx, func(ctx context.Context) error {
		next := *v
		now := s.store.Now(ctx)
		i = id.New(s.kind, s.home(&next), now)
		if s.rules.Create != nil {
			if err := s.rules.Create(ctx, i, &next, now); err != nil {
				return err
			}
		}
		if s.rules.Touch != nil {
			s.rules.Touch(&next, now)
		}
		body, err := encode(&next, came)
		if err != nil {
			return err
		}
		if d, err = s.InsertEncoded(ctx, i, body); err != nil {
			return err
		}
		if err := s.emit(ctx, event.Create, d); err != nil {
			return err
		}
		if s.rules.After != nil {
			return s.rules.After(ctx, i, nil, &next)
		}
		return nil
	})
	return i, d, err
}

// AddMany is Add of many resources in a few journeys to the database: all or none. Its faults are those of Add, in
// a store.Nth that says which resource is at fault.
func (s *Set[T]) AddMany(ctx context.Context, all []*T) (docs []store.Doc, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		now := s.store.Now(ctx)
		next, drafts := make([]T, len(all)), make([]store.Draft, len(all))
		for n, v := range all {
			next[n] = *v
			drafts[n].ID = id.New(s.kind, s.home(&next[n]), now)
			if err := s.begin(ctx, &drafts[n], &next[n], now); err != nil {
				return &store.Nth{N: n, Err: err}
			}
		}
		if docs, err = s.InsertMany(ctx, drafts); err != nil {
			return err
		}
		for n, d := range docs {
			if err := s.emit(ctx, event.Create, d); err != nil {
				return err
			}
			if s.rules.After == nil {
				continue
			}
			if err := s.rules.After(ctx, d.ID, nil, &next[n]); err != nil {
				return &store.Nth{N: n, Err: err}
			}
		}
		return nil
	})
	return docs, err
}

// begin completes, checks and encodes a new resource.
func (s *Set[T]) begin(ctx context.Context, d *store.Draft, next *T, now time.Time) (err error) {
	if s.rules.Create != nil {
		if err := s.rules.Create(ctx, d.ID, next, now); err != nil {
			return err
		}
	}
	if s.rules.Touch != nil {
		s.rules.Touch(next, now)
	}
	d.Body, err = encode(next, nil)
	return err
}

func (s *Set[T]) home(v *T) id.Home {
	if s.rules.Home != nil {
		if h, ok := s.rules.Home(v); ok {
			return h
		}
	}
	return id.RandomHome()
}

// Patch implements Any.
func (s *Set[T]) Patch(ctx context.Context, i id.ID, version int64, apply func(now jsontext.Value) (jsontext.Value, error)) (store.Doc, error) {
	var d store.Doc
	err := s.store.Write(ctx, func(ctx context.Context) error {
		prev, was, err := s.Get(ctx, i)
		if err != nil {
			return err
		}
		body, err := apply(was.Body)
		if err != nil {
			return err
		}
		if bytes.Equal(body, was.Body) {
			d = was
			return s.fresh(was, version)
		}
		if err := s.fixed(was.Body, body); err != nil {
			return err
		}
		var next T
		if err := decode(body, &next); err != nil {
			return err
		}
		d, err = s.replace(ctx, was, version, &prev, &next, body)
		return err
	})
	return d, err
}

// Change lets a domain change a resource in place: it loads it, lets decide alter it, and stores it with its
// events. decide returning an error changes nothing.
func (s *Set[T]) Change(ctx context.Context, i id.ID, decide func(v *T) error) (T, error) {
	var next T
	err := s.store.Write(ctx, func(ctx context.Context) error {
		prev, was, err := s.Get(ctx, i)
		if err != nil {
			return err
		}
		if err := decode(was.Body, &next); err != nil { // a second value: decide may reach into maps and slices
			return err
		}
		if err := decide(&next); err != nil {
			return err
		}
		_, err = s.replace(ctx, was, 0, &prev, &next, was.Body)
		return err
	})
	return next, err
}

// Replace stores what a domain made of a resource that it read in the same transaction, with its events. A resource
// that was changed since it was read is a Stale fault.
func (s *Set[T]) Replace(ctx context.Context, was store.Doc, next *T) (d store.Doc, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		var prev T
		if err := decode(was.Body, &prev); err != nil {
			return err
		}
		d, err = s.replace(ctx, was, 0, &prev, next, was.Body)
		return err
	})
	return d, err
}

// fresh refuses a change that is based on another version; 0 is none.
func (s *Set[T]) fresh(was store.Doc, version int64) error {
	if version > 0 && version != was.Version {
		return fault.New(fault.Stale, fault.CodeStale, "the %s has changed since: its version is %d now", s.kind.Name, was.Version)
	}
	return nil
}

// replace stores next, which was read from came, in place of prev.
func (s *Set[T]) replace(ctx context.Context, was store.Doc, version int64, prev, next *T, came jsontext.Value) (store.Doc, error) {
	if err := s.fresh(was, version); err != nil {
		return store.Doc{}, err
	}
	now := s.store.Now(ctx)
	if s.rules.Change != nil {
		if err := s.rules.Change(ctx, prev, next, now); err != nil {
			return store.Doc{}, err
		}
	}
	if s.rules.Touch != nil {
		s.rules.Touch(next, now)
	}
	body, err := encode(next, came)
	if err != nil {
		return store.Doc{}, err
	}
	d, err := s.UpdateEncoded(ctx, was.ID, was.Version, body)
	if err != nil {
		return store.Doc{}, err
	}
	verb := event.Change
	if s.rules.State != nil && s.rules.State(prev) != s.rules.State(next) {
		verb = event.State
	}
	if err := s.emit(ctx, verb, d); err != nil {
		return store.Doc{}, err
	}
	if s.rules.After != nil {
		return d, s.rules.After(ctx, was.ID, prev, next)
	}
	return d, nil
}

// Delete implements Any.
func (s *Set[T]) Delete(ctx context.Context, i id.ID, version int64) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		prev, was, err := s.Get(ctx, i)
		if err != nil {
			return err
		}
		if err := s.fresh(was, version); err != nil {
			return err
		}
		if s.rules.Remove != nil {
			if err := s.rules.Remove(ctx, &prev); err != nil {
				return err
			}
		}
		if err := s.Collection.Delete(ctx, i, was.Version); err != nil {
			return err
		}
		if err := s.emit(ctx, event.Delete, was); err != nil {
			return err
		}
		if s.rules.After != nil {
			return s.rules.After(ctx, i, &prev, nil)
		}
		return nil
	})
}

func (s *Set[T]) emit(ctx context.Context, v event.Verb, d store.Doc) error {
	return s.store.Emit(ctx, event.Event{
		Type: event.TypeOf(s.kind.Name, v), Domain: s.rules.Domain, Resource: s.kind.Name,
		Subject: d.ID, Document: d.Body, Quiet: s.quiet,
	})
}

// fixed refuses a change of an attribute that is fixed once set.
func (s *Set[T]) fixed(before, after jsontext.Value) error {
	if len(s.rules.Fixed) == 0 {
		return nil
	}
	var b, a map[string]jsontext.Value
	if err := json.Unmarshal(before, &b); err != nil {
		return fault.Internalf(err, "a stored document cannot be read")
	}
	if err := json.Unmarshal(after, &a); err != nil {
		return fault.Invalidf("", "the patched resource is not a JSON object")
	}
	var found []fault.Detail
	for _, name := range s.rules.Fixed {
		if was, ok := b[name]; ok && !same(was, a[name]) {
			found = append(found, fault.Detail{Attribute: name, Message: name + " cannot be changed"})
		}
	}
	return fault.InvalidAll(found)
}

// same reports whether two JSON values are one, however their members are ordered.
func same(a, b jsontext.Value) bool {
	if string(a) == string(b) {
		return true
	}
	a, b = a.Clone(), b.Clone()
	return a.Canonicalize() == nil && b.Canonicalize() == nil && string(a) == string(b)
}

// encode writes a value that was read from came (nil: from nothing).
func encode[T any](v *T, came jsontext.Value) (jsontext.Value, error) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fault.Internalf(err, "a document cannot be written as JSON")
	}
	return Kept(came, body), nil
}

// decode reads a document into its type. Its form was checked by the façade against the declared schema, so
// what fails here is a value the type itself refuses (an unknown currency, a moment that is none).
func decode(body jsontext.Value, v any) error {
	err := json.Unmarshal(body, v)
	if err == nil {
		return nil
	}
	f := fault.From(err)
	if f.Kind != fault.Internal {
		return f.At(strings.Trim(pointerOf(err)+"."+f.Attribute, "."))
	}
	return fault.Invalidf(pointerOf(err), "the value does not fit the attribute").Because(err)
}
