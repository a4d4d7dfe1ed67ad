package usage

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// find finds the line of every entry: the one that had the number when it was used.
func (b *batch) find(ctx context.Context) error {
	var numbers []string
	for _, e := range b.entries {
		if e.r.Subscription == "" && e.r.MSISDN != "" {
			numbers = append(numbers, e.r.MSISDN)
		}
	}
	slices.Sort(numbers)
	had := map[string][]*line{}
	for some := range slices.Chunk(slices.Compact(numbers), chunk) {
		page, err := b.Subscriptions.Lines.Docs(ctx, store.Query{NoTotal: true, Filters: []store.Filter{{
			Path: []string{"msisdn"}, Op: store.Eq, Values: some, Type: store.Text,
		}}})
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			l := &line{id: d.ID}
			if err := json.Unmarshal(d.Body, &l.v); err != nil {
				return fault.Internalf(err, "the stored subscription %s cannot be read", d.ID)
			}
			b.lines[l.id] = l
			had[string(l.v.MSISDN)] = append(had[string(l.v.MSISDN)], l)
		}
	}
	for _, e := range b.entries {
		if e.r.Subscription == "" {
			e.line = at(had[e.r.MSISDN], e.r.Start)
			continue
		}
		if err := b.named(ctx, e); err != nil {
			return err
		}
	}
	for _, kind := range []string{rating.Voice, rating.Data, rating.SMS} {
		if !slices.ContainsFunc(b.entries, func(e *entry) bool { return e.r.UsageType == kind }) {
			continue
		}
		spec, err := b.store.Claimant(ctx, specificationClaim, kind)
		if err != nil {
			return err
		}
		if b.described == nil {
			b.described = map[string]id.ID{}
		}
		b.described[kind] = spec
	}
	return nil
}

// named finds the line that an entry names by its id.
func (b *batch) named(ctx context.Context, e *entry) error {
	i := e.r.Subscription
	if e.line = b.lines[i]; e.line != nil {
		return nil
	}
	v, _, err := b.Subscriptions.Lines.Get(ctx, i)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		return err
	}
	e.line = &line{id: i, v: v}
	b.lines[i] = e.line
	return nil
}

// at is the line that had the number at a moment; else the one that has it now, which did not live yet then.
func at(lines []*line, moment time.Time) *line {
	var now *line
	for _, l := range slices.Backward(lines) { // the newest first
		started := started(l.v, moment)
		if started && (l.v.TerminationDate == nil || moment.Before(*l.v.TerminationDate)) {
			return l
		}
		if !l.v.State.Ended() {
			now = l
		}
	}
	return now
}

// admitted says why an entry's line may not be charged for it: nil when it may.
func (b *batch) admitted(e *entry) *suspended {
	if e.line == nil {
		return &suspended{UnknownNumber, "no line had the number " + shown(e.r.MSISDN) + " then"}
	}
	if !e.late && e.r.tooOld(b.now, b.rules) {
		return &suspended{TooOld, "it is of " + e.r.Start.Format(time.RFC3339) + ", longer ago than usage is taken"}
	}
	if served(e.line.v, e.r.Start) {
		return nil
	}
	if !started(e.line.v, e.r.Start) {
		return &suspended{LineNotActive, "the line that has the number now had not begun then"}
	}
	return &suspended{LineNotActive, "the line was " + string(e.line.v.State) + " then"}
}

// started reports whether a line lived at a moment. One that was made ahead of its sale is woken by the first of its
// usage that comes in, and what it was used for just before came in later.
func started(v subscription.Line, moment time.Time) bool {
	if v.StartDate == nil {
		return false
	}
	from := *v.StartDate
	if len(v.Plans) > 0 && v.Plans[0].From.Before(from) {
		from = v.Plans[0].From
	}
	return !moment.Before(from.Truncate(time.Second))
}

// served reports whether the network served a line at a moment: it is in a state in which it does, or came to one in
// which it does not only later.
func served(v subscription.Line, moment time.Time) bool {
	if v.State == subscription.Available {
		return true
	}
	if !started(v, moment) {
		return false
	}
	if v.State.MayUse() || v.State == subscription.Disconnecting {
		return true
	}
	return v.StateSince != nil && moment.Before(*v.StateSince)
}

// plan is what a line is rated by.
type plan struct {
	name   string
	tariff *rating.Tariff
	// why is why nothing can be rated by it.
	why *suspended
}

// compiled is a tariff as it was at a version of its document.
type compiled struct {
	version int64
	tariff  *rating.Tariff
	err     error
}

// planAt is the plan that a line was on at a moment.
func (b *batch) planAt(ctx context.Context, v subscription.Line, moment time.Time) (plan, error) {
	var on id.ID
	if v.Offering != nil {
		on = id.ID(v.Offering.ID)
	}
	for n, p := range v.Plans {
		if n == 0 || !moment.Before(p.From.Truncate(time.Second)) {
			on = p.Offering
		}
	}
	if on == "" {
		return plan{why: &suspended{NoPlan, "the line has no price plan"}}, nil
	}
	if p, ok := b.plans[on]; ok {
		return p, nil
	}
	p, err := b.plan(ctx, on)
	if err == nil {
		b.plans[on] = p
	}
	return p, err
}

func (s *Service) plan(ctx context.Context, on id.ID) (plan, error) {
	o, _, err := s.Catalog.Offerings.Get(ctx, on)
	p := plan{name: o.Name}
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound:
		p.why = &suspended{NoPlan, "the price plan " + string(on) + " is not in the catalogue"}
	case err != nil:
		return p, err
	case o.Tariff == nil:
		p.why = &suspended{NoTariff, "the price plan " + o.Name + " has no tariff"}
	}
	if p.why != nil {
		return p, nil
	}
	p.tariff, err = s.tariff(ctx, id.ID(o.Tariff.ID))
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound:
		p.why = &suspended{NoTariff, "the tariff of the price plan " + o.Name + " is not in the catalogue"}
	case errors.As(err, new(badTariff)):
		p.why = &suspended{NoTariff, "the tariff of the price plan " + o.Name + " cannot be rated by: " + err.Error()}
	case err != nil:
		return p, err
	}
	return p, nil
}

// badTariff is a tariff that does not compile.
type badTariff struct{ error }

// mostTariffs bounds how many tariffs are kept ready.
const mostTariffs = 1000

// tariff gives a tariff made ready, once for each version of its document.
func (s *Service) tariff(ctx context.Context, i id.ID) (*rating.Tariff, error) {
	d, err := s.Catalog.Tariffs.Doc(ctx, i)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.tariffs[i]; ok && c.version == d.Version {
		return c.tariff, c.err
	}
	var t catalog.Tariff
	if err := json.Unmarshal(d.Body, &t); err != nil {
		return nil, fault.Internalf(err, "the stored tariff %s cannot be read", i)
	}
	c := compiled{version: d.Version}
	if c.tariff, c.err = rating.Compile(t); c.err != nil {
		c.err = badTariff{c.err}
	}
	if len(s.tariffs) >= mostTariffs {
		clear(s.tariffs)
	}
	s.tariffs[i] = c
	return c.tariff, c.err
}

// whyNot says why a tariff could not rate an entry.
func whyNot(err error, p plan, e *entry) *suspended {
	if errors.Is(err, rating.ErrRange) {
		return &suspended{Unrateable, "its price is beyond all range"}
	}
	text := "the tariff of the price plan " + p.name + " has no rate for " + e.r.Direction + " " + e.r.UsageType
	if e.r.Other != "" {
		text += " with " + shown(e.r.Other)
	}
	if e.r.Network != "" {
		text += " in the network " + e.r.Network
	}
	return &suspended{NoRate, text}
}
