package balance

import (
	"math"
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
)

// Movement is so much of a bucket's unit into it (out of it, when negative), out of or into a system account or
// another bucket of the wallet.
type Movement struct {
	Bucket  id.ID
	Amount  int64
	Against string
}

// plan is what entries would leave the wallet's buckets with, decided before anything is changed.
type plan struct {
	w       *Wallet
	entries []store.Entry
	left    map[*Held]int64
	// at is when what it is for was, if that is not now.
	at time.Time
	// paid says that what enters a bucket is new to it, not given back.
	paid bool
}

func (w *Wallet) plan() *plan { return &plan{w: w, left: map[*Held]int64{}} }

// planFor is a plan for what was when its cause says.
func (w *Wallet) planFor(c Cause) *plan {
	p := w.plan()
	p.at = c.At
	return p
}

// take adds an entry of a bucket. ending lets it leave a bucket that cannot be spent any more.
func (p *plan) take(h *Held, amount int64, ending bool) error {
	if h.Bucket.Status != Active && !ending {
		return fault.Conflictf(CodeNotActive, "the balance %s is %s", h.Bucket.Name, h.Bucket.Status)
	}
	if amount < 0 && !ending && !h.Bucket.payable(p.at, p.w.Now) {
		return fault.Conflictf(CodeNotActive, "the balance %s is not valid now", h.Bucket.Name)
	}
	held, seen := p.left[h]
	if !seen {
		held = h.Left
	}
	next, err := plus(held, amount)
	if err != nil {
		return err
	}
	if amount < 0 && next < h.Floor {
		u := h.Bucket.Unit
		return fault.Conflictf(CodeInsufficient, "the balance %s holds %s %s, and %s is needed", h.Bucket.Name, Decimal(u, held-h.Floor), u, Decimal(u, -amount))
	}
	p.left[h] = next
	p.entries = append(p.entries, store.Entry{Account: string(h.ID), Unit: h.Bucket.Unit, Amount: amount})
	return nil
}

func (p *plan) other(account, unit string, amount int64) {
	p.entries = append(p.entries, store.Entry{Account: account, Unit: unit, Amount: amount})
}

// done books the entries as one posting.
func (p *plan) done(c Cause) {
	if len(p.entries) == 0 {
		return
	}
	w := p.w
	active := activity(p.entries)
	for h, left := range p.left {
		if left > h.Left && p.paid && h.Bucket.Monetary() {
			full := Quantity(h.Bucket.Unit, left)
			h.Bucket.FullValue = &full
		}
		h.Left, h.changed = left, true
		if active {
			h.used(w.Now)
		}
	}
	w.postings = append(w.postings, store.Posting{
		ID: id.New(store.PostingKind, w.home, w.Now), At: w.Now, CauseKind: c.Kind, Cause: c.ID, Text: c.Text, Entries: p.entries,
	})
}

func (h *Held) used(at time.Time) { h.Bucket.LastActivity, h.changed = &at, true }

// activity reports whether entries are an activity of the line: it used something, or was paid into.
func activity(entries []store.Entry) bool {
	return slices.ContainsFunc(entries, func(e store.Entry) bool { return e.Account == Used || e.Account == Topups })
}

// plus adds and refuses what does not fit.
func plus(held, amount int64) (int64, error) {
	if amount > 0 && held > math.MaxInt64-amount || amount < 0 && held < math.MinInt64-amount {
		return 0, fault.Invalidf("amount", "the balance would be out of range")
	}
	return held + amount, nil
}

// Move books movements as one posting: all or none. Faults: Conflict for a bucket that is not active or, when
// something is to leave it, valid neither now nor at Cause.At (CodeNotActive), and for one that does not hold what is to leave it
// (CodeInsufficient).
func (w *Wallet) Move(c Cause, moves ...Movement) error { return w.move(c, false, moves) }

func (w *Wallet) move(c Cause, ending bool, moves []Movement) error {
	p := w.planFor(c)
	p.paid = true
	for _, m := range moves {
		h, err := w.has(m.Bucket)
		if err != nil {
			return err
		}
		if err := p.take(h, m.Amount, ending); err != nil {
			return err
		}
		if !id.ID(m.Against).Is(BucketKind) {
			p.other(m.Against, h.Bucket.Unit, -m.Amount)
			continue
		}
		to, err := w.has(id.ID(m.Against))
		if err != nil {
			return err
		}
		if to.Bucket.Unit != h.Bucket.Unit {
			return fault.Invalidf("units", "the balance %s is in %s, and %s in %s", h.Bucket.Name, h.Bucket.Unit, to.Bucket.Name, to.Bucket.Unit)
		}
		if err := p.take(to, -m.Amount, ending); err != nil {
			return err
		}
	}
	p.done(c)
	return nil
}

func (w *Wallet) has(i id.ID) (*Held, error) {
	if h := w.Find(i); h != nil {
		return h, nil
	}
	return nil, fault.Conflictf(CodeNotActive, "the balance %s is not one that the line may spend", i)
}

// Charge takes a price out of a money bucket, in one entry, as sales and the tax in it; both in micros. usage counts
// it towards the spending of the month in which it was (Cause.At). Faults as those of Move.
func (w *Wallet) Charge(c Cause, h *Held, gross, tax int64, usage bool) error {
	p := w.planFor(c)
	if err := p.take(h, -gross, false); err != nil {
		return err
	}
	p.sold(h.Bucket.Unit, gross, tax)
	p.done(c)
	if usage {
		w.spend(c, gross)
		h.used(w.Now)
	}
	return nil
}

func (p *plan) sold(unit string, gross, tax int64) {
	p.other(Sales, unit, gross-tax)
	if tax != 0 {
		p.other(Taxes, unit, tax)
	}
}

// monthsKept is how many months of spending a money bucket remembers: usage comes late, but not later.
const monthsKept = 4

// spend counts what was spent on usage in the main money bucket, whichever bucket paid.
func (w *Wallet) spend(c Cause, gross int64) {
	h := w.Money()
	if h == nil || gross == 0 {
		return
	}
	at := c.At
	if at.IsZero() {
		at = w.Now
	}
	m := month(at, w.Rules.Location())
	list := slices.Clone(h.Bucket.Spending)
	i := slices.IndexFunc(list, func(s Spending) bool { return s.Month <= m })
	switch {
	case i >= 0 && list[i].Month == m:
		list[i].Amount = Quantity(h.Bucket.Unit, h.count(list[i].Amount)+gross)
	case i >= 0:
		list = slices.Insert(list, i, Spending{Month: m, Amount: Quantity(h.Bucket.Unit, gross)})
	default:
		list = append(list, Spending{Month: m, Amount: Quantity(h.Bucket.Unit, gross)})
	}
	h.Bucket.Spending, h.changed = list[:min(len(list), monthsKept)], true
}

// Open adds a bucket with what it is granted, out of Issued or what the grant says. The grant of nothing opens an
// empty bucket.
func (w *Wallet) Open(g Grant, c Cause) (*Held, error) { return w.open(g, c, w.Line, false) }

func (w *Wallet) open(g Grant, c Cause, line id.ID, ending bool) (*Held, error) {
	if g.Amount < 0 {
		return nil, fault.Invalidf("amount", "a balance is not opened with less than nothing")
	}
	start := w.Now
	if g.Start != nil {
		start = *g.Start
	}
	b := Bucket{
		Type: "Bucket", Name: g.Name, SubscriptionID: line, HeldBy: line, UsageType: g.UsageType, Unit: g.Unit, Status: Active,
		Granted: Quantity(g.Unit, g.Amount), ValidFor: &sid.Period{Start: &start, End: g.End},
		Product: []sid.Ref{{ID: string(line)}}, HeldProduct: g.Product,
		OpenedByKind: c.Kind, OpenedBy: c.ID, Zones: g.Zones, Roaming: g.Roaming, Priority: g.Priority,
		IsPromotional: g.Promotional, Rollover: g.Rollover, RolledOver: g.rolledOver,
	}
	if w.Account != "" {
		b.PartyAccount = &sid.Ref{ID: string(w.Account)}
	}
	if g.Group && w.Account != "" {
		b.IsShared, b.HeldBy = true, w.Account
	}
	if g.Offering != "" {
		b.Offering = &sid.Ref{ID: string(g.Offering), Name: g.OfferingName}
	}
	h := &Held{ID: id.New(BucketKind, w.home, w.Now), Bucket: b, changed: true}
	if c.ID == "" {
		c.ID = string(h.ID)
		h.Bucket.OpenedBy = c.ID
	}
	if g.Amount != 0 && g.From == "" {
		g.From = Issued
	}
	w.Held = append(w.Held, h)
	inOrder(w.Held)
	if g.Amount == 0 {
		return h, nil
	}
	if err := w.move(c, ending, []Movement{{Bucket: h.ID, Amount: g.Amount, Against: g.From}}); err != nil {
		w.Held = slices.DeleteFunc(w.Held, func(o *Held) bool { return o == h })
		return nil, err
	}
	return h, nil
}

// account is the ledger account in which a reservation sets aside a bucket's part.
func account(of id.ID, h *Held) string { return string(of) + "/" + string(h.ID) }

// Reserve sets a part of a bucket aside for a reservation. Faults as those of Move.
func (w *Wallet) Reserve(c Cause, of id.ID, h *Held, amount int64) error {
	if amount < 0 {
		return fault.Invalidf("amount", "what is reserved is not less than nothing")
	}
	if amount == 0 {
		return nil
	}
	p := w.plan()
	if err := p.take(h, -amount, false); err != nil {
		return err
	}
	p.other(account(of, h), h.Bucket.Unit, amount)
	p.done(c)
	h.Bucket.set(of, h.Bucket.reserved(of)+amount)
	return nil
}

// Reserved is what a reservation has set aside of a bucket.
func (w *Wallet) Reserved(of id.ID, h *Held) int64 { return h.Bucket.reserved(of) }

// Consume spends a part of what a reservation has set aside: money as sales and the tax in it, counted as spending
// on usage; units as used. More than is set aside is a Conflict fault (CodeInsufficient).
func (w *Wallet) Consume(c Cause, of id.ID, h *Held, amount, tax int64) error {
	p, err := w.unreserve(of, h, amount)
	if err != nil || amount == 0 {
		return err
	}
	if h.Bucket.Monetary() {
		p.sold(h.Bucket.Unit, amount, tax)
		w.spend(c, amount)
	} else {
		p.other(Used, h.Bucket.Unit, amount)
	}
	h.used(w.Now)
	p.done(c)
	return nil
}

// Release gives back a part of what a reservation has set aside. What an ended bucket gets back is expired at once.
func (w *Wallet) Release(c Cause, of id.ID, h *Held, amount int64) error {
	p, err := w.unreserve(of, h, amount)
	if err != nil || amount == 0 {
		return err
	}
	if h.Bucket.Status == Expired {
		p.other(Lapsed, h.Bucket.Unit, amount)
	} else if err := p.take(h, amount, true); err != nil {
		return err
	}
	h.changed = true
	p.done(c)
	return nil
}

func (w *Wallet) unreserve(of id.ID, h *Held, amount int64) (*plan, error) {
	if amount < 0 {
		return nil, fault.Invalidf("amount", "the amount is not less than nothing")
	}
	has := h.Bucket.reserved(of)
	if amount > has {
		u := h.Bucket.Unit
		return nil, fault.Conflictf(CodeInsufficient, "%s %s are reserved, and %s are asked for", Decimal(u, has), u, Decimal(u, amount))
	}
	p := w.plan()
	if amount > 0 {
		p.other(account(of, h), h.Bucket.Unit, -amount)
		h.Bucket.set(of, has-amount)
	}
	return p, nil
}

// Forfeit ends buckets before their time: what is left of them lapses.
func (w *Wallet) Forfeit(c Cause, buckets ...*Held) error {
	for _, h := range buckets {
		if err := w.lapse(c, h); err != nil {
			return err
		}
	}
	return nil
}

func (w *Wallet) lapse(c Cause, h *Held) error {
	if h.Left > 0 {
		if err := w.move(c, true, []Movement{{Bucket: h.ID, Amount: -h.Left, Against: Lapsed}}); err != nil {
			return err
		}
	}
	h.Bucket.Status, h.changed = Expired, true
	return nil
}

// Expire ends the buckets whose validity is over at now: what is left lapses or, as far as the bucket's rollover
// says, lives on in a bucket of its own. Doing it again changes nothing.
func (w *Wallet) Expire(now time.Time) error {
	for _, h := range slices.Clone(w.Held) {
		if h.Bucket.Status == Expired || !h.Bucket.Ended(now) {
			continue
		}
		c := Cause{Kind: BucketKind.Name, ID: string(h.ID), Text: h.Bucket.Name + " ended"}
		if err := w.rollOver(c, h, now); err != nil {
			return err
		}
		if err := w.lapse(c, h); err != nil {
			return err
		}
	}
	return nil
}

// rollOver moves what of a bucket lives on into a bucket of its own.
func (w *Wallet) rollOver(c Cause, h *Held, now time.Time) error {
	r := h.Bucket.Rollover
	if r == nil || r.Periods < 1 || h.Left <= 0 {
		return nil
	}
	b := h.Bucket
	until := r.Until
	if until == nil {
		t := *b.end()
		if b.ValidFor.Start != nil {
			t = t.Add(time.Duration(r.Periods) * b.end().Sub(*b.ValidFor.Start))
		}
		until = &t
	}
	if !until.After(now) {
		return nil
	}
	amount := h.Left
	if r.Max > 0 {
		amount = min(amount, r.Max)
	}
	g := Grant{
		Name: b.Name, UsageType: b.UsageType, Unit: b.Unit, Amount: amount, Start: b.end(), End: until, From: string(h.ID),
		Product: b.HeldProduct, Zones: b.Zones, Roaming: b.Roaming, Priority: b.Priority, Promotional: b.IsPromotional, rolledOver: true,
		Group: b.IsShared,
	}
	if b.Offering != nil {
		g.Offering, g.OfferingName = id.ID(b.Offering.ID), b.Offering.Name
	}
	c.Text = b.Name + " rolled over"
	_, err := w.open(g, c, b.SubscriptionID, true)
	return err
}
