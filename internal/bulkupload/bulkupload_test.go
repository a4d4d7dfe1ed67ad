package bulkupload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

func each(t *testing.T, fn func(t *testing.T, d *desk)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) { fn(t, newDesk(t, s)) })
}

func TestSIMsComeInAndBadRowsAreNamed(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		file := strings.Join([]string{
			"\ufeffICCID;IMSI;Kind",
			iccid(1) + ";" + imsi(1) + ";",
			iccid(2) + ";" + imsi(2) + ";eSIM",
			"",
			iccid(3)[:18] + "x;" + imsi(3) + ";",
			iccid(1) + ";" + imsi(4) + ";",
			iccid(5) + ";" + imsi(2) + ";",
			iccid(6) + ";123;",
			iccid(7),
			`"` + iccid(8) + `;` + imsi(8) + ";",
			iccid(9) + ";" + imsi(9) + ";\xff",
			strings.Repeat("9", 5000),
			`"` + iccid(10) + `";"` + imsi(10) + `";eSIM`,
		}, "\r\n")
		i := d.receive(SIMs, file)
		d.work()
		u := d.see(i)
		if u.Status != Completed || u.Rows != 11 || u.Added != 3 || u.Bad != 8 || u.BytesDone != u.Size || u.CompletionDate == nil {
			t.Errorf("%+v", u)
		}
		bad, err := d.Errors(d.ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		want := map[int]string{
			5: "begins with 89", 6: "stands there twice", 7: "stands there twice", 8: "15 digits", 9: "number of columns",
			10: "quotes", 11: "UTF-8", 12: "too long",
		}
		for _, e := range bad {
			if !strings.Contains(e.Reason, want[e.Row]) || want[e.Row] == "" {
				t.Errorf("row %d: %s, want %q", e.Row, e.Reason, want[e.Row])
			}
			delete(want, e.Row)
		}
		if len(want) > 0 {
			t.Errorf("not told: %v of %+v", want, bad)
		}
		sim, err := d.Inventory.PickSIM(d.ctx, iccid(2))
		if err != nil {
			t.Fatal(err)
		}
		if v, _, err := d.Inventory.SIMs.Get(d.ctx, sim); err != nil || v.Form != inventory.ESIM || v.Status != inventory.Available {
			t.Errorf("%+v %v", v, err)
		}
		left, err := d.parts.Docs(d.ctx, store.Query{})
		if err != nil || left.Total != 0 {
			t.Errorf("%d parts of the file are left: %v", left.Total, err)
		}
	})
}

func TestTheSameFileComesInOnce(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		file := simFile(0, 5)
		i := d.receive(SIMs, file)
		d.work()
		again, kept, known, err := d.Receive(d.ctx, Upload{Of: SIMs}, []byte(file), false)
		if again != i || !known || kept.Added != 5 || err != nil {
			t.Errorf("%s %v %+v %v", again, known, kept, err)
		}
		anew, _, known, err := d.Receive(d.ctx, Upload{Of: SIMs}, []byte(file), true)
		if err != nil || known || anew == i {
			t.Fatal(anew, known, err)
		}
		d.work()
		if u := d.see(anew); u.Added != 0 || u.Bad != 5 {
			t.Errorf("%+v", u)
		}
		bad, err := d.Errors(d.ctx, anew)
		if err != nil || len(bad) != 5 || !strings.Contains(bad[0].Reason, "already") || bad[0].Row != 2 || bad[0].Value != iccid(0) {
			t.Errorf("%+v %v", bad, err)
		}
		if n := d.count(d.Inventory.SIMs.Docs, ""); n != 5 {
			t.Errorf("%d SIMs", n)
		}
	})
}

func TestAnUploadGoesOnWhereItWasKilled(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		const all = 2*chunk + 10
		file := []byte(simFile(0, all))
		i, _, _, err := d.Begin(d.ctx, Upload{Of: SIMs, Digest: "x", Size: int64(len(file))}, false)
		if err != nil {
			t.Fatal(err)
		}
		if u, err := d.Step(d.ctx, i, bytes.NewReader(file)); err != nil || u.Rows != chunk || u.Status != InProgress {
			t.Fatalf("%+v %v", u, err)
		}
		err = d.store.Write(d.ctx, func(ctx context.Context) error {
			if _, err := d.Step(ctx, i, bytes.NewReader(file)); err != nil {
				t.Error(err)
			}
			return errors.New("killed")
		})
		if err == nil {
			t.Fatal("kept")
		}
		if u := d.see(i); u.Rows != chunk {
			t.Errorf("what was rolled back is counted: %+v", u)
		}
		for n := 0; !d.see(i).Ended(); n++ {
			if _, err := d.Step(d.ctx, i, bytes.NewReader(file)); err != nil || n > 5 {
				t.Fatal(n, err)
			}
		}
		if u := d.see(i); u.Rows != all || u.Added != all || u.Bad != 0 {
			t.Errorf("%+v", u)
		}
		if _, err := d.Step(d.ctx, i, bytes.NewReader(file)); err != nil {
			t.Errorf("a step after the end: %v", err)
		}
		if n := d.count(d.Inventory.SIMs.Docs, ""); n != all {
			t.Errorf("%d SIMs", n)
		}
		trail, err := d.store.Audit(d.ctx, i)
		if err != nil || len(trail) != 4 {
			t.Errorf("%d audit records of an upload in three parts: %v", len(trail), err)
		}
	})
}

func TestSubscribersAreMadeAhead(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		if _, err := d.Inventory.AddNumbers(d.ctx, "41780000001", 2); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Inventory.AddSIMList(d.ctx, []inventory.SIM{{ICCID: iccid(1), IMSI: imsi(1)}, {ICCID: iccid(2), IMSI: imsi(99)}}, inventory.EitherForm); err != nil {
			t.Fatal(err)
		}
		row := func(n int, number, plan, money string) string {
			return fmt.Sprintf("%s,%s,%s,%s,%s\n", iccid(n), imsi(n), number, plan, money)
		}
		file := "iccid,imsi,msisdn,plan,balance\n" +
			row(0, "41780000000", "start", "7.50") + // all of it new
			row(1, "41780000001", "plus", "") + // number and SIM of the pools
			row(2, "41780000002", "start", "") + // the SIM has another IMSI
			row(3, "41780000001", "start", "") + // the number stands there twice
			row(4, "41780000004", "gold", "") + // no such plan
			row(5, "41780000005", "start", "-1") +
			row(6, "41780000006", "start", "1.2345678") +
			row(7, "0", "start", "")
		i := d.receive(Subscribers, file)
		d.work()
		bad, err := d.Errors(d.ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		want := map[int]string{4: "has the IMSI", 5: "twice", 6: "gold", 7: "less than nothing", 8: "six decimals", 9: "country code"}
		for _, e := range bad {
			if want[e.Row] == "" || !strings.Contains(e.Reason, want[e.Row]) {
				t.Errorf("row %d: %s, want %q", e.Row, e.Reason, want[e.Row])
			}
			delete(want, e.Row)
		}
		if u := d.see(i); len(want) > 0 || u.Added != 2 || u.Bad != 6 {
			t.Errorf("%+v, not told %v", u, want)
		}
		for number, money := range map[msisdn.Number]string{"41780000000": "7.50", "41780000001": "25.00"} {
			line, v, err := d.Subscriptions.Resolve(d.ctx, string(number))
			if err != nil || v.State != subscription.Available || v.ICCID == "" || len(v.Resources) != 2 || !v.ToBegin() {
				t.Fatalf("%+v %v", v, err)
			}
			a, _, err := d.Accounts.Billing.Get(d.ctx, v.AccountID)
			if err != nil || len(a.AccountNumber) != 8 || a.RelatedParty[0].ID != "anonymous" {
				t.Errorf("%+v %v", a, err)
			}
			if its, _ := line.Home(); true {
				if theirs, _ := v.AccountID.Home(); its != theirs {
					t.Errorf("the line lives at %d, its account at %d", its, theirs)
				}
			}
			_, b, err := d.Balances.Money(d.ctx, line)
			if err != nil || string(b.Remaining.Amount) != money {
				t.Errorf("%s has %s, want %s: %v", number, b.Remaining.Amount, money, err)
			}
			n, err := d.Inventory.PickNumber(d.ctx, number)
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := d.Inventory.Numbers.Get(d.ctx, n); err != nil || got.Status != inventory.Assigned || got.Holder != line || got.Draw != "" {
				t.Errorf("%+v %v", got, err)
			}
		}
		wrong, err := d.store.Unbalanced(d.ctx)
		if err != nil || len(wrong) > 0 {
			t.Errorf("%v %v", wrong, err)
		}
	})
}

func TestNumbersHaveGroupsAndPrices(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		if _, _, err := d.Inventory.Groups.Add(d.ctx, &inventory.Group{Name: "gold", Class: inventory.Premium}); err != nil {
			t.Fatal(err)
		}
		i := d.receive(Numbers, "msisdn,group,pricing,price\n41780000001,,,\n41780000002,gold,,99.90\n41780000003,silver,,\n41780000004,,cheap,\n41780000005,,premium,x\n")
		d.work()
		if u := d.see(i); u.Added != 2 || u.Bad != 3 {
			t.Errorf("%+v", u)
		}
		found, err := d.Inventory.Find(d.ctx, inventory.Search{Class: inventory.Premium, Limit: 10})
		if err != nil || len(found) != 1 || found[0].Value != "41780000002" || found[0].Group != "gold" || found[0].Price.Decimal() != "99.90" {
			t.Errorf("%+v %v", found, err)
		}
	})
}

func TestWhatIsNoFile(t *testing.T) {
	d := newDesk(t, storetest.Open(t, "sqlite"))
	for name, c := range map[string]struct{ of, file string }{
		"empty": {SIMs, ""}, "no columns": {SIMs, "\n"}, "a column too many": {SIMs, "iccid,imsi,colour\n"}, "a column missing": {SIMs, "iccid\n"},
		"a column twice": {SIMs, "iccid,imsi,imsi\n"}, "of nothing": {"cars", "iccid,imsi\n"}, "quotes": {SIMs, "\"iccid,imsi\n"},
		"too long": {SIMs, strings.Repeat("x", 10_000)},
	} {
		if _, _, _, err := d.Receive(d.ctx, Upload{Of: c.of}, []byte(c.file), false); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, _, err := d.Receive(d.ctx, Upload{Of: "cars"}, []byte("iccid,imsi\n"), false)
	if f := fault.From(err); f.Attribute != "uploadType" || f.Message != `no file holds "cars": the uploadType is one of sims, numbers, subscribers` {
		t.Errorf("%+v", f)
	}
	i := d.receive(SIMs, "iccid,imsi\n")
	d.work()
	if u := d.see(i); u.Status != Completed || u.Rows != 0 {
		t.Errorf("%+v", u)
	}
	if _, err := d.Errors(storetest.Context(2), i); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another service provider's upload: %v", err)
	}
}

// A file is cut anywhere: what is whole of it comes in, and nothing twice.
func TestATruncatedFile(t *testing.T) {
	d := newDesk(t, storetest.Open(t, "sqlite"))
	whole := simFile(0, 3)
	i := d.receive(SIMs, whole[:len(whole)-20])
	d.work()
	if u := d.see(i); u.Added != 2 || u.Bad != 1 {
		t.Errorf("%+v", u)
	}
	rest := d.receive(SIMs, whole)
	d.work()
	if u := d.see(rest); u.Added != 1 || u.Bad != 2 {
		t.Errorf("%+v", u)
	}
}

func TestReadsAcrossParts(t *testing.T) {
	d := newDesk(t, storetest.Open(t, "sqlite"))
	const count = 9000
	if file := simFile(0, count); len(file) <= partSize {
		t.Fatal("the file has one part only")
	}
	i := d.receive(SIMs, simFile(0, count))
	d.work()
	if u := d.see(i); u.Added != count || u.Bad != 0 {
		t.Errorf("%+v", u)
	}
}

// What a transaction writes to few homes takes a fraction of what the same takes on many.
func TestNeighboursInAFileShareAHome(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := newDesk(t, s)
		const all = 2 * neighbours
		i := d.receive(Subscribers, subscriberFile(all))
		d.work()
		if u := d.see(i); u.Added != all {
			t.Fatalf("%+v", u)
		}
		page, err := d.Subscriptions.Lines.Docs(d.ctx, store.Query{Limit: all})
		if err != nil || len(page.Items) != all {
			t.Fatalf("%d lines, %v", len(page.Items), err)
		}
		homes := map[id.Home]bool{}
		for _, l := range page.Items {
			home, _ := l.ID.Home()
			homes[home] = true
			v, _, err := d.Subscriptions.Lines.Get(d.ctx, l.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range v.Resources {
				if its, _ := id.ID(r.ID).Home(); its != home {
					t.Fatalf("the line lives at %d, its %s at %d", home, r.ReferredType, its)
				}
			}
		}
		if len(homes) > all/neighbours {
			t.Errorf("%d lines live at %d homes", all, len(homes))
		}
	})
}
