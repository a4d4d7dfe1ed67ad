package op_test

import (
	"encoding/binary"
	"errors"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func TestBodiesThatAreRefused(t *testing.T) {
	h := serve(t, create(desk()))
	for _, c := range []struct {
		name, body, contentType string
		status                  int
		code                    fault.Code
		says                    string
	}{
		{"no body", "", "application/json", 400, fault.CodeMalformed, "a body is required"},
		{"cut short", `{"name":"An`, "application/json", 400, fault.CodeMalformed, "ends in the middle"},
		{"a name twice", `{"name":"a","contactMedium":[{"value":"1","value":"2"}]}`, "application/json", 400, fault.CodeMalformed, "twice (at byte 42)"},
		{"more than one value", `{"name":"a"} {"name":"b"}`, "application/json", 400, fault.CodeMalformed, "goes on after the end"},
		{"not UTF-8", "{\"name\":\"\xff\"}", "application/json", 400, fault.CodeMalformed, "not valid UTF-8"},
		{"half a surrogate pair", `{"name":"\ud800"}`, "application/json", 400, fault.CodeMalformed, "body"},
		{"the character NUL", `{"name":"a\u0000"}`, "application/json", 400, fault.CodeMalformed, "U+0000"},
		{"65 levels", strings.Repeat("[", 65) + strings.Repeat("]", 65), "application/json", 400, fault.CodeMalformed, "64 levels (at byte 64)"},
		{"10,000 levels", strings.Repeat(`{"a":`, 10000), "application/json", 400, fault.CodeMalformed, "64 levels"},
		{"a number out of range", `{"name":1e999}`, "application/json", 400, fault.CodeInvalid, "fit"},
		{"no object", `["name"]`, "application/json", 400, fault.CodeInvalid, "must be an object"},
		{"null", `null`, "application/json", 400, fault.CodeInvalid, "must be an object"},
		{"another case", `{"NAME":"a"}`, "application/json", 400, fault.CodeInvalid, "is required"},
		{"10 MB", `{"name":"` + strings.Repeat("a", 10<<20) + `"}`, "application/json", 413, op.CodeTooLarge, "larger than 1048576"},
		{"a form", `name=a`, "application/x-www-form-urlencoded", 415, op.CodeMediaType, "application/json"},
		{"another character set", `{"name":"a"}`, "application/json; charset=iso-8859-1", 415, op.CodeMediaType, "UTF-8"},
		{"no media type", `{"name":"a"}`, "a/b/c;;", 415, op.CodeMediaType, "not well-formed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := h.refused(h.send("POST", "/api/customer", c.body, "Content-Type: "+c.contentType), c.status)
			said := p.Detail
			for _, d := range p.Errors {
				said += "; " + d.Message
			}
			if p.Code != string(c.code) || !strings.Contains(said, c.says) {
				t.Errorf("%s at %q: %s", p.Code, p.Attribute, said)
			}
		})
	}
	if h.ledger.writes != 0 {
		t.Error("something was written")
	}
}

func TestCompressedBodiesAreRefusedAsSuch(t *testing.T) {
	h := serve(t, create(desk()))
	w := h.send("POST", "/api/customer", "\x1f\x8b\x08\x00", "Content-Type: application/json", "Content-Encoding: gzip")
	if p := h.refused(w, 415); !strings.Contains(p.Detail, "Content-Encoding gzip") || w.Header().Get("Accept-Encoding") != "identity" {
		t.Errorf("%s, Accept-Encoding %q", p.Detail, w.Header().Get("Accept-Encoding"))
	}
	if w := h.send("POST", "/api/customer", `{"name":"a"}`, "Content-Type: application/json", "Content-Encoding: identity"); w.Code != 201 {
		t.Errorf("as it is: %d %s", w.Code, w.Body)
	}
}

func TestBodyWithoutKnownLengthIsLimitedToo(t *testing.T) {
	h := serve(t, create(desk()))
	r := httptest.NewRequest("POST", "/api/customer", strings.NewReader(`{"name":"`+strings.Repeat("a", 2<<20)+`"}`))
	r.ContentLength = -1
	r.Header.Set("Authorization", "Bearer good")
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	h.refused(w, 413)
}

func TestBodiesThatAreForgiven(t *testing.T) {
	h := serve(t, create(desk()))
	for _, contentType := range []string{"", "application/json", "Application/JSON; charset=UTF-8", "application/json;charset=utf-8"} {
		h.answered(h.send("POST", "/api/customer", `{"name":"a"}`, "Content-Type: "+contentType), 201, `{"name":"a"}`)
	}
	for _, accept := range []string{"", "*/*", "application/*", "text/html, application/xhtml+xml, */*;q=0.8", "application/hal+json", "application/json;charset=utf-8"} {
		h.answered(h.send("POST", "/api/customer", `{"name":"a"}`, "Accept: "+accept), 201, `{"name":"a"}`)
	}
	for _, accept := range []string{"image/png", "text/html", "*/*;q=0"} {
		if p := h.refused(h.send("POST", "/api/customer", `{"name":"a"}`, "Accept: "+accept), 406); p.Code != string(op.CodeNotAcceptable) {
			t.Errorf("%s: %s", accept, p.Code)
		}
	}
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	if _, err := op.ReadJSON([]byte(deep)); err != nil {
		t.Errorf("64 levels are refused: %v", err)
	}
	if _, err := op.ReadJSON([]byte(`{"a":"\\u0000 and [[[[ in text"}`)); err != nil {
		t.Errorf("text that looks like an escape is refused: %v", err)
	}
}

func TestParametersThatAreRefused(t *testing.T) {
	f := desk()
	strict := read(f)
	strict.StrictQuery = true
	h := serve(t, strict)
	for target, want := range map[string]string{
		"/api/customer/1?limit=many":                 "limit must be a whole number",
		"/api/customer/1?limit=0":                    "limit must be 1 or more",
		"/api/customer/1?limit=101":                  "limit must be 100 or less",
		"/api/customer/1?limit=1&limit=2":            "limit is given more than once",
		"/api/customer/1?limit=99999999999999999999": "limit must be a whole number",
		"/api/customer/1?colour=red":                 "colour is not a parameter of this operation",
		"/api/customer/1?tag=%zz":                    " the query string is not well-formed: a percent sign must be followed by two hexadecimal digits",
		"/api/customer/1?tag=%ff":                    "tag the query string is not UTF-8 text",
		"/api/customer/a%00b":                        "id is not UTF-8 text",
		"/api/customer/%ff":                          "id is not UTF-8 text",
	} {
		if p := h.refused(h.send("GET", target, ""), 400); p.Attribute+" "+p.Detail != want {
			t.Errorf("%s: %q %s", target, p.Attribute, p.Detail)
		}
	}
	h.answered(h.send("GET", "/api/customer/1?tag=a;b", ""), 200, `{"id":"1","limit":20,"tags":["a;b"]}`)
	h.answered(h.send("GET", "/api/customer/a%2Fb", ""), 200, `{"id":"a/b","limit":20}`)
}

// FuzzReadJSON: whatever comes, the reader answers a tree that can be written and read again, or a fault of
// the client's.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"x",null,true]}`, `{"a":1,"a":2}`, "\xff", `"\u0000"`, `[[[[`, `1e999`, `{"a":"\ud800"}`, ` 1 2`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tree, err := op.ReadJSON(body)
		if err != nil {
			var fe *fault.Error
			if !errors.As(err, &fe) || fe.Kind != fault.Invalid || !utf8.ValidString(fe.Message+fe.Attribute) {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		again, err := json.Marshal(tree)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if _, err := op.ReadJSON(again); err != nil {
			t.Fatalf("%q, written again as %q: %v", body, again, err)
		}
	})
}

// FuzzCheck: whatever is checked, the checker does not panic.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"name":"a","contactMedium":[{"mediumType":"email"}]}`), uint64(0))
	f.Add([]byte(`{"list":[{},{},[1],"a"],"one":{"kind":"b"},"n":5}`), math.Float64bits(2))
	checker := everySchema(f)
	f.Fuzz(func(t *testing.T, body []byte, n uint64) {
		tree, err := op.ReadJSON(body)
		if err != nil {
			tree = map[string]any{"n": math.Float64frombits(binary.LittleEndian.Uint64(binary.LittleEndian.AppendUint64(nil, n)))}
		}
		for _, d := range checker.Check(tree) {
			if d.Message == "" {
				t.Fatal("a fault without words")
			}
		}
	})
}
