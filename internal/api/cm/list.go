package cm

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/store"
)

type listOut struct {
	tmf630.Page
	Body []jsontext.Value
}

// listed are the documents of a page of the list at a path as they are kept, each with its address below items.
func listed(in desk.PageIn, path, items string, page store.Page) (*listOut, error) {
	out := &listOut{Page: in.Of(path, len(page.Items), page.Total), Body: []jsontext.Value{}}
	for _, d := range page.Items {
		body, err := shown(d, in.Request.BaseURL+items+"/"+string(d.ID))
		if err != nil {
			return nil, err
		}
		out.Body = append(out.Body, body)
	}
	return out, nil
}
