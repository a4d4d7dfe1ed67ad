package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// named is what a party's document is decoded into here.
func (h *house) named(i id.ID) string {
	h.t.Helper()
	v, err := h.parties.Shared(h.ctx, i)
	if err != nil {
		h.t.Fatal(err)
	}
	return string((*v)["familyName"])
}

func TestASharedValueIsThatOfTheDocument(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var i id.ID
		put := func(name string, version int64, fails error) {
			t.Helper()
			err := h.s.Write(h.ctx, func(ctx context.Context) error {
				body := fmt.Appendf(nil, `{"familyName":%q}`, name)
				if version == 0 {
					i = id.New(partyKind, 7, h.s.Now(ctx))
					_, err := h.parties.InsertEncoded(ctx, i, body)
					return err
				}
				if _, err := h.parties.UpdateEncoded(ctx, i, version, body); err != nil {
					return err
				}
				if v, err := h.parties.Shared(ctx, i); err != nil || string((*v)["familyName"]) != fmt.Sprintf("%q", name) {
					t.Errorf("in its transaction it is %v, %v instead of %s", v, err, name)
				}
				return fails
			})
			if !errors.Is(err, fails) {
				t.Fatal(err)
			}
		}
		put("Lovelace", 0, nil)
		if a, b := h.named(i), h.named(i); a != `"Lovelace"` || b != a {
			t.Errorf("it is %s, then %s", a, b)
		}
		put("Byron", 1, errWanted) // the same version as the next
		if got := h.named(i); got != `"Lovelace"` {
			t.Errorf("after what was undone it is %s", got)
		}
		put("King", 1, nil)
		if got := h.named(i); got != `"King"` {
			t.Errorf("after a change it is %s", got)
		}
	})
}
