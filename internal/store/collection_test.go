package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestDocumentLives(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.customer(`{"id":"mine","href":"/mine","name":"Ann","x":1.50,"nested":{"href":"/kept","id":"kept"}}`)
		const body = `{"name":"Ann","nested":{"href":"/kept","id":"kept"},"x":1.50}`
		want := store.Doc{ID: d.ID, SPID: 1, Version: 1, Created: h.s.Now(h.ctx), Updated: h.s.Now(h.ctx), Body: jsontext.Value(body)}
		for range 2 { // the second from the cache
			v, got, err := h.customers.Get(h.ctx, d.ID)
			h.must(err)
			if diff := cmp.Diff(want, got); diff != "" || string(v["x"]) != "1.50" {
				t.Fatal(diff)
			}
		}
		h.at.Advance(time.Minute)
		update := func(version int64) (up store.Doc, err error) {
			err = h.write(func(ctx context.Context) (err error) {
				up, err = h.customers.Update(ctx, d.ID, version, object(`{"name":"Bea"}`))
				return err
			})
			return up, err
		}
		up, err := update(1)
		h.must(err)
		if !up.Created.Equal(d.Created) || !up.Updated.Equal(h.s.Now(h.ctx)) || up.Version != 2 {
			t.Fatalf("%+v", up)
		}
		_, err = update(1)
		refused(t, err, fault.Stale, fault.CodeStale, "")
		got, err := h.customers.Doc(h.ctx, d.ID)
		h.must(err)
		if diff := cmp.Diff(up, got); diff != "" {
			t.Fatal(diff)
		}
		remove := func(ctx context.Context, version int64) error {
			return h.s.Write(ctx, func(ctx context.Context) error { return h.customers.Delete(ctx, d.ID, version) })
		}
		refused(t, remove(h.ctx, 1), fault.Stale, fault.CodeStale, "")
		refused(t, remove(storetest.Context(2), 2), fault.NotFound, fault.CodeNotFound, "")
		h.must(remove(h.ctx, 2))
		refused(t, remove(h.ctx, 2), fault.NotFound, fault.CodeNotFound, "")
		_, err = h.customers.Doc(h.ctx, d.ID)
		refused(t, err, fault.NotFound, fault.CodeNotFound, "")
		if h.count() != 0 {
			t.Fatal("it is still listed")
		}
	})
}

func TestServiceProvidersDoNotMeet(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.customer(`{"name":"Ann"}`)
		if _, err := h.customers.Doc(h.ctx, d.ID); err != nil { // now it is cached
			t.Fatal(err)
		}
		other := storetest.Context(2)
		_, err := h.customers.Doc(other, d.ID)
		refused(t, err, fault.NotFound, fault.CodeNotFound, "")
		for _, q := range []store.Query{{}, {Filters: []store.Filter{{Path: []string{"id"}, Op: store.Eq, Values: []string{string(d.ID)}}}}} {
			if p, err := h.customers.Docs(other, q); err != nil || p.Total != 0 || len(p.Items) != 0 {
				t.Fatal(p, err)
			}
		}
		if a, err := h.s.Audit(other, d.ID); err != nil || len(a) != 0 {
			t.Fatal(a, err)
		}
		err = h.s.Write(other, func(ctx context.Context) error {
			_, err := h.orders.Insert(ctx, id.New(orderKind, 1, h.s.Now(ctx)), object(`{"buyer":{"id":%q}}`, d.ID))
			return err
		})
		refused(t, err, fault.Invalid, fault.CodeInvalid, "buyer.id")
		if _, err := h.customers.Docs(context.Background(), store.Query{}); fault.KindOf(err) != fault.Forbidden {
			t.Fatal("a context without a scope sees something:", err)
		}
	})
}

func TestReferencesMustLeadSomewhere(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.insert(h.parties, partyKind, `{"familyName":"Doe"}`)
		nobody := id.New(partyKind, 3, h.s.Now(h.ctx))
		unknown := id.New(id.Kind{Prefix: "zzz"}, 3, h.s.Now(h.ctx))
		insert := func(text string, args ...any) error {
			return h.write(func(ctx context.Context) error {
				_, err := h.orders.Insert(ctx, id.New(orderKind, 1, h.s.Now(ctx)), object(text, args...))
				return err
			})
		}
		h.must(insert(`{"relatedParty":[{"id":%q},{"id":"42","name":"of another system"}]}`, p.ID))
		refused(t, insert(`{"relatedParty":[{"id":%q},{"id":%q}]}`, p.ID, nobody), fault.Invalid, fault.CodeInvalid, "relatedParty[1].id")
		refused(t, insert(`{"a":[[{"b":{"id":%q}}]]}`, unknown), fault.Invalid, fault.CodeInvalid, "a[0][0].b.id")
		h.must(insert(`{"relatedParty":{"id":%q,"href":"https://elsewhere.example/individual/1"}}`, nobody))
		refused(t, insert(`{"relatedParty":{"href":"/tmf-api/party/individual/1","id":%q}}`, nobody), fault.Invalid, fault.CodeInvalid, "relatedParty.id")
		h.must(insert(`{"customer":{"id":%q,"deep":{"id":%[1]q}},"note":[{"author":{"id":%[1]q}}]}`, nobody))
		refused(t, insert(`{"customers":{"id":%q}}`, nobody), fault.Invalid, fault.CodeInvalid, "customers.id")
	})
}

func TestAbsoluteReferenceToOurselvesIsChecked(t *testing.T) {
	h := open(t, "sqlite", func(o *store.Options) { o.Hosts = []string{"bss.example"} })
	nobody := id.New(partyKind, 3, h.s.Now(h.ctx))
	err := h.write(func(ctx context.Context) error {
		_, err := h.orders.Insert(ctx, id.New(orderKind, 1, h.s.Now(ctx)), object(`{"x":{"id":%q,"href":"https://bss.example/x"}}`, nobody))
		return err
	})
	refused(t, err, fault.Invalid, fault.CodeInvalid, "x.id")
}

func TestWhatIsReferredToStays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.insert(h.parties, partyKind, `{"familyName":"Doe"}`)
		var referrers []store.Doc
		for range 5 {
			referrers = append(referrers, h.customer(`{"engagedParty":{"id":%q}}`, p.ID))
		}
		remove := func() error {
			return h.write(func(ctx context.Context) error { return h.parties.Delete(ctx, p.ID, 1) })
		}
		err := remove()
		refused(t, err, fault.Conflict, fault.CodeStillReferred, "")
		message := fault.From(err).Message
		if !strings.Contains(message, "customer "+string(referrers[0].ID)+" (engagedParty.id)") || !strings.HasSuffix(message, "and 2 more") {
			t.Fatal(message)
		}
		h.must(h.write(func(ctx context.Context) error { // one lets go, the others go
			if _, err := h.customers.Update(ctx, referrers[0].ID, 1, object(`{"name":"free"}`)); err != nil {
				return err
			}
			for _, r := range referrers[1:] {
				if err := h.customers.Delete(ctx, r.ID, 1); err != nil {
					return err
				}
			}
			return nil
		}))
		h.must(remove())
		h.must(h.write(func(ctx context.Context) error { // a document may name itself
			i := id.New(customerKind, 9, h.s.Now(ctx))
			_, err := h.customers.Insert(ctx, i, object(`{"self":{"id":%q}}`, i))
			h.must(err)
			return h.customers.Delete(ctx, i, 1)
		}))
	})
}

func TestAuditTellsTheStory(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := store.WithCall(h.ctx, store.Call{Operation: "customer.create", RequestID: "r1", Reason: "asked"})
		i := id.New(customerKind, 4, h.s.Now(ctx))
		h.must(h.s.Write(ctx, func(ctx context.Context) error {
			if _, err := h.customers.Insert(ctx, i, object(`{"n":1}`)); err != nil {
				return err
			}
			_, err := h.customers.Update(ctx, i, 1, object(`{"n":2}`))
			return err
		}))
		h.must(h.write(func(ctx context.Context) error { return h.customers.Delete(ctx, i, 2) }))
		got, err := h.s.Audit(h.ctx, i)
		h.must(err)
		var story []string
		for _, r := range got {
			story = append(story, string(r.Before)+">"+string(r.After)+" "+r.Operation+" "+r.RequestID+" "+r.Reason+" "+r.Subject+" "+r.Client+" "+r.Entity)
		}
		if diff := cmp.Diff([]string{
			`>{"n":1} customer.create r1 asked tester test-1 customer`,
			`{"n":1}>{"n":2} customer.create r1 asked tester test-1 customer`,
			`{"n":2}>    tester test-1 customer`,
		}, story); diff != "" {
			t.Fatal(diff)
		}
		if got[0].Before != nil || got[2].After != nil || !got[0].At.Equal(h.s.Now(h.ctx)) || got[0].SPID != 1 || got[0].EntityID != string(i) {
			t.Fatalf("%+v", got)
		}
	})
}

func TestDocumentsThatNotBothEnginesCanHoldAreRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for text, at := range map[string]string{
			`{"a":[{"b":"x\u0000"}]}`:                      "a[0].b",
			`{"a":{"b\u0000":1}}`:                          "a",
			`{"a":[1,1e999]}`:                              "a[1]",
			`{"a":-1e-999}`:                                "a",
			`{"a":1` + strings.Repeat("0", 200) + `}`:      "a",
			`{"name":"` + strings.Repeat("x", 2000) + `"}`: "name",
			`{"a":` + strings.Repeat("[", 120) + strings.Repeat("]", 120) + `}`: "a" + strings.Repeat("[0]", 99),
		} {
			err := h.write(func(ctx context.Context) error {
				_, err := h.customers.Insert(ctx, id.New(customerKind, 1, h.s.Now(ctx)), object("%s", text))
				return err
			})
			refused(t, err, fault.Invalid, fault.CodeInvalid, at)
		}
		const fine = `{"@type":"Ä","a\"b":"é\\\n","big":"%s","e":0.0,"n":-12.5e10,"z":{}}`
		d := h.customer(fine, strings.Repeat("y", 10000))
		got, err := h.customers.Doc(h.ctx, d.ID)
		h.must(err)
		if !strings.HasPrefix(string(got.Body), `{"@type":"Ä","a\"b":"é\\\n",`) || !strings.HasSuffix(string(got.Body), `"e":0.0,"n":-12.5e10,"z":{}}`) {
			t.Fatalf("%s", got.Body)
		}
	})
}

func TestIDsOfOtherKindsAreNotFound(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.customer(`{}`)
		for _, i := range []id.ID{"", "42", "cus_short", id.ID("ind" + strings.TrimPrefix(string(d.ID), "cus")), id.ID(strings.ToUpper(string(d.ID))), d.ID + "0"} {
			_, err := h.customers.Doc(h.ctx, i)
			refused(t, err, fault.NotFound, fault.CodeNotFound, "")
		}
		err := h.write(func(ctx context.Context) error {
			_, err := h.customers.Insert(ctx, d.ID, object(`{}`))
			return err
		})
		refused(t, err, fault.Conflict, "alreadyExists", "")
	})
}

func TestSchemaAndDefinitionsMustFit(t *testing.T) {
	for _, e := range storetest.Engines {
		for name, def := range map[string]store.Definition{
			"column": {Kind: id.Kind{Name: "x", Prefix: "xx"}, Table: "customer", Indexed: map[string]string{"a": "no_such_column"}},
			"table":  {Kind: id.Kind{Name: "x", Prefix: "xx"}, Table: "no_such_table"},
			"name":   {Kind: id.Kind{Name: "x", Prefix: "xx"}, Table: `customer"; --`},
			"prefix": {Kind: id.Kind{Name: "x", Prefix: "cus"}, Table: "sim"},
		} {
			t.Run(e+" "+name, func(t *testing.T) {
				h := open(t, e)
				h.must(h.s.Ping(h.ctx))
				store.NewCollection[doc](h.s, def)
				if err := h.s.Ping(h.ctx); err == nil {
					t.Fatal("Ping did not tell")
				}
				if _, err := h.s.Migrate(h.ctx, false); err == nil {
					t.Fatal("Migrate did not tell")
				}
			})
		}
	}
}
