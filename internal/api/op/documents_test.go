package op_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// shop is a second façade, which has a customer of its own.
func shop() []op.Operation {
	f := &op.Facade{
		Name: "shop", Title: "Shop", Version: "2", Prefixes: []string{"/shop/"},
		Problem: func(f *fault.Error, id string) op.Problem {
			return op.Problem{Status: op.StatusOf(f), ContentType: "application/json", Body: []byte(`{"error":"` + string(f.Code) + `"}`)}
		},
		Components: map[string]*huma.Schema{
			"Customer": {Type: "object", Properties: map[string]*huma.Schema{"friend": {Ref: "#/components/schemas/Customer"}, "name": {Type: "string"}}},
		},
	}
	return []op.Operation{{
		ID: "shop.customer", Facade: f, Method: "PUT", Path: "/shop/customer/{id}", Summary: "Replace", Tag: "customer", Status: 200, Writes: true,
		Permission: []auth.Permission{{Entity: "customer", Verb: auth.Patch}},
		Params:     []op.Param{{Name: "id", In: "path", Schema: &huma.Schema{Type: "string"}}},
		Request:    &op.Body{SchemaName: "Customer", Example: map[string]any{"name": "Ben", "friend": map[string]any{"name": "Anna"}}},
		Response:   &op.Body{SchemaName: "Customer"},
		Prepare: func(r *op.Request) (op.Call, error) {
			return nil, fault.NotFoundf("there is no customer %s", r.Path["id"])
		},
	}}
}

func everything() []op.Operation {
	f := desk()
	ops := append([]op.Operation{create(f), read(f)}, shop()...)
	return append(ops, op.System(op.SystemOptions{Title: "demarc", Version: "1.0", Description: "All of it.\n\n- one `list`\n- <b>safe</b>"})...)
}

func TestDocumentsFollowOpenAPI(t *testing.T) {
	table, err := op.NewTable(everything()...)
	if err != nil {
		t.Fatal(err)
	}
	optest.Documents(t, table)
}

func TestDocumentsAreTheSameEveryTime(t *testing.T) {
	make := func(name string) []byte {
		table, err := op.NewTable(everything()...)
		if err != nil {
			t.Fatal(err)
		}
		text, err := table.OpenAPI(name, op.DocumentOptions{Title: "demarc", Version: "1"})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, name := range []string{"", "desk", "shop", "system"} {
		if !bytes.Equal(make(name), make(name)) {
			t.Errorf("two documents of %q differ", name)
		}
	}
}

func TestWholeDocumentKeepsTheFacadesSchemasApart(t *testing.T) {
	h := serve(t, everything()...)
	w := h.send("GET", "/openapi.json", "")
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]map[string]any `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if ref := doc.Components.Schemas["ShopCustomer"].Properties["friend"]["$ref"]; ref != "#/components/schemas/ShopCustomer" {
		t.Errorf("the shop's customer refers to %v", ref)
	}
	if doc.Components.Schemas["DeskCustomer"].Properties["contactMedium"] == nil {
		t.Errorf("the desk's customer is not there: %v", doc.Components.Schemas)
	}
	if again := h.send("GET", "/openapi.json", "", "If-None-Match: "+w.Header().Get("ETag")); again.Code != 304 {
		t.Errorf("status %d for a document the client has", again.Code)
	}
	if zipped := h.send("GET", "/openapi.json", "", "Accept-Encoding: gzip"); zipped.Header().Get("Content-Encoding") != "gzip" || zipped.Body.Len() >= w.Body.Len()/2 ||
		zipped.Header().Get("ETag") == w.Header().Get("ETag") {
		t.Errorf("%d bytes zipped, %d as they are, %v", zipped.Body.Len(), w.Body.Len(), zipped.Header())
	}
	h.refused(h.send("GET", "/openapi/nothing.json", ""), 404)
}

func TestEveryOperationIsDocumented(t *testing.T) {
	h := serve(t, everything()...)
	for _, f := range h.table.Facades() {
		w := h.send("GET", "/docs/"+f.Name, "")
		page := w.Body.String()
		for _, o := range h.table.Operations() {
			if o.Facade == f && !strings.Contains(page, `id="`+o.ID+`"`) {
				t.Errorf("/docs/%s does not show %s", f.Name, o.ID)
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("policy %q", csp)
		}
		for _, tag := range []string{"style", "script"} {
			_, rest, _ := strings.Cut(page, "<"+tag+">")
			text, _, _ := strings.Cut(rest, "</"+tag+">")
			sum := sha256.Sum256([]byte(text))
			if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(w.Header().Get("Content-Security-Policy"), tag+"-src 'sha256-"+hash+"'") {
				t.Errorf("the policy does not let the page's own %s run", tag)
			}
		}
		if strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "//cdn") {
			t.Error("the page holds something that it must not")
		}
	}
	overview := h.send("GET", "/docs/", "").Body.String()
	if !strings.Contains(overview, "/docs/shop#shop.customer") || !strings.Contains(overview, "&lt;b&gt;safe") || !strings.Contains(overview, "<code>list</code>") {
		t.Error("the overview lacks a link to an operation, or shows its description wrongly")
	}
	h.refused(h.send("GET", "/docs/nothing", ""), 404)
}

func TestWalk(t *testing.T) {
	h := serve(t, everything()...)
	optest.Walk(t, optest.House{
		Table: h.table, Handler: h.handler, Powerless: "Bearer weak", Powerful: "Bearer good",
		Foreign: func(o *op.Operation, param string) (string, bool) { return "none", param == "id" },
	})
}
