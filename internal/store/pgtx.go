package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// pgTx is an open transaction on PostgreSQL. What need not be answered at once (its beginning, and what is
// given to later) waits for the next statement that must be, or for the commit, and goes with it: one
// journey over the network instead of many.
type pgTx struct {
	conn    *pgx.Conn
	waiting []pgStatement
	// sent says that the transaction has begun at the server.
	sent bool
	// failed is a conflict with another transaction, whatever the caller made of it: this one cannot commit.
	failed error
}

type pgStatement struct {
	sql  string
	args []any
}

func newPgTx(c *pgx.Conn, begin string) *pgTx {
	return &pgTx{conn: c, waiting: []pgStatement{{sql: begin}}}
}

func (p *pgTx) note(err error) error {
	if p.failed == nil && retryable(err) {
		p.failed = err
	}
	return err
}

func (p *pgTx) later(_ context.Context, sql string, args ...any) error {
	p.waiting = append(p.waiting, pgStatement{sql, plainArgs(args)})
	return nil
}

// send lets the waiting statements go, with a last one whose answer is to be read.
func (p *pgTx) send(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	var b pgx.Batch
	for _, s := range p.waiting {
		b.Queue(s.sql, s.args...)
	}
	b.Queue(sql, args...)
	n := len(p.waiting)
	clear(p.waiting)
	p.waiting, p.sent = p.waiting[:0], true
	r := p.conn.SendBatch(ctx, &b)
	for range n {
		if _, err := r.Exec(); err != nil {
			_ = r.Close()
			return nil, p.note(err)
		}
	}
	return r, nil
}

func (p *pgTx) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if len(p.waiting) == 0 {
		n, err := pgConn{p.conn}.exec(ctx, sql, args...)
		return n, p.note(err)
	}
	r, err := p.send(ctx, sql, plainArgs(args))
	if err != nil {
		return 0, err
	}
	tag, err := r.Exec()
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return tag.RowsAffected(), p.note(err)
}

func (p *pgTx) query(ctx context.Context, sql string, args ...any) (rows, error) {
	if len(p.waiting) == 0 {
		r, err := p.conn.Query(ctx, sql, plainArgs(args)...)
		if err != nil {
			return nil, p.note(err)
		}
		return pgTxRows{pgRows{r}, nil, p}, nil
	}
	batch, err := p.send(ctx, sql, plainArgs(args))
	if err != nil {
		return nil, err
	}
	r, err := batch.Query()
	if err != nil {
		_ = batch.Close()
		return nil, p.note(err)
	}
	return pgTxRows{pgRows{r}, batch, p}, nil
}

// script is sent as it is, after what waits.
func (p *pgTx) script(ctx context.Context, sql string) error {
	if _, err := p.exec(ctx, "SELECT 1"); err != nil {
		return err
	}
	return p.note(pgConn{p.conn}.script(ctx, sql))
}

// errRolledBack is the answer to the commit of a transaction in which a statement had failed.
var errRolledBack = errors.New("store: the transaction was rolled back because a statement in it had failed")

// end commits, or rolls back. A transaction that never sent anything has nothing to end.
func (p *pgTx) end(ctx context.Context, commit bool) error {
	if !commit {
		p.waiting = nil
		if !p.sent || p.conn.IsClosed() {
			return nil
		}
		_, err := p.conn.Exec(ctx, "ROLLBACK")
		return err
	}
	if !p.sent && len(p.waiting) == 1 {
		return nil
	}
	if len(p.waiting) == 0 {
		tag, err := p.conn.Exec(ctx, "COMMIT")
		return p.committed(tag.String(), err)
	}
	r, err := p.send(ctx, "COMMIT", nil)
	if err != nil {
		return errors.Join(err, p.end(ctx, false))
	}
	tag, err := r.Exec()
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return p.committed(tag.String(), err)
}

func (p *pgTx) committed(tag string, err error) error {
	if err == nil && tag != "COMMIT" {
		err = errRolledBack
	}
	return p.note(err)
}

type pgTxRows struct {
	pgRows
	batch pgx.BatchResults
	p     *pgTx
}

func (r pgTxRows) close() error {
	err := r.pgRows.close()
	if r.batch != nil {
		if cerr := r.batch.Close(); err == nil {
			err = cerr
		}
	}
	return r.p.note(err)
}
