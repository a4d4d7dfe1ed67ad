package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/worker"
)

const sandbox = 7

// diary is what jobs did, and when by their service provider's clock.
type diary struct {
	mu   sync.Mutex
	list []string
}

func (d *diary) note(text string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, text+" "+at.Format("01-02 15:04"))
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.list)
}

func (h *house) begin(spid int, isSandbox bool) context.Context {
	h.Helper()
	ctx := storetest.Context(spid)
	if err := h.store.Write(ctx, func(ctx context.Context) error { return h.store.BeginClock(ctx, isSandbox) }); err != nil {
		h.Fatal(err)
	}
	return ctx
}

func (h *house) enqueue(ctx context.Context, j job.Job) {
	h.Helper()
	err := h.store.Write(ctx, func(ctx context.Context) error {
		_, err := h.store.Enqueue(ctx, id.RandomHome(), j)
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) move(ctx context.Context, to time.Time) {
	h.Helper()
	if _, err := h.store.MoveClock(ctx, to); err != nil {
		h.Fatal(err)
	}
}

func (h *house) dial(ctx context.Context) store.SandboxClock {
	h.Helper()
	c, err := h.store.Clock(ctx)
	if err != nil {
		h.Fatal(err)
	}
	return c
}

func TestASandboxHasATimeOfItsOwn(t *testing.T) {
	onEach(t, func(h *house) {
		own, real := h.begin(sandbox, true), h.begin(1, false)
		h.clock.Advance(time.Hour)
		if now := h.store.Now(own); !now.Equal(start) {
			t.Fatalf("the sandbox's time did not stand: %s", now)
		}
		if now := h.store.Now(real); !now.Equal(start.Add(time.Hour)) {
			t.Fatalf("the real service provider's time is %s", now)
		}
		h.move(own, start.AddDate(1, 0, 0))
		h.drain(h.worker(worker.Options{}))
		err := h.store.Write(own, func(ctx context.Context) error {
			if now := h.store.Now(ctx); !now.Equal(start.AddDate(1, 0, 0)) {
				return fmt.Errorf("the time in a transaction is %s", now)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if now := h.store.Now(real); !now.Equal(start.Add(time.Hour)) {
			t.Fatalf("the sandbox took another's time along: %s", now)
		}
		_, err = h.store.MoveClock(own, start)
		refusedAs(t, err, fault.Invalid, fault.CodeInvalid)
		_, err = h.store.MoveClock(own, start.AddDate(12, 0, 0))
		refusedAs(t, err, fault.Invalid, fault.CodeInvalid)
		_, err = h.store.MoveClock(real, start.AddDate(1, 0, 0))
		refusedAs(t, err, fault.Conflict, store.CodeNoSandbox)
		_, err = h.store.Clock(real)
		refusedAs(t, err, fault.Conflict, store.CodeNoSandbox)
		_, err = h.store.Clock(storetest.Context(99))
		refusedAs(t, err, fault.Conflict, store.CodeNoSandbox)
	})
}

func refusedAs(t *testing.T, err error, kind fault.Kind, code fault.Code) {
	t.Helper()
	if f := fault.From(err); err == nil || f.Kind != kind || f.Code != code {
		t.Fatalf("%v, want %v %s", err, kind, code)
	}
}

func TestAClockThatIsMovedStopsWhereWorkIsDue(t *testing.T) {
	onEach(t, func(h *house) {
		own := h.begin(sandbox, true)
		var d diary
		w := h.worker(worker.Options{})
		w.HandleInTx("renew", func(ctx context.Context, _ job.Job) error {
			now := h.store.Now(ctx)
			d.note("renew", now)
			if _, err := h.store.Enqueue(ctx, 1, job.Job{Kind: "renew", RunAt: now.AddDate(0, 1, 0)}); err != nil {
				return err
			}
			_, err := h.store.Enqueue(ctx, 1, job.Job{Kind: "notify"})
			return err
		})
		w.Handle("notify", func(ctx context.Context, _ job.Job) error {
			d.note("notify", h.store.Now(ctx))
			return nil
		})
		h.enqueue(own, job.Job{Kind: "renew", RunAt: start.AddDate(0, 0, 1)})
		h.enqueue(own, job.Job{Kind: "notify", RunAt: start.AddDate(0, 0, 1).Add(30 * time.Minute)})
		h.clock.Advance(24 * 365 * time.Hour)
		h.drain(w)
		if got := d.read(); len(got) != 0 {
			t.Fatalf("the machine's clock moved a sandbox: %v", got)
		}
		to := start.AddDate(0, 2, 3)
		h.move(own, to)
		_, err := h.store.MoveClock(own, to.AddDate(0, 0, 1))
		refusedAs(t, err, fault.Conflict, store.CodeClockMoving)
		if c := h.dial(own); !c.Moving || !c.Target.Equal(to) || !c.Now.Equal(start) {
			t.Fatalf("%+v", c)
		}
		h.drain(w)
		want := []string{
			"renew 03-01 12:00", "notify 03-01 12:00", "notify 03-01 12:30",
			"renew 04-01 12:00", "notify 04-01 12:00", "renew 05-01 12:00", "notify 05-01 12:00",
		}
		if got := d.read(); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		if c := h.dial(own); c.Moving || !c.Now.Equal(to) || !c.From.Equal(start) || c.Stops != 4 || c.Waiting != 0 || c.FailedTotal != 0 {
			t.Fatalf("%+v", c)
		}
	})
}

func TestAClockWaitsForWhatFailsAndNotForEver(t *testing.T) {
	onEach(t, func(h *house) {
		own := h.begin(sandbox, true)
		var d diary
		w := h.worker(worker.Options{})
		fails := 2
		w.Handle("flaky", func(ctx context.Context, _ job.Job) error {
			if fails--; fails >= 0 {
				return errors.New("not yet")
			}
			d.note("flaky", h.store.Now(ctx))
			return nil
		})
		w.Handle("broken", func(context.Context, job.Job) error { return errors.New("never") })
		w.Handle("dead", func(context.Context, job.Job) error { return job.Permanent{Err: errors.New("at once")} })
		w.Handle("aside", func(context.Context, job.Job) error { return errors.New("nobody waits") })
		w.Handle("late", func(ctx context.Context, _ job.Job) error { d.note("late", h.store.Now(ctx)); return nil })
		for n, kind := range []string{"aside", "dead", "flaky", "broken", "late"} {
			h.enqueue(own, job.Job{Kind: kind, RunAt: start.AddDate(0, 0, n+1), Aside: kind == "aside"})
		}
		h.move(own, start.AddDate(0, 0, 30))
		h.drain(w)
		if c := h.dial(own); !c.Moving || !c.Now.Equal(start.AddDate(0, 0, 3)) || c.Waiting != 1 {
			t.Fatalf("it did not wait for the one that fails: %+v", c)
		}
		for range 60 { // retries go by the machine's clock
			h.clock.Advance(time.Second)
			h.drain(w)
		}
		if got, want := d.read(), []string{"flaky 03-03 12:00", "late 03-05 12:00"}; !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		c := h.dial(own)
		if c.Moving || !c.Now.Equal(start.AddDate(0, 0, 30)) || c.FailedTotal != 2 || len(c.Failed) != 2 {
			t.Fatalf("%+v", c)
		}
		kinds := []string{c.Failed[0].Kind, c.Failed[1].Kind}
		if slices.Sort(kinds); !slices.Equal(kinds, []string{"broken", "dead"}) || c.Failed[0].LastError == "" {
			t.Fatalf("%+v", c.Failed)
		}
		// The next move tells of its own failures only, but for those that go on.
		h.move(own, start.AddDate(0, 0, 31))
		h.drain(w)
		if c := h.dial(own); c.Moving || c.FailedTotal != 1 || c.Failed[0].Kind != "broken" {
			t.Fatalf("%+v", c)
		}
	})
}

// A year of renewals of several lines, moved by workers of two nodes, of which one is killed again and again.
func TestAClockIsMovedByWhateverNodeLives(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			openOne := func() *store.Store {
				s, err := store.Open(context.Background(), url, store.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			s := openOne()
			if _, err := s.Migrate(context.Background(), false); err != nil {
				t.Fatal(err)
			}
			nodes := []*store.Store{s}
			if engine == "postgres" {
				nodes = append(nodes, openOne())
			}
			var d diary
			var workers []*worker.Worker
			for n, node := range nodes {
				h := &house{t, node, clock.NewVirtual(start)}
				w := h.workerReal(node, worker.Options{Poll: 20 * time.Millisecond, Runners: 2})
				node.OnJobs(w.Wake)
				w.HandleInTx("renew", func(ctx context.Context, j job.Job) error {
					_, err := node.Enqueue(ctx, 1, job.Job{Kind: "renew", RunAt: node.Now(ctx).AddDate(0, 1, 0), Payload: j.Payload})
					if err == nil {
						_, err = node.Enqueue(ctx, 1, job.Job{Kind: "note", Payload: j.Payload})
					}
					return err
				})
				killed := false
				w.Handle("note", func(ctx context.Context, j job.Job) error {
					if n == 1 && !killed { // as if the process ended here: its lease runs out
						killed = true
						<-ctx.Done()
						return ctx.Err()
					}
					d.note(string(j.Payload), node.Now(ctx))
					return nil
				})
				workers = append(workers, w)
			}
			h := &house{t, s, nil}
			own := h.begin(sandbox, true)
			begin := s.Now(own)
			for line := range 3 {
				h.enqueue(own, job.Job{Kind: "renew", RunAt: begin.AddDate(0, 0, line), Payload: jsontext.Value(fmt.Sprint(line))})
			}
			to := begin.AddDate(1, 0, -1)
			h.move(own, to)
			for _, w := range workers {
				w.Start()
			}
			for h.dial(own).Moving {
				time.Sleep(5 * time.Millisecond)
			}
			for _, w := range workers {
				w.Stop(context.Background())
			}
			var want []string
			for line := range 3 {
				for m := 0; !begin.AddDate(0, 0, line).AddDate(0, m, 0).After(to); m++ {
					want = append(want, fmt.Sprintf("%d %s", line, begin.AddDate(0, 0, line).AddDate(0, m, 0).Format("01-02 15:04")))
				}
			}
			got := d.read()
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("%v\nwant %v", got, want)
			}
			if c := h.dial(own); !c.Now.Equal(to.Truncate(time.Microsecond)) {
				t.Fatalf("%+v", c)
			}
			for _, node := range nodes {
				if err := node.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
