// Package cm is the façade of the Customer Management API under /api: who buys, what they hold, what they
// order and what they may spend, in the words that front ends of operators use. What they mean is decided in
// the domains.
package cm

import (
	"net/http"
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/api/cm/care"
	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
)

// Deps are the domains that the façade shows.
type Deps = desk.Deps

// api is the façade with what its operations need.
type api struct {
	desk.Deps
	facade *op.Facade
}

// Operations are all operations of the façade. Each stands under /api and, as deployments of this API have
// it, under /api/v1.
func Operations(d desk.Deps) []op.Operation {
	a := &api{Deps: d, facade: &op.Facade{
		Name: "cm", Title: "Customer Management API", Version: "v1",
		Description: "Customers, accounts, orders, subscriptions and balances. The header `spid` chooses the service provider " +
			"when a caller has several; `/api/v1/…` is the same as `/api/…`.",
		Prefixes: []string{"/api/"}, Problem: tmf630.Problem, ProblemSchema: tmf630.ProblemSchema(),
	}}
	resources := a.resources()
	a.facade.Components = tmf630.Components(resources...)
	var ops []op.Operation
	for _, r := range resources {
		ops = append(ops, described(tmf630.Operations(r))...)
	}
	own := slices.Concat(a.parties(), a.accounts(), a.offerings(), a.orders(), a.subscriptions(), a.balances(), a.callDetails(), a.usages(), a.vouchers(), a.numbers(), a.uploads(), care.Operations(d))
	for n := range own {
		own[n].Facade = a.facade
		// A filter under a name that is not known would list everything.
		own[n].StrictQuery = own[n].Method == http.MethodGet
		own[n].Aliases = append(own[n].Aliases, desk.Alias+strings.TrimPrefix(own[n].Path, desk.Base))
	}
	return append(ops, own...)
}

// described says of the operations that go by TMF630 what their names do not.
func described(ops []op.Operation) []op.Operation {
	for n := range ops {
		o := &ops[n]
		switch {
		case o.Description != "":
		case strings.HasSuffix(o.ID, ".get"):
			o.Description = "By its id. `fields` chooses attributes; the ETag of the answer guards a later change (If-Match)."
		case strings.HasSuffix(o.ID, ".delete"):
			o.Description = "Refused with 409 while something else refers to it. With If-Match, only as long as it has that ETag."
		}
	}
	return ops
}
