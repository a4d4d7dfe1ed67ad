//go:build ledger

package balance

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

const (
	operations = 100_000
	workers    = 16
	households = 24
	// together is how many records of usage one batch charges.
	together = 20
)

// effect is what an operation does to buckets.
type effect map[id.ID]int64

// tally is what all operations that were applied did.
type tally struct {
	sync.Mutex
	by      map[id.ID]int64
	applied map[string]bool
	refused int
	twice   []string
}

func (t *tally) add(cause string, e effect) {
	t.Lock()
	defer t.Unlock()
	if e == nil {
		t.refused++
		return
	}
	if t.applied[cause] {
		t.twice = append(t.twice, cause)
	}
	t.applied[cause] = true
	for i, n := range e {
		t.by[i] += n
	}
}

// household is two lines of one account, which share a bundle.
type household struct {
	lines []Holder
	// cash and data are the lines' own, in their order; shared is the account's.
	cash, data []id.ID
	shared     id.ID
}

func (h house) household(ctx context.Context, t *testing.T, tallied *tally) household {
	home := id.RandomHome()
	account := id.New(id.Kind{Prefix: "bac"}, home, time.Now())
	var v household
	open := func(of Holder, g Grant) id.ID {
		i, err := h.Open(ctx, of, g, Cause{Kind: "test", ID: "opening", Text: "Opening"})
		if err != nil {
			t.Fatal(err)
		}
		tallied.by[i] = g.Amount
		return i
	}
	for range 2 {
		of := Holder{Subscription: id.New(id.Kind{Prefix: "sub"}, home, time.Now()), Account: account}
		v.lines = append(v.lines, of)
		v.cash = append(v.cash, open(of, Grant{Name: "Money", UsageType: Monetary, Unit: "CHF", Amount: 1_000_000_000}))
		v.data = append(v.data, open(of, Grant{Name: "Data", UsageType: Data, Unit: Bytes, Amount: 1_000_000}))
		if err := h.SetCreditLimit(ctx, of.Subscription, 5_000_000); err != nil {
			t.Fatal(err)
		}
	}
	v.shared = open(v.lines[0], Grant{Name: "Family", UsageType: Data, Unit: Bytes, Amount: 5_000_000, Group: true})
	return v
}

// runner does operations at random.
type runner struct {
	house
	ctx   context.Context
	all   []household
	rand  *rand.Rand
	count *tally
}

// once applies an operation under a key, half of the time twice side by side, as a client does that gave up waiting.
func (r runner) once(cause string, do func(ctx context.Context, e effect) error) error {
	times := 1 + r.rand.IntN(2)
	done := make(chan error, times)
	for range times {
		go func() { done <- r.attempt(cause, do) }()
	}
	var err error
	for range times {
		if e := <-done; e != nil {
			err = e
		}
	}
	return err
}

func (r runner) attempt(cause string, do func(ctx context.Context, e effect) error) error {
	var e effect
	k := store.Key{Client: "runner", Value: cause, Digest: sha256.Sum256([]byte(cause))}
	_, replayed, err := r.store.Once(r.ctx, k, func(ctx context.Context) (store.Answer, error) {
		e = effect{}
		return store.Answer{Status: 200}, do(ctx, e)
	})
	switch {
	case fault.KindOf(err) == fault.Conflict:
		r.count.add(cause, nil)
		return nil
	case err == nil && !replayed:
		r.count.add(cause, e)
	}
	return err
}

func (r runner) home() (household, int) { return r.all[r.rand.IntN(len(r.all))], r.rand.IntN(2) }

// usage charges a batch of records to several lines at once, each to its bundles first and then to its money.
func (r runner) usage(cause string) error {
	homes := []household{r.all[r.rand.IntN(len(r.all))], r.all[r.rand.IntN(len(r.all))]}
	var of []Holder
	for _, h := range homes {
		of = append(of, h.lines...)
	}
	records := make([]int64, together)
	for n := range records {
		records[n] = r.rand.Int64N(20_000)
	}
	return r.once(cause, func(ctx context.Context, e effect) error {
		ws, err := r.Wallets(ctx, of...)
		if err != nil {
			return err
		}
		for n, need := range records {
			w := ws[n%len(ws)]
			c := Cause{Kind: "usage", ID: cause, Text: "Data"}
			for _, h := range w.Held {
				if take := min(need, h.Spendable(w.Now)); h.Bucket.UsageType == Data && take > 0 {
					if err := w.Move(c, Movement{h.ID, -take, Used}); err != nil {
						return err
					}
					need, e[h.ID] = need-take, e[h.ID]-take
				}
			}
			if price := need * 10; price > 0 && w.Money().Spendable(w.Now) >= price {
				if err := w.Charge(c, w.Money(), price, price/10, true); err != nil {
					return err
				}
				e[w.Money().ID] -= price
			}
		}
		return r.Save(ctx, ws...)
	})
}

// single does one operation of another kind.
func (r runner) single(cause string) error {
	h, n := r.home()
	amount := r.rand.Int64N(20) * 1_000_000
	c := Cause{Kind: "test", ID: cause, Text: "Tested"}
	switch r.rand.IntN(6) {
	case 0:
		return r.once(cause, func(ctx context.Context, e effect) error {
			e[h.cash[n]] = amount
			return r.Move(ctx, c, Movement{h.cash[n], amount, Topups})
		})
	case 1:
		return r.once(cause, func(ctx context.Context, e effect) error {
			e[h.data[n]] = amount / 10
			return r.Move(ctx, c, Movement{h.data[n], amount / 10, Issued})
		})
	case 2: // to another household, which is at another home
		o, m := r.home()
		if o.cash[m] == h.cash[n] {
			return nil
		}
		return r.once(cause, func(ctx context.Context, e effect) error {
			e[h.cash[n]], e[o.cash[m]] = -amount, amount
			ws, err := r.Wallets(ctx, h.lines[n], o.lines[m])
			if err != nil {
				return err
			}
			if err := give(c, ws[0], ws[0].Find(h.cash[n]), ws[1], ws[1].Find(o.cash[m]), amount, c.Text); err != nil {
				return err
			}
			return r.Save(ctx, ws...)
		})
	case 3: // a reservation that is consumed in parts, and given back
		of := id.New(ReserveKind, 1, time.Now())
		return r.once(cause, func(ctx context.Context, e effect) error {
			e[h.cash[n]] = -amount / 2
			return r.reserved(ctx, c, of, h.cash[n], amount)
		})
	case 4:
		return r.once(cause, func(ctx context.Context, e effect) error {
			e[h.cash[n]] = -amount
			return r.Charge(ctx, c, h.cash[n], amount, amount/10)
		})
	}
	return r.once(cause, func(ctx context.Context, e effect) error {
		e[h.shared] = -amount / 10
		return r.Move(ctx, c, Movement{h.shared, -amount / 10, Adjusted})
	})
}

func (r runner) reserved(ctx context.Context, c Cause, of, bucket id.ID, amount int64) error {
	w, err := r.walletOf(ctx, bucket)
	if err != nil {
		return err
	}
	b := w.Held[0]
	for _, err := range []error{
		w.Reserve(c, of, b, amount), w.Consume(c, of, b, amount/4, 1), w.Consume(c, of, b, amount/4, 0), w.Release(c, of, b, amount/2),
	} {
		if err != nil {
			return err
		}
	}
	return r.Save(ctx, w)
}

// A hundred thousand operations, side by side and repeated, on either engine: each is applied once or not at all, no
// bucket goes below its floor, every unit sums to zero at every home, and histories replay to balances.
func TestAHundredThousandOperations(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h, ctx := newHouse(s), storetest.Context(1)
		count := &tally{by: map[id.ID]int64{}, applied: map[string]bool{}}
		all := make([]household, households)
		for i := range all {
			all[i] = h.household(ctx, t, count)
		}
		var wait sync.WaitGroup
		for w := range workers {
			wait.Go(func() {
				r := runner{h, ctx, all, rand.New(rand.NewPCG(1, uint64(w))), count}
				for done := 0; done < operations/workers; {
					cause := fmt.Sprintf("w%d-%d", w, done)
					var err error
					if r.rand.IntN(2) == 0 {
						err, done = r.usage(cause), done+together
					} else {
						err, done = r.single(cause), done+1
					}
					if err != nil {
						t.Error(cause, err)
						return
					}
				}
			})
		}
		wait.Wait()
		h.proven(ctx, t, all, count)
	})
}

func (h house) proven(ctx context.Context, t *testing.T, all []household, count *tally) {
	h.balanced(ctx, t)
	seen := map[string]bool{}
	var entries int
	for _, v := range all {
		for n, line := range v.lines {
			statements, err := h.Statements(ctx, line.Subscription, 0)
			if err != nil || len(statements) != 3 {
				t.Fatal(len(statements), err)
			}
			for _, st := range statements {
				if st.ID == v.shared && n == 1 {
					continue // it was read with the other line
				}
				entries += len(st.Entries)
				h.replays(ctx, t, st, count)
				for _, e := range st.Entries {
					seen[e.Cause.ID] = true
				}
			}
		}
	}
	for cause := range seen {
		if cause != "opening" && !count.applied[cause] {
			t.Errorf("%s was refused and has left an entry", cause)
		}
	}
	if len(count.twice) > 0 {
		t.Errorf("applied twice: %v", count.twice)
	}
	t.Logf("%d operations applied, %d refused, %d entries of buckets", len(count.applied), count.refused, entries)
	if count.refused == 0 || len(count.applied) < operations/together/2 {
		t.Errorf("%d applied and %d refused prove little", len(count.applied), count.refused)
	}
}

// replays holds that a bucket is what the operations that were applied made of it, that its history leads there, and
// that it never was below its floor.
func (h house) replays(ctx context.Context, t *testing.T, st Statement, count *tally) {
	floor, sum := int64(0), int64(0)
	if st.Main {
		floor = -5_000_000
	}
	for n := len(st.Entries) - 1; n >= 0; n-- {
		e := st.Entries[n]
		if sum += e.Amount; sum != e.Balance || sum < floor {
			t.Fatalf("%s: entry %s leaves %d, the history says %d, the floor is %d", st.ID, e.Posting, e.Balance, sum, floor)
		}
	}
	if sum != st.Held || sum != count.by[st.ID] {
		t.Errorf("%s holds %d, its history replays to %d, and what was applied sums to %d", st.ID, st.Held, sum, count.by[st.ID])
	}
	b, _, err := h.Buckets.Get(ctx, st.ID)
	if err != nil || string(b.Remaining.Amount) != Decimal(b.Unit, sum) {
		t.Errorf("%s shows %s, want %s, %v", st.ID, b.Remaining.Amount, Decimal(b.Unit, sum), err)
	}
	if len(st.Entries) == 0 {
		return
	}
	middle := st.Entries[len(st.Entries)/2]
	home, _ := st.ID.Home()
	was, err := h.store.BalanceAt(ctx, home, string(st.ID), st.Bucket.Unit, middle.At)
	last := middle.Balance
	for _, e := range st.Entries {
		if e.At.Equal(middle.At) {
			last = e.Balance
			break
		}
	}
	if was != last || err != nil {
		t.Errorf("%s held %d at %s, the history says %d, %v", st.ID, was, middle.At, last, err)
	}
}
