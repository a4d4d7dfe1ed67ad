package store

import (
	"context"
	"fmt"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

const (
	sqlBalance   = `SELECT balance FROM ledger_balance WHERE home = $1 AND spid = $2 AND account = $3 AND unit = $4`
	sqlBalances  = `SELECT account, unit, balance FROM ledger_balance WHERE home = $1 AND spid = $2 AND account = $3`
	sqlBalanceAt = `SELECT balance FROM ledger_entry WHERE home = $1 AND spid = $2 AND account = $3 AND unit = $4 AND at <= $5
ORDER BY at DESC, n DESC LIMIT 1`
	sqlPlace    = `SELECT at, n FROM ledger_entry WHERE home = $1 AND spid = $2 AND posting = $3 AND account = $4 AND unit = $5 ORDER BY n LIMIT 1`
	sqlTouching = `SELECT posting, at, n FROM ledger_entry WHERE home = $1 AND spid = $2 AND account = $3 AND unit = $4`
	sqlPosting  = `SELECT cause_kind, cause, text FROM ledger_posting WHERE home = $1 AND spid = $2 AND id = $3`
	sqlEntries  = `SELECT account, unit, amount, balance FROM ledger_entry WHERE home = $1 AND spid = $2 AND posting = $3 ORDER BY seq`

	sqlUnitSums = `SELECT home, spid, unit FROM ledger_entry GROUP BY home, spid, unit HAVING sum(amount) <> 0`
	sqlDrifted  = `SELECT home, spid, account, unit FROM (
SELECT home, spid, account, unit, amount AS moved, 0 AS held FROM ledger_entry
UNION ALL SELECT home, spid, account, unit, 0 AS moved, balance AS held FROM ledger_balance) AS both_sides
GROUP BY home, spid, account, unit HAVING sum(moved) <> sum(held)`
	// The balance after each entry is the one before it and its amount.
	sqlBroken = `SELECT home, spid, account, unit FROM (
SELECT home, spid, account, unit, amount, balance, n, at,
lag(balance, 1, 0) OVER w AS balance_before, lag(n, 1, 0) OVER w AS n_before, lag(at, 1, 0) OVER w AS at_before
FROM ledger_entry WINDOW w AS (PARTITION BY home, spid, account, unit ORDER BY n)) AS chain
WHERE balance <> balance_before + amount OR n <> n_before + 1 OR at < at_before GROUP BY home, spid, account, unit`
)

// Balance is what an account holds of a unit now; 0 for one that nothing was booked on.
func (s *Store) Balance(ctx context.Context, home id.Home, account, unit string) (int64, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return 0, err
	}
	var n int64
	_, err = s.readRow(ctx, sqlBalance, []any{int64(home), int64(spid), account, unit}, &n)
	return n, err
}

// Holding is what an account holds of a unit.
type Holding struct {
	Account, Unit string
	Balance       int64
}

// Balances is what accounts of a home hold, of every unit that was ever booked on them, in one journey.
func (s *Store) Balances(ctx context.Context, home id.Home, accounts ...string) ([]Holding, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, err
	}
	lists := make([][]any, len(accounts))
	for i, a := range accounts {
		lists[i] = []any{int64(home), int64(spid), a}
	}
	var all []Holding
	err = s.readAll(ctx, sqlBalances, lists, func(_ int, r engine.Rows) error {
		var h Holding
		err := r.Scan(&h.Account, &h.Unit, &h.Balance)
		all = append(all, h)
		return err
	})
	return all, err
}

// BalanceAt is what an account held of a unit at a moment, all that was booked at that very moment included; 0
// before its first entry.
func (s *Store) BalanceAt(ctx context.Context, home id.Home, account, unit string, at time.Time) (int64, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return 0, err
	}
	var n int64
	_, err = s.readRow(ctx, sqlBalanceAt, []any{int64(home), int64(spid), account, unit, engine.Micros(at)}, &n)
	return n, err
}

// History asks for the postings that moved one unit of an account, newest first.
type History struct {
	Account, Unit string
	// Before leaves out this posting and all newer ones: the last one of the page before. Empty: none.
	Before id.ID
	// From and To bound the moments of booking, From included and To not; zero: no bound.
	From, To time.Time
	// Limit is the most to return; 0 means no limit.
	Limit int
}

// Postings lists postings with all their entries, in the order of the account's running balance, newest first. A
// posting in Before that did not move the account is an Invalid fault.
func (s *Store) Postings(ctx context.Context, home id.Home, q History) (all []Posting, err error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, err
	}
	err = s.Snapshot(ctx, func(ctx context.Context) error {
		all, err = s.touching(ctx, home, spid, q)
		if err != nil {
			return err
		}
		lists := make([][]any, len(all))
		for i, p := range all {
			lists[i] = []any{int64(home), int64(spid), string(p.ID)}
		}
		err = s.readAll(ctx, sqlPosting, lists, func(n int, r engine.Rows) error {
			return r.Scan(&all[n].CauseKind, &all[n].Cause, &all[n].Text)
		})
		if err != nil {
			return err
		}
		return s.readAll(ctx, sqlEntries, lists, func(n int, r engine.Rows) error {
			var e Entry
			err := r.Scan(&e.Account, &e.Unit, &e.Amount, &e.Balance)
			all[n].Entries = append(all[n].Entries, e)
			return err
		})
	})
	return all, err
}

// place is where an entry stands on its account.
type place struct{ at, n int64 }

// touching lists the postings of a history, with ids and moments only.
func (s *Store) touching(ctx context.Context, home id.Home, spid int, q History) (all []Posting, err error) {
	var below *place
	if q.Before != "" {
		below = new(place)
		found, err := s.readRow(ctx, sqlPlace, []any{int64(home), int64(spid), string(q.Before), q.Account, q.Unit}, &below.at, &below.n)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fault.Invalidf("before", "the account has no posting %s", shorten(string(q.Before)))
		}
	}
	for {
		limit, read := 0, 0
		if q.Limit > 0 {
			limit = q.Limit - len(all)
		}
		sql, args := q.touching(home, spid, below, limit)
		err := s.readEach(ctx, sql, args, func(r engine.Rows) error {
			var i string
			var at place
			if err := r.Scan(&i, &at.at, &at.n); err != nil {
				return err
			}
			read, below = read+1, &at
			// A posting may move an account more than once, by entries side by side.
			if len(all) == 0 || all[len(all)-1].ID != id.ID(i) {
				all = append(all, Posting{ID: id.ID(i), At: moment(at.at)})
			}
			return nil
		})
		if err != nil || read < limit || limit == 0 || len(all) == q.Limit {
			return all, err
		}
	}
}

// touching asks for entries of the history below a place; limit 0 means all.
func (q History) touching(home id.Home, spid int, below *place, limit int) (string, []any) {
	b := &builder{args: []any{int64(home), int64(spid), q.Account, q.Unit}}
	sql := sqlTouching
	if below != nil {
		sql += ` AND (at, n) < (` + b.arg(below.at) + `, ` + b.arg(below.n) + `)`
	}
	if !q.From.IsZero() {
		sql += ` AND at >= ` + b.arg(engine.Micros(q.From))
	}
	if !q.To.IsZero() {
		sql += ` AND at < ` + b.arg(engine.Micros(q.To))
	}
	return sql + ` ORDER BY at DESC, n DESC` + b.page(0, limit, ""), b.args
}

// Unbalanced lists, over all service providers, units whose entries do not sum to zero, accounts whose balance
// is not the sum of their entries, and those whose running balance does not follow from them. It is empty, always; doctor and the tests ask.
func (s *Store) Unbalanced(ctx context.Context) ([]string, error) {
	var all []string
	err := s.Snapshot(ctx, func(ctx context.Context) error {
		all = nil
		err := s.readEach(ctx, sqlUnitSums, nil, func(r engine.Rows) error {
			var home, spid int64
			var unit string
			err := r.Scan(&home, &spid, &unit)
			all = append(all, fmt.Sprintf("service provider %d, home %d: the entries of %s do not sum to zero", spid, home, unit))
			return err
		})
		if err != nil {
			return err
		}
		for _, proof := range []struct{ sql, text string }{
			{sqlDrifted, "service provider %d, home %d: the balance of %s in %s is not the sum of its entries"},
			{sqlBroken, "service provider %d, home %d: the running balance of %s in %s does not follow from its entries"},
		} {
			err := s.readEach(ctx, proof.sql, nil, func(r engine.Rows) error {
				var home, spid int64
				var account, unit string
				err := r.Scan(&home, &spid, &account, &unit)
				all = append(all, fmt.Sprintf(proof.text, spid, home, account, unit))
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}
