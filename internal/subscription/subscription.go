// Package subscription keeps the lines: a mobile number and a SIM on a price plan, held by an account
// (TMF637 Product; operators call it a subscription).
package subscription

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// Kind is the id kind of lines; on the wire of TMF637 they are products.
var Kind = id.Kind{Name: "product", Prefix: "sub"}

const numberClaim = "subscription.msisdn"

// Line is a subscription.
type Line struct {
	Type string `json:"@type,omitzero"`
	Name string `json:"name,omitzero"`
	// State is demarc's own; Status is what TMF637 calls it, always derived from State.
	State  State  `json:"state,omitzero"`
	Status string `json:"status,omitzero"`

	AccountID id.ID         `json:"accountId,omitzero"`
	MSISDN    msisdn.Number `json:"msisdn,omitzero"`
	// NumberOwnership says where the number comes from: "own" pool, or "portedIn".
	NumberOwnership string `json:"mobileNumberOwnership,omitzero"`
	ICCID           string `json:"iccid,omitzero"`
	IMSI            string `json:"imsi,omitzero"`
	// SubscriptionType is "prepaid" or "postpaid".
	SubscriptionType string `json:"subscriptionType,omitzero"`

	BillingAccount  *sid.Ref             `json:"billingAccount,omitzero"`
	Offering        *sid.Ref             `json:"productOffering,omitzero"`
	Prices          []Price              `json:"productPrice,omitzero"`
	Characteristics []sid.Characteristic `json:"productCharacteristic,omitzero"`
	RelatedParty    []sid.Ref            `json:"relatedParty,omitzero"`
	Resources       []sid.Ref            `json:"realizingResource,omitzero"`
	OrderItems      []OrderItem          `json:"productOrderItem,omitzero"`

	// Products are what the line holds beside its plan: add-ons and value-added services (TMF637 product).
	Products []Held `json:"product,omitzero"`
	// Plans are the plans it was on, the oldest first; the last is that of Offering.
	Plans []PlanPeriod `json:"planHistory,omitzero"`
	// Renewal is how the plan's recurring price goes on; nil for a plan without one.
	Renewal *Renewal `json:"renewal,omitzero"`
	// CreditLimit is how far below zero its money may go, MonthlySpendLimit the most it may spend on usage in a
	// calendar month of the service provider's time zone; nil: nothing, and no bound.
	CreditLimit       *money.Amount `json:"creditLimit,omitempty"`
	MonthlySpendLimit *money.Amount `json:"monthlySpendLimit,omitempty"`
	// StateReason says why it is in its state, where there is more to say: one of the Because constants, or free text.
	StateReason string `json:"stateReason,omitzero"`
	// StateSince is when it entered its state.
	StateSince *time.Time `json:"stateSince,omitzero"`
	// entered says that Enter has set the state with its reason and moment.
	entered bool

	// Recorded is a product that is no line: somebody recorded it here, and it is kept as it came.
	Recorded bool `json:"isRecord,omitzero"`

	OrderDate       *time.Time `json:"orderDate,omitzero"`
	StartDate       *time.Time `json:"startDate,omitzero"`
	TerminationDate *time.Time `json:"terminationDate,omitzero"`
	Rest            sid.Rest   `json:",embed"`
}

// HeldKind is the id kind of what a line holds beside its plan.
var HeldKind = id.Kind{Name: "heldProduct", Prefix: "prd"}

// Held is an add-on or value-added service of a line, by value (TMF637 ProductRefOrValue).
type Held struct {
	ID       id.ID    `json:"id"`
	Type     string   `json:"@type,omitzero"`
	Name     string   `json:"name,omitzero"`
	Offering *sid.Ref `json:"productOffering,omitzero"`
	// Kind is the offering's: catalog.Package, BoltOn or VAS.
	Kind string `json:"offeringType,omitzero"`
	// Status is active, suspended (a renewal is unpaid) or terminated.
	Status          string     `json:"status"`
	StartDate       *time.Time `json:"startDate,omitzero"`
	TerminationDate *time.Time `json:"terminationDate,omitzero"`
	Prices          []Price    `json:"productPrice,omitzero"`
	Renewal         *Renewal   `json:"renewal,omitzero"`
	Rest            sid.Rest   `json:",embed"`
}

// PlanPeriod is a time on a plan.
type PlanPeriod struct {
	Offering id.ID     `json:"offering"`
	Name     string    `json:"name,omitzero"`
	From     time.Time `json:"from"`
	Prices   []Price   `json:"productPrice,omitzero"`
	// Renewal is where the plan's renewal stood when the line left it; nil while it is on it.
	Renewal *Renewal `json:"renewal,omitzero"`
	// ToBegin is a plan that a line was made with ahead of its sale, and that has not charged or granted anything yet.
	ToBegin bool `json:"toBegin,omitzero"`
}

// Renewal is where a recurring price stands.
type Renewal struct {
	// Anchor is the moment of the first period's start; each next period begins as many periods later, in the
	// service provider's time zone, on the month's last day where it has no such day.
	Anchor time.Time `json:"anchor"`
	// Count is how many periods have begun since the anchor, Next when the next is due: the moment that many periods
	// after it.
	Count int       `json:"count"`
	Next  time.Time `json:"next"`
	// Before counts the periods that began before the anchor, when the periods were counted anew: discounts for so many
	// periods go by both.
	Before int `json:"periodsBefore,omitzero"`
	// UnpaidSince is when the renewal that is due was first refused for want of money; nil: all is paid.
	UnpaidSince *time.Time `json:"unpaidSince,omitzero"`
}

// OrderItem names the order that made or changed the line (TMF637 RelatedProductOrderItem).
type OrderItem struct {
	Action string   `json:"orderItemAction,omitzero"`
	Order  id.ID    `json:"productOrderId,omitzero"`
	Item   string   `json:"orderItemId,omitzero"`
	Rest   sid.Rest `json:",embed"`
}

// Price is what the line costs (TMF637 ProductPrice), an order (TMF622 OrderPrice) or a cart (TMF663 CartPrice).
type Price struct {
	Name      string      `json:"name,omitzero"`
	PriceType string      `json:"priceType,omitzero"`
	Period    string      `json:"recurringChargePeriod,omitzero"`
	Price     PriceAmount `json:"price"`
	// Alterations are the discounts on it, as orders and carts call them, and Lowered as lines do.
	Alterations []PriceAlteration `json:"priceAlteration,omitzero"`
	Lowered     []PriceAlteration `json:"productPriceAlteration,omitzero"`
	Rest        sid.Rest          `json:",embed"`
}

// PriceAlteration is a discount on a price (TMF622, TMF637 and TMF663 PriceAlteration). Its amounts are negative: what
// is charged is the sum of the price and those that last.
type PriceAlteration struct {
	Name        string `json:"name,omitzero"`
	Description string `json:"description,omitzero"`
	PriceType   string `json:"priceType,omitzero"`
	Period      string `json:"recurringChargePeriod,omitzero"`
	// Duration is how many periods of a recurring price it lasts, from the first; 0 has no end.
	Duration int         `json:"applicationDuration,omitzero"`
	Price    PriceAmount `json:"price"`
	Rest     sid.Rest    `json:",embed"`
}

// LastsTo reports whether the discount is taken off the n-th period, counted from 0.
func (a PriceAlteration) LastsTo(n int) bool { return a.Duration == 0 || n < a.Duration }

// Discounts are the price's, whatever they are called.
func (p Price) Discounts() []PriceAlteration {
	return append(slices.Clone(p.Alterations), p.Lowered...)
}

// At is what is charged for the n-th period, counted from 0, with its discounts taken off.
func (p Price) At(n int) (PriceAmount, error) {
	out := PriceAmount{TaxIncluded: p.Price.TaxIncluded.Round(), DutyFree: p.Price.DutyFree}
	for _, a := range p.Discounts() {
		if !a.LastsTo(n) {
			continue
		}
		var err error
		if out.TaxIncluded, err = out.TaxIncluded.Add(a.Price.TaxIncluded); err != nil {
			return out, err
		}
		if out.DutyFree, err = out.DutyFree.Add(a.Price.DutyFree); err != nil {
			return out, err
		}
	}
	return out, nil
}

// PriceAmount is an amount with and without its tax (TMF637 Price). One that has no currency was not said: both are
// optional in products that clients record.
type PriceAmount struct {
	TaxIncluded money.Amount `json:"taxIncludedAmount"`
	DutyFree    money.Amount `json:"dutyFreeAmount"`
	Rest        sid.Rest     `json:",embed"`
}

// priceAmountDoc is a PriceAmount as it is written.
type priceAmountDoc struct {
	TaxIncluded *money.Amount `json:"taxIncludedAmount,omitempty"`
	DutyFree    *money.Amount `json:"dutyFreeAmount,omitempty"`
	Rest        sid.Rest      `json:",embed"`
}

// MarshalJSONTo leaves out what was not said.
func (v PriceAmount) MarshalJSONTo(enc *jsontext.Encoder) error {
	d := priceAmountDoc{Rest: v.Rest}
	if v.TaxIncluded.Currency() != "" {
		d.TaxIncluded = &v.TaxIncluded
	}
	if v.DutyFree.Currency() != "" {
		d.DutyFree = &v.DutyFree
	}
	return json.MarshalEncode(enc, d, json.Deterministic(true))
}

// UnmarshalJSONFrom reads what is said.
func (v *PriceAmount) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var d priceAmountDoc
	if err := json.UnmarshalDecode(dec, &d); err != nil {
		return err
	}
	*v = PriceAmount{Rest: d.Rest}
	if d.TaxIncluded != nil {
		v.TaxIncluded = *d.TaxIncluded
	}
	if d.DutyFree != nil {
		v.DutyFree = *d.DutyFree
	}
	return nil
}

// PricesOf is what a line on an offering costs.
func PricesOf(o catalog.Offering) ([]Price, error) {
	out := make([]Price, 0, len(o.Prices))
	for _, p := range o.Prices {
		if p.Price == nil {
			continue
		}
		net, err := p.Net()
		if err != nil {
			return nil, err
		}
		lowered, err := alterations(p)
		if err != nil {
			return nil, err
		}
		out = append(out, Price{
			Name: p.Name, PriceType: p.PriceType, Period: p.Period, Alterations: lowered,
			Price: PriceAmount{TaxIncluded: *p.Price, DutyFree: net},
		})
	}
	return out, nil
}

func alterations(p catalog.Price) ([]PriceAlteration, error) {
	all, err := p.Discounts()
	if err != nil {
		return nil, err
	}
	var out []PriceAlteration
	for _, d := range all {
		net, err := d.Gross.Add(d.Tax.Neg())
		if err != nil {
			return nil, err
		}
		a := PriceAlteration{
			Name: d.Name, Description: d.Description, PriceType: p.PriceType, Period: p.Period, Duration: d.Periods,
			Price: PriceAmount{TaxIncluded: d.Gross.Neg(), DutyFree: net.Neg()},
		}
		if d.Percentage != "" {
			a.Price.Rest = sid.Rest{"percentage": jsontext.Value(d.Percentage)}
		}
		out = append(out, a)
	}
	return out, nil
}

// LinePrices are PricesOf as a line keeps them.
func LinePrices(o catalog.Offering) ([]Price, error) {
	out, err := PricesOf(o)
	for n := range out {
		out[n].Lowered, out[n].Alterations = out[n].Alterations, nil
	}
	return out, err
}

// Service is all lines.
type Service struct {
	Lines     *resource.Set[Line]
	store     *store.Store
	accounts  *account.Service
	providers *provider.Service
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, accounts *account.Service, providers *provider.Service) *Service {
	v := &Service{store: s, accounts: accounts, providers: providers}
	v.Lines = resource.New(s, store.Definition{
		Kind: Kind, Table: "subscription",
		Indexed: map[string]string{"accountId": "account_id", "msisdn": "msisdn", "status": "status", "state": "state", "iccid": "iccid", "imsi": "imsi"},
		Loose:   []string{"product"}, // held by value: their ids are the line's own
	}, v.rules())
	s.React(v.accountMoved, "BillingAccountStateChangeEvent")
	return v
}

// Resolve finds a line by its id, or by its mobile number in any spelling; a national number is read with
// the service provider's country. Nothing found is a NotFound fault.
func (s *Service) Resolve(ctx context.Context, text string) (id.ID, Line, error) {
	i := id.ID(text)
	if !i.Is(Kind) {
		n, err := s.number(ctx, text)
		if err != nil {
			return "", Line{}, err
		}
		if i, err = s.store.Claimant(ctx, numberClaim, string(n)); err != nil {
			return "", Line{}, err
		}
		if i == "" {
			return "", Line{}, fault.NotFoundf("there is no subscription with the mobile number %s", n.E123())
		}
	}
	v, _, err := s.Lines.Get(ctx, i)
	if err == nil && v.Recorded {
		err = fault.NotFoundf("the product %s is recorded, and no subscription", i)
	}
	return i, v, err
}

func (s *Service) number(ctx context.Context, text string) (msisdn.Number, error) {
	if n, err := msisdn.Parse(text, ""); err == nil {
		return n, nil
	}
	p, err := s.providers.Current(ctx)
	if err != nil && fault.KindOf(err) != fault.Conflict {
		return "", err
	}
	return msisdn.Parse(text, p.Country)
}

// Number reads a mobile number in any spelling, a national one with the service provider's country.
func (s *Service) Number(ctx context.Context, text string) (msisdn.Number, error) {
	return s.number(ctx, text)
}

// Move brings a line to a state. Being there already changes nothing.
func (s *Service) Move(ctx context.Context, i id.ID, to State) (Line, error) {
	return s.MoveFor(ctx, i, to, "")
}

// MoveFor is Move with the reason why.
func (s *Service) MoveFor(ctx context.Context, i id.ID, to State, reason string) (v Line, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if v, _, err = s.Lines.Get(ctx, i); err != nil || v.State == to {
			return err
		}
		v, err = s.Lines.Change(ctx, i, func(v *Line) error {
			v.Enter(to, reason, s.store.Now(ctx))
			return nil
		})
		return err
	})
	return v, err
}

// Wake makes a line active that is about to be used and was not yet, or not for long: one that is Available or
// Dormant. Any other it leaves as it is.
func (s *Service) Wake(ctx context.Context, i id.ID, v Line) (Line, error) {
	if v.State != Available && v.State != Dormant {
		return v, nil
	}
	return s.MoveFor(ctx, i, Active, BecauseUsed)
}
