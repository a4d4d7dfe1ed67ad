package balance

import (
	"context"
	"math"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// Movement is so much of a bucket's unit into it (out of it, when negative), out of or into a system account.
type Movement struct {
	Bucket  id.ID
	Amount  int64
	Against string
}

// Move books movements of one line's buckets as one posting and brings the buckets in step with the ledger.
// Faults, before anything is booked: Conflict for a bucket that is not active (CodeNotActive) or that does
// not hold what is to leave it (CodeInsufficient).
func (s *Service) Move(ctx context.Context, c Cause, moves ...Movement) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		var entries []store.Entry
		for _, m := range moves {
			b, _, err := s.Buckets.Get(ctx, m.Bucket)
			if err != nil {
				return err
			}
			entries = append(entries,
				store.Entry{Account: string(m.Bucket), Unit: b.Unit, Amount: m.Amount},
				store.Entry{Account: m.Against, Unit: b.Unit, Amount: -m.Amount})
		}
		home, _ := moves[0].Bucket.Home()
		return s.book(ctx, home, c, entries)
	})
}

// Charge takes a price out of a money bucket, in one entry, and books it as sales and the tax in it. gross and
// tax are in micros. Faults as those of Move.
func (s *Service) Charge(ctx context.Context, c Cause, bucket id.ID, gross, tax int64) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		b, _, err := s.Buckets.Get(ctx, bucket)
		if err != nil {
			return err
		}
		entries := []store.Entry{
			{Account: string(bucket), Unit: b.Unit, Amount: -gross},
			{Account: Sales, Unit: b.Unit, Amount: gross - tax},
		}
		if tax != 0 {
			entries = append(entries, store.Entry{Account: Taxes, Unit: b.Unit, Amount: tax})
		}
		home, _ := bucket.Home()
		return s.book(ctx, home, c, entries)
	})
}

// book checks entries, posts them and shows the new balances in the buckets.
func (s *Service) book(ctx context.Context, home id.Home, c Cause, entries []store.Entry) error {
	now := s.store.Now(ctx)
	var buckets []id.ID
	after := map[id.ID]int64{}
	for _, e := range entries {
		i := id.ID(e.Account)
		if !i.Is(BucketKind) {
			continue
		}
		if _, seen := after[i]; !seen {
			buckets = append(buckets, i)
		}
		if err := s.apply(ctx, home, after, e); err != nil {
			return err
		}
	}
	p := store.Posting{ID: id.New(store.PostingKind, home, now), At: now, CauseKind: c.Kind, Cause: c.ID, Text: c.Text, Entries: entries}
	if err := s.store.Post(ctx, home, p); err != nil {
		return err
	}
	for _, i := range buckets {
		if err := s.show(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// apply checks one entry of a bucket against what the entries before it leave.
func (s *Service) apply(ctx context.Context, home id.Home, after map[id.ID]int64, e store.Entry) error {
	i := id.ID(e.Account)
	b, _, err := s.Buckets.Get(ctx, i)
	if err != nil {
		return err
	}
	if b.Status != Active {
		return fault.Conflictf(CodeNotActive, "the balance %s is %s", b.Name, b.Status)
	}
	held, seen := after[i]
	if !seen {
		if held, err = s.store.Balance(ctx, home, e.Account, b.Unit); err != nil {
			return err
		}
	}
	next, err := plus(held, e.Amount)
	if err != nil {
		return err
	}
	if next < 0 {
		return fault.Conflictf(CodeInsufficient, "the balance %s holds %s %s, and %s is needed", b.Name, Decimal(b.Unit, held), b.Unit, Decimal(b.Unit, -e.Amount))
	}
	after[i] = next
	return nil
}

// plus adds and refuses what does not fit: no balance is ever negative, so only the top can overflow.
func plus(held, amount int64) (int64, error) {
	if amount > 0 && held > math.MaxInt64-amount {
		return 0, fault.Invalidf("amount", "the balance would be out of range")
	}
	return held + amount, nil
}

// show writes a bucket's ledger balance into the bucket.
func (s *Service) show(ctx context.Context, i id.ID) error {
	home, _ := i.Home()
	_, err := s.Buckets.Change(ctx, i, func(b *Bucket) error {
		held, err := s.store.Balance(ctx, home, string(i), b.Unit)
		if err != nil {
			return err
		}
		b.Remaining = Quantity(b.Unit, held)
		return nil
	})
	return err
}

// Reverse takes back all that one cause did to the buckets of a line, the newest first, and makes the
// buckets expired: the line never came to be. Reversing twice changes nothing.
func (s *Service) Reverse(ctx context.Context, line id.ID, of, because Cause) error {
	return s.store.Write(ctx, func(ctx context.Context) error {
		page, err := s.Buckets.Docs(ctx, ofLine(line))
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			if err := s.reverse(ctx, d.ID, of, because); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) reverse(ctx context.Context, i id.ID, of, because Cause) error {
	b, _, err := s.Buckets.Get(ctx, i)
	if err != nil || b.Status == Expired {
		return err
	}
	home, _ := i.Home()
	postings, err := s.store.Postings(ctx, home, string(i), 0, 0)
	if err != nil {
		return err
	}
	for _, p := range postings {
		if p.CauseKind != of.Kind || p.Cause != of.ID {
			continue
		}
		entries := make([]store.Entry, len(p.Entries))
		for n, e := range p.Entries {
			entries[n] = store.Entry{Account: e.Account, Unit: e.Unit, Amount: -e.Amount}
		}
		if err := s.book(ctx, home, because, entries); err != nil {
			return err
		}
	}
	_, err = s.Buckets.Change(ctx, i, func(b *Bucket) error { b.Status = Expired; return nil })
	return err
}

func ofLine(line id.ID) store.Query {
	return store.Query{NoTotal: true, Filters: []store.Filter{{
		Path: []string{"subscriptionId"}, Op: store.Eq, Values: []string{string(line)}, Type: store.Text,
	}}}
}

// Statement is a bucket with the entries that made it what it is.
type Statement struct {
	ID      id.ID
	Bucket  Bucket
	Held    int64
	Entries []Entry
}

// Entry is one movement of a bucket and what caused it.
type Entry struct {
	Posting id.ID
	At      time.Time
	// Amount went in (out, when negative); Balance is what the bucket held then.
	Amount, Balance int64
	Cause           Cause
}

// Statements lists the buckets of a line, oldest first, each with at most limit of its newest entries.
func (s *Service) Statements(ctx context.Context, line id.ID, limit int) ([]Statement, error) {
	var out []Statement
	err := s.store.Snapshot(ctx, func(ctx context.Context) error {
		out = nil
		page, err := s.Buckets.Docs(ctx, ofLine(line))
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			st, err := s.statement(ctx, d.ID, limit)
			if err != nil {
				return err
			}
			out = append(out, st)
		}
		return nil
	})
	return out, err
}

func (s *Service) statement(ctx context.Context, i id.ID, limit int) (Statement, error) {
	b, _, err := s.Buckets.Get(ctx, i)
	if err != nil {
		return Statement{}, err
	}
	home, _ := i.Home()
	st := Statement{ID: i, Bucket: b}
	if st.Held, err = s.store.Balance(ctx, home, string(i), b.Unit); err != nil {
		return st, err
	}
	postings, err := s.store.Postings(ctx, home, string(i), 0, limit)
	if err != nil {
		return st, err
	}
	for _, p := range postings {
		for _, e := range p.Entries {
			if e.Account == string(i) {
				st.Entries = append(st.Entries, Entry{Posting: p.ID, At: p.At, Amount: e.Amount, Balance: e.Balance, Cause: Cause{Kind: p.CauseKind, ID: p.Cause, Text: p.Text}})
			}
		}
	}
	return st, nil
}
