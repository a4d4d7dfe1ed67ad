package smpp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// Options say where a message centre is and how it is spoken to. The zero value of a field means its default, except
// Address.
type Options struct {
	// Address is host:port. TLS is used when it is not nil.
	Address string
	TLS     *tls.Config
	// SystemID, Password and SystemType are what the client binds with.
	SystemID, Password, SystemType string
	// Window is how many messages may be without an answer at once (default 10).
	Window int
	// Rate is how many messages leave in a second at most; 0 is no bound.
	Rate int
	// Timeout is how long a connection, an answer or a write may take (default 10 s).
	Timeout time.Duration
	// Enquire is after how long without a word the centre is asked whether it is there (default 30 s).
	Enquire time.Duration
	// Hold is for how long no message leaves after the centre asked to go slower (default 1 s).
	Hold time.Duration
	// Clock is clock.Real by default.
	Clock clock.Clock
	// Logger gets what happens to the connection; nothing that messages hold. slog.Default by default.
	Logger *slog.Logger
}

// Message is a part of a message to hand over.
type Message struct {
	// Key names it: asked for again under it, what was taken is not handed over again as long as this client remembers.
	Key string
	// From is a sender: letters, a short code or a number. To is a number in digits.
	From, To string
	Part     Part
	// Life is for how long it is of use; 0 is as the centre has it.
	Life time.Duration
}

// OnReceipt takes a delivery report. known is false when nobody waits for it, or not yet.
type OnReceipt func(ctx context.Context, r Receipt) (known bool, err error)

// Client is a connection to a message centre, made when it is needed and made again when it breaks.
type Client struct {
	o       Options
	receipt OnReceipt

	dialing sync.Mutex // one dials
	mu      sync.Mutex
	session *session
	next    time.Time // before it no message leaves
	taken   map[string]*waiting
	order   []string // keys in the order in which their answers came without anybody waiting
	closed  bool
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	window  chan struct{}
}

// remembered is for how many messages an answer is kept that came when nobody waited for it any more.
const remembered = 4096

// ErrClosed is what a client answers that was closed.
var ErrClosed = errors.New("the connection to the message centre is closed")

// New makes a client; it connects when the first message leaves, or by Start.
func New(o Options, receipt OnReceipt) *Client {
	if o.Window <= 0 {
		o.Window = 10
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Enquire <= 0 {
		o.Enquire = 30 * time.Second
	}
	if o.Hold <= 0 {
		o.Hold = time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	c := &Client{o: o, receipt: receipt, taken: map[string]*waiting{}, window: make(chan struct{}, o.Window)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// The pauses between attempts to connect.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// Start keeps a connection from now on, so that delivery reports come in though no message leaves.
func (c *Client) Start() {
	c.running.Go(func() {
		pause := firstPause
		for c.ctx.Err() == nil {
			s, err := c.bound(c.ctx)
			if err == nil {
				pause = firstPause
				<-s.done
				continue
			}
			if c.ctx.Err() == nil {
				c.o.Logger.Warn("the message centre cannot be reached; trying again", "error", err, "in", pause)
			}
			select {
			case <-c.ctx.Done():
			case <-c.o.Clock.After(pause):
			}
			pause = min(2*pause, longestPause)
		}
	})
}

// Close takes leave of the message centre and waits for what is in hand. No message leaves after it.
func (c *Client) Close(ctx context.Context) {
	c.mu.Lock()
	s := c.session
	c.closed = true
	c.mu.Unlock()
	if s != nil {
		s.leave(ctx)
	}
	c.cancel()
	c.running.Wait()
}

// waiting is a message that was handed over and whose answer is to come, or came when nobody waited.
type waiting struct {
	done chan struct{}
	id   string
	err  error
	// waiters is how many wait for it. free gives back its place in the window, once it has one.
	waiters int
	mu      sync.Mutex
	free    func()
}

// holds says how the place in the window is given back.
func (w *waiting) holds(free func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free = free
}

func (w *waiting) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.free != nil {
		w.free()
	}
}

// Submit hands a part of a message over and gives what the centre calls it. A Status is the centre's answer; with any other
// error the part may have been taken or not.
func (c *Client) Submit(ctx context.Context, m Message) (id string, err error) {
	w, mine := c.expect(m.Key)
	if mine {
		if err := c.hand(ctx, m, w); err != nil {
			c.answer(m.Key, w, "", err)
		}
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		c.giveUp(m.Key, w)
		return "", ctx.Err()
	case <-c.o.Clock.After(c.o.Timeout):
		w.release() // an answer that never comes must not hold the window
		c.giveUp(m.Key, w)
		return "", errors.New("the message centre does not answer")
	}
	c.giveUp(m.Key, w)
	return w.id, w.err
}

// expect is the answer to come to a message; mine says that it is yet to be handed over.
func (c *Client) expect(key string) (w *waiting, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w = c.taken[key]
	if mine = w == nil; mine {
		w = &waiting{done: make(chan struct{})}
		c.taken[key] = w
	}
	w.waiters++
	return w, mine
}

// giveUp says that one waits no more. What was answered and read is forgotten.
func (c *Client) giveUp(key string, w *waiting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.waiters--
	select {
	case <-w.done:
		if w.waiters == 0 && c.taken[key] == w {
			delete(c.taken, key)
		}
	default:
	}
}

// answer tells those who wait. A message that was taken while nobody waits is remembered, for who asks again.
func (c *Client) answer(key string, w *waiting, id string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-w.done:
		return
	default:
	}
	w.id, w.err = id, err
	close(w.done)
	if w.waiters > 0 {
		return
	}
	if err != nil {
		delete(c.taken, key)
		return
	}
	if c.order = append(c.order, key); len(c.order) > remembered {
		delete(c.taken, c.order[0])
		c.order = c.order[1:]
	}
}

// hand puts a message on the connection, when the window has room and its time has come.
func (c *Client) hand(ctx context.Context, m Message, w *waiting) error {
	select {
	case c.window <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	}
	w.holds(sync.OnceFunc(func() { <-c.window }))
	if err := c.pace(ctx); err != nil {
		w.release()
		return err
	}
	s, err := c.bound(ctx)
	if err != nil {
		w.release()
		return err
	}
	err = s.ask(submitSM, submitBody(m, validity(m.Life)), func(u unit, err error) {
		w.release()
		c.submitted(m.Key, w, u, err)
	})
	if err != nil {
		w.release()
	}
	return err
}

// submitted takes the answer to a message.
func (c *Client) submitted(key string, w *waiting, u unit, err error) {
	switch {
	case err != nil:
	case u.status == statusThrottled || u.status == statusQueueFull:
		c.mu.Lock()
		c.next = c.o.Clock.Now().Add(c.o.Hold)
		c.mu.Unlock()
		err = u.status
	case u.status != StatusOK:
		err = u.status
	case u.command != submitSMResp:
		err = errUnit
	}
	f := &fields{b: u.body}
	id := ""
	if err == nil {
		id = f.text()
	}
	c.answer(key, w, id, err)
}

// pace waits until a message may leave.
func (c *Client) pace(ctx context.Context) error {
	c.mu.Lock()
	now := c.o.Clock.Now()
	at := c.next
	if at.Before(now) {
		at = now
	}
	if c.o.Rate > 0 {
		c.next = at.Add(time.Second / time.Duration(c.o.Rate))
	}
	c.mu.Unlock()
	if !at.After(now) {
		return nil
	}
	select {
	case <-c.o.Clock.After(at.Sub(now)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// validity is a life as the centre is told (SMPP 3.4, 7.1.1): relative, at least a minute and at most some weeks.
func validity(life time.Duration) string {
	if life <= 0 {
		return ""
	}
	life = min(max(life, time.Minute), 28*24*time.Hour).Round(time.Second)
	days, rest := life/(24*time.Hour), life%(24*time.Hour)
	return fmt.Sprintf("0000%02d%02d%02d%02d000R", days, rest/time.Hour, rest%time.Hour/time.Minute, rest%time.Minute/time.Second)
}

// bound is the connection, made when there is none.
func (c *Client) bound(ctx context.Context) (*session, error) {
	c.dialing.Lock()
	defer c.dialing.Unlock()
	c.mu.Lock()
	s, closed := c.session, c.closed
	c.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if s != nil && !s.over() {
		return s, nil
	}
	s, err := c.bind(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	return s, nil
}

func (c *Client) bind(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	var conn net.Conn
	var err error
	if c.o.TLS != nil {
		d := &tls.Dialer{Config: c.o.TLS}
		conn, err = d.DialContext(ctx, "tcp", c.o.Address)
	} else {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "tcp", c.o.Address)
	}
	if err != nil {
		return nil, fmt.Errorf("the message centre cannot be reached: %w", err)
	}
	s := newSession(c, conn)
	answered := make(chan error, 1)
	err = s.ask(bindTransceiver, bindBody(c.o.SystemID, c.o.Password, c.o.SystemType), func(u unit, err error) {
		if err == nil && u.status != StatusOK {
			err = fmt.Errorf("the message centre refuses to be bound to: %w", u.status)
		}
		answered <- err
	})
	if err == nil {
		select {
		case err = <-answered:
		case <-ctx.Done():
			err = fmt.Errorf("the message centre does not answer to the bind: %w", ctx.Err())
		}
	}
	if err != nil {
		s.end(err)
		return nil, err
	}
	c.running.Go(s.watch)
	return s, nil
}
