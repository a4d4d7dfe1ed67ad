// Package tmf is the façade of the TM Forum Open APIs: which resources stand at which path, under which
// permission. What they mean is decided in the domains, how they are spoken in tmf630.
package tmf

import (
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/resource"
)

// Deps are the resources that the façade shows.
type Deps struct {
	Customers     resource.Any
	Individuals   resource.Any
	Organizations resource.Any
	PartyRoles    resource.Any

	BillingAccounts    resource.Any
	PartyAccounts      resource.Any
	FinancialAccounts  resource.Any
	SettlementAccounts resource.Any
	BillFormats        resource.Any
	BillingCycles      resource.Any
	PresentationMedia  resource.Any

	Catalogs              resource.Any
	Categories            resource.Any
	Offerings             resource.Any
	OfferingPrices        resource.Any
	ProductSpecifications resource.Any
	ImportJobs            resource.Any
	ExportJobs            resource.Any

	Products resource.Any

	Buckets              resource.Any
	Topups               resource.Any
	Adjustments          resource.Any
	Reservations         resource.Any
	Transfers            resource.Any
	AccumulatedBalances  resource.Any
	BalanceActionHistory resource.Any

	Messages resource.Any

	Orders        resource.Any
	Cancellations resource.Any
	Carts         resource.Any

	Usages              resource.Any
	UsageSpecifications resource.Any

	Payments       resource.Any
	Refunds        resource.Any
	PaymentMethods resource.Any

	// Hubs are the event subscriptions of all APIs, and Secret what the deliveries to one are signed with.
	Hubs   resource.Any
	Secret func(id.ID) string

	// Paging bounds lists; its zero value means tmf630's defaults.
	Paging tmf630.Paging
}

// api is one TM Forum API: where it stands, whose events it tells, and its resources.
type api struct {
	code string
	// base is the official base path, and aliases are others under which the same stands.
	base    string
	aliases []string
	// name distinguishes the operations of its hub from those of other APIs' hubs ("customerManagement").
	name string
	// domain is what events call the API.
	domain    string
	resources []entry
}

// entry is one resource of an API.
type entry struct {
	// shape is the name of its type, segment of its collection.
	shape, segment string
	set            resource.Any
	// entity is what permissions call it when they do not go by the segment.
	entity string
	// verbs are the operations it has; zero means all.
	verbs tmf630.Verbs
	// codes are attributes that may look like a card's number.
	codes   []string
	example map[string]any
}

func apis(d Deps) []api {
	return []api{customerManagement(d), partyManagement(d), partyRoleManagement(d), accountManagement(d), prepayBalanceManagement(d), productCatalog(d), usageManagement(d), productInventory(d), productOrdering(d), shoppingCart(d), communicationManagement(d), payment(d), paymentMethod(d)}
}

// Resources declares all resources of the façade.
func Resources(d Deps) []tmf630.Resource { return resources(d, facade()) }

func resources(d Deps, f *op.Facade) []tmf630.Resource {
	var all []tmf630.Resource
	for _, a := range apis(d) {
		for _, e := range a.resources {
			r := tmf630.Resource{
				Facade: f, Set: e.set, Shape: tmf630.ShapeOf(a.code, e.shape), Path: a.base + "/" + e.segment,
				Entity: e.entity, Verbs: e.verbs, Codes: e.codes, Tag: a.code + " " + e.shape, Paging: d.Paging,
			}
			for _, alias := range a.aliases {
				r.Aliases = append(r.Aliases, alias+"/"+e.segment)
			}
			if e.entity == "" {
				r.Entity = e.segment
			}
			if e.example != nil {
				r.Example = e.example
			}
			all = append(all, r)
		}
		if d.Hubs != nil {
			all = append(all, hub(d, f, a))
		}
	}
	return all
}

func facade() *op.Facade {
	return &op.Facade{
		Name: "tmf", Title: "TM Forum Open APIs", Version: "v4",
		Description:   "The resources of demarc as the TM Forum's Open APIs (v4) show them, by the rules of TMF630.",
		Prefixes:      []string{"/tmf-api/", "/payment/", "/paymentManagement/"},
		Problem:       tmf630.Problem,
		ProblemSchema: tmf630.ProblemSchema(),
	}
}

// Operations are all operations of the façade.
func Operations(d Deps) []op.Operation {
	f := facade()
	all := resources(d, f)
	f.Components = tmf630.Components(all...)
	var ops []op.Operation
	for _, r := range all {
		ops = append(ops, tmf630.Operations(r)...)
	}
	return ops
}

// Href gives the address of a resource at a server that is reached at baseURL; empty for a kind that the
// façade does not show. Events carry it.
func Href(baseURL string) func(kind string, i id.ID) string {
	paths := map[string]string{}
	for _, a := range apis(Deps{}) {
		for _, e := range a.resources {
			paths[e.segment] = a.base + "/" + e.segment
		}
	}
	return func(kind string, i id.ID) string {
		p, ok := paths[kind]
		if !ok {
			return ""
		}
		return baseURL + p + "/" + string(i)
	}
}
