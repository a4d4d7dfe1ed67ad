package op

import (
	"strings"

	"github.com/go-json-experiment/json"
)

// wholeDocument joins the documents of all façades. Schemas and refusals get their façade's name in front,
// since façades show different things under the same name.
func (t *Table) wholeDocument(o DocumentOptions) ([]byte, error) {
	paths, components := map[string]any{}, map[string]any{}
	var tags []any
	named := map[string]bool{}
	for _, c := range t.facades {
		text, err := t.OpenAPI(c.Name, o)
		if err != nil {
			return nil, err
		}
		var doc map[string]any
		if err := json.Unmarshal(text, &doc); err != nil {
			return nil, err
		}
		prefix := strings.ToUpper(c.Name[:1]) + c.Name[1:]
		prefixReferences(doc, prefix)
		merge(paths, doc["paths"], "")
		for section, entries := range asMap(doc["components"]) {
			into := asMap(components[section])
			if into == nil {
				into = map[string]any{}
				components[section] = into
			}
			if section == "schemas" || section == "responses" {
				merge(into, entries, prefix)
			} else {
				merge(into, entries, "")
			}
		}
		list, _ := doc["tags"].([]any)
		for _, tag := range list {
			if name, _ := asMap(tag)["name"].(string); !named[name] {
				named[name] = true
				tags = append(tags, tag)
			}
		}
	}
	info := map[string]any{"title": o.Title, "version": o.Version}
	if o.Description != "" {
		info["description"] = o.Description
	}
	whole := map[string]any{"openapi": "3.1.0", "info": info, "servers": []any{map[string]any{"url": "/"}}, "paths": paths, "components": components}
	if len(tags) > 0 {
		whole["tags"] = tags
	}
	return json.Marshal(whole, json.Deterministic(true))
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// merge adds the entries of a map, path items method by method.
func merge(into map[string]any, from any, prefix string) {
	for name, v := range asMap(from) {
		was, item := asMap(into[prefix+name]), asMap(v)
		if was == nil || item == nil || prefix != "" {
			into[prefix+name] = v
			continue
		}
		for method, operation := range item {
			was[method] = operation
		}
	}
}

// prefixReferences renames what references and discriminators refer to.
func prefixReferences(v any, prefix string) {
	rename := func(ref string) string {
		for _, section := range [...]string{componentPrefix, "#/components/responses/"} {
			if name, ok := strings.CutPrefix(ref, section); ok {
				return section + prefix + name
			}
		}
		return ref
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			prefixReferences(e, prefix)
		}
	case map[string]any:
		for name, e := range v {
			ref, isText := e.(string)
			switch {
			case name == "$ref" && isText:
				v[name] = rename(ref)
			case name == "mapping":
				for value, to := range asMap(e) {
					if ref, ok := to.(string); ok {
						asMap(e)[value] = rename(ref)
					} else {
						prefixReferences(to, prefix)
					}
				}
			default:
				prefixReferences(e, prefix)
			}
		}
	}
}
