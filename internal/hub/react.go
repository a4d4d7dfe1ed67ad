package hub

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/filter"
)

// JobKind is the kind of the jobs that deliver events.
const JobKind = "hub.deliver"

// attempts is after how many failures a delivery is dead: about five hours of growing pauses.
const attempts = 16

// subscription is a hub with its query made ready.
type subscription struct {
	id         id.ID
	domain     string
	conditions []*filter.Condition
	// first are those of the conditions that an event's type and domain decide.
	first []*filter.Condition
}

type delivery struct {
	Hub   id.ID `json:"hub"`
	Event id.ID `json:"event"`
}

// react promises, in the transaction of the event, one delivery to each subscription that wants it.
func (s *Service) react(ctx context.Context, e event.Event) error {
	if e.Resource == Kind.Name {
		s.known.forget(e.SPID, s.store.MachineNow())
		return nil
	}
	all, err := s.subscriptions(ctx, e.SPID)
	if err != nil || len(all) == 0 {
		return err
	}
	var text []byte
	for _, sub := range all {
		if sub.domain != "" && sub.domain != e.Domain {
			continue
		}
		if len(sub.conditions) > 0 && text == nil {
			if text, err = s.body(e); err != nil {
				return err
			}
		}
		if match(sub.conditions, text) {
			if err := s.promise(ctx, sub.id, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// wants says whether a subscription may want events of a type.
func (s *Service) wants(ctx context.Context, e event.Event) (bool, error) {
	all, err := s.subscriptions(ctx, e.SPID)
	if err != nil || len(all) == 0 {
		return false, err
	}
	text, err := json.Marshal(map[string]string{"eventType": e.Type, "domain": e.Domain})
	if err != nil {
		return false, fault.Internalf(err, "an event of type %s cannot be written", e.Type)
	}
	return slices.ContainsFunc(all, func(sub subscription) bool {
		return (sub.domain == "" || sub.domain == e.Domain) && match(sub.first, text)
	}), nil
}

func match(conditions []*filter.Condition, text []byte) bool {
	for _, c := range conditions {
		if !c.Match(text) {
			return false
		}
	}
	return true
}

func (s *Service) promise(ctx context.Context, to id.ID, e event.Event) error {
	payload, err := json.Marshal(delivery{Hub: to, Event: e.ID})
	if err != nil {
		return fault.Internalf(err, "a delivery cannot be written")
	}
	home, ok := e.Subject.Home()
	if !ok {
		home = id.HomeOf(string(e.Subject))
	}
	_, err = s.store.Enqueue(ctx, home, job.Job{
		Kind: JobKind, Key: string(to) + "/" + string(e.ID), Payload: payload, MaxAttempts: attempts, Aside: true,
	})
	return err
}

// subscriptions are those of a service provider, as the transaction sees them.
func (s *Service) subscriptions(ctx context.Context, spid int) ([]subscription, error) {
	// Where other nodes may write, only the database knows; alone, this process does.
	alone := s.store.Engine() == "sqlite"
	if alone {
		if all, ok := s.known.get(spid); ok {
			return all, nil
		}
	}
	page, err := s.Hubs.Docs(ctx, store.Query{Limit: Most, NoTotal: true})
	if err != nil {
		return nil, err
	}
	all := make([]subscription, 0, len(page.Items))
	for _, d := range page.Items {
		// Nobody's change fails because somebody else's subscription cannot be read.
		if sub, err := s.ready(d); err == nil {
			all = append(all, sub)
		}
	}
	if alone {
		s.known.keep(spid, all, s.store.MachineNow())
	}
	return all, nil
}

func (s *Service) ready(d store.Doc) (subscription, error) {
	var h Hub
	if err := json.Unmarshal(d.Body, &h); err != nil {
		return subscription{}, fault.Internalf(err, "the subscription %s cannot be read", d.ID)
	}
	all, first, err := s.conditions(h.Query)
	if err != nil {
		return subscription{}, fault.Internalf(err, "the query of the subscription %s cannot be read", d.ID)
	}
	return subscription{id: d.ID, domain: h.Domain, conditions: all, first: first}, nil
}

// conditions are what a query asks of an event, and of its type and domain alone; one that cannot be asked is
// an Invalid fault.
func (s *Service) conditions(query string) (all, first []*filter.Condition, err error) {
	filters, err := s.o.Parse(query)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range filters {
		c, err := filter.Compile(f)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, c)
		if len(f.Path) == 1 && (f.Path[0] == "eventType" || f.Path[0] == "domain") {
			first = append(first, c)
		}
	}
	return all, first, nil
}

// subscriptions remembers what was read, by service provider, in a process that alone writes to its
// database, so that an event nobody wants costs nothing.
type subscriptions struct {
	mu   sync.Mutex
	list map[int][]subscription
	// unsure says until when a service provider's list must be read each time.
	unsure map[int]time.Time
}

// settle is longer than any transaction takes. A list that is read after a subscription changed may hold
// what is rolled back in the end, so for so long nothing is remembered.
const settle = time.Minute

func (k *subscriptions) get(spid int) ([]subscription, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, ok := k.list[spid]
	return all, ok
}

func (k *subscriptions) keep(spid int, all []subscription, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.unsure[spid]) {
		return
	}
	delete(k.unsure, spid)
	if k.list == nil {
		k.list = map[int][]subscription{}
	}
	k.list[spid] = all
}

func (k *subscriptions) forget(spid int, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.unsure == nil {
		k.unsure = map[int]time.Time{}
	}
	delete(k.list, spid)
	k.unsure[spid] = now.Add(settle)
}
