// Package tmf630 serves TM Forum resources as TMF630 REST API Design Guidelines (v4) want it: attribute
// selection, filters, sorting, paging, merge patch and JSON Patch, conditional requests, errors.
//
// It knows no resource. A façade declares a Resource and gets its operations; what may be stored is decided
// by the resource's Set, what its documents look like by its Shape.
package tmf630

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// Verbs says which operations a resource has.
type Verbs uint8

// The operations of a resource. Zero stands for all of them.
const (
	List Verbs = 1 << iota
	Create
	Get
	Patch
	Delete

	every = List | Create | Get | Patch | Delete
)

// Resource declares a resource of an API.
type Resource struct {
	Facade *op.Facade
	// Set holds the resources, under their domain's rules.
	Set resource.Any
	// Shape is the resource's type; see ShapeOf.
	Shape *Shape
	// Path is where the collection stands ("/tmf-api/customerManagement/v4/customer"); hrefs are made of it.
	// Aliases are other paths to it.
	Path    string
	Aliases []string
	// Entity is what permissions call the resource; the name of the set's kind by default.
	Entity string
	// ID begins the names of the operations ("tmf.customer" gives tmf.customer.list); façade and kind by
	// default.
	ID string
	// Tag groups the operations in the document; the shape's name by default.
	Tag string
	// Verbs are the operations it has; zero means all.
	Verbs Verbs
	// Within are attributes that all resources here share: they are set on create whatever the client says,
	// cannot be patched, and resources with other values do not exist here.
	Within map[string]string
	// Reveal adds attributes to the answer of create that no later answer shows, such as a secret.
	Reveal func(d store.Doc) map[string]string
	// Codes are attributes that may look like a card's number (see op.Operation.Codes).
	Codes []string
	// Example is a create request for the reference page.
	Example any
	Paging  Paging
}

// Operations are the operations of a resource.
func Operations(r Resource) []op.Operation {
	e := newEngine(r)
	declared := []struct {
		verb Verbs
		make func() op.Operation
	}{{List, e.list}, {Create, e.create}, {Get, e.get}, {Patch, e.patch}, {Delete, e.remove}}
	var ops []op.Operation
	for _, d := range declared {
		if e.Verbs&d.verb != 0 {
			ops = append(ops, d.make())
		}
	}
	return ops
}

// engine is a resource with its defaults filled in.
type engine struct {
	Resource
	// fixed are the attributes that a patch may name only with the value they have.
	fixed []string
	// ignored are those that a create request may name and that are not taken.
	ignored map[string]bool
	within  []string
}

func newEngine(r Resource) *engine {
	if r.Entity == "" {
		r.Entity = r.Set.Kind().Name
	}
	if r.ID == "" {
		r.ID = r.Facade.Name + "." + r.Set.Kind().Name
	}
	if r.Tag == "" {
		r.Tag = r.Shape.Name
	}
	if r.Verbs == 0 {
		r.Verbs = every
	}
	if r.Paging.First == 0 {
		r.Paging.First = 100
	}
	if r.Paging.Most == 0 {
		r.Paging.Most = 1000
	}
	e := &engine{Resource: r, fixed: []string{"id", "href"}, ignored: map[string]bool{"id": true, "href": true}}
	for _, a := range r.Shape.all() {
		if a.Fixed && !slices.Contains(e.fixed, a.Name) {
			e.fixed = append(e.fixed, a.Name)
		}
		if a.ReadOnly {
			e.ignored[a.Name] = true
		}
	}
	for name := range r.Within {
		e.within = append(e.within, name)
		e.fixed = append(e.fixed, name)
		e.ignored[name] = true
	}
	slices.Sort(e.within)
	return e
}

// operation fills in what all operations of the resource have in common.
func (e *engine) operation(name, method string, one bool, verb auth.Verb) op.Operation {
	o := op.Operation{
		ID: e.ID + "." + name, Facade: e.Facade, Method: method, Path: e.Path, Aliases: slices.Clone(e.Aliases), Tag: e.Tag,
		Permission: []auth.Permission{{Entity: e.Entity, Verb: verb}},
		Writes:     method != http.MethodGet, Codes: e.Codes,
	}
	if one {
		o.Path += "/{id}"
		for i := range o.Aliases {
			o.Aliases[i] += "/{id}"
		}
		o.Params = append(o.Params, op.Param{
			Name: "id", In: "path", Required: true, Description: "Identifier of the " + e.noun() + ".", Schema: text(),
		})
		o.Errors = append(o.Errors, fault.NotFound)
	}
	return o
}

// noun is the resource's name in running text: "billing account".
func (e *engine) noun() string {
	var b strings.Builder
	for _, c := range e.Shape.Name {
		if c >= 'A' && c <= 'Z' {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

func text() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

func count(least float64) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Minimum: &least}
}
