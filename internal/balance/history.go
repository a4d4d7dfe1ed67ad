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
	// Main says that it is the line's main money.
	Main bool
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

// Question is what is asked of a line's buckets.
type Question struct {
	// At is the moment to tell of; nil is now.
	At *time.Time
	// Expired asks for buckets that ended before too.
	Expired bool
	// Entries is how many of the newest entries of each bucket to tell; below 0 is all.
	Entries int
}

// Statements lists the buckets that a line has or had and those that its account shares, oldest first, each with at
// most limit of its newest entries; 0 is all.
func (s *Service) Statements(ctx context.Context, line id.ID, limit int) ([]Statement, error) {
	if limit == 0 {
		limit = -1
	}
	return s.Ask(ctx, line, Question{Expired: true, Entries: limit})
}

// At is what a line had at a moment, with its newest entries until then.
func (s *Service) At(ctx context.Context, line id.ID, at time.Time, entries int) ([]Statement, error) {
	return s.Ask(ctx, line, Question{At: &at, Entries: entries})
}

// Ask lists the buckets of a line and those that its account shares, oldest first. Of a moment in the past it tells
// those that were there and had not ended.
func (s *Service) Ask(ctx context.Context, line id.ID, q Question) ([]Statement, error) {
	var out []Statement
	err := s.store.Snapshot(ctx, func(ctx context.Context) error {
		all, err := s.asked(ctx, line, q)
		if err != nil {
			return err
		}
		main := (&Wallet{Held: all}).Money()
		out = make([]Statement, 0, len(all))
		for _, h := range all {
			st := Statement{ID: h.ID, Bucket: h.Bucket, Held: h.Left, Main: h == main}
			if err := s.complete(ctx, &st, q); err != nil {
				return err
			}
			out = append(out, st)
		}
		return nil
	})
	return out, err
}

// asked are the buckets that a question is about, as they stood then.
func (s *Service) asked(ctx context.Context, line id.ID, q Question) ([]*Held, error) {
	if q.At == nil && !q.Expired {
		held, _, err := s.held(ctx, line)
		slices.SortFunc(held, func(a, b *Held) int { return strings.Compare(string(a.ID), string(b.ID)) })
		return held, err
	}
	all, err := s.every(ctx, line)
	if err != nil || q.At == nil {
		return all, err
	}
	return slices.DeleteFunc(all, func(h *Held) bool {
		h.asOf(*q.At)
		return h.stored.Created.After(*q.At) || h.Bucket.Status == Expired && !q.Expired
	}), nil
}

// complete adds what the ledger knows of a bucket.
func (s *Service) complete(ctx context.Context, st *Statement, q Question) (err error) {
	home, _ := st.ID.Home()
	ask := store.History{Account: string(st.ID), Unit: st.Bucket.Unit, Limit: max(q.Entries, 0)}
	if q.At != nil {
		ask.To = q.At.Add(time.Microsecond)
		if st.Held, err = s.store.BalanceAt(ctx, home, string(st.ID), st.Bucket.Unit, *q.At); err != nil {
			return err
		}
	}
	if q.Entries == 0 {
		return nil
	}
	postings, err := s.store.Postings(ctx, home, ask)
	st.Entries = entries(&Held{ID: st.ID, Bucket: st.Bucket}, postings)
	return err
}

// asOf shows a bucket as it stood at a moment, as far as its document tells: one that ended later was active. One
// without an end, or that was taken back before it, ended when it was last changed.
func (h *Held) asOf(at time.Time) {
	if h.Bucket.Status == Expired && !h.Bucket.Ended(at) && h.stored.Updated.After(at) {
		h.Bucket.Status = Active
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
	// UsageType keeps buckets of one usage type; empty: all.
	UsageType string
	// Without leaves out what these kinds of causes did.
	Without []string
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

// Page is a part of a line's history.
type Page struct {
	// Entries are newest first, all buckets together.
	Entries []Entry
	// Buckets are all buckets of the line by id.
	Buckets map[id.ID]Bucket
	// Next is what to ask after for the page that follows; empty: there is none.
	Next string
}

// History lists what moved a line's buckets.
func (s *Service) History(ctx context.Context, line id.ID, q HistoryQuery) (p Page, err error) {
	err = s.store.Snapshot(ctx, func(ctx context.Context) error {
		all, err := s.every(ctx, line)
		if err != nil {
			return err
		}
		p = Page{Buckets: map[id.ID]Bucket{}}
		for _, h := range all {
			p.Buckets[h.ID] = h.Bucket
		}
		all = slices.DeleteFunc(all, func(h *Held) bool {
			return q.Bucket != "" && q.Bucket != h.ID || q.UsageType != "" && q.UsageType != h.Bucket.UsageType
		})
		for next := q; ; next.After = p.Next {
			var found []Entry
			if found, p.Next, err = s.page(ctx, all, next); err != nil {
				return err
			}
			kept := slices.DeleteFunc(found, func(e Entry) bool { return slices.Contains(q.Without, e.Cause.Kind) })
			if end := whole(kept, q.Limit-len(p.Entries)); end < len(kept) {
				kept, p.Next = kept[:end], kept[end-1].Key()
			}
			p.Entries = append(p.Entries, kept...)
			if p.Next == "" || len(p.Entries) >= q.Limit {
				return nil
			}
		}
	})
	return p, err
}

// page reads one page of buckets' entries.
func (s *Service) page(ctx context.Context, of []*Held, q HistoryQuery) (page []Entry, next string, err error) {
	var after *Entry
	if q.After != "" {
		k, err := key(q.After)
		if err != nil {
			return nil, "", err
		}
		after = &k
	}
	for _, h := range of {
		home, _ := h.ID.Home()
		postings, err := s.store.Postings(ctx, home, q.of(h, after))
		if err != nil {
			return nil, "", err
		}
		page = append(page, entries(h, postings)...)
	}
	slices.SortStableFunc(page, func(a, b Entry) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(string(b.Bucket), string(a.Bucket)))
	})
	end := whole(page, q.Limit)
	if end < len(page) {
		next = page[end-1].Key()
	}
	return page[:end], next, nil
}

// whole is where a page of so many entries ends, or a little later, so that no posting is divided.
func whole(page []Entry, limit int) int {
	end := min(limit, len(page))
	for end > 0 && end < len(page) && page[end].Posting == page[end-1].Posting && page[end].Bucket == page[end-1].Bucket {
		end++
	}
	return end
}
