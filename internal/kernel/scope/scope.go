// Package scope carries who asks, and for which service provider.
//
// Every query needs a Scope, and only package auth makes one (internal/arch holds that): so a
// service provider sees only its own.
package scope

import (
	"context"
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Actor is who a change is recorded under.
type Actor struct {
	// Subject is the stable id of the user or service account (`sub`); "system" for demarc's own jobs.
	Subject string `json:"subject"`
	// Name is what people call it (`preferred_username`).
	Name string `json:"name,omitempty"`
	// Client is the OAuth client or API-key client that it came through (`azp`).
	Client string `json:"client,omitempty"`
}

// KeySubject begins the subject of an actor that is an API key and no person; serviceAccount the name that Keycloak gives
// to a client that acts for itself.
const (
	KeySubject     = "apikey:"
	serviceAccount = "service-account-"
)

// machine reports whether no person is known to stand behind an actor.
func (a Actor) machine() bool {
	return strings.HasPrefix(a.Subject, KeySubject) || strings.HasPrefix(a.Name, serviceAccount)
}

// MayBe reports whether two actors may be one person: they have one subject, whatever the client or the token, or one
// name, as a person has at two identity providers; or one of them is a client that acts for itself, whose secret
// whoever uses that client may hold.
func (a Actor) MayBe(b Actor) bool {
	switch {
	case a.Subject == b.Subject:
		return true
	case a.machine() || b.machine():
		return a.Client == b.Client
	}
	return a.Name != "" && strings.EqualFold(a.Name, b.Name)
}

// Scope is one actor's access to one service provider. The zero value gives access to nothing.
type Scope struct {
	spid   int
	actor  Actor
	claims Claims
}

// Claims are what the identity provider says of the actor beyond roles.
type Claims struct {
	// ManageMonthlySpendLimit lets the actor change monthly spend limits (`allowCsrToManageMonthlySpendLimit`).
	ManageMonthlySpendLimit bool
	// ManageCreditLimit lets the actor change credit limits (`allowCsrToManageCreditLimit`).
	ManageCreditLimit bool
	// EditAdjustments and ApproveAdjustments let the actor edit and decide adjustments that wait for approval, at
	// the scope's own service provider.
	EditAdjustments, ApproveAdjustments bool
	// Roles are the names of the actor's roles as the identity provider has them, those that demarc knows nothing
	// of included: what a service provider decides for itself may speak of them.
	Roles []string
	// SPIDs are the service providers at which the actor may do what it asks now: the one it chose or, when it
	// chose none, all of them, the default first.
	SPIDs []int
}

// Grant makes a scope. Only package auth may call it.
func Grant(spid int, a Actor, c Claims) Scope { return Scope{spid: spid, actor: a, claims: c} }

// Open are the service providers at which the actor may do what it asks now, the scope's own included.
func (s Scope) Open() []int {
	if len(s.claims.SPIDs) == 0 && s.spid > 0 {
		return []int{s.spid}
	}
	return slices.Clone(s.claims.SPIDs)
}

// At is the same actor's scope at another of the service providers that are open to it; ok is false for any
// other.
func (s Scope) At(spid int) (at Scope, ok bool) {
	if !slices.Contains(s.Open(), spid) {
		return Scope{}, false
	}
	if s.spid != spid {
		s.claims.EditAdjustments, s.claims.ApproveAdjustments = false, false
	}
	s.spid = spid
	return s, true
}

// SPID is the service provider, a positive integer; 0 is no access.
func (s Scope) SPID() int { return s.spid }

// Actor is who asks.
func (s Scope) Actor() Actor { return s.actor }

// Claims are what the identity provider says of the actor beyond roles.
func (s Scope) Claims() Claims { return s.claims }

type key struct{}

// With returns a context that carries s.
func With(ctx context.Context, s Scope) context.Context { return context.WithValue(ctx, key{}, s) }

// From is the scope in ctx. Without one it answers a Forbidden fault: code that forgot its scope sees
// nothing rather than everything.
func From(ctx context.Context) (Scope, error) {
	if s, ok := ctx.Value(key{}).(Scope); ok && s.spid > 0 {
		return s, nil
	}
	return Scope{}, fault.New(fault.Forbidden, fault.CodeForbidden, "no access to any service provider")
}
