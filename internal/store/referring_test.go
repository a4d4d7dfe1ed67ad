package store_test

import (
	"slices"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestWhoRefersToADocument(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		jane := h.insert(h.parties, partyKind, `{"familyName":"Doe"}`)
		joe := h.insert(h.parties, partyKind, `{"familyName":"Roe"}`)
		var want []id.ID
		for range 3 {
			want = append(want, h.customer(`{"name":"x","engagedParty":{"id":"%s"},"contact":{"id":"%s"}}`, jane.ID, jane.ID).ID)
		}
		h.customer(`{"name":"y","engagedParty":{"id":"%s"}}`, joe.ID)
		h.insert(h.orders, orderKind, `{"payer":{"id":"%s"},"customer":{"id":"%s"}}`, jane.ID, want[0])
		slices.Sort(want)
		got, err := h.s.Referring(h.ctx, jane.ID, customerKind)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v %v, want %v", got, err, want)
		}
		if got, err := h.s.Referring(h.ctx, want[0], orderKind); err != nil || len(got) != 0 {
			t.Errorf("a loose reference: %v %v", got, err)
		}
		if got, err := h.s.Referring(storetest.Context(2), jane.ID, customerKind); err != nil || len(got) != 0 {
			t.Errorf("another service provider: %v %v", got, err)
		}
		if _, err := h.s.Referring(h.ctx, "elsewhere", customerKind); err == nil {
			t.Error("what is not demarc's own is referred to")
		}
	})
}
