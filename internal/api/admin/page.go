package admin

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/demarc-bss/demarc/internal/api/op"
)

// pageIn is the part of a list that a caller asks for (TMF630 part 1, "Paging").
type pageIn struct {
	Request *op.Request
	Offset  int `query:"offset" minimum:"0" doc:"How many to skip."`
	Limit   int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most to answer with."`
}

// pageOut is what an answer says of the list that it is a part of. It is 206 when the caller asked for a part
// and there is more than that.
type pageOut struct {
	Status int
	Total  string `header:"X-Total-Count" doc:"How many there are in all."`
	Count  string `header:"X-Result-Count" doc:"How many the answer has."`
	Link   string `header:"Link" doc:"The pages before and after (RFC 8288)."`
}

func (in pageIn) out(path string, count int, total int64) pageOut {
	p := pageOut{Status: http.StatusOK, Total: strconv.FormatInt(total, 10), Count: strconv.Itoa(count)}
	query := in.Request.Query
	if (query.Has("offset") || query.Has("limit")) && int64(count) < total {
		p.Status = http.StatusPartialContent
	}
	p.Link = in.link(path, "self", in.Offset)
	if in.Offset > 0 {
		p.Link += ", " + in.link(path, "prev", max(0, in.Offset-in.Limit))
	}
	if int64(in.Offset+count) < total && count > 0 {
		p.Link += ", " + in.link(path, "next", in.Offset+count)
	}
	return p
}

func (in pageIn) link(path, rel string, offset int) string {
	q := url.Values{"offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(in.Limit)}}
	for name, values := range in.Request.Query {
		if !q.Has(name) {
			q[name] = values
		}
	}
	return "<" + in.Request.BaseURL + path + "?" + q.Encode() + `>; rel="` + rel + `"`
}

// part is the page's part of a whole list.
func part[T any](in pageIn, all []T) []T {
	from := min(in.Offset, len(all))
	return all[from:min(from+in.Limit, len(all))]
}
