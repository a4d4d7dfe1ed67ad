package op_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// TestWritesGoThroughTheStore holds the promises on a write with the store that demarc runs on.
func TestWritesGoThroughTheStore(t *testing.T) {
	ctx := context.Background()
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "demarc.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := db.Migrate(ctx, false); err != nil {
		t.Fatal(err)
	}
	type in struct {
		Number string `path:"number"`
	}
	type out struct {
		Body struct {
			Owner id.ID `json:"owner"`
		}
	}
	kind := id.Kind{Name: "thing", Prefix: "thg"}
	claim := op.Handle(op.Operation{
		ID: "number.claim", Facade: desk(), Method: "POST", Path: "/api/number/{number}", Summary: "Claim a number", Writes: true,
		Permission: []auth.Permission{{Entity: "customer", Verb: auth.Post}},
	}, func(ctx context.Context, in *in) (*out, error) {
		if in.Number == "boom" {
			panic("boom")
		}
		o := &out{}
		o.Body.Owner = id.New(kind, 0, db.Now(ctx))
		return o, db.Claim(ctx, "number", in.Number, o.Body.Owner)
	})
	table, err := op.NewTable(claim)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := table.Handler(op.Options{Store: db, Gate: gate{}})
	if err != nil {
		t.Fatal(err)
	}
	send := func(target, key string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", target, nil)
		r.Header.Set("Authorization", "Bearer good")
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	if w := send("/api/number/1?dryRun=true", "k1"); w.Code != 200 || w.Header().Get("Dry-Run") != "true" {
		t.Fatalf("dry run: %d %s", w.Code, w.Body)
	}
	first := send("/api/number/1", "k1")
	if first.Code != 200 {
		t.Fatalf("the dry run kept something: %d %s", first.Code, first.Body)
	}
	again := send("/api/number/1", "k1")
	if again.Code != 200 || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: %d %s %v", again.Code, again.Body, again.Header())
	}
	if w := send("/api/number/2", "k1"); w.Code != 409 {
		t.Errorf("the key for another request: %d %s", w.Code, w.Body)
	}
	if w := send("/api/number/1", "k2"); w.Code != 409 || !strings.Contains(w.Body.String(), "number") {
		t.Errorf("the number for another owner: %d %s", w.Code, w.Body)
	}
	for _, key := range []string{"", "k3"} {
		if w := send("/api/number/boom", key); w.Code != 500 {
			t.Errorf("a panic in the transaction: %d %s", w.Code, w.Body)
		}
	}
	if w := send("/api/number/2", "k3"); w.Code != 200 {
		t.Errorf("another number: %d %s", w.Code, w.Body)
	}
}
