package autotopup

import (
	"time"

	"github.com/demarc-bss/demarc/internal/provider"
)

// count counts a top-up in its day and month.
func (v *Schedule) count(now time.Time, rules provider.ServiceProvider) {
	c := v.today(now, rules)
	c.InDay++
	c.InMonth++
	v.Counted = &c
}

// today is how many top-ups there were in the day and the month of a moment.
func (v *Schedule) today(now time.Time, rules provider.ServiceProvider) Counted {
	local := now.In(rules.Location())
	c := Counted{Day: local.Format(time.DateOnly), Month: local.Format("2006-01")}
	if v.Counted == nil {
		return c
	}
	if v.Counted.Day == c.Day {
		c.InDay = v.Counted.InDay
	}
	if v.Counted.Month == c.Month {
		c.InMonth = v.Counted.InMonth
	}
	return c
}

// capped reports whether there were as many top-ups by low balance as there may be, and until when: the beginning of the
// next day, or of the next month. The schedule's own limits hold where they are narrower than the service provider's.
func (v *Schedule) capped(now time.Time, rules provider.ServiceProvider) (until time.Time, yes bool) {
	c, p, zone := v.today(now, rules), policy(rules), rules.Location()
	year, month, day := now.In(zone).Date()
	switch {
	case c.InMonth >= narrower(v.MonthlyLimit, provider.Or(p.MonthlyLimit, 15)):
		return beginning(year, month+1, 1, zone), true
	case c.InDay >= narrower(v.DailyLimit, provider.Or(p.DailyLimit, 3)):
		return beginning(year, month, day+1, zone), true
	}
	return until, false
}

func narrower(own, all int) int {
	if own > 0 {
		return min(own, all)
	}
	return all
}

// beginning is when a day begins in a zone: at midnight or, where the clocks skip that, right after.
func beginning(year int, month time.Month, day int, zone *time.Location) time.Time {
	noon := time.Date(year, month, day, 12, 0, 0, 0, zone)
	at := time.Date(year, month, day, 0, 0, 0, 0, zone)
	for at.In(zone).Day() != noon.Day() {
		at = at.Add(time.Hour)
	}
	return at.UTC()
}
