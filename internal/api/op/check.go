package op

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// maxDetails bounds how many faults one answer lists.
const maxDetails = 100

// Checker is a schema made ready to check values against. It finds all faults at once, names each by the
// path that the client wrote ("contactMedium[0].mediumType"), and never panics on a value.
//
// It is demarc's own because the schema library's checker names the object and not the attribute that is
// missing, takes member names without regard to case, which the decoder does not, and can be made to panic.
type Checker struct{ root *rule }

// Resolve finds a schema by the reference that names it; nil when there is none.
type Resolve func(ref string) *huma.Schema

type rule struct {
	schema        *huma.Schema
	names         []string // of properties, sorted
	properties    map[string]*rule
	required      map[string]bool
	items         *rule
	additional    *rule
	closed        bool
	pattern       *regexp.Regexp
	one, any, all []*rule
	not           *rule
	discriminator map[string]*rule
	enum          string
}

// NewChecker prepares a schema. It fails on a reference that does not resolve and on a pattern that is
// no regular expression.
func NewChecker(s *huma.Schema, resolve Resolve) (*Checker, error) {
	c := compiler{resolve: resolve, memo: map[*huma.Schema]*rule{}}
	root := c.compile(s)
	if c.err != nil {
		return nil, c.err
	}
	return &Checker{root}, nil
}

type compiler struct {
	resolve Resolve
	memo    map[*huma.Schema]*rule
	err     error
}

func (c *compiler) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *compiler) compile(s *huma.Schema) *rule {
	if s == nil {
		return nil
	}
	for hops := 0; s.Ref != ""; hops++ {
		var to *huma.Schema
		if c.resolve != nil {
			to = c.resolve(s.Ref)
		}
		if to == nil || hops > 16 {
			c.fail("the reference %s does not resolve", s.Ref)
			return &rule{schema: &huma.Schema{}}
		}
		s = to
	}
	if r, ok := c.memo[s]; ok {
		return r
	}
	r := &rule{schema: s}
	c.memo[s] = r
	c.object(r)
	r.items = c.compile(s.Items)
	r.one, r.any, r.all, r.not = c.list(s.OneOf), c.list(s.AnyOf), c.list(s.AllOf), c.compile(s.Not)
	if s.Pattern != "" {
		re, err := regexp.Compile(s.Pattern)
		if err != nil {
			c.fail("pattern %q: %w", s.Pattern, err)
		}
		r.pattern = re
	}
	if len(s.Enum) > 0 {
		words := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			words[i] = fmt.Sprint(e)
		}
		r.enum = "must be one of " + strings.Join(words, ", ")
	}
	if s.Discriminator != nil {
		r.discriminator = map[string]*rule{}
		for value, ref := range s.Discriminator.Mapping {
			r.discriminator[value] = c.compile(&huma.Schema{Ref: ref})
		}
	}
	return r
}

func (c *compiler) object(r *rule) {
	s := r.schema
	if len(s.Properties) > 0 {
		r.properties = make(map[string]*rule, len(s.Properties))
		for name, p := range s.Properties {
			r.names = append(r.names, name)
			r.properties[name] = c.compile(p)
		}
		slices.Sort(r.names)
	}
	if len(s.Required) > 0 {
		r.required = make(map[string]bool, len(s.Required))
		for _, name := range s.Required {
			r.required[name] = true
			if _, ok := r.properties[name]; !ok {
				r.names = append(r.names, name)
			}
		}
	}
	switch a := s.AdditionalProperties.(type) {
	case bool:
		r.closed = !a
	case *huma.Schema:
		r.additional = c.compile(a)
	}
}

func (c *compiler) list(schemas []*huma.Schema) []*rule {
	if len(schemas) == 0 {
		return nil
	}
	out := make([]*rule, len(schemas))
	for i, s := range schemas {
		out[i] = c.compile(s)
	}
	return out
}

// Check finds what is wrong with a value decoded into maps, slices, strings, float64, booleans and nil; nil
// when nothing is. At most 100 faults are listed.
func (c *Checker) Check(v any) []fault.Detail {
	f := findings{}
	c.root.check(v, &f)
	return f.details
}

func (c *Checker) checkAt(path string, v any) []fault.Detail {
	f := findings{path: append(make([]byte, 0, 64), path...)}
	c.root.check(v, &f)
	return f.details
}

// findings are the faults so far, and the path of the value that is looked at.
type findings struct {
	path    []byte
	details []fault.Detail
}

func (f *findings) add(message string) {
	if len(f.details) < maxDetails {
		f.details = append(f.details, fault.Detail{Attribute: string(f.path), Message: message})
	}
}

func (f *findings) addf(format string, args ...any) { f.add(fmt.Sprintf(format, args...)) }

func (f *findings) push(name string) (back int) {
	back = len(f.path)
	if back > 0 {
		f.path = append(f.path, '.')
	}
	f.path = append(f.path, name...)
	return back
}

func (f *findings) pop(back int) { f.path = f.path[:back] }
