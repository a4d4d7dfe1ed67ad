package tmf_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/tmf"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
)

// What follows drives every resource that can be created from its official schema alone, as a conformance kit does
// that knows nothing of demarc: references lead nowhere, enumerations have their first value.

// attributes are all of a shape, by name.
func attributes(s *tmf630.Shape) map[string]*tmf630.Attribute {
	all := map[string]*tmf630.Attribute{}
	for _, b := range s.Bases {
		maps.Copy(all, attributes(b))
	}
	for _, a := range s.Attributes {
		all[a.Name] = a
	}
	return all
}

// meant are texts that the standard's words give a form, beyond its schema.
var meant = map[string]string{"priority": "1"}

// plausible is a value of a type; below depth, only scalars and what is required.
func plausible(t tmf630.Type, name string, depth int) any {
	v := one(t, name, depth)
	if text, ok := meant[name]; ok && t.Base == "string" {
		v = text
	}
	if t.Array {
		items := []any{v}
		for len(items) < t.Least {
			items = append(items, v)
		}
		return items
	}
	return v
}

func one(t tmf630.Type, name string, depth int) any {
	switch {
	case len(t.Values) > 0:
		return t.Values[0]
	case t.Shape != nil && len(t.Shape.Values) > 0:
		return t.Shape.Values[0]
	case t.Shape != nil && t.Shape.Open:
		return "any " + name
	case t.Shape != nil:
		return object(t.Shape, depth, func(*tmf630.Attribute) bool { return true })
	}
	switch t.Base {
	case "uri":
		return "https://example.com/" + strings.TrimPrefix(name, "@")
	case "date-time":
		if strings.HasPrefix(name, "end") {
			return "2097-01-31T09:30:00Z"
		}
		return "2026-01-31T09:30:00Z"
	case "date":
		return "2026-01-31"
	case "base64":
		return "ZGVtYXJj"
	case "boolean":
		return true
	case "integer":
		return 3.0
	case "number":
		return 12.5
	case "object":
		return map[string]any{"some": "thing"}
	}
	switch name {
	case "id":
		return "42"
	case "unit", "units":
		return "EUR"
	case "lifecycleStatus":
		return "Active"
	}
	return "a " + strings.TrimPrefix(name, "@")
}

func object(s *tmf630.Shape, depth int, wanted func(*tmf630.Attribute) bool) map[string]any {
	v := map[string]any{}
	for name, a := range attributes(s) {
		if !wanted(a) {
			continue
		}
		deep := a.Type.Shape != nil && len(a.Type.Shape.Values) == 0 && !a.Type.Shape.Open
		if deep && depth == 0 && !a.Required {
			continue
		}
		if v[name] = plausible(a.Type, name, max(depth-1, 0)); name == "id" {
			v[name] = fmt.Sprint(42 + depth) // items within items have ids of their own
		}
	}
	return v
}

// owned are the attributes that demarc sets whatever a client says, beside those that the schema marks so.
var owned = map[string][]string{
	"Usage": {"status"}, "ProductOrder": {"state", "orderTotalPrice", "cancellationReason", "cancellationDate"},
	"ShoppingCart": {"cartTotalPrice", "validFor"}, "Category": {"isRoot"}, // it has a parent
	"Refund":               {"refundDate"},
	"Bucket":               {"remainingValue", "reservedValue"},
	"TopupBalance":         {"voucher"}, // a code that is as good as money is kept nowhere
	"CommunicationMessage": {"state", "sendTime", "sendTimeComplete"},
	"ImportJob":            {"creationDate", "completionDate", "errorLog"}, "ExportJob": {"creationDate", "completionDate", "errorLog"},
}

// priced are attributes of items that demarc works out: what is for sale has its price in the catalogue.
const priced = "itemPrice"

// kept fails where an answer lacks what was sent.
func kept(t *testing.T, path string, sent, got any) {
	t.Helper()
	switch want := sent.(type) {
	case map[string]any:
		has, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s is %v, was sent as %v", path, got, sent)
			return
		}
		for name, v := range want {
			if name != priced {
				kept(t, path+"."+name, v, has[name])
			}
		}
	case []any:
		has, ok := got.([]any)
		if !ok || len(has) < len(want) {
			t.Errorf("%s is %v, was sent as %v", path, got, sent)
			return
		}
		for n, v := range want {
			kept(t, fmt.Sprintf("%s[%d]", path, n), v, has[n])
		}
	default:
		if !reflect.DeepEqual(sent, got) {
			t.Errorf("%s is %v, was sent as %v", path, got, sent)
		}
	}
}

type answered struct {
	status int
	header http.Header
	body   any
}

func (a answered) object() map[string]any { v, _ := a.body.(map[string]any); return v }
func (a answered) list() []any            { v, _ := a.body.([]any); return v }

func (s *server) ask(method, path, media string, body any) answered {
	s.t.Helper()
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		text = string(b)
	}
	r := httptest.NewRequest(method, "http://demarc.test"+path, strings.NewReader(text))
	r.Header.Set("Content-Type", media)
	r.Header.Set("Accept", "application/json;charset=utf-8")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	a := answered{status: w.Code, header: w.Header()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			s.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return a
}

const plainJSON = "application/json; charset=utf-8"

func TestEveryResourceTakesWhatItsSchemaAllows(t *testing.T) {
	apis := []string{"TMF620", "TMF622", "TMF635", "TMF637", "TMF654", "TMF663", "TMF681", "TMF670", "TMF676"}
	s := newServer(t)
	for _, r := range tmf.Resources(s.deps) {
		if !slices.Contains(apis, r.Shape.API) || strings.HasSuffix(r.Path, "/hub") || r.Verbs != 0 && r.Verbs&tmf630.Create == 0 {
			continue
		}
		t.Run(r.Shape.API+"/"+r.Shape.Name, func(t *testing.T) { (&walk{t: t, s: &server{t: t, handler: s.handler}, r: r}).run() })
	}
}

// walk is the life of one resource.
type walk struct {
	t *testing.T
	s *server
	r tmf630.Resource
}

func (w *walk) can(v tmf630.Verbs) bool { return w.r.Verbs == 0 || w.r.Verbs&v != 0 }

func (w *walk) run() {
	least := object(w.r.Shape, 2, func(a *tmf630.Attribute) bool { return a.Create })
	if got := w.s.ask("POST", w.r.Path, plainJSON, least); got.status != 201 {
		w.t.Errorf("%v: %d %v", least, got.status, got.body)
	}
	for name := range least {
		lacking := maps.Clone(least)
		delete(lacking, name)
		if got := w.s.ask("POST", w.r.Path, plainJSON, lacking); got.status != 400 || !strings.Contains(fmt.Sprint(got.body), name) {
			w.t.Errorf("without %s: %d %v", name, got.status, got.body)
		}
	}
	full := object(w.r.Shape, 2, func(a *tmf630.Attribute) bool { return true })
	made := w.s.ask("POST", w.r.Path, plainJSON, full)
	if made.status != 201 {
		w.t.Fatalf("%v: %d %v", full, made.status, made.body)
	}
	w.read(full, made)
	w.change(made.object()["id"].(string))
	if got := w.s.ask("GET", w.r.Path+"/c2df1950-c17c-4576-9c22-e59073a4a86a", plainJSON, nil); got.status != 404 {
		w.t.Errorf("a random id: %d", got.status)
	}
}

// read looks at what was made in every way.
func (w *walk) read(sent map[string]any, made answered) {
	v := made.object()
	id, href := v["id"].(string), v["href"].(string)
	if made.header.Get("Location") != href || href != "http://demarc.test"+w.r.Path+"/"+id {
		w.t.Errorf("Location %s of %s", made.header.Get("Location"), href)
	}
	for name, a := range attributes(w.r.Shape) {
		if !a.ReadOnly && name != "id" && name != "href" && name != "lastUpdate" && !slices.Contains(owned[w.r.Shape.Name], name) {
			kept(w.t, name, sent[name], v[name])
		}
	}
	if missing := w.r.Shape.Missing(v); len(missing) > 0 {
		w.t.Errorf("the answer lacks %v", missing)
	}
	if one := w.s.ask("GET", w.r.Path+"/"+id, plainJSON, nil); one.status != 200 || !reflect.DeepEqual(one.body, made.body) {
		w.t.Errorf("%d %v, was made as %v", one.status, one.body, made.body)
	}
	all := w.s.ask("GET", w.r.Path, plainJSON, nil)
	if all.status != 200 || all.header.Get("X-Total-Count") != fmt.Sprint(len(all.list())) || !contains(all.list(), id) {
		w.t.Errorf("list: %d, %s in all: %v", all.status, all.header.Get("X-Total-Count"), all.body)
	}
	for name, value := range v {
		got := w.s.ask("GET", w.r.Path+"/"+id+"?fields="+url.QueryEscape(name), plainJSON, nil)
		if got.status != 200 || !reflect.DeepEqual(got.object()[name], value) || len(got.object()) > 4 {
			w.t.Errorf("fields=%s: %d %v", name, got.status, got.body)
		}
		switch value.(type) {
		case map[string]any, []any:
			continue
		}
		got = w.s.ask("GET", w.r.Path+"?"+url.QueryEscape(name)+"="+url.QueryEscape(fmt.Sprint(value)), plainJSON, nil)
		if got.status != 200 || !contains(got.list(), id) {
			w.t.Errorf("%s=%v: %d %v", name, value, got.status, got.body)
		}
	}
}

func contains(list []any, id string) bool {
	return slices.ContainsFunc(list, func(v any) bool { m, _ := v.(map[string]any); return m["id"] == id })
}

// change patches a plain attribute under either media type, and deletes.
func (w *walk) change(id string) {
	one, name := w.r.Path+"/"+id, ""
	for _, plain := range []string{"description", "name", "reason", "cancellationReason", "@baseType"} {
		if a := w.r.Shape.Attribute(plain); a != nil && !a.Fixed {
			name = plain
			break
		}
	}
	for _, media := range []string{"application/json", "application/merge-patch+json", plainJSON} {
		if !w.can(tmf630.Patch) {
			break
		}
		got := w.s.ask("PATCH", one, media, map[string]any{name: "changed by " + media})
		if got.status != 200 || got.object()[name] != "changed by "+media {
			w.t.Errorf("PATCH %s: %d %v", name, got.status, got.body)
		}
		if again := w.s.ask("GET", one, plainJSON, nil); !reflect.DeepEqual(again.body, got.body) {
			w.t.Errorf("after PATCH: %v, want %v", again.body, got.body)
		}
	}
	if !w.can(tmf630.Delete) {
		return
	}
	if got := w.s.ask("DELETE", one, plainJSON, nil); got.status != 204 {
		w.t.Errorf("DELETE: %d %v", got.status, got.body)
	}
	if got := w.s.ask("GET", one, plainJSON, nil); got.status != 404 {
		w.t.Errorf("deleted: %d", got.status)
	}
}
