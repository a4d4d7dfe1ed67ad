package store

import (
	"context"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

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

// auditKind is the id kind of audit records.
var auditKind = id.Kind{Name: "auditRecord", Prefix: "aud"}

const (
	sqlAudit = `INSERT INTO audit (home, spid, id, at, subject, client, operation, request_id, reason, entity, entity_id, before_doc, after_doc)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	sqlAudits = `SELECT id, at, subject, client, operation, request_id, reason, entity, before_doc, after_doc FROM audit
WHERE home = $1 AND spid = $2 AND entity_id = $3 ORDER BY id`
)

type bulkKey struct{}

// InBulk is for changes of thousands of documents that a file brought: those made with InsertMany and UpdateMany
// leave no audit record each. Who makes them records the whole: in the document of the upload, which is not one of them.
// They are AsOne.
func InBulk(ctx context.Context) context.Context {
	return context.WithValue(AsOne(ctx), bulkKey{}, true)
}

// audit records a change of a document under the scope's actor, unless its kind is quiet.
func (ch *change) audit(ctx context.Context, before, after []byte) error {
	if ch.d.Quiet {
		return nil
	}
	return ch.t.audit(ctx, ch.home, ch.spid, ch.d.Kind.Name, string(ch.id), before, after)
}

// audit records a change of anything under the scope's actor.
func (t *tx) audit(ctx context.Context, home id.Home, spid int, entity, entityID string, before, after []byte) error {
	args, err := t.auditRow(ctx, home, spid, entity, entityID, before, after)
	if err != nil {
		return err
	}
	return dbFault(t.Later(ctx, sqlAudit, args...))
}

// auditRow is a record as its statement takes it.
func (t *tx) auditRow(ctx context.Context, home id.Home, spid int, entity, entityID string, before, after []byte) ([]any, error) {
	sc, err := scope.From(ctx)
	if err != nil {
		return nil, err
	}
	actor, call := sc.Actor(), CallFrom(ctx)
	return []any{int64(home), int64(spid), string(id.New(auditKind, home, t.now)), engine.Micros(t.now),
		actor.Subject, actor.Client, call.Operation, call.RequestID, call.Reason, entity, entityID, document(before), document(after)}, nil
}

// document binds a document that may be none.
func document(doc []byte) any {
	if doc == nil {
		return nil
	}
	return asText(doc)
}

// Audit lists the audit trail of one thing, oldest first. A thing that never was has none.
func (s *Store) Audit(ctx context.Context, entityID id.ID) ([]Record, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, err
	}
	home, ok := entityID.Home()
	if !ok {
		return nil, fault.NotFoundf("there is no %s", shorten(string(entityID)))
	}
	var all []Record
	err = s.readEach(ctx, sqlAudits, []any{int64(home), int64(spid), string(entityID)}, func(r engine.Rows) error {
		rec := Record{SPID: spid, EntityID: string(entityID)}
		var at int64
		var i string
		if err := r.Scan(&i, &at, &rec.Subject, &rec.Client, &rec.Operation, &rec.RequestID, &rec.Reason, &rec.Entity, &rec.Before, &rec.After); err != nil {
			return err
		}
		rec.ID, rec.At = id.ID(i), moment(at)
		all = append(all, rec)
		return nil
	})
	return all, err
}
