package tmf630

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
)

// Paging bounds lists.
type Paging struct {
	// First is how many items a list has when the client names no limit (default 100).
	First int
	// Most is the most items of one answer (default 1,000): a larger limit is cut to it, which
	// X-Result-Count and the next link show.
	Most int
}

// page is the part of a list that a client asks for.
type page struct {
	offset, limit int
	// asked: the client named offset or limit, so a part is answered with 206.
	asked bool
}

func (b Paging) parse(query url.Values) (page, error) {
	p := page{limit: b.First}
	var found []fault.Detail
	read := func(name string, into *int) {
		values, ok := query[name]
		if !ok {
			return
		}
		p.asked = true
		n, err := strconv.Atoi(values[len(values)-1])
		if err != nil || n < 0 {
			found = append(found, fault.Detail{Attribute: name, Message: name + " must be a whole number, 0 or more"})
			return
		}
		*into = n
	}
	read(paramOffset, &p.offset)
	read(paramLimit, &p.limit)
	p.limit = min(p.limit, b.Most)
	return p, fault.InvalidAll(found)
}

// Page is what a list that is no Resource's says of itself; embed it in the output of a typed operation.
type Page struct {
	Status int
	Total  string `header:"X-Total-Count"`
	Count  string `header:"X-Result-Count"`
	Links  string `header:"Link"`
}

// PageOf is the page of a list at path of which count items, out of total, are answered with.
func PageOf(r *op.Request, path string, offset, limit, count int, total int64) Page {
	p := page{offset: offset, limit: limit, asked: r.Query.Has(paramOffset) || r.Query.Has(paramLimit)}
	return Page{
		Status: p.status(count, total), Total: strconv.FormatInt(total, 10), Count: strconv.Itoa(count),
		Links: p.links(r.BaseURL+path, r.Query, int(total)),
	}
}

// parseSort reads sort=-status,+name: dotted paths, ascending unless a minus stands before.
func parseSort(query url.Values, shape *Shape) ([]store.Sort, error) {
	var sorts []store.Sort
	for _, value := range query[paramSort] {
		for key := range strings.SplitSeq(value, ",") {
			if key == "" {
				continue
			}
			s := store.Sort{Desc: key[0] == '-'}
			key = strings.TrimLeft(key, "+- ") // a + that is not encoded arrives as a space
			if key == "href" {
				key = "id" // they order alike: an href ends in its id
			}
			s.Path = strings.Split(key, ".")
			if err := checkPath(paramSort, s.Path); err != nil {
				return nil, fault.Invalidf(paramSort, "%q is not the name of an attribute", key)
			}
			if shape != nil {
				t, _, wrong := shape.At(s.Path)
				if wrong {
					return nil, fault.Invalidf(paramSort, "%s is no attribute: what stands before its last dot has none", key)
				}
				if s.Type = t.comparison(); s.Type == store.Moment {
					s.Type = store.Any
				}
			}
			sorts = append(sorts, s)
		}
	}
	if len(sorts) > 8 {
		return nil, fault.Invalidf(paramSort, "sort takes at most 8 attributes")
	}
	return sorts, nil
}

// header makes the paging headers of a list of which count items, out of total, are in the answer.
func (p page) header(address string, query url.Values, count int, total int64) http.Header {
	h := http.Header{}
	h["X-Total-Count"] = []string{strconv.FormatInt(total, 10)}
	h["X-Result-Count"] = []string{strconv.Itoa(count)}
	h["Link"] = []string{p.links(address, query, int(total))}
	return h
}

// status is 206 only when the client asked for a page and got a part of the list.
func (p page) status(count int, total int64) int {
	if p.asked && int64(count) < total {
		return http.StatusPartialContent
	}
	return http.StatusOK
}

// links are the pages of the list that the client can go on to (RFC 8288); all other parameters are kept.
func (p page) links(address string, query url.Values, total int) string {
	kept := url.Values{}
	for name, values := range query {
		if name != paramOffset && name != paramLimit {
			kept[name] = values
		}
	}
	var b strings.Builder
	add := func(rel string, offset int) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		kept[paramOffset] = []string{strconv.Itoa(offset)}
		kept[paramLimit] = []string{strconv.Itoa(p.limit)}
		b.WriteString("<" + address + "?" + kept.Encode() + `>; rel="` + rel + `"`)
	}
	add("self", p.offset)
	if p.limit == 0 {
		return b.String()
	}
	add("first", 0)
	last := 0
	if total > 0 {
		last = (total - 1) / p.limit * p.limit
	}
	if p.offset > 0 {
		add("prev", max(0, min(p.offset-p.limit, last)))
	}
	if p.offset < total-p.limit {
		add("next", p.offset+p.limit)
	}
	add("last", last)
	return b.String()
}
