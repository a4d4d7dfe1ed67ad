package tmf630

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// The media types of a PATCH.
const (
	mediaJSON       = "application/json"
	mediaMergePatch = "application/merge-patch+json"
	mediaJSONPatch  = "application/json-patch+json"
)

func (e *engine) create() op.Operation {
	o := e.operation("create", http.MethodPost, false, auth.Post)
	o.Summary = "Create " + article(e.noun())
	o.Description = "The server gives the id: id and href of the request are ignored. Attributes that the standard does not name are kept."
	o.Request = &op.Body{SchemaName: e.Shape.Name + "Create", Example: e.Example, Description: "The " + e.noun() + " to create."}
	o.Status = http.StatusCreated
	o.Response = &op.Body{SchemaName: e.Shape.Name, Description: "The " + e.noun() + " as created; Location is its href."}
	o.Errors = append(o.Errors, fault.Conflict)
	o.Reveals = e.Reveal != nil
	o.Prepare = e.prepareCreate
	return o
}

func (e *engine) prepareCreate(r *op.Request) (op.Call, error) {
	if err := fault.InvalidAll(e.Shape.Validate(r.Tree)); err != nil {
		return nil, err
	}
	body, err := e.created(r.Body)
	if err != nil {
		return nil, err
	}
	prefix, err := quotedPrefix(r.BaseURL + e.Path)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*op.Response, error) {
		d, err := e.Set.Create(ctx, body)
		if err != nil {
			return nil, err
		}
		a, err := answer(d, prefix, nil, etag(d.Version))
		if err != nil {
			return nil, err
		}
		if e.Reveal != nil {
			if a.Body, err = appendMembers(a.Body, e.Reveal(d)); err != nil {
				return nil, err
			}
		}
		a.Header["Location"] = []string{r.BaseURL + e.Path + "/" + string(d.ID)}
		return a, nil
	}, nil
}

// created is the document that a create request asks for: without what the server alone sets and without
// nulls, with @type and what all resources here have in common.
func (e *engine) created(body []byte) (jsontext.Value, error) {
	b := append(make([]byte, 0, len(body)+64), '{')
	typed := false
	var failed error
	err := members(body, func(name string, quoted, value jsontext.Value) {
		if failed != nil || e.ignored[name] || value.Kind() == 'n' || name == "@type" && string(value) == `""` {
			return
		}
		typed = typed || name == "@type"
		b = append(append(appendComma(b), quoted...), ':')
		if a := e.Shape.Attribute(name); a != nil {
			b, failed = appendWithoutNulls(b, a.Type, value)
		} else {
			b = append(b, value...)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, fault.Invalidf("", "the body must be a JSON object").Because(err)
	}
	b = append(b, '}')
	if !typed {
		if b, err = appendMembers(b, map[string]string{"@type": e.Shape.Name}); err != nil {
			return nil, err
		}
	}
	return appendMembers(b, e.Within)
}

func appendComma(b []byte) []byte {
	if len(b) > 1 {
		return append(b, ',')
	}
	return b
}

// appendMembers adds text members to the end of an object, in the order of their names.
func appendMembers(object []byte, more map[string]string) ([]byte, error) {
	names := make([]string, 0, len(more))
	for name := range more {
		names = append(names, name)
	}
	slices.Sort(names)
	b := object[:len(object)-1]
	for _, name := range names {
		var err error
		if b, err = jsontext.AppendQuote(appendComma(b), name); err == nil {
			b, err = jsontext.AppendQuote(append(b, ':'), more[name])
		}
		if err != nil {
			return nil, fault.Internalf(err, "an attribute cannot be written")
		}
	}
	return append(b, '}'), nil
}

func (e *engine) patch() op.Operation {
	o := e.operation("patch", http.MethodPatch, true, auth.Patch)
	o.Summary = "Change " + article(e.noun())
	o.Description = "A merge patch (RFC 7396) under application/json or application/merge-patch+json, a JSON Patch (RFC 6902) under application/json-patch+json."
	o.Params = append(o.Params, ifMatchParam())
	o.Request = &op.Body{
		ContentTypes: []string{mediaJSON, mediaMergePatch, mediaJSONPatch}, Schema: patchOf(e.Shape.Name),
		Description: "What changes.",
	}
	o.Status = http.StatusOK
	o.Response = &op.Body{SchemaName: e.Shape.Name, Description: "The " + e.noun() + " as it is now."}
	o.Errors = append(o.Errors, fault.Conflict, fault.Stale)
	o.Prepare = e.preparePatch
	return o
}

func ifMatchParam() op.Param {
	return op.Param{Name: "If-Match", In: "header", Schema: text(), Example: `"v3"`, Description: "Refuse with 412 when the resource has another ETag."}
}

func (e *engine) preparePatch(r *op.Request) (op.Call, error) {
	changes, err := decodeTree(r.Body)
	if err != nil {
		return nil, fault.New(fault.Invalid, fault.CodeMalformed, "the body is not JSON").Because(err)
	}
	operations := true
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != mediaJSONPatch {
		if _, ok := changes.(map[string]any); !ok {
			return nil, fault.Invalidf("", "a merge patch is a JSON object; a JSON Patch has the Content-Type %s", mediaJSONPatch)
		}
		operations = false
	}
	prefix, err := quotedPrefix(r.BaseURL + e.Path)
	if err != nil {
		return nil, err
	}
	i := id.ID(r.Path["id"])
	href := r.BaseURL + e.Path + "/" + string(i)
	return func(ctx context.Context) (*op.Response, error) {
		version, err := e.expected(ctx, i, r.Header["If-Match"])
		if err != nil {
			return nil, err
		}
		d, err := e.Set.Patch(ctx, i, version, func(now jsontext.Value) (jsontext.Value, error) {
			if !e.here(now) {
				return nil, fault.NotFoundf("there is no %s %s here", e.noun(), i)
			}
			return e.patched(now, i, href, func(target any) (any, error) {
				if operations {
					return jsonPatch(target, changes)
				}
				return merge(target, changes), nil
			})
		})
		if err != nil {
			return nil, err
		}
		return answer(d, prefix, nil, etag(d.Version))
	}, nil
}

// patched is the document after a change that leaves it whole: what is fixed is as it was, and the result
// fits the shape.
func (e *engine) patched(now jsontext.Value, i id.ID, href string, change func(any) (any, error)) (jsontext.Value, error) {
	before, err := e.present(now, i, href)
	if err != nil {
		return nil, err
	}
	after, err := e.present(now, i, href)
	if err != nil {
		return nil, err
	}
	result, err := change(after)
	if err != nil {
		return nil, err
	}
	if err := new(measure).add(result, 0); err != nil {
		return nil, err
	}
	object, ok := result.(map[string]any)
	if !ok {
		return nil, fault.Invalidf("", "the patched resource is not a JSON object")
	}
	var found []fault.Detail
	for _, name := range e.fixed {
		if !equal(before[name], object[name]) {
			found = append(found, fault.Detail{Attribute: name, Message: "cannot be changed"})
		}
	}
	if found = append(found, e.Shape.Validate(result)...); len(found) > 0 {
		return nil, fault.InvalidAll(found)
	}
	e.Shape.dropNulls(object)
	if typ, _ := object["@type"].(string); typ == "" {
		object["@type"] = e.Shape.Name
	}
	if equal(before, object) {
		return now, nil
	}
	delete(object, "id")
	delete(object, "href")
	return encodeTree(object)
}

// present is the resource as the client sees it.
func (e *engine) present(now jsontext.Value, i id.ID, href string) (map[string]any, error) {
	tree, err := decodeTree(now)
	object, ok := tree.(map[string]any)
	if err != nil || !ok {
		return nil, fault.Internalf(err, unreadable)
	}
	object["id"], object["href"] = string(i), href
	return object, nil
}

func (e *engine) remove() op.Operation {
	o := e.operation("delete", http.MethodDelete, true, auth.Delete)
	o.Summary = "Delete " + article(e.noun())
	o.Params = append(o.Params, ifMatchParam())
	o.Status = http.StatusNoContent
	o.Errors = append(o.Errors, fault.Conflict, fault.Stale)
	o.Prepare = func(r *op.Request) (op.Call, error) {
		i := id.ID(r.Path["id"])
		return func(ctx context.Context) (*op.Response, error) {
			version, err := e.expected(ctx, i, r.Header["If-Match"])
			if err != nil {
				return nil, err
			}
			if len(e.within) > 0 {
				if _, err := e.doc(ctx, i); err != nil {
					return nil, err
				}
			}
			return &op.Response{}, e.Set.Delete(ctx, i, version)
		}, nil
	}
	return o
}
