// Package store keeps what demarc knows: typed document collections, the ledger, claims, the outbox,
// durable jobs, audit and idempotency, on SQLite (embedded) or PostgreSQL.
//
// Every change runs in one transaction, opened by Write, that commits rows, audit record, events, jobs
// and idempotency record together. The transaction travels in the context: a use case that calls another
// joins the one that is open. Nothing inside Write may call another system; what must be called is a job.
package store

import (
	"context"
	"log/slog"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// Options are what a store needs beside its URL. The zero value of a field means its default.
type Options struct {
	// Clock tells the time; clock.Real by default.
	Clock clock.Clock
	// Logger gets migrations, slow statements and lost connections; slog.Default by default.
	Logger *slog.Logger
	// Readers is how many reads may run side by side (default: 4 on SQLite, 16 on PostgreSQL).
	Readers int
	// CacheBytes bounds the memory of the exact read cache (SQLite only, default 16 MiB; negative: none).
	CacheBytes int64
	// MapBytes is how much of its file a reader maps into the process (SQLite only; default 2 GiB, which is also the most;
	// negative: nothing). A commit throws away the pages that a reader cached; those that are mapped are at hand again
	// without being copied. The system takes the memory back when it needs it, but counts it as the process's.
	MapBytes int64
	// Group is how many writes one SQLite fsync may acknowledge (default 64; 1 turns grouping off).
	Group int
	// Fleeting is for a database that is thrown away when the process ends (SQLite only): nothing is flushed to the disk, so
	// that a loss of power may leave nothing that can be read, and pages are kept in memory longer.
	Fleeting bool
	// Hosts are the names (host or host:port) under which clients reach this installation: an absolute href
	// to another one is another server's, and its id is not checked.
	Hosts []string
}

// Call says what request a transaction belongs to. It is recorded in the audit trail and with events and
// jobs.
type Call struct {
	// Operation is the declared name of the operation ("customer.create") or job kind.
	Operation string
	// RequestID finds the call in the logs.
	RequestID string
	// Reason is why the caller makes the change, as it said.
	Reason string
	// DryRun decides everything and rolls back; nothing leaves the house.
	DryRun bool
}

type callKey struct{}

// WithCall returns a context whose transactions are recorded under c.
func WithCall(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallFrom is the call in ctx; the zero Call when there is none.
func CallFrom(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	return c
}

// Key names one request that must be carried out at most once.
type Key struct {
	// Client is who sent it: keys of different clients never meet.
	Client string
	// Value is the Idempotency-Key as the client sent it, 1 to 255 characters.
	Value string
	// Digest is a SHA-256 of method, path, query and body, which may be keyed.
	Digest [32]byte
}

// Answer is a response as it went out, kept to be given again.
type Answer struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header,omitempty"`
	Body   []byte            `json:"body,omitempty"`
}

// KeepAnswers is how long an idempotency key is remembered.
const KeepAnswers = 24 * time.Hour
