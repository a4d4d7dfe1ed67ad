package store_test

import (
	"context"
	"slices"
	"testing"

	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestTotalsAddUpTheWholeLedgerOfOneServiceProvider(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		post := func(spid int, kind, from, to string, amount int64) {
			t.Helper()
			ctx := storetest.Context(spid)
			err := s.Write(ctx, func(ctx context.Context) error {
				return s.Post(ctx, 3, store.Posting{CauseKind: kind, Cause: "1", Entries: []store.Entry{
					{Account: from, Unit: "CHF", Amount: -amount}, {Account: to, Unit: "CHF", Amount: amount},
				}})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		post(1, "topup", "sys:topup", "bkt_1", 20)
		post(1, "usage", "bkt_1", "sys:sales", 5)
		post(1, "usage", "bkt_2", "sys:sales", 7)
		post(2, "usage", "bkt_3", "sys:sales", 100)
		got, err := s.Totals(storetest.Context(1))
		want := []store.Total{
			{"", "CHF", "topup", 20, 1}, {"", "CHF", "usage", -12, 2}, {"sys:sales", "CHF", "usage", 12, 2}, {"sys:topup", "CHF", "topup", -20, 1},
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v, want %+v, %v", got, want, err)
		}
	})
}
