package tmf630

import (
	"maps"

	"github.com/danielgtaylor/huma/v2"
)

const components = "#/components/schemas/"

// Components are the schemas that the operations of the resources refer to, for op.Facade: each resource by
// its own name, what its requests carry (CustomerCreate, CustomerUpdate), and the types below under the code
// of their API (TMF629_RelatedParty), since APIs differ in what they call by one name.
func Components(resources ...Resource) map[string]*huma.Schema {
	all := map[string]*huma.Schema{"JSONPatch": jsonPatchSchema()}
	for _, r := range resources {
		e := newEngine(r)
		s := e.Shape
		all[s.Name] = e.answerSchema()
		all[s.Name+"Create"] = e.createSchema()
		all[s.Name+"Update"] = e.updateSchema()
		maps.Copy(all, below(s))
	}
	return all
}

func ref(name string) *huma.Schema { return &huma.Schema{Ref: components + name} }

func listOf(name string) *huma.Schema { return &huma.Schema{Type: huma.TypeArray, Items: ref(name)} }

func patchOf(name string) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{ref(name + "Update"), ref("JSONPatch")}}
}

func componentName(s *Shape) string { return s.API + "_" + s.Name }

// below are the types that a shape's attributes lead to.
func below(s *Shape) map[string]*huma.Schema {
	found := map[string]*huma.Schema{}
	var visit func(s *Shape)
	visit = func(s *Shape) {
		for _, a := range s.all() {
			t := a.Type.Shape
			if t == nil || found[componentName(t)] != nil {
				continue
			}
			found[componentName(t)] = t.schema()
			visit(t)
		}
	}
	visit(s)
	return found
}

// schema describes the shape where it stands inside another.
func (s *Shape) schema() *huma.Schema {
	switch {
	case s.Open:
		return &huma.Schema{}
	case len(s.Values) > 0:
		return &huma.Schema{Type: huma.TypeString, Enum: values(s.Values)}
	}
	return s.describe(func(a *Attribute) (shown, mandatory bool) { return true, a.Required })
}

func (e *engine) answerSchema() *huma.Schema {
	o := e.Shape.describe(func(a *Attribute) (bool, bool) {
		return true, a.Required || a.Name == "id" || a.Name == "href" || a.Name == "@type"
	})
	for _, a := range e.Shape.all() {
		if a.ReadOnly && o.Properties[a.Name].Ref == "" {
			o.Properties[a.Name].ReadOnly = true
		}
	}
	return o
}

func (e *engine) createSchema() *huma.Schema {
	return e.Shape.describe(func(a *Attribute) (bool, bool) { return !e.ignored[a.Name], a.Create })
}

func (e *engine) updateSchema() *huma.Schema {
	o := e.Shape.describe(func(a *Attribute) (bool, bool) { return !a.Fixed, false })
	for _, name := range e.fixed {
		delete(o.Properties, name)
	}
	return o
}

func (s *Shape) describe(tell func(*Attribute) (shown, mandatory bool)) *huma.Schema {
	o := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, AdditionalProperties: true}
	for _, a := range s.all() {
		shown, mandatory := tell(a)
		if !shown {
			continue
		}
		o.Properties[a.Name] = a.Type.schema()
		if mandatory {
			o.Required = append(o.Required, a.Name)
		}
	}
	return o
}

func (t Type) schema() *huma.Schema {
	if t.Array {
		item := t
		item.Array = false
		list := &huma.Schema{Type: huma.TypeArray, Items: item.schema()}
		if t.Least > 0 {
			list.MinItems = &t.Least
		}
		return list
	}
	if t.Shape != nil {
		return ref(componentName(t.Shape))
	}
	switch t.Base {
	case "any":
		return &huma.Schema{}
	case "object":
		return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	case "boolean", "integer", "number":
		return &huma.Schema{Type: t.Base}
	case "base64":
		return &huma.Schema{Type: huma.TypeString, ContentEncoding: "base64"}
	case "uri": // hrefs may be relative, and some systems send empty ones
		return &huma.Schema{Type: huma.TypeString, Format: "uri-reference"}
	case "string":
		return &huma.Schema{Type: huma.TypeString, Enum: values(t.Values)}
	}
	return &huma.Schema{Type: huma.TypeString, Format: t.Base}
}

func values(texts []string) []any {
	var all []any
	for _, t := range texts {
		all = append(all, t)
	}
	return all
}

func jsonPatchSchema() *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeArray, Description: "A JSON Patch (RFC 6902).",
		Items: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"op", "path"},
			Properties: map[string]*huma.Schema{
				"op":    {Type: huma.TypeString, Enum: []any{"add", "remove", "replace", "move", "copy", "test"}},
				"path":  {Type: huma.TypeString, Description: "A JSON pointer (RFC 6901)."},
				"from":  {Type: huma.TypeString, Description: "A JSON pointer, for move and copy."},
				"value": {},
			},
		},
	}
}
