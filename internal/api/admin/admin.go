// Package admin is the façade of admin tasks under /api/admin: API keys, jobs, the audit trail and events of a
// service provider. The role `S:admin` opens it together with the OAuth scope obp-apigw:admin; no wildcard
// does. Beside it stands the clock of a sandbox, for those who may change the service provider.
package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
)

// Deps are what the façade shows.
type Deps struct {
	Store *store.Store
	Keys  *auth.Keys
	// KeyTrail is the audit trail of an API key by its id, oldest first, whichever service providers it is for.
	// The documents in it hold neither the secret nor what it is checked by.
	KeyTrail func(ctx context.Context, keyID string) ([]store.Record, error)
	// Authenticate finds out who sends a request from its headers: nobody issues a key that can do more than
	// himself.
	Authenticate func(ctx context.Context, h http.Header) (*auth.Principal, error)
	// Location is the time zone of the scope's service provider, UTC when it is nil.
	Location func(ctx context.Context) (*time.Location, error)
}

const (
	base = "/api/admin"
	// alias is where deployments of the Customer Management API mount it too.
	alias = "/api/v1/admin"
)

type api struct{ Deps }

// Operations are all operations of the façade.
func Operations(d Deps) []op.Operation {
	a := &api{d}
	facade := &op.Facade{
		Name: "admin", Title: "Administration", Version: "v1",
		Description: "API keys, jobs, audit trail and events of a service provider, for callers with the role `{spid}:admin` and the OAuth scope " +
			"obp-apigw:admin. The header `spid` chooses the service provider when a caller has several; `/api/v1/admin/…` is the same as `/api/admin/…`.",
		Prefixes: []string{base + "/", alias + "/"}, Problem: tmf630.Problem, ProblemSchema: tmf630.ProblemSchema(),
	}
	ops := append(a.keys(), a.jobs()...)
	ops = append(ops, a.trails()...)
	for n := range ops {
		o := &ops[n]
		o.Facade, o.Aliases = facade, []string{alias + strings.TrimPrefix(o.Path, base)}
		// A filter under a name that is not known would list everything.
		o.StrictQuery = o.Method == http.MethodGet
		verb, _ := auth.VerbOf(o.Method)
		o.Permission = []auth.Permission{{Entity: auth.AdminEntity, Verb: verb}}
	}
	return append(ops, a.clocks(facade)...)
}

type principalKey struct{}

// authenticated gives the work the caller as a principal. It is asked for before the transaction: an
// authenticator may call an identity provider.
func (a *api) authenticated(ctx context.Context, r *op.Request) (context.Context, error) {
	p, err := a.Authenticate(ctx, r.Header)
	if err != nil {
		return nil, err
	}
	return context.WithValue(ctx, principalKey{}, p), nil
}

// caller is the principal that authenticated found; without one, nobody who may do anything.
func caller(ctx context.Context) *auth.Principal {
	p, _ := ctx.Value(principalKey{}).(*auth.Principal)
	return p
}

// notFound reads alike for what is another service provider's and what does not exist.
func notFound(what, i string) error {
	return fault.NotFoundf("there is no %s %.64s", what, i)
}
