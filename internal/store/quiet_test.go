package store_test

import (
	"context"
	"slices"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestAQuietKindLeavesNoAuditRecord(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(e, func(t *testing.T) {
			s := storetest.Open(t, e)
			kind := id.Kind{Name: "bucket", Prefix: "bkt"}
			buckets := store.NewCollection[doc](s, store.Definition{Kind: kind, Table: "bucket", Quiet: true})
			ctx, i := storetest.Context(1), id.New(kind, 3, s.Now(context.Background()))
			err := s.Write(ctx, func(ctx context.Context) error {
				d, err := buckets.Insert(ctx, i, object(`{"status":"active"}`))
				if err == nil {
					d, err = buckets.Update(ctx, i, d.Version, object(`{"status":"expired"}`))
				}
				if err == nil {
					err = buckets.Delete(ctx, i, d.Version)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if trail, err := s.Audit(ctx, i); err != nil || len(trail) != 0 {
				t.Fatalf("%d audit records (%v)", len(trail), err)
			}
		})
	}
}

func TestQuietEventsGoToWhoWantsThem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var all, typed, asked, wanted []string
		wants := false
		note := func(to *[]string) func(context.Context, event.Event) error {
			return func(_ context.Context, e event.Event) error { *to = append(*to, e.Type); return nil }
		}
		h.s.React(note(&all))
		h.s.React(note(&typed), "TopupBalanceCreateEvent")
		h.s.ReactIf(func(_ context.Context, e event.Event) (bool, error) {
			asked = append(asked, e.Type)
			return wants && e.Type == "BucketCreateEvent" && e.Domain == "prepay" && e.SPID == 1, nil
		}, note(&wanted))
		emit := func(quiet bool, types ...string) (kept []string) {
			all, typed, asked, wanted = nil, nil, nil, nil
			var ids []id.ID
			h.must(h.write(func(ctx context.Context) error {
				ids = nil
				for _, typ := range types {
					i := id.New(event.Kind, 3, h.s.Now(ctx))
					ids = append(ids, i)
					if err := h.s.Emit(ctx, event.Event{ID: i, Type: typ, Domain: "prepay", Subject: "bkt_x", Quiet: quiet}); err != nil {
						return err
					}
				}
				return nil
			}))
			for _, i := range ids {
				e, err := h.s.Event(h.ctx, i)
				if err == nil {
					kept = append(kept, e.Type)
				} else if fault.KindOf(err) != fault.NotFound {
					t.Fatal(err)
				}
			}
			return kept
		}
		check := func(what string, got []string, want ...string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		const bucket, topup, usage = "BucketCreateEvent", "TopupBalanceCreateEvent", "UsageCreateEvent"

		check("kept", emit(false, bucket, topup), bucket, topup)
		check("told of loud ones", all, bucket, topup)
		check("told of its type", typed, topup)
		check("told without being asked", wanted, bucket, topup)
		check("asked about loud ones", asked)

		check("kept quiet ones", emit(true, bucket, bucket, topup, usage), topup)
		check("told of quiet ones", all)
		check("told of its quiet type", typed, topup)
		check("asked once a type", asked, bucket, topup, usage)
		check("told of what it does not want", wanted)

		wants = true
		check("kept what is wanted", emit(true, bucket, usage, bucket), bucket, bucket)
		check("told of what it wants", wanted, bucket, bucket)
	})
}
