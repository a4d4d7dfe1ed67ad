package subscription

import (
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// The status of what a line holds (TMF637 ProductStatusType).
const (
	HeldActive     = "active"
	HeldSuspended  = "suspended"
	HeldTerminated = "terminated"
)

// Product is what the line holds under an id, in place; nil when it never did.
func (v *Line) Product(i id.ID) *Held {
	for n := range v.Products {
		if v.Products[n].ID == i {
			return &v.Products[n]
		}
	}
	return nil
}

// Hold has the line hold an offering from a moment on, under an id of HeldKind. What it holds under the id already
// stays.
func (v *Line) Hold(i, offering id.ID, o catalog.Offering, at time.Time) (*Held, error) {
	if h := v.Product(i); h != nil {
		return h, nil
	}
	prices, err := LinePrices(o)
	if err != nil {
		return nil, err
	}
	v.Products = append(v.Products, Held{
		ID: i, Type: "Product", Name: o.Name, Offering: &sid.Ref{ID: string(offering), Name: o.Name}, Kind: o.OfferingType,
		Status: HeldActive, StartDate: &at, Prices: prices,
	})
	return &v.Products[len(v.Products)-1], nil
}

// Drop takes out what the line holds under an id, as if it had never been.
func (v *Line) Drop(i id.ID) {
	v.Products = slices.DeleteFunc(v.Products, func(h Held) bool { return h.ID == i })
}

// Ended reports whether the line holds it no more.
func (h Held) Ended() bool { return h.Status == HeldTerminated }

// End ends it; what has ended stays as it is.
func (h *Held) End(at time.Time) {
	if h.Ended() {
		return
	}
	h.Status, h.Renewal, h.TerminationDate = HeldTerminated, nil, &at
}

// HeldOfferings are the offerings that the line holds now beside its plan, as often as it holds them.
func (v Line) HeldOfferings() []id.ID {
	var out []id.ID
	for _, h := range v.Products {
		if !h.Ended() && h.Offering != nil {
			out = append(out, id.ID(h.Offering.ID))
		}
	}
	return out
}

// EnterPlan puts the line on a plan from a moment on. Where the renewal of the plan before it stood is kept with
// that plan, for LeavePlan.
func (v *Line) EnterPlan(offering id.ID, o catalog.Offering, at time.Time) (err error) {
	if v.Prices, err = LinePrices(o); err != nil {
		return err
	}
	if n := len(v.Plans); n > 0 {
		if v.Plans[n-1].Offering == offering && v.Renewal == nil && (v.State == Pending || v.ToBegin()) {
			v.Plans[n-1].ToBegin = false
			return nil // the plan that the line was made with
		}
		v.Plans[n-1].Renewal = v.Renewal
	}
	v.Renewal, v.Name = nil, o.Name
	v.Offering = &sid.Ref{ID: string(offering), Name: o.Name}
	v.Plans = append(v.Plans, PlanPeriod{Offering: offering, Name: o.Name, Prices: v.Prices, From: at})
	return nil
}

// ToBegin reports whether the line is on a plan that begins with its first use; see PlanPeriod.ToBegin.
func (v Line) ToBegin() bool { n := len(v.Plans); return n > 0 && v.Plans[n-1].ToBegin }

// PlanBegan notes that the plan the line is on has begun, or never will.
func (v *Line) PlanBegan() {
	if v.ToBegin() {
		v.Plans[len(v.Plans)-1].ToBegin = false
	}
}

// LeavePlan takes back EnterPlan: the line is on the plan before, as if it had never left it. The first plan of a
// line stays; it is renewed no more.
func (v *Line) LeavePlan() {
	n := len(v.Plans) - 1
	if n < 1 {
		v.Renewal = nil
		return
	}
	was := &v.Plans[n-1]
	v.Plans, v.Renewal, v.Name, v.Prices = v.Plans[:n], was.Renewal, was.Name, was.Prices
	was.Renewal = nil
	v.Offering = &sid.Ref{ID: string(was.Offering), Name: was.Name}
}

// Plan is the plan that the line is on; nil for one without a plan, and for one that is blocked since its plan was
// taken off. The product inventory shows the plan that a blocked line was on last, since a product always has an
// offering there (TMF637 conformance profile).
func (v Line) Plan() *sid.Ref {
	if v.StateReason == BecauseBlocked {
		return nil
	}
	return v.Offering
}

// PlanAt is the plan that the line was on at a moment: the first for one before it began, empty for a line without
// plans.
func (v Line) PlanAt(t time.Time) id.ID {
	for n := len(v.Plans) - 1; n >= 0; n-- {
		if n == 0 || !t.Before(v.Plans[n].From) {
			return v.Plans[n].Offering
		}
	}
	if v.Offering != nil {
		return id.ID(v.Offering.ID)
	}
	return ""
}

// Resource is the id of the first resource of a kind that realizes the line: its number, its SIM; empty when there is
// none.
func (v Line) Resource(k id.Kind) id.ID {
	for _, r := range v.Resources {
		if id.ID(r.ID).Is(k) {
			return id.ID(r.ID)
		}
	}
	return ""
}
