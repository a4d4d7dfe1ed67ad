// Package worker does what demarc promised to do later: it leases due jobs from the store, runs them side
// by side in the name of those who caused them, and records how each ended.
//
// A job is leased for a while and by one worker at a time, whatever the number of nodes. A handler whose
// lease runs out is told through its context; its job then goes back to whoever asks next. So a worker that
// is killed loses nothing: what it had leased runs again when the lease ends.
package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// Store is what a worker needs of the store; *store.Store is one, and has the handlers of its own jobs beside.
type Store interface {
	Write(ctx context.Context, fn func(ctx context.Context) error) error
	ClaimJobsOf(ctx context.Context, k store.Kinds, n int, lease time.Duration) ([]job.Job, error)
	FinishJob(ctx context.Context, j job.Job) error
	FailJob(ctx context.Context, j job.Job, at time.Time, why string) error
	ReleaseJobs(ctx context.Context, jobs []job.Job) error
}

// Options are what a worker needs beside its store. The zero value of a field means its default, except
// Scope, which is needed.
type Options struct {
	// Scope gives the scope that a job runs in: the service provider's, in the name of the actor.
	Scope func(spid int, a scope.Actor) scope.Scope
	// Clock tells when to look for due jobs; clock.Real by default.
	Clock clock.Clock
	// Logger gets the failures; slog.Default by default.
	Logger *slog.Logger
	// Metrics counts what is done; nil counts nothing.
	Metrics prometheus.Registerer
	// Runners is how many jobs run side by side (default 4), how many of those that wait for others do beside
	// them, and how many of each kind that is apart.
	Runners int
	// Lease is how long a job may run before another worker may take it over (default 1 minute).
	Lease time.Duration
	// Poll is how long to wait before looking again when nothing is due and nobody calls Wake (default 1
	// second).
	Poll time.Duration
}

// defaultMaxAttempts is after how many failed runs a job that says nothing itself is dead (job.Job).
const defaultMaxAttempts = 12

// handler is a registered way to run the jobs of one kind.
type handler struct {
	run  job.Handler
	inTx bool
	// waits is work that waits for other systems, apart such work whose kind has runners of its own.
	waits, apart bool
}

// Worker runs jobs. Its life is: New, Handle for every kind, Start, Stop; each once and in this order. Drain
// stands in for Start and Stop where everything due is to be done now: tests, simulations, the command line.
type Worker struct {
	store    Store
	o        Options
	metrics  *metrics
	handlers map[string]handler

	own    *lane   // jobs that only demarc takes part in
	others *lane   // jobs that wait for other systems
	apart  []*lane // those of one kind each

	stop    chan struct{}      // closed: lease no more
	loops   sync.WaitGroup     // the lanes' loops
	running sync.WaitGroup     // the jobs in hand
	ctx     context.Context    // of every job; ends when patience does
	cancel  context.CancelFunc // of ctx
}

// lane is some kinds of jobs with runners of their own.
type lane struct {
	kinds store.Kinds
	wake  chan struct{} // somebody enqueued a job
	free  chan struct{} // holds a token for every idle runner
}

func newLane(runners int) *lane {
	l := &lane{wake: make(chan struct{}, 1), free: make(chan struct{}, runners)}
	for range runners {
		l.free <- struct{}{}
	}
	return l
}

// New makes a worker.
func New(s Store, o Options) *Worker {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Runners <= 0 {
		o.Runners = 4
	}
	if o.Lease <= 0 {
		o.Lease = time.Minute
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	w := &Worker{
		store: s, o: o, metrics: newMetrics(o.Metrics), handlers: map[string]handler{},
		own: newLane(o.Runners), others: newLane(o.Runners), stop: make(chan struct{}),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	if own, ok := s.(interface{ Handlers() map[string]job.Handler }); ok {
		for kind, h := range own.Handlers() {
			w.HandleInTx(kind, h)
		}
	}
	return w
}

// Handle has h run the jobs of a kind, outside any transaction.
func (w *Worker) Handle(kind string, h job.Handler) { w.handlers[kind] = handler{run: h} }

// HandleWaiting is Handle for work that waits for other systems. It has runners of its own, so that who is
// slow to answer, or never does, holds back no other kind of job.
func (w *Worker) HandleWaiting(kind string, h job.Handler) {
	w.handlers[kind] = handler{run: h, waits: true}
}

// HandleApart is HandleWaiting with runners for this kind alone: the systems that it waits for and those that other kinds
// wait for do not hold each other back.
func (w *Worker) HandleApart(kind string, h job.Handler) {
	w.handlers[kind] = handler{run: h, waits: true, apart: true}
	l := newLane(w.o.Runners)
	l.kinds = store.Kinds{Named: []string{kind}, Only: true}
	w.apart = append(w.apart, l)
}

// HandleInTx has h run the jobs of a kind in one transaction with the record that the job is done: its
// effect and the record are kept both or neither. h may run more than once before the transaction commits
// and calls no other system.
func (w *Worker) HandleInTx(kind string, h job.Handler) {
	w.handlers[kind] = handler{run: h, inTx: true}
}

// Wake has the worker look for due jobs now instead of at its next poll. It never blocks.
func (w *Worker) Wake() {
	w.own.awake()
	w.others.awake()
	for _, l := range w.apart {
		l.awake()
	}
}

func (l *lane) awake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Start begins to run jobs in the background.
func (w *Worker) Start() {
	var waiting, others []string
	for kind, h := range w.handlers {
		if h.waits {
			waiting = append(waiting, kind)
		}
		if h.waits && !h.apart {
			others = append(others, kind)
		}
	}
	// The first lane has every other kind: one that no handler is for is to be told, too.
	w.own.kinds = store.Kinds{Named: waiting}
	w.loops.Go(func() { w.loop(w.own) })
	if len(others) > 0 {
		w.others.kinds = store.Kinds{Named: others, Only: true}
		w.loops.Go(func() { w.loop(w.others) })
	}
	for _, l := range w.apart {
		w.loops.Go(func() { w.loop(l) })
	}
}

// Stop leases no more jobs and waits for those in hand. Once ctx ends they are told to give up and handed
// back, their attempt not counted; Stop then still waits until their handlers return.
func (w *Worker) Stop(ctx context.Context) {
	close(w.stop)
	done := make(chan struct{})
	go func() {
		w.loops.Wait()
		w.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		w.cancel()
		<-done
	}
	w.cancel()
}

// loop leases as many jobs as the lane has idle runners, again and again.
func (w *Worker) loop(l *lane) {
	for {
		select {
		case <-l.free:
		case <-w.stop:
			return
		}
		n := 1 + l.takeFree()
		jobs, err := w.store.ClaimJobsOf(w.ctx, l.kinds, n, w.o.Lease)
		if err != nil {
			w.o.Logger.Error("jobs cannot be leased; looking again later", "error", err)
		}
		for _, j := range jobs {
			w.running.Go(func() {
				w.run(w.ctx, j)
				l.free <- struct{}{}
			})
		}
		for range n - len(jobs) {
			l.free <- struct{}{}
		}
		if len(jobs) == n {
			continue // there may be more
		}
		select {
		case <-l.wake:
		case <-w.o.Clock.After(w.o.Poll):
		case <-w.stop:
			return
		}
	}
}

// takeFree takes the tokens of all other idle runners.
func (l *lane) takeFree() (n int) {
	for {
		select {
		case <-l.free:
			n++
		default:
			return n
		}
	}
}

// Drain runs everything that is due, and what that makes due, one job after the other, and says how many
// runs there were. It ends early with the store's error when jobs cannot be leased, or with ctx's.
func (w *Worker) Drain(ctx context.Context) (runs int, err error) {
	for {
		n, err := w.DrainSome(ctx, w.o.Runners)
		if err != nil || n == 0 {
			return runs, err
		}
		runs += n
	}
}

// DrainSome is Drain for so many jobs at most that are due now; 0 runs mean that none is. Within a Write they
// commit together.
func (w *Worker) DrainSome(ctx context.Context, most int) (runs int, err error) {
	jobs, err := w.store.ClaimJobsOf(ctx, store.Kinds{}, most, w.o.Lease)
	for _, j := range jobs {
		w.run(ctx, j)
		runs++
	}
	return runs, err
}
