package store

import (
	"context"
	"errors"
	"fmt"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"runtime/debug"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// tx is an open transaction. One goroutine uses it at a time.
type tx struct {
	*engine.Tx
	s *Store
	// now is the transaction's moment, machine that of the machine's clock; sandbox says that they differ.
	now, machine time.Time
	sandbox      bool

	write bool
	// tallies are changes of collection counts, written before the commit so that rows many writers share
	// are held for as short as can be.
	tallies []tallyChange
	// told are the reactors that want quiet events, as far as they were asked.
	told map[toldKey][]func(context.Context, event.Event) error
	// spoiled is why what was changed so far must not be kept, whatever the caller makes of it.
	spoiled error
	// jobs says that jobs were enqueued.
	jobs bool
	// seen are documents as the transaction has them: those it read, with what it made of them.
	seen map[id.ID]Doc
}

// mostSeen bounds the documents that a transaction keeps at hand.
const mostSeen = 4096

// see keeps a document at hand for the rest of the transaction.
func (t *tx) see(d Doc) {
	if t.seen == nil || len(t.seen) >= mostSeen {
		t.seen = map[id.ID]Doc{}
	}
	t.seen[d.ID] = d
}

type tallyChange struct {
	home       id.Home
	spid       int
	collection string
	n          int64
}

type txKey struct{}

func (s *Store) txFrom(ctx context.Context) *tx {
	t, _ := ctx.Value(txKey{}).(*tx)
	if t == nil || t.s != s {
		return nil
	}
	return t
}

// writing is the open Write in ctx; without one the call is a mistake in demarc.
func (s *Store) writing(ctx context.Context) (*tx, error) {
	t := s.txFrom(ctx)
	if t == nil || !t.write {
		return nil, fault.Internalf(errors.New("store: a change outside Write"), "the change was not opened")
	}
	return t, nil
}

// nested runs fn so that its changes alone are undone when it fails: a use case may handle the fault of
// another it called and go on.
func (t *tx) nested(ctx context.Context, fn func(ctx context.Context) error) error {
	tallies := len(t.tallies)
	err := t.Nested(ctx, func() error {
		if err := fn(ctx); err != nil {
			return err
		}
		return t.spoiled
	}, func() {
		t.spoiled, t.seen = nil, nil
		t.tallies = t.tallies[:min(tallies, len(t.tallies))]
	})
	if errors.Is(err, engine.ErrTooDeep) {
		return fault.Internalf(err, "the change calls itself")
	}
	return err
}

type oneKey struct{}

// AsOne has the Writes within a Write share its fate: when one of them fails all of it does, whatever is made of the
// fault. For many changes together that hardly ever fail, and can be made again each for itself: savepoints remember every
// page that comes after them.
func AsOne(ctx context.Context) context.Context { return context.WithValue(ctx, oneKey{}, true) }

// joined runs fn as a part of what is open, which fails with it: savepoints would remember thousands of pages.
func (t *tx) joined(ctx context.Context, fn func(ctx context.Context) error) error {
	err := fn(ctx)
	if err != nil {
		t.spoil(err)
	}
	return err
}

// spoil has the innermost Write fail.
func (t *tx) spoil(err error) { t.spoiled = err }

const sqlTally = `INSERT INTO tally (home, spid, collection, n) VALUES ($1, $2, $3, $4)
ON CONFLICT (home, spid, collection) DO UPDATE SET n = tally.n + excluded.n`

// count notes that a collection grew or shrank. PostgreSQL counts by home, so that writers seldom meet;
// SQLite has one writer and counts in one row.
func (t *tx) count(home id.Home, spid int, collection string, n int64) {
	if t.s.Engine() == "sqlite" {
		home = 0
	}
	t.tallies = append(t.tallies, tallyChange{home, spid, collection, n})
}

// flush writes the counts; call it before the commit and before a count is read.
func (t *tx) flush(ctx context.Context) error {
	for i, a := range t.tallies {
		if a.n == 0 {
			continue
		}
		for j := i + 1; j < len(t.tallies); j++ {
			if b := &t.tallies[j]; b.home == a.home && b.spid == a.spid && b.collection == a.collection {
				a.n += b.n
				b.n = 0
			}
		}
		if a.n == 0 {
			continue
		}
		if err := t.Later(ctx, sqlTally, int64(a.home), int64(a.spid), a.collection, a.n); err != nil {
			return err
		}
	}
	t.tallies = t.tallies[:0]
	return nil
}

// Write runs fn in a transaction and commits when fn returns nil, or joins the transaction in ctx. fn may
// run more than once (serialization conflicts are retried), so it must not change anything outside, and it
// must use the store with the ctx it is given and from its own goroutine only. After a dry run
// (Call.DryRun) everything is rolled back and Write still returns nil.
//
// A joined Write that fails undoes its own changes only: a caller may handle the fault and go on. A panic
// in fn is rolled back and returned as an Internal fault. A database that is lost or too busy is an
// Unavailable fault.
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context) error) error {
	if t := s.txFrom(ctx); t != nil {
		if !t.write {
			return fault.Internalf(errors.New("store: a Write inside a Snapshot"), "the change was not opened")
		}
		if ctx.Value(oneKey{}) != nil {
			return t.joined(ctx, fn)
		}
		return t.nested(ctx, fn)
	}
	if err := ctx.Err(); err != nil {
		return dbFault(err)
	}
	spid, sandbox, err := s.sandboxed(ctx)
	if err != nil {
		return dbFault(err)
	}
	dry := CallFrom(ctx).DryRun
	var jobs bool
	var written int64
	err = s.db.Write(ctx, CallFrom(ctx).Operation, func(et *engine.Tx) error {
		et.Dry = dry
		t := &tx{Tx: et, s: s, write: true}
		if err := t.tell(ctx, spid, sandbox); err != nil {
			return err
		}
		if err := t.run(context.WithValue(ctx, txKey{}, t), fn); err != nil {
			return err
		}
		jobs, written = t.jobs && !dry, et.Written
		return nil
	})
	if err != nil {
		return dbFault(err)
	}
	if !dry {
		s.written.Add(written)
	}
	if jobs {
		s.nudge()
	}
	return nil
}

// Written is how many rows this process has changed since it opened the store, in writes that were committed.
func (s *Store) Written() int64 { return s.written.Load() }

// run calls fn and writes what was put off; a panic becomes an error.
func (t *tx) run(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	if err := fn(ctx); err != nil {
		return err
	}
	if t.spoiled != nil {
		return t.spoiled
	}
	return t.flush(ctx)
}

func panicked(v any) error {
	return fault.Internalf(fmt.Errorf("panic: %v\n%s", v, debug.Stack()), "something went wrong here; the request id finds it in the log")
}

// Snapshot runs several reads on one consistent state. Within a Write they see the Write's own changes.
func (s *Store) Snapshot(ctx context.Context, fn func(ctx context.Context) error) error {
	if s.txFrom(ctx) != nil {
		return fn(ctx)
	}
	spid, sandbox, err := s.sandboxed(ctx)
	if err != nil {
		return dbFault(err)
	}
	return dbFault(s.db.Snapshot(ctx, func(c engine.Conn) error {
		t := &tx{Tx: &engine.Tx{Conn: c}, s: s}
		if err := t.tell(ctx, spid, sandbox); err != nil {
			return err
		}
		return fn(context.WithValue(ctx, txKey{}, t))
	}))
}

// reading lends the transaction in ctx, or a connection for reading.
func (s *Store) reading(ctx context.Context) (c engine.Conn, release func(), err error) {
	if t := s.txFrom(ctx); t != nil {
		return t.Conn, func() {}, nil
	}
	c, release, err = s.db.Read(ctx)
	return c, release, dbFault(err)
}

// readRow reads the first row of a query.
func (s *Store) readRow(ctx context.Context, sql string, args []any, dest ...any) (bool, error) {
	c, release, err := s.reading(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	found, err := engine.Row(ctx, c, sql, args, dest...)
	return found, dbFault(err)
}

// readEach calls fn for every row of a query.
func (s *Store) readEach(ctx context.Context, sql string, args []any, fn func(engine.Rows) error) error {
	c, release, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer release()
	return dbFault(engine.Each(ctx, c, sql, args, fn))
}

// readAll calls fn for every row of a query that is asked with each of the lists; n is the list's number.
func (s *Store) readAll(ctx context.Context, sql string, lists [][]any, fn func(n int, r engine.Rows) error) error {
	if len(lists) == 0 {
		return nil
	}
	c, release, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer release()
	return dbFault(c.Queries(ctx, sql, lists, fn))
}

// spidOf is the service provider whose rows ctx may touch.
func spidOf(ctx context.Context) (int, error) {
	sc, err := scope.From(ctx)
	return sc.SPID(), err
}

// dbFault turns a database's error into a fault and leaves faults as they are. The error stays in the
// chain.
func dbFault(err error) error {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unavailable, fault.CodeUnavailable, "the request was given up before it was done").Because(err)
	case engine.Away(err):
		return fault.New(fault.Unavailable, fault.CodeUnavailable, "the database does not answer now; try again").After(time.Second).Because(err)
	}
	return fault.Internalf(err, "something went wrong here; the request id finds it in the log")
}
