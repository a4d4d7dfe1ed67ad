package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// Many writes of one thing come together in whatever way the engine joins them; each is kept or undone for itself,
// and told so.
func TestWritesOfOneThingAreEachKeptOrUndone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const clients, writes = 24, 30
		var mu sync.Mutex
		kept := map[string]int64{} // by cause
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(1, uint64(c)))
				for n := range writes {
					cause := fmt.Sprint(c, "/", n)
					ok := h.oneOfAll(t, r.IntN(9), cause, c, n)
					if ok {
						mu.Lock()
						kept[cause] = 1
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		held, err := h.s.Balance(h.ctx, 3, "hot", "EUR")
		h.must(err)
		list, err := h.s.Postings(h.ctx, 3, store.History{Account: "hot", Unit: "EUR"})
		h.must(err)
		if held != int64(len(kept)) || len(list) != len(kept) {
			t.Fatalf("%d writes were acknowledged, %d postings are there, and the balance is %d", len(kept), len(list), held)
		}
		for _, p := range list {
			if kept[p.Cause]--; kept[p.Cause] != 0 {
				t.Fatalf("%s is there and was not acknowledged, or is there twice", p.Cause)
			}
		}
		if bad, err := h.s.Unbalanced(h.ctx); err != nil || len(bad) > 0 {
			t.Fatal(bad, err)
		}
	})
}

// oneOfAll writes to the hot account in one of all ways to end, and says whether it is to be kept.
func (h *house) oneOfAll(t *testing.T, way int, cause string, c, n int) bool {
	post := func(ctx context.Context) error {
		return h.s.Post(ctx, 3, posting(cause, entry("hot", 1), entry(fmt.Sprint("own", c), -1)))
	}
	expect := func(err, want error) {
		if !errors.Is(err, want) {
			t.Errorf("way %d: %v, want %v", way, err, want)
		}
	}
	switch way {
	case 0: // refused after it has written
		expect(h.write(func(ctx context.Context) error {
			if err := post(ctx); err != nil {
				return err
			}
			return errWanted
		}), errWanted)
		return false
	case 1: // refused before
		expect(h.write(func(context.Context) error { return errWanted }), errWanted)
		return false
	case 2: // a panic
		err := h.write(func(ctx context.Context) error {
			if err := post(ctx); err != nil {
				return err // it met another one, and is run again
			}
			panic("wanted")
		})
		if fault.KindOf(err) != fault.Internal {
			t.Errorf("a panic gives %v", err)
		}
		return false
	case 3: // a dry run
		ctx := store.WithCall(h.ctx, store.Call{DryRun: true})
		expect(h.s.Write(ctx, post), nil)
		return false
	case 4: // the caller goes away in the middle
		ctx, cancel := context.WithCancel(h.ctx)
		defer cancel()
		err := h.s.Write(ctx, func(ctx context.Context) error {
			if err := post(ctx); err != nil {
				return err
			}
			cancel()
			return ctx.Err()
		})
		if err == nil {
			t.Error("a write whose caller has gone was acknowledged")
		}
		return false
	case 5: // a part is undone, and the rest kept
		expect(h.write(func(ctx context.Context) error {
			_ = h.s.Write(ctx, func(ctx context.Context) error {
				if err := post(ctx); err != nil {
					return err
				}
				return errWanted
			})
			return post(ctx)
		}), nil)
	case 6: // a statement fails, and the caller makes nothing of it
		err := h.write(func(ctx context.Context) error {
			i := id.New(customerKind, 3, h.s.Now(ctx))
			_, err := h.customers.InsertMany(ctx, []store.Draft{{ID: i, Body: []byte(`{}`)}, {ID: i, Body: []byte(`{}`)}})
			if err == nil {
				return errors.New("an id was taken twice")
			}
			return post(ctx)
		})
		if fault.KindOf(err) != fault.Conflict {
			t.Errorf("what is half done is told as %v", err)
		}
		return false
	case 7: // under a key, twice
		key := store.Key{Client: "c", Value: cause}
		for again := range 2 {
			_, replayed, err := h.s.Once(h.ctx, key, func(ctx context.Context) (store.Answer, error) {
				return store.Answer{Status: 200}, post(ctx)
			})
			if expect(err, nil); replayed != (again == 1) {
				t.Errorf("call %d replayed: %v", again, replayed)
			}
		}
	default:
		expect(h.write(post), nil)
	}
	return true
}

// A body that ends the goroutine that carries it out fails alone.
func TestABodyThatEndsItsGoroutineFailsAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const clients = 12
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				for n := range 20 {
					cause := fmt.Sprint(c, "/", n)
					done := make(chan error, 1)
					go func() { // on a goroutine of its own: it may be the one that ends
						defer close(done)
						done <- h.write(func(ctx context.Context) error {
							if err := h.s.Post(ctx, 3, posting(cause, entry("hot", 1), entry("cold", -1))); err != nil {
								return err
							}
							if c == 0 {
								runtime.Goexit()
							}
							return nil
						})
					}()
					if err, told := <-done; (c == 0) == (told && err == nil) {
						t.Errorf("client %d: %v (told %v)", c, err, told)
					}
				}
			})
		}
		wg.Wait()
		if held, err := h.s.Balance(h.ctx, 3, "hot", "EUR"); err != nil || held != 20*(clients-1) {
			t.Fatalf("%d (%v)", held, err)
		}
	})
}

// Two nodes whose writes all meet.
func TestNodesWhoseWritesMeetAllComeThrough(t *testing.T) {
	url := storetest.URL(t, "postgres")
	var wg sync.WaitGroup
	var nodes []*store.Store
	for range 2 {
		s, err := store.Open(context.Background(), url, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, s)
	}
	for n, s := range nodes {
		for c := range 16 {
			wg.Go(func() {
				for i := range 10 {
					err := s.Write(storetest.Context(1), func(ctx context.Context) error {
						return s.Post(ctx, 3, posting(fmt.Sprint(n, c, i), entry("hot", 1), entry("cold", -1)))
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if held, err := nodes[0].Balance(storetest.Context(1), 3, "hot", "EUR"); err != nil || held != 320 {
		t.Fatalf("%d (%v)", held, err)
	}
	for _, s := range nodes {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
