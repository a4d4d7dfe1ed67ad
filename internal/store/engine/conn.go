package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
)

// Conn is a connection, or an open transaction, of one of the dialects. Statements use $1, $2 … in the
// order of their first appearance, which both dialects read alike. The rows of a query must be closed
// before the next statement.
type Conn interface {
	Exec(ctx context.Context, sql string, args ...any) (affected int64, err error)
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
	// Later changes something whose outcome nobody asks for, at the latest with the commit. Its error may
	// come with a later statement.
	Later(ctx context.Context, sql string, args ...any) error
	// Execs is Exec of one statement for each of the argument lists, in their order and in as few journeys as can be.
	Execs(ctx context.Context, sql string, lists [][]any) (affected []int64, err error)
	// Queries is Query of one statement for each of the argument lists, likewise; fn gets each row of each
	// answer with the number of its list, and must not use the connection.
	Queries(ctx context.Context, sql string, lists [][]any, fn func(n int, r Rows) error) error
	// Script runs several statements without arguments, for migrations.
	Script(ctx context.Context, sql string) error
}

// Rows is an answer being read. Destinations are *int64, *int, *bool, *string, *[]byte; only *[]byte takes
// NULL.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	// Close ends the reading and tells what cut it short.
	Close() error
}

// Engine is one of the two databases.
type Engine interface {
	// Name is "sqlite" or "postgres".
	Name() string
	// Read lends a connection for reading; release gives it back.
	Read(ctx context.Context) (c Conn, release func(), err error)
	// Snapshot runs fn on one consistent state.
	Snapshot(ctx context.Context, fn func(c Conn) error) error
	// Write runs body in a transaction and commits when body answers nil and t is no dry run. body may run more
	// than once. operation names what is done: writes of one kind tend to meet.
	Write(ctx context.Context, operation string, body func(t *Tx) error) error
	// Singly runs statements of which each may commit on its own.
	Singly(ctx context.Context, fn func(c Conn) error) error
	// Migrate runs fn while no other node does, in one transaction, after it has seen to it that the table is there
	// that the other nodes wait at: prepare makes it unless it is there, lock locks it.
	Migrate(ctx context.Context, prepare, lock string, fn func(c Conn) error) error
	Close() error
}

// Row reads the first row of a query; found is false when there is none.
func Row(ctx context.Context, c Conn, sql string, args []any, dest ...any) (found bool, err error) {
	r, err := c.Query(ctx, sql, args...)
	if err != nil {
		return false, err
	}
	if r.Next() {
		found, err = true, r.Scan(dest...)
	}
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return found, err
}

// Each calls fn for every row of a query; fn must not use c.
func Each(ctx context.Context, c Conn, sql string, args []any, fn func(Rows) error) error {
	r, err := c.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	for err == nil && r.Next() {
		err = fn(r)
	}
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return err
}

// plain brings an argument to one of the few types that both drivers take without reflection.
func plain(v any) any {
	switch x := v.(type) {
	case nil, int64, string, []byte, bool, float64, []int64, []*string:
		return v
	case int:
		return int64(x)
	case id.ID:
		return string(x)
	case id.Home:
		return int64(x)
	case job.State:
		return string(x)
	case time.Time:
		return Micros(x)
	}
	return fmt.Sprint(v)
}

// Micros is how times are stored: microseconds since 1970, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Draw is a random number from 0 to n-1; n is small enough that its bias does not matter.
func Draw(n int64) int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return int64(binary.LittleEndian.Uint64(b[:])>>1) % max(n, 1)
}
