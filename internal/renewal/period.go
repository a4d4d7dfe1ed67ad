package renewal

import (
	"time"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// CodePeriod is a recurring price whose period demarc does not know.
const CodePeriod fault.Code = "recurringPeriodUnknown"

// Period is how long one turn of something recurring lasts, by the calendar of a time zone.
type Period struct {
	// Unit is "day", "week", "month" or "year", Length how many of it.
	Unit   string
	Length int
}

// PeriodOf is the period in which an offering renews: that of its first recurring price. ok is false for an
// offering that never renews, since it neither costs nor grants anything each period. A period that is not
// known is a Conflict fault (CodePeriod).
func PeriodOf(o catalog.Offering) (p Period, ok bool, err error) {
	for _, price := range o.Prices {
		if price.Due() != catalog.Recurring {
			continue
		}
		p.Unit, p.Length = catalog.PeriodNamed(price.Period), max(int(price.Length), 1)
		if !catalog.Periodic(p.Unit) {
			p.Unit = ""
			return p, false, fault.Conflictf(CodePeriod, "%s renews every %q: a period is a day, week, month or year", o.Name, price.Period)
		}
		return p, recurs(o), nil
	}
	return p, false, nil
}

func recurs(o catalog.Offering) bool {
	for _, p := range o.Prices {
		if p.Due() == catalog.Recurring && p.Price != nil && p.Price.Sign() > 0 {
			return true
		}
	}
	for _, a := range o.Allowances {
		if a.Recurring {
			return true
		}
	}
	return false
}

// After is the moment n periods after an anchor: at the anchor's time of day in the zone, on its day of the
// month or, where the month is shorter, on the month's last. Each is reckoned from the anchor, so that a
// short month does not shorten those after it. A time of day that the zone skips that night is read with
// the offset before the change (02:30 becomes 03:30), one that it has twice is the first of the two, as
// iCalendar has it (RFC 5545 §3.3.5).
func (p Period) After(anchor time.Time, n int, zone *time.Location) time.Time {
	local := anchor.In(zone)
	year, month, day := local.Date()
	switch n *= p.Length; p.Unit {
	case "day":
		day += n
	case "week":
		day += 7 * n
	case "year":
		month += time.Month(12 * n)
	default:
		month += time.Month(n)
	}
	if p.Unit != "day" && p.Unit != "week" {
		last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
		day = min(day, last)
	}
	hour, minute, second := local.Clock()
	return onWall(time.Date(year, month, day, hour, minute, second, local.Nanosecond(), time.UTC), zone)
}

// onWall is the moment at which the clocks of a zone show what wall shows in UTC.
func onWall(wall time.Time, zone *time.Location) time.Time {
	const aside = 24 * time.Hour // no zone changes its clocks twice within two days
	_, before := wall.Add(-aside).In(zone).Zone()
	_, after := wall.Add(aside).In(zone).Zone()
	early, late := wall.Add(-time.Duration(before)*time.Second), wall.Add(-time.Duration(after)*time.Second)
	shows := func(t time.Time) bool {
		_, offset := t.In(zone).Zone()
		return t.Add(time.Duration(offset) * time.Second).Equal(wall)
	}
	if !shows(early) && shows(late) {
		return late
	}
	return early
}

// Days is so many days after a moment, by the calendar of the zone.
func Days(from time.Time, n int, zone *time.Location) time.Time {
	return Period{Unit: "day", Length: 1}.After(from, n, zone)
}
