package catalog

import (
	"cmp"
	"context"
	"slices"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// Selection is what can be chosen with a price plan now.
type Selection struct {
	// AddOns are packages and bolt-ons, Services value-added services, Plans what its lines may change to.
	AddOns, Services, SIMs, Devices, Plans []Item
}

// Selectable is what can be chosen with a price plan; with any other offering, nothing.
func (s *Service) Selectable(ctx context.Context, plan id.ID) (out Selection, err error) {
	p, _, err := s.Offerings.Get(ctx, plan)
	if err != nil || p.OfferingType != PricePlan {
		return out, err
	}
	held, err := s.AddOns(ctx, plan)
	if err != nil {
		return out, err
	}
	for _, a := range held {
		if a.OfferingType == VAS {
			out.Services = append(out.Services, a)
		} else {
			out.AddOns = append(out.AddOns, a)
		}
	}
	others, err := s.sold(ctx, SIMCard, Device, PricePlan)
	if err != nil {
		return out, err
	}
	for _, o := range others {
		switch {
		case o.OfferingType == PricePlan:
			switch err := s.MayChange(ctx, plan, o.ID); {
			case err == nil:
				out.Plans = append(out.Plans, o)
			case fault.KindOf(err) != fault.Conflict:
				return out, err
			}
		case !suits(p.PaidType, o.PaidType) || excludes(plan, p, o.ID, o.Offering):
		case o.OfferingType == SIMCard:
			out.SIMs = append(out.SIMs, o)
		default:
			out.Devices = append(out.Devices, o)
		}
	}
	return out, nil
}

// Facet is an attribute that offerings can be chosen by, with the values that those sold now have.
type Facet struct {
	// Attribute is the path that lists are filtered by ("category.id").
	Attribute string
	Values    []FacetValue
}

// FacetValue is one value of a facet, what it is called, and how many offerings have it.
type FacetValue struct {
	Value, Name string
	Count       int
}

// Facets are the attributes that offerings can be chosen by: kind, paid type and category.
func (s *Service) Facets(ctx context.Context) ([]Facet, error) {
	all, err := s.sold(ctx, Kinds()...)
	if err != nil {
		return nil, err
	}
	kinds, paid, categories, names := map[string]int{}, map[string]int{}, map[string]int{}, map[string]string{}
	for _, o := range all {
		kinds[o.OfferingType]++
		if o.PaidType != "" {
			paid[o.PaidType]++
		}
		for _, c := range o.Category {
			categories[c.ID]++
			names[c.ID] = c.Name
		}
	}
	return []Facet{facet("offeringType", kinds, nil), facet("paidType", paid, nil), facet("category.id", categories, names)}, nil
}

func facet(attribute string, counts map[string]int, names map[string]string) Facet {
	f := Facet{Attribute: attribute, Values: []FacetValue{}}
	for value, n := range counts {
		f.Values = append(f.Values, FacetValue{Value: value, Name: cmp.Or(names[value], value), Count: n})
	}
	slices.SortFunc(f.Values, func(a, b FacetValue) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) })
	return f
}

// Shelf is a category with how many offerings of some kinds are in it.
type Shelf struct {
	ID id.ID
	Category
	Count int
}

// Shelves are the categories that hold offerings of some kinds which are sold now, by name.
func (s *Service) Shelves(ctx context.Context, kinds ...string) ([]Shelf, error) {
	all, err := s.sold(ctx, kinds...)
	if err != nil {
		return nil, err
	}
	counts := map[id.ID]int{}
	for _, o := range all {
		for _, c := range o.Category {
			counts[id.ID(c.ID)]++
		}
	}
	out := make([]Shelf, 0, len(counts))
	for i, n := range counts {
		if !i.Is(CategoryKind) {
			continue
		}
		v, _, err := s.Categories.Get(ctx, i)
		if err != nil {
			return nil, err
		}
		out = append(out, Shelf{i, v, n})
	}
	slices.SortFunc(out, func(a, b Shelf) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}
