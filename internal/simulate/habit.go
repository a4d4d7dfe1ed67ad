package simulate

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/usage"
)

// habit is how a kind of people uses a phone. Numbers are of an ordinary day.
type habit struct {
	name string
	// share is how many of a hundred are like that; taste where in the order of prices their plan is, 0 to 1.
	share int
	taste float64
	// calls and texts are how many go out that are told of one by one, seconds how long a call lasts, megabytes how much data flows.
	calls, texts, seconds, megabytes float64
	// abroad is the chance that a call or message goes to another country, roams that a day in summer is spent there.
	abroad, roams float64
	// weekend is by how much more there is on Saturdays and Sundays.
	weekend float64
	// prompt is the chance that money that runs low is topped up at once.
	prompt float64
	// vouchers is the chance that a top-up is a voucher.
	vouchers float64
}

// habits are those of an operator's customers.
var habits = []habit{
	{name: "now and then", share: 26, taste: 0, calls: 0.05, texts: 0.03, seconds: 70, megabytes: 12, abroad: 0.02, roams: 0.01, weekend: 1.1, prompt: 0.75, vouchers: 0.55},
	{name: "every day", share: 34, taste: 0.35, calls: 0.11, texts: 0.05, seconds: 110, megabytes: 160, abroad: 0.02, roams: 0.02, weekend: 1.2, prompt: 0.92, vouchers: 0.30},
	{name: "always on", share: 20, taste: 0.75, calls: 0.075, texts: 0.04, seconds: 90, megabytes: 700, abroad: 0.02, roams: 0.03, weekend: 1.4, prompt: 0.95, vouchers: 0.20},
	{name: "at work", share: 12, taste: 0.6, calls: 0.275, texts: 0.04, seconds: 160, megabytes: 220, abroad: 0.06, roams: 0.04, weekend: 0.3, prompt: 0.98, vouchers: 0.05},
	{name: "calls home", share: 8, taste: 0.2, calls: 0.125, texts: 0.05, seconds: 240, megabytes: 70, abroad: 0.55, roams: 0.01, weekend: 1.5, prompt: 0.85, vouchers: 0.60},
}

// habitOf draws a habit by the shares.
func habitOf(r *rand.Rand) *habit {
	d := r.IntN(100)
	for n := range habits {
		if d -= habits[n].share; d < 0 {
			return &habits[n]
		}
	}
	return &habits[0]
}

// often draws how many times something happens that happens so often on average (a Poisson variable).
func often(r *rand.Rand, mean float64) (n int) {
	limit := math.Exp(-mean)
	for product := r.Float64(); product > limit; product *= r.Float64() {
		n++
	}
	return n
}

// about draws an amount around a mean: most are smaller, few much larger.
func about(r *rand.Rand, mean float64) float64 { return mean * r.ExpFloat64() }

// month is how busy people are in each month of the year.
var month = [13]float64{0, 0.95, 0.95, 1, 1, 1.02, 1.03, 0.97, 0.94, 1.03, 1.03, 1.04, 1.15}

// day gives what a subscriber used in the day that ended at a moment.
func (s *subscriber) day(end time.Time, zone *time.Location, p *plan) (out []usage.Record) {
	h, r, w := s.habit, s.chance, p.places
	local := end.In(zone)
	busy := month[local.Month()]
	if d := local.Weekday(); d == time.Saturday || d == time.Sunday {
		busy *= h.weekend
	}
	network := ""
	if m := local.Month(); (m == time.July || m == time.August) && r.Float64() < h.roams {
		network = w.network(r)
	}
	at := func(hours float64) time.Time {
		return end.Add(-time.Duration(hours * float64(time.Hour))).Truncate(time.Second)
	}
	record := func(kind string, quantity int64, hours float64) *usage.Record {
		s.records++
		out = append(out, usage.Record{
			ID: strconv.Itoa(s.n) + "-" + strconv.Itoa(s.records), Source: source, Subscription: s.line, UsageType: kind,
			Quantity: quantity, Start: at(hours), Network: network,
		})
		return &out[len(out)-1]
	}
	// Data flows all day long; a network tells of it in a record every few days, with when it began. People take the plan
	// that is enough for most of their days.
	if mb := about(r, min(h.megabytes, p.megabytes)*busy/tells); mb >= 0.1 && r.Float64() < tells {
		record(rating.Data, int64(mb*1e6), 1+r.Float64()*12).Duration = int64(600 + r.IntN(7200))
	}
	for range often(r, h.calls*busy) {
		record(rating.Voice, 1+int64(about(r, h.seconds)), 1+r.Float64()*13).Other = w.number(r, h.abroad)
	}
	for range often(r, h.texts*busy) {
		record(rating.SMS, 1, r.Float64()*14).Other = w.number(r, h.abroad)
	}
	return out
}

// tells is the chance that a network tells today of the data that flowed.
const tells = 0.2

// source is who records the simulation's usage.
const source = "simulation"
