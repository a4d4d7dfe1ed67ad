// Package job is work that demarc promises to do later: it is recorded in the transaction that
// promises it, runs when its time has come, is retried with growing pauses, and ends as a dead letter
// that a person can inspect and retry.
package job

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// KindID is the id kind of jobs.
var KindID = id.Kind{Name: "job", Prefix: "job"}

// State is where a job stands.
type State string

// A job is ready until a worker leases it, running while the lease holds, done when its handler
// succeeded, dead when it failed for good, cancelled when a person took it back.
const (
	Ready     State = "ready"
	Running   State = "running"
	Done      State = "done"
	Dead      State = "dead"
	Cancelled State = "cancelled"
)

// Job is one piece of promised work.
type Job struct {
	ID   id.ID
	SPID int
	// Kind names the handler ("order.step", "event.deliver").
	Kind string
	// Key makes the job unique among the ready and running jobs of its kind and service provider; empty
	// means no such wish.
	Key string
	// Payload is the handler's input, JSON.
	Payload jsontext.Value
	// RunAt is the earliest moment to run it, by the clock of its service provider; zero means at once.
	RunAt time.Time
	// Attempts counts the runs begun so far, this one included while it runs.
	Attempts int
	// MaxAttempts is after how many failed runs the job is dead; 0 means the default of 12.
	MaxAttempts int
	// Aside says of a new job that the clock of a sandbox, when it is moved, does not wait for it: others are
	// only told what happened.
	Aside bool
	State State
	// LastError is what the last failed run said; for people, never for clients.
	LastError string
	// Actor is who caused the work; the handler runs in its name.
	Actor scope.Actor
	// RequestID is the request that caused the work.
	RequestID string
	Created   time.Time
}

// Handler runs a job. A nil error ends it; any other has it retried with a growing pause until
// MaxAttempts. A handler may be called twice for one job (a worker died after the work, before saying
// so), so its effect must be the same when repeated. Its context carries the scope of the job's actor.
type Handler func(ctx context.Context, j Job) error

// Permanent wraps an error that no retry will mend: the job is dead at once.
type Permanent struct{ Err error }

// Error implements error.
func (p Permanent) Error() string { return p.Err.Error() }

// Unwrap gives the wrapped error.
func (p Permanent) Unwrap() error { return p.Err }

// Backoff is the pause before run number attempt+1: 1 s, 2 s, 4 s … at most 1 h.
func Backoff(attempt int) time.Duration {
	if attempt < 1 {
		attempt = 1
	}
	if attempt > 12 {
		return time.Hour
	}
	return min(time.Second<<(attempt-1), time.Hour)
}
