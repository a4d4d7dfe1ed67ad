// Package catalog keeps what can be bought: product offerings with their prices, opening balance and
// bundles (TMF620 Product Catalog). Price plans come from a file that people can read; see Parse.
package catalog

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// Kind is the id kind of product offerings.
var Kind = id.Kind{Name: "productOffering", Prefix: "off"}

const (
	// CodeNotSellable is an order for an offering that cannot be bought now.
	CodeNotSellable fault.Code = "offeringNotSellable"
	// CodeState is a lifecycle status that may not follow the present one.
	CodeState fault.Code = "stateNotAllowed"
)

const keyClaim = "productOffering.key"

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

// Offering is something that can be bought (TMF620 ProductOffering). Key, OfferingType, PaidType,
// OpeningBalance and Allowances extend the standard.
type Offering struct {
	Type            string          `json:"@type,omitzero"`
	Name            string          `json:"name,omitzero"`
	Description     string          `json:"description,omitzero"`
	LifecycleStatus LifecycleStatus `json:"lifecycleStatus,omitzero"`
	LastUpdate      time.Time       `json:"lastUpdate,omitzero"`
	IsBundle        bool            `json:"isBundle"`
	IsSellable      *bool           `json:"isSellable,omitzero"`
	ValidFor        *sid.Period     `json:"validFor,omitzero"`
	Prices          []Price         `json:"productOfferingPrice,omitzero"`
	// Key names the offering at its service provider, the same wherever the file is loaded.
	Key          string `json:"key,omitzero"`
	OfferingType string `json:"offeringType,omitzero"`
	// OfferingType is one of the kinds above; empty for what demarc does not carry out.
	// PaidType is "prepaid" or "postpaid"; empty suits both.
	PaidType string `json:"paidType,omitzero"`
	// OpeningBalance is the money a new line begins with.
	OpeningBalance *money.Amount `json:"openingBalance,omitzero"`
	Allowances     []Allowance   `json:"allowance,omitzero"`
	// Tariff refers to what usage costs on a price plan.
	Tariff   *sid.Ref  `json:"tariff,omitzero"`
	Category []sid.Ref `json:"category,omitzero"`
	// Relationships say what goes with what (TMF620 ProductOfferingRelationship).
	Relationships []Relationship `json:"productOfferingRelationship,omitzero"`
	Terms         []Term         `json:"productOfferingTerm,omitzero"`
	Rest          sid.Rest       `json:",embed"`
}

// Relationship is how an offering stands to another. The types that rules know: RelAddOn (a plan, to an add-on
// that goes with it), RelMigration (a plan, to one that its lines may change to), RelExclusion (an add-on, to
// one that a line cannot have at the same time). A plan without RelAddOn takes every add-on, one without
// RelMigration may change to every plan of its paid type.
type Relationship struct {
	ID   string   `json:"id"`
	Name string   `json:"name,omitzero"`
	Type string   `json:"relationshipType"`
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

// Price is what an offering costs (TMF620 ProductOfferingPrice, held by value). Price includes the tax.
type Price struct {
	Type      string        `json:"@type,omitzero"`
	Name      string        `json:"name,omitzero"`
	PriceType string        `json:"priceType,omitzero"` // "oneTime" or "recurring"
	Period    string        `json:"recurringChargePeriodType,omitzero"`
	Length    int           `json:"recurringChargePeriodLength,omitzero"`
	Price     *money.Amount `json:"price,omitzero"`
	Tax       []Tax         `json:"tax,omitzero"`
	Rest      sid.Rest      `json:",embed"`
}

// Tax is a tax that a price includes; the rate is in percent.
type Tax struct {
	Category string         `json:"taxCategory,omitzero"`
	Rate     jsontext.Value `json:"taxRate,omitzero"`
	Rest     sid.Rest       `json:",embed"`
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

// LifecycleStatus is where an offering stands. The states of TMF620's lifecycle have rules; other text is
// kept as it came.
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

// May reports whether to may follow; a status without rules may be entered and left freely.
func (s LifecycleStatus) May(to LifecycleStatus) bool {
	allowed, known := next[s]
	_, ruled := next[to]
	return s == to || !known || !ruled || slices.Contains(allowed, to)
}

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

// Charge is an amount with the part of it that is tax.
type Charge struct {
	Name       string
	Gross, Tax money.Amount
	Recurring  bool
}

// FirstCharges is what an offering costs when it is bought: every one-time price and the first period of
// every recurring one, each rounded to what can be paid.
func (v Offering) FirstCharges() ([]Charge, error) {
	var out []Charge
	for _, p := range v.Prices {
		if p.Price == nil || p.Price.IsZero() {
			continue
		}
		gross := p.Price.Round()
		tax, err := p.taxIn(gross)
		if err != nil {
			return nil, err
		}
		out = append(out, Charge{Name: p.Name, Gross: gross, Tax: tax, Recurring: p.PriceType == "recurring"})
	}
	return out, nil
}

// taxIn is the part of a gross amount that is tax: gross × rate ÷ (100 + rate).
func (p Price) taxIn(gross money.Amount) (money.Amount, error) {
	sum := decimal.MustNew(0, 0)
	for _, t := range p.Tax {
		rate, err := decimal.Parse(strings.Trim(string(t.Rate), `"`))
		if err != nil || rate.IsNeg() {
			return money.Amount{}, fault.Invalidf("productOfferingPrice.tax.taxRate", "a tax rate is a percentage such as 8.1")
		}
		if sum, err = sum.Add(rate); err != nil {
			return money.Amount{}, fault.Invalidf("productOfferingPrice.tax.taxRate", "the tax rate is out of range")
		}
	}
	whole, err := sum.Add(decimal.MustNew(100, 0))
	if err != nil {
		return money.Amount{}, fault.Invalidf("productOfferingPrice.tax.taxRate", "the tax rate is out of range")
	}
	share, err := sum.Quo(whole)
	if err != nil {
		return money.Amount{}, fault.Invalidf("productOfferingPrice.tax.taxRate", "the tax rate is out of range")
	}
	tax, err := gross.Mul(share)
	return tax.Round(), err
}

func (v *Offering) begin() error {
	if v.Type == "" {
		v.Type = "ProductOffering"
	}
	if v.LifecycleStatus == "" {
		v.LifecycleStatus = InStudy
	}
	return v.check()
}

func (v Offering) check() error {
	if strings.TrimSpace(v.Name) == "" {
		return fault.Invalidf("name", "name is mandatory and must not be blank")
	}
	if _, err := v.FirstCharges(); err != nil {
		return err
	}
	for _, a := range v.Allowances {
		if a.Amount <= 0 || unitOf[a.UsageType] == "" || unitOf[a.UsageType] != a.Units || a.ValidityDays < 0 {
			return fault.Invalidf("allowance", "an allowance has a usageType (voice, data, sms), an amount above 0 in its units (seconds, bytes, messages) and a validity in days")
		}
	}
	return nil
}

var unitOf = map[string]string{Voice: Seconds, Data: Bytes, SMS: Messages}

func (v *Offering) follow(prev *Offering) error {
	if err := v.check(); err != nil {
		return err
	}
	if !prev.LifecycleStatus.May(v.LifecycleStatus) {
		return fault.Conflictf(CodeState, "an offering that is %s cannot become %s", prev.LifecycleStatus, v.LifecycleStatus).At("lifecycleStatus")
	}
	return nil
}

// Service is the catalogue.
type Service struct {
	Offerings *resource.Set[Offering]
	store     *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store) *Service {
	c := &Service{store: s}
	c.Offerings = resource.New(s, store.Definition{
		Kind: Kind, Table: "product_offering",
		Indexed: map[string]string{"name": "name", "lifecycleStatus": "lifecycle_status"},
	}, resource.Rules[Offering]{
		Domain: "productCatalogManagement",
		Create: func(ctx context.Context, i id.ID, v *Offering, _ time.Time) error {
			if err := v.begin(); err != nil || v.Key == "" {
				return err
			}
			return s.Claim(ctx, keyClaim, v.Key, i)
		},
		Change: func(_ context.Context, prev, v *Offering, _ time.Time) error { return v.follow(prev) },
		After: func(ctx context.Context, _ id.ID, prev, next *Offering) error {
			if next != nil || prev.Key == "" {
				return nil
			}
			return s.Unclaim(ctx, keyClaim, prev.Key)
		},
		State: func(v *Offering) string { return string(v.LifecycleStatus) },
		Touch: func(v *Offering, now time.Time) { v.LastUpdate = now },
		Fixed: []string{"key"},
	})
	return c
}

// ByKey is the id of the offering with this key; a NotFound fault when there is none.
func (s *Service) ByKey(ctx context.Context, key string) (id.ID, error) {
	i, err := s.store.Claimant(ctx, keyClaim, key)
	if err == nil && i == "" {
		err = fault.NotFoundf("there is no offering with the key %q", key)
	}
	return i, err
}

// Load brings the catalogue to what the offerings say, matched by key, in one transaction. Offerings that
// are as they should be are not touched, so that loading twice changes nothing; those it does not name stay.
func (s *Service) Load(ctx context.Context, offerings []Offering) (changed int, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		changed = 0
		for n := range offerings {
			did, err := s.put(ctx, &offerings[n])
			if err != nil {
				return err
			}
			if did {
				changed++
			}
		}
		return nil
	})
	return changed, err
}

func (s *Service) put(ctx context.Context, v *Offering) (changed bool, err error) {
	i, err := s.store.Claimant(ctx, keyClaim, v.Key)
	if err != nil {
		return false, err
	}
	if i == "" {
		_, _, err := s.Offerings.Add(ctx, v)
		return true, err
	}
	present, _, err := s.Offerings.Get(ctx, i)
	if err != nil {
		return false, err
	}
	next := *v
	next.Type, next.LastUpdate = present.Type, present.LastUpdate
	same, err := equal(present, next)
	if err != nil || same {
		return false, err
	}
	_, err = s.Offerings.Change(ctx, i, func(v *Offering) error { *v = next; return nil })
	return true, err
}

func equal(a, b Offering) (bool, error) {
	x, err := json.Marshal(a, json.Deterministic(true))
	if err != nil {
		return false, fault.Internalf(err, "an offering cannot be encoded")
	}
	y, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		return false, fault.Internalf(err, "an offering cannot be encoded")
	}
	return string(x) == string(y), nil
}
