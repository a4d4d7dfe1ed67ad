package balance

import (
	"context"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestTheCodeOfAVoucherIsNotKeptInATopUp(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		of := h.holder(ctx, t)
		h.open(ctx, t, of, "monetary", "CHF", 0)
		d, err := h.Topups.Create(ctx, jsontext.Value(`{"voucher":"1234567890123456","product":[{"id":"`+string(of.Subscription)+`"}],"amount":{"amount":5,"units":"CHF"}}`))
		if err != nil {
			t.Fatal(err)
		}
		trail, err := h.store.Audit(ctx, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range trail {
			if strings.Contains(string(r.After), "1234567890123456") {
				t.Errorf("the audit trail shows the code: %s", r.After)
			}
		}
		if v, _, err := h.Topups.Get(ctx, d.ID); err != nil || v.Status != Failed || strings.Contains(string(d.Body), "1234567890123456") {
			t.Errorf("%s %v: %s", v.Status, err, d.Body)
		}
	})
}
