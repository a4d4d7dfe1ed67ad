package store

import (
	"context"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"slices"

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

// reactor is told of events.
type reactor struct {
	fn func(ctx context.Context, e event.Event) error
	// wants is asked about quiet events; nil wants all that types name.
	wants func(ctx context.Context, e event.Event) (bool, error)
	// types are the events it is told of; empty means all.
	types []string
}

// Emit records an event in the open transaction and hands it to the reactors. What the event leaves out is
// filled in: its id at the home of its subject, its time, its service provider and the request it came from.
// A quiet event that no reactor wants leaves nothing behind.
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
	told, err := s.told(ctx, t, e)
	if err != nil || e.Quiet && len(told) == 0 {
		return err
	}
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
	if err := t.Later(ctx, sqlEmit, int64(home), int64(spid), string(e.ID), engine.Micros(e.Time), e.Type, e.Domain, e.Title,
		e.Description, e.CorrelationID, e.Resource, string(e.Subject), asText(e.Document)); err != nil {
		return dbFault(err)
	}
	for _, fn := range told {
		if err := fn(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// told are the reactors of an event. Who wants quiet events is asked once a transaction for each type.
func (s *Store) told(ctx context.Context, t *tx, e event.Event) ([]func(context.Context, event.Event) error, error) {
	k := toldKey{e.SPID, e.Type, e.Domain}
	if e.Quiet {
		if fns, ok := t.told[k]; ok {
			return fns, nil
		}
	}
	s.mu.RLock()
	reactors := s.reactors
	s.mu.RUnlock()
	var fns []func(context.Context, event.Event) error
	for _, r := range reactors {
		ok := len(r.types) == 0 && !e.Quiet || slices.Contains(r.types, e.Type)
		if r.wants != nil && e.Quiet {
			e.Document = nil
			var err error
			if ok, err = r.wants(ctx, e); err != nil {
				return nil, err
			}
		}
		if ok {
			fns = append(fns, r.fn)
		}
	}
	if e.Quiet {
		if t.told == nil {
			t.told = map[toldKey][]func(context.Context, event.Event) error{}
		}
		t.told[k] = fns
	}
	return fns, nil
}

// toldKey is what a reactor decides by whether it wants a quiet event.
type toldKey struct {
	spid        int
	typ, domain string
}

// React registers what happens, in the same transaction, when an event is emitted: usually a job is
// enqueued. With types it is told of the events of those types, quiet ones too; without, of every event that
// is not quiet. Call it before the store is used.
func (s *Store) React(fn func(ctx context.Context, e event.Event) error, types ...string) {
	s.react(reactor{fn: fn, types: types})
}

// ReactIf is React for every event, and for those quiet ones that wants answers true for. wants sees service
// provider, type, domain and resource of the event, decides by nothing else, and is asked once a transaction
// for each type.
func (s *Store) ReactIf(wants func(ctx context.Context, e event.Event) (bool, error), fn func(ctx context.Context, e event.Event) error) {
	s.react(reactor{fn: fn, wants: wants})
}

func (s *Store) react(r reactor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reactors = append(s.reactors, r)
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
