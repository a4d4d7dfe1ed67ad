package simulate

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/store"
)

// shop is what is sold, as far as people know it.
type shop struct {
	// plans stand in the order of their prices.
	plans []plan
}

// plan is a price plan with what goes with it.
type plan struct {
	id   id.ID
	name string
	// charge is what a period costs, and first what a new line costs beyond that and is given, in micros.
	charge, first, opening int64
	period                 renewal.Period
	renews                 bool
	addOns                 []addOn
	places                 *places
	// megabytes is what one can use a day within what the plan grants, most days.
	megabytes float64
}

// addOn is something for a line that is there; what it grants ends after so many days (0: it renews with the plan).
type addOn struct {
	id    id.ID
	name  string
	price int64
	data  bool
	days  int
}

// places are where calls go, and from where.
type places struct {
	home     []string
	abroad   []string
	networks []string
}

// openShop reads the catalogue.
func openShop(ctx context.Context, h *house.House) (*shop, error) {
	s := &shop{}
	page, err := h.Catalog.Offerings.Docs(ctx, store.Query{NoTotal: true})
	if err != nil {
		return nil, err
	}
	for _, d := range page.Items {
		o, err := h.Catalog.Offering(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		if o.OfferingType != catalog.PricePlan || o.PaidType != "" && o.PaidType != "prepaid" || o.Sellable(h.Store.Now(ctx)) != nil {
			continue
		}
		p, err := planOf(ctx, h, d.ID, o)
		if err != nil {
			return nil, err
		}
		s.plans = append(s.plans, p)
	}
	if len(s.plans) == 0 {
		return nil, errors.New("the catalogue has no prepaid plan to sell")
	}
	slices.SortFunc(s.plans, func(a, b plan) int {
		return cmp.Or(cmp.Compare(a.charge, b.charge), strings.Compare(a.name, b.name))
	})
	return s, nil
}

func planOf(ctx context.Context, h *house.House, i id.ID, o catalog.Offering) (p plan, err error) {
	p = plan{id: i, name: o.Name, places: &places{home: []string{"336", "337", "331", "334"}}}
	charges, err := o.FirstCharges()
	if err != nil {
		return p, err
	}
	for _, c := range charges {
		if c.Recurring {
			p.charge += c.Gross.Micros()
		} else {
			p.first += c.Gross.Micros()
		}
	}
	if o.OpeningBalance != nil {
		p.opening = o.OpeningBalance.Micros()
	}
	if p.period, p.renews, err = renewal.PeriodOf(o); err != nil {
		return p, err
	}
	days := 30.0
	if now := h.Store.Now(ctx); p.renews {
		days = p.period.After(now, 1, time.UTC).Sub(now).Hours() / 24
	}
	p.megabytes = 1
	for _, al := range o.Allowances {
		if strings.EqualFold(al.UsageType, "data") {
			p.megabytes = max(p.megabytes, float64(al.Amount)/1e6/days*0.45)
		}
	}
	if o.Tariff != nil {
		t, _, err := h.Catalog.Tariffs.Get(ctx, id.ID(o.Tariff.ID))
		if err != nil {
			return p, err
		}
		p.places = placesOf(t)
	}
	all, err := h.Catalog.AddOns(ctx, i)
	if err != nil {
		return p, err
	}
	for _, item := range all {
		a := addOn{id: item.ID, name: item.Offering.Name}
		charges, err := item.Offering.FirstCharges()
		if err != nil {
			return p, err
		}
		for _, c := range charges {
			a.price += c.Gross.Micros()
		}
		for _, al := range item.Offering.Allowances {
			a.data = a.data || strings.EqualFold(al.UsageType, "data")
			a.days = max(a.days, al.ValidityDays)
		}
		p.addOns = append(p.addOns, a)
	}
	slices.SortFunc(p.addOns, func(a, b addOn) int { return cmp.Or(cmp.Compare(a.price, b.price), strings.Compare(a.name, b.name)) })
	return p, nil
}

// placesOf reads where one can call from a tariff's zones.
func placesOf(t catalog.Tariff) *places {
	p := &places{}
	for n, z := range t.Zones {
		if n == 0 {
			p.home = z.Prefixes
		} else {
			p.abroad = append(p.abroad, z.Prefixes...)
		}
		p.networks = append(p.networks, z.Networks...)
	}
	if len(p.home) == 0 {
		p.home = []string{"336", "337"}
	}
	return p
}

// number draws whom a subscriber calls.
func (w *places) number(r *rand.Rand, abroad float64) string {
	from := w.home
	if len(w.abroad) > 0 && r.Float64() < abroad {
		from = w.abroad
	}
	return "+" + from[r.IntN(len(from))] + strconv.Itoa(10_000_000 + r.IntN(89_999_999))[:7]
}

// network draws a network abroad.
func (w *places) network(r *rand.Rand) string {
	if len(w.networks) == 0 {
		return ""
	}
	n := w.networks[r.IntN(len(w.networks))]
	if len(n) == 3 {
		n += "01"
	}
	return n
}

// choose draws a plan for a habit: most take the one that suits them, some a neighbour.
func (s *shop) choose(h *habit, r *rand.Rand) int {
	n := int(h.taste*float64(len(s.plans)) + r.NormFloat64()*0.7)
	return min(max(n, 0), len(s.plans)-1)
}
