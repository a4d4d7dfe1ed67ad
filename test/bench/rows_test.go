//go:build bench

package bench

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// rawRows writes what rating a record writes, in the same tables and of the same size, without demarc: a usage, a
// claim, a posting with its entries, and a balance.
type rawRows struct {
	sqlite *sql.DB
	pg     *pgxpool.Pool
	n      atomic.Int64
}

var rowSQL = []string{
	`INSERT INTO usage_record (home, spid, id, version, created, updated, doc) VALUES ($1, $2, $3, 1, $4, $4, $5)`,
	`INSERT INTO claim (home, spid, kind, value, owner) VALUES ($1, $2, $3, $4, $5)`,
	`INSERT INTO ledger_posting (home, spid, id, at, cause_kind, cause, text) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
	`INSERT INTO ledger_entry (home, spid, posting, seq, account, unit, amount, balance, at, n) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
	`INSERT INTO ledger_entry (home, spid, posting, seq, account, unit, amount, balance, at, n) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
	`INSERT INTO ledger_balance (home, spid, account, unit, balance, at, n) VALUES ($1, $2, $3, $4, $5, $6, 1) ON CONFLICT (home, spid, account, unit) DO UPDATE SET balance = ledger_balance.balance + excluded.balance`,
}

const usageBody = `{"@type":"Usage","status":"rated","usageType":"voice","usageDate":"2026-03-01T12:00:00Z","description":"Call to 33612345678","subscriptionId":"%s","usageCharacteristic":[{"name":"duration","value":61},{"name":"otherNumber","value":"33612345678"},{"name":"direction","value":"outgoing"}],"ratedProductUsage":[{"taxIncludedRatingAmount":{"unit":"EUR","value":0.3},"taxExcludedRatingAmount":{"unit":"EUR","value":0.25},"ratingDate":"2026-03-01T12:00:00Z","productRef":{"id":"%s"}}]}`

func openRows(engine, url string) (*rawRows, error) {
	if engine == "postgres" {
		c, err := pgxpool.ParseConfig(url)
		if err != nil {
			return nil, err
		}
		c.MaxConns = 64
		pool, err := pgxpool.NewWithConfig(context.Background(), c)
		return &rawRows{pg: pool}, err
	}
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")+"?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-8192)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &rawRows{sqlite: db}, nil
}

func (r *rawRows) close() {
	if r.pg != nil {
		r.pg.Close()
		return
	}
	_ = r.sqlite.Close()
}

// row is the statement and arguments of the n-th row.
func row(n int64) (string, []any) {
	what, record := int(n%int64(len(rowSQL))), n/int64(len(rowSQL))
	home := record * 7919 % id.Homes
	name := func(prefix string) string { return fmt.Sprintf("%s_%026d", prefix, record) }
	account := fmt.Sprintf("bkt_raw%d", record*7919%5000)
	at := time.Now().UnixMicro()
	switch what {
	case 0:
		return rowSQL[what], []any{home, int64(9), name("usg"), at, fmt.Sprintf(usageBody, name("sub"), name("prd"))}
	case 1:
		return rowSQL[what], []any{home, int64(9), "usage.record", name("bench/r"), name("usg")}
	case 2:
		return rowSQL[what], []any{home, int64(9), name("pst"), at, "usage", name("usg"), "Call to 33612345678"}
	case 3, 4:
		return rowSQL[what], []any{home, int64(9), name("pst"), int64(what), account, "EUR", int64(5), int64(7), at, record}
	}
	return rowSQL[what], []any{home, int64(9), account, "EUR", int64(5), at}
}

// write writes so many rows in one transaction.
func (r *rawRows) write(rows int) error {
	ctx := context.Background()
	end := r.n.Add(int64(rows))
	if r.pg != nil {
		return retried(func() error {
			return pgx.BeginTxFunc(ctx, r.pg, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
				for from := end - int64(rows); from < end; {
					var b pgx.Batch
					for range min(512, end-from) {
						text, args := row(from)
						b.Queue(text, args...)
						from++
					}
					if err := tx.SendBatch(ctx, &b).Close(); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	tx, err := r.sqlite.Begin()
	if err != nil {
		return err
	}
	st := map[string]*sql.Stmt{}
	for n := end - int64(rows); n < end; n++ {
		text, args := row(n)
		if st[text] == nil {
			if st[text], err = tx.Prepare(text); err != nil {
				break
			}
		}
		if _, err = st[text].Exec(args...); err != nil {
			break
		}
	}
	if err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}
