package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store/cache"
)

// tx is an open transaction. One goroutine uses it at a time.
type tx struct {
	s *Store
	c conn
	// now is the transaction's moment, machine that of the machine's clock; sandbox says that they differ.
	now, machine time.Time
	sandbox      bool

	write bool
	dry   bool
	// level counts the open Writes that may fail on their own, marked those that a savepoint stands before. It
	// is set by the first change, so a Write that changes nothing costs nothing; Writes that begin their
	// changes with one and the same share its savepoint, which is the outermost one's.
	level, marked int
	// shares says of a marked level that the savepoint of the level below stands before it too.
	shares [33]bool
	// tallies are changes of collection counts, written before the commit so that rows many writers share
	// are held for as short as can be.
	tallies []tallyChange
	// touched are the documents changed, for the cache.
	touched []cache.Key
	// told are the reactors that want quiet events, as far as they were asked.
	told map[toldKey][]func(context.Context, event.Event) error
	// spoiled is why what was changed so far must not be kept, whatever the caller makes of it.
	spoiled error
	// jobs says that jobs were enqueued.
	jobs bool
}

type tallyChange struct {
	home       id.Home
	spid       int
	collection string
	n          int64
}

// savepoints by level; a use case that calls itself deeper is a loop.
var savepoints = func() (s [33]struct{ set, release, back string }) {
	for i := range s {
		name := fmt.Sprintf("s%d", i)
		s[i].set, s[i].release, s[i].back = "SAVEPOINT "+name, "RELEASE SAVEPOINT "+name, "ROLLBACK TO SAVEPOINT "+name
	}
	return
}()

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

// exec changes something.
func (t *tx) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if err := t.mark(ctx); err != nil {
		return 0, err
	}
	return t.c.exec(ctx, sql, args...)
}

// later changes something whose outcome nobody asks for; it may fail with a later statement.
func (t *tx) later(ctx context.Context, sql string, args ...any) error {
	if err := t.mark(ctx); err != nil {
		return err
	}
	return t.c.later(ctx, sql, args...)
}

// returning changes something and reads the first row of its answer.
func (t *tx) returning(ctx context.Context, sql string, args []any, dest ...any) (bool, error) {
	if err := t.mark(ctx); err != nil {
		return false, err
	}
	return row(ctx, t.c, sql, args, dest...)
}

// execs changes something by one statement for each of the lists.
func (t *tx) execs(ctx context.Context, sql string, lists [][]any) ([]int64, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	if err := t.mark(ctx); err != nil {
		return nil, err
	}
	return t.c.execs(ctx, sql, lists)
}

// returnings changes something by one statement for each of the lists and reads their answers.
func (t *tx) returnings(ctx context.Context, sql string, lists [][]any, fn func(n int, r rows) error) error {
	if len(lists) == 0 {
		return nil
	}
	if err := t.mark(ctx); err != nil {
		return err
	}
	return t.c.queries(ctx, sql, lists, fn)
}

func (t *tx) mark(ctx context.Context) error {
	if t.marked == t.level {
		return nil
	}
	if err := t.c.later(ctx, savepoints[t.marked+1].set); err != nil {
		return err
	}
	t.marked++
	t.shares[t.marked] = false
	for t.marked < t.level {
		t.marked++
		t.shares[t.marked] = true
	}
	return nil
}

// nested runs fn so that its changes alone are undone when it fails: a use case may handle the fault of
// another it called and go on.
func (t *tx) nested(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	if t.level+1 >= len(savepoints) {
		return fault.Internalf(errors.New("store: writes nested too deep"), "the change calls itself")
	}
	t.level++
	tallies, returned := len(t.tallies), false
	defer func() {
		if !returned { // a panic passes through; whoever recovers from it must not keep half a change
			_ = t.settle(ctx, true, tallies)
		}
	}()
	err = fn(ctx)
	if err == nil {
		err = t.spoiled
	}
	returned = true
	if end := t.settle(ctx, err != nil, tallies); end != nil {
		return errors.Join(err, end)
	}
	return err
}

// spoil has the innermost Write fail.
func (t *tx) spoil(err error) { t.spoiled = err }

// errUnwound stands for a function that did not return: it panicked, or ended its goroutine.
var errUnwound = errors.New("store: the change did not return")

// settle ends the innermost level and keeps or undoes its changes; its error is the database's.
func (t *tx) settle(ctx context.Context, undo bool, tallies int) error {
	set := t.marked == t.level
	if set {
		t.marked--
	}
	t.level--
	if undo {
		t.spoiled = nil
		t.tallies = t.tallies[:min(tallies, len(t.tallies))]
	}
	if !set {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	at := t.level + 1
	for t.shares[at] {
		at--
	}
	if undo {
		if _, err := t.c.exec(ctx, savepoints[at].back); err != nil {
			return err
		}
	}
	if at != t.level+1 {
		return nil // the outermost of those that share it lets go of it
	}
	return t.c.later(ctx, savepoints[at].release)
}

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
		if err := t.later(ctx, sqlTally, int64(a.home), int64(a.spid), a.collection, a.n); err != nil {
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
	err = s.engine.write(ctx, func(t *tx) error {
		t.s, t.write, t.dry = s, true, dry
		if err := t.tell(ctx, spid, sandbox); err != nil {
			return err
		}
		if err := t.run(context.WithValue(ctx, txKey{}, t), fn); err != nil {
			return err
		}
		jobs = t.jobs && !dry
		return nil
	})
	if err != nil {
		return dbFault(err)
	}
	if jobs {
		s.nudge()
	}
	return nil
}

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
	return dbFault(s.engine.snapshot(ctx, func(c conn) error {
		t := &tx{s: s, c: c}
		if err := t.tell(ctx, spid, sandbox); err != nil {
			return err
		}
		return fn(context.WithValue(ctx, txKey{}, t))
	}))
}

// reading lends the transaction in ctx, or a connection for reading.
func (s *Store) reading(ctx context.Context) (c conn, release func(), err error) {
	if t := s.txFrom(ctx); t != nil {
		return t.c, func() {}, nil
	}
	c, release, err = s.engine.read(ctx)
	return c, release, dbFault(err)
}

// readRow reads the first row of a query.
func (s *Store) readRow(ctx context.Context, sql string, args []any, dest ...any) (bool, error) {
	c, release, err := s.reading(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	found, err := row(ctx, c, sql, args, dest...)
	return found, dbFault(err)
}

// readEach calls fn for every row of a query.
func (s *Store) readEach(ctx context.Context, sql string, args []any, fn func(rows) error) error {
	c, release, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer release()
	return dbFault(each(ctx, c, sql, args, fn))
}

// readAll calls fn for every row of a query that is asked with each of the lists; n is the list's number.
func (s *Store) readAll(ctx context.Context, sql string, lists [][]any, fn func(n int, r rows) error) error {
	if len(lists) == 0 {
		return nil
	}
	c, release, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer release()
	return dbFault(c.queries(ctx, sql, lists, fn))
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
	case errors.Is(err, errClosed), sqliteBusy(err), postgresAway(err):
		return fault.New(fault.Unavailable, fault.CodeUnavailable, "the database does not answer now; try again").After(time.Second).Because(err)
	}
	return fault.Internalf(err, "something went wrong here; the request id finds it in the log")
}
