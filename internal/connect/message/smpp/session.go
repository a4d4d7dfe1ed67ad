package smpp

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// session is one connection from its making to its end.
type session struct {
	c    *Client
	conn net.Conn
	done chan struct{}

	writing sync.Mutex
	mu      sync.Mutex
	last    uint32
	asked   map[uint32]func(unit, error)
	heard   time.Time
	err     error
	reports chan struct{}
}

// mostReports is how many delivery reports are taken in at once: while there is no room, nothing is read.
const mostReports = 16

func newSession(c *Client, conn net.Conn) *session {
	s := &session{
		c: c, conn: conn, done: make(chan struct{}), asked: map[uint32]func(unit, error){}, heard: c.o.Clock.Now(),
		reports: make(chan struct{}, mostReports),
	}
	c.running.Go(s.read)
	return s
}

func (s *session) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// end closes the connection once; those who wait for an answer are told why.
func (s *session) end(err error) {
	s.mu.Lock()
	if s.over() {
		s.mu.Unlock()
		return
	}
	s.err = err
	close(s.done)
	asked := s.asked
	s.asked = nil
	s.mu.Unlock()
	_ = s.conn.Close()
	for _, tell := range asked {
		tell(unit{}, err)
	}
}

// ask sends a command; tell gets its answer, or why there is none, once.
func (s *session) ask(command uint32, body []byte, tell func(unit, error)) error {
	s.mu.Lock()
	if s.over() {
		err := s.err
		s.mu.Unlock()
		return err
	}
	if s.last++; s.last > 0x7fffffff {
		s.last = 1
	}
	u := unit{command: command, sequence: s.last, body: body}
	s.asked[u.sequence] = tell
	s.mu.Unlock()
	if err := s.write(u); err != nil {
		s.end(err) // tells
	}
	return nil
}

func (s *session) write(u unit) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.conn.SetWriteDeadline(s.c.o.Clock.Now().Add(s.c.o.Timeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(u.bytes())
	return err
}

// read takes what comes until the connection ends.
func (s *session) read() {
	r := bufio.NewReader(s.conn)
	for {
		u, err := readUnit(r)
		if err != nil {
			s.end(errors.Join(errors.New("the connection to the message centre broke"), err))
			return
		}
		s.mu.Lock()
		s.heard = s.c.o.Clock.Now()
		s.mu.Unlock()
		if !s.take(u) {
			return
		}
	}
}

// take handles a unit; it is false when the connection ends by it.
func (s *session) take(u unit) bool {
	switch u.command {
	case submitSMResp, bindTransceiverResp, enquireLinkResp, unbindResp, genericNack:
		s.mu.Lock()
		tell := s.asked[u.sequence]
		delete(s.asked, u.sequence)
		s.mu.Unlock()
		if tell == nil {
			return true
		}
		if u.command == genericNack && u.status == StatusOK {
			u.status = statusBadCommand
		}
		tell(u, nil)
	case enquireLink:
		s.reply(u, enquireLinkResp, StatusOK, nil)
	case unbind:
		s.reply(u, unbindResp, StatusOK, nil)
		s.end(errors.New("the message centre took leave"))
		return false
	case deliverSM:
		select {
		case s.reports <- struct{}{}:
		case <-s.done:
			return false
		}
		s.c.running.Go(func() {
			defer func() { <-s.reports }()
			s.deliver(u)
		})
	case alertNotification:
	default:
		s.reply(u, genericNack, statusBadCommand, nil)
	}
	return true
}

func (s *session) reply(to unit, command uint32, status Status, body []byte) {
	if err := s.write(unit{command: command, status: status, sequence: to.sequence, body: body}); err != nil {
		s.end(err)
	}
}

// looks are the pauses between looks for what a delivery report is about: it may overtake the record of its sending.
var looks = []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, time.Second, 3 * time.Second}

// deliver takes what the centre delivers. A report is acknowledged when it is recorded; one that cannot be is asked for
// again. What is no report, or about nothing known, is acknowledged and dropped.
func (s *session) deliver(u unit) {
	status := StatusOK
	if r, ok := receiptOf(u.body); ok && r.Final && s.c.receipt != nil {
		for _, pause := range looks {
			select {
			case <-s.c.ctx.Done():
				return // it is delivered again to who binds next
			case <-s.c.o.Clock.After(pause):
			}
			known, err := s.c.receipt(s.c.ctx, r)
			if err != nil {
				s.c.o.Logger.Warn("a delivery report cannot be recorded; it is asked for again", "error", err)
				status = statusTemporarily
				break
			}
			if known {
				break
			}
		}
	}
	s.reply(u, deliverSMResp, status, []byte{0})
}

// watch asks whether the centre is there when it is silent, and ends the connection when it does not answer.
func (s *session) watch() {
	for {
		select {
		case <-s.done:
			return
		case <-s.c.ctx.Done():
			s.end(ErrClosed)
			return
		case <-s.c.o.Clock.After(s.c.o.Enquire):
		}
		s.mu.Lock()
		silent := s.c.o.Clock.Now().Sub(s.heard)
		s.mu.Unlock()
		if silent < s.c.o.Enquire {
			continue
		}
		answered := make(chan struct{})
		if s.ask(enquireLink, nil, func(unit, error) { close(answered) }) != nil {
			return
		}
		select {
		case <-answered:
		case <-s.done:
		case <-s.c.o.Clock.After(s.c.o.Timeout):
			s.end(errors.New("the message centre fell silent"))
		}
	}
}

// leave waits for the answers that are to come, as long as ctx lasts, and takes leave.
func (s *session) leave(ctx context.Context) {
	for range cap(s.c.window) { // no message is without an answer, and none leaves any more
		select {
		case s.c.window <- struct{}{}:
		case <-ctx.Done():
			s.end(ErrClosed)
			return
		case <-s.done:
			return
		}
	}
	answered := make(chan struct{})
	if s.ask(unbind, nil, func(unit, error) { close(answered) }) == nil {
		select {
		case <-answered:
		case <-ctx.Done():
		case <-s.c.o.Clock.After(s.c.o.Timeout):
		}
	}
	s.end(ErrClosed)
}
