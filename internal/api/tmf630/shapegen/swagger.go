package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// document is what shapegen reads of a Swagger 2.0 document.
type document struct {
	Info struct {
		Title   string `json:"title"`
		Version string `json:"version"`
	} `json:"info"`
	BasePath    string                          `json:"basePath"`
	Paths       map[string]map[string]operation `json:"paths"`
	Definitions map[string]schema               `json:"definitions"`
}

type operation struct {
	Responses map[string]struct {
		Schema *schema `json:"schema"`
	} `json:"responses"`
}

type schema struct {
	Ref        string   `json:"$ref"`
	Type       string   `json:"type"`
	Format     string   `json:"format"`
	Required   []string `json:"required"`
	Properties members  `json:"properties"`
	Items      *schema  `json:"items"`
	MinItems   int      `json:"minItems"`
	Enum       []string `json:"enum"`
	AllOf      []schema `json:"allOf"`
}

func (s schema) target() string { return strings.TrimPrefix(s.Ref, "#/definitions/") }

// members are properties in the order of the document, which is the order a reader expects.
type members struct {
	names  []string
	byName map[string]schema
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (m *members) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	m.byName = map[string]schema{}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		var s schema
		if err := json.UnmarshalDecode(dec, &s); err != nil {
			return err
		}
		m.names = append(m.names, key)
		m.byName[key] = s
	}
	_, err := dec.ReadToken()
	return err
}

func parse(raw []byte) (document, error) {
	var d document
	err := json.Unmarshal(bytes.TrimPrefix(raw, []byte("\ufeff")), &d)
	return d, err
}

// resources are the definitions that the paths serve: what GET or POST of a collection answers with.
func (d document) resources() []string {
	found := map[string]bool{}
	for path, operations := range d.Paths {
		if strings.HasPrefix(path, "/hub") || strings.HasPrefix(path, "/listener") {
			continue
		}
		for _, o := range operations {
			for status, r := range o.Responses {
				if status[0] != '2' || r.Schema == nil {
					continue
				}
				s := *r.Schema
				if s.Items != nil {
					s = *s.Items
				}
				if s.Ref != "" {
					found[s.target()] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// reachable are the resources, all they refer to, and the subtypes of either.
func (d document) reachable(roots []string) map[string]bool {
	found := map[string]bool{}
	var visit func(name string)
	refs := func(s schema) {
		if s.Ref != "" {
			visit(s.target())
		}
		if s.Items != nil && s.Items.Ref != "" {
			visit(s.Items.target())
		}
	}
	visit = func(name string) {
		if found[name] {
			return
		}
		found[name] = true
		for _, p := range d.Definitions[name].Properties.byName {
			refs(p)
		}
		for _, base := range d.Definitions[name].AllOf {
			refs(base)
		}
	}
	for _, r := range roots {
		visit(r)
	}
	for again := true; again; {
		again = false
		for name, s := range d.Definitions {
			for _, base := range s.AllOf {
				if found[base.target()] && !found[name] && !strings.Contains(name, "Event") {
					visit(name)
					again = true
				}
			}
		}
	}
	return found
}

func (d document) shapes(code string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Facts of the TM Forum's schema of %s, written by shapegen: run it again, do not edit.\n", code)
	fmt.Fprintf(&b, "api %s %s %s %s\n", code, d.Info.Version, strings.TrimSuffix(d.BasePath, "/"), strings.TrimSpace(d.Info.Title))
	roots := d.resources()
	all := d.reachable(roots)
	names := slices.Clone(roots)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(roots, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		s, ok := d.Definitions[name]
		if !ok {
			return nil, fmt.Errorf("%s is referred to and not defined", name)
		}
		b.WriteByte('\n')
		if err := d.write(&b, name, s); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return b.Bytes(), nil
}

func (d document) write(b *bytes.Buffer, name string, s schema) error {
	if s.Type == "string" && len(s.Enum) > 0 {
		fmt.Fprintf(b, "%s =", name)
		for _, v := range s.Enum {
			b.WriteString(" " + quoted(v))
		}
		b.WriteByte('\n')
		return nil
	}
	if s.Type == "" && len(s.AllOf) == 0 && len(s.Properties.names) == 0 {
		fmt.Fprintf(b, "%s = any\n", name)
		return nil
	}
	b.WriteString(name)
	for _, base := range s.AllOf {
		b.WriteString(" < " + base.target())
	}
	b.WriteByte('\n')
	create, creates := d.variant(name, "Create")
	update, updates := d.variant(name, "Update")
	for _, attribute := range s.Properties.names {
		p := s.Properties.byName[attribute]
		text, err := typeText(p, max(p.MinItems, create.Properties.byName[attribute].MinItems))
		if err != nil {
			return fmt.Errorf("%s: %w", attribute, err)
		}
		line := fmt.Sprintf("  %-28s %-28s", attribute, text)
		mark := func(is bool, word string) {
			if is {
				line += " " + word
			}
		}
		mark(slices.Contains(s.Required, attribute), "required")
		mark(slices.Contains(create.Required, attribute), "create")
		mark(creates && !has(create, attribute), "readonly")
		mark(updates && !has(update, attribute), "fixed")
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return nil
}

// variant is the definition of what a create or update request carries, under either of its spellings.
func (d document) variant(name, of string) (schema, bool) {
	for _, n := range []string{name + "_" + of, name + of} {
		if s, ok := d.Definitions[n]; ok {
			return s, true
		}
	}
	return schema{}, false
}

func has(s schema, attribute string) bool { _, ok := s.Properties.byName[attribute]; return ok }

func typeText(s schema, least int) (string, error) {
	switch {
	case s.Ref != "":
		return s.target(), nil
	case s.Type == "array":
		if s.Items == nil {
			return "", fmt.Errorf("an array of nothing")
		}
		item, err := typeText(*s.Items, 0)
		if least > 0 {
			return fmt.Sprintf("[%d..%s]", least, item), err
		}
		return "[" + item + "]", err
	case s.Type == "object" && len(s.Properties.names) > 0:
		return "", fmt.Errorf("an inline object type: give shapegen a name for it")
	case s.Type == "string" && len(s.Enum) > 0:
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = quoted(v)
		}
		return "(" + strings.Join(values, "|") + ")", nil
	case s.Type == "string" && s.Format != "":
		return s.Format, nil
	case s.Type == "":
		return "any", nil
	}
	return s.Type, nil
}

func quoted(v string) string {
	if v == "" || strings.ContainsAny(v, " \t\"|()") {
		return strconv.Quote(v)
	}
	return v
}
