package store

import (
	"context"
	"fmt"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"regexp"
	"slices"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/cache"
)

// Definition describes a collection: one table of documents of one kind.
type Definition struct {
	Kind  id.Kind
	Table string
	// Indexed maps attribute paths that are filtered or sorted often ("name", "engagedParty.id") to the
	// generated column of the table that holds them. The attribute must be a string, or missing, in every
	// document: a column holds one text.
	Indexed map[string]string
	// Grouped are indexed attributes whose index goes on by something else than the id: what has a value is looked up
	// and then put in order, so it should be no more than thousands.
	Grouped []string
	// Loose names reference attributes (their dotted path without indexes) that neither must exist nor hold
	// back a deletion: history, such as an order's customer. References below a loose one are loose too.
	Loose []string
	// Quiet is for documents that are many and whose trail is elsewhere, as that of buckets and usage records is
	// the ledger: changes leave no audit record, and their events go only to who wants them (event.Event.Quiet).
	Quiet bool
}

// definition is a registered Definition with what follows from it.
type definition struct {
	Definition
	sql      collectionSQL
	verified atomic.Bool
}

// collectionSQL are the fixed statements of a collection's table.
type collectionSQL struct {
	get, exists, insert, update, delete string
}

func statements(table string) collectionSQL {
	return collectionSQL{
		get:    `SELECT version, created, updated, doc FROM ` + table + ` WHERE home = $1 AND spid = $2 AND id = $3`,
		exists: `SELECT 1 FROM ` + table + ` WHERE home = $1 AND spid = $2 AND id = $3`,
		insert: `INSERT INTO ` + table + ` (home, spid, id, version, created, updated, doc) VALUES ($1, $2, $3, 1, $4, $4, $5)
ON CONFLICT (home, spid, id) DO NOTHING`,
		update: `UPDATE ` + table + ` SET version = version + 1, updated = $1, doc = $2
WHERE home = $3 AND spid = $4 AND id = $5 AND version = $6`,
		delete: `DELETE FROM ` + table + ` WHERE home = $1 AND spid = $2 AND id = $3 AND version = $4`,
	}
}

// columns are the generated columns in a fixed order.
func (d *definition) columns() []string {
	var cols []string
	for _, c := range d.Indexed {
		cols = append(cols, c)
	}
	slices.Sort(cols)
	return cols
}

// sqlName is what a table or column may be called: nothing that needs quoting.
var sqlName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

func (d *definition) check() error {
	for _, n := range append([]string{d.Table}, d.columns()...) {
		if !sqlName.MatchString(n) {
			return fmt.Errorf("store: collection %s: %q is not a name of a table or column", d.Kind.Name, n)
		}
	}
	return nil
}

// Collection is a table of documents of type T. Reads see only the scope's service provider; writes need
// an open Write.
//
// Inserting and updating check references: every object in the document with an "id" of demarc's own form
// must name a document of the same service provider, unless its "href" is absolute and on another server
// (one not among Options.Hosts); the fault names the attribute. Deleting a document that others refer to is
// a Conflict fault (fault.CodeStillReferred) that says by what.
type Collection[T any] struct {
	s *Store
	d *definition

	shared shared[T]
}

// NewCollection registers a collection; call it once for each definition, before the store is used. A
// definition that cannot be (a bad table name, a prefix that another kind has) is told by Migrate and Ping.
func NewCollection[T any](s *Store, d Definition) *Collection[T] {
	def := &definition{Definition: d, sql: statements(d.Table)}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.kinds[d.Kind.Prefix]
	switch err := def.check(); {
	case err != nil:
		s.misuse = append(s.misuse, err)
	case old != nil && (old.Table != d.Table || old.Kind != d.Kind):
		s.misuse = append(s.misuse, fmt.Errorf("store: kinds %s and %s share the prefix %s", old.Kind.Name, d.Kind.Name, d.Kind.Prefix))
	default:
		s.kinds[d.Kind.Prefix] = def
	}
	return &Collection[T]{s: s, d: def}
}

// kind finds the registered collection of an id's prefix.
func (s *Store) kind(prefix string) *definition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.kinds[prefix]
}

// Get reads and decodes one document. Unknown here or in this service provider: a NotFound fault.
func (c *Collection[T]) Get(ctx context.Context, i id.ID) (T, Doc, error) {
	var v T
	d, err := c.Doc(ctx, i)
	if err != nil {
		return v, d, err
	}
	if err := json.Unmarshal(d.Body, &v); err != nil {
		return v, d, fault.Internalf(err, "the stored %s %s cannot be read", c.d.Kind.Name, i)
	}
	return v, d, nil
}

// Doc reads one document as it is stored, through the exact cache where there is one. Unknown here or in
// this service provider: a NotFound fault.
func (c *Collection[T]) Doc(ctx context.Context, i id.ID) (Doc, error) {
	return c.s.doc(ctx, c.d, i)
}

// DocsOf reads documents by their ids in one journey to the database; what is unknown here or in this service
// provider is not in it. It reads past the cache.
func (c *Collection[T]) DocsOf(ctx context.Context, ids ...id.ID) (map[id.ID]Doc, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, err
	}
	lists := make([][]any, len(ids))
	for n, i := range ids {
		home, _ := c.d.home(i)
		lists[n] = []any{int64(home), int64(spid), string(i)}
	}
	found := make(map[id.ID]Doc, len(ids))
	err = c.s.readAll(ctx, c.d.sql.get, lists, func(n int, r engine.Rows) error {
		d := Doc{ID: ids[n], SPID: spid}
		var created, updated int64
		if err := r.Scan(&d.Version, &created, &updated, (*[]byte)(&d.Body)); err != nil {
			return err
		}
		d.Created, d.Updated = moment(created), moment(updated)
		found[d.ID] = d
		return nil
	})
	return found, err
}

func (s *Store) doc(ctx context.Context, d *definition, i id.ID) (Doc, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return Doc{}, err
	}
	home, ok := d.home(i)
	if !ok {
		return Doc{}, unknown(d, i)
	}
	if s.docs == nil || s.txFrom(ctx) != nil {
		return s.load(ctx, d, home, spid, i)
	}
	if err := ctx.Err(); err != nil {
		return Doc{}, dbFault(err)
	}
	k := cache.Key{SPID: spid, ID: string(i)}
	doc, ticket, ok := s.docs.Get(k)
	if ok {
		return doc, nil
	}
	if doc, err = s.load(ctx, d, home, spid, i); err == nil {
		s.docs.Put(k, doc, int64(len(doc.Body)), ticket)
	}
	return doc, err
}

// home is the home that an id of this kind names.
func (d *definition) home(i id.ID) (id.Home, bool) {
	prefix, home, ok := id.Parse(string(i))
	return home, ok && prefix == d.Kind.Prefix
}

func unknown(d *definition, i id.ID) error {
	return fault.NotFoundf("there is no %s %s", d.Kind.Name, shorten(string(i)))
}

// shorten keeps what a client sent from filling a message.
func shorten(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// load reads one document from the database, or gives it as the transaction in ctx has it.
func (s *Store) load(ctx context.Context, d *definition, home id.Home, spid int, i id.ID) (Doc, error) {
	t := s.txFrom(ctx)
	if t != nil {
		if doc, ok := t.seen[i]; ok && doc.SPID == spid {
			return doc, nil
		}
	}
	var version, created, updated int64
	var body []byte
	found, err := s.readRow(ctx, d.sql.get, []any{int64(home), int64(spid), string(i)}, &version, &created, &updated, &body)
	if err != nil {
		return Doc{}, err
	}
	if !found {
		return Doc{}, unknown(d, i)
	}
	doc := Doc{ID: i, SPID: spid, Version: version, Created: moment(created), Updated: moment(updated), Body: body}
	if t != nil {
		t.see(doc)
	}
	return doc, nil
}
