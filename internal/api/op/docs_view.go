package op

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// operationView is an operation as the reference shows it.
type operationView struct {
	ID, Method, Path, Summary, Tag string
	Aliases                        []string
	Description                    template.HTML
	Public, Writes                 bool
	Permission                     []string
	Params                         []attributeView
	Request, Response              *bodyView
	Status                         int
	StatusText                     string
	Headers                        []attributeView
	Refusals                       []refusalView
	Curl                           string
	// Search is what the filter looks in.
	Search string
}

type bodyView struct {
	Types       string
	Description template.HTML
	Schema      schemaView
	Example     string
	Optional    bool
}

type refusalView struct {
	Status int
	Text   string
}

// schemaView is one object or value: its attributes, and the component that it is when it has a name.
type schemaView struct {
	Name, Type  string
	Link        string
	Description template.HTML
	Attributes  []attributeView
}

// attributeView is one line of a table of attributes or parameters.
type attributeView struct {
	Name, In, Type, Link string
	Required             bool
	ReadOnly             bool
	Description          template.HTML
	Rules                []string
	Attributes           []attributeView
}

func view(o *Operation, c *contract, full bool) *operationView {
	v := &operationView{ID: o.ID, Method: o.Method, Path: o.Path, Summary: o.Summary, Tag: o.Tag, Public: o.Public, Writes: o.Writes, Permission: permissions(o)}
	if v.Method == "" {
		v.Method = "ANY"
	}
	v.Search = strings.ToLower(strings.Join([]string{o.ID, v.Method, o.Path, o.Summary, o.Tag, strings.Join(v.Permission, " ")}, " "))
	if !full {
		return v
	}
	v.Aliases, v.Description = o.Aliases, markdown(o.Description)
	if v.Status = o.Status; v.Status == 0 {
		v.Status = http.StatusOK
	}
	v.StatusText = http.StatusText(v.Status)
	s := c.schemas
	for _, p := range o.Params {
		a := s.attribute(p.Name, p.Schema, 0)
		a.In, a.Required, a.Description = p.In, p.Required || p.In == "path", markdown(p.Description)
		v.Params = append(v.Params, a)
	}
	for _, h := range o.Headers {
		a := s.attribute(h.Name, h.Schema, 0)
		a.Description = markdown(h.Description)
		v.Headers = append(v.Headers, a)
	}
	v.Request, v.Response = s.body(o.Request), s.body(o.Response)
	for _, status := range refusalStatuses(o) {
		v.Refusals = append(v.Refusals, refusalView{status, http.StatusText(status)})
	}
	v.Curl = curl(o, s)
	return v
}

func (s *schemas) body(b *Body) *bodyView {
	if b == nil {
		return nil
	}
	v := &bodyView{Types: strings.Join(b.ContentTypes, ", "), Description: markdown(b.Description), Optional: b.Optional}
	if schema := b.schema(); schema != nil {
		v.Schema = s.view("", schema)
	}
	if sample := s.sampleOf(b); sample != nil && strings.Contains(v.Types, "json") {
		v.Example = pretty(sample)
	}
	return v
}

// sampleOf is a body's example, or one made up from its schema.
func (s *schemas) sampleOf(b *Body) any {
	if b == nil || b.Example != nil || b.schema() == nil {
		if b == nil {
			return nil
		}
		return b.Example
	}
	return s.sample(b.schema(), 0)
}

func (s *schemas) views() []schemaView {
	all := s.all()
	var out []schemaView
	for _, name := range sortedNames(all) {
		out = append(out, s.view(name, all[name]))
	}
	return out
}

func (s *schemas) view(name string, schema *huma.Schema) schemaView {
	v := schemaView{Name: name, Type: s.typeOf(schema), Link: linkOf(schema), Description: markdown(schema.Description)}
	target := s.follow(schema)
	if v.Description == "" {
		v.Description = markdown(target.Description)
	}
	v.Attributes = s.attributes(target, 0)
	return v
}

func (s *schemas) follow(schema *huma.Schema) *huma.Schema {
	for hops := 0; schema != nil && schema.Ref != "" && hops < 16; hops++ {
		schema = s.resolve(schema.Ref)
	}
	if schema == nil {
		return &huma.Schema{}
	}
	return schema
}

// attributes are those of an object, or of what a list holds: first what is required. Schemas with a name
// are shown where they are declared; those without one here, to a depth.
func (s *schemas) attributes(schema *huma.Schema, depth int) []attributeView {
	if schema.Type == huma.TypeArray && schema.Items != nil && schema.Items.Ref == "" {
		schema = schema.Items
	}
	var out []attributeView
	for _, part := range schema.AllOf {
		out = append(out, s.attributes(s.follow(part), depth)...)
	}
	if depth > 4 {
		return out
	}
	for _, name := range sortedNames(schema.Properties) {
		a := s.attribute(name, schema.Properties[name], depth+1)
		a.Required = slices.Contains(schema.Required, name)
		out = append(out, a)
	}
	slices.SortStableFunc(out, func(a, b attributeView) int {
		switch {
		case a.Required && !b.Required:
			return -1
		case b.Required && !a.Required:
			return 1
		}
		return 0
	})
	return out
}

func (s *schemas) attribute(name string, schema *huma.Schema, depth int) attributeView {
	if schema == nil {
		return attributeView{Name: name}
	}
	a := attributeView{Name: name, Type: s.typeOf(schema), Link: linkOf(schema), Description: markdown(schema.Description), ReadOnly: schema.ReadOnly, Rules: rulesOf(schema)}
	if a.Link == "" {
		a.Attributes = s.attributes(schema, depth)
	}
	return a
}

func linkOf(schema *huma.Schema) string {
	if schema.Type == huma.TypeArray && schema.Items != nil {
		schema = schema.Items
	}
	name, _ := strings.CutPrefix(schema.Ref, componentPrefix)
	return name
}

func (s *schemas) typeOf(schema *huma.Schema) string {
	if name, ok := strings.CutPrefix(schema.Ref, componentPrefix); ok {
		return name
	}
	t := schema.Type
	switch {
	case t == huma.TypeArray && schema.Items != nil:
		t = "list of " + s.typeOf(schema.Items)
	case t == "" && len(schema.OneOf)+len(schema.AnyOf) > 0:
		var words []string
		for _, sub := range append(slices.Clone(schema.OneOf), schema.AnyOf...) {
			words = append(words, s.typeOf(sub))
		}
		t = strings.Join(words, " or ")
	case t == "":
		t = "any"
	case schema.Format != "" && t == huma.TypeString:
		t = schema.Format
	}
	if schema.Nullable {
		t += " or null"
	}
	return t
}

func rulesOf(s *huma.Schema) (rules []string) {
	number := func(word string, n *float64) {
		if n != nil {
			rules = append(rules, word+" "+strconv.FormatFloat(*n, 'f', -1, 64))
		}
	}
	count := func(word string, n *int) {
		if n != nil {
			rules = append(rules, word+" "+strconv.Itoa(*n))
		}
	}
	number("≥", s.Minimum)
	number(">", s.ExclusiveMinimum)
	number("≤", s.Maximum)
	number("<", s.ExclusiveMaximum)
	count("length ≥", s.MinLength)
	count("length ≤", s.MaxLength)
	count("entries ≥", s.MinItems)
	count("entries ≤", s.MaxItems)
	if s.Pattern != "" {
		rules = append(rules, s.Pattern)
	}
	for _, e := range s.Enum {
		rules = append(rules, literal(e))
	}
	if s.Default != nil {
		rules = append(rules, "default "+literal(s.Default))
	}
	return rules
}

func literal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

func pretty(v any) string {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return ""
	}
	return string(text)
}

// sample makes a value up that a schema describes: examples where there are any, and what is required.
func (s *schemas) sample(schema *huma.Schema, depth int) any {
	schema = s.follow(schema)
	switch {
	case len(schema.Examples) > 0:
		return schema.Examples[0]
	case schema.Default != nil:
		return schema.Default
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	case len(schema.OneOf) > 0:
		return s.sample(schema.OneOf[0], depth+1)
	case len(schema.AnyOf) > 0:
		return s.sample(schema.AnyOf[0], depth+1)
	}
	switch schema.Type {
	case huma.TypeString:
		if text, ok := map[string]string{"date-time": "2026-01-31T09:30:00Z", "date": "2026-01-31", "uri": "https://example.com", "uri-reference": "https://example.com", "email": "anna@example.com"}[schema.Format]; ok {
			return text
		}
		return "text"
	case huma.TypeInteger, huma.TypeNumber:
		if schema.Minimum != nil {
			return *schema.Minimum
		}
		return 0
	case huma.TypeBoolean:
		return true
	case huma.TypeArray:
		if schema.Items == nil || depth > 3 {
			return []any{}
		}
		return []any{s.sample(schema.Items, depth+1)}
	}
	m := map[string]any{}
	s.sampleObject(schema, depth, m)
	return m
}

func (s *schemas) sampleObject(schema *huma.Schema, depth int, into map[string]any) {
	for _, part := range schema.AllOf {
		s.sampleObject(s.follow(part), depth, into)
	}
	for name, p := range schema.Properties {
		required := slices.Contains(schema.Required, name)
		if depth < 3 && !p.ReadOnly && (required || len(p.Examples) > 0 || depth == 0 && p.Type != "" && p.Type != huma.TypeObject && p.Type != huma.TypeArray) {
			into[name] = s.sample(p, depth+1)
		}
	}
}

// curl is a command line that calls the operation.
func curl(o *Operation, s *schemas) string {
	path := o.Path
	var query []string
	for _, p := range o.Params {
		text := "…"
		if sample := p.Example; sample != nil {
			text = strings.Trim(literal(sample), `"`)
		} else if p.Schema != nil && len(p.Schema.Examples) > 0 {
			text = strings.Trim(literal(p.Schema.Examples[0]), `"`)
		}
		switch {
		case p.In == "path" && text != "…":
			path = strings.NewReplacer("{"+p.Name+"}", text, "{"+p.Name+"...}", text).Replace(path)
		case p.In == "query" && p.Required:
			query = append(query, p.Name+"="+text)
		}
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	b := strings.Builder{}
	b.WriteString("curl")
	if o.Method != http.MethodGet && o.Method != "" {
		b.WriteString(" -X " + o.Method)
	}
	b.WriteString(` "$DEMARC` + path + `"`)
	if !o.Public {
		b.WriteString(" \\\n  -H \"Authorization: Bearer $TOKEN\"")
	}
	if o.Request != nil {
		b.WriteString(" \\\n  -H 'Content-Type: " + o.Request.ContentTypes[0] + "'")
		if sample := s.sampleOf(o.Request); sample != nil && strings.HasSuffix(o.Request.ContentTypes[0], "json") {
			text, err := json.Marshal(sample, json.Deterministic(true))
			if err == nil {
				b.WriteString(" \\\n  -d '" + strings.ReplaceAll(string(text), "'", `'\''`) + "'")
			}
		}
	}
	return b.String()
}
