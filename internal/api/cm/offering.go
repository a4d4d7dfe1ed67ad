package cm

import (
	"context"
	"net/http"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

const (
	offeringPath = desk.Base + "/productOffering"
	categoryPath = desk.Base + "/category"
)

func (a *api) offerings() []op.Operation {
	read, missing := desk.May("productOffering", auth.Get), []fault.Kind{fault.NotFound}
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.productOffering.addOn", Method: http.MethodGet, Path: offeringPath + "/{id}/addOn", Tag: "ProductOffering",
			Summary: "List the add-ons of a price plan",
			Description: "Packages, bolt-ons and services that are sold now and go with the plan, the oldest first. An offering that is no " +
				"price plan has none.",
			Permission: read, Status: http.StatusOK, Also: desk.Pages(), Errors: missing,
		}, a.listAddOns),
		op.Handle(op.Operation{
			ID: "cm.productOffering.selectableProducts", Method: http.MethodGet, Path: offeringPath + "/{id}/selectableProducts", Tag: "ProductOffering",
			Summary: "Read what can be chosen with a price plan",
			Description: "Add-ons and services that go with it, SIM cards and devices to buy with it, and the plans that its lines may change to: " +
				"all of them sold now. With an offering that is no price plan nothing can be chosen.",
			Permission: read, Status: http.StatusOK, Errors: missing,
		}, a.selectable),
		op.Handle(op.Operation{
			ID: "cm.productOffering.filters", Method: http.MethodGet, Path: desk.Base + "/productOfferingFilters", Tag: "ProductOffering",
			Summary: "List what offerings can be filtered by",
			Description: "Attributes of what is sold now, each with its values and how many offerings have them: " +
				"`GET /api/productOffering?{attribute}={value}` lists those.",
			Permission: read, Status: http.StatusOK, Errors: []fault.Kind{fault.Invalid},
		}, a.facets),
		op.Handle(op.Operation{
			ID: "cm.simCategory.list", Method: http.MethodGet, Path: desk.Base + "/simCategory", Tag: "ProductOffering",
			Summary: "List the categories of SIM cards", Description: "Categories with a kind of SIM card that is sold now.",
			Permission: read, Status: http.StatusOK, Errors: []fault.Kind{fault.Invalid},
		}, a.simCategories),
		op.Handle(op.Operation{
			ID: "cm.bundleCategory.list", Method: http.MethodGet, Path: desk.Base + "/bundleCategory", Tag: "ProductOffering",
			Summary: "List the categories of bundles", Description: "Categories with a package or bolt-on that is sold now.",
			Permission: read, Status: http.StatusOK, Errors: []fault.Kind{fault.Invalid},
		}, a.bundleCategories),
	}
}

// offeringView is an offering with the prices that hold now.
type offeringView struct {
	ID           id.ID               `json:"id"`
	Href         string              `json:"href"`
	Name         string              `json:"name"`
	Description  string              `json:"description,omitzero"`
	Key          string              `json:"key,omitzero" doc:"What the catalogue file calls it."`
	OfferingType string              `json:"offeringType" enum:"pricePlan,package,boltOn,vas,sim,device"`
	PaidType     string              `json:"paidType,omitzero" doc:"prepaid or postpaid; absent where it suits both."`
	Category     []refView           `json:"category"`
	Prices       []offeringPrice     `json:"productOfferingPrice"`
	Allowances   []catalog.Allowance `json:"allowance"`
	Terms        []termView          `json:"productOfferingTerm"`
	Kind         string              `json:"@type"`
}

type refView struct {
	ID   string `json:"id"`
	Href string `json:"href,omitzero"`
	Name string `json:"name,omitzero"`
}

type offeringPrice struct {
	Name      string       `json:"name,omitzero"`
	PriceType string       `json:"priceType" example:"recurring"`
	Period    string       `json:"recurringChargePeriodType,omitzero" example:"month"`
	Length    int          `json:"recurringChargePeriodLength,omitzero" example:"1"`
	Price     money.Amount `json:"price" doc:"Tax included, before discounts."`
	// Discounts are those of who buys now.
	Discounts []offeringDiscount `json:"priceAlteration,omitzero"`
}

type offeringDiscount struct {
	Name        string       `json:"name,omitzero"`
	Description string       `json:"description,omitzero"`
	Amount      money.Amount `json:"price" doc:"What is taken off each time, tax included: a negative amount."`
	Periods     int          `json:"applicationDuration,omitzero" example:"3" doc:"How many periods it lasts, from the first; none is for ever."`
}

type termView struct {
	Name        string       `json:"name,omitzero"`
	Description string       `json:"description,omitzero"`
	Duration    sid.Quantity `json:"duration"`
}

// showOffering looks up the prices of an offering and puts it in the words of this API.
func (a *api) showOffering(ctx context.Context, r *op.Request, i id.ID) (offeringView, error) {
	v, err := a.Catalog.Offering(ctx, i)
	if err != nil {
		return offeringView{}, err
	}
	out := offeringView{
		ID: i, Href: r.BaseURL + offeringPath + "/" + string(i), Name: v.Name, Description: v.Description, Key: v.Key,
		OfferingType: v.OfferingType, PaidType: v.PaidType, Category: []refView{}, Prices: []offeringPrice{},
		Allowances: v.Allowances, Terms: []termView{}, Kind: v.Type,
	}
	if out.Allowances == nil {
		out.Allowances = []catalog.Allowance{}
	}
	for _, c := range v.Category {
		ref := refView{ID: c.ID, Name: c.Name}
		if id.ID(c.ID).Is(catalog.CategoryKind) {
			ref.Href = r.BaseURL + categoryPath + "/" + c.ID
		}
		out.Category = append(out.Category, ref)
	}
	for _, p := range v.Prices {
		if p.Price == nil {
			continue
		}
		price := offeringPrice{Name: p.Name, PriceType: desk.First(p.PriceType, catalog.OneTime), Period: p.Period, Length: int(p.Length), Price: *p.Price}
		cuts, err := p.Discounts()
		if err != nil {
			return out, err
		}
		for _, d := range cuts {
			price.Discounts = append(price.Discounts, offeringDiscount{d.Name, d.Description, d.Gross.Neg(), d.Periods})
		}
		out.Prices = append(out.Prices, price)
	}
	for _, t := range v.Terms {
		out.Terms = append(out.Terms, termView{Name: t.Name, Description: t.Description, Duration: t.Duration})
	}
	return out, nil
}

func (a *api) showOfferings(ctx context.Context, r *op.Request, all []catalog.Item) ([]offeringView, error) {
	out := make([]offeringView, 0, len(all))
	for _, o := range all {
		v, err := a.showOffering(ctx, r, o.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

type addOnsIn struct {
	Request      *op.Request
	ID           string `path:"id" doc:"Id of the price plan."`
	OfferingType string `query:"offeringType" enum:"package,boltOn,vas" doc:"Only add-ons of this kind."`
	Category     string `query:"category" doc:"Only add-ons in the category with this id or name."`
	Offset       int    `query:"offset" minimum:"0" doc:"How many to skip."`
	Limit        int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most to answer with."`
}

type addOnsOut struct {
	tmf630.Page
	Body []offeringView
}

func (a *api) listAddOns(ctx context.Context, in *addOnsIn) (*addOnsOut, error) {
	if err := desk.Said(in.Request, "offeringType", "category"); err != nil {
		return nil, err
	}
	all, err := a.Catalog.AddOns(ctx, id.ID(in.ID))
	if err != nil {
		return nil, err
	}
	fitting := all[:0]
	for _, o := range all {
		if (in.OfferingType == "" || o.OfferingType == in.OfferingType) && (in.Category == "" || inCategory(o, in.Category)) {
			fitting = append(fitting, o)
		}
	}
	page := fitting[min(in.Offset, len(fitting)):]
	page = page[:min(in.Limit, len(page))]
	body, err := a.showOfferings(ctx, in.Request, page)
	if err != nil {
		return nil, err
	}
	path := offeringPath + "/" + in.ID + "/addOn"
	return &addOnsOut{Page: tmf630.PageOf(in.Request, path, in.Offset, in.Limit, len(page), int64(len(fitting))), Body: body}, nil
}

func inCategory(o catalog.Item, category string) bool {
	for _, c := range o.Category {
		if c.ID == category || c.Name == category {
			return true
		}
	}
	return false
}

type offeringIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the price plan."`
}

type selectionView struct {
	AddOns   []offeringView `json:"addOn" doc:"Packages and bolt-ons."`
	Services []offeringView `json:"vas" doc:"Value-added services."`
	SIMs     []offeringView `json:"sim" doc:"Kinds of SIM cards."`
	Devices  []offeringView `json:"device"`
	Plans    []offeringView `json:"pricePlan" doc:"The plans that a line may change to."`
}

type selectionOut struct{ Body selectionView }

func (a *api) selectable(ctx context.Context, in *offeringIn) (*selectionOut, error) {
	found, err := a.Catalog.Selectable(ctx, id.ID(in.ID))
	if err != nil {
		return nil, err
	}
	var out selectionView
	for _, part := range []struct {
		from []catalog.Item
		to   *[]offeringView
	}{{found.AddOns, &out.AddOns}, {found.Services, &out.Services}, {found.SIMs, &out.SIMs}, {found.Devices, &out.Devices}, {found.Plans, &out.Plans}} {
		if *part.to, err = a.showOfferings(ctx, in.Request, part.from); err != nil {
			return nil, err
		}
	}
	return &selectionOut{Body: out}, nil
}

type facetView struct {
	Attribute string           `json:"attribute" example:"offeringType"`
	Values    []facetValueView `json:"value"`
}

type facetValueView struct {
	Value string `json:"value" example:"boltOn"`
	Name  string `json:"name" doc:"What people call it."`
	Count int    `json:"count" doc:"How many offerings have it." example:"12"`
}

type facetsOut struct{ Body []facetView }

func (a *api) facets(ctx context.Context, _ *struct{}) (*facetsOut, error) {
	all, err := a.Catalog.Facets(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]facetView, 0, len(all))
	for _, f := range all {
		v := facetView{Attribute: f.Attribute, Values: []facetValueView{}}
		for _, one := range f.Values {
			v.Values = append(v.Values, facetValueView(one))
		}
		out = append(out, v)
	}
	return &facetsOut{Body: out}, nil
}

type shelvesIn struct{ Request *op.Request }

type shelfView struct {
	ID          id.ID  `json:"id"`
	Href        string `json:"href"`
	Name        string `json:"name"`
	Description string `json:"description,omitzero"`
	ParentID    string `json:"parentId,omitzero" doc:"The category that it is a part of."`
	Count       int    `json:"count" doc:"How many of them are in it."`
	Kind        string `json:"@type"`
}

type shelvesOut struct{ Body []shelfView }

func (a *api) simCategories(ctx context.Context, in *shelvesIn) (*shelvesOut, error) {
	return a.shelves(ctx, in, catalog.SIMCard)
}

func (a *api) bundleCategories(ctx context.Context, in *shelvesIn) (*shelvesOut, error) {
	return a.shelves(ctx, in, catalog.Package, catalog.BoltOn)
}

func (a *api) shelves(ctx context.Context, in *shelvesIn, kinds ...string) (*shelvesOut, error) {
	all, err := a.Catalog.Shelves(ctx, kinds...)
	if err != nil {
		return nil, err
	}
	out := make([]shelfView, 0, len(all))
	for _, c := range all {
		out = append(out, shelfView{
			ID: c.ID, Href: in.Request.BaseURL + categoryPath + "/" + string(c.ID), Name: c.Name, Description: c.Description,
			ParentID: c.ParentID, Count: c.Count, Kind: c.Type,
		})
	}
	return &shelvesOut{Body: out}, nil
}
