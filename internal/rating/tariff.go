package rating

import (
	"fmt"
	"strings"
	"time"

	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

// homeZone is the key of the zone that allowances without zones are good for.
const homeZone = "home"

// anyNetwork is a rate's zone of visited networks that fits every foreign one.
const anyNetwork = "*"

// taxWhole is 100 percent as taxes are counted here, in millionths of a percent.
const taxWhole = 100_000_000

// Tariff is a catalog.Tariff made ready to rate by: zones in a tree of digits, rates by kind of usage. It is not
// changed any more, so that many may use it at once.
type Tariff struct {
	currency money.Currency
	zones    *prefixes
	networks map[string]string
	// rates are in the tariff's order, by usage type and direction.
	rates   map[usageKind][]*rate
	hasHome bool
}

type usageKind struct {
	usage    string
	incoming bool
}

// rate is a catalog.Rate in numbers.
type rate struct {
	name          string
	zone, roaming string
	// from and to are seconds of the day; banded says that they bound it.
	from, to int
	banded   bool

	setup, price, per, first, step, free, tax int64
}

// Compile makes a tariff ready. An error names what of it cannot be rated by.
func Compile(c catalog.Tariff) (*Tariff, error) {
	t := &Tariff{currency: c.Currency, zones: &prefixes{}, networks: map[string]string{}, rates: map[usageKind][]*rate{}}
	for _, z := range c.Zones {
		t.hasHome = t.hasHome || z.Key == homeZone
		for _, p := range z.Prefixes {
			if err := t.zones.add(p, z.Key); err != nil {
				return nil, fmt.Errorf("zone %s: %w", z.Key, err)
			}
		}
		for _, n := range z.Networks {
			t.networks[n] = z.Key
		}
	}
	for _, r := range c.Rates {
		one, err := compile(r)
		if err != nil {
			return nil, fmt.Errorf("rate %s: %w", r.Name, err)
		}
		k := usageKind{r.UsageType, r.Direction == "incoming"}
		t.rates[k] = append(t.rates[k], one)
	}
	return t, nil
}

// Currency is what the tariff's prices are in.
func (t *Tariff) Currency() money.Currency { return t.currency }

func compile(r catalog.Rate) (*rate, error) {
	one := &rate{
		name: r.Name, zone: r.Zone, roaming: r.Roaming, price: r.Price.Micros(), per: r.Per,
		first: r.FirstStep, step: max(r.Step, 1), free: r.Free,
	}
	if r.Setup != nil {
		one.setup = r.Setup.Micros()
	}
	if one.first == 0 {
		one.first = one.step
	}
	if one.price < 0 || one.setup < 0 || one.per < 1 || one.first < 0 || r.Step < 0 || one.free < 0 {
		return nil, fmt.Errorf("prices, steps and free units are 0 or more, and per is 1 or more")
	}
	var err error
	if r.From != "" || r.To != "" {
		one.banded = true
		if one.from, err = clockTime(r.From); err == nil {
			one.to, err = clockTime(r.To)
		}
		if err != nil {
			return nil, err
		}
		one.banded = one.from != one.to // from a time to the same time is all day
	}
	one.tax, err = taxOf(r.Tax)
	return one, err
}

// clockTime reads "22:00" into seconds of the day; empty is midnight.
func clockTime(s string) (int, error) {
	if s == "" || s == "24:00" {
		return 0, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of day such as 22:00", s)
	}
	return t.Hour()*3600 + t.Minute()*60, nil
}

// taxOf sums taxes in millionths of a percent.
func taxOf(all []catalog.Tax) (int64, error) {
	var sum int64
	for _, t := range all {
		d, err := decimal.Parse(strings.Trim(string(t.Rate), `"`))
		if err == nil {
			d, err = d.Mul(decimal.MustNew(1_000_000, 0))
		}
		n, _, ok := d.Round(0).Int64(0)
		if err != nil || !ok || n < 0 || n > 10*taxWhole {
			return 0, fmt.Errorf("a tax rate is a percentage such as 8.1")
		}
		sum += n
	}
	return sum, nil
}

func (r *rate) costsNothing() bool { return r.price == 0 && r.setup == 0 }

// holds reports whether the rate holds at a second of the day.
func (r *rate) holds(second int) bool {
	switch {
	case !r.banded:
		return true
	case r.from < r.to:
		return second >= r.from && second < r.to
	}
	return second >= r.from || second < r.to
}

// candidates are the rates that fit a record at some time of the day, in the tariff's order.
func (t *Tariff) candidates(r Record, zone, visited string) []*rate {
	all := t.rates[usageKind{r.Kind, r.Incoming}]
	fits := make([]*rate, 0, len(all))
	for _, one := range all {
		if one.zone != "" && one.zone != zone {
			continue
		}
		if r.Network == "" && one.roaming != "" || r.Network != "" && one.roaming != anyNetwork && (one.roaming == "" || one.roaming != visited) {
			continue
		}
		fits = append(fits, one)
		if !one.banded {
			break // nothing after it is ever reached
		}
	}
	return fits
}

// network is the zone of a visited network, the longest code that it begins with; empty for none.
func (t *Tariff) network(code string) string {
	for n := len(code); n >= 3; n-- {
		if z, ok := t.networks[code[:n]]; ok {
			return z
		}
	}
	return ""
}

// secondOfDay is the time of day at a place.
func secondOfDay(at time.Time, loc *time.Location) int {
	h, m, s := at.In(loc).Clock()
	return h*3600 + m*60 + s
}

const day = 24 * 3600

// nextBound is the next moment after at when clocks at loc show a second of the day, or when they are put
// forward or back, whichever is first: an hour that comes twice has its bounds twice, one that is left out
// none.
func nextBound(at time.Time, second int, loc *time.Location) time.Time {
	at = at.Truncate(time.Second)
	away := (second - secondOfDay(at, loc) + day) % day
	if away == 0 {
		away = day
	}
	next := at.Add(time.Duration(away) * time.Second)
	if _, end := at.In(loc).ZoneBounds(); !end.IsZero() && end.Before(next) {
		return end
	}
	return next
}

// prefixes is a tree of digits with the zones of numbers that begin so.
type prefixes struct {
	next [10]*prefixes
	zone string
}

func (p *prefixes) add(prefix, zone string) error {
	if prefix == "" {
		return fmt.Errorf("a prefix is empty")
	}
	for _, c := range []byte(prefix) {
		if c < '0' || c > '9' {
			return fmt.Errorf("the prefix %q is not made of digits", prefix)
		}
		if p.next[c-'0'] == nil {
			p.next[c-'0'] = &prefixes{}
		}
		p = p.next[c-'0']
	}
	if p.zone != "" && p.zone != zone {
		return fmt.Errorf("the prefix %s is already that of zone %s", prefix, p.zone)
	}
	p.zone = zone
	return nil
}

// shortCode is below how many digits a number is a short code: it belongs to a zone that lists it whole, and not
// to the country that has the same first digits.
const shortCode = 7

// of is the zone of the longest prefix of a number; empty for none.
func (p *prefixes) of(number string) (zone string) {
	for n, c := range []byte(number) {
		if c < '0' || c > '9' || p.next[c-'0'] == nil {
			return zone
		}
		p = p.next[c-'0']
		if p.zone != "" && (len(number) >= shortCode || n == len(number)-1) {
			zone = p.zone
		}
	}
	return zone
}
