package store

import (
	"context"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Draft is a document to be stored, encoded by its owner, under an id made by id.New.
type Draft struct {
	ID   id.ID
	Body jsontext.Value
	// looked says that Body is as it is stored, and refs are the references in it.
	looked bool
	refs   []reference
}

// Revision is a document to be replaced: Was as it was read in the same transaction, Body what it becomes.
type Revision struct {
	Was  Doc
	Body jsontext.Value
}

// Nth says which of many things could not be done; the fault is in its chain.
type Nth struct {
	// N counts from 0.
	N   int
	Err error
}

// Error implements error.
func (e *Nth) Error() string { return e.Err.Error() }

// Unwrap gives the fault.
func (e *Nth) Unwrap() error { return e.Err }

func nth(n int, err error) error {
	if err == nil {
		return nil
	}
	return &Nth{N: n, Err: err}
}

// Look does of InsertMany what needs no database: whoever has many drafts can look at them while the database is busy.
func (c *Collection[T]) Look(drafts []Draft) error {
	for n := range drafts {
		d := &drafts[n]
		if d.looked {
			continue
		}
		body, refs, err := inspect(d.Body, c.d.Indexed)
		if err != nil {
			return nth(n, err)
		}
		d.Body, d.refs, d.looked = body, refs, true
	}
	return nil
}

// InsertMany is Insert of many documents in a few journeys to the database: all or none. Its faults are those of
// Insert, in a Nth.
func (c *Collection[T]) InsertMany(ctx context.Context, drafts []Draft) ([]Doc, error) {
	many, err := c.many(ctx, len(drafts))
	if err != nil {
		return nil, err
	}
	drafts = slices.Clone(drafts)
	if err := c.Look(drafts); err != nil {
		return nil, err
	}
	docs, lists := make([]Doc, len(drafts)), make([][]any, len(drafts))
	for n, d := range drafts {
		ch, err := c.change(ctx, d.ID)
		if err != nil {
			return nil, nth(n, err)
		}
		many.add(ch, nil, slices.Clone(d.refs))
		docs[n] = Doc{ID: d.ID, SPID: ch.spid, Version: 1, Created: many.t.now, Updated: many.t.now, Body: d.Body}
		lists[n] = []any{int64(ch.home), int64(ch.spid), string(d.ID), engine.Micros(many.t.now), asText(d.Body)}
	}
	err = many.run(ctx, c.d.sql.insert, lists, func(n int) error {
		return fault.Conflictf("alreadyExists", "there is already a %s %s", c.d.Kind.Name, drafts[n].ID)
	})
	if err != nil {
		return nil, err
	}
	grown := map[id.Home]int64{}
	for _, ch := range many.changes {
		grown[ch.home]++
	}
	for home, n := range grown {
		many.t.count(home, many.changes[0].spid, c.d.Table, n)
	}
	return docs, many.audit(ctx, func(n int) (before, after []byte) { return nil, docs[n].Body })
}

// UpdateMany is Update of many documents, each once, in a few journeys to the database: all or none. Its faults
// are those of Update, in a Nth; that a document is gone is told as Stale.
func (c *Collection[T]) UpdateMany(ctx context.Context, revisions []Revision) ([]Doc, error) {
	many, err := c.many(ctx, len(revisions))
	if err != nil {
		return nil, err
	}
	docs, lists := make([]Doc, len(revisions)), make([][]any, len(revisions))
	for n, r := range revisions {
		ch, err := c.change(ctx, r.Was.ID)
		if err != nil {
			return nil, nth(n, err)
		}
		body, after, err := inspect(r.Body, c.d.Indexed)
		if err != nil {
			return nil, nth(n, err)
		}
		_, before, err := inspect(r.Was.Body, nil)
		if err != nil {
			return nil, nth(n, err)
		}
		many.add(ch, before, after)
		docs[n] = Doc{ID: r.Was.ID, SPID: ch.spid, Version: r.Was.Version + 1, Created: r.Was.Created, Updated: many.t.now, Body: body}
		lists[n] = []any{engine.Micros(many.t.now), asText(body), int64(ch.home), int64(ch.spid), string(ch.id), r.Was.Version}
	}
	err = many.run(ctx, c.d.sql.update, lists, func(n int) error { return many.changes[n].stale() })
	if err != nil {
		return nil, err
	}
	return docs, many.audit(ctx, func(n int) (before, after []byte) { return revisions[n].Was.Body, docs[n].Body })
}

// many is a change of many documents of one collection.
type many struct {
	t             *tx
	changes       []*change
	before, after [][]reference
}

func (c *Collection[T]) many(ctx context.Context, size int) (*many, error) {
	t, err := c.s.writing(ctx)
	if err != nil {
		return nil, err
	}
	return &many{t: t, changes: make([]*change, 0, size), before: make([][]reference, 0, size), after: make([][]reference, 0, size)}, nil
}

func (m *many) add(ch *change, before, after []reference) {
	m.changes, m.before, m.after = append(m.changes, ch), append(m.before, ch.binding(before)), append(m.after, ch.binding(after))
}

// run changes the documents by one statement each, and their references; none gives the fault of a statement
// that changed nothing.
func (m *many) run(ctx context.Context, sql string, lists [][]any, none func(n int) error) (err error) {
	defer func() {
		if err != nil {
			m.t.spoil(err)
		}
	}()
	affected, err := m.t.Execs(ctx, sql, lists)
	if err != nil {
		return dbFault(err)
	}
	for n, count := range affected {
		if count == 0 {
			return nth(n, none(n))
		}
	}
	if err := m.exist(ctx); err != nil {
		return err
	}
	var gone, come [][]any
	for n, ch := range m.changes {
		ch.touch()
		gone = ch.without(gone, m.before[n], m.after[n])
		come = ch.without(come, m.after[n], m.before[n])
	}
	if err := m.t.LaterAll(ctx, sqlRefer, come); err != nil {
		return dbFault(err)
	}
	return dbFault(m.t.LaterAll(ctx, sqlUnrefer, gone))
}

// without adds the references that some have and others have not, as what their statements take.
func (ch *change) without(lists [][]any, some, others []reference) [][]any {
	for _, r := range some {
		if !contains(others, r) {
			lists = append(lists, []any{int64(r.home), int64(ch.spid), string(r.to), string(ch.id), r.at})
		}
	}
	return lists
}

// audit records the changes, unless their kind is quiet or they are made InBulk.
func (m *many) audit(ctx context.Context, of func(n int) (before, after []byte)) error {
	if len(m.changes) == 0 || m.changes[0].d.Quiet || ctx.Value(bulkKey{}) != nil {
		return nil
	}
	lists := make([][]any, len(m.changes))
	for n, ch := range m.changes {
		before, after := of(n)
		args, err := m.t.auditRow(ctx, ch.home, ch.spid, ch.d.Kind.Name, string(ch.id), before, after)
		if err != nil {
			return err
		}
		lists[n] = args
	}
	return dbFault(m.t.LaterAll(ctx, sqlAudit, lists))
}

// exist holds that every new reference leads somewhere, asking for each target once.
func (m *many) exist(ctx context.Context) error {
	known := map[id.ID]bool{}
	lists, targets := map[string][][]any{}, map[string][]id.ID{}
	for n, ch := range m.changes {
		for _, r := range m.after[n] {
			target := ch.s.kind(r.prefix)
			if _, asked := known[r.to]; asked || target == nil || contains(m.before[n], r) {
				continue
			}
			known[r.to] = false
			sql := target.sql.exists
			lists[sql] = append(lists[sql], []any{int64(r.home), int64(ch.spid), string(r.to)})
			targets[sql] = append(targets[sql], r.to)
		}
	}
	for sql, asked := range lists {
		err := m.t.Conn.Queries(ctx, sql, asked, func(n int, _ engine.Rows) error {
			known[targets[sql][n]] = true
			return nil
		})
		if err != nil {
			return dbFault(err)
		}
	}
	for n := range m.changes {
		for _, r := range m.after[n] {
			if !known[r.to] && !contains(m.before[n], r) {
				return nth(n, fault.Invalidf(r.at, "%s does not exist", r.to))
			}
		}
	}
	return nil
}
