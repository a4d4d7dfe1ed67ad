package desk

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// PageIn asks for a page of a list.
type PageIn struct {
	Request *op.Request
	Offset  int `query:"offset" minimum:"0" doc:"How many to skip."`
	Limit   int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most to answer with."`
}

// Of tells which page of a list at a path it is that has so many items, of so many in all.
func (p PageIn) Of(path string, items int, total int64) tmf630.Page {
	return tmf630.PageOf(p.Request, path, p.Offset, p.Limit, items, total)
}

// Pages is what the lists of this façade answer with beside 200.
func Pages() map[int]string { return map[int]string{http.StatusPartialContent: "A page of them."} }

// Said refuses filters without a value, as TMF630's lists do: what a client left empty would list everything.
func Said(r *op.Request, filters ...string) error {
	var wrong fault.Several
	for _, name := range filters {
		if r.Query.Has(name) && r.Query.Get(name) == "" {
			wrong.Invalidf(name, "a value is missing")
		}
	}
	return wrong.Err()
}

// Viewed are the documents of a page as one of their views.
func Viewed[T, V any](page store.Page, view func(i id.ID, v T) V) ([]V, error) {
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
