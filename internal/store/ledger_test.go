package store_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

func entry(account string, amount int64) store.Entry {
	return store.Entry{Account: account, Unit: "EUR", Amount: amount}
}

func posting(cause string, entries ...store.Entry) store.Posting {
	return store.Posting{CauseKind: "test", Cause: cause, Entries: entries}
}

func (h *house) post(postings ...store.Posting) error {
	return h.write(func(ctx context.Context) error { return h.s.PostAll(ctx, 3, postings) })
}

// causes are those of the postings of an account, newest first.
func (h *house) causes(q store.History) (found []string, last id.ID) {
	h.t.Helper()
	q.Unit = "EUR"
	list, err := h.s.Postings(h.ctx, 3, q)
	h.must(err)
	for _, p := range list {
		found, last = append(found, p.Cause), p.ID
	}
	return found, last
}

func TestManyPostingsAtOnceAreAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.must(h.post(posting("first", entry("a", math.MaxInt64-1), entry("z", 1-math.MaxInt64))))
		// Back in range at the end, but beyond it on the way.
		refused(t, h.post(posting("up", entry("a", 5), entry("b", -5)), posting("down", entry("a", -5), entry("b", 5))),
			fault.Limit, store.CodeBalanceRange, "")
		refused(t, h.post(posting("fine", entry("b", 5), entry("c", -5)), posting("not", entry("b", 5), entry("c", -4))),
			fault.Internal, fault.CodeInternal, "")
		// A caller that makes nothing of the fault keeps nothing.
		err := h.write(func(ctx context.Context) error {
			_ = h.s.PostAll(ctx, 3, []store.Posting{posting("up", entry("a", 5), entry("b", -5))})
			return nil
		})
		refused(t, err, fault.Limit, store.CodeBalanceRange, "")
		// One that handles it within its own Write goes on.
		h.must(h.write(func(ctx context.Context) error {
			err := h.s.Write(ctx, func(ctx context.Context) error { return h.s.Post(ctx, 3, posting("up", entry("a", 5), entry("b", -5))) })
			refused(t, err, fault.Limit, store.CodeBalanceRange, "")
			return h.s.Post(ctx, 3, posting("b", entry("b", 7), entry("c", -7)))
		}))
		held, err := h.s.Balances(h.ctx, 3, "a", "b", "c")
		h.must(err)
		if want := []store.Holding{{"a", "EUR", math.MaxInt64 - 1}, {"b", "EUR", 7}, {"c", "EUR", -7}}; !slices.Equal(held, want) {
			t.Fatalf("%v, want %v", held, want)
		}
		if bad, err := h.s.Unbalanced(h.ctx); err != nil || len(bad) > 0 {
			t.Fatal(bad, err)
		}
	})
}

func TestHundredsOfPostingsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.must(h.post(posting("high", entry("high", math.MaxInt64-2), entry("low", 2-math.MaxInt64))))
		hundreds := func() (all []store.Posting) {
			for n := range 300 {
				all = append(all, posting(fmt.Sprint("n", n), entry(fmt.Sprint("line", n%150), 3), entry("issued", -3)))
			}
			return all
		}
		all := hundreds()
		h.must(h.write(func(ctx context.Context) error { return h.s.PostAll(ctx, 3, all) }))
		if b := all[299].Entries; b[0].Balance != 6 || b[1].Balance != -900 || all[149].Entries[0].Balance != 3 {
			t.Fatal(b, all[149].Entries)
		}
		last, err := h.s.Postings(h.ctx, 3, store.History{Account: "line149", Unit: "EUR"})
		h.must(err)
		if len(last) != 2 || last[0].Cause != "n299" || last[0].Entries[0].Balance != 6 || last[1].Cause != "n149" {
			t.Fatalf("%+v", last)
		}
		for account, amount := range map[string]int64{"high": 3, "low": -4} {
			refused(t, h.post(append(hundreds(), posting("over", entry(account, amount), entry("issued", -amount)))...),
				fault.Limit, store.CodeBalanceRange, "")
		}
		h.must(h.post(append(hundreds(), posting("up to it", entry("high", 2), entry("low", -3), entry("issued", 1)))...))
		held, err := h.s.Balances(h.ctx, 3, "high", "line7", "low")
		h.must(err)
		if want := []store.Holding{{"high", "EUR", math.MaxInt64}, {"line7", "EUR", 12}, {"low", "EUR", -math.MaxInt64 - 1}}; !slices.Equal(held, want) {
			t.Fatalf("%v, want %v", held, want)
		}
		if bad, err := h.s.Unbalanced(h.ctx); err != nil || len(bad) > 0 {
			t.Fatal(bad, err)
		}
	})
}

func TestAnAccountsHistoryStandsInTheOrderOfItsBalance(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		begin := h.at.Now()
		// All in one microsecond, in two transactions, one posting moving the account twice.
		h.must(h.post(posting("1", entry("a", 1), entry("z", -1)), posting("2", entry("a", 20), entry("a", -10), entry("z", -10)),
			posting("3", entry("a", 100), entry("z", -100))))
		h.must(h.post(posting("4", entry("a", 1000), entry("z", -1000)), posting("other", entry("b", 1), entry("z", -1))))
		h.at.Advance(time.Hour)
		h.must(h.post(posting("5", entry("a", 10000), entry("z", -10000))))

		for what, c := range map[string]struct {
			q    store.History
			want []string
		}{
			"all":           {store.History{Account: "a"}, []string{"5", "4", "3", "2", "1"}},
			"another's":     {store.History{Account: "b"}, []string{"other"}},
			"of a time":     {store.History{Account: "a", From: begin, To: begin.Add(time.Hour)}, []string{"4", "3", "2", "1"}},
			"from a moment": {store.History{Account: "a", From: begin.Add(time.Microsecond)}, []string{"5"}},
			"a part":        {store.History{Account: "a", Limit: 4}, []string{"5", "4", "3", "2"}},
		} {
			if got, _ := h.causes(c.q); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", what, got, c.want)
			}
		}
		for size := 1; size <= 6; size++ {
			var got []string
			q := store.History{Account: "a", Limit: size}
			for {
				page, last := h.causes(q)
				if len(page) == 0 {
					break
				}
				got, q.Before = append(got, page...), last
			}
			if want := []string{"5", "4", "3", "2", "1"}; !slices.Equal(got, want) {
				t.Errorf("by %d: %v", size, got)
			}
		}
		list, err := h.s.Postings(h.ctx, 3, store.History{Account: "b", Unit: "EUR"})
		h.must(err)
		_, err = h.s.Postings(h.ctx, 3, store.History{Account: "a", Unit: "EUR", Before: list[0].ID})
		refused(t, err, fault.Invalid, fault.CodeInvalid, "before")

		for at, want := range map[time.Time]int64{
			begin.Add(-time.Microsecond): 0, begin: 1111, begin.Add(time.Hour - time.Microsecond): 1111, begin.Add(time.Hour): 11111,
		} {
			if got, err := h.s.BalanceAt(h.ctx, 3, "a", "EUR", at); err != nil || got != want {
				t.Errorf("at %s: %d, want %d (%v)", at, got, want, err)
			}
		}
	})
}

// Whatever is posted, the history replays to each balance, and the balance of every moment is the one then.
func TestHistoryReplaysToTheBalance(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		round := 0
		rapid.Check(t, func(rt *rapid.T) {
			round++
			name := func(n int) string { return fmt.Sprint("acc", round, "/", n) }
			at := map[string]map[time.Time]int64{}
			held := map[string]int64{}
			for range rapid.IntRange(1, 5).Draw(rt, "writes") {
				var batch []store.Posting
				for range rapid.IntRange(1, 4).Draw(rt, "postings") {
					var p store.Posting
					sum := int64(0)
					for range rapid.IntRange(1, 3).Draw(rt, "entries") {
						n := rapid.Int64Range(-50, 50).Draw(rt, "amount")
						p.Entries = append(p.Entries, entry(name(rapid.IntRange(0, 2).Draw(rt, "account")), n))
						sum += n
					}
					p.Entries = append(p.Entries, entry(name(3), -sum))
					batch = append(batch, p)
				}
				h.must(h.post(batch...))
				for _, p := range batch {
					for _, e := range p.Entries {
						held[e.Account] += e.Amount
						if e.Balance != held[e.Account] {
							rt.Fatalf("the balance after the entry is told as %d, not %d", e.Balance, held[e.Account])
						}
						if at[e.Account] == nil {
							at[e.Account] = map[time.Time]int64{}
						}
						at[e.Account][p.At] = held[e.Account]
					}
				}
				h.at.Advance(rapid.SampledFrom([]time.Duration{0, time.Microsecond, time.Second}).Draw(rt, "pause"))
			}
			for account, moments := range at {
				for m, want := range moments {
					if got, err := h.s.BalanceAt(h.ctx, 3, account, "EUR", m); err != nil || got != want {
						rt.Fatalf("%s at %s: %d, want %d (%v)", account, m, got, want, err)
					}
				}
				list, err := h.s.Postings(h.ctx, 3, store.History{Account: account, Unit: "EUR"})
				h.must(err)
				running := int64(0)
				for _, p := range slices.Backward(list) {
					for _, e := range p.Entries {
						if e.Account != account {
							continue
						}
						if running += e.Amount; running != e.Balance {
							rt.Fatalf("%s: %d after %+v", account, running, p)
						}
					}
				}
				if running != held[account] {
					rt.Fatalf("%s replays to %d, not %d", account, running, held[account])
				}
			}
		})
	})
}
