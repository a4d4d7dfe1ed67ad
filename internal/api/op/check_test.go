package op_test

import (
	"slices"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/demarc-bss/demarc/internal/api/op"
)

func ptr[T any](v T) *T { return &v }

// everySchema uses every keyword that the checker knows.
func everySchema(t testing.TB) *op.Checker {
	t.Helper()
	components := map[string]*huma.Schema{
		"#/a": {Type: "object", Required: []string{"kind", "a"}, Properties: map[string]*huma.Schema{"kind": {Type: "string"}, "a": {Type: "integer"}, "next": {Ref: "#/a"}}},
		"#/b": {Type: "object", Required: []string{"b"}, Properties: map[string]*huma.Schema{"kind": {Type: "string"}, "b": {Type: "boolean"}}},
	}
	c, err := op.NewChecker(&huma.Schema{
		Type: "object",
		Properties: map[string]*huma.Schema{
			"n":     {Type: "number", Minimum: ptr(1.0), Maximum: ptr(10.0), MultipleOf: ptr(0.5)},
			"x":     {Type: "number", ExclusiveMinimum: ptr(0.0), ExclusiveMaximum: ptr(1.0)},
			"text":  {Type: "string", MinLength: ptr(1), MaxLength: ptr(3), Pattern: "^[a-z]*$", PatternDescription: "lower case"},
			"when":  {Type: "string", Format: "date-time"},
			"day":   {Type: "string", Format: "date", Nullable: true},
			"mail":  {Type: "string", Format: "email"},
			"link":  {Type: "string", Format: "uri"},
			"uuid":  {Type: "string", Format: "uuid"},
			"list":  {Type: "array", MinItems: ptr(1), MaxItems: ptr(3), UniqueItems: true},
			"one":   {OneOf: []*huma.Schema{{Ref: "#/a"}, {Ref: "#/b"}}, Discriminator: &huma.Discriminator{PropertyName: "kind", Mapping: map[string]string{"a": "#/a", "b": "#/b"}}},
			"any":   {AnyOf: []*huma.Schema{{Type: "string"}, {Type: "number"}}},
			"all":   {AllOf: []*huma.Schema{{Ref: "#/a"}, {Type: "object", Required: []string{"c"}}}},
			"not":   {Not: &huma.Schema{Type: "string"}},
			"enum":  {Enum: []any{"a", 1.0, nil}},
			"map":   {Type: "object", AdditionalProperties: &huma.Schema{Type: "boolean"}, MinProperties: ptr(1), MaxProperties: ptr(2)},
			"given": {Type: "string", ReadOnly: true},
		},
		Required:             []string{"given"},
		AdditionalProperties: false,
	}, func(ref string) *huma.Schema { return components[ref] })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheckerFindsWhatIsWrong(t *testing.T) {
	checker := everySchema(t)
	for body, want := range map[string][]string{
		`{}`:                      nil,
		`{"n":0.5}`:               {"n must be 1 or more"},
		`{"n":11}`:                {"n must be 10 or less"},
		`{"n":1.2}`:               {"n must be a multiple of 0.5"},
		`{"n":"1"}`:               {"n must be a number"},
		`{"x":0}`:                 {"x must be more than 0"},
		`{"x":1}`:                 {"x must be less than 1"},
		`{"text":""}`:             {"text must not be empty"},
		`{"text":"ééé"}`:          {"text must be lower case"},
		`{"text":"abcd"}`:         {"text must have at most 3 characters"},
		`{"when":"yesterday"}`:    {"when must be a moment such as 2026-01-31T09:30:00Z (RFC 3339)"},
		`{"day":"31.1.2026"}`:     {"day must be a date such as 2026-01-31"},
		`{"mail":"Anna <a@b.c>"}`: {"mail must be an e-mail address"},
		`{"link":"/relative"}`:    {"link must be an absolute URI"},
		`{"uuid":"1"}`:            {"uuid must be a UUID"},
		`{"list":[]}`:             {"list must have at least 1 entries"},
		`{"list":[{},{}]}`:        nil,
		`{"list":[1,1]}`:          {"list must not repeat an entry"},
		`{"list":[1,2,3,4]}`:      {"list must have at most 3 entries"},
		`{"one":{"kind":"a"}}`:    {"one.a is required"},
		`{"one":{"kind":"a","a":1,"next":{"kind":"a","a":1.5}}}`: {"one.next.a must be a whole number"},
		`{"one":{"kind":"c"}}`:                {"one fits none of the forms allowed"},
		`{"one":{"kind":"c","a":1,"b":true}}`: {"one fits more than one of the forms allowed"},
		`{"any":true}`:                        {"any fits none of the forms allowed"},
		`{"all":{"kind":"k","a":1}}`:          {"all.c is required"},
		`{"not":"x"}`:                         {"not is not allowed here"},
		`{"enum":"b"}`:                        {"enum must be one of a, 1, <nil>"},
		`{"enum":{"a":1}}`:                    {"enum must be one of a, 1, <nil>"},
		`{"map":{"a":1}}`:                     {"map.a must be true or false"},
		`{"map":{}}`:                          {"map must have at least 1 attributes"},
		`{"a.b[0]":1,"n":0}`:                  {"n must be 1 or more", "a.b[0] is not an attribute of this object"},
	} {
		tree, err := op.ReadJSON([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		var got []string
		for _, d := range checker.Check(tree) {
			got = append(got, d.Attribute+" "+d.Message)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestCheckerRefusesSchemasThatItCannotUse(t *testing.T) {
	for name, s := range map[string]*huma.Schema{
		"a reference to nothing": {Ref: "#/nothing"},
		"a pattern that is none": {Type: "string", Pattern: "("},
		"one deep in the schema": {Type: "array", Items: &huma.Schema{Properties: map[string]*huma.Schema{"a": {Ref: "#/nothing"}}}},
	} {
		if _, err := op.NewChecker(s, func(string) *huma.Schema { return nil }); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	c, err := op.NewChecker(&huma.Schema{Type: "array", Items: &huma.Schema{Type: "string"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Check(make([]any, 1_000_000))); n != 100 {
		t.Errorf("%d faults are listed", n)
	}
}
