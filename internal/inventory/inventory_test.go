package inventory

import (
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

func TestCheckDigitOfLuhn(t *testing.T) {
	for payload, want := range map[string]byte{"7992739871": '3', "0": '0', "894100100000000000": Luhn("894100100000000000"), "1": '8', "5": '9'} {
		if got := Luhn(payload); got != want {
			t.Errorf("Luhn(%s) is %c, want %c", payload, got, want)
		}
	}
}

func TestWhatAnICCIDIs(t *testing.T) {
	good := Batch{Issuer: "41001", Network: "22801", First: 1}.sim(0)
	if err := CheckICCID(good.ICCID); err != nil || len(good.ICCID) != 19 {
		t.Errorf("%s: %v", good.ICCID, err)
	}
	wrong := good.ICCID[:18] + string('0'+(good.ICCID[18]-'0'+1)%10)
	for _, bad := range []string{"", "8941", wrong, "77" + good.ICCID[2:], good.ICCID[:17] + "x" + good.ICCID[18:], good.ICCID + "12"} {
		if CheckICCID(bad) == nil {
			t.Errorf("%q is taken for an ICCID", bad)
		}
	}
}

func TestWhatAnIMSIIs(t *testing.T) {
	for imsi, want := range map[string]bool{"228010000000001": true, "22801000000001": false, "2280100000000011": false, "22801000000000x": false} {
		if got := CheckIMSI(imsi) == nil; got != want {
			t.Errorf("%s: %v, want %v", imsi, got, want)
		}
	}
}

func TestStatesOfAResource(t *testing.T) {
	all := []Status{Available, Reserved, Assigned, Quarantined, Blocked, Retired}
	allowed := map[[2]Status]bool{
		{Available, Reserved}: true, {Available, Assigned}: true, {Available, Quarantined}: true, {Available, Retired}: true,
		{Reserved, Available}: true, {Reserved, Assigned}: true,
		{Assigned, Available}: true, {Assigned, Quarantined}: true, {Assigned, Retired}: true,
		{Quarantined, Available}: true, {Quarantined, Retired}: true,
		{Available, Blocked}: true, {Assigned, Blocked}: true, {Blocked, Available}: true, {Blocked, Assigned}: true, {Blocked, Retired}: true,
	}
	for _, from := range all {
		for _, to := range all {
			if want := from == to || allowed[[2]Status{from, to}]; (follow(from, to) == nil) != want {
				t.Errorf("%s to %s, want %v", from, to, want)
			}
		}
	}
}

func TestTakingAndHandingOver(t *testing.T) {
	const order, other, line = id.ID("ord_1"), id.ID("ord_2"), id.ID("sub_1")
	status, holder := Available, id.ID("")
	steps := []struct {
		name string
		act  func() error
		ok   bool
	}{
		{"taken", func() error { return take(&status, &holder, order) }, true},
		{"taken again by the same", func() error { return take(&status, &holder, order) }, true},
		{"taken by another", func() error { return take(&status, &holder, other) }, false},
		{"handed over by another", func() error { return hand(&status, &holder, other, line) }, false},
		{"handed over", func() error { return hand(&status, &holder, order, line) }, true},
		{"handed over again", func() error { return hand(&status, &holder, order, line) }, true},
		{"taken from a line", func() error { return take(&status, &holder, other) }, false},
	}
	for _, s := range steps {
		if err := s.act(); (err == nil) != s.ok {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	if status != Assigned || holder != line {
		t.Errorf("%s, held by %s", status, holder)
	}
}

func TestPools(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		v, ctx := New(s, provider.New(s)), storetest.Context(1)
		if _, err := v.PickNumber(ctx, ""); fault.From(err).Code != CodeNone {
			t.Errorf("an empty pool: %v", err)
		}
		if n, err := v.AddNumbers(ctx, "41790000000", 3); n != 3 || err != nil {
			t.Fatalf("%d numbers, %v", n, err)
		}
		if n, err := v.AddNumbers(ctx, "41790000000", 5); n != 2 || err != nil {
			t.Errorf("of a pool that overlaps %d are new, %v", n, err)
		}
		if n, err := v.AddSIMs(ctx, Batch{Issuer: "41001", Network: "22801", First: 1, Count: 2}); n != 2 || err != nil {
			t.Fatalf("%d SIMs, %v", n, err)
		}
		if _, err := v.AddNumbers(ctx, "0790000000x", 1); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a pool that begins with no number: %v", err)
		}
		if _, err := v.AddSIMs(ctx, Batch{Issuer: "4", Network: "22801", Count: 1}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("an issuer of one digit: %v", err)
		}
		number, err := v.PickNumber(ctx, "41790000004")
		if err != nil {
			t.Fatal(err)
		}
		sim, err := v.PickSIM(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.PickNumber(ctx, msisdn.Number("41790000005")); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a number that is not ours: %v", err)
		}
		order, line := id.New(id.Kind{Prefix: "ord"}, 1, time.Unix(0, 0)), id.New(id.Kind{Prefix: "sub"}, 1, time.Unix(0, 0))
		if _, err := v.ReserveNumber(ctx, number, order); err != nil {
			t.Fatal(err)
		}
		if _, err := v.ReserveSIM(ctx, sim, order); err != nil {
			t.Fatal(err)
		}
		if err := v.Assign(ctx, number, sim, order, line); err != nil {
			t.Fatal(err)
		}
		if err := v.Numbers.Delete(ctx, number, 0); fault.From(err).Code != CodeTaken {
			t.Errorf("a number in use was deleted: %v", err)
		}
		if err := v.Release(ctx, number, sim, order); err != nil {
			t.Fatal(err)
		}
		if n, _, err := v.Numbers.Get(ctx, number); n.Status != Assigned || err != nil {
			t.Errorf("who does not hold a number released it: %s %v", n.Status, err)
		}
		for range 2 {
			if err := v.Release(ctx, number, sim, line); err != nil {
				t.Fatal(err)
			}
		}
		if n, _, err := v.Numbers.Get(ctx, number); n.Status != Available || n.Holder != "" || err != nil {
			t.Errorf("released: %+v %v", n, err)
		}
		if err := v.Numbers.Delete(ctx, number, 0); err != nil {
			t.Fatal(err)
		}
		if n, err := v.AddNumbers(ctx, "41790000004", 1); n != 1 || err != nil {
			t.Errorf("a deleted number does not come back: %d %v", n, err)
		}
	})
}
