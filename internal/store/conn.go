package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
)

// conn is a connection, or an open transaction, of one of the dialects. Statements use $1, $2 … in the
// order of their first appearance, which both dialects read alike. The rows of a query must be closed
// before the next statement.
type conn interface {
	exec(ctx context.Context, sql string, args ...any) (affected int64, err error)
	query(ctx context.Context, sql string, args ...any) (rows, error)
	// later changes something whose outcome nobody asks for, at the latest with the commit. Its error may
	// come with a later statement.
	later(ctx context.Context, sql string, args ...any) error
	// execs is exec of one statement for each of the argument lists, in their order and in as few journeys as can be.
	execs(ctx context.Context, sql string, lists [][]any) (affected []int64, err error)
	// queries is query of one statement for each of the argument lists, likewise; fn gets each row of each
	// answer with the number of its list, and must not use the connection.
	queries(ctx context.Context, sql string, lists [][]any, fn func(n int, r rows) error) error
	// script runs several statements without arguments, for migrations.
	script(ctx context.Context, sql string) error
}

// rows is an answer being read. Destinations are *int64, *int, *bool, *string, *[]byte; only *[]byte takes
// NULL.
type rows interface {
	next() bool
	scan(dest ...any) error
	// close ends the reading and tells what cut it short.
	close() error
}

// engine is one of the two databases.
type engine interface {
	name() string
	// read lends a connection for reading; release gives it back.
	read(ctx context.Context) (c conn, release func(), err error)
	// snapshot runs fn on one consistent state.
	snapshot(ctx context.Context, fn func(c conn) error) error
	// write runs body in a transaction: it makes t.c, commits when body answers nil and t is no dry run.
	write(ctx context.Context, body func(t *tx) error) error
	// singly runs statements of which each may commit on its own.
	singly(ctx context.Context, fn func(c conn) error) error
	// migrate runs fn while no other node does, in one transaction.
	migrate(ctx context.Context, fn func(c conn) error) error
	close() error
}

// row reads the first row of a query; found is false when there is none.
func row(ctx context.Context, c conn, sql string, args []any, dest ...any) (found bool, err error) {
	r, err := c.query(ctx, sql, args...)
	if err != nil {
		return false, err
	}
	if r.next() {
		found, err = true, r.scan(dest...)
	}
	if cerr := r.close(); err == nil {
		err = cerr
	}
	return found, err
}

// each calls fn for every row of a query; fn must not use c.
func each(ctx context.Context, c conn, sql string, args []any, fn func(rows) error) error {
	r, err := c.query(ctx, sql, args...)
	if err != nil {
		return err
	}
	for err == nil && r.next() {
		err = fn(r)
	}
	if cerr := r.close(); err == nil {
		err = cerr
	}
	return err
}

// plain brings an argument to one of the few types that both drivers take without reflection.
func plain(v any) any {
	switch x := v.(type) {
	case nil, int64, string, []byte, bool, float64:
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
		return micros(x)
	}
	return fmt.Sprint(v)
}

// micros is how times are stored: microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// asText binds a JSON document as text, which SQLite's JSON functions want, without copying it.
func asText(doc []byte) string { return unsafe.String(unsafe.SliceData(doc), len(doc)) }

// draw is a random number from 0 to n-1; n is small enough that its bias does not matter.
func draw(n int64) int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return int64(binary.LittleEndian.Uint64(b[:])>>1) % max(n, 1)
}
