package app

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/hub"
	"github.com/demarc-bss/demarc/internal/network"
)

// handleJobs gives the worker a handler for every kind of job that the house promises.
func (a *App) handleJobs() {
	a.worker.HandleApart(hub.JobKind, a.hub.Handler())
	for kind, h := range a.Jobs() {
		a.worker.Handle(kind, h)
	}
	for kind, h := range a.WaitingJobs() {
		if kind == network.JobSend { // neither listeners nor gateways hold back provisioning, nor it them
			a.worker.HandleApart(kind, h)
			continue
		}
		a.worker.HandleWaiting(kind, h)
	}
}

// keep is how long answers to idempotency keys and ended jobs stay after they are of no more use.
const keep = 7 * 24 * time.Hour

// tidy removes, once an hour, what has been of no use for a week.
func (a *App) tidy() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-a.o.Clock.After(time.Hour):
			}
			if n, err := a.Store.Purge(ctx, a.o.Clock.Now().Add(-keep)); err != nil {
				a.o.Logger.Warn("old answers and jobs cannot be removed; trying again in an hour", "error", err)
			} else if n > 0 {
				a.o.Logger.Info("old answers and ended jobs were removed", "rows", n)
			}
		}
	}()
	a.onStop(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}
