package usage_test

import (
	"context"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/usage"
)

// Records come after what they tell of: a bundle that was good then pays, as long as it has not lapsed.
func TestABundleThatWasGoodThenPaysUntilItLapses(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "5")
		end := began.Add(time.Hour)
		bundle := d.grant(ctx, t, p, balance.Grant{Name: "Data", UsageType: rating.Data, Unit: "bytes", Amount: 5_000_000, End: &end})
		record := func(name string, at time.Time) usage.Record {
			return usage.Record{ID: name, Source: "test", MSISDN: string(p.number), UsageType: rating.Data, Quantity: 1_000_000, Start: at}
		}
		d.clock.Set(end) // it ends, and nobody has taken what is left
		d.ingest(ctx, t, record("before", end.Add(-time.Minute)), record("after", end))
		d.holds(ctx, t, bundle, 4_000_000)
		d.holds(ctx, t, p.money, chf("4").Micros())

		err := d.Store.Write(ctx, func(ctx context.Context) error {
			w, err := d.Balances.Wallet(ctx, p.line)
			if err != nil {
				return err
			}
			if err := w.Expire(end); err != nil {
				return err
			}
			return d.Balances.Save(ctx, w)
		})
		if err != nil {
			t.Fatal(err)
		}
		d.ingest(ctx, t, record("too late", end.Add(-time.Minute)))
		d.holds(ctx, t, bundle, 0)
		d.holds(ctx, t, p.money, chf("3").Micros())
	})
}
