package store

// This file is the agreed surface of the package; the engine fills it in.

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
)

// Store is an open database.
type Store struct{}

// Open connects to "sqlite:PATH" or "postgres://…" and brings nothing up to date: call Migrate.
func Open(ctx context.Context, url string, o Options) (*Store, error) { panic("contract") }

// Close waits for the running writes and lets go of the database.
func (s *Store) Close() error { panic("contract") }

// Engine is "sqlite" or "postgres".
func (s *Store) Engine() string { panic("contract") }

// Ping asks whether the database answers and its schema is the one this binary knows.
func (s *Store) Ping(ctx context.Context) error { panic("contract") }

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	Applied time.Time // zero: not yet
}

// Migrate brings the schema up to date; nodes that start together wait for each other. With dryRun it only
// says what it would do.
func (s *Store) Migrate(ctx context.Context, dryRun bool) ([]Migration, error) { panic("contract") }

// Migrations lists all steps and when each was applied.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) { panic("contract") }

// Write runs fn in a transaction and commits when fn returns nil, or joins the transaction in ctx. fn may
// run more than once (serialization conflicts are retried), so it must not change anything outside. After a
// dry run (Call.DryRun) everything is rolled back and Write still returns nil.
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context) error) error {
	panic("contract")
}

// Once is Write for a request that carries an idempotency key: the first call runs fn and keeps its answer,
// in the same transaction; a later one within KeepAnswers gets that answer and replayed = true. The same key
// with another digest is a Conflict fault (CodeKeyReused). An error is not kept.
func (s *Store) Once(ctx context.Context, k Key, fn func(ctx context.Context) (Answer, error)) (a Answer, replayed bool, err error) {
	panic("contract")
}

// Snapshot runs several reads on one consistent state.
func (s *Store) Snapshot(ctx context.Context, fn func(ctx context.Context) error) error {
	panic("contract")
}

// Now is the moment of the transaction in ctx, the same for everything in it; outside one, the clock's.
func (s *Store) Now(ctx context.Context) time.Time { panic("contract") }

// Definition describes a collection: one table of documents of one kind.
type Definition struct {
	Kind  id.Kind
	Table string
	// Indexed maps attribute paths that are filtered or sorted often ("name", "relatedParty.id") to the
	// generated column of the table that holds them.
	Indexed map[string]string
	// Loose names reference attributes (their dotted path without indexes) that neither must exist nor hold
	// back a deletion: history, such as an order's customer.
	Loose []string
}

// Collection is a table of documents of type T. Reads see only the scope's service provider; writes need
// an open Write.
//
// Inserting and updating check references: every object in the document with an "id" of demarc's own form
// must name a document of the same service provider, unless its "href" is absolute and on another server;
// the fault names the attribute. Deleting a document that others refer to is a Conflict fault
// (fault.CodeStillReferred) that says by what.
type Collection[T any] struct{}

// NewCollection registers a collection; call it once for each definition, before the store is used.
func NewCollection[T any](s *Store, d Definition) *Collection[T] { panic("contract") }

// Get reads and decodes one document. Unknown here or in this service provider: a NotFound fault.
func (c *Collection[T]) Get(ctx context.Context, i id.ID) (T, Doc, error) { panic("contract") }

// Doc reads one document as it is stored, through the exact cache where there is one.
func (c *Collection[T]) Doc(ctx context.Context, i id.ID) (Doc, error) { panic("contract") }

// Docs reads a page.
func (c *Collection[T]) Docs(ctx context.Context, q Query) (Page, error) { panic("contract") }

// Insert stores a new document under an id made by id.New and records it in the audit trail. v is encoded
// without its id and href.
func (c *Collection[T]) Insert(ctx context.Context, i id.ID, v *T) (Doc, error) { panic("contract") }

// Update replaces a document if it still has the given version, else a Stale fault.
func (c *Collection[T]) Update(ctx context.Context, i id.ID, version int64, v *T) (Doc, error) {
	panic("contract")
}

// Delete removes a document if it still has the given version and nothing refers to it.
func (c *Collection[T]) Delete(ctx context.Context, i id.ID, version int64) error { panic("contract") }

// Emit records an event in the open transaction and hands it to the reactors.
func (s *Store) Emit(ctx context.Context, e event.Event) error { panic("contract") }

// React registers what happens, in the same transaction, when an event is emitted: usually a job is
// enqueued. Call it before the store is used.
func (s *Store) React(fn func(ctx context.Context, e event.Event) error) { panic("contract") }

// Event reads one event of the scope's service provider.
func (s *Store) Event(ctx context.Context, i id.ID) (event.Event, error) { panic("contract") }

// Enqueue promises a job in the open transaction. A ready or running job of the same kind and key makes it
// do nothing and return that job's id.
func (s *Store) Enqueue(ctx context.Context, home id.Home, j job.Job) (id.ID, error) {
	panic("contract")
}

// ClaimJobs leases up to n jobs whose time has come, of any service provider, for the given time. The
// worker alone calls it.
func (s *Store) ClaimJobs(ctx context.Context, n int, lease time.Duration) ([]job.Job, error) {
	panic("contract")
}

// FinishJob marks a leased job done; in an open Write it commits with it.
func (s *Store) FinishJob(ctx context.Context, j job.Job) error { panic("contract") }

// FailJob hands a leased job back to run at the given time, or makes it dead when at is zero.
func (s *Store) FailJob(ctx context.Context, j job.Job, at time.Time, why string) error {
	panic("contract")
}

// ReleaseJobs hands leased jobs back at once, their attempt not counted (graceful stop).
func (s *Store) ReleaseJobs(ctx context.Context, jobs []job.Job) error { panic("contract") }

// Jobs lists jobs of the scope's service provider, newest first; empty kind or state means any.
func (s *Store) Jobs(ctx context.Context, kind string, state job.State, offset, limit int) ([]job.Job, int64, error) {
	panic("contract")
}

// RetryJob makes a dead or cancelled job ready again; CancelJob takes back a ready one. Any other state is a
// Conflict fault.
func (s *Store) RetryJob(ctx context.Context, i id.ID) error { panic("contract") }

// CancelJob takes back a ready job.
func (s *Store) CancelJob(ctx context.Context, i id.ID) error { panic("contract") }

// Claim reserves a value that must be unique within the service provider, across all homes (an account
// number, an MSISDN), for its owner. Held by another: a Conflict fault (CodeClaimed).
func (s *Store) Claim(ctx context.Context, kind, value string, owner id.ID) error {
	panic("contract")
}

// Unclaim gives a value back.
func (s *Store) Unclaim(ctx context.Context, kind, value string) error { panic("contract") }

// Claimant is who holds a value; empty when nobody does.
func (s *Store) Claimant(ctx context.Context, kind, value string) (id.ID, error) { panic("contract") }

// Entry is one side of a posting: Amount of Unit (a currency's micros, seconds, bytes, messages) moves into
// Account when positive, out of it when negative.
type Entry struct {
	// Account is a bucket's id, or a system account of the home ("cash", "sales", "usage").
	Account string
	Unit    string
	Amount  int64
	// Balance is the account's balance after the entry; set when read.
	Balance int64
}

// Posting is one balanced ledger transaction.
type Posting struct {
	ID id.ID
	At time.Time
	// Cause is what the posting follows from (an order's id, a voucher's serial) and CauseKind its kind.
	CauseKind, Cause string
	// Text says it in words.
	Text    string
	Entries []Entry
}

// Post books a posting at a home. Entries that do not sum to zero for every unit are an Internal fault: it
// is demarc that would make or lose money.
func (s *Store) Post(ctx context.Context, home id.Home, p Posting) error { panic("contract") }

// Balance is what an account holds of a unit now.
func (s *Store) Balance(ctx context.Context, home id.Home, account, unit string) (int64, error) {
	panic("contract")
}

// Postings lists the postings that touched an account, newest first.
func (s *Store) Postings(ctx context.Context, home id.Home, account string, offset, limit int) ([]Posting, error) {
	panic("contract")
}

// Unbalanced lists, over all service providers, units whose entries do not sum to zero, and accounts whose
// balance is not the sum of their entries. It is empty, always; doctor and the tests ask.
func (s *Store) Unbalanced(ctx context.Context) ([]string, error) { panic("contract") }

// Record is one line of the audit trail.
type Record struct {
	ID        id.ID
	At        time.Time
	SPID      int
	Subject   string
	Client    string
	Operation string
	RequestID string
	Reason    string
	// Entity is the kind of thing changed, EntityID its id.
	Entity   string
	EntityID string
	// Before and After are the documents; nil where there was or is none.
	Before, After []byte
}

// Audit lists the audit trail of one thing, oldest first.
func (s *Store) Audit(ctx context.Context, entityID id.ID) ([]Record, error) { panic("contract") }
