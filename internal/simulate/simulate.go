// Package simulate plays an operator's life day by day on a clock of its own: lines are sold, used, topped up,
// renewed, changed, left alone and ended, all through the use cases and jobs that every other client goes through.
// What people do follows from a seed: the same seed plays the same days, in whatever ids.
package simulate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

// Options say what is played. The zero value of a field means its default.
type Options struct {
	// Subscribers is how many lines are sold (default 1,000), over so many Days (default 30).
	Subscribers, Days int
	Seed              uint64
	// Progress is told after each day; nil is told nothing.
	Progress func(Progress)
}

// Progress is how far a simulation is.
type Progress struct {
	Day, Days    int
	Sold, Active int
	Usage        int
}

// World is what a simulation is played in: a house whose service provider has a catalogue and pools and whose store
// goes by the clock.
type World struct {
	*house.House
	Clock *clock.Virtual
	// Work runs every job that is due, and what that makes due, and says how many ran.
	Work func(ctx context.Context) (runs int, err error)
}

// Hour is when a day's round is made, in the service provider's time zone: everything that people do by themselves
// happens then, so that their periods begin and end then too.
const Hour = 20

// most bounds what may be asked for.
const (
	mostSubscribers = 1_000_000
	mostDays        = 3660
)

// Check says whether the options make sense.
func (o Options) Check() error {
	if o.Subscribers < 1 || o.Subscribers > mostSubscribers {
		return fmt.Errorf("a simulation has 1 to %d subscribers", mostSubscribers)
	}
	if o.Days < 1 || o.Days > mostDays {
		return fmt.Errorf("a simulation has 1 to %d days", mostDays)
	}
	return nil
}

// play is a simulation under way.
type play struct {
	World
	o        Options
	zone     *time.Location
	currency money.Currency
	shop     *shop
	vouchers map[int64]*stock
	lines    []*subscriber
	now      time.Time
	day      int
	chance   *rand.Rand
	report   Report
}

// Run plays and reports. The scope of ctx is the service provider's; the clock stands at the beginning.
func Run(ctx context.Context, w World, o Options) (Report, error) {
	if err := o.Check(); err != nil {
		return Report{}, err
	}
	p := &play{World: w, o: o, chance: rand.New(rand.NewPCG(o.Seed, 0)), vouchers: map[int64]*stock{}} //nolint:gosec // the same again is what a seed is for
	sp, err := w.Providers.Current(ctx)
	if err != nil {
		return p.report, err
	}
	p.zone, p.currency = sp.Location(), sp.Currency
	if p.shop, err = openShop(ctx, w.House); err != nil {
		return p.report, err
	}
	p.report.begin(o, sp, w.Clock.Now())
	start := w.Clock.Now().In(p.zone)
	for p.day = range o.Days {
		p.now = time.Date(start.Year(), start.Month(), start.Day()+p.day, Hour, 0, 0, 0, p.zone).UTC()
		w.Clock.Set(p.now)
		if err := p.round(ctx); err != nil {
			return p.report, fmt.Errorf("on %s: %w", p.now.In(p.zone).Format(time.DateOnly), err)
		}
		if o.Progress != nil {
			o.Progress(Progress{Day: p.day + 1, Days: o.Days, Sold: p.report.Sold, Active: p.active(), Usage: p.report.records()})
		}
	}
	return p.report, p.finish(ctx)
}

// round plays a day: what was used is taken in, what is due is done, people do what they do, lines are sold.
func (p *play) round(ctx context.Context) error {
	if err := p.use(ctx, false); err != nil {
		return err
	}
	if err := p.work(ctx); err != nil {
		return err
	}
	if err := p.restock(ctx); err != nil {
		return err
	}
	if err := p.live(ctx); err != nil {
		return err
	}
	if err := p.sell(ctx); err != nil {
		return err
	}
	if err := p.work(ctx); err != nil || p.day%tidy != tidy-1 {
		return err
	}
	_, err := p.Store.Purge(ctx, p.now.AddDate(0, 0, -tidy))
	return err
}

// tidy is after how many days jobs that ended are forgotten, as a server does.
const tidy = 7

// finish takes in what is left and counts what came of it all.
func (p *play) finish(ctx context.Context) error {
	if err := p.use(ctx, true); err != nil {
		return err
	}
	if err := p.work(ctx); err != nil {
		return err
	}
	return p.count(ctx)
}

func (p *play) work(ctx context.Context) error {
	n, err := p.Work(ctx)
	p.report.Jobs.Run += n
	return err
}

// together runs something for many in transactions of some: each is a commit, and long ones grow slow.
func together[T any](ctx context.Context, p *play, all []T, some int, do func(ctx context.Context, one T) error) error {
	for len(all) > 0 {
		part := all[:min(some, len(all))]
		all = all[len(part):]
		err := p.Store.Write(ctx, func(ctx context.Context) error {
			for _, one := range part {
				if err := do(ctx, one); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// subscriber is a person with a line, and what the simulation knows of it.
type subscriber struct {
	n     int
	habit *habit
	// chance is the subscriber's own: what others do changes nothing of what this one does.
	chance        *rand.Rand
	account, line id.ID
	plan          int
	// next is when the line's period ends, as far as it was looked at: what it used until then is to be rated by what it has
	// until then.
	next time.Time
	// until is up to when its usage was taken in, records how many there were.
	until   time.Time
	records int
	mood    mood
	// weekly is what usage costs beside allowances from one look at the line to the next, in micros; charged what it cost
	// since the last.
	weekly, charged int64
	// dry says that there was not enough money for what it used, barred that it cannot be used.
	dry, barred bool
	// left is when a silent or gone line ceased to be used.
	left time.Time
}

// mood is how a subscriber stands to its line.
type mood uint8

const (
	uses mood = iota
	// silent has forgotten the line.
	silent
	gone
)

func (p *play) active() (n int) {
	for _, s := range p.lines {
		if s.mood == uses {
			n++
		}
	}
	return n
}

// own is the source of chance of one subscriber.
func own(seed uint64, n int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(n)+1)) //nolint:gosec // the same again is what a seed is for
}
