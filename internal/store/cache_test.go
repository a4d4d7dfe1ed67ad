package store_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// Readers of every kind must never see a document older than the newest version that was acknowledged
// before they asked, never see time run backwards, and never see what was rolled back. The document says
// in its body what version it belongs to.
func TestReadsNeverGoBackwards(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const docs = 6
		const writers, readers = 4, 6
		writes := rounds(60)
		var ids [docs]id.ID
		var acknowledged [docs]atomic.Int64
		for i := range docs {
			ids[i] = h.customer(`{"v":1}`).ID
			acknowledged[i].Store(1)
		}
		stop := make(chan struct{})
		var reading, writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for n := range writes {
					i := (w + n) % docs
					version, err := h.bump(ids[i], n%7 == 6, n%5 == 4)
					if err != nil {
						t.Error(err)
						return
					}
					raise(&acknowledged[i], version)
				}
			})
		}
		for range readers {
			reading.Go(func() {
				var seen [docs]int64
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					i := n % docs
					floor := max(seen[i], acknowledged[i].Load())
					got, err := h.see(ids[i], n)
					if err != nil || got < floor {
						t.Errorf("saw version %d after %d: %v", got, floor, err)
						return
					}
					seen[i] = got
				}
			})
		}
		writing.Wait()
		close(stop)
		reading.Wait()
	})
}

func raise(a *atomic.Int64, to int64) {
	for {
		was := a.Load()
		if was >= to || a.CompareAndSwap(was, to) {
			return
		}
	}
}

// bump writes the next version of a document, and returns the one acknowledged; or one that is rolled back
// or only tried.
func (h *house) bump(i id.ID, fail, dry bool) (version int64, err error) {
	ctx := h.ctx
	if dry {
		ctx = store.WithCall(ctx, store.Call{DryRun: true})
	}
	err = h.s.Write(ctx, func(ctx context.Context) error {
		d, err := h.customers.Doc(ctx, i)
		if err != nil {
			return err
		}
		body := fmt.Sprintf(`{"v":%d}`, d.Version+1)
		if fail || dry {
			body = `{"v":-1}`
		}
		up, err := h.customers.Update(ctx, i, d.Version, object("%s", body))
		version = up.Version
		if err == nil && fail {
			return errWanted
		}
		return err
	})
	if fail && errors.Is(err, errWanted) || dry && err == nil {
		return 0, nil
	}
	return version, err
}

// see reads a document one way or another and gives its version.
func (h *house) see(i id.ID, way int) (int64, error) {
	var d store.Doc
	var err error
	switch way % 3 {
	case 0, 1:
		d, err = h.customers.Doc(h.ctx, i)
	case 2:
		var p store.Page
		p, err = h.customers.Docs(h.ctx, store.Query{Filters: []store.Filter{filter("id", store.Eq, string(i))}, NoTotal: true})
		if err == nil && len(p.Items) == 1 {
			d = p.Items[0]
		}
	}
	if err != nil {
		return 0, err
	}
	if want := `{"v":` + strconv.FormatInt(d.Version, 10) + `}`; string(d.Body) != want {
		return 0, fmt.Errorf("version %d has the body %s", d.Version, d.Body)
	}
	return d.Version, nil
}

func TestCacheMayBeOff(t *testing.T) {
	h := open(t, "sqlite", func(o *store.Options) { o.CacheBytes, o.Group, o.Readers = -1, 1, 1 })
	d := h.customer(`{"name":"a"}`)
	got, err := h.customers.Doc(h.ctx, d.ID)
	h.must(err)
	if got.Version != 1 {
		t.Fatal(got)
	}
}
