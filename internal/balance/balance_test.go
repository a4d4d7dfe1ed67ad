package balance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// line stands for a subscription of another package; its document is all that the ledger asks of it.
type line struct {
	State string `json:"state"`
}

type house struct {
	*Service
	store *store.Store
	lines *store.Collection[line]
}

func newHouse(s *store.Store) house {
	h := house{store: s, lines: store.NewCollection[line](s, store.Definition{Kind: id.Kind{Name: "product", Prefix: "sub"}, Table: "subscription"})}
	h.Service = New(s, Parts{Providers: provider.New(s), Line: func(ctx context.Context, text string) (Holder, error) {
		_, _, err := h.lines.Get(ctx, id.ID(text))
		return Holder{Subscription: id.ID(text), Account: "elsewhere-1"}, err
	}})
	return h
}

func each(t *testing.T, run func(ctx context.Context, t *testing.T, h house)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) { run(storetest.Context(1), t, newHouse(s)) })
}

// holder makes a line; its account is on another system.
func (h house) holder(ctx context.Context, t testing.TB) Holder {
	t.Helper()
	i := id.New(id.Kind{Prefix: "sub"}, id.RandomHome(), time.Now())
	err := h.store.Write(ctx, func(ctx context.Context) error {
		_, err := h.lines.Insert(ctx, i, &line{State: "active"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return Holder{Subscription: i, Account: "elsewhere-1"}
}

func (h house) open(ctx context.Context, t testing.TB, of Holder, usage, unit string, amount int64) id.ID {
	t.Helper()
	i, err := h.Open(ctx, of, Grant{Name: usage, UsageType: usage, Unit: unit, Amount: amount}, Cause{Kind: "productOrder", ID: "ord_1", Text: "Opening"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// holds compares a bucket with its ledger account.
func (h house) holds(ctx context.Context, t errorer, i id.ID, want int64) {
	b, _, err := h.Buckets.Get(ctx, i)
	if err != nil {
		t.Fatal(err)
	}
	home, _ := i.Home()
	held, err := h.store.Balance(ctx, home, string(i), b.Unit)
	if err != nil {
		t.Fatal(err)
	}
	if held != want || string(b.Remaining.Amount) != Decimal(b.Unit, want) {
		t.Errorf("%s: the ledger holds %d, the bucket shows %s, want %d", b.UsageType, held, b.Remaining.Amount, want)
	}
}

type errorer interface {
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

func (h house) balanced(ctx context.Context, t errorer) {
	wrong, err := h.store.Unbalanced(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(wrong) > 0 {
		t.Errorf("the ledger is out of balance: %v", wrong)
	}
}

func TestABucketOpensWithWhatItIsGranted(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		of := h.holder(ctx, t)
		cash := h.open(ctx, t, of, "monetary", "CHF", 12_500_000)
		data := h.open(ctx, t, of, "data", "bytes", 5_000_000_000)
		empty := h.open(ctx, t, of, "sms", "messages", 0)
		h.holds(ctx, t, cash, 12_500_000)
		h.holds(ctx, t, data, 5_000_000_000)
		h.holds(ctx, t, empty, 0)
		h.balanced(ctx, t)
		if i, b, err := h.Money(ctx, of.Subscription); i != cash || b.Unit != "CHF" || err != nil {
			t.Errorf("the money of the line is %s %v", i, err)
		}
		theirs, _ := of.Subscription.Home()
		if its, _ := cash.Home(); its != theirs {
			t.Errorf("the bucket lives at %d and its line at %d", its, theirs)
		}
	})
}

func TestNothingLeavesABucketThatIsNotThere(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		i := h.open(ctx, t, h.holder(ctx, t), "monetary", "CHF", 10_000_000)
		c := Cause{Kind: "test", ID: "1", Text: "Spent"}
		if err := h.Move(ctx, c, Movement{i, -10_000_001, Sales}); fault.From(err).Code != CodeInsufficient {
			t.Errorf("%v", err)
		}
		if err := h.Move(ctx, c, Movement{i, -6_000_000, Sales}, Movement{i, -6_000_000, Taxes}); fault.From(err).Code != CodeInsufficient {
			t.Errorf("two movements together: %v", err)
		}
		h.holds(ctx, t, i, 10_000_000)
		if err := h.Move(ctx, c, Movement{i, -9_000_000, Sales}, Movement{i, -1_000_000, Taxes}); err != nil {
			t.Fatal(err)
		}
		h.holds(ctx, t, i, 0)
		if _, err := h.Buckets.Change(ctx, i, func(b *Bucket) error { b.Status = Suspended; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := h.Move(ctx, c, Movement{i, 1, Topups}); fault.From(err).Code != CodeNotActive {
			t.Errorf("a suspended bucket took something: %v", err)
		}
		h.balanced(ctx, t)
	})
}

func TestAChargeIsOneEntryOfTheBucket(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		of := h.holder(ctx, t)
		i := h.open(ctx, t, of, "monetary", "CHF", 20_000_000)
		c := Cause{Kind: "productOrder", ID: "ord_1", Text: "Plus, monthly"}
		if err := h.Charge(ctx, c, i, 14_900_000, 2_480_000); err != nil {
			t.Fatal(err)
		}
		if err := h.Charge(ctx, c, i, 5_200_000, 0); fault.From(err).Code != CodeInsufficient {
			t.Errorf("more than there is: %v", err)
		}
		h.holds(ctx, t, i, 5_100_000)
		home, _ := i.Home()
		for account, want := range map[string]int64{Sales: 12_420_000, Taxes: 2_480_000} {
			if n, err := h.store.Balance(ctx, home, account, "CHF"); n != want || err != nil {
				t.Errorf("%s has %d, want %d, %v", account, n, want, err)
			}
		}
		all, err := h.Statements(ctx, of.Subscription, 10)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		if st := all[0]; len(st.Entries) != 2 || st.Entries[0].Amount != -14_900_000 || st.Entries[0].Balance != 5_100_000 {
			t.Errorf("%+v %v", st.Entries, err)
		}
		h.balanced(ctx, t)
	})
}

func TestABucketNeverOverflows(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		i := h.open(ctx, t, h.holder(ctx, t), "data", "bytes", 1<<62)
		if err := h.Move(ctx, Cause{Kind: "test", ID: "1"}, Movement{i, 1 << 62, Issued}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
		h.holds(ctx, t, i, 1<<62)
	})
}

func TestReversingTakesBackWhatOneCauseDid(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		of := h.holder(ctx, t)
		cash, data := h.open(ctx, t, of, "monetary", "CHF", 20_000_000), h.open(ctx, t, of, "data", "bytes", 1000)
		order := Cause{Kind: "productOrder", ID: "ord_1", Text: "First charge"}
		if err := h.Move(ctx, order, Movement{cash, -18_000_000, Sales}, Movement{cash, -1_900_000, Taxes}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := h.Reverse(ctx, of.Subscription, order, Cause{Kind: "productOrder", ID: "ord_1", Text: "Taken back"}); err != nil {
				t.Fatal(err)
			}
		}
		h.holds(ctx, t, cash, 0)
		h.holds(ctx, t, data, 0)
		home, _ := cash.Home()
		for _, account := range []string{Issued, Sales, Taxes} {
			if n, err := h.store.Balance(ctx, home, account, "CHF"); n != 0 || err != nil {
				t.Errorf("%s still has %d, %v", account, n, err)
			}
		}
		if b, _, err := h.Buckets.Get(ctx, cash); b.Status != Expired || err != nil {
			t.Errorf("the bucket is %s, %v", b.Status, err)
		}
		h.balanced(ctx, t)
	})
}

func TestATopUpPaysOnce(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		of := h.holder(ctx, t)
		cash := h.open(ctx, t, of, "monetary", "CHF", 0)
		pay := func(amount, reference string) (id.ID, bool, error) {
			a, err := money.Parse(amount, "CHF")
			if err != nil {
				t.Fatal(err)
			}
			i, _, again, err := h.TopUp(ctx, TopupOrder{Subscription: of.Subscription, Amount: a, Reference: reference})
			return i, again, err
		}
		first, again, err := pay("20", "kiosk-1")
		if err != nil || again {
			t.Fatal(again, err)
		}
		if i, again, err := pay("20.00", "kiosk-1"); i != first || !again || err != nil {
			t.Errorf("again: %s %v %v", i, again, err)
		}
		if _, _, err := pay("21", "kiosk-1"); fault.From(err).Code != CodeReferenceReused {
			t.Errorf("another amount: %v", err)
		}
		for amount, reference := range map[string]string{"0": "a", "-1": "b", "0.001": "c", "5": " "} {
			if _, _, err := pay(amount, reference); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s %q: %v", amount, reference, err)
			}
		}
		h.holds(ctx, t, cash, 20_000_000)
		h.balanced(ctx, t)
		statements, err := h.Statements(ctx, of.Subscription, 10)
		if err != nil || len(statements) != 1 || len(statements[0].Entries) != 1 {
			t.Fatalf("%+v %v", statements, err)
		}
		if e := statements[0].Entries[0]; e.Amount != 20_000_000 || e.Balance != 20_000_000 || e.Cause.Kind != "topupBalance" || e.Cause.ID != string(first) || e.Cause.Text != "Top-up of 20.00 CHF, reference kiosk-1" {
			t.Errorf("%+v", e)
		}
	})
}

func TestATopUpNeedsAMoneyBalance(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		of := h.holder(ctx, t)
		h.open(ctx, t, of, "data", "bytes", 5)
		a, _ := money.Parse("5", "CHF")
		if _, _, _, err := h.TopUp(ctx, TopupOrder{Subscription: of.Subscription, Amount: a, Reference: "x"}); fault.From(err).Code != CodeNoMoney {
			t.Errorf("%v", err)
		}
		h.open(ctx, t, of, "monetary", "EUR", 0)
		if _, _, _, err := h.TopUp(ctx, TopupOrder{Subscription: of.Subscription, Amount: a, Reference: "x"}); fault.From(err).Attribute != "amount" {
			t.Errorf("another currency: %v", err)
		}
	})
}

func TestTopUpsSideBySideAllCount(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h house) {
		of := h.holder(ctx, t)
		cash := h.open(ctx, t, of, "monetary", "CHF", 0)
		one, _ := money.Parse("1", "CHF")
		const payers, each = 100, 2 // far more than a database lets through at once: nobody is sent away
		done := make(chan error, payers)
		for p := range payers {
			go func() {
				var err error
				for n := 0; n < each && err == nil; n++ {
					_, _, _, err = h.TopUp(ctx, TopupOrder{Subscription: of.Subscription, Amount: one, Reference: fmt.Sprint(p, "-", n)})
				}
				done <- err
			}()
		}
		for range payers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		h.holds(ctx, t, cash, payers*each*1_000_000)
		h.balanced(ctx, t)
	})
}
