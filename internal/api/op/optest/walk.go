// Package optest holds checks that every operation of a table must pass, whoever declared it.
package optest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// House is a table that is being served, and credentials for it.
type House struct {
	Table   *op.Table
	Handler http.Handler
	// Powerless is the Authorization header of a caller that is known and has no role; Powerful of one that
	// has every role at one service provider.
	Powerless, Powerful string
	// Foreign gives the value of a path parameter that names a thing of another service provider than
	// Powerful's. ok is false for parameters that name no such thing.
	Foreign func(o *op.Operation, param string) (value string, ok bool)
}

// Walk calls every operation that is not public: without a credential it must answer 401, without the role
// 403, whatever the input, and for a thing of another service provider 404; each in the façade's own shape.
func Walk(t *testing.T, h House) {
	t.Helper()
	for _, o := range h.Table.Operations() {
		if o.Public {
			continue
		}
		t.Run(o.ID, func(t *testing.T) {
			for _, path := range append([]string{o.Path}, o.Aliases...) {
				h.refused(t, o, path, "", fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, ""))
				h.refused(t, o, path, h.Powerless, fault.New(fault.Forbidden, fault.CodeForbidden, ""))
			}
			h.foreign(t, o)
			h.cardless(t, o)
		})
	}
}

// refused sends input that is wrong in every way: who may not come in is told nothing of it.
func (h House) refused(t *testing.T, o *op.Operation, path, authorization string, f *fault.Error) {
	t.Helper()
	r := httptest.NewRequest(method(o), fill(path, func(string) string { return "x" })+"?dryRun=perhaps", strings.NewReader("{"))
	r.Header.Set("Content-Type", "text/plain")
	r.Header.Set("Accept", "image/png")
	w := h.send(r, authorization)
	if want := op.StatusOf(f); w.Code != want {
		t.Errorf("%s %s as %q: status %d instead of %d: %s", o.Method, path, authorization, w.Code, want, w.Body)
		return
	}
	if f.Kind == fault.Unauthenticated && w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("%s %s: 401 without WWW-Authenticate", o.Method, path)
	}
	h.inShape(t, o, w, f)
}

func (h House) send(r *http.Request, authorization string) *httptest.ResponseRecorder {
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	return w
}

// cardless sends the full number of a card where any text may stand.
func (h House) cardless(t *testing.T, o *op.Operation) {
	t.Helper()
	if o.Request == nil || o.Raw != nil {
		return
	}
	kinds := o.Request.ContentTypes
	if len(kinds) == 0 {
		kinds = []string{"application/json"}
	}
	for _, kind := range kinds {
		if kind != "application/json" && !strings.HasSuffix(kind, "+json") {
			continue
		}
		r := httptest.NewRequest(method(o), fill(o.Path, func(string) string { return "x" }), strings.NewReader(`{"note":{"text":"her card is 4111 1111 1111 1111"}}`))
		r.Header.Set("Content-Type", kind)
		w := h.send(r, h.Powerful)
		body := w.Body.String()
		told := strings.Contains(body, "full number of a payment card") || strings.Contains(body, string(op.CodeCardNumber)) // some façades have no place for words
		if w.Code != http.StatusBadRequest || !told || strings.Contains(body, "1111 1111") {
			t.Errorf("%s %s takes a card's number: %d %s", o.Method, o.Path, w.Code, body)
		}
	}
}

// foreign asks for things of another service provider.
func (h House) foreign(t *testing.T, o *op.Operation) {
	t.Helper()
	if h.Foreign == nil {
		return
	}
	found := false
	path := fill(o.Path, func(name string) string {
		value, ok := h.Foreign(o, name)
		found = found || ok
		if !ok {
			return "x"
		}
		return value
	})
	if !found {
		return
	}
	r := httptest.NewRequest(method(o), path+query(o), nil)
	if o.Request != nil {
		if o.Request.Example == nil && !o.Request.Optional {
			t.Errorf("%s needs an example of its request, to be tried", o.ID)
			return
		}
		body, err := json.Marshal(o.Request.Example)
		if err != nil {
			t.Fatal(err)
		}
		r = httptest.NewRequest(method(o), path+query(o), bytes.NewReader(body))
		r.Header.Set("Content-Type", o.Request.ContentTypes[0])
	}
	w := h.send(r, h.Powerful)
	if w.Code != http.StatusNotFound {
		t.Errorf("%s %s shows a thing of another service provider: status %d: %s", o.Method, path, w.Code, w.Body)
		return
	}
	h.inShape(t, o, w, fault.NotFoundf(""))
}

// inShape checks that a refusal has the content type and the attributes that the façade gives such a fault.
func (h House) inShape(t *testing.T, o *op.Operation, w *httptest.ResponseRecorder, f *fault.Error) {
	t.Helper()
	show := o.Facade.Problem
	if show == nil {
		show = op.ProblemJSON
	}
	f.Message = "a message"
	want := show(f, "request")
	if got := w.Header().Get("Content-Type"); got != want.ContentType {
		t.Errorf("%s: a refusal has Content-Type %q, not %q", o.ID, got, want.ContentType)
	}
	wanted, err := names(want.Body)
	if err != nil {
		return // the façade's refusals are no JSON objects
	}
	got, err := names(w.Body.Bytes())
	if err != nil || !slices.Equal(got, wanted) {
		t.Errorf("%s: a refusal has the attributes %v, not %v", o.ID, got, wanted)
	}
}

func names(body []byte) ([]string, error) {
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(m))
	for name := range m {
		if name != "attribute" { // only some faults have one
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

func method(o *op.Operation) string {
	if o.Method == "" {
		return http.MethodGet
	}
	return o.Method
}

// query gives the parameters that the operation cannot do without.
func query(o *op.Operation) string {
	q := ""
	for _, p := range o.Params {
		if p.In == "query" && p.Required {
			q += fmt.Sprintf("&%s=%v", p.Name, sample(p))
		}
	}
	return strings.Replace(q, "&", "?", 1)
}

func sample(p op.Param) any {
	switch {
	case p.Example != nil:
		return p.Example
	case p.Schema != nil && len(p.Schema.Examples) > 0:
		return p.Schema.Examples[0]
	case p.Schema != nil && len(p.Schema.Enum) > 0:
		return p.Schema.Enum[0]
	}
	return "1"
}

// fill puts values into the wildcards of a path.
func fill(pattern string, value func(name string) string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(pattern, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		if name = strings.TrimSuffix(name, "..."); name != "$" {
			b.WriteString(value(name))
		}
		pattern = after
	}
}
