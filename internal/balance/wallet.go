package balance

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
)

// Wallet is the buckets that a line may spend, loaded once in a transaction: its own and those that its account
// shares. Its methods decide in memory; Save writes what they did. So a batch of usage costs each bucket one
// write however many records move it.
type Wallet struct {
	// Line and Account are whose buckets they are.
	Line, Account id.ID
	// Held are the buckets in the order in which they are consumed: lower priority, then earlier end, then rollover
	// before personal before group, then older.
	Held []*Held
	// Now is the moment of the transaction it was loaded in.
	Now time.Time
	// Rules are the service provider's.
	Rules provider.ServiceProvider

	home     id.Home
	postings []store.Posting
}

// Held is a bucket in a Wallet.
type Held struct {
	ID     id.ID
	Bucket Bucket
	// Left is what it holds now, less what is reserved, in ledger units. Floor is how far down it may go: 0, or
	// the negative of a credit limit.
	Left, Floor int64
	// stored is the document as it was read; version 0: it is not stored yet.
	stored  store.Doc
	changed bool
	// was is its status when it was loaded.
	was Status
}

// Spendable is how much may leave it now.
func (h *Held) Spendable(now time.Time) int64 {
	if !h.Bucket.Spendable(now) {
		return 0
	}
	return max(h.Left-h.Floor, 0)
}

// Payable is how much may leave it now for what was at a moment: see Spendable.
func (h *Held) Payable(at, now time.Time) int64 {
	if !h.Bucket.payable(at, now) {
		return 0
	}
	return max(h.Left-h.Floor, 0)
}

// Granted is what it was opened with, in ledger units.
func (h *Held) Granted() int64 { return h.count(h.Bucket.Granted) }

// Reserved is what of it is set aside, in ledger units.
func (h *Held) Reserved() int64 { return h.Bucket.allReserved() }

// count reads a quantity of the bucket's own document, which Quantity has written.
func (h *Held) count(q sid.Quantity) int64 {
	n, err := Count(h.Bucket.Unit, q)
	if err != nil {
		return 0
	}
	return n
}

// Wallet loads what a line may spend; call it within a Write, and Save before that ends. A line without buckets has
// an empty one.
func (s *Service) Wallet(ctx context.Context, line id.ID) (*Wallet, error) {
	held, account, err := s.held(ctx, line)
	if err != nil {
		return nil, err
	}
	rules, err := s.parts.Providers.Rules(ctx)
	if err != nil {
		return nil, err
	}
	return s.wallet(ctx, line, account, held, rules)
}

// held is what a line may spend, and the account that it belongs to.
func (s *Service) held(ctx context.Context, line id.ID) (held []*Held, account id.ID, err error) {
	if held, err = s.load(ctx, line); err != nil {
		return nil, "", err
	}
	if account = accountOf(held); account == "" { // nothing of its own tells whose it is
		who, err := s.parts.Line(ctx, string(line))
		if k := fault.KindOf(err); err != nil && k != fault.NotFound && k != fault.Invalid {
			return nil, "", err
		}
		account = who.Account
	}
	if _, ours := account.Home(); !ours {
		return held, account, nil
	}
	shared, err := s.load(ctx, account)
	return append(held, shared...), account, err
}

func accountOf(held []*Held) (account id.ID) {
	for _, h := range held {
		if a := h.Bucket.PartyAccount; a != nil && !h.Bucket.IsShared {
			account = id.ID(a.ID)
		}
	}
	return account
}

// Wallets loads what several lines may spend at once; they keep the order. What their account shares is loaded for those
// whose holder names it. A bucket that several of them share is one and the same Held in each. Save them together.
func (s *Service) Wallets(ctx context.Context, of ...Holder) ([]*Wallet, error) {
	var who []id.ID
	for _, h := range of {
		who = append(who, h.Subscription)
		if h.Account != "" {
			who = append(who, h.Account)
		}
	}
	slices.Sort(who)
	all, err := s.load(ctx, slices.Compact(who)...)
	if err != nil {
		return nil, err
	}
	by := map[id.ID][]*Held{}
	for _, h := range all {
		by[h.Bucket.HeldBy] = append(by[h.Bucket.HeldBy], h)
	}
	rules, err := s.parts.Providers.Rules(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*Wallet, len(of))
	for i, h := range of {
		held, account := slices.Clone(by[h.Subscription]), h.Account
		if account == "" {
			account = accountOf(held)
		} else {
			held = append(held, by[account]...)
		}
		if out[i], err = s.wallet(ctx, h.Subscription, account, held, rules); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// walletOf is a wallet with the given buckets of one home and no others, whatever their state.
func (s *Service) walletOf(ctx context.Context, buckets ...id.ID) (*Wallet, error) {
	slices.Sort(buckets)
	var held []*Held
	for _, i := range slices.Compact(buckets) {
		b, d, err := s.Buckets.Get(ctx, i)
		if err != nil {
			return nil, err
		}
		h, err := hold(i, b, d)
		if err != nil {
			return nil, err
		}
		held = append(held, h)
	}
	rules, err := s.parts.Providers.Rules(ctx)
	if err != nil {
		return nil, err
	}
	return s.wallet(ctx, held[0].Bucket.holder(held[0].ID), accountOf(held), held, rules)
}

func (s *Service) wallet(ctx context.Context, line, account id.ID, held []*Held, rules provider.ServiceProvider) (*Wallet, error) {
	home, ok := line.Home()
	if !ok {
		return nil, fault.NotFoundf("there is no subscription %s", line)
	}
	inOrder(held)
	return &Wallet{Line: line, Account: account, Held: held, Now: s.store.Now(ctx), Rules: rules, home: home}, nil
}

// mostAsked bounds the values of one filter.
const mostAsked = 100

// load reads the buckets that lines or accounts may spend.
func (s *Service) load(ctx context.Context, who ...id.ID) ([]*Held, error) {
	var docs []store.Doc
	for some := range slices.Chunk(who, mostAsked) {
		values := make([]string, len(some))
		for i, w := range some {
			values[i] = string(w)
		}
		page, err := s.Buckets.Docs(ctx, store.Query{NoTotal: true, Filters: []store.Filter{{
			Path: []string{"heldBy"}, Op: store.Eq, Values: values, Type: store.Text,
		}}})
		if err != nil {
			return nil, err
		}
		docs = append(docs, page.Items...)
	}
	held := make([]*Held, 0, len(docs)+2)
	for _, d := range docs {
		var b Bucket
		if err := json.Unmarshal(d.Body, &b); err != nil {
			return nil, fault.Internalf(err, "the stored bucket %s cannot be read", d.ID)
		}
		h, err := hold(d.ID, b, d)
		if err != nil {
			return nil, err
		}
		held = append(held, h)
	}
	return held, nil
}

func hold(i id.ID, b Bucket, d store.Doc) (*Held, error) {
	h := &Held{ID: i, Bucket: b, stored: d, was: b.Status}
	var err error
	if h.Left, err = Count(b.Unit, b.Remaining); err != nil {
		return nil, fault.Internalf(err, "the stored bucket %s cannot be read", i)
	}
	if b.CreditLimit != nil {
		limit, err := Count(b.Unit, *b.CreditLimit)
		if err != nil {
			return nil, fault.Internalf(err, "the stored bucket %s cannot be read", i)
		}
		h.Floor = -limit
	}
	return h, nil
}

// Find is the bucket of an id; nil when the wallet has none such.
func (w *Wallet) Find(i id.ID) *Held {
	for _, h := range w.Held {
		if h.ID == i {
			return h
		}
	}
	return nil
}

// Money is the main money bucket; nil when the line has none. It is the oldest of the line's own active ones, those
// without an end before those with one.
func (w *Wallet) Money() *Held {
	var found *Held
	for _, h := range w.Held {
		if !h.Bucket.Monetary() || h.Bucket.IsShared || h.Bucket.Status != Active {
			continue
		}
		if found == nil || h.before(found) {
			found = h
		}
	}
	return found
}

func (h *Held) before(o *Held) bool {
	if a, b := h.Bucket.end() == nil, o.Bucket.end() == nil; a != b {
		return a
	}
	return h.ID < o.ID
}

// NextExpiry is when the next of the buckets ends that has not been ended yet; ok is false when none will.
func (w *Wallet) NextExpiry() (at time.Time, ok bool) {
	for _, h := range w.Held {
		if end := h.Bucket.end(); end != nil && h.Bucket.Status != Expired && (!ok || end.Before(at)) {
			at, ok = *end, true
		}
	}
	return at, ok
}

// LastActivity is when the line last used something or was paid into; ok is false when it never was. What others
// do with buckets that they share counts too.
func (w *Wallet) LastActivity() (at time.Time, ok bool) {
	for _, h := range w.Held {
		if t := h.Bucket.LastActivity; t != nil && (!ok || t.After(at)) {
			at, ok = *t, true
		}
	}
	return at, ok
}

// Spent is what was spent on usage in the calendar month of t at loc, in micros.
func (w *Wallet) Spent(t time.Time, loc *time.Location) int64 {
	h := w.Money()
	if h == nil {
		return 0
	}
	for _, m := range h.Bucket.Spending {
		if m.Month == month(t, loc) {
			return h.count(m.Amount)
		}
	}
	return 0
}

func month(t time.Time, loc *time.Location) string { return t.In(loc).Format("2006-01") }
