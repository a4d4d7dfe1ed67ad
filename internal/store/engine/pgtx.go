package engine

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
	// journeys counts how often what waited was sent.
	journeys int
	// calm has statements not be interrupted when their ctx ends: that would end the connection, and with it what
	// others do in this transaction.
	calm bool
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

// under is the ctx that a statement runs under.
func (p *pgTx) under(ctx context.Context) (context.Context, error) {
	if !p.calm {
		return ctx, nil
	}
	return context.WithoutCancel(ctx), ctx.Err()
}

func (p *pgTx) Later(ctx context.Context, sql string, args ...any) error {
	p.waiting = append(p.waiting, pgStatement{sql, plainArgs(args)})
	if len(p.waiting) < mostTogether {
		return nil
	}
	ctx, err := p.under(ctx)
	if err != nil {
		return err
	}
	return p.note(pgBatch(ctx, p.conn, p.take(), "", nil, nil))
}

// mostTogether bounds how many statements go in one journey.
const mostTogether = 512

// pgBatch sends the statements first, whose outcome only matters when it is an error, and then sql for each of
// the lists, and has read read the answers to the latter.
func pgBatch(ctx context.Context, c *pgx.Conn, first []pgStatement, sql string, lists [][]any, read func(n int, r pgx.BatchResults) error) error {
	for from := 0; from < len(lists) || len(first) > 0; {
		var b pgx.Batch
		for _, s := range first {
			b.Queue(s.sql, s.args...)
		}
		end := min(from+mostTogether, len(lists))
		for _, args := range lists[from:end] {
			b.Queue(sql, plainArgs(args)...)
		}
		r := c.SendBatch(ctx, &b)
		var err error
		for range first {
			if _, err = r.Exec(); err != nil {
				break
			}
		}
		for n := from; n < end && err == nil; n++ {
			err = read(n, r)
		}
		if cerr := r.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
		from, first = end, nil
	}
	return nil
}

func pgExecs(ctx context.Context, c *pgx.Conn, first []pgStatement, sql string, lists [][]any) ([]int64, error) {
	affected := make([]int64, len(lists))
	err := parts(ctx, c, first, sql, lists, func(b *bulk, from int, part [][]any, r pgx.BatchResults) error {
		if b.telling == "" { // each changes one row, or all fail
			for n := range part {
				affected[from+n] = 1
			}
		}
		return b.read(r, part, func(n int, _ Rows) error { affected[from+n]++; return nil })
	}, func(from int, first []pgStatement, part [][]any) error {
		return pgBatch(ctx, c, first, sql, part, func(n int, r pgx.BatchResults) error {
			tag, err := r.Exec()
			affected[from+n] = tag.RowsAffected()
			return err
		})
	})
	return affected, err
}

func pgQueries(ctx context.Context, c *pgx.Conn, first []pgStatement, sql string, lists [][]any, fn func(int, Rows) error) error {
	return parts(ctx, c, first, sql, lists, func(b *bulk, from int, part [][]any, r pgx.BatchResults) error {
		return b.read(r, part, func(n int, row Rows) error { return fn(from+n, row) })
	}, func(from int, first []pgStatement, part [][]any) error {
		return pgBatch(ctx, c, first, sql, part, func(n int, r pgx.BatchResults) error {
			answer, err := r.Query()
			if err != nil {
				return err
			}
			found := pgRows{answer}
			for err == nil && found.Next() {
				err = fn(from+n, found)
			}
			if cerr := found.Close(); err == nil {
				err = cerr
			}
			return err
		})
	})
}

// take gives the waiting statements away.
func (p *pgTx) take() []pgStatement {
	waiting := p.waiting
	p.waiting, p.sent = nil, true
	p.journeys++
	return waiting
}

func (p *pgTx) Execs(ctx context.Context, sql string, lists [][]any) ([]int64, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	ctx, err := p.under(ctx)
	if err != nil {
		return nil, err
	}
	n, err := pgExecs(ctx, p.conn, p.take(), sql, lists)
	return n, p.note(err)
}

func (p *pgTx) Queries(ctx context.Context, sql string, lists [][]any, fn func(int, Rows) error) error {
	if len(lists) == 0 {
		return nil
	}
	ctx, err := p.under(ctx)
	if err != nil {
		return err
	}
	return p.note(pgQueries(ctx, p.conn, p.take(), sql, lists, fn))
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
	p.journeys++
	r := p.conn.SendBatch(ctx, &b)
	for range n {
		if _, err := r.Exec(); err != nil {
			_ = r.Close()
			return nil, p.note(err)
		}
	}
	return r, nil
}

func (p *pgTx) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	ctx, err := p.under(ctx)
	if err != nil {
		return 0, err
	}
	if len(p.waiting) == 0 {
		n, err := pgConn{p.conn}.Exec(ctx, sql, args...)
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

func (p *pgTx) Query(ctx context.Context, sql string, args ...any) (Rows, error) {
	ctx, err := p.under(ctx)
	if err != nil {
		return nil, err
	}
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
func (p *pgTx) Script(ctx context.Context, sql string) error {
	if _, err := p.Exec(ctx, "SELECT 1"); err != nil {
		return err
	}
	return p.note(pgConn{p.conn}.Script(ctx, sql))
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

func (r pgTxRows) Close() error {
	err := r.pgRows.Close()
	if r.batch != nil {
		if cerr := r.batch.Close(); err == nil {
			err = cerr
		}
	}
	return r.p.note(err)
}
