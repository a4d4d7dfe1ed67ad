package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// doc is a document of any shape.
type doc map[string]jsontext.Value

var (
	partyKind    = id.Kind{Name: "individual", Prefix: "ind"}
	customerKind = id.Kind{Name: "customer", Prefix: "cus"}
	orderKind    = id.Kind{Name: "productOrder", Prefix: "ord"}

	customers = store.Definition{Kind: customerKind, Table: "customer",
		Indexed: map[string]string{"name": "name", "status": "status", "engagedParty.id": "engaged_party"}}
	parties = store.Definition{Kind: partyKind, Table: "individual", Indexed: map[string]string{"familyName": "family_name"}}
	orders  = store.Definition{Kind: orderKind, Table: "product_order", Indexed: map[string]string{"state": "state"},
		Loose: []string{"customer", "note.author.id"}}
)

// house is a store with three collections and a clock that stands still.
type house struct {
	t   testing.TB
	s   *store.Store
	ctx context.Context
	at  *clock.Virtual

	customers *store.Collection[doc]
	parties   *store.Collection[doc]
	orders    *store.Collection[doc]
}

func open(t testing.TB, engine string, opts ...func(*store.Options)) *house {
	t.Helper()
	at := clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC))
	s := storetest.Open(t, engine, append([]func(*store.Options){func(o *store.Options) { o.Clock = at }}, opts...)...)
	return &house{
		t: t, s: s, at: at, ctx: storetest.Context(1),
		customers: store.NewCollection[doc](s, customers),
		parties:   store.NewCollection[doc](s, parties),
		orders:    store.NewCollection[doc](s, orders),
	}
}

// each runs a test on every engine.
func each(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	for _, e := range storetest.Engines {
		t.Run(e, func(t *testing.T) { fn(t, open(t, e)) })
	}
}

// object reads a JSON object.
func object(text string, args ...any) *doc {
	d := doc{}
	v := jsontext.Value(fmt.Sprintf(text, args...))
	dec := jsontext.NewDecoder(bytesReader(v))
	if _, err := dec.ReadToken(); err != nil {
		panic(err)
	}
	for dec.PeekKind() == '"' {
		name, _ := dec.ReadToken()
		key := name.String()
		val, err := dec.ReadValue()
		if err != nil {
			panic(err)
		}
		d[key] = val.Clone()
	}
	return &d
}

func (h *house) write(fn func(ctx context.Context) error) error { return h.s.Write(h.ctx, fn) }

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) insert(c *store.Collection[doc], k id.Kind, text string, args ...any) store.Doc {
	h.t.Helper()
	var d store.Doc
	h.must(h.write(func(ctx context.Context) (err error) {
		d, err = c.Insert(ctx, id.New(k, id.RandomHome(), h.s.Now(ctx)), object(text, args...))
		return err
	}))
	return d
}

func (h *house) customer(text string, args ...any) store.Doc {
	h.t.Helper()
	return h.insert(h.customers, customerKind, text, args...)
}

// refused holds that err is a fault of a kind and code at an attribute.
func refused(t testing.TB, err error, kind fault.Kind, code fault.Code, attribute string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || f.Code != code || f.Attribute != attribute {
		t.Fatalf("got %v (%+v), want %v %s at %q", err, f, kind, code, attribute)
	}
}

// rounds is how often a random test draws; DEMARC_TEST_ROUNDS multiplies it.
func rounds(n int) int {
	if m, err := strconv.Atoi(os.Getenv("DEMARC_TEST_ROUNDS")); err == nil && m > 0 {
		return n * m
	}
	return n
}
