package usage_test

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
	"github.com/demarc-bss/demarc/internal/usage"
)

func data(used, asked int64) usage.Unit {
	u := usage.Unit{RatingGroup: 10, UsageType: rating.Data, Used: used}
	if asked > 0 {
		u.Requested = &asked
	}
	return u
}

func (d *desk) open(ctx context.Context, t *testing.T, p person, u usage.Unit) (id.ID, usage.Grant) {
	t.Helper()
	i, v, err := d.Usage.Open(ctx, usage.Opening{Record: usage.Record{MSISDN: string(p.number)}, Sequence: 1, Units: []usage.Unit{u}})
	if err != nil {
		t.Fatal(err)
	}
	return i, v.Answer[0]
}

func (d *desk) update(ctx context.Context, t *testing.T, i id.ID, n int64, u usage.Unit) usage.Grant {
	t.Helper()
	v, err := d.Usage.Update(ctx, i, n, []usage.Unit{u})
	if err != nil {
		t.Fatal(err)
	}
	return v.Answer[0]
}

// records are the usage records of a line.
func (d *desk) records(ctx context.Context, t *testing.T, p person) (out []usage.Usage) {
	t.Helper()
	page, err := d.Usage.Usages.Docs(ctx, store.Query{Filters: []store.Filter{{Path: []string{"subscriptionId"}, Op: store.Eq, Values: []string{string(p.line)}, Type: store.Text}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range page.Items {
		out = append(out, d.read(ctx, t, doc.ID))
	}
	return out
}

func TestASessionReservesConsumesAndReleases(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		bytes := d.grant(ctx, t, p, balance.Grant{Name: "Data", UsageType: rating.Data, Unit: "bytes", Amount: 3_000_000})
		i, g := d.open(ctx, t, p, data(0, 2_000_000))
		if g.Granted != 2_000_000 || g.Final {
			t.Fatalf("%+v", g)
		}
		d.holds(ctx, t, bytes, 1_000_000)
		d.clock.Advance(time.Minute)
		if g := d.update(ctx, t, i, 2, data(1_500_000, 2_000_000)); g.Granted != 2_000_000 {
			t.Fatalf("%+v", g)
		}
		d.holds(ctx, t, bytes, 0) // 1.5 MB are left, and reserved
		d.holds(ctx, t, p.money, 9_500_000)
		again := d.update(ctx, t, i, 2, data(1_500_000, 2_000_000))
		if again.Granted != 2_000_000 {
			t.Errorf("the invocation again: %+v", again)
		}
		d.holds(ctx, t, p.money, 9_500_000)
		if err := d.Usage.Release(ctx, i, 3, []usage.Unit{data(1_000_000, 0)}); err != nil {
			t.Fatal(err)
		}
		d.holds(ctx, t, bytes, 500_000)
		d.holds(ctx, t, p.money, 10_000_000)
		if err := d.Usage.Release(ctx, i, 3, []usage.Unit{data(1_000_000, 0)}); err != nil {
			t.Errorf("releasing again: %v", err)
		}
		all := d.records(ctx, t, p)
		if len(all) != 1 || all[0].Status != usage.Rated || all[0].Taken[0].Amount != 2_500_000 || all[0].Session != string(i) || all[0].Charged.Micros() != 0 {
			t.Errorf("%+v", all)
		}
		if _, err := d.Usage.Update(ctx, i, 4, nil); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an update of what was released: %v", err)
		}
		if _, err := d.Usage.Rerate(ctx, d.recordID(ctx, t, p)); fault.From(err).Code != usage.CodeState {
			t.Errorf("rating a session again: %v", err)
		}
		d.Balanced(ctx, t)
	})
}

func (d *desk) recordID(ctx context.Context, t *testing.T, p person) id.ID {
	t.Helper()
	page, err := d.Usage.Usages.Docs(ctx, store.Query{Limit: 1})
	if err != nil || len(page.Items) == 0 {
		t.Fatalf("no record of %s: %v", p.line, err)
	}
	return page.Items[0].ID
}

func TestASessionEndsWithTheMoney(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "2.50")
		i, g := d.open(ctx, t, p, data(0, 2_000_000))
		if g.Granted != 2_000_000 || g.Final {
			t.Fatalf("%+v", g)
		}
		if g := d.update(ctx, t, i, 2, data(2_000_000, 2_000_000)); g.Granted != 500_000 || !g.Final {
			t.Fatalf("what the rest pays for: %+v", g)
		}
		if g := d.update(ctx, t, i, 3, data(500_000, 2_000_000)); g.Granted != 0 || g.Refused != string(rating.ShortOfMoney) {
			t.Fatalf("%+v", g)
		}
		if err := d.Usage.Release(ctx, i, 4, []usage.Unit{data(10_000, 0)}); err != nil {
			t.Fatal(err)
		}
		all := d.records(ctx, t, p)
		if len(all) != 1 || all[0].Charged.Micros() != 2_500_000 || all[0].Uncollected.Micros() != 10_000 {
			t.Errorf("%+v", all)
		}
		d.holds(ctx, t, p.money, 0)
		d.Balanced(ctx, t)
	})
}

func TestSessionsShareTheMonthlyLimit(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		limit := chf("3.00")
		p := d.sell(ctx, t, "standard", "50", func(v *subscription.Line) { v.MonthlySpendLimit = &limit })
		_, one := d.open(ctx, t, p, data(0, 2_000_000))
		_, two := d.open(ctx, t, p, data(0, 2_000_000))
		_, three := d.open(ctx, t, p, data(0, 2_000_000))
		if one.Granted != 2_000_000 || two.Granted != 1_000_000 || three.Granted != 0 || three.Refused != string(rating.ShortOfLimit) {
			t.Errorf("%+v %+v %+v", one, two, three)
		}
		d.Balanced(ctx, t)
	})
}

func TestAPlanChangeTakesHoldWithinASession(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		i, _ := d.open(ctx, t, p, data(0, 1_000_000))
		d.clock.Advance(time.Minute)
		_, err := d.Subscriptions.Lines.Change(ctx, p.line, func(v *subscription.Line) error {
			v.Offering = &sid.Ref{ID: string(d.plans["cheap"])}
			v.Plans = append(v.Plans, subscription.PlanPeriod{Offering: d.plans["cheap"], From: d.clock.Now()})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		d.update(ctx, t, i, 2, data(1_000_000, 1_000_000)) // used on the old plan: 1.00
		d.holds(ctx, t, p.money, 8_900_000)                // 0.10 is reserved on the new one
		d.clock.Advance(time.Minute)
		if err := d.Usage.Release(ctx, i, 3, []usage.Unit{data(1_000_000, 0)}); err != nil {
			t.Fatal(err)
		}
		d.holds(ctx, t, p.money, 8_900_000)
		if u := d.records(ctx, t, p)[0]; len(u.Rated) != 2 || u.Rated[0].Rate != "Internet" || u.Rated[1].Rate != "Cheap internet" || u.Charged.Micros() != 1_100_000 {
			t.Errorf("%+v", u)
		}
		d.Balanced(ctx, t)
	})
}

func TestASessionThatGoesSilentIsReleased(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		i, _ := d.open(ctx, t, p, data(0, 2_000_000))
		d.clock.Advance(usage.Validity)
		d.update(ctx, t, i, 2, data(1_000_000, 2_000_000))
		d.clock.Advance(2*usage.Validity - time.Second)
		d.Work(ctx, t)
		d.holds(ctx, t, p.money, 7_000_000)
		d.clock.Advance(time.Second)
		d.Work(ctx, t)
		d.holds(ctx, t, p.money, 9_000_000)
		if all := d.records(ctx, t, p); len(all) != 1 || all[0].Charged.Micros() != 1_000_000 {
			t.Errorf("%+v", all)
		}
		d.Balanced(ctx, t)
	})
}

func TestWhoMayNotOpenASession(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		locked := d.sell(ctx, t, "standard", "10", func(v *subscription.Line) { v.State = subscription.Locked })
		for what, c := range map[string]struct {
			o    usage.Opening
			code fault.Code
		}{
			"a locked line":  {usage.Opening{Record: usage.Record{MSISDN: string(locked.number)}}, usage.CodeDenied},
			"nobody":         {usage.Opening{Record: usage.Record{MSISDN: "41790009999"}}, usage.CodeUserUnknown},
			"nobody's IMSI":  {usage.Opening{IMSI: "228019999999999"}, usage.CodeUserUnknown},
			"negative units": {usage.Opening{Record: usage.Record{MSISDN: string(d.sell(ctx, t, "standard", "1").number)}, Units: []usage.Unit{data(-1, 0)}}, usage.CodeNegative},
		} {
			if _, _, err := d.Usage.Open(ctx, c.o); fault.From(err).Code != c.code {
				t.Errorf("%s: %v", what, err)
			}
		}
		bare := d.sell(ctx, t, "bare", "10")
		if _, g := d.open(ctx, t, bare, data(0, 1)); g.Granted != 0 || g.Refused != string(usage.NoTariff) {
			t.Errorf("without a tariff: %+v", g)
		}
	})
}

func TestAnOpeningIsKnownWhenItComesAgain(t *testing.T) {
	each(t, func(ctx context.Context, t *testing.T, d *desk) {
		p := d.sell(ctx, t, "standard", "10")
		v, _, err := d.Subscriptions.Lines.Get(ctx, p.line)
		if err != nil {
			t.Fatal(err)
		}
		o := usage.Opening{IMSI: v.IMSI, Record: usage.Record{ID: "77"}, Sequence: 1, Units: []usage.Unit{data(0, 1_000_000)}}
		one, _, err := d.Usage.Open(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		two, s, err := d.Usage.Open(ctx, o)
		if err != nil || one != two || s.Answer[0].Granted != 1_000_000 {
			t.Errorf("%s and %s: %+v %v", one, two, s, err)
		}
		d.holds(ctx, t, p.money, 9_000_000)
		if _, err := d.Usage.Update(ctx, one, 0, nil); fault.From(err).Code != usage.CodeSequence {
			t.Errorf("an earlier invocation: %v", err)
		}
	})
}

// However a session is cut into invocations, retried, refused or left silent, it takes what it used and not more.
func TestASessionTakesWhatItUsed(t *testing.T) {
	on(t, "sqlite", func(ctx context.Context, t *testing.T, d *desk) {
		rapid.Check(t, func(rt *rapid.T) {
			opening := rapid.Int64Range(0, 5_000_000).Draw(rt, "money") / 1000 * 1000
			p := d.sell(ctx, t, "standard", balance.Decimal("CHF", opening))
			asked := func() int64 { return rapid.Int64Range(1, 3_000_000).Draw(rt, "asked") }
			i, g := d.open(ctx, t, p, data(0, asked()))
			var used int64
			for n := range rapid.Int64Range(0, 6).Draw(rt, "invocations") {
				one := rapid.Int64Range(0, g.Granted).Draw(rt, "used")
				used += one
				u := data(one, asked())
				for range rapid.IntRange(1, 2).Draw(rt, "sent") {
					g = d.update(ctx, t, i, n+2, u)
				}
			}
			if err := d.Usage.Release(ctx, i, 100, nil); err != nil {
				rt.Fatal(err)
			}
			paid := (used + 999) / 1000 * 1000 // 1 micro a byte, by steps of 1,000
			d.holds(ctx, t, p.money, opening-paid)
		})
		d.Balanced(ctx, t)
	})
}
