package optest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
)

// Documents checks the OpenAPI documents of a table, of every façade and of all together, against the rules
// of OpenAPI 3.1.0 that generators trip over: every reference resolves, operation ids are unique, path
// parameters are those of the path, every answer is described, names of components are allowed ones.
func Documents(t *testing.T, table *op.Table) {
	t.Helper()
	names := []string{""}
	for _, f := range table.Facades() {
		names = append(names, f.Name)
	}
	for _, name := range names {
		t.Run("document "+name, func(t *testing.T) {
			text, err := table.OpenAPI(name, op.DocumentOptions{Title: "all", Version: "1", IssuerURL: "https://idp.example"})
			if err != nil {
				t.Fatal(err)
			}
			Document(t, text)
		})
	}
}

// Document checks one OpenAPI document.
func Document(t *testing.T, text []byte) {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	d := document{t: t, doc: doc, ids: map[string]string{}}
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi is %v", doc["openapi"])
	}
	if info := object(doc["info"]); info["title"] == nil || info["version"] == nil || info["title"] == "" {
		t.Errorf("info lacks a title or version: %v", info)
	}
	for path, item := range object(doc["paths"]) {
		d.path(path, object(item))
	}
	allowed := regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
	for section, entries := range object(doc["components"]) {
		for name := range object(entries) {
			if !allowed.MatchString(name) {
				t.Errorf("%s: %q is no name of a component", section, name)
			}
		}
	}
	d.references("#", doc)
}

type document struct {
	t   *testing.T
	doc map[string]any
	ids map[string]string
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func (d *document) path(path string, item map[string]any) {
	d.t.Helper()
	if !strings.HasPrefix(path, "/") {
		d.t.Errorf("path %q does not begin with a slash", path)
	}
	var inPath []string
	for _, m := range regexp.MustCompile(`\{([^}]+)\}`).FindAllStringSubmatch(path, -1) {
		inPath = append(inPath, m[1])
	}
	for method, v := range item {
		o := object(v)
		where := strings.ToUpper(method) + " " + path
		id, _ := o["operationId"].(string)
		if was, used := d.ids[id]; used || id == "" {
			d.t.Errorf("%s: operationId %q is missing or that of %s", where, id, was)
		}
		d.ids[id] = where
		d.parameters(where, inPath, o)
		responses := object(o["responses"])
		if len(responses) == 0 {
			d.t.Errorf("%s: no answer is described", where)
		}
		for status, r := range responses {
			if len(status) != 3 || d.follow(object(r))["description"] == nil {
				d.t.Errorf("%s: answer %q has no description", where, status)
			}
		}
		for _, requirement := range list(o["security"]) {
			for scheme := range object(requirement) {
				if object(object(d.doc["components"])["securitySchemes"])[scheme] == nil {
					d.t.Errorf("%s: security scheme %q is not declared", where, scheme)
				}
			}
		}
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func (d *document) parameters(where string, inPath []string, o map[string]any) {
	d.t.Helper()
	seen := map[string]bool{}
	for _, v := range list(o["parameters"]) {
		p := d.follow(object(v))
		name, _ := p["name"].(string)
		in, _ := p["in"].(string)
		if seen[in+" "+name] || name == "" {
			d.t.Errorf("%s: parameter %q stands twice", where, name)
		}
		seen[in+" "+name] = true
		if p["schema"] == nil {
			d.t.Errorf("%s: parameter %q has no schema", where, name)
		}
		if in == "path" && (p["required"] != true || !slices.Contains(inPath, name)) {
			d.t.Errorf("%s: path parameter %q is not required or not in the path", where, name)
		}
	}
	for _, name := range inPath {
		if !seen["path "+name] {
			d.t.Errorf("%s: path parameter %q is not declared", where, name)
		}
	}
}

// follow gives what a reference object refers to.
func (d *document) follow(v map[string]any) map[string]any {
	ref, ok := v["$ref"].(string)
	if !ok {
		return v
	}
	return object(d.lookup(ref))
}

func (d *document) lookup(ref string) any {
	var at any = d.doc
	for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = object(at)[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	return at
}

func (d *document) references(where string, v any) {
	d.t.Helper()
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			d.references(where, e)
		}
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && d.lookup(ref) == nil {
			d.t.Errorf("%s: the reference %s does not resolve", where, ref)
		}
		for name, e := range v {
			if name != "example" && name != "examples" {
				d.references(where+"/"+name, e)
			}
		}
	}
}
