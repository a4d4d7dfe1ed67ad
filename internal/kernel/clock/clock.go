// Package clock is the only one that asks for the time.
//
// Everything else takes a Clock, so that a year of renewals runs in seconds in a test.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time and wakes sleepers. Times are UTC with microsecond precision, the precision
// that both database engines keep.
type Clock interface {
	// Now is the present moment in UTC, truncated to microseconds.
	Now() time.Time
	// After delivers once d has passed; a d of zero or less delivers at once.
	After(d time.Duration) <-chan time.Time
}

// Real is the clock of the machine.
type Real struct{}

// Now implements Clock.
func (Real) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// After implements Clock.
func (Real) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Virtual is a clock that moves only when told; for tests and simulation. Make it with NewVirtual.
type Virtual struct {
	mu       sync.Mutex
	now      time.Time
	sleepers []sleeper
}

type sleeper struct {
	at time.Time
	ch chan time.Time
}

// NewVirtual stands still at start.
func NewVirtual(start time.Time) *Virtual {
	return &Virtual{now: start.UTC().Truncate(time.Microsecond)}
}

// Now implements Clock.
func (v *Virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// After implements Clock.
func (v *Virtual) After(d time.Duration) <-chan time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	ch := make(chan time.Time, 1)
	if d <= 0 {
		ch <- v.now
		return ch
	}
	v.sleepers = append(v.sleepers, sleeper{v.now.Add(d), ch})
	return ch
}

// Advance moves the time forward by d and wakes everyone whose moment has come.
func (v *Virtual) Advance(d time.Duration) { v.Set(v.Now().Add(d)) }

// Set moves the time to t, which must not lie in the past, and wakes everyone whose moment has come.
func (v *Virtual) Set(t time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if t.Before(v.now) {
		return
	}
	v.now = t.UTC().Truncate(time.Microsecond)
	rest := v.sleepers[:0]
	for _, s := range v.sleepers {
		if s.at.After(v.now) {
			rest = append(rest, s)
			continue
		}
		s.ch <- v.now
	}
	v.sleepers = rest
}
