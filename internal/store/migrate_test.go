package store_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestNodesThatStartTogetherMigrateOnce(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(e, func(t *testing.T) {
			url, ctx := storetest.Empty(t, e), context.Background()
			var nodes []*store.Store
			for range 4 {
				s, err := store.Open(ctx, url, store.Options{Readers: 1, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				nodes = append(nodes, s)
			}
			if err := nodes[0].Ping(ctx); fault.KindOf(err) != fault.Unavailable {
				t.Fatal("Ping of an empty database:", err)
			}
			planned, err := nodes[0].Migrate(ctx, true)
			if err != nil || len(planned) == 0 || !planned[0].Applied.IsZero() {
				t.Fatal("dry run:", planned, err)
			}
			all, err := nodes[0].Migrations(ctx)
			if err != nil || len(all) != len(planned) || !all[0].Applied.IsZero() {
				t.Fatal("after a dry run:", all, err)
			}
			var wg sync.WaitGroup
			var mu sync.Mutex
			taken := 0
			for _, s := range nodes {
				wg.Go(func() {
					steps, err := s.Migrate(ctx, false)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					taken += len(steps)
					mu.Unlock()
				})
			}
			wg.Wait()
			if taken != len(planned) {
				t.Fatalf("%d steps taken, want %d", taken, len(planned))
			}
			for _, s := range nodes {
				if err := s.Ping(ctx); err != nil {
					t.Error(err)
				}
			}
			if all, err = nodes[0].Migrations(ctx); err != nil || all[len(all)-1].Applied.IsZero() {
				t.Fatal(all, err)
			}
		})
	}
}

func TestStoreReopensWhatItKept(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(e, func(t *testing.T) {
			url, ctx := storetest.URL(t, e), storetest.Context(1)
			var kept store.Doc
			for round := range 2 {
				s, err := store.Open(ctx, url, store.Options{Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.Migrate(ctx, false); err != nil {
					t.Fatal(err)
				}
				h := &house{t: t, s: s, ctx: ctx, customers: store.NewCollection[doc](s, customers)}
				if round == 0 {
					kept = h.customer(`{"name":"kept"}`)
				} else if got, err := h.customers.Doc(ctx, kept.ID); err != nil || string(got.Body) != string(kept.Body) {
					t.Fatal(got, err)
				}
				h.must(s.Close())
				h.must(s.Close())
			}
		})
	}
}

func TestURLsThatCannotBe(t *testing.T) {
	for _, url := range []string{"", "mysql://x", "sqlite:", "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"} {
		if s, err := store.Open(context.Background(), url, store.Options{}); err == nil {
			_ = s.Close()
			t.Errorf("%q was opened", url)
		}
	}
}
