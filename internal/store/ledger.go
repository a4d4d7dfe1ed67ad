package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"github.com/demarc-bss/demarc/internal/store/engine"
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
WHERE CASE WHEN excluded.balance > 0 THEN ledger_balance.balance <= 9223372036854775807 - excluded.balance
ELSE ledger_balance.balance >= -9223372036854775807 - 1 - excluded.balance END RETURNING ledger_balance.balance, ledger_balance.at, ledger_balance.n`
	sqlEntry = `INSERT INTO ledger_entry (home, spid, posting, seq, account, unit, amount, balance, at, n)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
)

// Booking is a posting at a home.
type Booking struct {
	Home id.Home
	Posting
}

// Post books a posting at a home; see Book.
func (s *Store) Post(ctx context.Context, home id.Home, p Posting) error {
	return s.Book(ctx, []Booking{{home, p}})
}

// PostAll books postings of one home; see Book. It sets in place what Book sets.
func (s *Store) PostAll(ctx context.Context, home id.Home, postings []Posting) error {
	all := make([]Booking, len(postings))
	for i, p := range postings {
		all[i] = Booking{home, p}
	}
	err := s.Book(ctx, all)
	for i := range all {
		postings[i] = all[i].Posting
	}
	return err
}

// Book books postings in their order: all or none. It costs one write an account, one a posting and one an entry,
// in two journeys to the database. It sets in place what the postings leave out: ids where there are none, the
// transaction's moment, and the entries' balances.
//
// Entries that do not sum to zero for every unit are an Internal fault: it is demarc that would make or lose
// money. A balance that would leave the range of an int64, if only between two of the postings, is a Limit
// fault (CodeBalanceRange).
func (s *Store) Book(ctx context.Context, bookings []Booking) error {
	t, err := s.writing(ctx)
	if err != nil {
		return err
	}
	spid, err := spidOf(ctx)
	if err != nil {
		return err
	}
	moves, order, err := moved(bookings)
	if err != nil {
		return err
	}
	err = t.move(ctx, int64(spid), order)
	var postings, entries [][]any
	for i := 0; i < len(bookings) && err == nil; i++ {
		b := &bookings[i]
		if b.ID == "" {
			b.ID = id.New(PostingKind, b.Home, t.now)
		}
		b.At = t.now
		postings = append(postings, []any{int64(b.Home), int64(spid), string(b.ID), engine.Micros(b.At), b.CauseKind, b.Cause, b.Text})
		entries, err = b.entries(entries, int64(spid), moves)
	}
	if err == nil {
		err = dbFault(t.LaterAll(ctx, sqlPost, postings))
	}
	if err == nil {
		err = dbFault(t.LaterAll(ctx, sqlEntry, entries))
	}
	if err != nil {
		t.spoil(err) // some accounts may have moved without their entries
	}
	return err
}

// account is one unit of an account, and move what postings together do to it.
type (
	account struct {
		home       id.Home
		name, unit string
	}
	move struct {
		account
		net, n int64
		// at and last are when its last entry is booked and which of the account's it is; balance is what it holds
		// after the entry that was written last.
		at, last, balance int64
	}
)

// moved sums what the postings do to each account.
func moved(bookings []Booking) (moves map[account]*move, order []*move, err error) {
	moves = make(map[account]*move, 2*len(bookings))
	for _, b := range bookings {
		if err := balanced(b.Entries); err != nil {
			return nil, nil, fault.Internalf(err, "the booking is not balanced")
		}
		for _, e := range b.Entries {
			a := account{b.Home, e.Account, e.Unit}
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
	slices.SortFunc(order, func(a, b *move) int {
		return cmp.Or(cmp.Compare(a.home, b.home), cmp.Compare(a.name, b.name), cmp.Compare(a.unit, b.unit))
	})
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
func (t *tx) move(ctx context.Context, spid int64, order []*move) error {
	lists := make([][]any, len(order))
	for i, m := range order {
		lists[i] = []any{int64(m.home), spid, m.name, m.unit, m.net, engine.Micros(t.now), m.n}
	}
	err := t.Returnings(ctx, sqlMove, lists, func(n int, r engine.Rows) error {
		m := order[n]
		if err := r.Scan(&m.balance, &m.at, &m.last); err != nil {
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

// entries adds the entries of a posting, as their statement takes them, and sets their balances.
func (b *Booking) entries(lists [][]any, spid int64, moves map[account]*move) ([][]any, error) {
	home, posting := int64(b.Home), string(b.ID)
	for seq := range b.Entries {
		e := &b.Entries[seq]
		m := moves[account{b.Home, e.Account, e.Unit}]
		after, ok := add(m.balance, e.Amount)
		if !ok {
			return nil, outOfRange(m.account)
		}
		m.balance, m.n, e.Balance = after, m.n-1, after
		lists = append(lists, []any{home, spid, posting, int64(seq), e.Account, e.Unit, e.Amount, after, m.at, m.last - m.n})
	}
	return lists, nil
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
