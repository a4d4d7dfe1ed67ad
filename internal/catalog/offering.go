package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Kind is the id kind of product offerings.
var Kind = id.Kind{Name: "productOffering", Prefix: "off"}

const (
	// CodeNotSellable is an order for an offering that cannot be bought now.
	CodeNotSellable fault.Code = "offeringNotSellable"
	// CodeState is a lifecycle status that may not follow the present one.
	CodeState fault.Code = "stateNotAllowed"
)

// The kinds of offerings. A line is on exactly one PricePlan and may hold many of the others, save SIMCard and
// Device, which are sold once and held by nobody.
const (
	PricePlan = "pricePlan"
	// Package and BoltOn are add-ons: a package renews with its recurring price, a bolt-on is bought once.
	Package = "package"
	BoltOn  = "boltOn"
	VAS     = "vas"
	SIMCard = "sim"
	Device  = "device"
)

// Kinds are all kinds of offerings that demarc carries out.
func Kinds() []string { return []string{PricePlan, Package, BoltOn, VAS, SIMCard, Device} }

// Offering is something that can be bought (TMF620 ProductOffering). Key, OfferingType, PaidType,
// OpeningBalance, Allowances and Tariff extend the standard.
type Offering struct {
	Type            string          `json:"@type,omitzero"`
	Name            string          `json:"name,omitzero"`
	Description     string          `json:"description,omitzero"`
	Version         string          `json:"version,omitzero"`
	LifecycleStatus LifecycleStatus `json:"lifecycleStatus,omitzero"`
	LastUpdate      time.Time       `json:"lastUpdate,omitzero"`
	IsBundle        bool            `json:"isBundle"`
	IsSellable      *bool           `json:"isSellable,omitzero"`
	ValidFor        *sid.Period     `json:"validFor,omitzero"`
	Prices          []Price         `json:"productOfferingPrice,omitzero"`
	// Key names the offering at its service provider, the same wherever the file is loaded.
	Key string `json:"key,omitzero"`
	// OfferingType is one of the kinds above; empty for what demarc does not carry out.
	OfferingType string `json:"offeringType,omitzero"`
	// PaidType is "prepaid" or "postpaid"; empty suits both.
	PaidType string `json:"paidType,omitzero"`
	// OpeningBalance is the money a new line begins with.
	OpeningBalance *money.Amount `json:"openingBalance,omitzero"`
	Allowances     []Allowance   `json:"allowance,omitzero"`
	// Tariff refers to what usage costs on a price plan.
	Tariff        *sid.Ref  `json:"tariff,omitzero"`
	Category      []sid.Ref `json:"category,omitzero"`
	Specification *sid.Ref  `json:"productSpecification,omitzero"`
	// Relationships say what goes with what (TMF620 ProductOfferingRelationship).
	Relationships []Relationship `json:"productOfferingRelationship,omitzero"`
	Terms         []Term         `json:"productOfferingTerm,omitzero"`
	Rest          sid.Rest       `json:",embed"`
}

// Relationship is how an offering stands to another. The types that rules know: RelAddOn (a plan, to an add-on
// that goes with it), RelMigration (a plan, to one that its lines may change to), RelExclusion (an add-on, to
// one that a line cannot have at the same time, or to a plan that does not take it). A plan without RelAddOn
// takes every add-on, one without RelMigration may change to every plan of its paid type.
type Relationship struct {
	ID   string   `json:"id,omitzero"`
	Name string   `json:"name,omitzero"`
	Type string   `json:"relationshipType,omitzero"`
	Rest sid.Rest `json:",embed"`
}

// The relationship types that rules know.
const (
	RelAddOn     = "addOn"
	RelMigration = "migration"
	RelExclusion = "exclusion"
)

// Term is a commitment (TMF620 ProductOfferingTerm).
type Term struct {
	Name        string       `json:"name,omitzero"`
	Description string       `json:"description,omitzero"`
	Duration    sid.Quantity `json:"duration,omitzero"`
	Rest        sid.Rest     `json:",embed"`
}

// Usage types of TMF654, as allowances and buckets have them.
const (
	Monetary = "monetary"
	Voice    = "voice"
	Data     = "data"
	SMS      = "sms"
)

// Units that allowances are counted in, by usage type.
const (
	Seconds  = "seconds"
	Bytes    = "bytes"
	Messages = "messages"
)

var unitOf = map[string]string{Voice: Seconds, Data: Bytes, SMS: Messages}

// Allowance is a bundle that comes with an offering: so much of a usage, for so long.
type Allowance struct {
	Name      string `json:"name"`
	UsageType string `json:"usageType"`
	Amount    int64  `json:"amount"`
	Units     string `json:"units"`
	// ValidityDays is how long a grant lasts, in days of 24 hours; 0 has no end.
	ValidityDays int `json:"validityDays,omitzero"`
	// Recurring has it granted anew each period of the offering's recurring price, until the period's end (or
	// ValidityDays, when that is given); otherwise it is granted once.
	Recurring bool `json:"recurring,omitzero"`
	// Group has all lines of the account share it.
	Group bool `json:"group,omitzero"`
	// Zones are keys of the tariff's zones that it is good for; empty: everything at home that is not
	// international is up to the tariff's zone "home", see rating.
	Zones []string `json:"zones,omitzero"`
	// Roaming are keys of visited-network zones that it is good in beside home; "*" is everywhere.
	Roaming []string `json:"roaming,omitzero"`
	// Priority orders consumption: the lower first; within one, what ends first.
	Priority int       `json:"priority,omitzero"`
	Rollover *Rollover `json:"rollover,omitzero"`
	Rest     sid.Rest  `json:",embed"`
}

// LifecycleStatus is where an offering stands: one of the states of TMF620's lifecycle, in any case of letters.
type LifecycleStatus string

// The states of TMF620's lifecycle.
const (
	InStudy  LifecycleStatus = "In study"
	InDesign LifecycleStatus = "In design"
	InTest   LifecycleStatus = "In test"
	Active   LifecycleStatus = "Active"
	Launched LifecycleStatus = "Launched"
	Retired  LifecycleStatus = "Retired"
	Obsolete LifecycleStatus = "Obsolete"
	Rejected LifecycleStatus = "Rejected"
)

var next = map[LifecycleStatus][]LifecycleStatus{
	InStudy:  {InDesign, InTest, Active, Launched, Rejected},
	InDesign: {InStudy, InTest, Active, Launched, Rejected},
	InTest:   {InDesign, Active, Launched, Rejected},
	Rejected: {InStudy, InDesign},
	Active:   {InTest, Launched, Retired},
	Launched: {Active, Retired},
	Retired:  {Active, Launched, Obsolete},
	Obsolete: {},
}

// May reports whether to may follow.
func (s LifecycleStatus) May(to LifecycleStatus) bool { return s == to || slices.Contains(next[s], to) }

// Sellable refuses an offering that cannot be bought at t, with the reason.
func (v Offering) Sellable(t time.Time) error {
	switch {
	case v.LifecycleStatus != Active && v.LifecycleStatus != Launched:
		return fault.Conflictf(CodeNotSellable, "the offering %s is %s, not Active", v.Name, v.LifecycleStatus)
	case v.IsSellable != nil && !*v.IsSellable:
		return fault.Conflictf(CodeNotSellable, "the offering %s is not sold by itself", v.Name)
	case v.ValidFor != nil && !v.ValidFor.Contains(t):
		return fault.Conflictf(CodeNotSellable, "the offering %s is not sold now", v.Name)
	}
	return nil
}

func (v *Offering) complete() {
	begin(&v.Type, "ProductOffering", &v.LifecycleStatus)
}

// check tells everything that is wrong with an offering by itself.
func (v Offering) check() error {
	var wrong fault.Several
	named(&wrong, v.Name, v.Key, v.LifecycleStatus)
	ordered(&wrong, v.ValidFor)
	if v.OfferingType != "" && !slices.Contains(Kinds(), v.OfferingType) {
		wrong.Invalidf("offeringType", "offeringType is one of %s", strings.Join(Kinds(), ", "))
	}
	if v.PaidType != "" && v.PaidType != "prepaid" && v.PaidType != "postpaid" {
		wrong.Invalidf("paidType", "paidType is prepaid or postpaid")
	}
	if b := v.OpeningBalance; b != nil && (b.Sign() < 0 || b.Micros() > maxMoney) {
		wrong.Invalidf("openingBalance", "an opening balance is not negative, and at most a million")
	}
	for n, p := range v.Prices {
		p.check(&wrong, fmt.Sprintf("productOfferingPrice[%d]", n))
	}
	for n, t := range v.Terms {
		t.check(&wrong, fmt.Sprintf("productOfferingTerm[%d]", n))
	}
	for n, a := range v.Allowances {
		a.check(&wrong, fmt.Sprintf("allowance[%d]", n), v.renews())
	}
	return wrong.Err()
}

// named checks what every resource of the catalogue has.
func named(wrong *fault.Several, name, key string, status LifecycleStatus) {
	if strings.TrimSpace(name) == "" {
		wrong.Invalidf("name", "name is mandatory and must not be blank")
	}
	if key != "" && !keyForm.MatchString(key) {
		wrong.Invalidf("key", "a key is made of letters, digits, - and _")
	}
	if _, known := next[status]; !known {
		wrong.Invalidf("lifecycleStatus", "%q is not a status: it is %s", status, statuses)
	}
}

// statuses are those of the lifecycle as they are told to people.
const statuses = "In study, In design, In test, Active, Launched, Retired, Obsolete or Rejected"

func ordered(wrong *fault.Several, p *sid.Period) { orderedAt(wrong, "validFor", p) }

func orderedAt(wrong *fault.Several, at string, p *sid.Period) {
	if p != nil && p.Start != nil && p.End != nil && !p.Start.Before(*p.End) {
		wrong.Invalidf(at+".endDateTime", "the end is after the start")
	}
}

// renews reports whether it has a recurring price; one that is only referred to may be one.
func (v Offering) renews() bool {
	return slices.ContainsFunc(v.Prices, func(p Price) bool { return p.Due() == Recurring || p.ID != "" })
}

func (a Allowance) check(wrong *fault.Several, at string, renews bool) {
	unit := unitOf[a.UsageType]
	if strings.TrimSpace(a.Name) == "" {
		wrong.Invalidf(at+".name", "an allowance has a name: balances show it")
	}
	switch {
	case unit == "":
		wrong.Invalidf(at+".usageType", "usageType is voice, data or sms")
	case unit != a.Units:
		wrong.Invalidf(at+".units", "an allowance of %s is counted in %s", a.UsageType, unit)
	}
	if most := mostOf[a.UsageType]; unit != "" && (a.Amount <= 0 || a.Amount > most) {
		wrong.Invalidf(at+".amount", "the amount of an allowance is above 0, and at most %d %s", most, unit)
	}
	if a.ValidityDays < 0 || a.ValidityDays > maxDays {
		wrong.Invalidf(at+".validityDays", "validityDays is a number of days up to %d; 0 has no end", maxDays)
	}
	if a.Recurring && !renews {
		wrong.Invalidf(at+".recurring", "an allowance recurs with a recurring price: the offering has none")
	}
	if r := a.Rollover; r != nil {
		switch {
		case !a.Recurring:
			wrong.Invalidf(at+".rollover", "only a recurring allowance has something to roll over")
		case r.Periods < 1 || r.Periods > maxPeriods:
			wrong.Invalidf(at+".rollover.periods", "periods is how many further periods what is left lives, from 1 to %d", maxPeriods)
		case r.Max < 0:
			wrong.Invalidf(at+".rollover.max", "max is not negative; 0 is no bound")
		}
	}
}

const (
	maxDays    = 3660
	maxPeriods = 120
	// maxMoney is the most, in micros, that a price or an opening balance may be: a million.
	maxMoney = 1e12
	// maxLength is how many days, weeks, months or years a period has at most: calendars end with the year 9999.
	maxLength = 1200
)

// mostOf bounds what one allowance takes of the range in which the ledger counts what was ever granted: a petabyte, and
// what nobody talks or writes in a life.
var mostOf = map[string]int64{Data: 1e15, Voice: 1e9, SMS: 1e9}

func (p Price) check(wrong *fault.Several, at string) {
	if _, err := taxRate(p.Tax); err != nil {
		wrong.Invalidf(under(at, "tax.taxRate"), "a tax rate is a percentage such as 8.1")
	} else if p.Price != nil {
		if _, err := p.taxIn(*p.Price); err != nil || p.Price.Micros() > maxMoney {
			wrong.Invalidf(under(at, "price"), "the price is out of range: it is at most a million")
		}
	}
	if p.Price != nil && p.Price.Sign() < 0 && p.Due() != "" {
		wrong.Invalidf(under(at, "price"), "a price is not negative: what is taken off one is its priceAlteration")
	}
	if p.Length < 0 || p.Length > maxLength {
		wrong.Invalidf(under(at, "recurringChargePeriodLength"), "the length of a period is a number from 1 to %d", maxLength)
	}
	if p.Due() == Recurring && p.Period != "" && !Periodic(PeriodNamed(p.Period)) {
		wrong.Invalidf(under(at, "recurringChargePeriodType"), "%q is no period: it is day, week, month or year", p.Period)
	}
	orderedAt(wrong, under(at, "validFor"), p.ValidFor)
	p.checkAlterations(wrong, at)
}

// check refuses a commitment for no time, or for ever.
func (t Term) check(wrong *fault.Several, at string) {
	if len(t.Duration.Amount) == 0 {
		return
	}
	if n, err := strconv.Atoi(plain(t.Duration.Amount)); err != nil || n < 1 || n > maxDays {
		wrong.Invalidf(at+".duration.amount", "a term is a whole number from 1 to %d of its units", maxDays)
	}
}

func (v *Offering) core() core {
	return core{&v.Type, &v.Key, &v.LifecycleStatus, &v.LastUpdate, &v.Rest}
}

// under is the path of an attribute of what stands at a path.
func under(at, name string) string { return strings.TrimPrefix(at+"."+name, ".") }
