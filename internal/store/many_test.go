package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

func (h *house) drafts(n int, body func(n int) string) []store.Draft {
	all := make([]store.Draft, n)
	for i := range all {
		all[i] = store.Draft{ID: id.New(customerKind, id.RandomHome(), h.at.Now()), Body: jsontext.Value(body(i))}
	}
	return all
}

// refusedNth holds that err tells which of many is at fault.
func refusedNth(t *testing.T, err error, n int, kind fault.Kind, code fault.Code, attribute string) {
	t.Helper()
	refused(t, err, kind, code, attribute)
	var which *store.Nth
	if !errors.As(err, &which) || which.N != n {
		t.Fatalf("%v does not name number %d", err, n)
	}
}

func TestManyDocumentsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		party := h.insert(h.parties, partyKind, `{"familyName":"Muster"}`)
		other := h.insert(h.parties, partyKind, `{"familyName":"Other"}`)
		const size = 1200 // more than go in one journey
		drafts := h.drafts(size, func(n int) string {
			return fmt.Sprintf(`{"id":"x","name":"c%d","engagedParty":{"id":%q}}`, n, party.ID)
		})
		var docs []store.Doc
		h.must(h.write(func(ctx context.Context) (err error) {
			docs, err = h.customers.InsertMany(ctx, drafts)
			return err
		}))
		if h.count() != size {
			t.Fatalf("%d customers", h.count())
		}
		last, err := h.customers.Doc(h.ctx, drafts[size-1].ID)
		h.must(err)
		if string(last.Body) != fmt.Sprintf(`{"name":"c%d","engagedParty":{"id":%q}}`, size-1, party.ID) || string(last.Body) != string(docs[size-1].Body) || last.Version != 1 {
			t.Fatalf("%+v", last)
		}
		h.must(h.write(func(ctx context.Context) error { // the second reading of the cache
			found, err := h.customers.DocsOf(ctx, drafts[0].ID, party.ID, "nonsense", drafts[7].ID)
			if len(found) != 2 || string(found[drafts[7].ID].Body) != string(docs[7].Body) {
				t.Errorf("%+v", found)
			}
			return err
		}))

		revisions := make([]store.Revision, size)
		for n, d := range docs {
			revisions[n] = store.Revision{Was: d, Body: jsontext.Value(fmt.Sprintf(`{"name":"new%d","engagedParty":{"id":%q}}`, n, other.ID))}
		}
		h.must(h.write(func(ctx context.Context) (err error) {
			docs, err = h.customers.UpdateMany(ctx, revisions)
			return err
		}))
		now, err := h.customers.Doc(h.ctx, docs[3].ID)
		h.must(err)
		if now.Version != 2 || string(now.Body) != string(revisions[3].Body) || docs[3].Version != 2 || !now.Created.Equal(last.Created) {
			t.Fatalf("%+v", now)
		}
		if trail, err := h.s.Audit(h.ctx, docs[3].ID); err != nil || len(trail) != 2 || string(trail[1].Before) != string(revisions[3].Was.Body) ||
			string(trail[1].After) != string(now.Body) {
			t.Fatalf("%+v %v", trail, err)
		}
		// The references went along.
		remove := func(d store.Doc) error {
			return h.write(func(ctx context.Context) error { return h.parties.Delete(ctx, d.ID, d.Version) })
		}
		h.must(remove(party))
		refused(t, remove(other), fault.Conflict, fault.CodeStillReferred, "")

		refusedNth(t, h.write(func(ctx context.Context) error {
			_, err := h.customers.UpdateMany(ctx, revisions[:2])
			return err
		}), 0, fault.Stale, fault.CodeStale, "")
	})
}

func TestManyDocumentsAreAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		plain := func(int) string { return `{"name":"a"}` }
		for what, c := range map[string]struct {
			spoil     func(all []store.Draft)
			kind      fault.Kind
			code      fault.Code
			attribute string
		}{
			"one is there":     {func(all []store.Draft) { all[2].ID = all[0].ID }, fault.Conflict, "alreadyExists", ""},
			"one is malformed": {func(all []store.Draft) { all[2].Body = jsontext.Value(`{"name"`) }, fault.Invalid, fault.CodeInvalid, "name"},
			"one refers to nothing": {func(all []store.Draft) {
				all[2].Body = jsontext.Value(`{"engagedParty":{"id":"ind_` + string(all[0].ID[4:]) + `"}}`)
			}, fault.Invalid, fault.CodeInvalid, "engagedParty.id"},
			"one is of no known kind": {func(all []store.Draft) { all[2].ID = "nonsense" }, fault.NotFound, fault.CodeNotFound, ""},
		} {
			for _, size := range []int{4, 40} { // a statement each, and one for all
				t.Run(fmt.Sprint(what, " of ", size), func(t *testing.T) {
					err := h.write(func(ctx context.Context) error {
						drafts := h.drafts(size, plain)
						c.spoil(drafts)
						_, err := h.customers.InsertMany(ctx, drafts)
						return err
					})
					refusedNth(t, err, 2, c.kind, c.code, c.attribute)
					if h.count() != 0 {
						t.Fatalf("%d customers", h.count())
					}
				})
			}
		}
		// A caller that makes nothing of the fault keeps nothing either.
		err := h.write(func(ctx context.Context) error {
			drafts := h.drafts(2, plain)
			drafts[1].ID = drafts[0].ID
			_, _ = h.customers.InsertMany(ctx, drafts)
			return nil
		})
		refused(t, err, fault.Conflict, "alreadyExists", "")
		if h.count() != 0 {
			t.Fatalf("%d customers", h.count())
		}
	})
}

func TestManyClaimsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var taken map[string]id.ID
		claim := func(owners map[string]id.ID) {
			t.Helper()
			h.must(h.write(func(ctx context.Context) (err error) {
				taken, err = h.s.ClaimAll(ctx, "record", owners)
				return err
			}))
		}
		all := map[string]id.ID{}
		for n := range 700 {
			all[fmt.Sprint("v", n)] = "usg_a"
		}
		claim(all)
		if len(taken) != 0 {
			t.Fatal(taken)
		}
		claim(map[string]id.ID{"v1": "usg_b", "v2": "usg_a", "new": "usg_b"})
		if want := map[string]id.ID{"v1": "usg_a"}; !maps.Equal(taken, want) {
			t.Fatalf("%v, want %v", taken, want)
		}
		others := map[string]id.ID{}
		for n := range 20 { // many at once, of which two are held by another
			others[fmt.Sprint("w", n)] = "usg_b"
		}
		others["v3"], others["v4"] = "usg_b", "usg_b"
		claim(others)
		if want := map[string]id.ID{"v3": "usg_a", "v4": "usg_a"}; !maps.Equal(taken, want) {
			t.Fatalf("%v, want %v", taken, want)
		}
		held, err := h.s.Claimants(h.ctx, "record", "w0", "w1", "w2", "w3", "w4", "w5", "none", "v3", "w19", "v3")
		h.must(err)
		if len(held) != 8 || held["v3"] != "usg_a" || held["w19"] != "usg_b" || held["w5"] != "usg_b" {
			t.Fatal(held)
		}
		held, err = h.s.Claimants(h.ctx, "record", "v1", "v2", "new", "none")
		h.must(err)
		if want := map[string]id.ID{"v1": "usg_a", "v2": "usg_a", "new": "usg_b"}; !maps.Equal(held, want) {
			t.Fatalf("%v, want %v", held, want)
		}
	})
}
