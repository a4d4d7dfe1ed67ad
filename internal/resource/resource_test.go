package resource_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// club is a type with one of everything that rules can decide.
type club struct {
	Name       string        `json:"name"`
	Status     string        `json:"status,omitzero"`
	Fee        *money.Amount `json:"fee,omitzero"`
	LastUpdate *time.Time    `json:"lastUpdate,omitzero"`
	Rest       sid.Rest      `json:",embed"`
}

var kind = id.Kind{Name: "customer", Prefix: "cus"}

type fixture struct {
	ctx    context.Context
	store  *store.Store
	clubs  *resource.Set[club]
	events []event.Event
}

func each(t *testing.T, run func(t *testing.T, f *fixture)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		f := &fixture{store: s, ctx: scope.With(context.Background(), scope.Grant(1, scope.Actor{Subject: "ann"}, scope.Claims{}))}
		s.React(func(_ context.Context, e event.Event) error {
			f.events = append(f.events, e)
			return nil
		})
		f.clubs = resource.New(s, store.Definition{Kind: kind, Table: "customer"}, resource.Rules[club]{
			Domain: "customerManagement",
			Create: func(_ context.Context, _ id.ID, next *club, _ time.Time) error {
				if next.Name == "" {
					return fault.Invalidf("name", "a club needs a name")
				}
				if next.Status == "" {
					next.Status = "founded"
				}
				return nil
			},
			Change: func(_ context.Context, prev, next *club, _ time.Time) error {
				if prev.Status == "dissolved" && next.Status != prev.Status {
					return fault.Conflictf("wrongState", "a dissolved club stays so")
				}
				return nil
			},
			Remove: func(_ context.Context, prev *club) error {
				if prev.Status == "playing" {
					return fault.Conflictf("wrongState", "a club that plays cannot be deleted")
				}
				return nil
			},
			State: func(v *club) string { return v.Status },
			Touch: func(v *club, now time.Time) { v.LastUpdate = &now },
			Fixed: []string{"code"},
		})
		run(t, f)
	})
}

func (f *fixture) create(t *testing.T, body string) store.Doc {
	t.Helper()
	d, err := f.clubs.Create(f.ctx, jsontext.Value(body))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (f *fixture) types() string {
	var names []string
	for _, e := range f.events {
		names = append(names, e.Type)
	}
	return strings.Join(names, " ")
}

func to(body string) func(jsontext.Value) (jsontext.Value, error) {
	return func(jsontext.Value) (jsontext.Value, error) { return jsontext.Value(body), nil }
}

func TestCreateFillsInDefaultsAndKeepsTheRest(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.create(t, `{"name":"Moon","colour":{"shirt":"red"},"fee":{"unit":"EUR","value":1.50}}`)
		var got map[string]any
		if err := json.Unmarshal(d.Body, &got); err != nil {
			t.Fatal(err)
		}
		if got["status"] != "founded" || got["lastUpdate"] == nil {
			t.Errorf("defaults are missing in %s", d.Body)
		}
		if !strings.Contains(string(d.Body), `"colour":{"shirt":"red"}`) || !strings.Contains(string(d.Body), `1.50`) {
			t.Errorf("attributes were lost in %s", d.Body)
		}
		if d.Version != 1 || !d.ID.Is(kind) {
			t.Errorf("got version %d of %s", d.Version, d.ID)
		}
		if got := f.types(); got != "CustomerCreateEvent" {
			t.Errorf("events: %s", got)
		}
		if e := f.events[0]; e.Subject != d.ID || e.Domain != "customerManagement" {
			t.Errorf("the event tells of %s in %s", e.Subject, e.Domain)
		}
	})
}

func TestWhatCameAsZeroIsReadAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.create(t, `{"name":"Moon","status":"","fee":{"unit":"EUR","value":0}}`)
		if !strings.Contains(string(d.Body), `"status":"founded"`) {
			t.Errorf("the default gave way to an empty text in %s", d.Body)
		}
		d, err := f.clubs.Patch(f.ctx, d.ID, 0, to(`{"name":"Moon","status":""}`))
		if err != nil || !strings.Contains(string(d.Body), `"status":""`) {
			t.Errorf("an empty text was lost in %s (%v)", d.Body, err)
		}
	})
}

func TestRefusalsChangeNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if _, err := f.clubs.Create(f.ctx, jsontext.Value(`{"fee":{"unit":"EUR","value":1}}`)); fault.From(err).Attribute != "name" {
			t.Errorf("a club without a name: %v", err)
		}
		_, err := f.clubs.Create(f.ctx, jsontext.Value(`{"name":"x","fee":{"unit":"DUCAT","value":1}}`))
		var fe *fault.Error
		if !errors.As(err, &fe) || fe.Kind != fault.Invalid || fe.Attribute != "fee.unit" {
			t.Errorf("an unknown currency: %v", err)
		}
		page, err := f.clubs.Docs(f.ctx, store.Query{})
		if err != nil || page.Total != 0 {
			t.Errorf("%d clubs were stored (%v)", page.Total, err)
		}
		if f.store.Engine() == "sqlite" && len(f.events) != 0 { // PostgreSQL may retry, and reactors with it
			t.Errorf("events: %s", f.types())
		}
	})
}

func TestPatchTellsWhatChanged(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.create(t, `{"name":"Moon"}`)
		f.events = nil
		if _, err := f.clubs.Patch(f.ctx, d.ID, 0, to(`{"name":"Sun","status":"founded"}`)); err != nil {
			t.Fatal(err)
		}
		if got := f.types(); got != "CustomerAttributeValueChangeEvent" {
			t.Errorf("events: %s", got)
		}
		f.events = nil
		if _, err := f.clubs.Patch(f.ctx, d.ID, 2, to(`{"name":"Sun","status":"dissolved"}`)); err != nil {
			t.Fatal(err)
		}
		if got := f.types(); got != "CustomerStateChangeEvent" {
			t.Errorf("events: %s", got)
		}
		if _, err := f.clubs.Patch(f.ctx, d.ID, 0, to(`{"name":"Sun","status":"playing"}`)); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a dissolved club plays: %v", err)
		}
	})
}

func TestAPatchToWhatIsThereChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.create(t, `{"name":"Moon"}`)
		f.events = nil
		same := func(now jsontext.Value) (jsontext.Value, error) { return now, nil }
		got, err := f.clubs.Patch(f.ctx, d.ID, d.Version, same)
		if err != nil || got.Version != d.Version || f.types() != "" {
			t.Errorf("version %d, events %s (%v)", got.Version, f.types(), err)
		}
		if _, err := f.clubs.Patch(f.ctx, d.ID, 7, same); fault.KindOf(err) != fault.Stale {
			t.Errorf("another version was patched: %v", err)
		}
	})
}

func TestPatchAndDeleteOfAnOldVersionAreStale(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.create(t, `{"name":"Moon"}`)
		if _, err := f.clubs.Patch(f.ctx, d.ID, 1, to(`{"name":"Sun"}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.clubs.Patch(f.ctx, d.ID, 1, to(`{"name":"Mars"}`)); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old version was patched: %v", err)
		}
		if err := f.clubs.Delete(f.ctx, d.ID, 1); fault.KindOf(err) != fault.Stale {
			t.Errorf("an old version was deleted: %v", err)
		}
		got, _, err := f.clubs.Get(f.ctx, d.ID)
		if err != nil || got.Name != "Sun" {
			t.Errorf("got %q (%v)", got.Name, err)
		}
	})
}

func TestFixedAttributesAreNamed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.create(t, `{"name":"Moon","code":"M1"}`)
		for _, body := range []string{`{"name":"Moon","code":"M2"}`, `{"name":"Moon"}`} {
			if _, err := f.clubs.Patch(f.ctx, d.ID, 0, to(body)); fault.From(err).Attribute != "code" {
				t.Errorf("%s: %v", body, err)
			}
		}
		other := f.create(t, `{"name":"Sun"}`)
		if _, err := f.clubs.Patch(f.ctx, other.ID, 0, to(`{"name":"Sun","code":"S1"}`)); err != nil {
			t.Errorf("a fixed attribute cannot be set once: %v", err)
		}
	})
}

func TestDeleteAsksTheRules(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.create(t, `{"name":"Moon","status":"playing"}`)
		if err := f.clubs.Delete(f.ctx, d.ID, 0); fault.KindOf(err) != fault.Conflict {
			t.Errorf("a club that plays was deleted: %v", err)
		}
		if _, err := f.clubs.Change(f.ctx, d.ID, func(c *club) error { c.Status = "resting"; return nil }); err != nil {
			t.Fatal(err)
		}
		f.events = nil
		if err := f.clubs.Delete(f.ctx, d.ID, 0); err != nil {
			t.Fatal(err)
		}
		if got := f.types(); got != "CustomerDeleteEvent" {
			t.Errorf("events: %s", got)
		}
		if _, err := f.clubs.Doc(f.ctx, d.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("it is still there: %v", err)
		}
	})
}

func TestAddManyIsAddOfEach(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.clubs.AddMany(f.ctx, []*club{{Name: "one"}, {}})
		var which *store.Nth
		if !errors.As(err, &which) || which.N != 1 || fault.From(err).Attribute != "name" {
			t.Fatalf("%v does not tell what is wrong with which", err)
		}
		f.events = nil
		docs, err := f.clubs.AddMany(f.ctx, []*club{{Name: "one"}, {Name: "two", Status: "playing"}})
		if err != nil || len(docs) != 2 || len(f.events) != 2 || f.events[1].Subject != docs[1].ID || f.events[1].Type != "CustomerCreateEvent" {
			t.Fatalf("%v %+v %+v", err, docs, f.events)
		}
		v, _, err := f.clubs.Get(f.ctx, docs[0].ID)
		if err != nil || v.Status != "founded" || v.LastUpdate == nil {
			t.Fatalf("%+v %v", v, err)
		}
		page, err := f.clubs.Docs(f.ctx, store.Query{})
		if err != nil || page.Total != 2 {
			t.Fatalf("%d clubs (%v)", page.Total, err)
		}
	})
}
