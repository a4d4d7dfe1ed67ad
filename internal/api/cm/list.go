package cm

import (
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// pageIn asks for a page of a list.
type pageIn struct {
	Request *op.Request
	Offset  int `query:"offset" minimum:"0" doc:"How many to skip."`
	Limit   int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most to answer with."`
}

// of tells which page of a list at a path it is that has so many items, of so many in all.
func (p pageIn) of(path string, items int, total int64) tmf630.Page {
	return tmf630.PageOf(p.Request, path, p.Offset, p.Limit, items, total)
}

type listOut struct {
	tmf630.Page
	Body []jsontext.Value
}

// pages is what the lists of this façade answer with beside 200.
func pages() map[int]string { return map[int]string{http.StatusPartialContent: "A page of them."} }

// said refuses filters without a value, as TMF630's lists do: what a client left empty would list everything.
func said(r *op.Request, filters ...string) error {
	var wrong fault.Several
	for _, name := range filters {
		if r.Query.Has(name) && r.Query.Get(name) == "" {
			wrong.Invalidf(name, "a value is missing")
		}
	}
	return wrong.Err()
}

// listed are the documents of a page of the list at a path as they are kept, each with its address below items.
func listed(in pageIn, path, items string, page store.Page) (*listOut, error) {
	out := &listOut{Page: in.of(path, len(page.Items), page.Total), Body: []jsontext.Value{}}
	for _, d := range page.Items {
		body, err := shown(d, in.Request.BaseURL+items+"/"+string(d.ID))
		if err != nil {
			return nil, err
		}
		out.Body = append(out.Body, body)
	}
	return out, nil
}

// viewed are the documents of a page as one of their views.
func viewed[T, V any](page store.Page, view func(i id.ID, v T) V) ([]V, error) {
	out := make([]V, 0, len(page.Items))
	for _, d := range page.Items {
		var v T
		if err := json.Unmarshal(d.Body, &v); err != nil {
			return nil, fault.Internalf(err, "the stored %s cannot be read", d.ID)
		}
		out = append(out, view(d.ID, v))
	}
	return out, nil
}
