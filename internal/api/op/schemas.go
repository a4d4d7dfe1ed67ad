package op

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

const componentPrefix = "#/components/schemas/"

// schemas are the schemas of one façade: those of its Go types and those it supplies by name.
type schemas struct {
	huma.Registry
	supplied map[string]*huma.Schema
	opened   map[string]bool
	refusal  *huma.Schema // nil when the façade does not tell the shape of its refusals
}

func newSchemas(f *Facade) (*schemas, error) {
	s := &schemas{supplied: map[string]*huma.Schema{}, opened: map[string]bool{}}
	s.Registry = huma.NewMapRegistry(componentPrefix, s.namer())
	for from, to := range aliases() {
		s.RegisterTypeAlias(from, to)
	}
	for _, name := range sortedNames(f.Components) {
		if err := s.put(name, f.Components[name]); err != nil {
			return nil, err
		}
	}
	if err := s.problem(f); err != nil {
		return nil, err
	}
	for _, name := range sortedNames(f.Components) {
		if _, err := NewChecker(f.Components[name], s.resolve); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	return s, nil
}

// problem names the schema of the façade's refusals.
func (s *schemas) problem(f *Facade) error {
	schema := f.ProblemSchema
	switch {
	case schema == nil && f.Problem != nil:
		return nil
	case schema == nil:
		schema = problemSchema()
	case schema.Ref != "":
		s.refusal = schema
		return nil
	}
	s.refusal = &huma.Schema{Ref: componentPrefix + "Problem"}
	return s.put("Problem", schema)
}

// put supplies a schema by name. The same schema may come again, another one not.
func (s *schemas) put(name string, schema *huma.Schema) error {
	if was := s.resolve(componentPrefix + name); was != nil && !reflect.DeepEqual(was, schema) {
		return fmt.Errorf("two schemas are named %s", name)
	}
	if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return fmt.Errorf("%q cannot name a schema", name)
	}
	s.supplied[name] = schema
	return nil
}

func (s *schemas) resolve(ref string) *huma.Schema {
	name, ok := strings.CutPrefix(ref, componentPrefix)
	if !ok {
		return nil
	}
	if found, ok := s.supplied[name]; ok {
		return found
	}
	return s.Registry.SchemaFromRef(ref)
}

// SchemaFromRef implements huma.Registry.
func (s *schemas) SchemaFromRef(ref string) *huma.Schema { return s.resolve(ref) }

// all are the schemas of the façade by name.
func (s *schemas) all() map[string]*huma.Schema {
	out := make(map[string]*huma.Schema, len(s.supplied)+len(s.Registry.Map()))
	for name, schema := range s.Registry.Map() {
		out[name] = schema
	}
	for name, schema := range s.supplied {
		out[name] = schema
	}
	return out
}

// MarshalJSON implements json.Marshaler: the schemas by name.
func (s *schemas) MarshalJSON() ([]byte, error) {
	return json.Marshal(s.all(), json.Deterministic(true))
}

// of is the schema of a Go type.
func (s *schemas) of(t reflect.Type, hint string) *huma.Schema {
	schema := s.Schema(t, true, hint)
	s.open()
	return schema
}

// open finishes the schemas of types: those that keep unknown attributes admit them, and null stands only
// where a tag says so, since what is optional is left out and an empty list is written as one.
func (s *schemas) open() {
	for name, schema := range s.Registry.Map() {
		if s.opened[name] {
			continue
		}
		s.opened[name] = true
		t := s.TypeFromRef(componentPrefix + name)
		if t == nil {
			continue
		}
		if embedsRest(t) {
			schema.AdditionalProperties = true
		}
		for _, f := range reflect.VisibleFields(t) {
			attribute, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			p := schema.Properties[attribute]
			if p == nil || f.Tag.Get("nullable") != "" {
				continue
			}
			if p.Type == huma.TypeArray || !slices.Contains(schema.Required, attribute) {
				p.Nullable = false
			}
		}
	}
}

func embedsRest(t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		for option := range strings.SplitSeq(options, ",") {
			if option == "embed" && f.Type.Kind() == reflect.Map {
				return true
			}
		}
		if f.Anonymous && f.Type.Kind() == reflect.Struct && f.Tag.Get("json") == "" && embedsRest(f.Type) {
			return true
		}
	}
	return false
}

// namer names types by their own name; a second type of the same name gets its package's in front.
func (s *schemas) namer() func(t reflect.Type, hint string) string {
	taken := map[string]reflect.Type{}
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		name := huma.DefaultSchemaNamer(t, hint)
		if t.Kind() != reflect.Struct {
			return name
		}
		pkg := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
		if pkg != "" {
			pkg = strings.ToUpper(pkg[:1]) + pkg[1:]
		}
		for try := 1; ; try++ {
			candidate := name
			switch {
			case try == 2:
				candidate = pkg + name
			case try > 2:
				candidate = pkg + name + strconv.Itoa(try)
			}
			owner, used := taken[candidate]
			_, supplied := s.supplied[candidate]
			if owner == t || !used && !supplied {
				taken[candidate] = t
				return candidate
			}
		}
	}
}

// aliases give the kernel's types their shape on the wire.
func aliases() map[reflect.Type]reflect.Type {
	return map[reflect.Type]reflect.Type{
		reflect.TypeFor[money.Amount]():   reflect.TypeFor[moneyShape](),
		reflect.TypeFor[money.Currency](): reflect.TypeFor[currencyShape](),
		reflect.TypeFor[msisdn.Number]():  reflect.TypeFor[msisdnShape](),
		reflect.TypeFor[id.ID]():          reflect.TypeFor[idShape](),
		reflect.TypeFor[jsontext.Value](): reflect.TypeFor[any](),
		reflect.TypeFor[sid.Rest]():       reflect.TypeFor[chan int](), // no schema: the field is left out
	}
}

type moneyShape struct{}

// Schema implements huma.SchemaProvider.
func (moneyShape) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Description: "An amount of money.", AdditionalProperties: true,
		Required: []string{"unit", "value"},
		Properties: map[string]*huma.Schema{
			"unit":  currencyShape{}.Schema(nil),
			"value": {Description: "Decimal amount in main units, at most six decimals; a string is read too.", AnyOf: []*huma.Schema{{Type: huma.TypeNumber}, {Type: huma.TypeString}}},
		},
		Examples: []any{map[string]any{"unit": "EUR", "value": 12.5}},
	}
}

type currencyShape struct{}

// Schema implements huma.SchemaProvider.
func (currencyShape) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "Currency (ISO 4217).", Pattern: "^[A-Z]{3}$", PatternDescription: "a currency code of three letters (ISO 4217)", Examples: []any{"EUR"}}
}

type msisdnShape struct{}

// Schema implements huma.SchemaProvider.
func (msisdnShape) Schema(huma.Registry) *huma.Schema {
	most := 32
	return &huma.Schema{Type: huma.TypeString, Description: "Mobile number, in E.164 or E.123 form.", MaxLength: &most, Examples: []any{"+27 83 200 0000"}}
}

type idShape struct{}

// Schema implements huma.SchemaProvider.
func (idShape) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "Identifier."}
}
