package tmf630

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

func (e *engine) list() op.Operation {
	o := e.operation("list", http.MethodGet, false, auth.Get)
	o.Summary = "List " + e.noun() + "s"
	o.Description = "Any attribute is a filter: `name=value`, `name.regex=pattern`, `validFor.endDateTime.gt=2026-01-31`; " +
		"operators are eq, ne, gt, gte, lt, lte, regex. Conditions are ANDed; values with a comma or semicolon between them are ORed. " +
		"A page is answered with 206 when it was asked for and is not the whole list. `X-Total-Count` counts what matches, `Link` leads to the other pages."
	o.Params = append(o.Params, fieldsParam(),
		op.Param{Name: paramOffset, In: "query", Description: "How many to skip.", Schema: count(0), Example: 0},
		op.Param{Name: paramLimit, In: "query", Description: "The most to answer with; " + strconv.Itoa(e.Paging.First) + " when absent, never more than " + strconv.Itoa(e.Paging.Most) + ".", Schema: count(0), Example: 20},
		op.Param{Name: paramSort, In: "query", Description: "Attributes to sort by, a minus before one for descending order.", Schema: text(), Example: "-name"},
	)
	o.Status = http.StatusOK
	o.Response = &op.Body{Schema: listOf(e.Shape.Name), Description: "The " + e.noun() + "s that match."}
	o.Also = map[int]string{http.StatusPartialContent: "A page of the " + e.noun() + "s that match."}
	o.Faults = []*fault.Error{fault.New(fault.Unsupported, CodeJSONPath, "filter (JSONPath) is not supported")}
	o.Prepare = e.prepareList
	return o
}

func fieldsParam() op.Param {
	return op.Param{Name: paramFields, In: "query", Schema: text(), Example: "name",
		Description: "Attributes to answer with, separated by commas; id, href and @type always come. `none` asks for no other."}
}

func (e *engine) prepareList(r *op.Request) (op.Call, error) {
	p, err := e.Paging.parse(r.Query)
	if err != nil {
		return nil, err
	}
	fields, err := parseFields(r.Query)
	if err != nil {
		return nil, err
	}
	q := store.Query{Offset: p.offset, Limit: max(p.limit, 1)}
	if q.Sort, err = parseSort(r.Query, e.Shape); err != nil {
		return nil, err
	}
	if q.Filters, err = ParseFilters(r.Query, e.Shape); err != nil {
		return nil, err
	}
	if err := e.byHref(q.Filters); err != nil {
		return nil, err
	}
	for _, name := range e.within {
		q.Filters = append(q.Filters, store.Filter{Path: []string{name}, Op: store.Eq, Type: store.Text, Values: []string{e.Within[name]}})
	}
	prefix, err := quotedPrefix(r.BaseURL + e.Path)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*op.Response, error) {
		found, err := e.Set.Docs(ctx, q)
		if err != nil {
			return nil, err
		}
		items := found.Items[:min(len(found.Items), p.limit)]
		body, err := appendList(items, prefix, fields)
		if err != nil {
			return nil, err
		}
		return &op.Response{
			Status: p.status(len(items), found.Total), Body: body,
			Header: p.header(r.BaseURL+e.Path, r.Query, len(items), found.Total),
		}, nil
	}, nil
}

func appendList(items []store.Doc, prefix []byte, fields selection) ([]byte, error) {
	size := 2
	for _, d := range items {
		size += len(d.Body) + len(prefix) + 96
	}
	b := append(make([]byte, 0, size), '[')
	for i, d := range items {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendDocument(b, d, prefix, fields); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// byHref turns conditions on href, which is not stored, into conditions on the id it ends in. The host in
// front does not count: behind proxies one server has many.
func (e *engine) byHref(filters []store.Filter) error {
	for i, f := range filters {
		if len(f.Path) != 1 || f.Path[0] != "href" {
			continue
		}
		if f.Op != store.Eq && f.Op != store.Ne {
			return fault.Invalidf("href", "href can be compared with eq and ne only")
		}
		filters[i].Path, filters[i].Type = []string{"id"}, store.Text
		for j, href := range f.Values {
			filters[i].Values[j] = e.idOf(href)
		}
	}
	return nil
}

// idOf is the id that an address of this resource ends in; of any other address, a text that is no id.
func (e *engine) idOf(href string) string {
	u, err := url.Parse(href)
	if err != nil {
		return "-"
	}
	folder, last := path.Split(u.Path)
	for _, p := range append([]string{e.Path}, e.Aliases...) {
		if strings.TrimSuffix(folder, "/") == p && last != "" {
			return last
		}
	}
	return "-"
}

func (e *engine) get() op.Operation {
	o := e.operation("get", http.MethodGet, true, auth.Get)
	o.Summary = "Read " + article(e.noun())
	o.Params = append(o.Params, fieldsParam(), op.Param{
		Name: "If-None-Match", In: "header", Schema: text(), Example: `"v3"`, Description: "Answer with 304 when the resource still has this ETag.",
	})
	o.Status = http.StatusOK
	o.Response = &op.Body{SchemaName: e.Shape.Name, Description: "The " + e.noun() + "."}
	o.Also = map[int]string{http.StatusNotModified: "The " + e.noun() + " still has the ETag of If-None-Match."}
	o.Prepare = e.prepareGet
	return o
}

func (e *engine) prepareGet(r *op.Request) (op.Call, error) {
	var fields selection
	if len(r.Query) > 0 {
		var err error
		if fields, err = parseFields(r.Query); err != nil {
			return nil, err
		}
	}
	prefix, err := quotedPrefix(r.BaseURL + e.Path)
	if err != nil {
		return nil, err
	}
	i := id.ID(r.Path["id"])
	return func(ctx context.Context) (*op.Response, error) {
		d, err := e.doc(ctx, i)
		if err != nil {
			return nil, err
		}
		tag := etag(d.Version)
		if seen := r.Header["If-None-Match"]; len(seen) > 0 && matches(seen, tag, true) {
			return &op.Response{Status: http.StatusNotModified, Header: http.Header{"Etag": {tag}}}, nil
		}
		return answer(d, prefix, fields, tag)
	}, nil
}

// answer is one resource as it is sent.
func answer(d store.Doc, prefix []byte, fields selection, tag string) (*op.Response, error) {
	body, err := appendDocument(make([]byte, 0, len(d.Body)+len(prefix)+96), d, prefix, fields)
	if err != nil {
		return nil, err
	}
	return &op.Response{Body: body, Header: http.Header{"Etag": {tag}}}, nil
}

// doc reads a resource that exists here: with the attributes that all have in common.
func (e *engine) doc(ctx context.Context, i id.ID) (store.Doc, error) {
	d, err := e.Set.Doc(ctx, i)
	if err == nil && !e.here(d.Body) {
		err = fault.NotFoundf("there is no %s %s here", e.noun(), i)
	}
	return d, err
}

func (e *engine) here(body jsontext.Value) bool {
	left := len(e.within)
	if left == 0 {
		return true
	}
	err := members(body, func(name string, _, value jsontext.Value) {
		if want, ok := e.Within[name]; ok {
			if text, err := jsontext.AppendUnquote(nil, value); err == nil && bytes.Equal(text, []byte(want)) {
				left--
			}
		}
	})
	return err == nil && left == 0
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}
