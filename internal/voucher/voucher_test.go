package voucher_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
	"github.com/demarc-bss/demarc/internal/voucher"
)

type bench struct {
	*ordertest.House
	clock *clock.Virtual
	lines int
}

func each(t *testing.T, run func(ctx context.Context, t *testing.T, h *bench)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			c := clock.NewVirtual(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
			s := storetest.Open(t, engine, func(o *store.Options) { o.Clock = c })
			h := &bench{House: ordertest.New(s), clock: c}
			ctx := storetest.Context(1)
			if _, _, err := h.Providers.Add(ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"}); err != nil {
				t.Fatal(err)
			}
			run(ctx, t, h)
			h.Balanced(ctx, t)
		})
	}
}

func francs(t testing.TB, text string) money.Amount {
	t.Helper()
	a, err := money.Parse(text, "CHF")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// line makes an active line with an empty money bucket.
func (h *bench) line(ctx context.Context, t testing.TB, change ...func(*subscription.Line)) id.ID {
	t.Helper()
	h.lines++
	a := h.Account(ctx, t)
	v := subscription.Line{AccountID: a, State: subscription.Active, MSISDN: msisdn.Number(fmt.Sprintf("4179%07d", h.lines)), ICCID: fmt.Sprintf("8941%015d", h.lines)}
	for _, f := range change {
		f(&v)
	}
	i, _, err := h.Subscriptions.Lines.Add(ctx, &v)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Balances.Open(ctx, balance.Holder{Subscription: i, Account: a}, balance.Grant{Name: "Money", UsageType: "monetary", Unit: "CHF"}, balance.Cause{Kind: "test", ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (h *bench) holds(ctx context.Context, t testing.TB, line id.ID, want string) {
	t.Helper()
	_, b, err := h.Balances.Money(ctx, line)
	if err != nil || string(b.Remaining.Amount) != want {
		t.Errorf("the line holds %s, want %s, %v", b.Remaining.Amount, want, err)
	}
}

// batch makes an available batch and gives the vouchers' serial numbers and PINs.
func (h *bench) batch(ctx context.Context, t testing.TB, n voucher.NewBatch) (id.ID, [][2]string) {
	t.Helper()
	if n.Terms.Value.IsZero() {
		n.Terms.Value = francs(t, "20")
	}
	if n.Count == 0 {
		n.Count = 1
	}
	i, _, err := h.Vouchers.Generate(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	h.Work(ctx, t)
	file, err := h.Vouchers.HandOut(ctx, i, "the printer")
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil || len(records) != n.Count+1 {
		t.Fatalf("%d lines, %v", len(records), err)
	}
	if _, err := h.Vouchers.SetBatch(ctx, i, voucher.Available, ""); err != nil {
		t.Fatal(err)
	}
	var out [][2]string
	for _, r := range records[1:] {
		out = append(out, [2]string{r[0], r[1]})
	}
	return i, out
}

// refill does what a façade does: it admits, and then spends.
func (h *bench) refill(ctx context.Context, line id.ID, pin string) (voucher.Refill, error) {
	if err := h.Vouchers.Admit(ctx, line, pin); err != nil {
		return voucher.Refill{}, err
	}
	return h.Vouchers.Recharge(ctx, line, pin)
}

func code(err error) fault.Code {
	if err == nil {
		return ""
	}
	return fault.From(err).Code
}

func TestAVoucherPaysItsValueAndBonusOnce(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		bonus := francs(t, "2.50")
		_, vouchers := h.batch(ctx, t, voucher.NewBatch{Count: 2, Terms: voucher.Terms{Value: francs(t, "20"), Bonus: &bonus}})
		mine, theirs := h.line(ctx, t), h.line(ctx, t)
		r, err := h.refill(ctx, mine, vouchers[0][1])
		if err != nil || string(r.Balance.Remaining.Amount) != "22.50" || r.Voucher.State != voucher.Used || r.Voucher.Voucher.Serial != vouchers[0][0] {
			t.Fatalf("%+v %v", r, err)
		}
		if _, err := h.refill(ctx, mine, vouchers[0][1]); code(err) != voucher.UsedBySame {
			t.Errorf("again: %v", err)
		}
		if _, err := h.refill(ctx, theirs, vouchers[0][1]); code(err) != voucher.UsedByOther {
			t.Errorf("another: %v", err)
		}
		h.holds(ctx, t, mine, "22.50")
		h.holds(ctx, t, theirs, "0.00")
		top, _, err := h.Balances.Topups.Get(ctx, r.Topup)
		if err != nil || !strings.Contains(top.Reference, vouchers[0][0]) || string(top.Amount.Amount) != "20.00" {
			t.Errorf("%+v %v", top, err)
		}
		all, err := h.Balances.Statements(ctx, mine, 10)
		if err != nil || len(all) != 1 || len(all[0].Entries) != 2 {
			t.Fatalf("%+v %v", all, err)
		}
		for _, e := range all[0].Entries {
			if !strings.Contains(e.Cause.Text, vouchers[0][0]) {
				t.Errorf("an entry does not name the voucher: %q", e.Cause.Text)
			}
		}
	})
}

// Whoever tops up may call the payment what a voucher's is called: that is not the voucher's payment.
func TestAVoucherPaysWhateverOtherPaymentsAreCalled(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		_, vouchers := h.batch(ctx, t, voucher.NewBatch{Count: 2})
		line := h.line(ctx, t)
		for n, amount := range []string{"20", "5"} {
			if _, _, _, err := h.Balances.TopUp(ctx, balance.TopupOrder{Subscription: line, Amount: francs(t, amount), Reference: "voucher " + vouchers[n][0]}); err != nil {
				t.Fatal(err)
			}
			if _, err := h.refill(ctx, line, vouchers[n][1]); err != nil {
				t.Fatal(err)
			}
		}
		h.holds(ctx, t, line, "65.00")
	})
}

func TestAVoucherIsSpentOnceUnderConcurrency(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		_, vouchers := h.batch(ctx, t, voucher.NewBatch{})
		var lines []id.ID
		for range 4 {
			lines = append(lines, h.line(ctx, t))
		}
		var paid atomic.Int32
		var all sync.WaitGroup
		for n := range 12 {
			all.Go(func() {
				switch _, err := h.refill(ctx, lines[n%4], vouchers[0][1]); code(err) {
				case "":
					paid.Add(1)
				case voucher.UsedBySame, voucher.UsedByOther:
				default:
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
		if paid.Load() != 1 {
			t.Errorf("paid %d times", paid.Load())
		}
		sum := int64(0)
		for _, l := range lines {
			i, _, err := h.Balances.Money(ctx, l)
			if err != nil {
				t.Fatal(err)
			}
			home, _ := i.Home()
			held, err := h.Store.Balance(ctx, home, string(i), "CHF")
			if err != nil {
				t.Fatal(err)
			}
			sum += held
		}
		if sum != 20_000_000 {
			t.Errorf("the lines hold %d together", sum)
		}
	})
}

func TestEveryRefusalHasItsCode(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		soon := h.clock.Now().Add(time.Hour)
		batch, vouchers := h.batch(ctx, t, voucher.NewBatch{Count: 5})
		_, short := h.batch(ctx, t, voucher.NewBatch{Terms: voucher.Terms{Value: francs(t, "5"), ShelfLife: &soon}})
		_, planned := h.batch(ctx, t, voucher.NewBatch{Terms: voucher.Terms{Value: francs(t, "5"), Plans: []id.ID{"pof_other"}}})
		for n, to := range []voucher.State{voucher.Blocked, voucher.Missing, voucher.Damaged, voucher.Pending} {
			if _, err := h.Vouchers.Set(ctx, vouchers[n][0], to, "told by the shop"); err != nil {
				t.Fatal(err)
			}
		}
		h.clock.Advance(2 * time.Hour)
		line := h.line(ctx, t)
		in := func(s subscription.State) id.ID {
			i := h.line(ctx, t)
			if _, err := h.Subscriptions.Move(ctx, i, s); err != nil {
				t.Fatal(err)
			}
			return i
		}
		closed := h.line(ctx, t)
		v, _, err := h.Subscriptions.Lines.Get(ctx, closed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Accounts.Billing.Change(ctx, v.AccountID, func(a *account.Account) error { a.State = account.Inactive; return nil }); err != nil {
			t.Fatal(err)
		}
		good := vouchers[4][1]
		for name, c := range map[string]struct {
			line id.ID
			pin  string
			want fault.Code
		}{
			"no such line":      {id.New(subscription.Kind, 1, h.clock.Now()), good, voucher.SubscriberNotFound},
			"barred":            {in(subscription.Locked), good, voucher.Barred},
			"account inactive":  {closed, good, voucher.AccountInactive},
			"on its way out":    {in(subscription.Disconnecting), good, voucher.AccountInactive},
			"nobody's code":     {line, "0000000000000000", voucher.Unavailable},
			"blocked":           {line, vouchers[0][1], voucher.Unavailable},
			"stolen or missing": {line, vouchers[1][1], voucher.IsMissing},
			"damaged":           {line, vouchers[2][1], voucher.IsDamaged},
			"pending":           {line, vouchers[3][1], voucher.IsPending},
			"expired":           {line, short[0][1], voucher.IsExpired},
			"another plan's":    {line, planned[0][1], voucher.TypeNotAccepted},
			"postpaid":          {h.line(ctx, t, func(v *subscription.Line) { v.SubscriptionType = account.Postpaid }), good, voucher.TypeNotAccepted},
			"no code at all":    {line, "12-34", fault.CodeInvalid},
		} {
			if _, err := h.Vouchers.Recharge(ctx, c.line, c.pin); code(err) != c.want {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
		if _, err := h.Vouchers.SetBatch(ctx, batch, voucher.Blocked, "stolen van"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Vouchers.Recharge(ctx, line, good); code(err) != voucher.Unavailable {
			t.Errorf("of a blocked batch: %v", err)
		}
		h.holds(ctx, t, line, "0.00")
		if _, err := h.Vouchers.SetBatch(ctx, batch, voucher.Available, "found"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.refill(ctx, line, good[:4]+"-"+good[4:8]+" "+good[8:]); err != nil {
			t.Errorf("typed as it is printed: %v", err)
		}
	})
}

func TestBadCodesInARowBlockTheLineForAWhile(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		i, err := h.Providers.Find(ctx)
		if err != nil {
			t.Fatal(err)
		}
		three, hour := 3, 60
		if _, err := h.Providers.Change(ctx, i, func(p *provider.ServiceProvider) error {
			p.Policy = &provider.Policy{VoucherTries: &three, VoucherBlockMinutes: &hour}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		_, vouchers := h.batch(ctx, t, voucher.NewBatch{Count: 3})
		line := h.line(ctx, t)
		bad := func() error { _, err := h.refill(ctx, line, "1111111111111111"); return err }
		for range 2 {
			if err := bad(); code(err) != voucher.Unavailable {
				t.Fatalf("%v", err)
			}
		}
		if _, err := h.refill(ctx, line, vouchers[0][1]); err != nil {
			t.Fatalf("a good code after two bad ones: %v", err)
		}
		// The good one ended the row. A dry run is a try like any other.
		dry := store.WithCall(ctx, store.Call{DryRun: true})
		if _, err := h.refill(dry, line, "2222222222222222"); code(err) != voucher.Unavailable {
			t.Fatalf("%v", err)
		}
		for range 2 {
			if err := bad(); code(err) != voucher.Unavailable {
				t.Fatalf("%v", err)
			}
		}
		// Another process, or this one after a restart, knows of it: it stands in the database.
		err = h.Vouchers.Admit(ctx, line, vouchers[1][1])
		if code(err) != voucher.TemporarilyBlocked || fault.KindOf(err) != fault.Limit || fault.From(err).RetryAfter != time.Hour {
			t.Fatalf("after three: %v", err)
		}
		if _, err := h.Vouchers.Recharge(ctx, line, vouchers[1][1]); code(err) != voucher.TemporarilyBlocked {
			t.Errorf("past the door: %v", err)
		}
		if _, err := h.refill(ctx, h.line(ctx, t), vouchers[1][1]); err != nil {
			t.Errorf("another line: %v", err)
		}
		h.clock.Advance(time.Hour)
		if err := bad(); code(err) != voucher.Unavailable {
			t.Errorf("a bad one after the block: %v", err)
		}
		if _, err := h.refill(ctx, line, vouchers[2][1]); err != nil {
			t.Errorf("after the block: %v", err)
		}
	})
}

func TestLookingCodesUpIsBounded(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		_, vouchers := h.batch(ctx, t, voucher.NewBatch{})
		v, err := h.Vouchers.ByPIN(ctx, vouchers[0][1])
		if err != nil || v.State != voucher.Available || v.Voucher.Serial != vouchers[0][0] {
			t.Errorf("%+v %v", v, err)
		}
		last := voucher.Unavailable
		for n := range 101 {
			_, err := h.Vouchers.ByPIN(ctx, fmt.Sprintf("%016d", n))
			last = code(err)
		}
		if last != voucher.TemporarilyBlocked {
			t.Errorf("the 101st bad code: %s", last)
		}
	})
}

func TestMoneyThatEndsLivesLonger(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		_, vouchers := h.batch(ctx, t, voucher.NewBatch{Count: 3, Terms: voucher.Terms{Value: francs(t, "10"), Duration: 90}})
		line, endless := h.line(ctx, t), h.line(ctx, t)
		i, _, err := h.Balances.Money(ctx, line)
		if err != nil {
			t.Fatal(err)
		}
		end := h.clock.Now().AddDate(0, 0, 10)
		if _, err := h.Balances.Buckets.Change(ctx, i, func(b *balance.Bucket) error { b.ValidFor = &sid.Period{End: &end}; return nil }); err != nil {
			t.Fatal(err)
		}
		r, err := h.refill(ctx, line, vouchers[0][1])
		want := h.clock.Now().AddDate(0, 0, 90)
		if err != nil || !r.Balance.ValidFor.End.Equal(want) {
			t.Errorf("%+v %v", r.Balance.ValidFor, err)
		}
		if r, err = h.refill(ctx, endless, vouchers[1][1]); err != nil || r.Balance.ValidFor != nil && r.Balance.ValidFor.End != nil {
			t.Errorf("money without an end got one: %+v %v", r.Balance.ValidFor, err)
		}
	})
}

func TestTheFileIsHandedOutOnceAndPINsStayNowhere(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		i, _, err := h.Vouchers.Generate(ctx, voucher.NewBatch{Number: "B-1", Count: 3, PINLength: 14, Terms: voucher.Terms{Value: francs(t, "20")}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Vouchers.HandOut(ctx, i, "the printer"); code(err) != voucher.CodeState {
			t.Errorf("before the job: %v", err)
		}
		h.Work(ctx, t)
		file, err := h.Vouchers.HandOut(ctx, i, "the printer")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Vouchers.HandOut(ctx, i, "the printer"); code(err) != voucher.CodeHandedOut {
			t.Errorf("again: %v", err)
		}
		records, err := csv.NewReader(strings.NewReader(file)).ReadAll()
		if err != nil || len(records) != 4 || records[1][0] != "B-1-0000001" || len(records[1][1]) != 14 {
			t.Fatalf("%v %v", records, err)
		}
		if _, err := h.Vouchers.Recharge(ctx, h.line(ctx, t), records[1][1]); code(err) != voucher.Unavailable {
			t.Errorf("before the batch is available: %v", err)
		}
		trail, err := h.Store.Audit(ctx, i)
		if err != nil || len(trail) == 0 {
			t.Fatal(err)
		}
		v, err := h.Vouchers.BySerial(ctx, records[1][0])
		if err != nil {
			t.Fatal(err)
		}
		own, err := h.Store.Audit(ctx, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range append(trail, own...) {
			if text := string(r.Before) + string(r.After); strings.Contains(text, records[1][1]) {
				t.Errorf("the audit trail shows a PIN: %s", text)
			}
		}
	})
}

func TestABatchIsMadeInPartsAndSurvivesARepeatedJob(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		i, _, err := h.Vouchers.Generate(ctx, voucher.NewBatch{Number: "P", Count: 2100, Terms: voucher.Terms{Value: francs(t, "20")}})
		if err != nil {
			t.Fatal(err)
		}
		jobs, err := h.Store.ClaimJobs(ctx, 4, time.Minute)
		if err != nil || len(jobs) != 1 {
			t.Fatal(jobs, err)
		}
		run := h.Jobs()[jobs[0].Kind]
		for range 2 { // the worker died after the work, before saying so
			if err := run(ctx, jobs[0]); err != nil {
				t.Fatal(err)
			}
		}
		if _, b, err := h.Vouchers.Batch(ctx, "P"); err != nil || b.Made != 1000 || b.State != voucher.Generating {
			t.Errorf("%+v %v", b, err)
		}
		if err := h.Store.FinishJob(ctx, jobs[0]); err != nil {
			t.Fatal(err)
		}
		h.Work(ctx, t)
		_, b, err := h.Vouchers.Batch(ctx, "P")
		if err != nil || b.Made != 2100 || b.State != voucher.Generated {
			t.Errorf("%+v %v", b, err)
		}
		file, err := h.Vouchers.HandOut(ctx, i, "the printer")
		if err != nil || strings.Count(file, "\n") != 2101 {
			t.Errorf("%d lines, %v", strings.Count(file, "\n"), err)
		}
		seen := map[string]bool{}
		for line := range strings.Lines(file) {
			_, pin, _ := strings.Cut(strings.TrimSpace(line), ",")
			if seen[pin] {
				t.Errorf("a PIN came twice")
			}
			seen[pin] = true
		}
	})
}

func TestWhatABatchNeeds(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		past := h.clock.Now()
		small, other := francs(t, "0.001"), money.OfMicros(1_000_000, "EUR")
		good := func() voucher.NewBatch {
			return voucher.NewBatch{Count: 1, Terms: voucher.Terms{Value: francs(t, "20")}}
		}
		for want, change := range map[string]func(*voucher.NewBatch){
			"count":            func(n *voucher.NewBatch) { n.Count = 0 },
			"batchNumber":      func(n *voucher.NewBatch) { n.Number = "a b" },
			"serialPrefix":     func(n *voucher.NewBatch) { n.Prefix = "lower" },
			"pinLength":        func(n *voucher.NewBatch) { n.PINLength = 8 },
			"voucherAmount":    func(n *voucher.NewBatch) { n.Terms.Value = small },
			"bonusAmount":      func(n *voucher.NewBatch) { n.Terms.Bonus = &other },
			"voucherDuration":  func(n *voucher.NewBatch) { n.Terms.Duration = -1 },
			"voucherShelfLife": func(n *voucher.NewBatch) { n.Terms.ShelfLife = &past },
		} {
			n := good()
			change(&n)
			if _, _, err := h.Vouchers.Generate(ctx, n); fault.KindOf(err) != fault.Invalid || fault.From(err).Attribute != want {
				t.Errorf("%s: %v", want, err)
			}
		}
		foreign := good()
		foreign.Terms.Value = other
		if _, _, err := h.Vouchers.Generate(ctx, foreign); fault.From(err).Attribute != "voucherAmount" {
			t.Errorf("another currency: %v", err)
		}
		twice := good()
		twice.Number = "X"
		if _, _, err := h.Vouchers.Generate(ctx, twice); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Vouchers.Generate(ctx, twice); code(err) != voucher.CodeBatchNumber {
			t.Errorf("the same number: %v", err)
		}
		plain := house.New(storetest.Open(t, "sqlite"), house.Outside{})
		if _, _, err := plain.Vouchers.Generate(ctx, good()); code(err) != voucher.CodeNoSecret {
			t.Errorf("without a secret: %v", err)
		}
	})
}

func TestAnImportTakesInWhatIsNewAndTellsTheRest(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		terms := voucher.Terms{Value: francs(t, "20")}
		file := "serialNumber,voucherCode,voucherAmount,voucherShelfLife,voucherStatus\n" +
			"A1,1234 5678 9012,,,\nA2,223456789012,5.50,2030-01-01,\nA3,323456789012,,2020-01-01,\nA4,423456789012,,,used\nA5,523456789012,,,blocked\n"
		i, b, err := h.Vouchers.Import(ctx, voucher.NewBatch{Number: "old", Terms: terms}, strings.NewReader(file))
		if err != nil || b.Count != 5 {
			t.Fatal(b, err)
		}
		h.Work(ctx, t)
		if _, err := h.Vouchers.SetBatch(ctx, i, voucher.Available, ""); err != nil {
			t.Fatal(err)
		}
		line := h.line(ctx, t)
		for pin, want := range map[string]fault.Code{
			"123456789012": "", "223456789012": "", "323456789012": voucher.IsExpired, "423456789012": voucher.UsedByOther, "523456789012": voucher.Unavailable,
		} {
			if _, err := h.Vouchers.Recharge(ctx, line, pin); code(err) != want {
				t.Errorf("%s: %v, want %s", pin, err, want)
			}
		}
		h.holds(ctx, t, line, "25.50")
		if _, err := h.Vouchers.HandOut(ctx, i, "the printer"); code(err) != voucher.CodeState {
			t.Errorf("the file of an import: %v", err)
		}
		again := "serialNumber,voucherCode\nA1,999999999999\nA9,123456789012\nA10,888888888888\n"
		if _, _, err = h.Vouchers.Import(ctx, voucher.NewBatch{Number: "new", Terms: terms}, strings.NewReader(again)); err != nil {
			t.Fatal(err)
		}
		h.Work(ctx, t)
		_, b, err = h.Vouchers.Batch(ctx, "new")
		if err != nil || b.Made != 1 || b.Refused != 2 || b.State != voucher.Generated || len(b.Errors) != 2 || !strings.HasPrefix(b.Errors[0], "line 2:") {
			t.Errorf("%+v %v", b, err)
		}
	})
}

func TestAFileThatIsWrongTakesNothingIn(t *testing.T) {
	s := storetest.Open(t, "sqlite")
	h, ctx := &bench{House: ordertest.New(s)}, storetest.Context(1)
	h.Furnish(ctx, t, 1)
	n := voucher.NewBatch{Terms: voucher.Terms{Value: francs(t, "20")}}
	for file, want := range map[string]string{
		"":                                  "file",
		"serialNumber\nA\n":                 "file",
		"serialNumber,voucherCode,colour\n": "file",
		"serialNumber,serialNumber,voucherCode\n":                                            "file",
		"serialNumber,voucherCode\n":                                                         "count",
		"serialNumber,voucherCode\nA,12345\n":                                                "line 2",
		"serialNumber,voucherCode\nA\n":                                                      "line 2",
		"serialNumber,voucherCode\nA,123456789012\nB,\"12345678":                             "line 3",
		"serialNumber,voucherCode\nA,123456789012\nA,223456789012\n":                         "line 3",
		"serialNumber,voucherCode\nA,123456789012\nB,1234-5678-9012\n":                       "line 3",
		"serialNumber,pinHash\nA,abc\n":                                                      "line 2",
		"serialNumber,voucherCode,voucherAmount\nA,123456789012,-5\n":                        "line 2",
		"serialNumber,voucherCode,voucherStatus\nA,123456789012,lent\n":                      "line 2",
		"serialNumber,voucherCode,voucherShelfLife\nA,123456789012,soon\n":                   "line 2",
		"serialNumber,voucherCode,voucherDuration\nA,123456789012,long\nB,323456789012,10\n": "line 2",
	} {
		_, _, err := h.Vouchers.Import(ctx, n, bytes.NewBufferString(file))
		if fault.KindOf(err) != fault.Invalid || fault.From(err).Attribute != want {
			t.Errorf("%q: %v, want %s", file, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "123456789012") {
			t.Errorf("the fault shows a code: %v", err)
		}
	}
	page, err := h.Vouchers.Batches.Docs(ctx, store.Query{})
	if err != nil || page.Total != 0 {
		t.Errorf("%d batches, %v", page.Total, err)
	}
}

func TestVouchersAreTheirServiceProvidersOwn(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		_, vouchers := h.batch(ctx, t, voucher.NewBatch{})
		other := scope.With(context.Background(), scope.Grant(2, scope.Actor{Client: "other"}, scope.Claims{}))
		if _, err := h.Vouchers.BySerial(other, vouchers[0][0]); fault.KindOf(err) != fault.NotFound {
			t.Errorf("another service provider sees it: %v", err)
		}
		if _, err := h.Vouchers.ByPIN(other, vouchers[0][1]); code(err) != voucher.Unavailable {
			t.Errorf("another service provider finds its code: %v", err)
		}
	})
}

// topup posts a TMF654 top-up by voucher.
func (h *bench) topup(ctx context.Context, t testing.TB, line id.ID, pin, more string) balance.Topup {
	t.Helper()
	d, err := h.Balances.Topups.Create(ctx, jsontext.Value(`{"voucher":"`+pin+`","product":[{"id":"`+string(line)+`"}]`+more+`}`))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(d.Body), pin) {
		t.Errorf("the top-up keeps the code: %s", d.Body)
	}
	v, _, err := h.Balances.Topups.Get(ctx, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestATopUpIsPaidWithAVoucher(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		bonus := francs(t, "2.50")
		_, vouchers := h.batch(ctx, t, voucher.NewBatch{Count: 3, Terms: voucher.Terms{Value: francs(t, "20"), Bonus: &bonus}})
		line, other := h.line(ctx, t), h.line(ctx, t)
		amount := func(text string) string { return `,"amount":{"amount":` + text + `,"units":"CHF"}` }
		paid := h.topup(ctx, t, line, vouchers[0][1], amount("20"))
		if paid.Status != balance.Completed || string(paid.Amount.Amount) != "20.00" || paid.Voucher != vouchers[0][0] || paid.Reference != "voucher "+vouchers[0][0] {
			t.Fatalf("%+v %+v", paid, paid.Failure)
		}
		h.holds(ctx, t, line, "22.50")
		if v, err := h.Vouchers.BySerial(ctx, vouchers[0][0]); err != nil || v.State != voucher.Used || v.Voucher.UsedBy != line {
			t.Errorf("%+v %v", v, err)
		}
		data, err := h.Balances.Open(ctx, balance.Holder{Subscription: line}, balance.Grant{Name: "Data", UsageType: "data", Unit: "bytes"}, balance.Cause{Kind: "test", ID: "2"})
		if err != nil {
			t.Fatal(err)
		}
		for more, want := range map[string]fault.Code{
			amount("19"):                  balance.CodeUnit,
			`,"recurringPeriod":"weekly"`: balance.CodeNotOffered,
			`,"validFor":{"endDateTime":"2030-01-01T00:00:00Z"}`: balance.CodeNotOffered,
			`,"bucket":{"id":"` + string(data) + `"}`:            balance.CodeUnit,
			`,"logicalResource":[{"id":"41790000002"}]`:          balance.CodeOtherLine,
		} {
			if v := h.topup(ctx, t, line, vouchers[1][1], more); v.Status != balance.Failed || v.Failure.Code != want || v.Voucher != "not kept" {
				t.Errorf("%s: %+v %+v", more, v, v.Failure)
			}
		}
		if v := h.topup(ctx, t, line, vouchers[0][1], ""); v.Failure == nil || v.Failure.Code != voucher.UsedBySame {
			t.Errorf("again: %+v", v.Failure)
		}
		if v := h.topup(ctx, t, other, vouchers[0][1], ""); v.Failure == nil || v.Failure.Code != voucher.UsedByOther {
			t.Errorf("by another: %+v", v.Failure)
		}
		if v := h.topup(ctx, t, other, vouchers[1][1], ""); v.Status != balance.Completed {
			t.Errorf("without an amount: %+v", v.Failure)
		}
		h.holds(ctx, t, line, "22.50")
		h.holds(ctx, t, other, "22.50")
		for n := range 6 {
			want := voucher.Unavailable
			if n == 5 {
				want = voucher.TemporarilyBlocked
			}
			if v := h.topup(ctx, t, line, "12345678901234", ""); v.Failure == nil || v.Failure.Code != want {
				t.Errorf("bad code %d: %+v", n, v.Failure)
			}
		}
		if v := h.topup(ctx, t, line, vouchers[2][1], ""); v.Failure == nil || v.Failure.Code != voucher.TemporarilyBlocked {
			t.Errorf("a good code of a blocked line: %+v", v.Failure)
		}
		dry := store.WithCall(ctx, store.Call{DryRun: true})
		if _, err := h.Balances.Topups.Create(dry, jsontext.Value(`{"voucher":"`+vouchers[2][1]+`","product":[{"id":"`+string(other)+`"}]}`)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("as a dry run: %v", err)
		}
	})
}

func TestMoneyThatAVoucherLengthenedLapsesOnItsDay(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, h *bench) {
		_, vouchers := h.batch(ctx, t, voucher.NewBatch{Terms: voucher.Terms{Value: francs(t, "10"), Duration: 30}})
		line := h.line(ctx, t)
		i, _, err := h.Balances.Money(ctx, line)
		if err != nil {
			t.Fatal(err)
		}
		end := h.clock.Now().AddDate(0, 0, 10)
		if _, err := h.Balances.Buckets.Change(ctx, i, func(b *balance.Bucket) error { b.ValidFor = &sid.Period{End: &end}; return nil }); err != nil {
			t.Fatal(err)
		}
		if v := h.topup(ctx, t, line, vouchers[0][1], ""); v.Status != balance.Completed {
			t.Fatalf("%+v", v.Failure)
		}
		h.Work(ctx, t)
		for _, step := range []struct {
			days int
			want balance.Status
		}{{29, balance.Active}, {1, balance.Expired}} {
			h.clock.Advance(time.Duration(step.days) * 24 * time.Hour)
			h.Work(ctx, t)
			if b, _, err := h.Balances.Buckets.Get(ctx, i); err != nil || b.Status != step.want {
				t.Errorf("%d days on it is %s, want %s, %v", step.days, b.Status, step.want, err)
			}
		}
	})
}
