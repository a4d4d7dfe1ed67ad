package op_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

func TestDeclarationsThatAreRefused(t *testing.T) {
	good := func() op.Operation {
		return op.Operation{ID: "thing.read", Facade: desk(), Method: "GET", Path: "/thing/{id}", Summary: "Read", Public: true, Status: 200,
			Params:  []op.Param{{Name: "id", In: "path", Schema: &huma.Schema{Type: "string"}}},
			Prepare: func(*op.Request) (op.Call, error) { return nil, nil }}
	}
	if _, err := op.NewTable(good()); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(o *op.Operation){
		"no permission and is not public": func(o *op.Operation) { o.Public = false },
		"has a permission and is public":  func(o *op.Operation) { o.Permission = []auth.Permission{{Entity: "customer", Verb: auth.Get}} },
		"no role can grant the permission": func(o *op.Operation) {
			o.Public, o.Permission = false, []auth.Permission{{Entity: "unicorn", Verb: auth.Get}}
		},
		"exactly one of Prepare and Raw":    func(o *op.Operation) { o.Prepare = nil },
		"one of Prepare and Raw":            func(o *op.Operation) { o.Raw = http.NotFoundHandler() },
		"path parameter id is not declared": func(o *op.Operation) { o.Params = nil },
		"parameter x is not in the path": func(o *op.Operation) {
			o.Params = append(o.Params, op.Param{Name: "x", In: "path", Schema: &huma.Schema{}})
		},
		"parameter id is declared twice": func(o *op.Operation) { o.Params = append(o.Params, o.Params[0]) },
		"parameter id has no schema":     func(o *op.Operation) { o.Params = []op.Param{{Name: "id", In: "path"}} },
		"example of parameter id": func(o *op.Operation) {
			o.Params = []op.Param{{Name: "id", In: "path", Schema: &huma.Schema{Type: "string"}, Example: 7}}
		},
		"no status of success":        func(o *op.Operation) { o.Status = 0 },
		"404 is no status of success": func(o *op.Operation) { o.Status = 404 },
		"status 204 has no body":      func(o *op.Operation) { o.Status, o.Response = 204, &op.Body{Schema: &huma.Schema{}} },
		"GET takes no body":           func(o *op.Operation) { o.Request = &op.Body{Schema: &huma.Schema{}} },
		"GET must not write":          func(o *op.Operation) { o.Writes = true },
		"writes reveals a secret":     func(o *op.Operation) { o.Reveals = true },
		"ends in a slash":             func(o *op.Operation) { o.Path += "/" },
		"does not begin with a slash": func(o *op.Operation) { o.Path = "thing/{id}" },
		"has other wildcards":         func(o *op.Operation) { o.Aliases = []string{"/other/{name}"} },
		"the id must be camelCase":    func(o *op.Operation) { o.ID = "Thing Read" },
		"it has no summary":           func(o *op.Operation) { o.Summary = "" },
		"belongs to no façade":        func(o *op.Operation) { o.Facade = nil },
		"the method is not one of":    func(o *op.Operation) { o.Method = "FETCH" },
		"example of the response: name must be text": func(o *op.Operation) {
			o.Response = &op.Body{Example: map[string]any{"name": 1}, Schema: &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{"name": {Type: "string"}}}}
		},
		"there is no schema named Thing": func(o *op.Operation) { o.Response = &op.Body{SchemaName: "Thing"} },
		"#/components/schemas/Thing does not resolve": func(o *op.Operation) {
			o.Response = &op.Body{Schema: &huma.Schema{Ref: "#/components/schemas/Thing"}}
		},
	} {
		o := good()
		spoil(&o)
		if _, err := op.NewTable(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	twice := good()
	if _, err := op.NewTable(good(), twice); err == nil || !strings.Contains(err.Error(), "declared twice") {
		t.Errorf("an id that is declared twice: %v", err)
	}
	clash := good()
	clash.ID, clash.Path, clash.Facade = "other.read", "/thing/{name}", &op.Facade{Name: "other"}
	clash.Params = []op.Param{{Name: "name", In: "path", Schema: &huma.Schema{Type: "string"}}}
	if _, err := op.NewTable(good(), clash); err == nil || !strings.Contains(err.Error(), "conflicts") {
		t.Errorf("a path that is declared twice: %v", err)
	}
}

func TestHandlerRefusesATableThatItCannotServe(t *testing.T) {
	table, err := op.NewTable(create(desk()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Handler(op.Options{Store: &ledger{}}); err == nil {
		t.Error("it is served without a gate")
	}
	if _, err := table.Handler(op.Options{Gate: gate{}}); err == nil {
		t.Error("it writes without a store")
	}
}

type kernelTypes struct {
	Price    money.Amount   `json:"price,omitzero" doc:"What it costs."`
	Number   msisdn.Number  `json:"number,omitzero"`
	ID       id.ID          `json:"id,omitzero"`
	When     *time.Time     `json:"when,omitzero"`
	Period   sid.Period     `json:"period,omitzero"`
	Any      jsontext.Value `json:"any,omitzero"`
	Currency money.Currency `json:"currency,omitzero"`
	Lines    []kernelTypes  `json:"lines,omitzero"`
}

type kernelIn struct {
	At      *time.Time `query:"at"`
	Flag    *bool      `query:"flag"`
	Request *op.Request
	Body    kernelTypes
}

type kernelOut struct {
	Status int
	ETag   string `header:"ETag"`
	Count  int    `header:"X-Total-Count"`
	Body   kernelTypes
}

func echo() op.Operation {
	return op.Handle(op.Operation{
		ID: "echo", Facade: desk(), Method: "POST", Path: "/api/echo", Summary: "Echo", Public: true,
	}, func(ctx context.Context, in *kernelIn) (*kernelOut, error) {
		if in.Flag != nil && *in.Flag && in.Request.Header.Get("X-Custom") != "" {
			return &kernelOut{Status: 202, ETag: op.ETag(3), Count: 4, Body: in.Body}, nil
		}
		return &kernelOut{Body: in.Body}, nil
	})
}

func TestKernelTypesOnTheWire(t *testing.T) {
	h := serve(t, echo())
	body := `{"price":{"unit":"EUR","value":12.50},"number":"27832000000","id":"cus_1","when":"2026-01-31T09:30:00Z","period":{"startDateTime":"2026-01-01T00:00:00Z","note":"kept"},"any":{"x":[1]},"currency":"EUR","lines":[{"price":{"unit":"EUR","value":1.00}}]}`
	h.answered(h.send("POST", "/api/echo", body), 200, body)
	w := h.send("POST", "/api/echo?flag=true&at=2026-01-31", `{}`, "X-Custom: 1")
	if w.Code != 202 || w.Header().Get("ETag") != `"v3"` || w.Header().Get("X-Total-Count") != "4" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for body, want := range map[string]string{
		`{"price":12}`:                       "price must be an object",
		`{"price":{"unit":"EUR"}}`:           "price.value is required",
		`{"price":{"unit":"ABC","value":1}}`: "price.unit ",
		`{"lines":[{},{"price":{"unit":"EUR","value":1.0000001}}]}`: "lines[1].price.value ",
		`{"when":"soon"}`:  "when must be a moment",
		`{"colour":"red"}`: "colour is not an attribute",
	} {
		if p := h.refused(h.send("POST", "/api/echo", body), 400); !strings.HasPrefix(p.Attribute+" "+p.Detail, want) {
			t.Errorf("%s: %q %q", body, p.Attribute, p.Detail)
		}
	}
	for query, want := range map[string]string{"at=soon": "at must be a moment", "flag=yes": "flag must be true or false"} {
		if p := h.refused(h.send("POST", "/api/echo?"+query, `{}`), 400); !strings.HasPrefix(p.Attribute+" "+p.Detail, want) {
			t.Errorf("%s: %q %q", query, p.Attribute, p.Detail)
		}
	}
}

func TestOptionalAttributesMayBeNullAndAreNotDocumentedSo(t *testing.T) {
	h := serve(t, echo())
	h.answered(h.send("POST", "/api/echo", `{"when":null,"lines":null}`), 200, `{}`)
	if doc := h.send("POST", "/api/echo", `{}`); doc.Code != 200 {
		t.Errorf("%d %s", doc.Code, doc.Body)
	}
	text, err := h.table.OpenAPI("desk", op.DocumentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"null"`) {
		t.Errorf("null is documented: %s", text)
	}
}

func TestTypesThatCannotBeDeclared(t *testing.T) {
	base := op.Operation{ID: "x", Facade: desk(), Method: "POST", Path: "/x", Summary: "X", Public: true}
	type none struct{}
	for want, o := range map[string]op.Operation{
		"neither a parameter nor the body": op.Handle(base, func(context.Context, *struct{ Name string }) (*none, error) { return nil, nil }),
		"neither a header nor the body":    op.Handle(base, func(context.Context, *none) (*struct{ Name string }, error) { return nil, nil }),
		"must be structs":                  op.Handle(base, func(context.Context, *string) (*none, error) { return nil, nil }),
		"a type that cannot be read": op.Handle(base, func(context.Context, *struct {
			M map[string]string `query:"m"`
		}) (*none, error) {
			return nil, nil
		}),
		"parameter id is not in the path": op.Handle(base, func(context.Context, *struct {
			ID string `path:"id"`
		}) (*none, error) {
			return nil, nil
		}),
		"invalid int tag": op.Handle(base, func(context.Context, *struct {
			N string `query:"n" minLength:"many"`
		}) (*none, error) {
			return nil, nil
		}),
	} {
		if _, err := op.NewTable(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
