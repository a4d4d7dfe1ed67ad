package op

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Handle declares an operation by the types of its input and output.
//
// I is a struct. Its fields tagged `path:"id"`, `query:"accountId"` or `header:"If-Match"` are parameters:
// strings, numbers, booleans, time.Time (RFC 3339 or a date), types that read text, pointers to such (nil
// when the parameter is missing) and slices of such (repeated or comma-separated). Query and header
// parameters are optional unless tagged `required:"true"`; `default:"…"` stands in for one that is missing. A
// field named Body is the JSON body; a field of type *Request is the request itself.
//
// O is a struct whose optional fields are Status (int; 0 means the operation's), header-tagged fields (left
// out when zero) and Body.
//
// Schemas come from the types, with the tags doc, example, enum, format, minLength, maxLength, pattern,
// minimum, maximum, minItems, maxItems and required: an attribute is required unless it is omitempty, omitzero
// or `required:"false"`. Request and Response of o may be set for their Description, Example and ContentTypes,
// and Params for the Description and Example of single parameters.
//
// fn may run more than once for a request (transactions are retried): it must not change its input.
func Handle[I, O any](o Operation, fn func(ctx context.Context, in *I) (*O, error)) Operation {
	p := &typedPlan{in: reflect.TypeFor[I](), out: reflect.TypeFor[O]()}
	p.invoke = func(ctx context.Context, in any) (any, error) {
		out, err := fn(ctx, in.(*I))
		if err != nil || out == nil {
			return nil, err
		}
		return out, nil
	}
	p.read()
	o.typed = p
	return o
}

// typedPlan is what reflection found out about the types of an operation.
type typedPlan struct {
	in, out   reflect.Type
	params    []field
	headers   []field
	body      []int // index of I.Body; nil without one
	request   []int
	outBody   []int
	outStatus []int
	err       error
	invoke    func(ctx context.Context, in any) (any, error)
}

// field is one parameter field.
type field struct {
	reflect.StructField
	name, in string
	parse    func(text string, v reflect.Value) bool
	want     string
	list     bool
	fallback string
	required bool
}

func (p *typedPlan) read() {
	if p.in.Kind() != reflect.Struct || p.out.Kind() != reflect.Struct {
		p.err = errors.New("input and output must be structs")
		return
	}
	for _, f := range reflect.VisibleFields(p.in) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		name, in := paramTag(f)
		switch {
		case in != "":
			p.param(f, name, in)
		case f.Name == "Body":
			p.body = f.Index
		case f.Type == reflect.TypeFor[*Request]():
			p.request = f.Index
		default:
			p.err = fmt.Errorf("input field %s is neither a parameter nor the body", f.Name)
		}
	}
	for _, f := range reflect.VisibleFields(p.out) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		switch {
		case f.Tag.Get("header") != "":
			p.headers = append(p.headers, field{StructField: f, name: f.Tag.Get("header"), in: "header"})
		case f.Name == "Body":
			p.outBody = f.Index
		case f.Name == "Status" && f.Type.Kind() == reflect.Int:
			p.outStatus = f.Index
		default:
			p.err = fmt.Errorf("output field %s is neither a header nor the body", f.Name)
		}
	}
}

func paramTag(f reflect.StructField) (name, in string) {
	for _, in := range [...]string{"path", "query", "header"} {
		if name := f.Tag.Get(in); name != "" {
			return name, in
		}
	}
	return "", ""
}

func (p *typedPlan) param(f reflect.StructField, name, in string) {
	t := f.Type
	d := field{StructField: f, name: name, in: in, fallback: f.Tag.Get("default"), required: in == "path" || f.Tag.Get("required") == "true"}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	d.parse, d.want = parser(t)
	if d.parse == nil && t.Kind() == reflect.Slice {
		d.list = true
		d.parse, d.want = parser(t.Elem())
	}
	if d.parse == nil {
		p.err = fmt.Errorf("parameter %s has a type that cannot be read: %s", name, f.Type)
	}
	p.params = append(p.params, d)
}

// parser reads a type from text; nil for one that cannot be.
func parser(t reflect.Type) (parse func(text string, v reflect.Value) bool, want string) {
	if t == reflect.TypeFor[time.Time]() {
		return parseTime, "must be a moment such as 2026-01-31T09:30:00Z (RFC 3339) or a date"
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return func(text string, v reflect.Value) bool {
			return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) == nil
		}, "is not well-formed"
	}
	switch t.Kind() {
	case reflect.String:
		return func(text string, v reflect.Value) bool { v.SetString(text); return true }, ""
	case reflect.Bool:
		return func(text string, v reflect.Value) bool {
			v.SetBool(text == "true")
			return text == "true" || text == "false"
		}, "must be true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(text string, v reflect.Value) bool {
			n, err := strconv.ParseInt(text, 10, v.Type().Bits())
			v.SetInt(n)
			return err == nil
		}, "must be a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(text string, v reflect.Value) bool {
			n, err := strconv.ParseUint(text, 10, v.Type().Bits())
			v.SetUint(n)
			return err == nil
		}, "must be a whole number of 0 or more"
	case reflect.Float32, reflect.Float64:
		return func(text string, v reflect.Value) bool {
			n, err := strconv.ParseFloat(text, v.Type().Bits())
			v.SetFloat(n)
			return err == nil && n-n == 0 // neither infinite nor not a number
		}, "must be a number"
	}
	return nil, ""
}

func parseTime(text string, v reflect.Value) bool {
	for _, layout := range [...]string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			v.Set(reflect.ValueOf(t.UTC()))
			return true
		}
	}
	return false
}

// boundParam is a parameter with its schema.
type boundParam struct {
	field
	checker *Checker
}

// bind completes the operation's declaration from the types: its schemas, parameters and Prepare.
func (p *typedPlan) bind(o *Operation, s *schemas) (err error) {
	defer func() {
		// The schema library tells a tag that it cannot read by panicking.
		if v := recover(); v != nil {
			err = fmt.Errorf("schema: %v", v)
		}
	}()
	if p.err != nil {
		return p.err
	}
	params, err := p.bindParams(o, s)
	if err != nil {
		return err
	}
	var body *Checker
	if p.body != nil {
		o.Request = bindBody(o.Request, s, p.in.FieldByIndex(p.body).Type, o.ID+"Request")
		if body, err = NewChecker(o.Request.schema(), s.resolve); err != nil {
			return err
		}
	} else if o.Request != nil {
		return errors.New("a request is declared, but the input has no Body")
	}
	if p.outBody != nil {
		o.Response = bindBody(o.Response, s, p.out.FieldByIndex(p.outBody).Type, o.ID+"Response")
	}
	o.Headers = p.bindHeaders(o, s)
	o.Prepare = func(r *Request) (Call, error) {
		in, err := p.decode(r, params, body)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (*Response, error) {
			out, err := p.invoke(ctx, in)
			if err != nil {
				return nil, err
			}
			return p.encode(out)
		}, nil
	}
	return nil
}

func bindBody(declared *Body, s *schemas, t reflect.Type, hint string) *Body {
	b := Body{}
	if declared != nil {
		b = *declared
	}
	if b.Schema == nil && b.SchemaName == "" {
		b.Schema = s.of(t, hint)
	}
	return &b
}

func (p *typedPlan) bindParams(o *Operation, s *schemas) ([]boundParam, error) {
	declared := map[string]Param{}
	for _, d := range o.Params {
		declared[d.In+" "+d.Name] = d
	}
	o.Params = append([]Param(nil), o.Params...)
	out := make([]boundParam, len(p.params))
	for i, f := range p.params {
		schema := huma.SchemaFromField(s.Registry, f.StructField, o.ID)
		schema.Nullable = false
		if schema.Format == "date-time-http" {
			schema.Format = "date-time"
		}
		c, err := NewChecker(schema, s.resolve)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", f.name, err)
		}
		out[i] = boundParam{f, c}
		d := Param{Name: f.name, In: f.in, Description: schema.Description, Required: f.required, Schema: schema}
		if was, ok := declared[f.in+" "+f.name]; ok {
			if was.Description != "" {
				d.Description = was.Description
			}
			d.Example = was.Example
			replaceParam(o.Params, d)
			continue
		}
		o.Params = append(o.Params, d)
	}
	s.open()
	return out, nil
}

func (p *typedPlan) bindHeaders(o *Operation, s *schemas) []Param {
	out := append([]Param(nil), o.Headers...)
	for _, h := range p.headers {
		if !slices.ContainsFunc(out, func(d Param) bool { return d.Name == h.name }) {
			schema := s.of(h.Type, o.ID)
			out = append(out, Param{Name: h.name, In: "header", Description: h.Tag.Get("doc"), Schema: schema})
		}
	}
	return out
}

func replaceParam(params []Param, d Param) {
	for i := range params {
		if params[i].Name == d.Name && params[i].In == d.In {
			params[i] = d
		}
	}
}

// decode makes the input of a request, and finds all that is wrong with it.
func (p *typedPlan) decode(r *Request, params []boundParam, body *Checker) (any, error) {
	in := reflect.New(p.in)
	var found []fault.Detail
	for i := range params {
		found = append(found, params[i].set(r, in.Elem())...)
	}
	if body != nil && r.Body != nil {
		found = append(found, body.Check(r.Tree)...)
	}
	if err := fault.InvalidAll(found); err != nil {
		return nil, err
	}
	if p.request != nil {
		in.Elem().FieldByIndex(p.request).Set(reflect.ValueOf(r))
	}
	if body != nil && r.Body != nil {
		if err := json.Unmarshal(r.Body, in.Elem().FieldByIndex(p.body).Addr().Interface()); err != nil {
			return nil, explain(err)
		}
	}
	return in.Interface(), nil
}

// given are the texts that a request has for the parameter.
func (f *field) given(r *Request) []string {
	switch f.in {
	case "path":
		return []string{r.Path[f.name]}
	case "query":
		return r.Query[f.name]
	}
	return r.Header[textproto.CanonicalMIMEHeaderKey(f.name)]
}

func (f *boundParam) set(r *Request, in reflect.Value) []fault.Detail {
	texts := f.given(r)
	if len(texts) == 0 && f.fallback != "" {
		texts = []string{f.fallback}
	}
	bad := func(why string) []fault.Detail { return []fault.Detail{{Attribute: f.name, Message: why}} }
	if len(texts) == 0 {
		if f.required {
			return bad("is required")
		}
		return nil
	}
	target := in.FieldByIndex(f.Index)
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	if !f.list {
		if len(texts) > 1 {
			return bad("is given more than once")
		}
		if !f.parse(texts[0], target) {
			return bad(f.want)
		}
		return f.checker.checkAt(f.name, treeOf(target, texts[0]))
	}
	var tree []any
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			e := reflect.New(target.Type().Elem()).Elem()
			if !f.parse(part, e) {
				return bad(f.want)
			}
			target.Set(reflect.Append(target, e))
			tree = append(tree, treeOf(e, part))
		}
	}
	return f.checker.checkAt(f.name, tree)
}

// treeOf is a parameter's value as the checker sees values.
func treeOf(v reflect.Value, text string) any {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return float64(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return float64(v.Uint())
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	if t, ok := v.Interface().(time.Time); ok {
		return t.Format(time.RFC3339)
	}
	return text
}

func (p *typedPlan) encode(out any) (*Response, error) {
	if out == nil {
		return &Response{}, nil
	}
	v := reflect.ValueOf(out).Elem()
	resp := &Response{}
	if p.outStatus != nil {
		resp.Status = int(v.FieldByIndex(p.outStatus).Int())
	}
	for i := range p.headers {
		h := &p.headers[i]
		if f := v.FieldByIndex(h.Index); !f.IsZero() {
			if resp.Header == nil {
				resp.Header = http.Header{}
			}
			resp.Header.Set(h.name, fmt.Sprint(f.Interface()))
		}
	}
	if p.outBody != nil && resp.Status != http.StatusNoContent {
		var err error
		if resp.Body, err = json.Marshal(v.FieldByIndex(p.outBody).Addr().Interface()); err != nil {
			return nil, fault.Internalf(err, "the answer cannot be written")
		}
	}
	return resp, nil
}
