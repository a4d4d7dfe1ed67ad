package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Entry is one side of a posting: Amount of Unit (a currency's micros, seconds, bytes, messages) moves into
// Account when positive, out of it when negative.
type Entry struct {
	// Account is a bucket's id, or a system account of the home ("cash", "sales", "usage").
	Account string
	Unit    string
	Amount  int64
	// Balance is the account's balance after the entry; set when read.
	Balance int64
}

// Posting is one balanced ledger transaction.
type Posting struct {
	ID id.ID
	At time.Time
	// Cause is what the posting follows from (an order's id, a voucher's serial) and CauseKind its kind.
	CauseKind, Cause string
	// Text says it in words.
	Text    string
	Entries []Entry
}

// PostingKind is the id kind of postings.
var PostingKind = id.Kind{Name: "posting", Prefix: "pst"}

// CodeBalanceRange is the Limit fault of a balance that would leave the range of an int64.
const CodeBalanceRange fault.Code = "balanceOutOfRange"

const (
	sqlPost = `INSERT INTO ledger_posting (home, spid, id, at, cause_kind, cause, text) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	// The bounds keep the sum in range: SQLite would go on in floating point.
	sqlMove = `INSERT INTO ledger_balance (home, spid, account, unit, balance) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (home, spid, account, unit) DO UPDATE SET balance = ledger_balance.balance + excluded.balance
WHERE ledger_balance.balance BETWEEN $6 AND $7 RETURNING balance`
	sqlEntry = `INSERT INTO ledger_entry (home, spid, posting, seq, account, unit, amount, balance) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

	sqlBalance = `SELECT balance FROM ledger_balance WHERE home = $1 AND spid = $2 AND account = $3 AND unit = $4`
	sqlTouched = `SELECT DISTINCT posting FROM ledger_entry WHERE home = $1 AND spid = $2 AND account = $3 ORDER BY posting DESC`
	sqlPosting = `SELECT at, cause_kind, cause, text FROM ledger_posting WHERE home = $1 AND spid = $2 AND id = $3`
	sqlEntries = `SELECT account, unit, amount, balance FROM ledger_entry WHERE home = $1 AND spid = $2 AND posting = $3 ORDER BY seq`

	sqlUnitSums = `SELECT home, spid, unit FROM ledger_entry GROUP BY home, spid, unit HAVING sum(amount) <> 0`
	sqlDrifted  = `SELECT home, spid, account, unit FROM (
SELECT home, spid, account, unit, amount AS moved, 0 AS held FROM ledger_entry
UNION ALL SELECT home, spid, account, unit, 0 AS moved, balance AS held FROM ledger_balance) AS both_sides
GROUP BY home, spid, account, unit HAVING sum(moved) <> sum(held)`
)

// Post books a posting at a home, under a new id and at the transaction's moment where it names none.
// Entries that do not sum to zero for every unit are an Internal fault: it is demarc that would make or
// lose money. A balance beyond an int64 is a Limit fault (CodeBalanceRange).
func (s *Store) Post(ctx context.Context, home id.Home, p Posting) error {
	t, err := s.writing(ctx)
	if err != nil {
		return err
	}
	spid, err := spidOf(ctx)
	if err != nil {
		return err
	}
	if err := balanced(p.Entries); err != nil {
		return fault.Internalf(err, "the booking is not balanced")
	}
	if p.ID == "" {
		p.ID = id.New(PostingKind, home, t.now)
	}
	if p.At.IsZero() {
		p.At = t.now
	}
	if err := t.later(ctx, sqlPost, int64(home), int64(spid), string(p.ID), micros(p.At), p.CauseKind, p.Cause, p.Text); err != nil {
		return dbFault(err)
	}
	for seq, e := range p.Entries {
		if err := t.book(ctx, int64(home), int64(spid), string(p.ID), int64(seq), e); err != nil {
			return dbFault(err)
		}
	}
	return nil
}

// balanced holds that the entries sum to zero for every unit. Wrapping cannot hide a difference: sums are
// kept apart for what goes in and what goes out.
func balanced(entries []Entry) error {
	if len(entries) == 0 {
		return errors.New("store: a posting without entries")
	}
	type sums struct{ in, out uint64 }
	units := map[string]sums{}
	for _, e := range entries {
		u := units[e.Unit]
		side, amount := &u.in, uint64(e.Amount)
		if e.Amount < 0 {
			side, amount = &u.out, -amount
		}
		if *side > math.MaxUint64-amount {
			return fmt.Errorf("store: the posting moves more %s than there can be", e.Unit)
		}
		*side += amount
		units[e.Unit] = u
	}
	for unit, u := range units {
		if u.in != u.out {
			return fmt.Errorf("store: the posting's %s sum to %d in and %d out", unit, u.in, u.out)
		}
	}
	return nil
}

// book moves one entry and records the balance after it.
func (t *tx) book(ctx context.Context, home, spid int64, posting string, seq int64, e Entry) error {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	if e.Amount > 0 {
		high -= e.Amount
	} else {
		low -= e.Amount
	}
	var balance int64
	found, err := t.returning(ctx, sqlMove, []any{home, spid, e.Account, e.Unit, e.Amount, low, high}, &balance)
	if err != nil {
		return err
	}
	if !found {
		return fault.New(fault.Limit, CodeBalanceRange, "the balance of %s would be out of range", shorten(e.Account))
	}
	return t.later(ctx, sqlEntry, home, spid, posting, seq, e.Account, e.Unit, e.Amount, balance)
}

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

// Postings lists the postings that touched an account with all their entries, newest first; limit 0 means
// all.
func (s *Store) Postings(ctx context.Context, home id.Home, account string, offset, limit int) ([]Posting, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return nil, err
	}
	var all []Posting
	err = s.Snapshot(ctx, func(ctx context.Context) error {
		b := &builder{args: []any{int64(home), int64(spid), account}}
		all = nil
		err := s.readEach(ctx, sqlTouched+b.page(offset, limit, s.Engine()), b.args, func(r rows) error {
			var i string
			err := r.scan(&i)
			all = append(all, Posting{ID: id.ID(i)})
			return err
		})
		for i := range all {
			if err == nil {
				err = s.posting(ctx, home, spid, &all[i])
			}
		}
		return err
	})
	return all, err
}

// posting reads the rest of a posting whose id is known.
func (s *Store) posting(ctx context.Context, home id.Home, spid int, p *Posting) error {
	key := []any{int64(home), int64(spid), string(p.ID)}
	var at int64
	if _, err := s.readRow(ctx, sqlPosting, key, &at, &p.CauseKind, &p.Cause, &p.Text); err != nil {
		return err
	}
	p.At = moment(at)
	return s.readEach(ctx, sqlEntries, key, func(r rows) error {
		var e Entry
		err := r.scan(&e.Account, &e.Unit, &e.Amount, &e.Balance)
		p.Entries = append(p.Entries, e)
		return err
	})
}

// Unbalanced lists, over all service providers, units whose entries do not sum to zero, and accounts whose
// balance is not the sum of their entries. It is empty, always; doctor and the tests ask.
func (s *Store) Unbalanced(ctx context.Context) ([]string, error) {
	var all []string
	err := s.Snapshot(ctx, func(ctx context.Context) error {
		all = nil
		err := s.readEach(ctx, sqlUnitSums, nil, func(r rows) error {
			var home, spid int64
			var unit string
			err := r.scan(&home, &spid, &unit)
			all = append(all, fmt.Sprintf("service provider %d, home %d: the entries of %s do not sum to zero", spid, home, unit))
			return err
		})
		if err != nil {
			return err
		}
		return s.readEach(ctx, sqlDrifted, nil, func(r rows) error {
			var home, spid int64
			var account, unit string
			err := r.scan(&home, &spid, &account, &unit)
			all = append(all, fmt.Sprintf("service provider %d, home %d: the balance of %s in %s is not the sum of its entries", spid, home, account, unit))
			return err
		})
	})
	return all, err
}
