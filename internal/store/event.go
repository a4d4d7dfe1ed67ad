package store

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

const (
	sqlEmit = `INSERT INTO event (home, spid, id, at, type, domain, title, description, correlation_id, resource, subject, doc)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	sqlEvent = `SELECT at, type, domain, title, description, correlation_id, resource, subject, doc FROM event
WHERE home = $1 AND spid = $2 AND id = $3`
)

// Emit records an event in the open transaction and hands it to the reactors. What the event leaves out is
// filled in: its id at the home of its subject, its time, its service provider and the request it came from.
func (s *Store) Emit(ctx context.Context, e event.Event) error {
	t, err := s.writing(ctx)
	if err != nil {
		return err
	}
	spid, err := spidOf(ctx)
	if err != nil {
		return err
	}
	e.SPID = spid
	if e.ID == "" {
		home, ok := e.Subject.Home()
		if !ok {
			home = id.HomeOf(string(e.Subject))
		}
		e.ID = id.New(event.Kind, home, t.now)
	}
	home, ok := e.ID.Home()
	if !ok {
		return fault.Internalf(nil, "the event's id %s is not of our form", e.ID)
	}
	if e.Time.IsZero() {
		e.Time = t.now
	}
	if e.CorrelationID == "" {
		e.CorrelationID = CallFrom(ctx).RequestID
	}
	if len(e.Document) == 0 {
		e.Document = jsontext.Value("{}")
	}
	if err := t.later(ctx, sqlEmit, int64(home), int64(spid), string(e.ID), micros(e.Time), e.Type, e.Domain, e.Title,
		e.Description, e.CorrelationID, e.Resource, string(e.Subject), asText(e.Document)); err != nil {
		return dbFault(err)
	}
	s.mu.RLock()
	reactors := s.reactors
	s.mu.RUnlock()
	for _, fn := range reactors {
		if err := fn(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// React registers what happens, in the same transaction, when an event is emitted: usually a job is
// enqueued. Call it before the store is used.
func (s *Store) React(fn func(ctx context.Context, e event.Event) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reactors = append(s.reactors, fn)
}

// Event reads one event of the scope's service provider. Unknown there: a NotFound fault.
func (s *Store) Event(ctx context.Context, i id.ID) (event.Event, error) {
	e := event.Event{ID: i}
	spid, err := spidOf(ctx)
	if err != nil {
		return e, err
	}
	none := fault.NotFoundf("there is no event %s", shorten(string(i)))
	home, ok := i.Home()
	if !ok || !i.Is(event.Kind) {
		return e, none
	}
	var at int64
	var subject string
	var doc []byte
	found, err := s.readRow(ctx, sqlEvent, []any{int64(home), int64(spid), string(i)}, &at, &e.Type, &e.Domain, &e.Title,
		&e.Description, &e.CorrelationID, &e.Resource, &subject, &doc)
	if err != nil {
		return e, err
	}
	if !found {
		return e, none
	}
	e.Time, e.Subject, e.SPID, e.Document = moment(at), id.ID(subject), spid, doc
	return e, nil
}
