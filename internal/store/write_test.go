package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }

// count is how many customers there are, by the tally and by looking.
func (h *house) count() int {
	h.t.Helper()
	p, err := h.customers.Docs(h.ctx, store.Query{})
	h.must(err)
	if int64(len(p.Items)) != p.Total {
		h.t.Fatalf("the tally says %d, there are %d", p.Total, len(p.Items))
	}
	return len(p.Items)
}

func (h *house) add(ctx context.Context, name string) error {
	_, err := h.customers.Insert(ctx, id.New(customerKind, id.RandomHome(), h.s.Now(ctx)), object(`{"name":%q}`, name))
	return err
}

var errWanted = errors.New("wanted")

func TestWriteKeepsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.must(h.write(func(ctx context.Context) error { return h.add(ctx, "a") }))
		err := h.write(func(ctx context.Context) error {
			h.must(h.add(ctx, "b"))
			p, err := h.customers.Docs(ctx, store.Query{})
			if err != nil || p.Total != 2 || len(p.Items) != 2 {
				t.Errorf("a Write does not see its own changes: %v %v", p, err)
			}
			return errWanted
		})
		if !errors.Is(err, errWanted) || h.count() != 1 {
			t.Fatalf("%v, %d customers", err, h.count())
		}
	})
}

func TestInnerWriteUndoesItselfAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.must(h.write(func(ctx context.Context) error {
			h.must(h.add(ctx, "outer"))
			err := h.s.Write(ctx, func(ctx context.Context) error {
				h.must(h.add(ctx, "inner"))
				h.must(h.s.Write(ctx, func(ctx context.Context) error { return h.add(ctx, "innermost") }))
				return errWanted
			})
			if !errors.Is(err, errWanted) {
				t.Errorf("inner: %v", err)
			}
			h.must(h.s.Write(ctx, func(ctx context.Context) error { return h.add(ctx, "second") }))
			return h.s.Write(ctx, func(context.Context) error { return nil })
		}))
		if n := h.count(); n != 2 {
			t.Fatalf("%d customers, want outer and second", n)
		}
	})
}

func TestPanicIsAnErrorOfItsOwnWrite(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				err := h.write(func(ctx context.Context) error {
					if err := h.add(ctx, "x"); err != nil {
						return err
					}
					if i%2 == 0 {
						return h.s.Write(ctx, func(ctx context.Context) error { panic("no") })
					}
					return nil
				})
				if i%2 == 0 {
					if fault.KindOf(err) != fault.Internal || !strings.Contains(err.Error(), "panic: no") {
						t.Errorf("panic became %v", err)
					}
				} else if err != nil {
					t.Errorf("a neighbour failed: %v", err)
				}
			})
		}
		wg.Wait()
		if n := h.count(); n != 10 {
			t.Fatalf("%d customers, want 10", n)
		}
	})
}

func TestGoroutineEndingInAWriteHurtsNobody(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = h.write(func(ctx context.Context) error {
				if err := h.add(ctx, "gone"); err != nil {
					t.Error(err)
				}
				runtime.Goexit()
				return nil
			})
		}()
		<-done
		h.customer(`{"name":"after"}`)
		if n := h.count(); n != 1 {
			t.Fatalf("%d customers, want 1", n)
		}
	})
}

func TestDryRunDecidesAndLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		nudged := false
		h.s.OnJobs(func() { nudged = true })
		ctx := store.WithCall(h.ctx, store.Call{DryRun: true})
		var i id.ID
		h.must(h.s.Write(ctx, func(ctx context.Context) error {
			d, err := h.customers.Insert(ctx, id.New(customerKind, 5, h.s.Now(ctx)), object(`{"name":"dry"}`))
			h.must(err)
			i = d.ID
			_, err = h.s.Enqueue(ctx, 5, jobOf("k", ""))
			h.must(err)
			_, err = h.customers.Doc(ctx, i)
			return err
		}))
		_, err := h.customers.Doc(h.ctx, i)
		refused(t, err, fault.NotFound, fault.CodeNotFound, "")
		if h.count() != 0 || nudged {
			t.Fatal("a dry run left something")
		}
		refused(t, h.s.Write(ctx, func(context.Context) error { return fault.Invalidf("x", "no") }), fault.Invalid, fault.CodeInvalid, "x")
	})
}

func TestWriteGivenUpBeforeItStartedNeverRuns(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, cancel := context.WithCancel(h.ctx)
		cancel()
		err := h.s.Write(ctx, func(context.Context) error { t.Error("it ran"); return nil })
		refused(t, err, fault.Unavailable, fault.CodeUnavailable, "")
	})
	h := open(t, "sqlite")
	started, release := make(chan struct{}), make(chan struct{})
	go h.write(func(context.Context) error { close(started); <-release; return nil }) //nolint:errcheck // only to be in the way
	<-started
	ctx, cancel := context.WithTimeout(h.ctx, 20*time.Millisecond)
	defer cancel()
	err := h.s.Write(ctx, func(context.Context) error { t.Error("it ran"); return nil })
	close(release)
	refused(t, err, fault.Unavailable, fault.CodeUnavailable, "")
	h.customer(`{}`)
}

func TestChangesOutsideAWriteAreRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.customer(`{"name":"a"}`)
		no := func(err error) { t.Helper(); refused(t, err, fault.Internal, fault.CodeInternal, "") }
		no(h.add(h.ctx, "x"))
		no(h.customers.Delete(h.ctx, d.ID, 1))
		no(h.s.Claim(h.ctx, "k", "v", d.ID))
		no(h.s.Snapshot(h.ctx, func(ctx context.Context) error {
			return h.s.Write(ctx, func(ctx context.Context) error { return h.add(ctx, "x") })
		}))
	})
}

func TestSnapshotStandsStill(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.customer(`{"name":"a"}`)
		h.must(h.s.Snapshot(h.ctx, func(ctx context.Context) error {
			before, err := h.customers.Docs(ctx, store.Query{})
			h.must(err)
			h.must(h.write(func(ctx context.Context) error {
				if _, err := h.customers.Update(ctx, d.ID, 1, object(`{"name":"b"}`)); err != nil {
					return err
				}
				return h.add(ctx, "c")
			}))
			after, err := h.customers.Docs(ctx, store.Query{})
			h.must(err)
			one, err := h.customers.Doc(ctx, d.ID)
			h.must(err)
			if before.Total != 1 || after.Total != 1 || len(after.Items) != 1 || one.Version != 1 {
				t.Errorf("the snapshot moved: %+v %+v %+v", before, after, one)
			}
			return nil
		}))
		if h.count() != 2 {
			t.Fatal("the write within the snapshot's time was lost")
		}
	})
}

func TestOneMomentATransaction(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.must(h.write(func(ctx context.Context) error {
			now := h.s.Now(ctx)
			h.at.Advance(time.Hour)
			if !h.s.Now(ctx).Equal(now) || h.s.Now(h.ctx).Equal(now) {
				t.Error("time passed within the transaction, or stood still outside")
			}
			d, err := h.customers.Insert(ctx, id.New(customerKind, 1, now), object(`{}`))
			if !d.Created.Equal(now) {
				t.Errorf("created %v, want %v", d.Created, now)
			}
			return err
		}))
	})
}

// Writers that read before they write must come out as if one came after the other.
func TestWritesAreSerializable(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.customer(`{"n":0}`)
		const writers, rounds = 8, 10
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range rounds {
					err := h.write(func(ctx context.Context) error {
						v, at, err := h.customers.Get(ctx, d.ID)
						if err != nil {
							return err
						}
						n := len(v["n"])
						_, err = h.customers.Update(ctx, d.ID, at.Version, object(`{"n":%s}`, strings.Repeat("1", n+1)[:min(n+1, 60)]))
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		got, err := h.customers.Doc(h.ctx, d.ID)
		h.must(err)
		if got.Version != 1+writers*rounds {
			t.Fatalf("version %d after %d updates", got.Version, writers*rounds)
		}
	})
}

func TestCloseWaitsForWrites(t *testing.T) {
	for _, e := range storetest.Engines {
		t.Run(e, func(t *testing.T) {
			h := open(t, e)
			started, done := make(chan struct{}), make(chan error, 1)
			go func() {
				done <- h.write(func(ctx context.Context) error {
					close(started)
					time.Sleep(20 * time.Millisecond)
					return h.add(ctx, "last")
				})
			}()
			<-started
			h.must(h.s.Close())
			h.must(<-done)
			refused(t, h.write(func(context.Context) error { return nil }), fault.Unavailable, fault.CodeUnavailable, "")
			_, err := h.customers.Docs(h.ctx, store.Query{})
			refused(t, err, fault.Unavailable, fault.CodeUnavailable, "")
		})
	}
}

func TestRollbackOfOneLeavesItsGroup(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				err := h.write(func(ctx context.Context) error {
					if err := h.add(ctx, "x"); err != nil {
						return err
					}
					if i%4 == 0 {
						return errWanted
					}
					return nil
				})
				if (i%4 == 0) != errors.Is(err, errWanted) || i%4 != 0 && err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if n := h.count(); n != 48 {
			t.Fatalf("%d customers, want 48", n)
		}
	})
}
