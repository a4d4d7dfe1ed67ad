package id_test

import (
	"regexp"
	"sort"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/kernel/id"
)

var customer = id.Kind{Name: "customer", Prefix: "cus"}

func TestAnIDCarriesItsKindAndHome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		home := id.Home(rapid.IntRange(0, id.Homes-1).Draw(t, "home"))
		at := time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "ms"))
		i := id.New(customer, home, at)
		if got, ok := i.Home(); !ok || got != home {
			t.Fatalf("%s names home %d (%v), want %d", i, got, ok, home)
		}
		if !i.Is(customer) || i.Is(id.Kind{Name: "order", Prefix: "ord"}) {
			t.Fatalf("%s is not told apart by kind", i)
		}
		if !regexp.MustCompile(`^cus_[0-9a-z]{26}$`).MatchString(i.String()) {
			t.Fatalf("%s is not safe in a URL", i)
		}
	})
}

func TestIDsSortByTheTimeTheyWereMade(t *testing.T) {
	start := time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	var made []string
	seen := map[string]bool{}
	for n := range 10_000 {
		i := id.New(customer, id.RandomHome(), start.Add(time.Duration(n/100)*time.Millisecond)).String()
		if seen[i] {
			t.Fatalf("%s was made twice", i)
		}
		seen[i] = true
		made = append(made, i)
	}
	if !sort.StringsAreSorted(made) {
		t.Error("ids made one after the other do not sort so")
	}
}

func TestAClockFarAheadCarriesNoOtherAlong(t *testing.T) {
	machine := time.Date(2310, 1, 1, 0, 0, 0, 0, time.UTC)
	sandbox := machine.AddDate(1, 0, 0)
	var made [2][]string
	for n := range 20_000 {
		at := []time.Time{machine, sandbox}[n%2].Add(time.Duration(n/1000) * time.Millisecond)
		made[n%2] = append(made[n%2], id.New(customer, 1, at).String())
	}
	if !sort.StringsAreSorted(made[0]) || !sort.StringsAreSorted(made[1]) {
		t.Error("ids of one clock do not sort by the time they were made")
	}
	if first := id.New(customer, 1, sandbox.AddDate(0, 0, -1)).String(); made[0][9_999] > first {
		t.Error("the sandbox carried the machine's ids along")
	}
}

func TestForeignIdentifiersAreNotTakenForOwn(t *testing.T) {
	own := id.New(customer, 7, time.UnixMilli(1)).String()
	for _, s := range []string{
		"", "500", "456-dd-df45", "b00cb440-e863-440b-a36f-74a296e06578", "cus_", "cus_123",
		own + "0", own[:len(own)-1], "CUS" + own[3:], "c" + own[3:], "custo" + own[3:], "cus-" + own[4:],
		"cus_8" + own[5:],                // 130 bits
		own[:10] + "i" + own[11:],        // a letter the alphabet leaves out
		"cus_00000000000000000000000000", // 128 zero bits are no UUIDv7
		" " + own, own + "\n",
	} {
		if _, _, ok := id.Parse(s); ok {
			t.Errorf("%q was taken for an id of demarc", s)
		}
	}
	if _, _, ok := id.Parse(own); !ok {
		t.Errorf("%q was not recognised", own)
	}
}

func TestHomesOfKeysSpreadEvenly(t *testing.T) {
	var count [id.Homes]int
	const each = 100
	for n := range id.Homes * each {
		count[id.HomeOf("27832"+time.Duration(n).String())]++
	}
	for h, n := range count {
		if n < each/3 || n > each*3 {
			t.Errorf("home %d got %d of %d keys, far from %d", h, n, id.Homes*each, each)
		}
	}
}

func TestNumbersHaveEightDigits(t *testing.T) {
	shape := regexp.MustCompile(`^[1-9][0-9]{7}$`)
	for range 10_000 {
		if n := id.Number(); !shape.MatchString(n) {
			t.Fatalf("%q is not a number of eight digits", n)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(id.New(customer, 7, time.UnixMilli(1)).String())
	f.Add("cus_zzzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, s string) {
		if p, h, ok := id.Parse(s); ok && (len(p) < 2 || len(p) > 4 || h >= id.Homes) {
			t.Errorf("%q parsed to prefix %q and home %d", s, p, h)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	at := time.UnixMilli(1_700_000_000_000)
	for b.Loop() {
		_ = id.New(customer, 1, at)
	}
}
