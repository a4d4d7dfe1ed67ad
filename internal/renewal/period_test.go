package renewal

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPeriodsGoByTheCalendar(t *testing.T) {
	month, day, week, year := Period{"month", 1}, Period{"day", 1}, Period{"week", 1}, Period{"year", 1}
	const zurich, utc = "Europe/Zurich", "UTC"
	for name, c := range map[string]struct {
		zone, anchor string
		p            Period
		n            int
		want         string
	}{
		"a month":                           {utc, "2026-01-15T10:00:00Z", month, 1, "2026-02-15T10:00:00Z"},
		"none":                              {utc, "2026-01-15T10:00:00Z", month, 0, "2026-01-15T10:00:00Z"},
		"31 January to February":            {utc, "2026-01-31T10:00:00Z", month, 1, "2026-02-28T10:00:00Z"},
		"31 January to a leap February":     {utc, "2028-01-31T10:00:00Z", month, 1, "2028-02-29T10:00:00Z"},
		"31 January to March":               {utc, "2026-01-31T10:00:00Z", month, 2, "2026-03-31T10:00:00Z"},
		"31 January to April":               {utc, "2026-01-31T10:00:00Z", month, 3, "2026-04-30T10:00:00Z"},
		"30 January to February and on":     {utc, "2026-01-30T10:00:00Z", month, 2, "2026-03-30T10:00:00Z"},
		"over the year":                     {utc, "2026-12-31T23:59:59Z", month, 2, "2027-02-28T23:59:59Z"},
		"three months":                      {utc, "2026-11-30T00:00:00Z", Period{"month", 3}, 1, "2027-02-28T00:00:00Z"},
		"thirteen months":                   {utc, "2026-01-31T00:00:00Z", month, 13, "2027-02-28T00:00:00Z"},
		"a leap day by the year":            {utc, "2028-02-29T12:00:00Z", year, 1, "2029-02-28T12:00:00Z"},
		"a leap day by four years":          {utc, "2028-02-29T12:00:00Z", year, 4, "2032-02-29T12:00:00Z"},
		"28 days":                           {utc, "2026-01-31T10:00:00Z", Period{"day", 28}, 1, "2026-02-28T10:00:00Z"},
		"a week":                            {utc, "2026-12-28T10:00:00Z", week, 1, "2027-01-04T10:00:00Z"},
		"the local day, not that of UTC":    {zurich, "2026-01-30T23:30:00Z", month, 1, "2026-02-27T23:30:00Z"}, // 31 January 00:30 there
		"the time of day stays in spring":   {zurich, "2026-03-15T09:00:00Z", month, 1, "2026-04-15T08:00:00Z"},
		"the time of day stays in autumn":   {zurich, "2026-10-15T08:00:00Z", month, 1, "2026-11-15T09:00:00Z"},
		"a day of 23 hours":                 {zurich, "2026-03-28T11:00:00Z", day, 1, "2026-03-29T10:00:00Z"},
		"a day of 25 hours":                 {zurich, "2026-10-24T10:00:00Z", day, 1, "2026-10-25T11:00:00Z"},
		"02:30 on the night without it":     {zurich, "2026-02-28T01:30:00Z", Period{"day", 29}, 1, "2026-03-29T01:30:00Z"}, // shown as 03:30
		"02:30 on the night that has two":   {zurich, "2026-09-25T00:30:00Z", month, 1, "2026-10-25T00:30:00Z"},
		"the first of two, from the second": {zurich, "2026-10-25T01:30:00Z", day, 0, "2026-10-25T00:30:00Z"},
		"after the night without it":        {zurich, "2026-02-28T01:30:00Z", Period{"day", 29}, 2, "2026-04-27T00:30:00Z"},
		"midnight that is skipped":          {"America/Sao_Paulo", "2018-10-04T03:00:00Z", month, 1, "2018-11-04T03:00:00Z"},
		"a day that was left out":           {"Pacific/Apia", "2011-11-30T22:00:00Z", month, 1, "2011-12-30T22:00:00Z"},
		"half an hour of daylight saving":   {"Australia/Lord_Howe", "2026-09-03T15:45:00Z", month, 1, "2026-10-03T15:45:00Z"},
	} {
		anchor, err := time.Parse(time.RFC3339, c.anchor)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.p.After(anchor, c.n, zone(t, c.zone)).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// However a zone changes its clocks, periods follow one another, and a moment is never more than the change off.
func TestPeriodsFollowOneAnother(t *testing.T) {
	names := []string{"UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Africa/Casablanca", "America/St_Johns"}
	zones := make([]*time.Location, len(names))
	for n, name := range names {
		zones[n] = zone(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		z := zones[rapid.IntRange(0, len(zones)-1).Draw(t, "zone")]
		p := Period{rapid.SampledFrom([]string{"day", "week", "month", "year"}).Draw(t, "unit"), rapid.IntRange(1, 5).Draw(t, "length")}
		anchor := time.Unix(rapid.Int64Range(1262304000, 1893456000).Draw(t, "anchor"), 0).UTC()
		n := rapid.IntRange(0, 60).Draw(t, "n")
		a, b := p.After(anchor, n, z), p.After(anchor, n+1, z)
		if !b.After(a) {
			t.Fatalf("period %d begins %s and ends %s", n, a, b)
		}
		if p.Unit == "month" {
			first, la := anchor.In(z), a.In(z)
			if want := (int(first.Month()) - 1 + n*p.Length) % 12; int(la.Month())-1 != want && la.Day() != 1 {
				t.Fatalf("%d months after %s is %s", n*p.Length, first, la)
			}
		}
	})
}

func TestWhatRenews(t *testing.T) {
	price := func(text, kind, period string) catalog.Price {
		a, err := money.Parse(text, "CHF")
		if err != nil {
			t.Fatal(err)
		}
		return catalog.Price{PriceType: kind, Period: period, Price: &a}
	}
	for name, c := range map[string]struct {
		o    catalog.Offering
		want Period
		ok   bool
		code fault.Code
	}{
		"nothing":                      {catalog.Offering{}, Period{}, false, ""},
		"bought once":                  {catalog.Offering{Prices: []catalog.Price{price("5", "oneTime", "")}}, Period{}, false, ""},
		"monthly":                      {catalog.Offering{Prices: []catalog.Price{price("5", "oneTime", ""), price("9", "recurring", "month")}}, Period{"month", 1}, true, ""},
		"in another spelling":          {catalog.Offering{Prices: []catalog.Price{price("9", "recurring", "Weekly")}}, Period{"week", 1}, true, ""},
		"for nothing":                  {catalog.Offering{Prices: []catalog.Price{price("0", "recurring", "month")}}, Period{"month", 1}, false, ""},
		"for nothing, with allowances": {catalog.Offering{Prices: []catalog.Price{price("0", "recurring", "month")}, Allowances: []catalog.Allowance{{Recurring: true}}}, Period{"month", 1}, true, ""},
		"by the fortnight":             {catalog.Offering{Name: "X", Prices: []catalog.Price{price("9", "recurring", "fortnight")}}, Period{"", 1}, false, CodePeriod},
	} {
		p, ok, err := PeriodOf(c.o)
		if p != c.want || ok != c.ok || (err == nil) != (c.code == "") || err != nil && fault.From(err).Code != c.code {
			t.Errorf("%s: %v %v %v", name, p, ok, err)
		}
	}
}
