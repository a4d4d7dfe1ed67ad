// Package rating decides what usage costs: which allowances it takes from and what is charged for the rest. It
// decides from values alone and touches nothing.
//
// A record is cut into the steps of its rate, from its beginning; each step belongs to the moment at which it
// begins, and costs what the rate of that moment says. Only the last step is rounded up. A step is taken from
// the allowances that hold at that moment, in their order; one that ends in the middle of a step gives what it
// has, and the next one, or money, pays for the rest of the step.
//
// Amounts are exact to the micro: units × price ÷ per is rounded half up to a micro, once for each part of a
// record that one rate holds for. They are not rounded to cents: a data session is reported in many small
// records, and each would lose or win up to half a cent.
package rating

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/govalues/decimal"
)

// What usage is made of.
const (
	Voice = "voice"
	Data  = "data"
	SMS   = "sms"
)

// ErrNoRate is a record, or a moment of it, that no rate of the tariff fits.
var ErrNoRate = errors.New("rating: the tariff has no rate for it")

// ErrRange is a quantity whose price is beyond an int64 of micros.
var ErrRange = errors.New("rating: the price is out of range")

// Record is what was used.
type Record struct {
	// Kind is Voice, Data or SMS; Quantity is in its seconds, bytes or messages, 0 or more.
	Kind     string
	Quantity int64
	// Incoming says that the line was called or written to.
	Incoming bool
	// Start is when it began. A call takes as many seconds as its quantity; data flowed evenly over Lasted, or
	// at once when that is 0; messages take no time.
	Start  time.Time
	Lasted time.Duration
	// Other is the other party in digits of E.164, or a short code; empty for data.
	Other string
	// Network is the visited foreign network (MCC and MNC); empty at home.
	Network string
	// Before is what came before in the same session; its zero value for a record of its own.
	Before Progress
}

// Progress is where a session stands that is rated bit by bit, so that its steps go on where they were.
type Progress struct {
	// Used is how many units were used, Paid how many were dealt with: as many or, by the rounding of steps, more.
	Used int64 `json:"used,omitzero"`
	Paid int64 `json:"paid,omitzero"`
	// Stepped says that the first step was taken, Setup that the setup was charged.
	Stepped bool `json:"stepped,omitzero"`
	Setup   bool `json:"setup,omitzero"`
}

// Fund is an allowance that a line holds; the order of funds is that of consumption.
type Fund struct {
	Kind string
	Left int64
	// Zones are what it is good for: keys of the tariff's zones of destinations, "*" any; none means the zone
	// "home", and every destination where the tariff has no such zone. They bind what goes out alone.
	Zones []string
	// Roaming are keys of zones of visited networks that it is good in beside home; "*" is any.
	Roaming []string
	// Start and End bound its validity, the end not included; zero is open.
	Start, End time.Time
}

// Purse is the money there is for usage, in micros.
type Purse struct {
	// Left is how much may be taken until the floor.
	Left int64
	// Spend is how much may still be spent until the monthly limit; nil is no limit.
	Spend *int64
}

// Short says why something was not collected.
type Short string

// The reasons.
const (
	ShortOfMoney Short = "insufficientBalance"
	ShortOfLimit Short = "spendLimitReached"
)

// Result is what a record costs.
type Result struct {
	// Zone is the key of the other party's zone, Visited that of the visited network; empty for none.
	Zone, Visited string
	Parts         []Part
	// Gross is the price, tax included, and Tax the part of it that is tax; in micros.
	Gross, Tax int64
	// Charged is what the purse pays of Gross, ChargedTax of Tax. What is over was used and cannot be collected.
	Charged, ChargedTax int64
	// Short says why Charged is less than Gross; empty when it is not.
	Short Short
	// After is where the session stands.
	After Progress
}

// Uncollected is what the purse could not pay.
func (r Result) Uncollected() int64 { return r.Gross - r.Charged }

// Part is what one rate holds for.
type Part struct {
	// Rate is the rate's name; At when it begins to hold.
	Rate string
	At   time.Time
	// Units is how much was counted, rounded up to steps: Free units that cost nothing, what Takes took, and Charged.
	Units, Free, Charged int64
	Takes                []Take
	// Setup is part of Gross, Tax the part of Gross that is tax; in micros.
	Setup, Gross, Tax int64

	rate *rate
}

// Take is so many units of the fund with this place in the list.
type Take struct {
	Fund  int
	Units int64
}

// Rate rates a record. loc is the time zone in which times of day are meant. Faults: ErrNoRate, ErrRange.
func (t *Tariff) Rate(r Record, funds []Fund, p Purse, loc *time.Location) (Result, error) {
	w := walk{t: t, r: r, funds: funds, loc: loc, after: r.Before, left: make([]int64, len(funds))}
	for n, f := range funds {
		w.left[n] = f.Left
	}
	w.out.Zone, w.out.Visited = t.zones.of(r.Other), t.network(r.Network)
	w.candidates = t.candidates(r, w.out.Zone, w.out.Visited)
	if err := w.all(); err != nil {
		return Result{}, err
	}
	w.out.After = w.after
	w.collect(p)
	return w.out, nil
}

// Grant is how many of a record's units, at most its quantity, its funds and purse pay for in full; the result is that of so
// many. Faults as those of Rate.
func (t *Tariff) Grant(r Record, funds []Fund, p Purse, loc *time.Location) (int64, Result, error) {
	whole, err := t.Rate(r, funds, p, loc)
	if err == nil && whole.Short == "" {
		return r.Quantity, whole, nil
	}
	if err != nil && !errors.Is(err, ErrRange) {
		return 0, Result{}, err
	}
	low, high := int64(0), r.Quantity // low can be paid for, high cannot
	lasted := r.Lasted
	for high-low > 1 {
		mid := low + (high-low)/2
		one := r
		one.Quantity, one.Lasted = mid, share(lasted, mid, r.Quantity)
		switch res, err := t.Rate(one, funds, p, loc); {
		case err == nil && res.Short == "":
			low = mid
		case err == nil || errors.Is(err, ErrRange):
			high = mid
		default:
			return 0, Result{}, err
		}
	}
	one := r
	one.Quantity, one.Lasted = low, share(lasted, low, r.Quantity)
	res, err := t.Rate(one, funds, p, loc)
	return low, res, err
}

// share is d × n ÷ of.
func share(d time.Duration, n, of int64) time.Duration {
	if of == 0 {
		return 0
	}
	v, _ := mulDiv(int64(d), n, of, false)
	return time.Duration(v)
}

// walk goes through a record from its beginning to its end.
type walk struct {
	t          *Tariff
	r          Record
	funds      []Fund
	left       []int64
	loc        *time.Location
	candidates []*rate
	after      Progress
	out        Result
}

func (w *walk) all() error {
	end := w.r.Before.Used + w.r.Quantity
	if w.r.Quantity < 0 || end < w.r.Before.Used {
		return ErrRange
	}
	w.after.Used = end
	if w.r.Quantity > 0 && w.free() {
		w.after.Paid = max(w.after.Paid, end)
		return nil
	}
	for w.after.Paid < end {
		at := w.moment(w.after.Paid)
		one := w.rateAt(at)
		if one == nil {
			return ErrNoRate
		}
		w.enter(one, at)
		until := min(end, w.position(w.until(at)))
		if err := w.count(one, at, max(until, w.after.Paid+1)); err != nil {
			return err
		}
	}
	return w.price()
}

// free reports what costs nothing without a rate that says so: to be called at home, the caller pays.
func (w *walk) free() bool {
	return w.r.Incoming && w.r.Network == "" && len(w.candidates) == 0
}

// moment is when a unit of the session was used.
func (w *walk) moment(position int64) time.Time {
	n := max(position-w.r.Before.Used, 0)
	switch {
	case w.r.Kind == Voice:
		return w.r.Start.Add(time.Duration(min(n, math.MaxInt64/int64(time.Second))) * time.Second)
	case w.r.Kind == Data && w.r.Lasted > 0:
		return w.r.Start.Add(share(w.r.Lasted, n, w.r.Quantity))
	}
	return w.r.Start
}

// position is the first unit that was used at a moment or later; a zero moment is never.
func (w *walk) position(at time.Time) int64 {
	if at.IsZero() {
		return math.MaxInt64
	}
	d := at.Sub(w.r.Start)
	switch {
	case w.r.Kind == Voice:
		return w.r.Before.Used + int64((d+time.Second-1)/time.Second)
	case w.r.Kind == Data && w.r.Lasted > 0:
		n, ok := mulDiv(int64(d), w.r.Quantity, int64(w.r.Lasted), true)
		if !ok || n > math.MaxInt64-w.r.Before.Used {
			return math.MaxInt64
		}
		return w.r.Before.Used + n
	}
	return math.MaxInt64
}

func (w *walk) rateAt(at time.Time) *rate {
	second := secondOfDay(at, w.loc)
	for _, c := range w.candidates {
		if c.holds(second) {
			return c
		}
	}
	return nil
}

// until is the next moment after at when another rate or fund may hold; zero for none.
func (w *walk) until(at time.Time) time.Time {
	var next time.Time
	sooner := func(t time.Time) {
		if t.After(at) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, c := range w.candidates {
		if c.banded {
			sooner(nextBound(at, c.from, w.loc))
			sooner(nextBound(at, c.to, w.loc))
		}
	}
	for _, f := range w.funds {
		if f.Kind == w.r.Kind {
			sooner(f.Start)
			sooner(f.End)
		}
	}
	return next
}

// enter begins a part when another rate holds than before.
func (w *walk) enter(one *rate, at time.Time) {
	if n := len(w.out.Parts); n == 0 || w.out.Parts[n-1].rate != one {
		w.out.Parts = append(w.out.Parts, Part{Rate: one.name, At: at, rate: one})
	}
}

// count deals with the steps that begin before a position, all at one moment's rate and funds.
func (w *walk) count(one *rate, at time.Time, until int64) error {
	p := &w.out.Parts[len(w.out.Parts)-1]
	if w.after.Paid < one.free && !w.after.Stepped {
		n := min(until, one.free) - w.after.Paid
		w.after.Paid += n
		p.Units += n
		p.Free += n
		return nil
	}
	n, ok := w.steps(one, until-w.after.Paid)
	if !ok || n > math.MaxInt64-w.after.Paid {
		return ErrRange
	}
	w.after.Paid += n
	w.after.Stepped = true
	p.Units += n
	if one.costsNothing() {
		p.Free += n
		return nil
	}
	for k := range w.funds {
		if n == 0 {
			return nil
		}
		if w.left[k] <= 0 || !w.good(w.funds[k], at) {
			continue
		}
		took := min(n, w.left[k])
		w.left[k] -= took
		n -= took
		p.take(k, took)
	}
	p.Charged += n
	if n > 0 && !w.after.Setup {
		w.after.Setup = true
		p.Setup = one.setup
	}
	return nil
}

// steps is the least whole number of steps, in units, that covers n units.
func (w *walk) steps(one *rate, n int64) (int64, bool) {
	var first int64
	if !w.after.Stepped {
		first = one.first
		if n <= first {
			return first, true
		}
		n -= first
	}
	if over := n % one.step; over != 0 {
		n += one.step - over
	}
	return first + n, n > 0 && first <= math.MaxInt64-n
}

func (p *Part) take(fund int, units int64) {
	if last := len(p.Takes) - 1; last >= 0 && p.Takes[last].Fund == fund {
		p.Takes[last].Units += units
		return
	}
	p.Takes = append(p.Takes, Take{fund, units})
}

// good reports whether a fund pays for the record at a moment.
func (w *walk) good(f Fund, at time.Time) bool {
	switch {
	case f.Kind != w.r.Kind, at.Before(f.Start), !f.End.IsZero() && !at.Before(f.End):
		return false
	case w.r.Network != "" && !listed(f.Roaming, w.out.Visited):
		return false
	case w.r.Incoming || w.r.Kind == Data:
		return true
	case len(f.Zones) == 0:
		return w.out.Zone == homeZone || !w.t.hasHome
	}
	return listed(f.Zones, w.out.Zone)
}

func listed(keys []string, key string) bool {
	for _, k := range keys {
		if k == "*" || k == key && key != "" {
			return true
		}
	}
	return false
}

// price prices what the parts charge.
func (w *walk) price() error {
	for n := range w.out.Parts {
		p := &w.out.Parts[n]
		gross, ok := mulDivHalfUp(p.Charged, p.rate.price, p.rate.per)
		if !ok || gross > math.MaxInt64-p.Setup {
			return ErrRange
		}
		p.Gross = gross + p.Setup
		p.Tax, _ = mulDivHalfUp(p.Gross, p.rate.tax, taxWhole+p.rate.tax)
		if p.Gross > math.MaxInt64-w.out.Gross {
			return ErrRange
		}
		w.out.Gross += p.Gross
		w.out.Tax += p.Tax
	}
	return nil
}

// collect decides how much of the price the purse pays.
func (w *walk) collect(p Purse) {
	o := &w.out
	o.Charged, o.ChargedTax = o.Gross, o.Tax
	cut := func(most int64, why Short) {
		if most = max(most, 0); o.Charged > most {
			o.Charged, o.Short = most, why
		}
	}
	cut(p.Left, ShortOfMoney)
	if p.Spend != nil {
		cut(*p.Spend, ShortOfLimit)
	}
	if o.Charged < o.Gross {
		o.ChargedTax, _ = mulDivHalfUp(o.Tax, o.Charged, o.Gross)
	}
}

// mulDiv is a × b ÷ c for numbers of 0 or more, rounded down, or up; not ok beyond an int64.
func mulDiv(a, b, c int64, up bool) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if up {
		var carry uint64
		lo, carry = bits.Add64(lo, uint64(c-1), 0)
		hi += carry
	}
	return quotient(hi, lo, c)
}

// mulDivHalfUp is mulDiv rounded half up. Half of an odd divisor is no whole number; the one below decides the same.
func mulDivHalfUp(a, b, c int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, uint64(c/2), 0)
	return quotient(hi+carry, lo, c)
}

func quotient(hi, lo uint64, c int64) (int64, bool) {
	if hi >= uint64(c) {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q), q <= math.MaxInt64
}

// Share is amount × part ÷ whole, rounded half up: what of a tax belongs to a part of a price.
func Share(amount, part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	n, _ := mulDivHalfUp(amount, part, whole)
	return n
}

// Takes are what all parts take together, in the order of the funds.
func (r Result) Takes() (out []Take) {
	for _, p := range r.Parts {
		for _, take := range p.Takes {
			n := slices.IndexFunc(out, func(t Take) bool { return t.Fund == take.Fund })
			if n < 0 {
				out = append(out, take)
				continue
			}
			out[n].Units += take.Units
		}
	}
	return out
}

// Included is how many units came from funds.
func (p Part) Included() (n int64) {
	for _, take := range p.Takes {
		n += take.Units
	}
	return n
}

// TaxRate is the tax of the part's rate in percent, as a decimal ("8.1").
func (p Part) TaxRate() string {
	return decimal.MustNew(p.rate.tax, 6).Trim(0).String()
}
