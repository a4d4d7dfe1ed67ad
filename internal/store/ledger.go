package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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
	// Balance is the account's balance after the entry; the store sets it.
	Balance int64
}

// Posting is one balanced ledger transaction.
type Posting struct {
	ID id.ID
	// At is when it was booked; the store sets it.
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
	// The bounds keep the sum in range: SQLite would go on in floating point. Time never goes back on an account:
	// who waited for it may have begun earlier than who went before.
	sqlMove = `INSERT INTO ledger_balance (home, spid, account, unit, balance, at, n) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (home, spid, account, unit) DO UPDATE SET balance = ledger_balance.balance + excluded.balance,
at = CASE WHEN ledger_balance.at > excluded.at THEN ledger_balance.at ELSE excluded.at END, n = ledger_balance.n + excluded.n
WHERE ledger_balance.balance BETWEEN $8 AND $9 RETURNING balance, at, n`
	sqlEntry = `INSERT INTO ledger_entry (home, spid, posting, seq, account, unit, amount, balance, at, n)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
)

// Post books a posting at a home; see PostAll.
func (s *Store) Post(ctx context.Context, home id.Home, p Posting) error {
	return s.PostAll(ctx, home, []Posting{p})
}

// PostAll books postings at a home, in their order: all or none. It costs one write an account, one a posting and
// one an entry, in two journeys to the database. It sets in place what the postings leave out: ids where there
// are none, the transaction's moment, and the entries' balances.
//
// Entries that do not sum to zero for every unit are an Internal fault: it is demarc that would make or lose
// money. A balance that would leave the range of an int64, if only between two of the postings, is a Limit
// fault (CodeBalanceRange).
func (s *Store) PostAll(ctx context.Context, home id.Home, postings []Posting) error {
	t, err := s.writing(ctx)
	if err != nil {
		return err
	}
	spid, err := spidOf(ctx)
	if err != nil {
		return err
	}
	moves, order, err := moved(postings)
	if err != nil {
		return err
	}
	if err := t.move(ctx, int64(home), int64(spid), order); err != nil {
		t.spoil(err) // some accounts have moved, and their entries are not written
		return err
	}
	for i := range postings {
		p := &postings[i]
		if p.ID == "" {
			p.ID = id.New(PostingKind, home, t.now)
		}
		p.At = t.now
		if err := t.book(ctx, int64(home), int64(spid), p, moves); err != nil {
			t.spoil(err)
			return err
		}
	}
	return nil
}

// account is one unit of an account, and move what postings together do to it.
type (
	account struct{ name, unit string }
	move    struct {
		account
		net, n int64
		// at and last are when its last entry is booked and which of the account's it is; balance is what it holds
		// after the entry that was written last.
		at, last, balance int64
	}
)

// moved sums what the postings do to each account, in the order in which they touch them.
func moved(postings []Posting) (moves map[account]*move, order []*move, err error) {
	moves = map[account]*move{}
	for _, p := range postings {
		if err := balanced(p.Entries); err != nil {
			return nil, nil, fault.Internalf(err, "the booking is not balanced")
		}
		for _, e := range p.Entries {
			a := account{e.Account, e.Unit}
			m := moves[a]
			if m == nil {
				m = &move{account: a}
				moves[a], order = m, append(order, m)
			}
			sum, ok := add(m.net, e.Amount)
			if !ok {
				return nil, nil, outOfRange(a)
			}
			m.net, m.n = sum, m.n+1
		}
	}
	// All go the same way through the accounts, so that two never wait for each other in a circle.
	slices.SortFunc(order, func(a, b *move) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.unit, b.unit)) })
	return moves, order, nil
}

func outOfRange(a account) error {
	return fault.New(fault.Limit, CodeBalanceRange, "the balance of %s would be out of range", shorten(a.name))
}

// add is a + b; ok is false when that is beyond an int64.
func add(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

// move changes the balances.
func (t *tx) move(ctx context.Context, home, spid int64, order []*move) error {
	lists := make([][]any, len(order))
	for i, m := range order {
		low, high := int64(math.MinInt64), int64(math.MaxInt64)
		if m.net > 0 {
			high -= m.net
		} else {
			low -= m.net
		}
		lists[i] = []any{home, spid, m.name, m.unit, m.net, micros(t.now), m.n, low, high}
	}
	err := t.returnings(ctx, sqlMove, lists, func(n int, r rows) error {
		m := order[n]
		if err := r.scan(&m.balance, &m.at, &m.last); err != nil {
			return err
		}
		m.balance -= m.net
		return nil
	})
	if err != nil {
		return dbFault(err)
	}
	for _, m := range order {
		if m.last == 0 {
			return outOfRange(m.account)
		}
	}
	return nil
}

// book writes a posting and its entries.
func (t *tx) book(ctx context.Context, home, spid int64, p *Posting, moves map[account]*move) error {
	if err := t.later(ctx, sqlPost, home, spid, string(p.ID), micros(p.At), p.CauseKind, p.Cause, p.Text); err != nil {
		return dbFault(err)
	}
	for seq := range p.Entries {
		e := &p.Entries[seq]
		m := moves[account{e.Account, e.Unit}]
		after, ok := add(m.balance, e.Amount)
		if !ok {
			return outOfRange(m.account)
		}
		m.balance, m.n, e.Balance = after, m.n-1, after
		if err := t.later(ctx, sqlEntry, home, spid, string(p.ID), int64(seq), e.Account, e.Unit, e.Amount, after, m.at, m.last-m.n); err != nil {
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
