//go:build bench

package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// The statements of the store for these three operations, with what belongs to a new customer: its count,
// its event and its audit record.
const (
	getSQL    = `SELECT version, created, updated, doc FROM customer WHERE home = $1 AND spid = $2 AND id = $3`
	listSQL   = `SELECT id, version, created, updated, doc FROM customer WHERE spid = $1 AND name = $2 ORDER BY id LIMIT 100`
	countSQL  = `SELECT count(*) FROM customer WHERE spid = $1 AND name = $2`
	insertSQL = `INSERT INTO customer (home, spid, id, version, created, updated, doc) VALUES ($1, $2, $3, 1, $4, $4, $5) ON CONFLICT (home, spid, id) DO NOTHING`
	tallySQL  = `INSERT INTO tally (home, spid, collection, n) VALUES ($1, $2, $3, $4) ON CONFLICT (spid, collection, home) DO UPDATE SET n = tally.n + excluded.n`
	eventSQL  = `INSERT INTO event (home, spid, id, at, type, domain, title, description, correlation_id, resource, subject, doc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	auditSQL  = `INSERT INTO audit (home, spid, id, at, subject, client, operation, request_id, reason, entity, entity_id, before_doc, after_doc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
)

func migrate(url string) error {
	s, err := store.Open(context.Background(), url, store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := s.Migrate(context.Background(), false); err != nil {
		return err
	}
	return s.Close()
}

func openRaw(engine, url string) (rawDatabase, error) {
	if engine == "postgres" {
		c, err := pgxpool.ParseConfig(url)
		if err != nil {
			return nil, err
		}
		c.MaxConns = 64
		pool, err := pgxpool.NewWithConfig(context.Background(), c)
		return &rawPostgres{pool: pool}, err
	}
	dsn := "file:" + strings.TrimPrefix(url, "sqlite:") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-8192)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	return &rawSQLite{db: db}, nil
}

// customer is the rows of one new customer as arguments of the statements.
func customer(n int) (insert, tally, event, audit []any) {
	home := id.RandomHome()
	now := time.Now()
	at := now.UnixMicro()
	i := id.New(kind, home, now).String()
	doc := fmt.Sprintf(storedBody, fmt.Sprintf("Moon Football Club %d", n))
	insert = []any{int64(home), int64(1), i, at, doc}
	tally = []any{int64(home), int64(1), "customer", int64(1)}
	event = []any{int64(home), int64(1), id.New(id.Kind{Prefix: "evt"}, home, now).String(), at, "CustomerCreateEvent", "customerManagement", "", "", "0123456789abcdef0123456789abcdef", "customer", i, doc}
	audit = []any{int64(home), int64(1), id.New(id.Kind{Prefix: "aud"}, home, now).String(), at, "0123456789abcdef", "obp-apigw", "tmf.customer.create", "0123456789abcdef0123456789abcdef", "", "customer", i, nil, doc}
	return insert, tally, event, audit
}

type rawSQLite struct{ db *sql.DB }

func (r *rawSQLite) close() { _ = r.db.Close() }

func (r *rawSQLite) seed(ids, names []string) error {
	tx, err := r.db.Begin()
	if err != nil {
		return err
	}
	insert, err := tx.Prepare(insertSQL)
	if err != nil {
		return err
	}
	tally, err := tx.Prepare(tallySQL)
	if err != nil {
		return err
	}
	for n := range ids {
		h, _ := id.ID(ids[n]).Home()
		if _, err := insert.Exec(int64(h), 1, ids[n], time.Now().UnixMicro(), fmt.Sprintf(storedBody, names[n])); err != nil {
			return err
		}
		if _, err := tally.Exec(int64(h), 1, "customer", 1); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (r *rawSQLite) get(int) (func(string) error, error) {
	st, err := r.db.Prepare(getSQL)
	return func(i string) error {
		h, _ := id.ID(i).Home()
		var version, created, updated int64
		var doc []byte
		return st.QueryRow(int64(h), 1, i).Scan(&version, &created, &updated, &doc)
	}, err
}

func (r *rawSQLite) list(int) (func(string) error, error) {
	list, err := r.db.Prepare(listSQL)
	if err != nil {
		return nil, err
	}
	count, err := r.db.Prepare(countSQL)
	return func(name string) error {
		rows, err := list.Query(1, name)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var i string
			var version, created, updated int64
			var doc []byte
			if err := rows.Scan(&i, &version, &created, &updated, &doc); err != nil {
				return err
			}
		}
		var total int64
		return count.QueryRow(1, name).Scan(&total)
	}, err
}

func (r *rawSQLite) create(_, group int) (func() error, error) {
	c, err := r.db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	var st [4]*sql.Stmt
	for i, text := range []string{insertSQL, tallySQL, eventSQL, auditSQL} {
		if st[i], err = c.PrepareContext(context.Background(), text); err != nil {
			return nil, err
		}
	}
	var fixed [4]*sql.Stmt
	for i, text := range []string{"BEGIN IMMEDIATE", "SAVEPOINT one", "RELEASE one", "COMMIT"} {
		if fixed[i], err = c.PrepareContext(context.Background(), text); err != nil {
			return nil, err
		}
	}
	n := 0
	return func() error {
		if n%group == 0 {
			if _, err := fixed[0].Exec(); err != nil {
				return err
			}
		}
		n++
		insert, tally, event, audit := customer(n)
		if _, err := fixed[1].Exec(); err != nil {
			return err
		}
		for i, args := range [][]any{insert, tally, event, audit} {
			if _, err := st[i].Exec(args...); err != nil {
				return err
			}
		}
		if _, err := fixed[2].Exec(); err != nil {
			return err
		}
		if n%group == 0 {
			_, err := fixed[3].Exec()
			return err
		}
		return nil
	}, nil
}

type rawPostgres struct{ pool *pgxpool.Pool }

func (r *rawPostgres) close() { r.pool.Close() }

func (r *rawPostgres) seed(ids, names []string) error {
	ctx := context.Background()
	_, err := r.pool.CopyFrom(ctx, pgx.Identifier{"customer"}, []string{"home", "spid", "id", "version", "created", "updated", "doc"},
		pgx.CopyFromSlice(len(ids), func(n int) ([]any, error) {
			h, _ := id.ID(ids[n]).Home()
			at := time.Now().UnixMicro()
			return []any{int64(h), int64(1), ids[n], int64(1), at, at, fmt.Sprintf(storedBody, names[n])}, nil
		}))
	if err != nil {
		return err
	}
	_, err = r.pool.Exec(ctx, `INSERT INTO tally (home, spid, collection, n) SELECT home, spid, 'customer', count(*) FROM customer GROUP BY home, spid`)
	if err == nil {
		_, err = r.pool.Exec(ctx, `ANALYZE`)
	}
	return err
}

func (r *rawPostgres) get(int) (func(string) error, error) {
	return func(i string) error {
		h, _ := id.ID(i).Home()
		var version, created, updated int64
		var doc []byte
		return r.pool.QueryRow(context.Background(), getSQL, int64(h), int64(1), i).Scan(&version, &created, &updated, &doc)
	}, nil
}

func (r *rawPostgres) list(int) (func(string) error, error) {
	return func(name string) error {
		rows, err := r.pool.Query(context.Background(), listSQL, int64(1), name)
		if err != nil {
			return err
		}
		for rows.Next() {
			var i string
			var version, created, updated int64
			var doc []byte
			if err := rows.Scan(&i, &version, &created, &updated, &doc); err != nil {
				return err
			}
		}
		var total int64
		return r.pool.QueryRow(context.Background(), countSQL, int64(1), name).Scan(&total)
	}, nil
}

func (r *rawPostgres) create(worker, _ int) (func() error, error) {
	n := worker
	return func() error {
		n++
		return retried(func() error {
			return pgx.BeginTxFunc(context.Background(), r.pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
				insert, tally, event, audit := customer(n)
				for i, args := range [][]any{insert, tally, event, audit} {
					if _, err := tx.Exec(context.Background(), [...]string{insertSQL, tallySQL, eventSQL, auditSQL}[i], args...); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}, nil
}

// retried runs a serializable transaction until no other is in its way.
func retried(run func() error) error {
	for {
		err := run()
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "40001" {
			return err
		}
	}
}
