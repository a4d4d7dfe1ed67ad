package engine

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// pgPool lends PostgreSQL connections, each with its cache of prepared statements. A connection is made
// when it is needed; one that broke, or turned out to lead to a server that takes no writes any more, is
// dropped, and the next is made to the host that does.
type pgPool struct {
	cfg *pgx.ConnConfig
	*stack[*pgSlot]
	size   int
	closed chan struct{}
	once   sync.Once
}

// pgSlot is a place for a connection, held by one borrower at a time.
type pgSlot struct {
	conn *pgx.Conn
	// made and idle are when it was connected and last given back.
	made, idle time.Time
}

const (
	// doubtful is after how long without use a connection is asked whether it still leads anywhere.
	doubtful = 5 * time.Second
	// oldest is when a connection is made anew, so that load spreads again after a failover.
	oldest = time.Hour
	// connectTime bounds the making of a connection when the URL does not.
	connectTime = 10 * time.Second
)

func newPgPool(cfg *pgx.ConnConfig, size int) *pgPool {
	p := &pgPool{cfg: cfg, size: size, stack: newStack[*pgSlot](size), closed: make(chan struct{})}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTime
	}
	for range size {
		p.push(&pgSlot{})
	}
	return p
}

// borrow waits for a free slot and sees to it that it has a connection; give it back.
func (p *pgPool) borrow(ctx context.Context) (*pgSlot, error) {
	select {
	case <-p.closed:
		return nil, errClosed
	default:
	}
	select {
	case <-p.turns:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, errClosed
	}
	s := p.pop()
	if err := p.ready(ctx, s); err != nil {
		p.giveBack(s)
		return nil, err
	}
	return s, nil
}

func (p *pgPool) ready(ctx context.Context, s *pgSlot) error {
	now := (clock.Real{}).Now()
	if s.conn != nil && (now.Sub(s.made) > oldest || now.Sub(s.idle) > doubtful && s.conn.Ping(ctx) != nil) {
		s.drop()
	}
	if s.conn != nil {
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, p.cfg)
	if err != nil {
		return err
	}
	s.conn, s.made = conn, now
	return nil
}

// giveBack keeps the connection only if it can begin something new.
func (p *pgPool) giveBack(s *pgSlot) {
	if s.conn != nil && (s.conn.IsClosed() || s.conn.PgConn().IsBusy() || s.conn.PgConn().TxStatus() != 'I') {
		s.drop()
	}
	s.idle = (clock.Real{}).Now()
	p.push(s)
}

func (s *pgSlot) drop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx)
	s.conn = nil
}

// checked drops a connection whose server was demoted: it answers, but takes no writes.
func (s *pgSlot) checked(err error) error {
	if code(err) == readOnlyTransaction {
		s.drop()
	}
	return err
}

// close waits until all connections were given back.
func (p *pgPool) close() error {
	p.once.Do(func() {
		close(p.closed)
		for range p.size {
			<-p.turns
			if s := p.pop(); s.conn != nil {
				s.drop()
			}
		}
	})
	return nil
}
