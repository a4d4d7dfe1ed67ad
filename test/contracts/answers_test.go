//go:build contracts

package contracts

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/test/binary"
)

// schema is what is used of Swagger 2.0's schemas in the official documents.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Format     string             `json:"format"`
	Enum       []any              `json:"enum"`
	Required   []string           `json:"required"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	AllOf      []*schema          `json:"allOf"`
}

// official is an official document.
type official struct {
	BasePath string `json:"basePath"`
	Paths    map[string]map[string]struct {
		Parameters []struct {
			In     string  `json:"in"`
			Schema *schema `json:"schema"`
		} `json:"parameters"`
		Responses map[string]struct {
			Schema *schema `json:"schema"`
		} `json:"responses"`
	} `json:"paths"`
	Definitions map[string]*schema `json:"definitions"`
}

func (d *official) of(s *schema) *schema {
	for s != nil && s.Ref != "" {
		s = d.Definitions[strings.TrimPrefix(s.Ref, "#/definitions/")]
	}
	return s
}

// unfit says where a value does not fit a schema.
func (d *official) unfit(path string, s *schema, v any) (wrong []string) {
	if s = d.of(s); s == nil || v == nil && path != "" {
		return nil
	}
	say := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s %s", path, fmt.Sprintf(format, args...)))
	}
	for _, part := range s.AllOf {
		wrong = append(wrong, d.unfit(path, part, v)...)
	}
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, func(e any) bool { return fmt.Sprint(e) == fmt.Sprint(v) }) {
		say("is %v, which is none of %v", v, s.Enum)
	}
	switch typ := s.Type; {
	case typ == "array":
		list, ok := v.([]any)
		if !ok {
			say("is no list: %v", v)
		}
		for n, e := range list {
			wrong = append(wrong, d.unfit(fmt.Sprintf("%s[%d]", path, n), s.Items, e)...)
		}
	case len(s.Properties) > 0:
		object, ok := v.(map[string]any)
		if !ok {
			say("is no object: %v", v)
			return wrong
		}
		for _, name := range s.Required {
			if object[name] == nil {
				say("lacks %s", name)
			}
		}
		for name, p := range s.Properties {
			wrong = append(wrong, d.unfit(path+"."+name, p, object[name])...)
		}
	case typ == "string":
		text, ok := v.(string)
		if !ok {
			say("is no text: %v", v)
		} else if _, err := time.Parse(time.RFC3339Nano, text); s.Format == "date-time" && err != nil {
			say("is no moment: %s", text)
		}
	case typ == "integer", typ == "number":
		n, ok := v.(float64)
		if !ok || typ == "integer" && n != float64(int64(n)) {
			say("is no %s: %v", typ, v)
		}
	case typ == "boolean":
		if _, ok := v.(bool); !ok {
			say("is neither true nor false: %v", v)
		}
	}
	return wrong
}

// sample is a value that fits a schema: what is mandatory, and below that plain attributes too.
func (d *official) sample(s *schema, name string, depth int) any {
	s = d.of(s)
	switch {
	case s == nil:
		return map[string]any{}
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type == "array":
		return []any{d.sample(s.Items, name, depth)}
	case len(s.Properties) > 0:
		out := map[string]any{}
		for attribute, p := range s.Properties {
			if p := d.of(p); slices.Contains(s.Required, attribute) || depth > 0 && p != nil && (p.Type == "number" || p.Type == "string" && p.Format == "" && len(p.Enum) == 0) && !strings.HasPrefix(attribute, "@") {
				out[attribute] = d.sample(p, attribute, depth+1)
			}
		}
		return out
	case s.Type == "integer", s.Type == "number":
		return 1
	case s.Type == "boolean":
		return false
	case s.Format == "date-time":
		return "2026-05-31T09:30:00Z"
	case name == "unit" || name == "units":
		return "EUR"
	case name == "href" || s.Format == "uri":
		return "https://example.com/" + name
	}
	return "a " + name
}

// answers asks the server as an administrator.
type answers struct {
	t          *testing.T
	url, token string
	d          *official
}

func (a *answers) ask(method, path string, body any) (status int, tree any) {
	a.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, bytes.NewReader(b))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("spid", "1")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &tree)
	}
	if err != nil {
		a.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return res.StatusCode, tree
}

// fits checks an answer against what the document says of the operation.
func (a *answers) fits(method, path, template string, status int, tree any) {
	a.t.Helper()
	operation := a.d.Paths[template][strings.ToLower(method)]
	said, ok := operation.Responses[fmt.Sprint(status)]
	if !ok && status == http.StatusPartialContent {
		said = operation.Responses["200"]
	}
	if said.Schema == nil {
		a.t.Errorf("%s %s answers %d, of which the document says nothing: %v", method, path, status, tree)
		return
	}
	wrong := a.d.unfit("", said.Schema, tree)
	if list, isList := tree.([]any); isList && a.d.of(said.Schema).Type != "array" { // a document that leaves the list's type open
		for n, e := range list {
			wrong = append(wrong, a.d.unfit(fmt.Sprintf("[%d]", n), said.Schema, e)...)
		}
	}
	if len(wrong) > 5 {
		wrong = append(wrong[:5], fmt.Sprintf("and %d more", len(wrong)-5))
	}
	for _, w := range wrong {
		a.t.Errorf("%s %s, %d: %s", method, path, status, w)
	}
}

// Every answer of every resource that is served fits the official document: what is made, lists, single ones, refusals.
func TestEveryAnswerFitsTheOfficialDocuments(t *testing.T) {
	s := binary.Start(t, binary.Options{Bin: binary.Build(t), Args: []string{"--dev", "--demo"}})
	token, err := s.Token(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range apis {
		t.Run(name, func(t *testing.T) {
			d := &official{}
			read(t, shared(t, "tmf", "specs", name), d)
			a := &answers{t: t, url: s.URL, token: token, d: d}
			base := strings.TrimSuffix(d.BasePath, "/")
			for _, template := range slices.Sorted(maps.Keys(d.Paths)) {
				if strings.Contains(template, "{") || strings.HasPrefix(template, "/listener") || template == "/hub" {
					continue
				}
				a.resource(base+template, template)
			}
			callback := map[string]any{"callback": "https://example.com/" + strings.ToLower(name[:6])}
			status, tree := a.ask(http.MethodPost, base+"/hub", callback)
			a.fits(http.MethodPost, base+"/hub", "/hub", status, tree)
		})
	}
}

func (a *answers) resource(path, template string) {
	a.t.Helper()
	if post, ok := a.d.Paths[template]["post"]; ok {
		for _, p := range post.Parameters {
			if p.In == "body" {
				body := a.d.sample(p.Schema, "", 0)
				// What a document leaves open for who creates and lists for who reads is of what it lists.
				if object, ok := body.(map[string]any); ok && object["@type"] != nil {
					if made := a.d.of(post.Responses["201"].Schema); made != nil && made.Properties["@type"] != nil && len(made.Properties["@type"].Enum) > 0 {
						object["@type"] = made.Properties["@type"].Enum[0]
					}
				}
				status, tree := a.ask(http.MethodPost, path, body)
				if status != http.StatusCreated {
					a.t.Errorf("POST %s refuses what the document allows: %d %v", path, status, tree)
				}
				a.fits(http.MethodPost, path, template, status, tree)
			}
		}
		status, tree := a.ask(http.MethodPost, path, []any{})
		a.fits(http.MethodPost, path, template, status, tree)
	}
	status, tree := a.ask(http.MethodGet, path+"?limit=100", nil)
	a.fits(http.MethodGet, path, template, status, tree)
	list, _ := tree.([]any)
	if len(list) == 0 {
		a.t.Errorf("GET %s: there is nothing to look at", path)
	}
	for _, one := range list[:min(len(list), 10)] {
		object, _ := one.(map[string]any)
		i := fmt.Sprint(object["id"])
		status, tree := a.ask(http.MethodGet, path+"/"+i, nil)
		a.fits(http.MethodGet, path+"/"+i, template+"/{id}", status, tree)
	}
	status, tree = a.ask(http.MethodGet, path+"/c2df1950-c17c-4576-9c22-e59073a4a86a", nil)
	a.fits(http.MethodGet, path+"/…", template+"/{id}", status, tree)
}
