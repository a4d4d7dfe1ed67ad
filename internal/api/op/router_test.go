package op_test

import (
	"context"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/op"
)

type wayIn struct {
	ID string `path:"id"`
}

type wayOut struct {
	Body struct {
		Way string `json:"way"`
		ID  string `json:"id"`
	}
}

// Two ways may overlap: the one that was declared later is nearer, and neither hides anything of the other.
func TestWaysThatOverlap(t *testing.T) {
	f := desk()
	way := func(id, method, path string, aliases ...string) op.Operation {
		return op.Handle(op.Operation{ID: id, Facade: f, Method: method, Path: path, Aliases: aliases, Summary: id, Public: true, Status: 200},
			func(_ context.Context, in *wayIn) (*wayOut, error) {
				out := &wayOut{}
				out.Body.Way, out.Body.ID = id, in.ID
				return out, nil
			})
	}
	plain := op.Handle(op.Operation{ID: "plain", Facade: f, Method: "GET", Path: "/api/line/adjustment/reason", Summary: "plain", Public: true, Status: 200},
		func(context.Context, *struct{}) (*wayOut, error) {
			out := &wayOut{}
			out.Body.Way = "plain"
			return out, nil
		})
	h := serve(t, plain,
		way("history", "GET", "/api/line/{id}/history"),
		way("line", "GET", "/api/line/{id}"),
		way("adjustment", "GET", "/api/line/adjustment/{id}", "/api/v1/line/adjustment/{id}"),
		way("reason", "GET", "/api/line/adjustment/reason/{id}"),
		way("decide", "PATCH", "/api/line/adjustment/{id}"),
		way("limit", "PATCH", "/api/line/{id}/limit"),
	)
	for _, c := range []struct{ method, path, way, id string }{
		{"GET", "/api/line/7/history", "history", "7"},
		{"GET", "/api/line/adjustment", "line", "adjustment"},
		{"GET", "/api/line/adjustment/7", "adjustment", "7"},
		{"GET", "/api/v1/line/adjustment/7", "adjustment", "7"},
		{"GET", "/api//line/adjustment/history/", "adjustment", "history"},
		{"GET", "/api/line/adjustment/reason", "plain", ""},
		{"GET", "/api/line/adjustment/reason/7", "reason", "7"},
		{"PATCH", "/api/line/adjustment/7", "decide", "7"},
		{"PATCH", "/api/line/8/limit", "limit", "8"},
	} {
		h.answered(h.send(c.method, c.path, ""), 200, `{"way":"`+c.way+`","id":"`+c.id+`"}`)
	}
	for path, allow := range map[string]string{"/api/line/adjustment/7": "GET, HEAD, PATCH, OPTIONS", "/api/line/7/history": "GET, HEAD, OPTIONS"} {
		if w := h.send("DELETE", path, ""); w.Code != 405 || w.Header().Get("Allow") != allow {
			t.Errorf("DELETE %s: %d, Allow %q", path, w.Code, w.Header().Get("Allow"))
		}
	}
}
