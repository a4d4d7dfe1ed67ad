package engine

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/demarc-bss/demarc/internal/store/cache"
)

// committer is SQLite's one writer. Writes queue; it runs them one after the other in one transaction, each
// under a savepoint of its own, and acknowledges all of them after one commit, that is one fsync. While
// that runs, the next group gathers in the queue.
type committer struct {
	c     *sqliteConn
	group int
	docs  Docs

	queue  chan *member
	closed chan struct{}
	ended  chan struct{}
	senders
	// members have run in the open transaction and wait for its commit; current is running now.
	members []*member
	current *member
	keys    []cache.Key
}

// senders lets stop wait until nobody is about to queue a write.
type senders struct {
	mu      sync.RWMutex
	stopped bool
	open    sync.WaitGroup
}

// member is one write of a group.
type member struct {
	ctx   context.Context
	body  func(t *Tx) error
	t     Tx
	err   error
	state atomic.Int32
	done  chan struct{}
}

const (
	memberQueued int32 = iota
	memberStarted
	memberDropped
)

var errClosed = errors.New("store: closed")

func newCommitter(c *sqliteConn, group int, docs Docs) *committer {
	w := &committer{
		c: c, group: group, docs: docs,
		queue: make(chan *member, 1024), closed: make(chan struct{}), ended: make(chan struct{}),
	}
	go w.loop()
	return w
}

// Write queues a body and waits until its group is committed. A write whose ctx is done before it starts
// never starts; one that has started is waited for.
func (w *committer) Write(ctx context.Context, _ string, body func(t *Tx) error) error {
	w.mu.RLock()
	if w.stopped {
		w.mu.RUnlock()
		return errClosed
	}
	w.open.Add(1)
	w.mu.RUnlock()
	defer w.open.Done()

	m := &member{ctx: ctx, body: body, done: make(chan struct{})}
	select {
	case w.queue <- m:
	case <-ctx.Done():
		return ctx.Err()
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

// stop waits for the queued writes and ends the writer.
func (w *committer) stop() {
	w.mu.Lock()
	already := w.stopped
	w.stopped = true
	w.mu.Unlock()
	if already {
		return
	}
	close(w.closed)
	w.open.Wait()
	close(w.queue)
	<-w.ended
}

func (w *committer) loop() {
	finished := false
	defer func() {
		if !finished { // a body ended this goroutine (runtime.Goexit, as t.FailNow does)
			go w.resume()
		}
	}()
	for m := range w.queue {
		w.gather(m)
	}
	finished = true
	close(w.ended)
}

// resume carries on after a body that ended the writer's goroutine: it alone failed.
func (w *committer) resume() {
	w.settle(w.current, errUnwound)
	w.commit()
	w.loop()
}

// gather runs one group: the first member and all that have queued meanwhile.
func (w *committer) gather(m *member) {
	w.c.broken = nil
	if _, err := w.c.Exec(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		if m.state.CompareAndSwap(memberQueued, memberStarted) {
			m.err = err
			close(m.done)
		}
		return
	}
	for n := 1; ; n++ {
		w.run(m)
		if n >= w.group {
			break
		}
		if m = w.next(); m == nil {
			break
		}
	}
	w.commit()
}

// next is the next queued write, if there is one or will be in a moment: the callers of the last group are
// just being woken.
func (w *committer) next() *member {
	for range 3 {
		select {
		case m := <-w.queue:
			return m // nil when the queue is closed
		default:
			runtime.Gosched()
		}
	}
	return nil
}

func (w *committer) run(m *member) {
	if !m.state.CompareAndSwap(memberQueued, memberStarted) {
		return // its caller has gone
	}
	w.current = m
	m.t.Conn, m.t.level = w.c, 1
	if len(w.members) == 0 {
		// The first of a group needs no savepoint: to undo it is to begin anew. SQLite keeps for the outermost savepoint
		// every page as it was, and walks through all of them whenever one within it ends: a large write with many
		// parts would take a time that grows with its square.
		m.t.marked = 1
	}
	if err := m.ctx.Err(); err != nil {
		w.settle(m, err)
		return
	}
	w.settle(m, m.body(&m.t))
}

// again undoes all that was changed in the open transaction and begins another.
func (w *committer) again() error {
	if _, err := w.c.Exec(context.Background(), "ROLLBACK"); err != nil {
		return err
	}
	_, err := w.c.Exec(context.Background(), "BEGIN IMMEDIATE")
	return err
}

// settle keeps or undoes a member's changes and lets it wait for the commit.
func (w *committer) settle(m *member, err error) {
	w.current = nil
	m.err = err
	m.t.level = 1
	undo := err != nil || m.t.Dry
	end := error(nil)
	if len(w.members) > 0 {
		end = m.t.settle(context.Background(), undo)
	} else if undo && w.c.broken == nil {
		end = w.again()
	}
	if end != nil {
		m.err = errors.Join(err, end)
		if w.c.broken == nil {
			w.c.broken = end // the group must not be committed: SQLite may have dropped the savepoints
		}
	}
	w.members = append(w.members, m)
}

// commit ends the group and tells everyone.
func (w *committer) commit() {
	w.keys = w.keys[:0]
	if w.docs != nil {
		for _, m := range w.members {
			w.keys = append(w.keys, m.t.Touched...)
		}
		w.docs.Begin(w.keys)
	}
	_, err := w.c.Exec(context.Background(), "COMMIT")
	if err != nil {
		w.c.broken = nil
		_, _ = w.c.Exec(context.Background(), "ROLLBACK") // it may be gone already
	}
	if w.docs != nil {
		w.docs.End(w.keys)
	}
	for i, m := range w.members {
		if err != nil && m.err == nil {
			m.err = err
		}
		close(m.done)
		w.members[i] = nil
	}
	w.members = w.members[:0]
}
