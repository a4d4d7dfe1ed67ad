package catalog

import (
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// What an entry of the file is called where its key is referred to.
const (
	aCategory      = "category"
	aSpecification = "specification"
	aTariff        = "tariff"
	anOffering     = "offering"
)

// common are the fields of everything that can be bought.
var common = []string{
	"key", "name", "description", "version", "category", "specification", "paidType", "lifecycle", "validFrom", "validTo",
	"sellable", "oneTimePrice", "discounts", "excludes",
}

// plan reads a price plan.
func (r *reader) plan(n *yaml.Node) {
	r.began = len(r.found)
	f := r.fields(n, "a plan", append([]string{"price", "period", "openingBalance", "bundles", "tariff", "addOns", "changesTo", "term"}, common...)...)
	v := r.offering(n, f, PricePlan)
	if v.PaidType == "" {
		v.PaidType = "prepaid"
	}
	if f["price"] == nil {
		r.bad(n, "price is missing; write 0 for a plan without a monthly charge")
	}
	v.OpeningBalance = r.amount(f["openingBalance"], "openingBalance")
	if t := f["tariff"]; t != nil {
		r.refers(t, aTariff)
		v.Tariff = &sid.Ref{ID: t.Value, ReferredType: "Tariff"}
	}
	r.relate(&v, f["addOns"], "addOns", RelAddOn)
	r.relate(&v, f["changesTo"], "changesTo", RelMigration)
	v.Terms = r.terms(f["term"])
	r.keep(n, f, v)
	if len(r.found) == r.began {
		r.affordable(or(f["openingBalance"], n), v)
	}
}

// addOn reads a package, bolt-on or value-added service.
func (r *reader) addOn(n *yaml.Node) {
	r.began = len(r.found)
	f := r.fields(n, "an add-on", append([]string{"kind", "price", "period", "bundles", "term"}, common...)...)
	kind := r.text(n, f, "kind")
	if kind != "" && kind != Package && kind != BoltOn && kind != VAS {
		r.bad(f["kind"], "kind is package, boltOn or vas")
	}
	v := r.offering(n, f, kind)
	switch {
	case kind == BoltOn && f["price"] != nil:
		r.bad(f["price"], "a bolt-on is paid once: it has a oneTimePrice; what renews is a package")
	case kind == Package && f["price"] == nil:
		r.bad(n, "price is missing: a package renews with it; what is paid once is a boltOn")
	case f["price"] == nil && f["oneTimePrice"] == nil:
		r.bad(n, "oneTimePrice is missing; write 0 for what is free")
	}
	v.Terms = r.terms(f["term"])
	r.keep(n, f, v)
}

// goods reads what is sold once.
func (r *reader) goods(n *yaml.Node, what, kind string) {
	r.began = len(r.found)
	f := r.fields(n, what, common...)
	v := r.offering(n, f, kind)
	if f["oneTimePrice"] == nil {
		r.bad(n, "oneTimePrice is missing; write 0 for what is free")
	}
	r.keep(n, f, v)
}

// offering reads what all offerings have.
func (r *reader) offering(n *yaml.Node, f map[string]*yaml.Node, kind string) Offering {
	sellable := f["sellable"] == nil || r.boolean(f, "sellable")
	v := Offering{
		Type: "ProductOffering", Key: r.key(n, f, anOffering), Name: r.text(n, f, "name"), Description: r.optional(f, "description"),
		Version: r.optional(f, "version"), LifecycleStatus: r.lifecycle(f), IsSellable: &sellable, ValidFor: r.validity(f),
		OfferingType: kind, PaidType: r.optional(f, "paidType"),
	}
	if v.PaidType != "" && v.PaidType != "prepaid" && v.PaidType != "postpaid" {
		r.bad(f["paidType"], "paidType is prepaid or postpaid")
	}
	r.prices(&v, f)
	r.discounts(&v, f["discounts"])
	for _, c := range r.scalars(f["category"], "category") {
		r.refers(c, aCategory)
		v.Category = append(v.Category, sid.Ref{ID: c.Value, ReferredType: "Category"})
	}
	if s := f["specification"]; s != nil {
		r.refers(s, aSpecification)
		v.Specification = &sid.Ref{ID: s.Value, ReferredType: "ProductSpecification"}
	}
	r.relate(&v, f["excludes"], "excludes", RelExclusion)
	if b := f["bundles"]; b != nil {
		v.Allowances = r.bundles(b, v)
	}
	return v
}

// prices reads the recurring price and the one that is paid once.
func (r *reader) prices(v *Offering, f map[string]*yaml.Node) {
	recurring, once := r.amount(f["price"], "price"), r.amount(f["oneTimePrice"], "oneTimePrice")
	length, period, words := 1, "month", "monthly"
	if p := f["period"]; p != nil {
		var ok bool
		if length, period, ok = periodOf(p.Value); !ok {
			r.bad(p, "period is day, week, month or year, or a number of them such as 30 days")
		}
		words = "every " + p.Value
		if f["price"] == nil {
			r.bad(p, "a period belongs to a price")
		}
	}
	if recurring != nil {
		v.Prices = append(v.Prices, Price{
			Type: "ProductOfferingPrice", Name: v.Name + ", " + words, PriceType: Recurring, Period: period, Length: Length(length),
			Price: recurring, Tax: r.taxes(),
		})
	}
	if once != nil && !once.IsZero() {
		v.Prices = append(v.Prices, Price{
			Type: "ProductOfferingPrice", Name: v.Name + ", one-off", PriceType: OneTime, Price: once, Tax: r.taxes(),
		})
	}
}

// discounts reads what is taken off the prices of an offering.
func (r *reader) discounts(v *Offering, n *yaml.Node) {
	for _, d := range r.list(n, "discounts") {
		f := r.fields(d, "a discount", "name", "description", "on", "percent", "amount", "periods", "validFrom", "validTo")
		a := Alteration{Name: r.text(d, f, "name"), Description: r.optional(f, "description"), ValidFor: r.validity(f)}
		p := r.discounted(v, d, f["on"])
		if p == nil {
			continue
		}
		a.PriceType = p.PriceType
		switch percent, amount := f["percent"], r.amount(f["amount"], "amount"); {
		case (percent == nil) == (f["amount"] == nil):
			r.bad(d, "a discount has either a percent or an amount")
			continue
		case percent != nil:
			a.Price.Percentage = []byte(percent.Value)
		default:
			a.Price.TaxIncluded = amount
		}
		if times := r.number(f, "periods", 1, maxPeriods); times > 0 {
			a.Duration = &sid.Quantity{Amount: []byte(strconv.Itoa(times * max(int(p.Length), 1))), Units: p.Period}
		}
		if _, err := p.discount(a); err != nil {
			r.bad(or(or(f["percent"], f["amount"]), d), "%s", fault.From(err).Message)
			continue
		}
		p.Alterations = append(p.Alterations, a)
	}
}

// discounted is the price that a discount is on; the recurring one, if there is one, when it does not say.
func (r *reader) discounted(v *Offering, d, on *yaml.Node) *Price {
	kind := ""
	switch {
	case on == nil:
	case on.Value == "price":
		kind = Recurring
	case on.Value == "oneTimePrice":
		kind = OneTime
	default:
		r.bad(on, "on is price or oneTimePrice")
		return nil
	}
	for n := range v.Prices {
		if p := &v.Prices[n]; (kind == "" || p.Due() == kind) && p.Price != nil && p.Price.Sign() > 0 {
			return p
		}
	}
	r.bad(or(on, d), "there is no price that it could be taken off")
	return nil
}

// periodOf reads "month" or "30 days".
func periodOf(text string) (length int, period string, ok bool) {
	length = 1
	period = strings.TrimSpace(text)
	if number, unit, cut := strings.Cut(period, " "); cut {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > maxLength {
			return 0, "", false
		}
		length, period = n, strings.TrimSuffix(strings.TrimSpace(unit), "s")
	}
	return length, period, slices.Contains(periods, period)
}

// periods are what recurring prices are paid for.
var periods = []string{"day", "week", "month", "year"}

// relate adds a relationship to each offering that n names.
func (r *reader) relate(v *Offering, n *yaml.Node, name, kind string) {
	for _, o := range r.scalars(n, name) {
		r.refers(o, anOffering)
		v.Relationships = append(v.Relationships, Relationship{ID: o.Value, Type: kind})
	}
}

// keep puts an offering into the file; what it needs of others is checked when all are read.
func (r *reader) keep(n *yaml.Node, f map[string]*yaml.Node, v Offering) {
	if err := v.check(); err != nil && len(r.found) == r.began && r.reckons {
		f := fault.From(err)
		for _, d := range append(f.Details, fault.Detail{Attribute: f.Attribute, Message: f.Message})[:max(len(f.Details), 1)] {
			r.bad(n, "%s: %s", d.Attribute, d.Message)
		}
	}
	at := len(r.out.Offerings)
	r.out.Offerings = append(r.out.Offerings, v)
	r.later = append(r.later, func() {
		v := r.out.Offerings[at]
		r.called(&v)
		r.out.Offerings[at] = v
		r.relations(f, v)
		r.reachable(or(f["bundles"], n), v)
	})
}

// called gives references the names of what they lead to.
func (r *reader) called(v *Offering) {
	for n := range v.Category {
		for _, c := range r.out.Categories {
			if c.Key == v.Category[n].ID {
				v.Category[n].Name = c.Name
			}
		}
	}
	for _, t := range r.out.Tariffs {
		if v.Tariff != nil && t.Key == v.Tariff.ID {
			v.Tariff.Name = t.Name
		}
	}
	for _, t := range r.out.Specifications {
		if v.Specification != nil && t.Key == v.Specification.ID {
			v.Specification.Name = t.Name
		}
	}
	for n := range v.Relationships {
		if o, ok := r.find(v.Relationships[n].ID); ok {
			v.Relationships[n].Name = o.Name
		}
	}
}

// relations checks that each relationship leads to what it is for.
func (r *reader) relations(f map[string]*yaml.Node, v Offering) {
	for _, c := range []struct {
		name string
		fits func(Offering) bool
		want string
	}{
		{"addOns", Offering.AddOn, "an add-on"},
		{"changesTo", func(o Offering) bool { return o.OfferingType == PricePlan && suits(o.PaidType, v.PaidType) }, "a plan of the same paid type"},
		{"excludes", func(o Offering) bool { return o.Key != v.Key }, "another offering"},
	} {
		n := f[c.name]
		if n == nil {
			continue
		}
		nodes := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			nodes = n.Content
		}
		for _, e := range nodes {
			if o, ok := r.find(e.Value); ok && !c.fits(o) {
				r.bad(e, "%s names %s, and %s is not %s", c.name, e.Value, o.Name, c.want)
			}
		}
	}
}

func (r *reader) find(key string) (Offering, bool) {
	i := slices.IndexFunc(r.out.Offerings, func(o Offering) bool { return o.Key == key })
	if i < 0 {
		return Offering{}, false
	}
	return r.out.Offerings[i], true
}

// reachable refuses a bundle for zones that no tariff of those it could be used with has.
func (r *reader) reachable(n *yaml.Node, v Offering) {
	tariffs := r.out.Tariffs
	if v.OfferingType == PricePlan {
		tariffs = slices.DeleteFunc(slices.Clone(tariffs), func(t Tariff) bool { return v.Tariff == nil || v.Tariff.ID != t.Key })
	}
	for _, a := range v.Allowances {
		zone, known := a.strange(&Tariff{})
		for _, t := range tariffs {
			if z, ok := a.strange(&t); ok {
				known = true
			} else {
				zone = z
			}
		}
		if !known {
			r.bad(n, "the bundle %s is for the zone %q, which no tariff has that it could be used with", a.Name, zone)
		}
	}
}

// affordable refuses a prepaid plan whose first charge its own opening balance does not cover: no line could
// ever begin on it.
func (r *reader) affordable(n *yaml.Node, v Offering) {
	v.Prices = slices.Clone(v.Prices)
	for n := range v.Prices { // a discount for a time leaves the plan, when that is over
		v.Prices[n].Alterations = slices.DeleteFunc(slices.Clone(v.Prices[n].Alterations), func(a Alteration) bool { return a.ValidFor != nil })
	}
	charges, err := v.FirstCharges()
	if err != nil || v.PaidType != "prepaid" {
		return
	}
	var due, opening int64
	for _, c := range charges {
		due += c.Gross.Micros()
	}
	if v.OpeningBalance != nil {
		opening = v.OpeningBalance.Micros()
	}
	if opening < due {
		r.bad(n, "the opening balance of %s does not cover the first charge of %s", money.OfMicros(opening, r.currency), money.OfMicros(due, r.currency))
	}
}

// terms reads a commitment: "24 months", or a mapping with a name.
func (r *reader) terms(n *yaml.Node) []Term {
	if n == nil {
		return nil
	}
	t := Term{Name: "Minimum term"}
	duration := n
	if n.Kind == yaml.MappingNode {
		f := r.fields(n, "a term", "name", "description", "duration")
		t.Name, t.Description = r.text(n, f, "name"), r.optional(f, "description")
		if duration = f["duration"]; duration == nil {
			r.bad(n, "duration is missing")
			return nil
		}
	}
	length, period, ok := periodOf(duration.Value)
	if !ok {
		r.bad(duration, "a term is a number of days, weeks, months or years such as 24 months")
	}
	t.Duration = sid.Quantity{Amount: []byte(strconv.Itoa(length)), Units: period}
	return []Term{t}
}

func (r *reader) bundles(n *yaml.Node, v Offering) []Allowance {
	nodes := r.list(n, "bundles")
	out := make([]Allowance, 0, len(nodes))
	for _, b := range nodes {
		f := r.fields(b, "a bundle", "name", "type", "amount", "validityDays", "recurring", "group", "zones", "roaming", "priority", "rollover")
		a := Allowance{
			Name: r.text(b, f, "name"), UsageType: r.text(b, f, "type"), ValidityDays: r.number(f, "validityDays", 1, maxDays),
			Recurring: r.boolean(f, "recurring"), Group: r.boolean(f, "group"), Priority: r.number(f, "priority", -1000, 1000),
			Zones: values(r.scalars(f["zones"], "zones")), Roaming: values(r.scalars(f["roaming"], "roaming")),
		}
		if a.UsageType == "" {
			continue
		}
		if a.Units = unitOf[a.UsageType]; a.Units == "" {
			r.bad(f["type"], "type is voice, data or sms")
			continue
		}
		if amount := r.text(b, f, "amount"); amount != "" {
			var ok bool
			if a.Amount, ok = quantity(a.UsageType, amount); !ok {
				r.bad(f["amount"], "the amount of a %s bundle is written as %s", a.UsageType, howTo[a.UsageType])
			}
		}
		if a.Recurring && !v.renews() {
			r.bad(f["recurring"], "a bundle recurs with a price that does: %s has none", v.Name)
		}
		a.Rollover = r.rollover(f["rollover"], a)
		out = append(out, a)
	}
	return out
}

// rollover reads "{periods: 1, max: 5 GB}".
func (r *reader) rollover(n *yaml.Node, a Allowance) *Rollover {
	if n == nil {
		return nil
	}
	if !a.Recurring {
		r.bad(n, "only a recurring bundle has something to roll over")
	}
	f := r.fields(n, "a rollover", "periods", "max")
	if f["periods"] == nil {
		r.bad(n, "periods is missing: for how many further periods what is left lives")
	}
	return &Rollover{Periods: r.number(f, "periods", 1, maxPeriods), Max: r.units(f, "max", a.UsageType)}
}
