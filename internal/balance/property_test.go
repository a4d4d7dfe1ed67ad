package balance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// counted is what a naive count says of a bucket.
type counted struct {
	line           id.ID
	unit           string
	left, reserved int64
	end            *time.Time
	expired        bool
	floor          int64
	// by is the reservation that holds a part of it; empty: none.
	by       id.ID
	rollover *Rollover
	// length is how long it is valid.
	length time.Duration
}

// model is a few lines and what a naive count says of their buckets.
type model struct {
	h     timed
	ctx   context.Context
	lines []Holder
	all   map[id.ID]*counted
	order []id.ID
	n     int
}

func (m *model) cause() Cause {
	m.n++
	return Cause{Kind: "test", ID: fmt.Sprint(m.n), Text: "Tested"}
}

func (m *model) pick(r *rapid.T) (id.ID, *counted) {
	if len(m.order) == 0 {
		r.Skip()
	}
	i := rapid.SampledFrom(m.order).Draw(r, "bucket")
	return i, m.all[i]
}

func (m *model) spendable(c *counted) bool {
	return !c.expired && (c.end == nil || m.h.clock.Now().Before(*c.end))
}

// fits says whether n may leave a bucket.
func (m *model) fits(c *counted, n int64) bool { return m.spendable(c) && c.left-n >= c.floor }

// agree holds that what was done is what the count says may be done.
func agree(r *rapid.T, what string, may bool, err error) bool {
	if may != (err == nil) {
		r.Fatalf("%s: %v, may be: %v", what, err, may)
	}
	if k := fault.KindOf(err); err != nil && k != fault.Conflict && k != fault.Invalid {
		r.Fatalf("%s: %v", what, err)
	}
	return err == nil
}

func (m *model) open(r *rapid.T) {
	of := rapid.SampledFrom(m.lines).Draw(r, "line")
	usage := rapid.SampledFrom([]string{Monetary, Data}).Draw(r, "usage")
	g := Grant{Name: usage, UsageType: usage, Unit: map[string]string{Monetary: "CHF", Data: Bytes}[usage], Amount: rapid.Int64Range(0, 1000).Draw(r, "amount")}
	var length time.Duration
	if usage == Data && rapid.Bool().Draw(r, "ends") {
		length = time.Duration(rapid.IntRange(1, 48).Draw(r, "hours")) * time.Hour
		end := m.h.clock.Now().Add(length)
		g.End = &end
		if rapid.Bool().Draw(r, "rolls") {
			g.Rollover = &Rollover{Periods: rapid.IntRange(1, 3).Draw(r, "periods"), Max: rapid.Int64Range(0, 300).Draw(r, "most")}
		}
	}
	i, err := m.h.Open(m.ctx, of, g, m.cause())
	if err != nil {
		r.Fatal(err)
	}
	m.all[i] = &counted{line: of.Subscription, unit: g.Unit, left: g.Amount, end: g.End, rollover: g.Rollover, length: length}
	m.order = append(m.order, i)
}

func (m *model) move(r *rapid.T) {
	i, c := m.pick(r)
	n := rapid.Int64Range(-600, 600).Draw(r, "amount")
	err := m.h.Move(m.ctx, m.cause(), Movement{i, n, rapid.SampledFrom([]string{Issued, Topups, Sales, Used, Adjusted}).Draw(r, "against")})
	if agree(r, "move", !c.expired && (n >= 0 || m.fits(c, -n)), err) {
		c.left += n
	}
}

func (m *model) charge(r *rapid.T) {
	i, c := m.pick(r)
	gross := rapid.Int64Range(0, 600).Draw(r, "gross")
	if agree(r, "charge", m.fits(c, gross) || gross == 0 && !c.expired, m.h.Charge(m.ctx, m.cause(), i, gross, gross/10)) {
		c.left -= gross
	}
}

// topUp pays twice under one reference.
func (m *model) topUp(r *rapid.T) {
	of := rapid.SampledFrom(m.lines).Draw(r, "line")
	o := TopupOrder{Subscription: of.Subscription, Amount: money.OfMicros(rapid.Int64Range(1, 3).Draw(r, "francs")*1_000_000, "CHF"), Reference: m.cause().ID}
	for range 2 {
		_, v, again, err := m.h.TopUp(m.ctx, o)
		if fault.From(err) != nil && fault.From(err).Code == CodeNoMoney {
			return
		}
		if err != nil {
			r.Fatal(err)
		}
		if !again {
			m.all[id.ID(v.Bucket.ID)].left += o.Amount.Micros()
		}
	}
}

func (m *model) adjust(r *rapid.T) {
	i, c := m.pick(r)
	n := rapid.Int64Range(-2, 2).Draw(r, "amount") * 1_000_000
	_, _, err := m.h.Adjust(m.ctx, AdjustOrder{Subscription: c.line, Bucket: i, Amount: Quantity(c.unit, n)})
	if agree(r, "adjust", !c.expired && n != 0 && (n > 0 || m.fits(c, -n)), err) {
		c.left += n
	}
}

func (m *model) transfer(r *rapid.T) {
	i, from := m.pick(r)
	j, to := m.pick(r)
	n := rapid.Int64Range(1, 2).Draw(r, "amount") * 1_000_000
	if from.unit == Bytes {
		n /= 10_000
	}
	v := Transfer{Task: Task{Bucket: &sid.Ref{ID: string(i)}, Amount: Quantity(from.unit, n), strict: true}, ReceiverBucket: &sid.Ref{ID: string(j)}}
	_, _, err := m.h.Transfers.Add(m.ctx, &v)
	if agree(r, "transfer", i != j && from.unit == to.unit && !to.expired && m.fits(from, n), err) {
		from.left, to.left = from.left-n, to.left+n
	}
}

func (m *model) reserve(r *rapid.T) {
	i, c := m.pick(r)
	if c.by != "" {
		return
	}
	n := rapid.Int64Range(1, 500).Draw(r, "amount")
	if c.unit == "CHF" {
		n *= 10_000
	}
	rsv, _, err := m.h.Service.Reserve(m.ctx, ReserveOrder{Subscription: c.line, Bucket: i, Amount: Quantity(c.unit, n)})
	if agree(r, "reserve", m.fits(c, n), err) {
		c.left, c.reserved, c.by = c.left-n, n, rsv
	}
}

func (m *model) consume(r *rapid.T) {
	i, c := m.pick(r)
	if c.by == "" {
		return
	}
	n := rapid.Int64Range(1, 500).Draw(r, "amount")
	if c.unit == "CHF" {
		n *= 10_000
	}
	_, err := m.h.Consume(m.ctx, c.by, Quantity(m.all[i].unit, n))
	if agree(r, "consume", n <= c.reserved, err) {
		if c.reserved -= n; c.reserved == 0 {
			c.by = ""
		}
	}
}

func (m *model) release(r *rapid.T) {
	_, c := m.pick(r)
	if c.by == "" {
		return
	}
	for range 2 {
		if _, err := m.h.Release(m.ctx, c.by); err != nil {
			r.Fatal(err)
		}
	}
	if !c.expired {
		c.left += c.reserved
	}
	c.reserved, c.by = 0, ""
}

func (m *model) limit(r *rapid.T) {
	of := rapid.SampledFrom(m.lines).Draw(r, "line")
	n := rapid.Int64Range(0, 1000).Draw(r, "limit")
	i, _, err := m.h.Money(m.ctx, of.Subscription)
	if err != nil {
		return
	}
	if agree(r, "limit", m.all[i].left >= -n, m.h.SetCreditLimit(m.ctx, of.Subscription, n)) {
		m.all[i].floor = -n
	}
}

// pass lets time go by and ends what is over, twice; what rolls over is a bucket of its own.
func (m *model) pass(r *rapid.T) {
	m.h.clock.Advance(time.Duration(rapid.IntRange(1, 30).Draw(r, "hours")) * time.Hour)
	now := m.h.clock.Now()
	rolled := map[id.ID]int64{}
	for _, i := range m.order {
		c := m.all[i]
		if c.expired || c.end == nil || now.Before(*c.end) {
			continue
		}
		if o := c.rollover; o != nil && c.left > 0 && c.end.Add(time.Duration(o.Periods)*c.length).After(now) {
			n := c.left
			if o.Max > 0 {
				n = min(n, o.Max)
			}
			rolled[c.line] += n
		}
		c.expired, c.left = true, 0
	}
	for _, of := range m.lines {
		for range 2 {
			m.h.must(m.ctx, r, of.Subscription, func(w *Wallet) error {
				err := w.Expire(now)
				for _, h := range w.Held {
					if m.all[h.ID] == nil {
						rolled[of.Subscription] -= h.Left
						m.all[h.ID] = &counted{line: of.Subscription, unit: h.Bucket.Unit, left: h.Left, end: h.Bucket.end()}
						m.order = append(m.order, h.ID)
					}
				}
				return err
			})
		}
		if rolled[of.Subscription] != 0 {
			r.Fatalf("%d bytes too few rolled over", rolled[of.Subscription])
		}
	}
}

// undone changes its mind in the middle.
func (m *model) undone(r *rapid.T) {
	i, c := m.pick(r)
	no := errors.New("changed my mind")
	err := m.h.in(m.ctx, r, c.line, func(w *Wallet) error {
		if h := w.Find(i); h != nil {
			if err := w.Move(m.cause(), Movement{i, 5, Issued}); err != nil && !c.expired {
				return err
			}
		}
		return no
	})
	if !errors.Is(err, no) {
		r.Fatal(err)
	}
}

// check holds the buckets, the ledger and the count together.
func (m *model) check(r *rapid.T) {
	for _, i := range m.order {
		c := m.all[i]
		b, _, err := m.h.Buckets.Get(m.ctx, i)
		if err != nil {
			r.Fatal(err)
		}
		if got := string(b.Remaining.Amount); got != Decimal(c.unit, c.left) || string(b.Reserved.Amount) != Decimal(c.unit, c.reserved) || (b.Status == Expired) != c.expired {
			r.Fatalf("%s is %s with %s and %s reserved, want %s and %s, ended %v", i, b.Status, got, b.Reserved.Amount, Decimal(c.unit, c.left), Decimal(c.unit, c.reserved), c.expired)
		}
	}
}

// Whatever is opened, moved, paid, reserved, given, ended and refused, in any order: every bucket shows what a naive
// count says, nothing is done twice, no unit is made or lost, and the history of each bucket replays to what it holds.
func TestTheLedgerAgreesWithANaiveCount(t *testing.T) {
	if err := flag.Set("rapid.checks", "40"); err != nil {
		t.Fatal(err)
	}
	h, ctx := timedHouse(t, "sqlite"), storetest.Context(1)
	rapid.Check(t, func(r *rapid.T) {
		m := &model{h: h, ctx: ctx, lines: []Holder{h.holder(ctx, t), h.holder(ctx, t)}, all: map[id.ID]*counted{}}
		r.Repeat(map[string]func(*rapid.T){
			"open": m.open, "move": m.move, "charge": m.charge, "top up": m.topUp, "adjust": m.adjust, "transfer": m.transfer, "reserve": m.reserve,
			"consume": m.consume, "release": m.release, "limit": m.limit, "pass": m.pass, "undone": m.undone, "": m.check,
		})
		for _, of := range m.lines {
			all, err := h.Statements(ctx, of.Subscription, 0)
			if err != nil {
				r.Fatal(err)
			}
			for _, st := range all {
				sum, floor := int64(0), m.all[st.ID].floor
				for _, e := range st.Entries {
					sum += e.Amount
				}
				if sum != st.Held || sum != m.all[st.ID].left || st.Held < floor {
					r.Fatalf("%s replays to %d, holds %d, want %d", st.ID, sum, st.Held, m.all[st.ID].left)
				}
			}
		}
		h.balanced(ctx, r)
	})
}
