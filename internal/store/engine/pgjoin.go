package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// Many writes that change one thing, as the balance that everybody pays into, meet each other in PostgreSQL: of
// serializable transactions that run side by side one is kept and the others are to be run again. So those that
// met another one join: they queue, and one transaction after the other carries out all that wait, each under a
// savepoint of its own, and nobody is answered before the commit. Where most writes of an operation meet, the next
// ones queue at once.

const (
	// mostJoined bounds how many writes one transaction carries out.
	mostJoined = 32
	// A look at an operation is over lookedAt tries; it is hot when so many of them met another transaction.
	lookedAt = 32
	hotAt    = 10
	// How many writes of a hot operation queue at once before it is tried again whether it still is.
	firstHeat = 256
	lastHeat  = 8192
)

// heat is how often the writes of an operation meet others.
type heat struct {
	tries, met int
	// left is how many writes are still to queue at once, and last how many there were when it last was hot.
	left, last int
}

// joint is the queue of a process.
type joint struct {
	mu      sync.Mutex
	waiting []*joined
	working bool
	// size bounds the next group: one that was not kept is divided, since the smaller is the sooner done.
	size int
	heat map[string]*heat
}

// joined is one write that waits to be carried out.
type joined struct {
	ctx   context.Context
	body  func(t *Tx) error
	tries int
	err   error
	state atomic.Int32
	done  chan struct{}
}

// hot reports whether a write of an operation is to queue at once: because most of them meet, or because a group met
// one that ran for itself, and would meet the next one too.
func (q *joint) hot(operation string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.working && q.size < mostJoined {
		return true
	}
	h := q.heat[operation]
	if h == nil || h.left == 0 {
		return false
	}
	h.left--
	return true
}

// note takes in how a try that ran for itself ended.
func (q *joint) note(operation string, met bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.heat[operation]
	if h == nil {
		if !met {
			return
		}
		if q.heat == nil || len(q.heat) >= 1024 { // operations are few; what a mistake made of their names is not kept
			q.heat = map[string]*heat{}
		}
		h = &heat{}
		q.heat[operation] = h
	}
	h.tries++
	if met {
		h.met++
	}
	switch {
	case h.met >= hotAt:
		h.last = max(firstHeat, min(2*h.last, lastHeat))
		*h = heat{left: h.last, last: h.last}
	case h.tries >= lookedAt && h.met == 0:
		delete(q.heat, operation)
	case h.tries >= lookedAt:
		*h = heat{}
	}
}

// join queues a write and waits until the transaction that carried it out is committed. A write whose ctx is done
// before it starts never starts.
func (db *postgresDB) join(ctx context.Context, body func(t *Tx) error) error {
	m := &joined{ctx: ctx, body: body, done: make(chan struct{})}
	q := &db.joint
	q.mu.Lock()
	q.waiting = append(q.waiting, m)
	begin := !q.working
	q.working = true
	q.mu.Unlock()
	if begin {
		go db.work()
	}
	select {
	case <-m.done:
	case <-ctx.Done():
		if m.state.CompareAndSwap(memberQueued, memberDropped) {
			return ctx.Err()
		}
		<-m.done
	}
	return m.err
}

// take gives the next writes to carry out together, none when there are none left.
func (q *joint) take() (group []*joined) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 && len(group) < q.size {
		m := q.waiting[0]
		q.waiting[0], q.waiting = nil, q.waiting[1:]
		if m.state.CompareAndSwap(memberQueued, memberStarted) || m.state.Load() == memberStarted {
			group = append(group, m)
		}
	}
	q.working = len(group) > 0
	return group
}

// settled takes back what is to be tried again and sees to the size of the groups.
func (q *joint) settled(again []*joined) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(again) == 0 {
		q.size = min(2*q.size, mostJoined)
		return
	}
	q.waiting = append(again, q.waiting...)
	q.size = max(1, q.size/2)
}

// work carries out what waits, until nothing does.
func (db *postgresDB) work() {
	for group := db.joint.take(); len(group) > 0; group = db.joint.take() {
		again := db.together(group)
		db.joint.settled(again)
		if len(again) > 0 {
			_ = pause(context.Background(), again[0].tries)
		}
	}
}

// together carries out a group in one transaction and tells everyone how it ended, save those that are to be tried
// again.
func (db *postgresDB) together(group []*joined) (again []*joined) {
	var running *joined
	defer func() {
		if running == nil {
			return
		}
		// A body ended this goroutine (runtime.Goexit, as t.FailNow does): it alone failed.
		rest := slices.DeleteFunc(group, func(m *joined) bool { return m == running })
		running.tell(errUnwound)
		db.joint.settled(rest)
		go db.work()
	}()
	outcome := make([]error, len(group))
	lost := false
	var met error
	err := db.inTx(context.Background(), "BEGIN ISOLATION LEVEL SERIALIZABLE", func(p *pgTx) (bool, error) {
		p.calm = true
		for n, m := range group {
			running = m
			outcome[n] = p.member(m)
			running = nil
			if met = p.failed; met != nil {
				return false, met
			}
			if lost = p.conn.IsClosed(); lost {
				return false, outcome[n]
			}
		}
		return true, nil
	})
	if met == nil {
		met = err
	}
	for n, m := range group {
		switch {
		case met == nil:
			m.tell(outcome[n])
		case !lost && !retryable(met): // whether it was committed nobody knows
			m.tell(met)
		default:
			if m.tries++; m.tries == maxTries {
				m.tell(met)
				continue
			}
			again = append(again, m)
		}
	}
	return again
}

func (m *joined) tell(err error) {
	m.err = err
	close(m.done)
}

// member carries out one write of a group under a savepoint. What it has put off is sent before the next one
// begins, so that each fails for itself.
func (p *pgTx) member(m *joined) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	ctx := context.WithoutCancel(m.ctx)
	journeys, before := p.journeys, len(p.waiting)
	if err := p.Later(ctx, savepoints[1].set); err != nil {
		return err
	}
	t := &Tx{Conn: p, level: 1, marked: 1}
	err := m.body(t)
	if err == nil && !t.Dry {
		if p.journeys == journeys && len(p.waiting) == before+1 { // it changed nothing
			p.waiting = p.waiting[:before]
			return nil
		}
		if _, err = p.Exec(ctx, savepoints[1].release); err == nil {
			return nil
		}
	}
	switch {
	case p.failed != nil || p.conn.IsClosed():
		return err
	case p.journeys == journeys: // nothing of it was sent
		p.waiting = p.waiting[:before]
		return err
	}
	p.waiting = nil
	if _, back := p.Exec(ctx, savepoints[1].back); back != nil {
		return errors.Join(err, back)
	}
	return errors.Join(err, p.Later(ctx, savepoints[1].release))
}
