package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// errLeaseEnds tells a handler that its time is up: another worker may take the job over any moment.
var errLeaseEnds = errors.New("the lease of the job ends")

// run runs one leased job and records how it ended.
func (w *Worker) run(ctx context.Context, j job.Job) {
	if ctx.Err() != nil {
		w.release(ctx, j)
		return
	}
	if limit := maxAttempts(j); j.Attempts > limit {
		// Its runs ended without a word: the process was killed each time, perhaps by this very job.
		w.fail(ctx, j, job.Permanent{Err: fmt.Errorf("%d runs were begun and none came to an end", limit)})
		return
	}
	began := w.o.Clock.Now()
	w.metrics.running.Inc()
	err := w.attempt(ctx, j)
	w.metrics.running.Dec()
	w.metrics.seconds.WithLabelValues(j.Kind).Observe(w.o.Clock.Now().Sub(began).Seconds())
	switch {
	case err == nil:
		w.metrics.ended(j.Kind, "done")
	case ctx.Err() != nil:
		w.release(ctx, j)
	default:
		w.fail(ctx, j, err)
	}
}

// attempt calls the job's handler and, when it succeeds, marks the job done.
func (w *Worker) attempt(ctx context.Context, j job.Job) error {
	h, ok := w.handlers[j.Kind]
	if !ok {
		// Not permanent: while a new release is rolled out, a node that knows the kind will take it.
		return fmt.Errorf("this release runs no jobs of kind %q", j.Kind)
	}
	inner, cancel := w.leased(w.jobContext(ctx, j))
	defer cancel()
	if h.inTx {
		return w.store.Write(inner, func(ctx context.Context) error {
			if err := safely(ctx, h.run, j); err != nil {
				return err
			}
			return w.store.FinishJob(ctx, j)
		})
	}
	if err := safely(inner, h.run, j); err != nil {
		return err
	}
	// The work is done: the record of it is worth the last of the lease even when a stop is under way.
	return w.store.FinishJob(context.WithoutCancel(inner), j)
}

// jobContext carries the scope of the job's actor and what the transactions of the job are recorded under.
func (w *Worker) jobContext(ctx context.Context, j job.Job) context.Context {
	ctx = scope.With(ctx, w.o.Scope(j.SPID, j.Actor))
	return store.WithCall(ctx, store.Call{Operation: j.Kind, RequestID: j.RequestID})
}

// leased ends the context a tenth before the lease ends, so that no handler works on what may be another's.
func (w *Worker) leased(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	end := w.o.Clock.After(w.o.Lease - w.o.Lease/10)
	go func() {
		select {
		case <-end:
			cancel(errLeaseEnds)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// safely turns a handler's panic into an error: one bad job must not take the others with it.
func safely(ctx context.Context, h job.Handler, j job.Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	err = h(ctx, j)
	if err != nil && errors.Is(context.Cause(ctx), errLeaseEnds) {
		return fmt.Errorf("%w: %w", errLeaseEnds, err)
	}
	return err
}

// fail has the job run again later, or makes it dead.
func (w *Worker) fail(ctx context.Context, j job.Job, err error) {
	var (
		permanent job.Permanent
		at        time.Time // zero: dead
		result    = "dead"
	)
	if !errors.As(err, &permanent) && j.Attempts < maxAttempts(j) {
		at, result = w.o.Clock.Now().Add(job.Backoff(j.Attempts)), "retried"
	}
	w.metrics.ended(j.Kind, result)
	log := w.o.Logger.With("job", j.ID, "kind", j.Kind, "attempt", j.Attempts, "request", j.RequestID, "spid", j.SPID)
	if at.IsZero() {
		log.Error("a job is dead; see `demarc jobs list --state dead`", "error", err)
	} else {
		log.Warn("a job failed and will run again", "error", err, "at", at)
	}
	ctx = context.WithoutCancel(w.jobContext(ctx, j))
	if err := w.store.FailJob(ctx, j, at, err.Error()); err != nil {
		log.Error("a job's failure cannot be recorded; it runs again when its lease ends", "error", err)
	}
}

// release hands a job back that a stop interrupted.
func (w *Worker) release(ctx context.Context, j job.Job) {
	w.metrics.ended(j.Kind, "released")
	ctx = context.WithoutCancel(w.jobContext(ctx, j))
	if err := w.store.ReleaseJobs(ctx, []job.Job{j}); err != nil {
		w.o.Logger.Error("a job cannot be handed back; it runs again when its lease ends", "job", j.ID, "error", err)
	}
}

func maxAttempts(j job.Job) int {
	if j.MaxAttempts > 0 {
		return j.MaxAttempts
	}
	return defaultMaxAttempts
}
