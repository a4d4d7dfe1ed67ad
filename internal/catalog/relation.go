package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
)

const (
	// CodeNotFitting is an add-on that does not go with the plan or with what the line holds.
	CodeNotFitting fault.Code = "addOnNotFitting"
	// CodeNoChange is a change of price plan that the catalogue does not allow.
	CodeNoChange fault.Code = "planChangeNotAllowed"
)

// AddOn reports whether the offering is held by a line beside its plan.
func (v Offering) AddOn() bool {
	return v.OfferingType == Package || v.OfferingType == BoltOn || v.OfferingType == VAS
}

// related are the ids of the offerings that v has a relationship of this type to.
func (v Offering) related(kind string) (out []id.ID) {
	for _, r := range v.Relationships {
		if r.Type == kind {
			out = append(out, id.ID(r.ID))
		}
	}
	return out
}

// excludes reports whether one of two offerings rules out the other.
func excludes(a id.ID, va Offering, b id.ID, vb Offering) bool {
	return slices.Contains(va.related(RelExclusion), b) || slices.Contains(vb.related(RelExclusion), a)
}

// MayChange refuses, with a Conflict fault (CodeNoChange) that says why, a line's change from one price plan to
// another. Whether the new one is sold now is not its matter: see Offering.Sellable.
func (s *Service) MayChange(ctx context.Context, from, to id.ID) error {
	a, err := s.known(ctx, from)
	if err != nil {
		return err
	}
	b, err := s.known(ctx, to)
	if err != nil {
		return err
	}
	targets := a.related(RelMigration)
	switch {
	case b.OfferingType != PricePlan:
		return fault.Conflictf(CodeNoChange, "%s is not a price plan", b.Name)
	case from == to:
		return fault.Conflictf(CodeNoChange, "the line is on %s already", b.Name)
	case !suits(a.PaidType, b.PaidType):
		return fault.Conflictf(CodeNoChange, "%s is %s and %s is %s", a.Name, a.PaidType, b.Name, b.PaidType)
	case len(targets) > 0 && !slices.Contains(targets, to):
		return fault.Conflictf(CodeNoChange, "a line cannot change from %s to %s", a.Name, b.Name)
	}
	return nil
}

// suits reports whether two paid types go together; an empty one goes with both.
func suits(a, b string) bool { return a == "" || b == "" || a == b }

// Fits refuses, with a Conflict fault (CodeNotFitting) that says why, an add-on for a line that is on plan and
// holds the offerings held: another paid type, one that the plan does not take, one that excludes another or
// cannot be held twice. Whether it is sold now is not its matter: see Offering.Sellable.
func (s *Service) Fits(ctx context.Context, plan, addOn id.ID, held []id.ID) error {
	p, err := s.known(ctx, plan)
	if err != nil {
		return err
	}
	a, err := s.known(ctx, addOn)
	if err != nil {
		return err
	}
	if err := s.goesWith(ctx, plan, p, addOn, a); err != nil {
		return err
	}
	for _, h := range held {
		if h == addOn {
			if a.OfferingType == BoltOn {
				continue
			}
			return fault.Conflictf(CodeNotFitting, "the line has %s already", a.Name)
		}
		other, err := s.known(ctx, h)
		if err != nil {
			return err
		}
		if excludes(addOn, a, h, other) {
			return fault.Conflictf(CodeNotFitting, "%s cannot be had together with %s", a.Name, other.Name)
		}
	}
	return nil
}

// goesWith is the part of Fits that does not depend on the line.
func (s *Service) goesWith(ctx context.Context, plan id.ID, p Offering, addOn id.ID, a Offering) error {
	takes := p.related(RelAddOn)
	switch {
	case p.OfferingType != PricePlan:
		return fault.Conflictf(CodeNotFitting, "%s is not a price plan", p.Name)
	case !a.AddOn():
		return fault.Conflictf(CodeNotFitting, "%s is not an add-on", a.Name)
	case !suits(p.PaidType, a.PaidType):
		return fault.Conflictf(CodeNotFitting, "%s is %s and %s is %s", p.Name, p.PaidType, a.Name, a.PaidType)
	case len(takes) > 0 && !slices.Contains(takes, addOn):
		return fault.Conflictf(CodeNotFitting, "%s does not go with %s", a.Name, p.Name)
	case excludes(plan, p, addOn, a):
		return fault.Conflictf(CodeNotFitting, "%s cannot be had on %s", a.Name, p.Name)
	}
	return s.zonesKnown(ctx, p, a)
}

// zonesKnown refuses an add-on whose allowances are for zones that the plan's tariff does not have: they could
// never be used.
func (s *Service) zonesKnown(ctx context.Context, p, a Offering) error {
	if p.Tariff == nil || !id.ID(p.Tariff.ID).Is(TariffKind) {
		return nil
	}
	t, err := s.Tariffs.Shared(ctx, id.ID(p.Tariff.ID))
	if err != nil {
		return err
	}
	for _, al := range a.Allowances {
		if zone, ok := al.strange(t); !ok {
			return fault.Conflictf(CodeNotFitting, "%s is for the zone %q, which the tariff of %s does not have", a.Name, zone, p.Name)
		}
	}
	return nil
}

// strange finds a zone of the allowance that the tariff does not have; ok: there is none.
func (a Allowance) strange(t *Tariff) (zone string, ok bool) {
	for _, z := range a.Zones {
		if !t.HasZone(z) {
			return z, false
		}
	}
	for _, z := range a.Roaming {
		if !t.HasRoaming(z) {
			return z, false
		}
	}
	return "", true
}

// bundled are the ids of the offerings that a bundle is made of (TMF620 bundledProductOffering).
func (v Offering) bundled() (out []string) {
	var parts []sid.Ref
	if json.Unmarshal(v.Rest["bundledProductOffering"], &parts) != nil {
		return nil // not a list of references: nothing is made of it
	}
	for _, r := range parts {
		out = append(out, r.ID)
	}
	return out
}

// circular reports whether what start leads to leads back to it.
func circular(start string, leads func(string) ([]string, error)) (bool, error) {
	seen := map[string]bool{}
	open, err := leads(start)
	for ; err == nil && len(open) > 0; open = open[1:] {
		if open[0] == start {
			return true, nil
		}
		if seen[open[0]] {
			continue
		}
		seen[open[0]] = true
		var more []string
		if more, err = leads(open[0]); err == nil {
			open = append(open, more...)
		}
	}
	return false, err
}

// foreign refuses an offering that stands in a relationship to itself, or that is bundled in itself, by way of others
// or not: it could not be told what it is made of.
func (s *Service) foreign(ctx context.Context, i id.ID, v *Offering) error {
	for n, r := range v.Relationships {
		if id.ID(r.ID) == i {
			return fault.Invalidf(fmt.Sprintf("productOfferingRelationship[%d].id", n), "an offering has no relationship to itself")
		}
	}
	if len(v.Rest["bundledProductOffering"]) == 0 {
		return nil
	}
	around, err := circular(string(i), func(at string) ([]string, error) {
		if at == string(i) {
			return v.bundled(), nil
		}
		if !id.ID(at).Is(Kind) {
			return nil, nil
		}
		o, _, err := s.Offerings.Get(ctx, id.ID(at))
		if fault.KindOf(err) == fault.NotFound {
			err = nil
		}
		return o.bundled(), err
	})
	if around {
		return fault.Invalidf("bundledProductOffering", "a bundle does not contain itself, by way of others or not")
	}
	return err
}

// Item is an offering with its id.
type Item struct {
	ID id.ID
	Offering
}

// AddOns are the add-ons that are sold now and go with a price plan, oldest first. What a line holds already
// may rule out some more: see Fits.
func (s *Service) AddOns(ctx context.Context, plan id.ID) ([]Item, error) {
	p, err := s.known(ctx, plan)
	if err != nil {
		return nil, err
	}
	all, err := s.sold(ctx, Package, BoltOn, VAS)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for _, a := range all {
		switch err := s.goesWith(ctx, plan, p, a.ID, a.Offering); {
		case err == nil:
			out = append(out, a)
		case fault.KindOf(err) != fault.Conflict:
			return nil, err
		}
	}
	return out, nil
}

// sold are the offerings of some kinds that can be bought now.
func (s *Service) sold(ctx context.Context, kinds ...string) ([]Item, error) {
	page, err := s.Offerings.Docs(ctx, store.Query{
		Filters: []store.Filter{{Path: []string{"offeringType"}, Op: store.Eq, Values: kinds}}, NoTotal: true,
	})
	if err != nil {
		return nil, err
	}
	now := s.store.Now(ctx)
	var out []Item
	for _, d := range page.Items {
		v, _, err := s.Offerings.Get(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		if v.Sellable(now) == nil {
			out = append(out, Item{d.ID, v})
		}
	}
	return out, nil
}

// known is an offering as it is stored, to look at: what it leads to is shared.
func (s *Service) known(ctx context.Context, i id.ID) (Offering, error) {
	v, err := s.Offerings.Shared(ctx, i)
	if err != nil {
		return Offering{}, err
	}
	return *v, nil
}
