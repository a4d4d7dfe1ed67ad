package tmf630

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/demarc-bss/demarc/internal/store"
)

// API is what is known of one TM Forum API: its base path and the shapes of its resources.
type API struct {
	// Code is the number of the API ("TMF629"), Version the one of its document.
	Code, Version string
	// Base is the official base path, without a trailing slash.
	Base string
	// Title is the official name.
	Title string
	// Shapes are its types by name.
	Shapes map[string]*Shape

	order []string
}

// Shape is one type of an API: an object with attributes, an enumeration, or anything at all.
type Shape struct {
	Name string
	// API is the code of the API that declares the type; the same name may differ between two.
	API string
	// Bases are the types whose attributes it also has.
	Bases []*Shape
	// Attributes are its own, in the order of the official document.
	Attributes []*Attribute
	// Values are the only values of an enumeration.
	Values []string
	// Open means any value is of the type.
	Open bool
}

// Attribute is one attribute of a shape. Attributes that a shape does not name are extensions and always
// allowed.
type Attribute struct {
	Name string
	Type Type
	// Required: mandatory wherever the object stands, and in every answer.
	Required bool
	// Create: mandatory when the resource is created.
	Create bool
	// ReadOnly: set by the server alone; what a create request says of it is ignored.
	ReadOnly bool
	// Fixed: cannot be patched.
	Fixed bool
}

// Type is the type of an attribute.
type Type struct {
	// Base is string, uri, date-time, date, base64, boolean, integer, number, object or any; for an attribute
	// that holds another shape it is empty.
	Base   string
	Shape  *Shape
	Values []string
	// Array: a list of it, with at least Least items.
	Array bool
	Least int
}

//go:embed shapes/*.shapes
var shapeFiles embed.FS

var embedded = sync.OnceValues(func() (map[string]*API, error) {
	entries, err := shapeFiles.ReadDir("shapes")
	if err != nil {
		return nil, err
	}
	apis := map[string]*API{}
	for _, e := range entries {
		text, err := shapeFiles.ReadFile(path.Join("shapes", e.Name()))
		if err != nil {
			return nil, err
		}
		api, err := ParseShapes(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		apis[api.Code] = api
	}
	return apis, nil
})

// Catalogue is every API that demarc has the shapes of, by code.
func Catalogue() (map[string]*API, error) { return embedded() }

// ShapeOf is a shape that is part of the binary. Asking for one that is not there is a mistake in the
// wiring, found by the first test that builds the operations, so it panics.
func ShapeOf(api, name string) *Shape {
	apis, err := embedded()
	if err != nil {
		panic(err)
	}
	if a := apis[api]; a != nil && a.Shapes[name] != nil {
		return a.Shapes[name]
	}
	panic(fmt.Sprintf("tmf630: there is no shape %s of %s", name, api))
}

// Attribute finds an attribute by name, its own or a base's; nil when there is none.
func (s *Shape) Attribute(name string) *Attribute {
	for _, a := range s.Attributes {
		if a.Name == name {
			return a
		}
	}
	for _, b := range s.Bases {
		if a := b.Attribute(name); a != nil {
			return a
		}
	}
	return nil
}

// all lists its own attributes and its bases', bases first.
func (s *Shape) all() []*Attribute {
	if len(s.Bases) == 0 {
		return s.Attributes
	}
	var found []*Attribute
	for _, b := range s.Bases {
		for _, a := range b.all() {
			if !s.declares(a.Name) {
				found = append(found, a)
			}
		}
	}
	return append(found, s.Attributes...)
}

func (s *Shape) declares(name string) bool {
	for _, a := range s.Attributes {
		if a.Name == name {
			return true
		}
	}
	return false
}

// At walks a dotted path through the shape. known is false when the path leaves what the shape declares
// into extensions; wrong is true when it goes on below a value that has no attributes.
func (s *Shape) At(path []string) (t Type, known, wrong bool) {
	for i, name := range path {
		a := s.Attribute(name)
		if a == nil {
			return Type{}, false, false
		}
		if i == len(path)-1 {
			return a.Type, true, false
		}
		switch {
		case a.Type.Shape == nil && a.Type.Base != "object" && a.Type.Base != "any":
			return a.Type, true, true
		case a.Type.Shape == nil || a.Type.Shape.Open:
			return Type{}, false, false
		case len(a.Type.Shape.Values) > 0:
			return a.Type, true, true
		}
		s = a.Type.Shape
	}
	return Type{}, false, false
}

// comparison is how filters and sorts compare values of the type.
func (t Type) comparison() store.Type {
	switch t.Base {
	case "date-time":
		return store.Moment
	case "integer", "number":
		return store.Number
	case "boolean":
		return store.Boolean
	case "object", "any":
		return store.Any
	case "":
		if t.Shape == nil || len(t.Shape.Values) == 0 {
			return store.Any
		}
	}
	return store.Text
}

// String is the type as a shape file writes it.
func (t Type) String() string {
	s := t.Base
	switch {
	case t.Shape != nil:
		s = t.Shape.Name
	case len(t.Values) > 0:
		s = "(" + strings.Join(t.Values, "|") + ")"
	}
	switch {
	case t.Array && t.Least > 0:
		return fmt.Sprintf("[%d..%s]", t.Least, s)
	case t.Array:
		return "[" + s + "]"
	}
	return s
}
