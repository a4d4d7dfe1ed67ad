package op_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
)

// sink is a connection that forgets what is written.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

var document = []byte(`{"id":"7","name":"Anna"}`)

func benchmark(b *testing.B, h http.Handler, method, target, body string) {
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	w := &sink{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		if body != "" {
			r.Body = io.NopCloser(strings.NewReader(body))
			r.ContentLength = int64(len(body))
		}
		h.ServeHTTP(w, r)
	}
}

func benchTable(b *testing.B, ops ...op.Operation) http.Handler {
	t, err := op.NewTable(ops...)
	if err != nil {
		b.Fatal(err)
	}
	log := op.NewAccessLog(io.Discard)
	h, err := t.Handler(op.Options{Gate: gate{}, Store: &ledger{}, AccessLog: log.Log, BaseURL: func() string { return "" }})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

func declared() op.Operation {
	return op.Operation{ID: "thing.read", Facade: desk(), Method: "GET", Path: "/api/thing/{id}", Summary: "Read",
		Permission: []auth.Permission{{Entity: "customer", Verb: auth.Get}}, Status: 200,
		Params:   []op.Param{{Name: "id", In: "path", Schema: &huma.Schema{Type: "string"}}},
		Response: &op.Body{Schema: &huma.Schema{Type: "object"}}}
}

// BenchmarkBare is what the others are compared with: the same answer from net/http alone.
func BenchmarkBare(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/thing/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		_, _ = w.Write(document)
	})
	benchmark(b, mux, "GET", "/api/thing/7", "")
}

func BenchmarkRawGet(b *testing.B) {
	o := declared()
	o.Raw = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		_, _ = w.Write(document)
	})
	benchmark(b, benchTable(b, o), "GET", "/api/thing/7", "")
}

func BenchmarkPreparedGet(b *testing.B) {
	o := declared()
	o.Prepare = func(r *op.Request) (op.Call, error) {
		return func(context.Context) (*op.Response, error) { return &op.Response{Body: document}, nil }, nil
	}
	benchmark(b, benchTable(b, o), "GET", "/api/thing/7", "")
}

func BenchmarkTypedGet(b *testing.B) {
	benchmark(b, benchTable(b, read(desk())), "GET", "/api/customer/7?limit=5", "")
}

func BenchmarkTypedPost(b *testing.B) {
	benchmark(b, benchTable(b, create(desk())), "POST", "/api/customer", `{"name":"Anna","contactMedium":[{"mediumType":"email","value":"anna@example.com"}]}`)
}
