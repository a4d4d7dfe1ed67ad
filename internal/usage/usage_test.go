package usage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
	"github.com/demarc-bss/demarc/internal/usage"
)

var began = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// desk is a house with a clock, a tariff and plans on it.
type desk struct {
	*ordertest.House
	clock *clock.Virtual
	plans map[string]id.ID
	lines int
}

func chf(text string) money.Amount {
	a, err := money.Parse(text, "CHF")
	if err != nil {
		panic(err)
	}
	return a
}

func each(t *testing.T, run func(ctx context.Context, t *testing.T, d *desk)) {
	for _, engine := range storetest.Engines {
		on(t, engine, run)
	}
}

func on(t *testing.T, engine string, run func(ctx context.Context, t *testing.T, d *desk)) {
	t.Run(engine, func(t *testing.T) {
		c := clock.NewVirtual(began)
		s := storetest.Open(t, engine, func(o *store.Options) { o.Clock = c })
		ctx := storetest.Context(1)
		d := &desk{House: &ordertest.House{House: house.New(s, house.Outside{})}, clock: c, plans: map[string]id.ID{}}
		d.furnish(ctx, t)
		run(ctx, t, d)
	})
}

func (d *desk) furnish(ctx context.Context, t *testing.T) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := d.Providers.Add(ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH", TimeZone: "Europe/Zurich"})
	must(err)
	tariff := catalog.Tariff{Name: "Standard", Key: "standard", Currency: "CHF",
		Zones: []catalog.Zone{{Key: "home", Prefixes: []string{"41"}}, {Key: "germany", Prefixes: []string{"49"}}, {Key: "eu", Networks: []string{"208"}}},
		Rates: []catalog.Rate{
			{Name: "National", UsageType: rating.Voice, Zone: "home", Price: chf("0.30"), Per: 60, Step: 60, FirstStep: 60, Tax: []catalog.Tax{{Rate: jsontext.Value("8.1")}}},
			{Name: "Text", UsageType: rating.SMS, Price: chf("0.10"), Per: 1, Step: 1, FirstStep: 1},
			{Name: "Internet", UsageType: rating.Data, Price: chf("1.00"), Per: 1_000_000, Step: 1000, FirstStep: 1000},
			{Name: "EU internet", UsageType: rating.Data, Roaming: "eu", Price: chf("2.00"), Per: 1_000_000, Step: 1000, FirstStep: 1000},
		},
	}
	cheap := tariff
	cheap.Name, cheap.Key = "Cheap", "cheap"
	cheap.Rates = []catalog.Rate{{Name: "Cheap internet", UsageType: rating.Data, Price: chf("0.10"), Per: 1_000_000, Step: 1000, FirstStep: 1000}}
	for _, one := range []catalog.Tariff{tariff, cheap} {
		i, _, err := d.Catalog.Tariffs.Add(ctx, &one)
		must(err)
		o := catalog.Offering{Name: one.Name, Key: one.Key, OfferingType: catalog.PricePlan, LifecycleStatus: catalog.Active, Tariff: &sid.Ref{ID: string(i)}}
		d.plans[one.Key], _, err = d.Catalog.Offerings.Add(ctx, &o)
		must(err)
	}
	d.plans["bare"], _, err = d.Catalog.Offerings.Add(ctx, &catalog.Offering{Name: "Bare", Key: "bare", OfferingType: catalog.PricePlan, LifecycleStatus: catalog.Active})
	must(err)
}

// person is a line with its money.
type person struct {
	line   id.ID
	number msisdn.Number
	money  id.ID
}

// sell makes an active line with so much money.
func (d *desk) sell(ctx context.Context, t *testing.T, plan, amount string, change ...func(v *subscription.Line)) person {
	t.Helper()
	d.lines++
	p := person{number: msisdn.Number(fmt.Sprintf("4179%07d", d.lines))}
	start := began.AddDate(0, -1, 0)
	v := subscription.Line{
		AccountID: "elsewhere", MSISDN: p.number, ICCID: fmt.Sprintf("8941001%012d", d.lines), IMSI: fmt.Sprintf("22801%010d", d.lines), State: subscription.Active, StartDate: &start,
		Offering: &sid.Ref{ID: string(d.plans[plan])}, Plans: []subscription.PlanPeriod{{Offering: d.plans[plan], From: start}},
	}
	for _, f := range change {
		f(&v)
	}
	var err error
	if p.line, _, err = d.Subscriptions.Lines.Add(ctx, &v); err != nil {
		t.Fatal(err)
	}
	p.money = d.grant(ctx, t, p, balance.Grant{Name: "Money", UsageType: "monetary", Unit: "CHF", Amount: chf(amount).Micros()})
	return p
}

func (d *desk) grant(ctx context.Context, t *testing.T, p person, g balance.Grant) id.ID {
	t.Helper()
	var i id.ID
	err := d.Store.Write(ctx, func(ctx context.Context) error {
		w, err := d.Balances.Wallet(ctx, p.line)
		if err != nil {
			return err
		}
		h, err := w.Open(g, balance.Cause{Kind: "test", ID: "1", Text: "Given"})
		if err != nil {
			return err
		}
		i = h.ID
		return d.Balances.Save(ctx, w)
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// holds compares a bucket and its ledger account.
func (d *desk) holds(ctx context.Context, t *testing.T, bucket id.ID, want int64) {
	t.Helper()
	b, _, err := d.Balances.Buckets.Get(ctx, bucket)
	if err != nil {
		t.Fatal(err)
	}
	home, _ := bucket.Home()
	held, err := d.Store.Balance(ctx, home, string(bucket), b.Unit)
	if err != nil {
		t.Fatal(err)
	}
	if held != want || string(b.Remaining.Amount) != balance.Decimal(b.Unit, want) {
		t.Errorf("%s: the ledger holds %d, the bucket shows %s, want %d", b.Name, held, b.Remaining.Amount, want)
	}
}

func (d *desk) ingest(ctx context.Context, t *testing.T, records ...usage.Record) []usage.Outcome {
	t.Helper()
	out, err := d.Usage.Ingest(ctx, records)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (d *desk) read(ctx context.Context, t *testing.T, i id.ID) usage.Usage {
	t.Helper()
	v, _, err := d.Usage.Usages.Get(ctx, i)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func call(p person, name string, seconds int64) usage.Record {
	return usage.Record{ID: name, MSISDN: string(p.number), UsageType: rating.Voice, Quantity: seconds, Start: began.Add(-time.Hour), Other: "41441234567"}
}

func TestARecordIsChargedOnce(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		minutes := d.grant(ctx, t, p, balance.Grant{Name: "Talk", UsageType: rating.Voice, Unit: "seconds", Amount: 90, Start: ptr(began.AddDate(0, 0, -1))})
		got := d.ingest(ctx, t, call(p, "a", 61), call(p, "a", 61))
		if got[0].Status != usage.Rated || got[0].Charged != 150_000 || !got[1].Duplicate || got[1].ID != got[0].ID {
			t.Fatalf("%+v", got)
		}
		again := d.ingest(ctx, t, call(p, "a", 61))
		if !again[0].Duplicate || again[0].ID != got[0].ID {
			t.Errorf("the record again: %+v", again)
		}
		d.holds(ctx, t, minutes, 0)
		d.holds(ctx, t, p.money, 9_850_000)
		u := d.read(ctx, t, got[0].ID)
		if u.SubscriptionID != p.line || u.Balance.Micros() != 9_850_000 || len(u.Rated) != 1 || u.Rated[0].Included != 90 || u.Rated[0].Tag != usage.TagNotIncluded {
			t.Errorf("%+v", u)
		}
		if net := u.Rated[0].TaxExcluded.Micros(); net != 150_000-11_240 { // 0.15 × 8.1 ÷ 108.1
			t.Errorf("net of tax it is %d", net)
		}
		home, _ := p.line.Home()
		if used, err := d.Store.Balance(ctx, home, balance.Used, "seconds"); used != 90 || err != nil {
			t.Errorf("%d seconds are used: %v", used, err)
		}
		d.Balanced(ctx, t)
	})
}

func ptr[T any](v T) *T { return &v }

func TestManyRecordsOfManyLinesAreTakenTogether(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		var all []person
		var records []usage.Record
		for range 7 {
			all = append(all, d.sell(ctx, t, "standard", "10"))
		}
		for n := range 700 { // more than one transaction takes
			p := all[n%len(all)]
			records = append(records, usage.Record{
				ID: fmt.Sprint(n), MSISDN: "+" + string(p.number), UsageType: "SMS", Quantity: 1, Other: "044 123 45 67", Start: began.Add(-time.Duration(n) * time.Second),
			})
		}
		for n, o := range d.ingest(ctx, t, records...) {
			if o.Status != usage.Rated || o.Charged+o.Uncollected != 100_000 {
				t.Fatalf("record %d: %+v", n, o)
			}
		}
		for _, p := range all {
			d.holds(ctx, t, p.money, 0)
		}
		d.Balanced(ctx, t)
	})
}

func TestWhatTheMoneyCannotPayIsUncollected(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "0.40")
		got := d.ingest(ctx, t, call(p, "a", 120))
		if got[0].Status != usage.Rated || got[0].Charged != 400_000 || got[0].Uncollected != 200_000 {
			t.Fatalf("%+v", got[0])
		}
		u := d.read(ctx, t, got[0].ID)
		if u.UncollectedReason != rating.ShortOfMoney || u.Uncollected.Micros() != 200_000 {
			t.Errorf("%+v", u)
		}
		d.holds(ctx, t, p.money, 0)
		d.Balanced(ctx, t)
	})
}

func TestTheMonthlyLimitBindsUsageOfItsMonth(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		limit := chf("1.00")
		p := d.sell(ctx, t, "standard", "50", func(v *subscription.Line) { v.MonthlySpendLimit = &limit })
		march := call(p, "march", 180)
		february := call(p, "february", 180)
		february.Start = began.AddDate(0, 0, -5)
		more := call(p, "more", 120)
		got := d.ingest(ctx, t, march, february, more)
		for n, want := range []int64{900_000, 900_000, 100_000} {
			if got[n].Charged != want {
				t.Errorf("record %d: %+v, want %d", n, got[n], want)
			}
		}
		if u := d.read(ctx, t, got[2].ID); u.UncollectedReason != rating.ShortOfLimit {
			t.Errorf("%+v", u)
		}
		d.holds(ctx, t, p.money, 48_100_000)
	})
}

func TestWhatCannotBeTrueIsRefused(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		for what, c := range map[string]struct {
			change func(r *usage.Record)
			code   fault.Code
		}{
			"a negative quantity":  {func(r *usage.Record) { r.Quantity = -1 }, usage.CodeNegative},
			"the future":           {func(r *usage.Record) { r.Start = began.Add(6 * time.Minute) }, usage.CodeFuture},
			"no start":             {func(r *usage.Record) { r.Start = time.Time{} }, fault.CodeInvalid},
			"no type":              {func(r *usage.Record) { r.UsageType = "fax" }, fault.CodeInvalid},
			"no number":            {func(r *usage.Record) { r.MSISDN = "" }, fault.CodeInvalid},
			"a number that is not": {func(r *usage.Record) { r.MSISDN = "call me" }, fault.CodeInvalid},
			"no id":                {func(r *usage.Record) { r.ID = "" }, fault.CodeInvalid},
			"a direction":          {func(r *usage.Record) { r.Direction = "sideways" }, fault.CodeInvalid},
			"a network":            {func(r *usage.Record) { r.Network = "France" }, fault.CodeInvalid},
			"too much":             {func(r *usage.Record) { r.Quantity = 1 << 60 }, fault.CodeInvalid},
		} {
			r := call(p, "bad", 60)
			c.change(&r)
			got := d.ingest(ctx, t, r)
			if got[0].Err == nil || fault.From(got[0].Err).Code != c.code || got[0].ID != "" {
				t.Errorf("%s: %+v", what, got[0])
			}
		}
		ahead := call(p, "ahead", 60)
		ahead.Start = began.Add(4 * time.Minute)
		if got := d.ingest(ctx, t, ahead, call(p, "bad", 60)); got[0].Status != usage.Rated || got[1].Status != usage.Rated {
			t.Errorf("clocks that differ a little, and the record mended: %+v", got)
		}
		d.holds(ctx, t, p.money, 9_400_000)
	})
}

func TestWhatCannotBeRatedWaitsWithItsReason(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		bare := d.sell(ctx, t, "bare", "10")
		locked := d.sell(ctx, t, "standard", "10", func(v *subscription.Line) { v.State, v.StateSince = subscription.Locked, ptr(began.Add(-2*time.Hour)) })
		gone := call(p, "unknown", 60)
		gone.MSISDN = "41790009999"
		abroad := call(p, "no rate", 60)
		abroad.Other = "4930123456"
		old := call(p, "old", 60)
		old.Start = began.AddDate(0, 0, -91)
		before := call(locked, "before", 60)
		before.Start = began.Add(-3 * time.Hour)
		early := call(p, "early", 60)
		early.Start = began.AddDate(0, -1, -1)
		for n, want := range []struct {
			r      usage.Record
			reason usage.Reason
			status usage.Status
		}{
			{gone, usage.UnknownNumber, usage.Received},
			{call(bare, "no tariff", 60), usage.NoTariff, usage.Guided},
			{abroad, usage.NoRate, usage.Guided},
			{old, usage.TooOld, usage.Rejected},
			{call(locked, "locked", 60), usage.LineNotActive, usage.Guided},
			{before, "", usage.Rated},
			{early, usage.LineNotActive, usage.Guided},
		} {
			got := d.ingest(ctx, t, want.r)[0]
			if got.Suspense != want.reason || got.Status != want.status {
				t.Errorf("record %d: %+v, want %s", n, got, want.reason)
			}
		}
		for reason, want := range map[usage.Reason]int64{"": 6, usage.NoRate: 1, usage.LineNotActive: 2, usage.Incomplete: 0} {
			page, err := d.Usage.Suspense(ctx, reason, 0, 10)
			if err != nil || page.Total != want {
				t.Errorf("%d are in suspense for %q, want %d: %v", page.Total, reason, want, err)
			}
		}
		d.holds(ctx, t, p.money, 10_000_000)
		d.Balanced(ctx, t)
	})
}

func TestSuspenseIsRatedAgainWhenItsReasonIsMended(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		bare := d.sell(ctx, t, "bare", "10")
		first := d.ingest(ctx, t, call(bare, "a", 60), call(bare, "b", 61))
		if n, err := d.Usage.RerateSuspense(ctx, usage.NoTariff); n != 2 || err != nil {
			t.Fatalf("%d %v", n, err)
		}
		d.Work(ctx, t)
		if u := d.read(ctx, t, first[0].ID); u.Status != usage.Recycled || u.Suspense != usage.NoTariff {
			t.Errorf("rated again without a tariff: %+v", u)
		}
		standard, _, err := d.Catalog.Offerings.Get(ctx, d.plans["standard"])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Catalog.Offerings.Change(ctx, d.plans["bare"], func(v *catalog.Offering) error { v.Tariff = standard.Tariff; return nil }); err != nil {
			t.Fatal(err)
		}
		if n, err := d.Usage.RerateSuspense(ctx, ""); n != 2 || err != nil {
			t.Fatalf("%d %v", n, err)
		}
		d.Work(ctx, t)
		for _, o := range first {
			if u := d.read(ctx, t, o.ID); u.Status != usage.Rated || u.Suspense != "" || u.SuspenseText != "" {
				t.Errorf("%+v", u)
			}
		}
		d.holds(ctx, t, bare.money, 9_100_000)
		if _, err := d.Usage.RerateSuspense(ctx, "bored"); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a reason that is none: %v", err)
		}
		d.Balanced(ctx, t)
	})
}

func TestRatingAgainGivesBackFirst(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		minutes := d.grant(ctx, t, p, balance.Grant{Name: "Talk", UsageType: rating.Voice, Unit: "seconds", Amount: 60, Start: ptr(began.AddDate(0, 0, -1))})
		o := d.ingest(ctx, t, call(p, "a", 120))[0]
		d.holds(ctx, t, p.money, 9_700_000)
		tariff, err := d.Catalog.TariffByKey(ctx, "standard")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Catalog.Tariffs.Change(ctx, tariff, func(v *catalog.Tariff) error { v.Rates[0].Price = chf("0.10"); return nil }); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := d.Usage.Rerate(ctx, o.ID); err != nil {
				t.Fatal(err)
			}
			d.holds(ctx, t, minutes, 0)
			d.holds(ctx, t, p.money, 9_900_000)
		}
		u := d.read(ctx, t, o.ID)
		if u.Status != usage.Rerated || u.Ratings != 3 || u.Charged.Micros() != 100_000 {
			t.Errorf("%+v", u)
		}
		err = d.Store.Write(ctx, func(ctx context.Context) error {
			w, err := d.Balances.Wallet(ctx, p.line)
			if err == nil && w.Spent(began, time.UTC) != 100_000 {
				t.Errorf("%d is spent this month", w.Spent(began, time.UTC))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		d.Balanced(ctx, t)
	})
}

func TestTheLineIsTheOneThatHadTheNumberThen(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		first := d.sell(ctx, t, "standard", "10")
		_, err := d.Subscriptions.Lines.Change(ctx, first.line, func(v *subscription.Line) error {
			v.State, v.StateSince, v.TerminationDate = subscription.Moved, ptr(began.AddDate(0, 0, -10)), ptr(began.AddDate(0, 0, -10))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		second := d.sell(ctx, t, "standard", "10", func(v *subscription.Line) {
			v.MSISDN, v.StartDate, v.Plans[0].From = first.number, ptr(began.AddDate(0, 0, -5)), began.AddDate(0, 0, -5)
		})
		late := call(first, "late", 60)
		late.Start = began.AddDate(0, 0, -11)
		between := call(first, "between", 60)
		between.Start = began.AddDate(0, 0, -7)
		got := d.ingest(ctx, t, late, between, call(first, "now", 60))
		if got[0].Status != usage.Rated || got[1].Suspense != usage.LineNotActive || got[2].Status != usage.Rated {
			t.Fatalf("%+v", got)
		}
		if text := d.read(ctx, t, got[1].ID).SuspenseText; !strings.Contains(text, "had not begun then") {
			t.Errorf("between two lines: %s", text)
		}
		d.holds(ctx, t, first.money, 9_700_000)
		d.holds(ctx, t, second.money, 9_700_000)
	})
}

func TestUsageOfANumberThatWasGivenUpWaits(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		ended := began.AddDate(0, 0, -10)
		for _, to := range []subscription.State{subscription.Disconnecting, subscription.Inactive} {
			if _, err := d.Subscriptions.Lines.Change(ctx, p.line, func(v *subscription.Line) error {
				v.Enter(to, "", ended)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		before, after := call(p, "before", 60), call(p, "after", 60)
		before.Start, after.Start = ended.Add(-time.Second), ended
		got := d.ingest(ctx, t, before, after)
		if got[0].Status != usage.Rated || got[1].Suspense != usage.UnknownNumber {
			t.Fatalf("%+v", got)
		}
		if text := d.read(ctx, t, got[1].ID).SuspenseText; text != "no line had the number +"+string(p.number)+" then" {
			t.Errorf("after it was given up: %s", text)
		}
		d.holds(ctx, t, p.money, 9_700_000)
	})
}

func TestUsageIsRatedByThePlanAtItsBeginning(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10", func(v *subscription.Line) {
			v.Offering = &sid.Ref{ID: string(d.plans["cheap"])}
			v.Plans = append(v.Plans, subscription.PlanPeriod{Offering: d.plans["cheap"], From: began.Add(-time.Hour)})
		})
		before := usage.Record{ID: "before", MSISDN: string(p.number), UsageType: rating.Data, Quantity: 1_000_000, Start: began.Add(-time.Hour - time.Second), Duration: 600}
		after := before
		after.ID, after.Start = "after", began.Add(-time.Hour)
		got := d.ingest(ctx, t, before, after)
		if got[0].Charged != 1_000_000 || got[1].Charged != 100_000 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAForeignNetworkIsOneOfAnotherIMSI(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		home := usage.Record{ID: "home", MSISDN: string(p.number), UsageType: rating.Data, Quantity: 1_000_000, Start: began, Network: "22801"}
		away := home
		away.ID, away.Network = "away", "20801"
		got := d.ingest(ctx, t, home, away)
		if got[0].Charged != 1_000_000 || got[1].Charged != 2_000_000 {
			t.Errorf("%+v", got)
		}
	})
}

func TestFirstUseMakesALineActive(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10", func(v *subscription.Line) { v.State, v.StartDate = subscription.Available, nil })
		got := d.ingest(ctx, t, call(p, "a", 60), call(p, "b", 60)) // both from before they came in
		if got[0].Status != usage.Rated || got[1].Status != usage.Rated {
			t.Fatalf("%+v", got)
		}
		if v, _, err := d.Subscriptions.Lines.Get(ctx, p.line); v.State != subscription.Active || err != nil {
			t.Errorf("the line is %s %v", v.State, err)
		}
	})
}

// post creates a usage as TMF635 has it.
func (d *desk) post(ctx context.Context, body string) (usage.Usage, error) {
	doc, err := d.Usage.Usages.Create(ctx, jsontext.Value(body))
	if err != nil {
		return usage.Usage{}, err
	}
	var v usage.Usage
	return v, json.Unmarshal(doc.Body, &v)
}

func TestAUsageThatIsCreatedIsRated(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		if err := d.Usage.Specify(ctx); err != nil {
			t.Fatal(err)
		}
		if err := d.Usage.Specify(ctx); err != nil {
			t.Fatal(err)
		}
		p := d.sell(ctx, t, "standard", "10")
		body := `{"usageDate":"2026-03-01T08:00:00+01:00","usageType":"VOICE","description":"A call","extra":{"kept":true},"usageCharacteristic":[` +
			`{"name":"recordId","value":"r1"},{"name":"originatingNumber","value":"` + string(p.number) + `"},{"name":"destinationNumber","value":"0441234567"},{"name":"duration","value":61}]}`
		u, err := d.post(ctx, body)
		if err != nil || u.Status != usage.Rated || u.Charged.Micros() != 600_000 || u.UsageDate != time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC) || u.Description != "A call" || u.Specification == nil {
			t.Fatalf("%+v %v", u, err)
		}
		list, _, err := d.Usage.Details(ctx, usage.Period{Line: p.line, From: began.AddDate(0, -1, 0), To: began.AddDate(0, 0, 1), Limit: 10})
		if err != nil || len(list) != 1 || list[0].Facts.MSISDN != string(p.number) || list[0].Facts.Other != "0441234567" {
			t.Errorf("the call detail: %+v %v", list, err)
		}
		if string(u.Rest["extra"]) != `{"kept":true}` {
			t.Errorf("the extension is %s", u.Rest["extra"])
		}
		if _, err := d.post(ctx, body); fault.From(err).Code != usage.CodeDuplicate {
			t.Errorf("the record again: %v", err)
		}
		if _, err := d.post(ctx, strings.NewReplacer("r1", "r2", "61", "-1").Replace(body)); fault.From(err).Code != usage.CodeNegative {
			t.Errorf("a negative duration: %v", err)
		}
		if u, err := d.post(ctx, `{"ratedProductUsage":[{"taxIncludedRatingAmount":{"unit":"EUR","value":1,"@type":"Money"}}],"description":""}`); err != nil ||
			u.Suspense != usage.Incomplete || !strings.Contains(u.SuspenseText, "usageType") || u.Status != usage.Received || u.UsageDate.IsZero() {
			t.Errorf("next to nothing: %+v %v", u, err)
		}
		d.holds(ctx, t, p.money, 9_400_000)
		for body, want := range map[string]usage.Reason{
			`{"usageType":"VOD","status":"received"}`:                              usage.Incomplete,
			`{"usageType":"voice","usageCharacteristic":[]}`:                       usage.Incomplete,
			strings.NewReplacer("r1", "r3", string(p.number), "1").Replace(body):   usage.Incomplete,
			strings.NewReplacer("r1", "r4", "0441234567", "4930123").Replace(body): usage.NoRate,
		} {
			if u, err := d.post(ctx, body); err != nil || u.Suspense != want || u.Status == usage.Rated || u.UsageType == "" || u.UsageDate.IsZero() {
				t.Errorf("%s: %+v %v", body, u, err)
			}
		}
		d.Balanced(ctx, t)
	})
}

func TestWhatIsChargedStaysAsItIs(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		charged := d.ingest(ctx, t, call(p, "a", 60))[0].ID
		patch := func(i id.ID, from, to string) error {
			_, err := d.Usage.Usages.Patch(ctx, i, 0, func(now jsontext.Value) (jsontext.Value, error) {
				next := strings.Replace(string(now), from, to, 1)
				if next == string(now) {
					t.Fatalf("%s is not in %s", from, now)
				}
				return jsontext.Value(next), nil
			})
			return err
		}
		for from, to := range map[string]string{
			`"usageDate":"2026-03-01`: `"usageDate":"2026-02-01`, `"usageType":"voice"`: `"usageType":"data"`, `"value":60}`: `"value":6}`,
			`"status":"rated"`: `"status":"received"`, `"chargedAmount":{"unit":"CHF","value":0.30}`: `"chargedAmount":{"unit":"CHF","value":0.20}`,
			`"taxIncludedRatingAmount":{"unit":"CHF","value":0.30}`: `"taxIncludedRatingAmount":{"unit":"CHF","value":0.20}`,
		} {
			if err := patch(charged, from, to); err == nil {
				t.Errorf("%s became %s", from, to)
			}
		}
		if err := patch(charged, `"description":"`, `"description":"My `); err != nil {
			t.Error(err)
		}
		if err := patch(charged, `"status":"rated"`, `"status":"billed"`); err != nil {
			t.Error(err)
		}
		if _, err := d.Usage.Rerate(ctx, charged); fault.From(err).Code != usage.CodeState {
			t.Errorf("rating what is billed: %v", err)
		}
		if err := d.Usage.Usages.Delete(ctx, charged, 0); fault.From(err).Code != usage.CodeCharged {
			t.Errorf("deleting what is charged: %v", err)
		}
		lost := call(p, "lost", 60)
		lost.MSISDN = "41790009999"
		waiting := d.ingest(ctx, t, lost)[0].ID
		if err := patch(waiting, `"41790009999"`, `"`+string(p.number)+`"`); err != nil {
			t.Fatal(err)
		}
		if err := patch(waiting, `"status":"received"`, `"status":"rated"`); fault.From(err).Code != usage.CodeState {
			t.Errorf("rated by hand: %v", err)
		}
		if _, err := d.Usage.Rerate(ctx, waiting); err != nil {
			t.Fatal(err)
		}
		if u := d.read(ctx, t, waiting); u.Status != usage.Rated || u.SubscriptionID != p.line {
			t.Errorf("mended: %+v", u)
		}
		d.holds(ctx, t, p.money, 9_400_000)
	})
}
