package balance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

type raw = jsontext.Value

var start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// timed is a house whose time the test moves.
type timed struct {
	house
	clock *clock.Virtual
	// told are the thresholds that were told, as "name percent".
	told *[]string
	// lows are the buckets that were told to be low.
	lows *[]string
}

func (h timed) low() []string { return *h.lows }

func timedHouse(t *testing.T, engine string) timed {
	v := clock.NewVirtual(start)
	s := storetest.Open(t, engine, func(o *store.Options) { o.Clock = v })
	h := timed{house: newHouse(s), clock: v, told: &[]string{}, lows: &[]string{}}
	s.React(func(_ context.Context, e event.Event) error {
		*h.told = append(*h.told, e.Title)
		return nil
	}, ThresholdEvent)
	s.React(func(_ context.Context, e event.Event) error {
		*h.lows = append(*h.lows, string(e.Subject))
		return nil
	}, LowBalanceEvent)
	return h
}

func eachTimed(t *testing.T, run func(ctx context.Context, t *testing.T, h timed)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) { run(storetest.Context(1), t, timedHouse(t, engine)) })
	}
}

// in changes a line's wallet and saves it.
func (h timed) in(ctx context.Context, t errorer, line id.ID, do func(w *Wallet) error) error {
	return h.store.Write(ctx, func(ctx context.Context) error {
		w, err := h.Wallet(ctx, line)
		if err != nil {
			return err
		}
		if err := do(w); err != nil {
			return err
		}
		return h.Save(ctx, w)
	})
}

func (h timed) must(ctx context.Context, t errorer, line id.ID, do func(w *Wallet) error) {
	if err := h.in(ctx, t, line, do); err != nil {
		t.Fatal(err)
	}
}

// work runs the jobs that are due until there are none.
func (h timed) work(ctx context.Context, t *testing.T) {
	t.Helper()
	handlers := h.Jobs()
	for {
		jobs, err := h.store.ClaimJobs(ctx, 10, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(jobs) == 0 {
			return
		}
		for _, j := range jobs {
			if err := handlers[j.Kind](ctx, j); err != nil {
				t.Fatal(j.Kind, err)
			}
			if err := h.store.FinishJob(ctx, j); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

func after(d time.Duration) *time.Time { t := start.Add(d); return &t }

var because = Cause{Kind: "test", ID: "1", Text: "Tested"}

func names(w *Wallet) (all []string) {
	for _, h := range w.Held {
		all = append(all, h.Bucket.Name)
	}
	return all
}

func TestBucketsAreConsumedInOrder(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		account := id.New(id.Kind{Prefix: "bac"}, 1, start)
		of.Account = account
		open := func(g Grant) {
			g.UsageType, g.Unit, g.Amount = Data, Bytes, 1
			if _, err := h.Open(ctx, of, g, because); err != nil {
				t.Fatal(err)
			}
		}
		open(Grant{Name: "endless"})
		open(Grant{Name: "group", End: after(days(9)), Group: true})
		open(Grant{Name: "personal", End: after(days(9))})
		open(Grant{Name: "rolled over", End: after(days(9)), rolledOver: true})
		open(Grant{Name: "soon", End: after(days(2))})
		open(Grant{Name: "soon too", End: after(days(2))})
		open(Grant{Name: "preferred", Priority: -1})
		want := "preferred soon,soon too,rolled over,personal,group,endless"
		w, err := h.Standing(ctx, of.Subscription)
		if got := strings.Join(names(w), ","); err != nil || got != strings.Replace(want, " soon", ",soon", 1) {
			t.Errorf("%s %v", got, err)
		}
		other := h.holder(ctx, t)
		other.Account = account
		all, err := h.Wallets(ctx, of, other)
		if err != nil || len(all[0].Held) != 7 || len(all[1].Held) != 1 || all[1].Held[0] != all[0].Held[5] {
			t.Errorf("another line of the account holds %v, %v", names(all[1]), err)
		}
	})
}

func TestOneWalletSeesWhatAnotherLineTookOfWhatTheyShare(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		one := h.holder(ctx, t)
		home, _ := one.Subscription.Home()
		one.Account = id.New(id.Kind{Prefix: "bac"}, home, start)
		two := Holder{Subscription: id.New(id.Kind{Prefix: "sub"}, home, start), Account: one.Account}
		if _, err := h.Open(ctx, one, Grant{Name: "shared", UsageType: Data, Unit: Bytes, Amount: 100, Group: true}, because); err != nil {
			t.Fatal(err)
		}
		err := h.store.Write(ctx, func(ctx context.Context) error {
			ws, err := h.Wallets(ctx, one, two)
			if err != nil {
				return err
			}
			for _, w := range ws {
				if err := w.Move(because, Movement{w.Held[0].ID, -30, Used}); err != nil {
					return err
				}
			}
			return h.Save(ctx, ws...)
		})
		if err != nil {
			t.Fatal(err)
		}
		ws, err := h.Wallets(ctx, one, two)
		if err != nil || ws[1].Held[0].Left != 40 {
			t.Errorf("%v, %v", ws, err)
		}
		h.balanced(ctx, t)
	})
}

func TestARefusedMovementLeavesNothingBehind(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		cash, data := h.open(ctx, t, of, Monetary, "CHF", 10), h.open(ctx, t, of, Data, Bytes, 10)
		h.must(ctx, t, of.Subscription, func(w *Wallet) error {
			err := w.Move(because, Movement{cash, -4, Sales}, Movement{data, -11, Used})
			if fault.From(err).Code != CodeInsufficient || w.Find(cash).Left != 10 {
				t.Errorf("%v, %d are left", err, w.Find(cash).Left)
			}
			if err := w.Move(because, Movement{data, -1, string(cash)}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("bytes became money: %v", err)
			}
			return w.Move(because, Movement{cash, -1, Sales})
		})
		h.holds(ctx, t, cash, 9)
		h.holds(ctx, t, data, 10)
	})
}

func TestWhatEndsLapsesOrRollsOver(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		open := func(g Grant) id.ID {
			g.UsageType, g.Unit = Data, Bytes
			i, err := h.Open(ctx, of, g, because)
			if err != nil {
				t.Fatal(err)
			}
			return i
		}
		plain := open(Grant{Name: "plain", Amount: 100, End: after(days(10))})
		rolls := open(Grant{Name: "rolls", Amount: 100, End: after(days(10)), Rollover: &Rollover{Periods: 2, Max: 60}, Zones: []string{"home"}, Priority: 3})
		dated := open(Grant{Name: "dated", Amount: 100, End: after(days(10)), Rollover: &Rollover{Periods: 1, Until: after(days(11))}})
		h.must(ctx, t, of.Subscription, func(w *Wallet) error {
			if at, ok := w.NextExpiry(); !ok || !at.Equal(*after(days(10))) {
				t.Errorf("the next end is %v %v", at, ok)
			}
			return w.Move(because, Movement{plain, -30, Used}, Movement{rolls, -10, Used})
		})
		h.clock.Advance(days(10))
		h.must(ctx, t, of.Subscription, func(w *Wallet) error {
			if err := w.Move(because, Movement{plain, -1, Used}); fault.From(err).Code != CodeNotActive {
				t.Errorf("an ended bucket was spent: %v", err)
			}
			return w.Expire(w.Now)
		})
		for range 2 {
			h.must(ctx, t, of.Subscription, func(w *Wallet) error {
				if got := strings.Join(names(w), ","); got != "dated,rolls" {
					t.Errorf("%s", got)
				}
				return w.Expire(w.Now)
			})
		}
		w, err := h.Standing(ctx, of.Subscription)
		if err != nil {
			t.Fatal(err)
		}
		r := w.Held[1]
		if r.Left != 60 || !r.Bucket.RolledOver || r.Bucket.Rollover != nil || !r.Bucket.ValidFor.End.Equal(*after(days(30))) ||
			!slices.Equal(r.Bucket.Zones, []string{"home"}) || r.Bucket.Priority != 3 || r.Bucket.Scope() != "rollover" {
			t.Errorf("%d rolled over: %+v", r.Left, r.Bucket)
		}
		home, _ := plain.Home()
		if n, err := h.store.Balance(ctx, home, Lapsed, Bytes); n != 70+30 || err != nil {
			t.Errorf("%d lapsed, %v", n, err)
		}
		for _, i := range []id.ID{plain, rolls, dated} {
			h.holds(ctx, t, i, 0)
			if b, _, err := h.Buckets.Get(ctx, i); b.Status != Expired || b.HeldBy != "" || err != nil {
				t.Errorf("%s is %s, %v", b.Name, b.Status, err)
			}
		}
		h.balanced(ctx, t)
	})
}

func TestThresholdsAreToldOnceOnTheWayDown(t *testing.T) {
	h, ctx := timedHouse(t, "sqlite"), storetest.Context(1)
	of := h.holder(ctx, t)
	data := h.open(ctx, t, of, Data, Bytes, 1000)
	cash := h.open(ctx, t, of, Monetary, "CHF", 0)
	move := func(i id.ID, n int64, against, want string) {
		t.Helper()
		*h.told = nil
		h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Move(because, Movement{i, n, against}) })
		if got := strings.Join(*h.told, "; "); got != want {
			t.Errorf("after %d: %q, want %q", n, got, want)
		}
	}
	move(data, -799, Used, "")
	move(data, -1, Used, "data: 20 % is left")
	move(data, -100, Used, "")
	move(data, 200, Adjusted, "")
	move(data, -200, Used, "data: 20 % is left")
	move(data, -100, Used, "data: nothing is left")
	move(data, 500, Adjusted, "")
	move(data, -500, Used, "data: 20 % is left; data: nothing is left")
	move(cash, 10_000_000, Topups, "")
	move(cash, -7_990_000, Sales, "")
	move(cash, -10_000, Sales, "monetary: 20 % is left")
	move(cash, 2_000_000, Topups, "") // 4.00 now; 0.80 is a fifth
	move(cash, -3_190_000, Sales, "")
	move(cash, -10_000, Sales, "monetary: 20 % is left")
}

func TestAServiceProviderChoosesItsThresholds(t *testing.T) {
	h, ctx := timedHouse(t, "sqlite"), storetest.Context(1)
	if _, _, err := h.parts.Providers.Add(ctx, &provider.ServiceProvider{Name: "X", Currency: "CHF", Policy: &provider.Policy{BalanceThresholds: []int{50}}}); err != nil {
		t.Fatal(err)
	}
	of := h.holder(ctx, t)
	data := h.open(ctx, t, of, Data, Bytes, 10)
	h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Move(because, Movement{data, -5, Used}) })
	h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Move(because, Movement{data, -5, Used}) })
	if got := strings.Join(*h.told, "; "); got != "data: 50 % is left" {
		t.Error(got)
	}
}

func TestMoneyMayGoBelowZeroByItsCreditLimit(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		if err := h.SetCreditLimit(ctx, of.Subscription, 5); fault.From(err).Code != CodeNoMoney {
			t.Errorf("%v", err)
		}
		cash := h.open(ctx, t, of, Monetary, "CHF", 1_000_000)
		charge := func(n int64) error {
			return h.in(ctx, t, of.Subscription, func(w *Wallet) error { return w.Charge(because, w.Money(), n, 0, true) })
		}
		if err := charge(1_000_001); fault.From(err).Code != CodeInsufficient {
			t.Errorf("%v", err)
		}
		if err := h.SetCreditLimit(ctx, of.Subscription, 500_000); err != nil {
			t.Fatal(err)
		}
		if err := charge(1_500_000); err != nil {
			t.Error(err)
		}
		if err := charge(1); fault.From(err).Code != CodeInsufficient {
			t.Errorf("%v", err)
		}
		h.holds(ctx, t, cash, -500_000)
		if err := h.SetCreditLimit(ctx, of.Subscription, 499_999); fault.From(err).Code != CodeInsufficient {
			t.Errorf("a limit that is exceeded: %v", err)
		}
		if err := h.SetCreditLimit(ctx, of.Subscription, -1); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
		h.balanced(ctx, t)
	})
}

func TestSpendingCountsByTheMonthOfTheServiceProvidersTimeZone(t *testing.T) {
	h, ctx := timedHouse(t, "sqlite"), storetest.Context(1)
	if _, _, err := h.parts.Providers.Add(ctx, &provider.ServiceProvider{Name: "X", Currency: "CHF", TimeZone: "Asia/Tokyo"}); err != nil {
		t.Fatal(err)
	}
	tokyo, _ := time.LoadLocation("Asia/Tokyo")
	of := h.holder(ctx, t)
	h.open(ctx, t, of, Monetary, "CHF", 100)
	spend := func(at time.Time, n int64) {
		h.must(ctx, t, of.Subscription, func(w *Wallet) error {
			return w.Charge(Cause{Kind: "usage", ID: "1", At: at}, w.Money(), n, 0, true)
		})
	}
	spend(time.Date(2026, 1, 31, 14, 59, 0, 0, time.UTC), 1) // still January there
	spend(time.Date(2026, 1, 31, 15, 0, 0, 0, time.UTC), 10)
	spend(time.Time{}, 2)
	spend(time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), 20)
	h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Charge(because, w.Money(), 5, 0, false) })
	w, err := h.Standing(ctx, of.Subscription)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]int64{
		time.Date(2026, 1, 15, 0, 0, 0, 0, tokyo): 3, time.Date(2026, 2, 1, 0, 0, 0, 0, tokyo): 10, time.Date(2025, 12, 31, 0, 0, 0, 0, tokyo): 20, time.Date(2026, 3, 1, 0, 0, 0, 0, tokyo): 0,
	} {
		if got := w.Spent(at, tokyo); got != want {
			t.Errorf("in %s %d was spent, want %d", at.Format("2006-01"), got, want)
		}
	}
	if w.Money().Left != 62 {
		t.Errorf("%d is left", w.Money().Left)
	}
}

func TestAReservationOfAWallet(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		data, cash := h.open(ctx, t, of, Data, Bytes, 100), h.open(ctx, t, of, Monetary, "CHF", 100)
		session := id.New(ReserveKind, 1, start)
		h.must(ctx, t, of.Subscription, func(w *Wallet) error {
			d, m := w.Find(data), w.Find(cash)
			if err := w.Reserve(because, session, d, 101); fault.From(err).Code != CodeInsufficient {
				t.Errorf("%v", err)
			}
			for _, err := range []error{w.Reserve(because, session, d, 60), w.Reserve(because, session, d, 20), w.Reserve(because, session, m, 50)} {
				if err != nil {
					return err
				}
			}
			return nil
		})
		h.must(ctx, t, of.Subscription, func(w *Wallet) error {
			d, m := w.Find(data), w.Find(cash)
			if d.Left != 20 || d.Reserved() != 80 || w.Reserved(session, d) != 80 {
				t.Errorf("%d are left, %d reserved", d.Left, d.Reserved())
			}
			if err := w.Consume(because, session, d, 81, 0); fault.From(err).Code != CodeInsufficient {
				t.Errorf("%v", err)
			}
			for _, err := range []error{w.Consume(because, session, d, 70, 0), w.Consume(because, session, m, 30, 3)} {
				if err != nil {
					return err
				}
			}
			if w.Spent(w.Now, time.UTC) != 30 {
				t.Errorf("%d was spent", w.Spent(w.Now, time.UTC))
			}
			return w.Release(because, session, m, 20)
		})
		home, _ := data.Home()
		for account, want := range map[string]int64{Used + "/" + Bytes: 70, Sales + "/CHF": 27, Taxes + "/CHF": 3} {
			name, unit, _ := strings.Cut(account, "/")
			if n, err := h.store.Balance(ctx, home, name, unit); n != want || err != nil {
				t.Errorf("%s has %d, want %d, %v", account, n, want, err)
			}
		}
		// What a bucket gets back that has ended meanwhile lapses, and only then is it done with.
		h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Forfeit(because, w.Find(data)) })
		h.must(ctx, t, of.Subscription, func(w *Wallet) error {
			d := w.Find(data)
			if d == nil || d.Bucket.Status != Expired {
				t.Fatalf("%+v", d)
			}
			return w.Release(because, session, d, 10)
		})
		w, err := h.Standing(ctx, of.Subscription)
		if err != nil || w.Find(data) != nil {
			t.Errorf("%v %v", names(w), err)
		}
		if n, err := h.store.Balance(ctx, home, Lapsed, Bytes); n != 30 || err != nil {
			t.Errorf("%d lapsed, %v", n, err)
		}
		h.balanced(ctx, t)
	})
}

func TestAReservationEndsByItself(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		cash := h.open(ctx, t, of, Monetary, "CHF", 10_000_000)
		francs := func(text string) sid.Quantity { return sid.Quantity{Amount: []byte(text), Units: "CHF"} }
		i, v, err := h.Service.Reserve(ctx, ReserveOrder{Subscription: of.Subscription, Amount: francs("4"), Until: after(time.Hour)})
		if err != nil || v.Status != Created {
			t.Fatal(v.Status, err)
		}
		if _, err := h.Consume(ctx, i, francs("1.5")); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Reservations.Patch(ctx, i, 0, patch(`"endDateTime":"2026-01-31T13:00:00Z"`, `"endDateTime":"2026-01-31T14:00:00Z"`)); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(time.Hour)
		h.work(ctx, t)
		h.holds(ctx, t, cash, 6_000_000)
		h.clock.Advance(time.Hour)
		h.work(ctx, t)
		h.holds(ctx, t, cash, 8_500_000)
		if v, _, err := h.Reservations.Get(ctx, i); v.Status != Cancelled || err != nil {
			t.Errorf("%s %v", v.Status, err)
		}
		if _, err := h.Release(ctx, i); err != nil {
			t.Error(err)
		}
		if _, err := h.Consume(ctx, i, francs("1")); fault.From(err).Code != CodeTaskState {
			t.Errorf("%v", err)
		}
		h.balanced(ctx, t)
	})
}

// patch replaces a part of the present document.
func patch(old, with string) func(raw) (raw, error) {
	return func(now raw) (raw, error) { return raw(strings.Replace(string(now), old, with, 1)), nil }
}

func TestATopUpThatRecursIsPaidOnItsDays(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		cash := h.open(ctx, t, of, Monetary, "CHF", 0)
		create := func(more string) id.ID {
			d, err := h.Topups.Create(ctx, raw(`{"amount":{"amount":5,"units":"CHF"},"usageType":"monetary","bucket":{"id":"`+string(cash)+`"},`+more+`}`))
			if err != nil {
				t.Fatal(err)
			}
			return d.ID
		}
		monthly := create(`"recurringPeriod":"monthly","numberOfPeriods":3`)
		weekly := create(`"recurringPeriod":"weekly"`)
		h.holds(ctx, t, cash, 10_000_000)
		h.clock.Set(time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)) // January 31 and a month
		h.work(ctx, t)
		h.holds(ctx, t, cash, 35_000_000)
		if _, err := h.Topups.Patch(ctx, weekly, 0, patch(`"status":"created"`, `"status":"cancelled"`)); err != nil {
			t.Fatal(err)
		}
		h.clock.Set(time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC))
		h.work(ctx, t)
		h.clock.Set(time.Date(2026, 12, 31, 12, 0, 0, 0, time.UTC))
		h.work(ctx, t)
		h.holds(ctx, t, cash, 40_000_000)
		v, _, err := h.Topups.Get(ctx, monthly)
		if err != nil || v.Status != Completed || v.PeriodsDone != 3 {
			t.Errorf("%s after %d, %v", v.Status, v.PeriodsDone, err)
		}
		stopped := create(`"recurringPeriod":"weekly"`)
		h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Forfeit(because, w.Find(cash)) })
		h.clock.Advance(days(7))
		h.work(ctx, t)
		if v, _, err := h.Topups.Get(ctx, stopped); err != nil || v.Status != Failed || v.Failure == nil {
			t.Errorf("a top-up of an ended bucket is %s, %v", v.Status, err)
		}
		h.balanced(ctx, t)
	})
}

func TestAnEndThatATaskSetIsKept(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		cash := h.open(ctx, t, of, Monetary, "CHF", 3)
		_, v, err := h.Adjust(ctx, AdjustOrder{Subscription: of.Subscription, Bucket: cash, Amount: sid.Quantity{Amount: []byte("0")}, End: after(days(3)), Reason: "promised"})
		if err != nil || v.Status != Completed {
			t.Fatal(v, err)
		}
		if _, err := h.Topups.Create(ctx, raw(`{"amount":{"amount":2,"units":"CHF"},"product":[{"id":"`+string(of.Subscription)+`"}],"validFor":{"endDateTime":"2026-02-01T12:00:00Z"}}`)); err != nil {
			t.Fatal(err)
		}
		w, err := h.Standing(ctx, of.Subscription)
		if err != nil || len(w.Held) != 2 || w.Held[0].Left != 2_000_000 || w.Money() == nil {
			t.Fatalf("%v %v", names(w), err)
		}
		h.clock.Advance(days(1))
		h.work(ctx, t)
		if w, err = h.Standing(ctx, of.Subscription); err != nil || len(w.Held) != 1 || w.Held[0].ID != cash {
			t.Errorf("after a day: %v %v", names(w), err)
		}
		h.clock.Advance(days(2))
		h.work(ctx, t)
		if w, err = h.Standing(ctx, of.Subscription); err != nil || len(w.Held) != 0 {
			t.Errorf("after three: %v %v", names(w), err)
		}
		h.balanced(ctx, t)
	})
}

func TestWhyAndAsOfWhen(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		cash := h.open(ctx, t, of, Monetary, "CHF", 100)
		data := h.open(ctx, t, of, Data, Bytes, 1000)
		type moment struct {
			at         time.Time
			cash, data int64
		}
		var moments []moment
		c, d := int64(100), int64(1000)
		for n := range 25 {
			h.clock.Advance(time.Hour)
			kind := []string{"usage", "order"}[n%2]
			h.must(ctx, t, of.Subscription, func(w *Wallet) error {
				return w.Move(Cause{Kind: kind, ID: fmt.Sprint(n), Text: fmt.Sprint("number ", n)}, Movement{cash, -1, Sales}, Movement{data, int64(-n), Used})
			})
			c, d = c-1, d-int64(n)
			moments = append(moments, moment{h.clock.Now(), c, d})
		}
		for _, m := range moments {
			for _, shift := range []time.Duration{0, time.Minute} {
				all, err := h.At(ctx, of.Subscription, m.at.Add(shift), 1)
				if err != nil || len(all) != 2 || all[0].Held != m.cash || all[1].Held != m.data || all[1].Entries[0].Balance != m.data {
					t.Fatalf("at %s: %+v %v, want %d and %d", m.at, all, err, m.cash, m.data)
				}
			}
		}
		if all, err := h.At(ctx, of.Subscription, start.Add(-time.Second), 1); err != nil || len(all) != 0 {
			t.Errorf("before it began: %v %v", all, err)
		}
		for _, limit := range []int{1, 2, 3, 7, 100} {
			var seen []Entry
			q := HistoryQuery{Limit: limit}
			for {
				p, err := h.History(ctx, of.Subscription, q)
				if err != nil || len(p.Entries) > limit+1 {
					t.Fatal(len(p.Entries), err)
				}
				seen = append(seen, p.Entries...)
				if q.After = p.Next; q.After == "" {
					break
				}
			}
			keys := map[string]bool{}
			sums := map[id.ID]int64{}
			for n, e := range seen {
				if n > 0 && e.At.After(seen[n-1].At) {
					t.Errorf("entry %d is newer than the one before", n)
				}
				keys[e.Key()] = true
				sums[e.Bucket] += e.Amount
			}
			if len(seen) != 52 || len(keys) != 52 || sums[cash] != c || sums[data] != d {
				t.Errorf("pages of %d: %d entries, %d of them different, replaying to %v, want %d and %d", limit, len(seen), len(keys), sums, c, d)
			}
		}
		p, err := h.History(ctx, of.Subscription, HistoryQuery{Limit: 5, Without: []string{"usage"}, UsageType: Monetary})
		if err != nil || len(p.Entries) != 5 || p.Entries[4].Cause.ID != "15" || p.Entries[0].Cause.Text != "number 23" || p.Next == "" {
			t.Errorf("%+v %v", p.Entries, err)
		}
		p, err = h.History(ctx, of.Subscription, HistoryQuery{Limit: 50, Bucket: data, From: &moments[3].at, To: &moments[5].at})
		if err != nil || len(p.Entries) != 2 || p.Next != "" {
			t.Errorf("%+v %v", p.Entries, err)
		}
		if _, err := h.History(ctx, of.Subscription, HistoryQuery{Limit: 5, After: "nonsense"}); fault.From(err).Attribute != "key" {
			t.Errorf("%v", err)
		}
	})
}

func TestUndoingAnAddOnLeavesTheMoney(t *testing.T) {
	eachTimed(t, func(ctx context.Context, t *testing.T, h timed) {
		of := h.holder(ctx, t)
		cash := h.open(ctx, t, of, Monetary, "CHF", 100)
		begin := Cause{Kind: "renewal", ID: "prd_1", Text: "Extra"}
		var data id.ID
		h.must(ctx, t, of.Subscription, func(w *Wallet) error {
			if err := w.Charge(begin, w.Money(), 30, 3, false); err != nil {
				return err
			}
			d, err := w.Open(Grant{Name: "Extra", UsageType: Data, Unit: Bytes, Amount: 500}, begin)
			if err == nil {
				data = d.ID
			}
			return err
		})
		h.must(ctx, t, of.Subscription, func(w *Wallet) error { return w.Move(because, Movement{data, -200, Used}) })
		for range 2 {
			if err := h.Reverse(ctx, of.Subscription, begin, Cause{Text: "The order failed"}); err != nil {
				t.Fatal(err)
			}
		}
		h.holds(ctx, t, cash, 100)
		h.holds(ctx, t, data, 0)
		if b, _, err := h.Buckets.Get(ctx, cash); b.Status != Active || err != nil {
			t.Errorf("the money is %s, %v", b.Status, err)
		}
		if b, _, err := h.Buckets.Get(ctx, data); b.Status != Expired || err != nil {
			t.Errorf("the bundle is %s, %v", b.Status, err)
		}
		home, _ := cash.Home()
		if n, err := h.store.Balance(ctx, home, Sales, "CHF"); n != 0 || err != nil {
			t.Errorf("sales are %d, %v", n, err)
		}
		h.balanced(ctx, t)
	})
}

func TestBundlesAddUpByScope(t *testing.T) {
	h, ctx := timedHouse(t, "sqlite"), storetest.Context(1)
	of := h.holder(ctx, t)
	home, _ := of.Subscription.Home()
	of.Account = id.New(id.Kind{Prefix: "bac"}, home, start)
	for _, g := range []Grant{
		{Name: "Data", Amount: 100, End: after(days(3))}, {Name: "Data", Amount: 20, End: after(days(1)), rolledOver: true},
		{Name: "Data", Amount: 50, Group: true}, {Name: "More", Amount: 7, Promotional: true},
	} {
		g.UsageType, g.Unit = Data, Bytes
		if _, err := h.Open(ctx, of, g, because); err != nil {
			t.Fatal(err)
		}
	}
	h.must(ctx, t, of.Subscription, func(w *Wallet) error {
		return w.Move(because, Movement{w.Held[1].ID, -40, Used}, Movement{w.Held[0].ID, 5, Adjusted})
	})
	w, err := h.Standing(ctx, of.Subscription)
	if err != nil {
		t.Fatal(err)
	}
	all := w.Bundles()
	if len(all) != 2 || !all[1].Promotional {
		t.Fatalf("%+v", all)
	}
	for scope, want := range map[string]Tally{"personal": {100, 40, 60}, "rollover": {25, 0, 25}, "group": {50, 0, 50}} {
		if all[0].Scopes[scope] != want {
			t.Errorf("%s: %+v, want %+v", scope, all[0].Scopes[scope], want)
		}
	}
	if all[0].End != nil || len(all[0].Buckets) != 3 || all[0].Total() != (Tally{175, 40, 135}) {
		t.Errorf("%+v", all[0])
	}
}

func TestQuantitiesOfTheWire(t *testing.T) {
	for _, c := range []struct {
		unit, amount, units string
		want                int64
		wrong               string
	}{
		{"CHF", "12.5", "CHF", 12_500_000, ""}, {"CHF", `"12.5"`, "", 12_500_000, ""}, {"CHF", "1", "EUR", 0, "units"}, {"CHF", "1.0000001", "CHF", 0, "amount"},
		{Bytes, "2", "GB", 2_000_000_000, ""}, {Bytes, "1.5", "MiB", 1_572_864, ""}, {Bytes, "0.5", "bytes", 0, "amount"}, {Bytes, "1e3", "bytes", 1000, ""},
		{Bytes, "1", "minutes", 0, "units"}, {Seconds, "2", "minutes", 120, ""}, {Messages, "3", "SMS", 3, ""}, {Bytes, "9999999999", "GB", 0, "amount"},
		{"points", "7", "points", 7, ""}, {"points", "7", "GB", 0, "units"}, {Bytes, `"x"`, "bytes", 0, "amount"},
	} {
		n, err := Count(c.unit, sid.Quantity{Amount: []byte(c.amount), Units: c.units})
		if n != c.want || (c.wrong == "") != (err == nil) || err != nil && fault.From(err).Attribute != c.wrong {
			t.Errorf("%s %s as %s: %d %v", c.amount, c.units, c.unit, n, err)
		}
	}
}

func TestAJobThatCannotBeReadIsDead(t *testing.T) {
	h := timedHouse(t, "sqlite")
	err := h.Jobs()[topupJob](storetest.Context(1), job.Job{Payload: raw(`{}`)})
	var dead job.Permanent
	if !errors.As(err, &dead) {
		t.Errorf("%v", err)
	}
}
