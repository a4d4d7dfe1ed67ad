package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/demarc-bss/demarc/internal/store/cache"
)

// Tx is an open transaction. One goroutine uses it at a time.
type Tx struct {
	Conn Conn
	// Dry has it rolled back in the end.
	Dry bool
	// Touched are the documents changed, for the cache.
	Touched []cache.Key
	// Written counts the rows changed, those of statements whose outcome nobody asks for as one each.
	Written int64
	// level counts the open parts that may fail on their own, marked those that a savepoint stands before. It
	// is set by the first change, so a part that changes nothing costs nothing; parts that begin their
	// changes with one and the same share its savepoint, which is the outermost one's.
	level, marked int
	// shares says of a marked level that the savepoint of the level below stands before it too.
	shares [33]bool
}

// savepoints by level; a use case that calls itself deeper is a loop.
var savepoints = func() (s [33]struct{ set, release, back string }) {
	for i := range s {
		name := fmt.Sprintf("s%d", i)
		s[i].set, s[i].release, s[i].back = "SAVEPOINT "+name, "RELEASE SAVEPOINT "+name, "ROLLBACK TO SAVEPOINT "+name
	}
	return
}()

// ErrTooDeep is a part within more others than there can be.
var ErrTooDeep = errors.New("store: writes nested too deep")

// Exec changes something.
func (t *Tx) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if err := t.Mark(ctx); err != nil {
		return 0, err
	}
	n, err := t.Conn.Exec(ctx, sql, args...)
	t.Written += n
	return n, err
}

// Later changes something whose outcome nobody asks for; it may fail with a later statement.
func (t *Tx) Later(ctx context.Context, sql string, args ...any) error {
	if err := t.Mark(ctx); err != nil {
		return err
	}
	t.Written++
	return t.Conn.Later(ctx, sql, args...)
}

// Execs changes something by one statement for each of the lists.
func (t *Tx) Execs(ctx context.Context, sql string, lists [][]any) ([]int64, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	if err := t.Mark(ctx); err != nil {
		return nil, err
	}
	affected, err := t.Conn.Execs(ctx, sql, lists)
	for _, n := range affected {
		t.Written += n
	}
	return affected, err
}

// Returnings changes something by one statement for each of the lists and reads their answers.
func (t *Tx) Returnings(ctx context.Context, sql string, lists [][]any, fn func(n int, r Rows) error) error {
	if len(lists) == 0 {
		return nil
	}
	if err := t.Mark(ctx); err != nil {
		return err
	}
	return t.Conn.Queries(ctx, sql, lists, func(n int, r Rows) error {
		t.Written++
		return fn(n, r)
	})
}

// Mark sees to it that what is changed from here on can be undone for itself.
func (t *Tx) Mark(ctx context.Context) error {
	if t.marked == t.level {
		return nil
	}
	if err := t.Conn.Later(ctx, savepoints[t.marked+1].set); err != nil {
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

// Nested runs fn so that its changes alone are undone when it fails, and undone is called.
func (t *Tx) Nested(ctx context.Context, fn func() error, undone func()) (err error) {
	if t.level+1 >= len(savepoints) {
		return ErrTooDeep
	}
	t.level++
	returned := false
	defer func() {
		if !returned { // a panic passes through; whoever recovers from it must not keep half a change
			undone()
			_ = t.settle(ctx, true)
		}
	}()
	err = fn()
	returned = true
	if err != nil {
		undone()
	}
	if end := t.settle(ctx, err != nil); end != nil {
		return errors.Join(err, end)
	}
	return err
}

// errUnwound stands for a function that did not return: it panicked, or ended its goroutine.
var errUnwound = errors.New("store: the change did not return")

// settle ends the innermost level and keeps or undoes its changes; its error is the database's.
func (t *Tx) settle(ctx context.Context, undo bool) error {
	set := t.marked == t.level
	if set {
		t.marked--
	}
	t.level--
	if !set {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	at := t.level + 1
	for t.shares[at] {
		at--
	}
	if undo {
		if _, err := t.Conn.Exec(ctx, savepoints[at].back); err != nil {
			return err
		}
	}
	if at != t.level+1 {
		return nil // the outermost of those that share it lets go of it
	}
	return t.Conn.Later(ctx, savepoints[at].release)
}
