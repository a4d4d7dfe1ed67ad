package optest

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
)

// Declared is h, and fails the test when an operation of the table is answered with a status that its
// document does not have.
func Declared(t testing.TB, table *op.Table, h http.Handler) http.Handler {
	t.Helper()
	text, err := table.OpenAPI("", op.DocumentOptions{Title: "all", Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	known := map[string]map[string]any{}
	for _, o := range table.Operations() {
		described := object(object(object(doc["paths"])[o.Path])[strings.ToLower(o.Method)])
		for _, p := range append([]string{o.Path}, o.Aliases...) {
			known[o.Method+" "+p] = object(described["responses"])
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		pattern := table.Pattern(r)
		if responses, ok := known[pattern]; ok && responses[strconv.Itoa(answer.Code)] == nil {
			t.Errorf("%s answers with %d, which its document does not have", pattern, answer.Code)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}
