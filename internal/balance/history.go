package balance

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

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
	// Bucket is what moved; Unit is the ledger's.
	Bucket id.ID
	Unit   string
	// Amount went in (out, when negative); Balance is what the bucket held then.
	Amount, Balance int64
	Cause           Cause
	// Against are the accounts on the other side.
	Against []string
}

// Statements lists the buckets that a line has or had and those that its account shares, oldest first, each with at
// most limit of its newest entries; 0 is all.
func (s *Service) Statements(ctx context.Context, line id.ID, limit int) ([]Statement, error) {
	return s.statements(ctx, line, store.History{Limit: limit}, nil)
}

// At is Statements as they stood at a moment: buckets that were not opened yet are left out.
func (s *Service) At(ctx context.Context, line id.ID, at time.Time, limit int) ([]Statement, error) {
	return s.statements(ctx, line, store.History{Limit: limit, To: at.Add(time.Microsecond)}, &at)
}

func (s *Service) statements(ctx context.Context, line id.ID, q store.History, at *time.Time) ([]Statement, error) {
	var out []Statement
	err := s.store.Snapshot(ctx, func(ctx context.Context) error {
		all, err := s.every(ctx, line)
		if err != nil {
			return err
		}
		out = make([]Statement, 0, len(all))
		for _, h := range all {
			if at != nil && h.stored.Created.After(*at) {
				continue
			}
			st := Statement{ID: h.ID, Bucket: h.Bucket, Held: h.Left}
			home, _ := h.ID.Home()
			if at != nil {
				if st.Held, err = s.store.BalanceAt(ctx, home, string(h.ID), h.Bucket.Unit, *at); err != nil {
					return err
				}
				st.Bucket.asOf(*at)
			}
			q.Account, q.Unit = string(h.ID), h.Bucket.Unit
			postings, err := s.store.Postings(ctx, home, q)
			if err != nil {
				return err
			}
			st.Entries = entries(h, postings)
			out = append(out, st)
		}
		return nil
	})
	return out, err
}

// asOf shows a bucket as it stood at a moment, as far as its document tells: one that ended later was active.
func (b *Bucket) asOf(at time.Time) {
	if b.Status == Expired && !b.Ended(at) {
		b.Status = Active
	}
}

// every is all buckets that a line has or had, and those that its account shares, oldest first.
func (s *Service) every(ctx context.Context, line id.ID) ([]*Held, error) {
	page, err := s.Buckets.Docs(ctx, ofLine(line))
	if err != nil {
		return nil, err
	}
	all := make([]*Held, 0, len(page.Items))
	var account id.ID
	for _, d := range page.Items {
		var b Bucket
		if err := json.Unmarshal(d.Body, &b); err != nil {
			return nil, fault.Internalf(err, "the stored bucket %s cannot be read", d.ID)
		}
		h, err := hold(d.ID, b, d)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
		if b.PartyAccount != nil {
			account = id.ID(b.PartyAccount.ID)
		}
	}
	if _, ours := account.Home(); !ours {
		return all, nil
	}
	shared, err := s.load(ctx, account)
	if err != nil {
		return nil, err
	}
	for _, h := range shared {
		if h.Bucket.SubscriptionID != line {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b *Held) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all, nil
}

func entries(h *Held, postings []store.Posting) (all []Entry) {
	for _, p := range postings {
		for n := len(p.Entries) - 1; n >= 0; n-- {
			e := p.Entries[n]
			if e.Account != string(h.ID) {
				continue
			}
			v := Entry{
				Posting: p.ID, At: p.At, Bucket: h.ID, Unit: e.Unit, Amount: e.Amount, Balance: e.Balance,
				Cause: Cause{Kind: p.CauseKind, ID: p.Cause, Text: p.Text},
			}
			for _, o := range p.Entries[n+1:] {
				if id.ID(o.Account).Is(BucketKind) {
					break
				}
				v.Against = append(v.Against, o.Account)
			}
			all = append(all, v)
		}
	}
	return all
}

// HistoryQuery asks for a page of what moved a line's buckets.
type HistoryQuery struct {
	// Bucket keeps one bucket only; empty: all.
	Bucket id.ID
	// After is the key of the last entry of the page before; empty begins with the newest.
	After string
	// From and To bound when it was booked, From included and To not; nil: no bound.
	From, To *time.Time
	// Limit is the most to return; a posting that moves a bucket twice is not divided.
	Limit int
}

// Key is where a page that begins after the entry begins.
func (e Entry) Key() string {
	return strconv.FormatInt(e.At.UnixMicro(), 10) + "." + string(e.Bucket) + "." + string(e.Posting)
}

// key reads a Key.
func key(text string) (k Entry, err error) {
	at, rest, _ := strings.Cut(text, ".")
	bucket, posting, ok := strings.Cut(rest, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	k = Entry{At: time.UnixMicro(micros), Bucket: id.ID(bucket), Posting: id.ID(posting)}
	if err != nil || !ok || !k.Bucket.Is(BucketKind) || !k.Posting.Is(store.PostingKind) {
		return k, fault.Invalidf("key", "the key is not one that a page ended with")
	}
	return k, nil
}

// of asks for a bucket's part of the page. Pages are ordered by moment, then bucket, then the bucket's own order.
func (q HistoryQuery) of(h *Held, after *Entry) store.History {
	ask := store.History{Account: string(h.ID), Unit: h.Bucket.Unit, Limit: q.Limit + 1}
	if q.From != nil {
		ask.From = *q.From
	}
	if q.To != nil {
		ask.To = *q.To
	}
	if after == nil {
		return ask
	}
	to := after.At
	switch {
	case h.ID == after.Bucket:
		ask.Before = after.Posting
		return ask
	case h.ID < after.Bucket:
		to = to.Add(time.Microsecond)
	}
	if ask.To.IsZero() || to.Before(ask.To) {
		ask.To = to
	}
	return ask
}

// History lists what moved a line's buckets, newest first, all buckets together. more says that there is more: ask
// again after the last entry's Key.
func (s *Service) History(ctx context.Context, line id.ID, q HistoryQuery) (page []Entry, buckets map[id.ID]Bucket, more bool, err error) {
	var after *Entry
	if q.After != "" {
		k, err := key(q.After)
		if err != nil {
			return nil, nil, false, err
		}
		after = &k
	}
	err = s.store.Snapshot(ctx, func(ctx context.Context) error {
		all, err := s.every(ctx, line)
		if err != nil {
			return err
		}
		page, buckets = nil, map[id.ID]Bucket{}
		for _, h := range all {
			buckets[h.ID] = h.Bucket
			if q.Bucket != "" && q.Bucket != h.ID {
				continue
			}
			home, _ := h.ID.Home()
			postings, err := s.store.Postings(ctx, home, q.of(h, after))
			if err != nil {
				return err
			}
			page = append(page, entries(h, postings)...)
		}
		slices.SortStableFunc(page, func(a, b Entry) int {
			return cmp.Or(b.At.Compare(a.At), strings.Compare(string(b.Bucket), string(a.Bucket)))
		})
		end := min(q.Limit, len(page))
		for end > 0 && end < len(page) && page[end].Posting == page[end-1].Posting && page[end].Bucket == page[end-1].Bucket {
			end++
		}
		more = end < len(page)
		page = page[:end]
		return nil
	})
	return page, buckets, more, err
}
