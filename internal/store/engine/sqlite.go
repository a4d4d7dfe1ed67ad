package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/demarc-bss/demarc/internal/store/filter"
)

// sqliteDB is the embedded engine: one connection that writes, a few that read.
type sqliteDB struct {
	*committer
	readers *stack[*sqliteConn]
	all     []*sqliteConn
	// synchronous is when the engine waits for the disk.
	synchronous string
	// mapped is how many bytes of the file each reader sees in its own memory.
	mapped int64
}

// Page cache in KiB of the writer and of each reader, filled as it is used: enough for the inner pages of the
// indexes of a few million rows, so that a look-up reads no more than its leaves. The writer's also holds what one large
// transaction changes: what does not fit there is written more than once.
const (
	writerCacheKiB = 65536
	readerCacheKiB = 16384
)

// checkpointPages is after how many pages the log is carried over to the file: half of what the log may keep. Pages that
// change again and again meanwhile are carried over once.
const checkpointPages = 16000

// keptStatements bounds the prepared statements of one connection; filters make new ones without end.
const keptStatements = 256

// OpenSQLite opens the embedded engine on a file. docs is told of the documents that commits change; it may be nil.
func OpenSQLite(path string, o Options, docs Docs) (Engine, error) {
	if path == "" {
		return nil, errors.New("store: the URL needs a file: sqlite:PATH")
	}
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	// A new file is its owner's alone, whatever the umask; SQLite gives the files beside it the same mode.
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	drv, err := sqliteDriver()
	if err != nil {
		return nil, err
	}
	db := &sqliteDB{readers: newStack[*sqliteConn](o.Readers), mapped: o.MapBytes}
	db.synchronous = "FULL"
	if o.Fleeting {
		db.synchronous = "OFF"
	}
	writer, err := db.open(drv, path, writerCacheKiB, false)
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	temporary.Do(func() { err = writer.keepTemporary(filepath.Dir(path)) })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: open %s: %w", path, err), db.closeAll())
	}
	for range o.Readers {
		r, err := db.open(drv, path, readerCacheKiB, true)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("store: open %s: %w", path, err), db.closeAll())
		}
		db.readers.push(r)
	}
	db.committer = newCommitter(writer, o.Group, docs)
	return db, nil
}

func (db *sqliteDB) open(drv *sqlite.Driver, path string, cacheKiB int, readOnly bool) (*sqliteConn, error) {
	q := url.Values{}
	q.Set("_busy_timeout", "10000")
	q.Set("_journal_mode", "WAL")
	q.Set("_synchronous", db.synchronous)
	q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", cacheKiB))
	// What is temporary goes to a file when it is large. In memory a savepoint's pages stand in a list of small pieces, which
	// SQLite walks through whenever a part of a large write ends; and what sorts a whole ledger holds all of it.
	q.Add("_pragma", "temp_store(FILE)")
	q.Add("_pragma", "journal_size_limit(134217728)")
	q.Add("_pragma", fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages))
	if readOnly {
		q.Add("_pragma", fmt.Sprintf("mmap_size(%d)", max(db.mapped, 0)))
		q.Set("_query_only", "1")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}
	dc, err := drv.Open(dsn.String())
	if err != nil {
		return nil, err
	}
	c := &sqliteConn{dc: dc, kept: map[string]*sqliteStmt{}, writer: !readOnly}
	c.giveBack = func() { db.readers.push(c) }
	db.all = append(db.all, c)
	return c, nil
}

// temporary is set once: SQLite has one folder for the temporary files of a process.
var temporary sync.Once

// keepTemporary has SQLite write temporary files beside the database: a machine may have no other folder to write to.
func (c *sqliteConn) keepTemporary(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	return c.Script(context.Background(), "PRAGMA temp_store_directory = '"+strings.ReplaceAll(abs, "'", "''")+"'")
}

// sqliteDriver is a driver of our own, so that our functions are not registered for the whole process.
func sqliteDriver() (*sqlite.Driver, error) {
	drv := &sqlite.Driver{}
	conditions, sorts := filter.NewConditions(), filter.NewSorts()
	match := func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		doc, _ := args[0].(string)
		spec, _ := args[1].(string)
		ok, err := conditions.Match(doc, spec)
		return ok, err
	}
	key := func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		doc, _ := args[0].(string)
		spec, _ := args[1].(string)
		k, err := sorts.Key(doc, spec)
		if k == nil || err != nil {
			return nil, err
		}
		return k, nil
	}
	return drv, errors.Join(
		drv.RegisterFunction("demarc_match", &sqlite.FunctionImpl{NArgs: 2, Deterministic: true, VolatileArgs: true, Scalar: match}),
		drv.RegisterFunction("demarc_key", &sqlite.FunctionImpl{NArgs: 2, Deterministic: true, VolatileArgs: true, Scalar: key}),
	)
}

func (db *sqliteDB) Name() string { return "sqlite" }

func (db *sqliteDB) Read(ctx context.Context) (Conn, func(), error) {
	select {
	case <-db.closed:
		return nil, nil, errClosed
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-db.readers.turns:
		c := db.readers.pop()
		c.broken = nil
		return c, c.giveBack, nil
	}
}

func (db *sqliteDB) Snapshot(ctx context.Context, fn func(c Conn) error) error {
	c, release, err := db.Read(ctx)
	if err != nil {
		return err
	}
	defer release()
	if _, err := c.Exec(ctx, "BEGIN DEFERRED"); err != nil {
		return err
	}
	defer c.Exec(context.WithoutCancel(ctx), "ROLLBACK") //nolint:errcheck // nothing was changed
	return fn(c)
}

// singly is one write here: a commit for each statement would cost an fsync each.
func (db *sqliteDB) Singly(ctx context.Context, fn func(c Conn) error) error {
	return db.committer.Write(ctx, "", func(t *Tx) error {
		if err := t.Mark(ctx); err != nil {
			return err
		}
		return fn(t.Conn)
	})
}

// migrate is a write: the write lock of the file keeps other processes out.
func (db *sqliteDB) Migrate(ctx context.Context, _, _ string, fn func(c Conn) error) error {
	return db.Singly(ctx, fn)
}

// close lets the running writes and reads end, then the connections.
func (db *sqliteDB) Close() error {
	db.committer.stop()
	for range cap(db.readers.turns) {
		<-db.readers.turns
	}
	return db.closeAll()
}

func (db *sqliteDB) closeAll() error {
	var errs []error
	for i := len(db.all) - 1; i >= 0; i-- { // the writer last: it takes the log with it
		errs = append(errs, db.all[i].close())
	}
	return errors.Join(errs...)
}

// sqliteConn is one connection with its prepared statements. One goroutine uses it at a time.
type sqliteConn struct {
	dc   driver.Conn
	kept map[string]*sqliteStmt
	args []driver.NamedValue
	rows sqliteRows
	// broken is the error after which SQLite may have rolled the transaction back on its own: what came
	// after it would be committed alone. It is cleared when the next transaction begins.
	broken error
	// writer is set on the one connection whose statements are never interrupted: an interrupted change
	// takes the whole group with it.
	writer bool
	// giveBack returns a reader to the others.
	giveBack func()
}

// calm is the context that a statement runs under. The driver watches a context that can end with a
// goroutine a statement, so only scans, which may take long, are watched.
func (c *sqliteConn) calm(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.writer || ctx.Value(scanKey{}) == nil {
		return context.Background(), nil
	}
	return ctx, nil
}

// Scanning marks a context whose queries may read many rows.
func Scanning(ctx context.Context) context.Context { return context.WithValue(ctx, scanKey{}, true) }

type scanKey struct{}

type sqliteStmt struct {
	stmt  driver.Stmt
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
}

func (c *sqliteConn) prepare(sql string) (*sqliteStmt, error) {
	if s, ok := c.kept[sql]; ok {
		return s, nil
	}
	if len(c.kept) >= keptStatements {
		for k, s := range c.kept { // any will do: the frequent ones come back at once
			delete(c.kept, k)
			_ = s.stmt.Close()
			break
		}
	}
	st, err := c.dc.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, sql)
	}
	s := &sqliteStmt{stmt: st, exec: st.(driver.StmtExecContext), query: st.(driver.StmtQueryContext)}
	c.kept[sql] = s
	return s, nil
}

func (c *sqliteConn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: plain(a)})
	}
	return c.args
}

func (c *sqliteConn) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	ctx, err := c.calm(ctx)
	if err != nil {
		return 0, err
	}
	s, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	r, err := s.exec.ExecContext(ctx, c.bind(args))
	if err != nil {
		return 0, c.failed(err)
	}
	return r.RowsAffected()
}

// later is at once here: there is no network to spare.
func (c *sqliteConn) Later(ctx context.Context, sql string, args ...any) error {
	_, err := c.Exec(ctx, sql, args...)
	return err
}

func (c *sqliteConn) Query(ctx context.Context, sql string, args ...any) (Rows, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	ctx, err := c.calm(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	r, err := s.query.QueryContext(ctx, c.bind(args))
	if err != nil {
		return nil, c.failed(err)
	}
	vals := c.rows.vals
	if n := len(r.Columns()); cap(vals) < n {
		vals = make([]driver.Value, n)
	} else {
		vals = vals[:n]
	}
	c.rows = sqliteRows{c: c, r: r, vals: vals}
	return &c.rows, nil
}

func (c *sqliteConn) Execs(ctx context.Context, sql string, lists [][]any) ([]int64, error) {
	affected := make([]int64, len(lists))
	for i, args := range lists {
		n, err := c.Exec(ctx, sql, args...)
		if err != nil {
			return nil, err
		}
		affected[i] = n
	}
	return affected, nil
}

func (c *sqliteConn) Queries(ctx context.Context, sql string, lists [][]any, fn func(int, Rows) error) error {
	for i, args := range lists {
		if err := Each(ctx, c, sql, args, func(r Rows) error { return fn(i, r) }); err != nil {
			return err
		}
	}
	return nil
}

// failed notes errors that end the whole transaction.
func (c *sqliteConn) failed(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_INTERRUPT:
			c.broken = err
		}
	}
	return err
}

// script runs statements that are used once.
func (c *sqliteConn) Script(ctx context.Context, sql string) error {
	_, err := c.dc.(driver.ExecerContext).ExecContext(ctx, sql, nil)
	return err
}

func (c *sqliteConn) close() error {
	for _, s := range c.kept {
		_ = s.stmt.Close()
	}
	return c.dc.Close()
}

type sqliteRows struct {
	c    *sqliteConn
	r    driver.Rows
	vals []driver.Value
	err  error
}

func (r *sqliteRows) Next() bool {
	if r.err != nil {
		return false
	}
	r.err = r.r.Next(r.vals)
	return r.err == nil
}

func (r *sqliteRows) Close() error {
	err := r.r.Close()
	if r.err != nil && !errors.Is(r.err, io.EOF) {
		return r.c.failed(r.err)
	}
	return err
}

func (r *sqliteRows) Scan(dest ...any) error {
	for i, d := range dest {
		if err := assign(d, r.vals[i]); err != nil {
			return fmt.Errorf("store: column %d: %w", i, err)
		}
	}
	return nil
}

func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *int64:
		if x, ok := v.(int64); ok {
			*d = x
			return nil
		}
	case *int:
		if x, ok := v.(int64); ok {
			*d = int(x)
			return nil
		}
	case *bool:
		if x, ok := v.(int64); ok {
			*d = x != 0
			return nil
		}
	case *string:
		if x, ok := v.(string); ok {
			*d = x
			return nil
		}
	case *[]byte:
		switch x := v.(type) {
		case string:
			*d = []byte(x)
			return nil
		case []byte:
			*d = x
			return nil
		case nil:
			*d = nil
			return nil
		}
	}
	return fmt.Errorf("%T does not go into %T", v, dest)
}

func sqliteBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// sqliteMissing reports whether a table is not there; SQLite has no code of its own for it.
func sqliteMissing(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && strings.Contains(e.Error(), "no such table")
}

// SQLitePath is the file that a URL of the form sqlite:PATH or sqlite://PATH names.
func SQLitePath(rest string) string { return strings.TrimPrefix(rest, "//") }
