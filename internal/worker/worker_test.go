package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/worker"
)

var start = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// house is a store under a virtual clock, on one engine.
type house struct {
	*testing.T
	store *store.Store
	clock *clock.Virtual
}

func onEach(t *testing.T, fn func(h *house)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			c := clock.NewVirtual(start)
			fn(&house{t, storetest.Open(t, engine, func(o *store.Options) { o.Clock = c }), c})
		})
	}
}

func (h *house) worker(o worker.Options) *worker.Worker { return h.workerOn(h.store, o) }

func (h *house) workerOn(s worker.Store, o worker.Options) *worker.Worker {
	o.Scope = func(spid int, a scope.Actor) scope.Scope { return scope.Grant(spid, a, scope.Claims{}) }
	o.Clock, o.Logger = h.clock, slog.New(slog.DiscardHandler)
	return worker.New(s, o)
}

// workerReal is one by the machine's clock, whose leases are short.
func (h *house) workerReal(s worker.Store, o worker.Options) *worker.Worker {
	o.Scope = func(spid int, a scope.Actor) scope.Scope { return scope.Grant(spid, a, scope.Claims{}) }
	o.Logger, o.Lease = slog.New(slog.DiscardHandler), 400*time.Millisecond
	return worker.New(s, o)
}

func (h *house) promise(jobs ...job.Job) (ids []id.ID) {
	h.Helper()
	err := h.store.Write(storetest.Context(1), func(ctx context.Context) error {
		ids = nil
		for _, j := range jobs {
			i, err := h.store.Enqueue(ctx, id.RandomHome(), j)
			if err != nil {
				return err
			}
			ids = append(ids, i)
		}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	return ids
}

// only is the one job in a state.
func (h *house) only(state job.State) job.Job {
	h.Helper()
	jobs, n, err := h.store.Jobs(storetest.Context(1), "", state, 0, 10)
	if err != nil || n != 1 {
		h.Fatalf("%d jobs are %s, want 1 (%v)", n, state, err)
	}
	return jobs[0]
}

func (h *house) drain(w *worker.Worker) int {
	h.Helper()
	n, err := w.Drain(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	return n
}

func TestAJobRunsInTheNameOfWhoCausedIt(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{})
		var seen scope.Scope
		var call store.Call
		w.Handle("greet", func(ctx context.Context, j job.Job) error {
			seen, _ = scope.From(ctx)
			call = store.CallFrom(ctx)
			if string(j.Payload) != `{"to":"world"}` || j.Attempts != 1 {
				t.Errorf("job %+v", j)
			}
			return nil
		})
		h.promise(job.Job{Kind: "greet", Payload: jsontext.Value(`{"to":"world"}`), RequestID: "r1"})
		if n := h.drain(w); n != 1 {
			h.Fatalf("%d runs, want 1", n)
		}
		if seen.SPID() != 1 || seen.Actor().Subject != "tester" || call.Operation != "greet" || call.RequestID != "r1" {
			h.Errorf("ran as %+v, recorded under %+v", seen, call)
		}
		h.only(job.Done)
	})
}

func TestAFailedJobRunsAgainWithGrowingPausesAndThenIsDead(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{})
		var at []time.Duration
		w.Handle("fail", func(context.Context, job.Job) error {
			at = append(at, h.clock.Now().Sub(start))
			return errors.New("the line is busy")
		})
		h.promise(job.Job{Kind: "fail", MaxAttempts: 4})
		for range 60 {
			h.drain(w)
			h.clock.Advance(time.Second)
		}
		if want := fmt.Sprint([]time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}); fmt.Sprint(at) != want {
			h.Errorf("ran at %v, want %s", at, want)
		}
		if j := h.only(job.Dead); j.LastError != "the line is busy" || j.Attempts != 4 {
			h.Errorf("dead as %+v", j)
		}
	})
}

func TestAPermanentFailureIsDeadAtOnce(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{})
		w.Handle("refuse", func(context.Context, job.Job) error {
			return fmt.Errorf("asked: %w", job.Permanent{Err: errors.New("gone")})
		})
		h.promise(job.Job{Kind: "refuse"})
		h.drain(w)
		if j := h.only(job.Dead); j.Attempts != 1 || !strings.Contains(j.LastError, "gone") {
			h.Errorf("dead as %+v", j)
		}
	})
}

func TestAPanicIsAFailureOfItsJobAlone(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{})
		w.HandleInTx("panic", func(context.Context, job.Job) error { panic("index out of range") })
		w.Handle("good", func(context.Context, job.Job) error { return nil })
		h.promise(job.Job{Kind: "panic", MaxAttempts: 1}, job.Job{Kind: "good"})
		h.drain(w)
		h.only(job.Done)
		if j := h.only(job.Dead); !strings.Contains(j.LastError, "index out of range") {
			h.Errorf("last error %q", j.LastError)
		}
	})
}

func TestAnUnknownKindWaitsForANodeThatKnowsIt(t *testing.T) {
	onEach(t, func(h *house) {
		old := h.worker(worker.Options{})
		h.promise(job.Job{Kind: "new"})
		h.drain(old)
		if j := h.only(job.Ready); !strings.Contains(j.LastError, `no jobs of kind "new"`) {
			h.Errorf("last error %q", j.LastError)
		}
		h.clock.Advance(time.Minute)
		newer := h.worker(worker.Options{})
		newer.Handle("new", func(context.Context, job.Job) error { return nil })
		h.drain(newer)
		h.only(job.Done)
	})
}

func TestTheEffectOfAJobInATransactionIsKeptWithItsEndOrNotAtAll(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{})
		runs := 0
		w.HandleInTx("claim", func(ctx context.Context, _ job.Job) error {
			if err := h.store.Claim(ctx, "msisdn", "41790000000", "sub_x"); err != nil {
				return err
			}
			if runs++; runs == 1 {
				return errors.New("after the effect")
			}
			return nil
		})
		h.promise(job.Job{Kind: "claim"})
		h.drain(w)
		if owner, err := h.store.Claimant(storetest.Context(1), "msisdn", "41790000000"); err != nil || owner != "" {
			h.Fatalf("the failed run left its effect: %q, %v", owner, err)
		}
		h.clock.Advance(time.Minute)
		h.drain(w)
		if owner, err := h.store.Claimant(storetest.Context(1), "msisdn", "41790000000"); err != nil || owner != "sub_x" {
			h.Errorf("the good run left no effect: %q, %v", owner, err)
		}
		h.only(job.Done)
	})
}

// Two workers stand for two nodes: many jobs, many runners, and no job is ever in two hands.
func TestTwoWorkersNeverRunOneJobAtOnce(t *testing.T) {
	onEach(t, func(h *house) {
		const count = 120
		var inHand sync.Map
		var runs atomic.Int64
		all := make(chan struct{})
		handle := func(_ context.Context, j job.Job) error {
			if _, taken := inHand.LoadOrStore(j.ID, true); taken {
				t.Errorf("job %s runs twice", j.ID)
			}
			if runs.Add(1) == count {
				close(all)
			}
			return nil
		}
		var jobs []job.Job
		for range count {
			jobs = append(jobs, job.Job{Kind: "once"})
		}
		h.promise(jobs...)
		var workers []*worker.Worker
		for range 2 {
			w := h.worker(worker.Options{Runners: 6})
			w.Handle("once", handle)
			w.Start()
			workers = append(workers, w)
		}
		<-all
		for _, w := range workers {
			w.Stop(h.Context())
		}
		if _, n, err := h.store.Jobs(storetest.Context(1), "", job.Done, 0, 1); err != nil || n != count {
			h.Errorf("%d of %d jobs are done (%v)", n, count, err)
		}
	})
}

func TestWakeRunsAJobBeforeTheNextPoll(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{Poll: time.Hour})
		ran := make(chan struct{})
		w.Handle("now", func(context.Context, job.Job) error { close(ran); return nil })
		h.store.OnJobs(w.Wake)
		w.Start()
		h.promise(job.Job{Kind: "now"}) // the virtual clock stands still: only the wake-up can start it
		<-ran
		w.Stop(h.Context())
	})
}

// signalling tells when the worker has recorded a failure.
type signalling struct {
	*store.Store
	failed chan struct{}
}

func (s *signalling) FailJob(ctx context.Context, j job.Job, at time.Time, why string) error {
	defer func() { s.failed <- struct{}{} }()
	return s.Store.FailJob(ctx, j, at, why)
}

func TestAPausedJobRunsWhenItsTimeHasCome(t *testing.T) {
	onEach(t, func(h *house) {
		s := &signalling{h.store, make(chan struct{}, 1)}
		w := h.workerOn(s, worker.Options{Poll: time.Second})
		done := make(chan time.Duration, 1)
		w.Handle("twice", func(_ context.Context, j job.Job) error {
			if j.Attempts == 1 {
				return errors.New("not yet")
			}
			done <- h.clock.Now().Sub(start)
			return nil
		})
		h.promise(job.Job{Kind: "twice"})
		w.Start()
		<-s.failed
		for {
			select {
			case at := <-done:
				if at < time.Second {
					h.Errorf("ran again after %s", at)
				}
				w.Stop(h.Context())
				return
			default:
				h.clock.Advance(100 * time.Millisecond)
			}
		}
	})
}

func TestAStopWaitsForTheJobsInHand(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{})
		begun, release := make(chan struct{}), make(chan struct{})
		w.Handle("slow", func(context.Context, job.Job) error { close(begun); <-release; return nil })
		h.promise(job.Job{Kind: "slow"})
		w.Start()
		<-begun
		close(release)
		w.Stop(h.Context())
		h.only(job.Done)
	})
}

func TestAStopWithoutPatienceHandsJobsBack(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{})
		begun := make(chan struct{})
		w.Handle("endless", func(ctx context.Context, _ job.Job) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
		h.promise(job.Job{Kind: "endless"})
		w.Start()
		<-begun
		ctx, cancel := context.WithCancel(h.Context())
		cancel()
		w.Stop(ctx)
		if j := h.only(job.Ready); j.Attempts != 0 || j.LastError != "" {
			h.Errorf("handed back as %+v", j)
		}
	})
}

// A listener that never answers must not keep an order from being carried out.
func TestJobsThatWaitForOthersHoldBackNone(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{Runners: 2})
		waiting, done := make(chan struct{}, 8), make(chan struct{}, 8)
		w.HandleWaiting("call", func(ctx context.Context, _ job.Job) error {
			waiting <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		w.Handle("step", func(context.Context, job.Job) error { done <- struct{}{}; return nil })
		h.promise(job.Job{Kind: "call"}, job.Job{Kind: "call"}, job.Job{Kind: "call"}, job.Job{Kind: "call"})
		w.Start()
		<-waiting
		<-waiting
		h.promise(job.Job{Kind: "step"}, job.Job{Kind: "step"})
		w.Wake()
		<-done
		<-done
		if n := len(waiting); n != 0 {
			h.Errorf("%d calls more than there are runners", n)
		}
		ctx, cancel := context.WithCancel(h.Context())
		cancel()
		w.Stop(ctx)
	})
}

// A listener that never answers must not keep the network from being called, nor the network a listener.
func TestKindsThatAreApartHoldBackNone(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{Runners: 2})
		waiting, done := make(chan string, 8), make(chan struct{}, 8)
		endless := func(ctx context.Context, j job.Job) error {
			waiting <- j.Kind
			<-ctx.Done()
			return ctx.Err()
		}
		w.HandleApart("listener", endless)
		w.HandleWaiting("gateway", endless)
		w.HandleApart("network", func(context.Context, job.Job) error { done <- struct{}{}; return nil })
		var all []job.Job
		for range 3 {
			all = append(all, job.Job{Kind: "listener"}, job.Job{Kind: "gateway"})
		}
		h.promise(all...)
		w.Start()
		begun := map[string]int{}
		for range 4 {
			begun[<-waiting]++
		}
		if begun["listener"] != 2 || begun["gateway"] != 2 {
			h.Errorf("with two runners each: %v", begun)
		}
		h.promise(job.Job{Kind: "network"}, job.Job{Kind: "network"})
		w.Wake()
		<-done
		<-done
		ctx, cancel := context.WithCancel(h.Context())
		cancel()
		w.Stop(ctx)
	})
}

// deaf is a store that does not answer until it is told to give up.
type deaf struct {
	*store.Store
	asked chan struct{}
}

func (d *deaf) ClaimJobsOf(ctx context.Context, _ store.Kinds, _ int, _ time.Duration) ([]job.Job, error) {
	close(d.asked)
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAStopDoesNotWaitForADatabaseThatIsGone(t *testing.T) {
	d := &deaf{asked: make(chan struct{})}
	h := &house{t, nil, clock.NewVirtual(start)}
	w := h.workerOn(d, worker.Options{})
	w.Start()
	<-d.asked
	ctx, cancel := context.WithCancel(h.Context())
	cancel()
	w.Stop(ctx)
}

// A worker that is killed says nothing: its lease runs out, and another goes on.
func TestTheJobsOfAKilledWorkerRunElsewhereWhenTheLeaseEnds(t *testing.T) {
	onEach(t, func(h *house) {
		h.promise(job.Job{Kind: "orphan"})
		if leased, err := h.store.ClaimJobs(h.Context(), 1, time.Minute); err != nil || len(leased) != 1 {
			h.Fatalf("leased %d, %v", len(leased), err)
		}
		w := h.worker(worker.Options{})
		attempts := 0
		w.Handle("orphan", func(_ context.Context, j job.Job) error { attempts = j.Attempts; return nil })
		if n := h.drain(w); n != 0 {
			h.Fatalf("%d runs under another's lease", n)
		}
		h.clock.Advance(time.Minute)
		if n := h.drain(w); n != 1 || attempts != 2 {
			h.Errorf("%d runs, attempt %d; want 1 run, the second attempt", n, attempts)
		}
		h.only(job.Done)
	})
}

func TestAHandlerIsToldBeforeItsLeaseEnds(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{Lease: 10 * time.Second})
		begun := make(chan struct{})
		w.Handle("long", func(ctx context.Context, _ job.Job) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
		h.promise(job.Job{Kind: "long", MaxAttempts: 1})
		w.Start()
		<-begun
		h.clock.Advance(9 * time.Second)
		w.Stop(h.Context())
		if j := h.only(job.Dead); !strings.Contains(j.LastError, "the lease of the job ends") {
			h.Errorf("last error %q", j.LastError)
		}
	})
}

// oversleep passes the job's lease on to another worker, as happens when a handler takes too long.
func (h *house) oversleep() {
	h.clock.Advance(time.Minute)
	if again, err := h.store.ClaimJobs(context.Background(), 1, time.Hour); err != nil || len(again) != 1 {
		h.Errorf("the expired job cannot be leased: %d, %v", len(again), err)
	}
}

// A handler that overslept its lease cannot end a job that is another's by now.
func TestAnExpiredLeaseCannotEndTheJob(t *testing.T) {
	onEach(t, func(h *house) {
		w := h.worker(worker.Options{Lease: 10 * time.Second})
		w.Handle("asleep", func(context.Context, job.Job) error { h.oversleep(); return nil })
		h.promise(job.Job{Kind: "asleep"})
		h.drain(w)
		if j := h.only(job.Running); j.Attempts != 2 {
			h.Errorf("the job is %+v", j)
		}
	})
}

// Nor is its effect kept. (On SQLite nobody else can lease while the transaction is open.)
func TestAnExpiredLeaseCannotCommit(t *testing.T) {
	c := clock.NewVirtual(start)
	h := &house{t, storetest.Open(t, "postgres", func(o *store.Options) { o.Clock = c }), c}
	w := h.worker(worker.Options{Lease: 10 * time.Second})
	w.HandleInTx("asleep", func(ctx context.Context, _ job.Job) error {
		if h.clock.Now().Equal(start) {
			h.oversleep()
		}
		return h.store.Claim(ctx, "msisdn", "41790000001", "sub_x")
	})
	h.promise(job.Job{Kind: "asleep"})
	h.drain(w)
	if owner, err := h.store.Claimant(storetest.Context(1), "msisdn", "41790000001"); err != nil || owner != "" {
		h.Errorf("the late effect was kept: %q, %v", owner, err)
	}
}

func TestRunsAreCounted(t *testing.T) {
	onEach(t, func(h *house) {
		r := prometheus.NewRegistry()
		w := h.worker(worker.Options{Metrics: r})
		w.Handle("good", func(context.Context, job.Job) error { return nil })
		w.Handle("bad", func(context.Context, job.Job) error { return errors.New("no") })
		h.promise(job.Job{Kind: "good"}, job.Job{Kind: "bad"}, job.Job{Kind: "bad", MaxAttempts: 1})
		h.drain(w)
		want := map[string]float64{"bad dead": 1, "bad retried": 1, "good done": 1}
		if got := counted(t, r); !maps.Equal(got, want) {
			h.Errorf("counted %v, want %v", got, want)
		}
	})
}

// counted are the runs by kind and result.
func counted(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "demarc_jobs_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			out[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = m.GetCounter().GetValue()
		}
	}
	return out
}
