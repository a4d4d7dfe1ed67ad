package engine

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresDB is the engine for many nodes.
type postgresDB struct {
	pool  *pgPool
	joint joint
}

const (
	// maxTries bounds how often a transaction that met another is tried again.
	maxTries = 12
	// firstPause doubles with every try, up to lastPause; the real pause is drawn between none and that.
	firstPause = 2 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// OpenPostgres connects to a server.
func OpenPostgres(ctx context.Context, url string, o Options) (Engine, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if o.Readers <= 0 {
		o.Readers = 16
	}
	cfg.StatementCacheCapacity = keptStatements
	for name, value := range map[string]string{"application_name": "demarc", "timezone": "UTC"} {
		if _, ok := cfg.RuntimeParams[name]; !ok {
			cfg.RuntimeParams[name] = value
		}
	}
	cfg.RuntimeParams["default_transaction_isolation"] = "read committed"
	// Writes need connections beside the reads.
	db := &postgresDB{pool: newPgPool(cfg, 2*o.Readers), joint: joint{size: mostJoined}}
	s, err := db.pool.borrow(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.pool.giveBack(s)
	return db, nil
}

func (db *postgresDB) Name() string { return "postgres" }

func (db *postgresDB) Read(ctx context.Context) (Conn, func(), error) {
	s, err := db.pool.borrow(ctx)
	if err != nil {
		return nil, nil, err
	}
	return pgConn{s.conn}, func() { db.pool.giveBack(s) }, nil
}

func (db *postgresDB) Singly(ctx context.Context, fn func(c Conn) error) error {
	s, err := db.pool.borrow(ctx)
	if err != nil {
		return err
	}
	defer db.pool.giveBack(s)
	return s.checked(fn(pgConn{s.conn}))
}

func (db *postgresDB) Snapshot(ctx context.Context, fn func(c Conn) error) error {
	return db.inTx(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", func(p *pgTx) (bool, error) {
		return false, fn(p)
	})
}

// Write runs body in a serializable transaction, and joins those that met others when it met another one.
func (db *postgresDB) Write(ctx context.Context, operation string, body func(t *Tx) error) error {
	if db.joint.hot(operation) {
		return db.join(ctx, body)
	}
	var met error
	err := db.inTx(ctx, "BEGIN ISOLATION LEVEL SERIALIZABLE", func(p *pgTx) (bool, error) {
		t := &Tx{Conn: p}
		err := body(t)
		met = p.failed
		return err == nil && met == nil && !t.Dry, err
	})
	// What the body made of the conflict does not matter.
	again := met != nil || retryable(err)
	db.joint.note(operation, again)
	if !again {
		return err
	}
	return db.join(ctx, body)
}

// inTx runs fn in a transaction that is committed when it says so; a panic rolls it back.
func (db *postgresDB) inTx(ctx context.Context, begin string, fn func(p *pgTx) (commit bool, err error)) error {
	s, err := db.pool.borrow(ctx)
	if err != nil {
		return err
	}
	defer db.pool.giveBack(s)
	p := newPgTx(s.conn, begin)
	calm := context.WithoutCancel(ctx)
	ended := false
	defer func() {
		if !ended { // fn did not return
			_ = p.end(calm, false)
		}
	}()
	commit, err := fn(p)
	ended = true
	if end := p.end(calm, commit && err == nil); err == nil && commit {
		err = end
	}
	return s.checked(err)
}

// pause waits before a try, or until ctx is done.
func pause(ctx context.Context, try int) error {
	most := min(firstPause<<(try-1), lastPause)
	timer := time.NewTimer(time.Duration(Draw(int64(most))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// migrate holds a lock on the table of steps, so nodes that start together wait for each other.
func (db *postgresDB) Migrate(ctx context.Context, prepare, lock string, fn func(c Conn) error) error {
	if err := db.prepare(ctx, prepare); err != nil {
		return err
	}
	return db.inTx(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", func(p *pgTx) (bool, error) {
		if _, err := p.Exec(ctx, lock); err != nil {
			return false, err
		}
		err := fn(p)
		return err == nil, err
	})
}

// prepare tries again when another node makes the table at the same moment: IF NOT EXISTS does
// not guard against that.
func (db *postgresDB) prepare(ctx context.Context, sql string) (err error) {
	for try := 1; try <= maxTries; try++ {
		err = db.Singly(ctx, func(c Conn) error {
			_, err := c.Exec(ctx, sql)
			return err
		})
		if err == nil || !madeMeanwhile(err) {
			return err
		}
		if perr := pause(ctx, try); perr != nil {
			return perr
		}
	}
	return err
}

func (db *postgresDB) Close() error { return db.pool.close() }

// pgConn is a connection outside a transaction: every statement commits on its own.
type pgConn struct{ q *pgx.Conn }

func (c pgConn) Later(ctx context.Context, sql string, args ...any) error {
	_, err := c.Exec(ctx, sql, args...)
	return err
}

func (c pgConn) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := c.q.Exec(ctx, sql, plainArgs(args)...)
	return tag.RowsAffected(), err
}

func (c pgConn) Query(ctx context.Context, sql string, args ...any) (Rows, error) {
	r, err := c.q.Query(ctx, sql, plainArgs(args)...)
	if err != nil {
		return nil, err
	}
	return pgRows{r}, nil
}

func (c pgConn) Execs(ctx context.Context, sql string, lists [][]any) ([]int64, error) {
	return pgExecs(ctx, c.q, nil, sql, lists)
}

func (c pgConn) Queries(ctx context.Context, sql string, lists [][]any, fn func(int, Rows) error) error {
	return pgQueries(ctx, c.q, nil, sql, lists, fn)
}

func (c pgConn) Script(ctx context.Context, sql string) error {
	_, err := c.q.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return err
}

func plainArgs(args []any) []any {
	for i, a := range args {
		args[i] = plain(a)
	}
	return args
}

type pgRows struct{ r pgx.Rows }

func (r pgRows) Next() bool             { return r.r.Next() }
func (r pgRows) Scan(dest ...any) error { return r.r.Scan(dest...) }
func (r pgRows) Close() error {
	r.r.Close()
	return r.r.Err()
}

// Conditions of PostgreSQL (appendix A of its manual).
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	uniqueViolation      = "23505"
	undefinedTable       = "42P01"
	duplicateTable       = "42P07"
	readOnlyTransaction  = "25006"
	tooManyConnections   = "53300"
)

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// retryable reports whether a transaction failed in a way that it may not when run again: it met another
// one, its server was demoted, or its connection was found dead before anything was sent.
func retryable(err error) bool {
	switch code(err) {
	case serializationFailure, deadlockDetected, readOnlyTransaction:
		return true
	}
	return err != nil && pgconn.SafeToRetry(err)
}

func madeMeanwhile(err error) bool {
	c := code(err)
	return c == uniqueViolation || c == duplicateTable
}

func postgresMissing(err error) bool { return code(err) == undefinedTable }

// postgresAway reports whether the server, or the way to it, is what failed.
func postgresAway(err error) bool {
	if c := code(err); c != "" {
		return retryable(err) || c == tooManyConnections || c[:2] == "08" || c[:2] == "57"
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err)
}
