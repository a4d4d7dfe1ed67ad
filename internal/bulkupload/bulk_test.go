//go:build bulk

package bulkupload

import (
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// many is how many rows a large file has.
const many = 100_000

func TestAHundredThousand(t *testing.T) {
	for of, file := range map[string]func() string{
		SIMs:        func() string { return simFile(0, many) },
		Subscribers: func() string { return subscriberFile(many) },
	} {
		t.Run(of, func(t *testing.T) {
			text := file()
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				d := newDesk(t, s)
				began := clock.Real{}.Now()
				u, _, _, err := d.Begin(d.ctx, Upload{Of: of, Digest: of, Size: int64(len(text))}, false)
				if err != nil {
					t.Fatal(err)
				}
				for !d.see(u).Ended() {
					if _, err := d.Step(d.ctx, u, strings.NewReader(text)); err != nil {
						t.Fatal(err)
					}
				}
				took := clock.Real{}.Now().Sub(began)
				t.Logf("%d %s on %s in %s: %.0f a second", many, of, s.Engine(), took, many/took.Seconds())
				if v := d.see(u); v.Added != many || v.Bad != 0 {
					t.Errorf("%+v", v)
				}
				if of == SIMs {
					if n := d.count(d.Inventory.SIMs.Docs, "available"); n != many {
						t.Errorf("%d SIMs are available", n)
					}
					return
				}
				if n := d.count(d.Subscriptions.Lines.Docs, ""); n != many {
					t.Errorf("%d lines", n)
				}
				wrong, err := s.Unbalanced(d.ctx)
				if err != nil || len(wrong) > 0 {
					t.Errorf("the ledger: %v %v", wrong, err)
				}
			})
		})
	}
}
