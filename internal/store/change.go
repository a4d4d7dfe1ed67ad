package store

import (
	"context"
	"github.com/demarc-bss/demarc/internal/store/engine"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/cache"
)

// change is one insert, update or delete of a document in an open transaction.
type change struct {
	s    *Store
	t    *tx
	d    *definition
	home id.Home
	spid int
	id   id.ID
}

func (c *Collection[T]) change(ctx context.Context, i id.ID) (*change, error) {
	t, err := c.s.writing(ctx)
	if err != nil {
		return nil, err
	}
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, err
	}
	home, ok := c.d.home(i)
	if !ok {
		return nil, unknown(c.d, i)
	}
	return &change{s: c.s, t: t, d: c.d, home: home, spid: spid, id: i}, nil
}

// Insert stores a new document under an id made by id.New and records it in the audit trail. v is encoded
// without its id and href. An id that is taken is a Conflict fault; a reference to nothing, a NUL character
// in a text or a number that no float64 can stand for is an Invalid one that names the attribute.
func (c *Collection[T]) Insert(ctx context.Context, i id.ID, v *T) (Doc, error) {
	raw, err := encode(v)
	if err != nil {
		return Doc{}, err
	}
	return c.InsertEncoded(ctx, i, raw)
}

// Update replaces a document if it still has the given version, else a Stale fault.
func (c *Collection[T]) Update(ctx context.Context, i id.ID, version int64, v *T) (Doc, error) {
	raw, err := encode(v)
	if err != nil {
		return Doc{}, err
	}
	return c.UpdateEncoded(ctx, i, version, raw)
}

// Delete removes a document if it still has the given version and nothing refers to it. Another version is
// a Stale fault.
func (c *Collection[T]) Delete(ctx context.Context, i id.ID, version int64) error {
	ch, err := c.change(ctx, i)
	if err != nil {
		return err
	}
	return ch.delete(ctx, version)
}

func encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fault.New(fault.Invalid, fault.CodeInvalid, "the document cannot be written as JSON").Because(err)
	}
	return raw, nil
}

// touch says that the document is not what it was.
func (ch *change) touch() {
	delete(ch.t.seen, ch.id)
	if ch.s.docs != nil {
		ch.t.Touched = append(ch.t.Touched, cache.Key{SPID: ch.spid, ID: string(ch.id)})
	}
}

func (ch *change) insert(ctx context.Context, raw []byte) (Doc, error) {
	body, refs, err := inspect(raw, ch.d.Indexed)
	if err != nil {
		return Doc{}, err
	}
	now := engine.Micros(ch.t.now)
	n, err := ch.t.Exec(ctx, ch.d.sql.insert, int64(ch.home), int64(ch.spid), string(ch.id), now, asText(body))
	if err != nil {
		return Doc{}, dbFault(err)
	}
	if n == 0 {
		return Doc{}, fault.Conflictf("alreadyExists", "there is already a %s %s", ch.d.Kind.Name, ch.id)
	}
	ch.touch()
	if err := ch.refer(ctx, nil, refs); err != nil {
		return Doc{}, err
	}
	ch.t.count(ch.home, ch.spid, ch.d.Table, 1)
	if err := ch.audit(ctx, nil, body); err != nil {
		return Doc{}, err
	}
	doc := Doc{ID: ch.id, SPID: ch.spid, Version: 1, Created: ch.t.now, Updated: ch.t.now, Body: body}
	ch.t.see(doc)
	return doc, nil
}

// current is the document as it stands, if it still has the version the caller knows.
func (ch *change) current(ctx context.Context, version int64) (Doc, error) {
	old, err := ch.s.load(ctx, ch.d, ch.home, ch.spid, ch.id)
	if err != nil {
		return old, err
	}
	if old.Version != version {
		return old, ch.stale()
	}
	return old, nil
}

func (ch *change) stale() error {
	return fault.New(fault.Stale, fault.CodeStale, "the %s was changed meanwhile: read it again", ch.d.Kind.Name)
}

func (ch *change) update(ctx context.Context, version int64, raw []byte) (Doc, error) {
	body, refs, err := inspect(raw, ch.d.Indexed)
	if err != nil {
		return Doc{}, err
	}
	old, err := ch.current(ctx, version)
	if err != nil {
		return Doc{}, err
	}
	n, err := ch.t.Exec(ctx, ch.d.sql.update, engine.Micros(ch.t.now), asText(body), int64(ch.home), int64(ch.spid), string(ch.id), version)
	if err != nil {
		return Doc{}, dbFault(err)
	}
	if n == 0 {
		return Doc{}, ch.stale()
	}
	ch.touch()
	_, before, err := inspect(old.Body, nil)
	if err != nil {
		return Doc{}, err
	}
	if err := ch.refer(ctx, before, refs); err != nil {
		return Doc{}, err
	}
	if err := ch.audit(ctx, old.Body, body); err != nil {
		return Doc{}, err
	}
	doc := Doc{ID: ch.id, SPID: ch.spid, Version: version + 1, Created: old.Created, Updated: ch.t.now, Body: body}
	ch.t.see(doc)
	return doc, nil
}

func (ch *change) delete(ctx context.Context, version int64) error {
	old, err := ch.current(ctx, version)
	if err != nil {
		return err
	}
	if err := ch.unreferred(ctx); err != nil {
		return err
	}
	n, err := ch.t.Exec(ctx, ch.d.sql.delete, int64(ch.home), int64(ch.spid), string(ch.id), version)
	if err != nil {
		return dbFault(err)
	}
	if n == 0 {
		return ch.stale()
	}
	ch.touch()
	_, before, err := inspect(old.Body, nil)
	if err != nil {
		return err
	}
	if err := ch.refer(ctx, before, nil); err != nil {
		return err
	}
	ch.t.count(ch.home, ch.spid, ch.d.Table, -1)
	return ch.audit(ctx, old.Body, nil)
}
