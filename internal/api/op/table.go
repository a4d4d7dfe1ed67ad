package op

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
)

// Table is all declared operations, checked.
type Table struct {
	operations []*Operation
	facades    []*contract
	ways       *routes
}

// contract is a façade with the schemas of its operations.
type contract struct {
	*Facade
	schemas *schemas
}

// NewTable checks declarations and makes the table of them. All that is wrong is said at once.
func NewTable(ops ...Operation) (*Table, error) {
	t := &Table{ways: newRoutes()}
	var errs []error
	ids := map[string]bool{}
	for i := range ops {
		o := ops[i] // a copy: the caller's declaration stays as it is
		if ids[o.ID] {
			errs = append(errs, fmt.Errorf("operation %s is declared twice", o.ID))
		}
		ids[o.ID] = true
		if err := t.add(&o); err != nil {
			errs = append(errs, fmt.Errorf("operation %q (%s %s): %w", o.ID, o.Method, o.Path, err))
		}
	}
	if err := t.ways.open(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return t, nil
}

// Operations are the declared operations in their order. They are shared: do not change them.
func (t *Table) Operations() []*Operation { return slices.Clone(t.operations) }

// Pattern is the method and path, as declared, of the operation that a request leads to; empty for none.
func (t *Table) Pattern(r *http.Request) string {
	_, pattern := t.ways.of(r).Handler(r)
	return pattern
}

// Facades are the façades in the order in which they first appear.
func (t *Table) Facades() []*Facade {
	out := make([]*Facade, len(t.facades))
	for i, c := range t.facades {
		out[i] = c.Facade
	}
	return out
}

func (t *Table) add(o *Operation) error {
	if err := checkShape(o); err != nil {
		return err
	}
	c, err := t.contract(o.Facade)
	if err != nil {
		return err
	}
	if o.typed != nil {
		if err := o.typed.bind(o, c.schemas); err != nil {
			return err
		}
	}
	defaults(o)
	for _, check := range []func(*Operation, *contract) error{checkParams, checkBodies, checkExamples} {
		if err := check(o, c); err != nil {
			return err
		}
	}
	if err := t.ways.add(o, http.NotFoundHandler()); err != nil {
		return err
	}
	t.operations = append(t.operations, o)
	return nil
}

func (t *Table) contract(f *Facade) (*contract, error) {
	for _, c := range t.facades {
		if c.Facade == f {
			return c, nil
		}
		if c.Name == f.Name {
			return nil, fmt.Errorf("two façades are named %q", f.Name)
		}
	}
	s, err := newSchemas(f)
	if err != nil {
		return nil, fmt.Errorf("façade %s: %w", f.Name, err)
	}
	c := &contract{f, s}
	t.facades = append(t.facades, c)
	return c, nil
}

func operationID() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z][A-Za-z0-9]*(\.[a-zA-Z0-9]+)*$`)
}

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func checkShape(o *Operation) error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(!operationID().MatchString(o.ID), "the id must be camelCase words with dots between")
	wrong(o.Facade == nil || o.Facade.Name == "", "it belongs to no façade")
	// Raw handlers of foreign protocols may take any method.
	wrong(!slices.Contains(methods, o.Method) && !(o.Raw != nil && o.Method == ""), "the method is not one of %s", strings.Join(methods, ", "))
	for _, p := range append([]string{o.Path}, o.Aliases...) {
		wrong(!strings.HasPrefix(p, "/"), "the path %q does not begin with a slash", p)
		wrong(len(p) > 1 && strings.HasSuffix(p, "/"), "the path %q ends in a slash: trailing slashes are forgiven anyway", p)
		wrong(strings.Contains(p, "//"), "the path %q has an empty segment", p)
		wrong(!slices.Equal(sortedWildcards(p), sortedWildcards(o.Path)), "the alias %q has other wildcards", p)
	}
	wrong(len(o.Permission) == 0 && !o.Public, "it has no permission and is not public")
	wrong(len(o.Permission) > 0 && o.Public, "it has a permission and is public")
	for _, p := range o.Permission {
		wrong(!p.Known(), "no role can grant the permission %s", p)
	}
	ways := 0
	for _, set := range []bool{o.Prepare != nil, o.Raw != nil, o.typed != nil, o.system != nil} {
		if set {
			ways++
		}
	}
	wrong(ways != 1, "it needs exactly one of Prepare and Raw")
	wrong(o.Writes && o.Raw != nil, "a raw operation must not write")
	wrong(o.Writes && o.Method == http.MethodGet, "GET must not write")
	wrong(o.Reveals && !o.Writes, "only an operation that writes reveals a secret")
	wrong(o.Before != nil && o.Raw != nil, "a raw operation does all of its work itself")
	wrong(o.Summary == "", "it has no summary")
	wrong(o.Status != 0 && (o.Status < 200 || o.Status > 399), "%d is no status of success", o.Status)
	for other, meaning := range o.Also {
		fine := other >= 200 && other <= 399 || other == http.StatusPaymentRequired
		wrong(!fine || other == o.Status || meaning == "", "its other status %d is no other one of success, or means nothing", other)
	}
	wrong(o.BodyLimit < 0 || o.Timeout < 0, "its limits are negative")
	return errors.Join(errs...)
}

func defaults(o *Operation) {
	if o.Status == 0 && o.typed != nil {
		o.Status = http.StatusOK
		if o.Response == nil {
			o.Status = http.StatusNoContent
		}
	}
	if o.BodyLimit == 0 {
		o.BodyLimit = DefaultBodyLimit
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Reveals {
		o.Description = strings.TrimSpace(o.Description + "\n\n" + revealsNote)
	}
	for _, b := range []**Body{&o.Request, &o.Response} {
		if *b != nil && len((*b).ContentTypes) == 0 {
			c := **b
			c.ContentTypes = []string{"application/json"}
			*b = &c
		}
	}
}

// revealsNote says on the reference page what is different where a secret is shown.
const revealsNote = "The secret is shown in this answer and never again. The answer is not kept either: repeated under its Idempotency-Key, " +
	"the request is not carried out a second time but answered with 409 and the Location of what the first one made."

// wildcards are the names in braces of a pattern, in their order.
func wildcards(pattern string) (names []string) {
	for {
		_, rest, ok := strings.Cut(pattern, "{")
		if !ok {
			return names
		}
		name, after, _ := strings.Cut(rest, "}")
		if name = strings.TrimSuffix(name, "..."); name != "$" {
			names = append(names, name)
		}
		pattern = after
	}
}

func sortedWildcards(pattern string) []string {
	names := wildcards(pattern)
	slices.Sort(names)
	return names
}

func checkParams(o *Operation, c *contract) error {
	var errs []error
	seen := map[string]bool{}
	inPath := wildcards(o.Path)
	for i := range o.Params {
		p := &o.Params[i]
		if !slices.Contains([]string{"path", "query", "header"}, p.In) || p.Name == "" {
			errs = append(errs, fmt.Errorf("parameter %q is in %q, not in path, query or header", p.Name, p.In))
		}
		if seen[p.In+" "+p.Name] {
			errs = append(errs, fmt.Errorf("parameter %s is declared twice", p.Name))
		}
		seen[p.In+" "+p.Name] = true
		if p.In == "path" && !slices.Contains(inPath, p.Name) {
			errs = append(errs, fmt.Errorf("parameter %s is not in the path", p.Name))
		}
		if p.Schema == nil {
			errs = append(errs, fmt.Errorf("parameter %s has no schema", p.Name))
			continue
		}
		if err := c.schemas.example(p.Schema, p.Example); err != nil {
			errs = append(errs, fmt.Errorf("example of parameter %s: %w", p.Name, err))
		}
	}
	for _, name := range inPath {
		if !seen["path "+name] && o.system == nil && o.Raw == nil {
			errs = append(errs, fmt.Errorf("path parameter %s is not declared", name))
		}
	}
	return errors.Join(errs...)
}

func checkBodies(o *Operation, c *contract) error {
	if o.Status == 0 && o.Raw == nil && o.system == nil {
		return errors.New("it has no status of success")
	}
	if o.Response != nil && (o.Status == http.StatusNoContent || o.Status == http.StatusNotModified) {
		return fmt.Errorf("an answer with status %d has no body", o.Status)
	}
	if o.Request != nil && o.Method == http.MethodGet {
		return errors.New("GET takes no body")
	}
	for what, b := range map[string]*Body{"request": o.Request, "response": o.Response} {
		if b == nil {
			continue
		}
		if b.SchemaName != "" && b.Schema != nil {
			if err := c.schemas.put(b.SchemaName, b.Schema); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
		if b.SchemaName != "" && b.Schema == nil && c.schemas.resolve(componentPrefix+b.SchemaName) == nil {
			return fmt.Errorf("%s: there is no schema named %s", what, b.SchemaName)
		}
	}
	return nil
}

func checkExamples(o *Operation, c *contract) error {
	for what, b := range map[string]*Body{"request": o.Request, "response": o.Response} {
		if b == nil {
			continue
		}
		if err := c.schemas.example(b.schema(), b.Example); err != nil {
			return fmt.Errorf("example of the %s: %w", what, err)
		}
	}
	return nil
}

// schema is what describes the body: its component when it has a name. Nil when nothing does.
func (b *Body) schema() *huma.Schema {
	if b.SchemaName != "" {
		return &huma.Schema{Ref: componentPrefix + b.SchemaName}
	}
	return b.Schema
}

// example checks that an example is valid; none is.
func (s *schemas) example(schema *huma.Schema, example any) error {
	if schema == nil {
		return nil
	}
	c, err := NewChecker(schema, s.resolve)
	if err != nil || example == nil {
		return err
	}
	text, err := json.Marshal(example)
	if err != nil {
		return err
	}
	tree, err := ReadJSON(text)
	if err != nil {
		return err
	}
	for _, d := range c.Check(tree) {
		return fmt.Errorf("%s %s", d.Attribute, d.Message)
	}
	return nil
}
