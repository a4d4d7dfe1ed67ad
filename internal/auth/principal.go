package auth

import (
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

// The OAuth scopes of the client `obp-apigw`. A scope never grants by itself: it is in every token of
// the client, so it is only ever intersected with roles (reading A11).
const (
	// ScopeRead opens Get.
	ScopeRead = "obp-apigw:read"
	// ScopeWrite opens Post, Patch and Delete.
	ScopeWrite = "obp-apigw:write"
	// ScopeAdmin opens admin tasks, in addition to ScopeRead or ScopeWrite.
	ScopeAdmin = "obp-apigw:admin"
)

// SPID is a service provider that a principal may choose, as the identity provider lists it.
type SPID struct {
	// ID is the number of the service provider, positive.
	ID int
	// Name is what the identity provider calls it ("HappyPhone"); may be empty. Show it, do not trust it.
	Name string
}

// Principal is an authenticated caller. It is immutable, and shared by requests that send the same token.
type Principal struct {
	actor   scope.Actor
	claims  scope.Claims
	spids   []SPID
	roles   *matcher
	names   []string
	verbs   Verb // what the OAuth scopes leave of the roles
	admin   bool // whether they leave admin tasks
	session string
	expires time.Time
	keyID   string
}

// Actor is who changes are recorded under.
func (p *Principal) Actor() scope.Actor { return p.actor }

// SPIDs are the service providers that the caller may choose from, the first being the default.
func (p *Principal) SPIDs() []SPID { return slices.Clone(p.spids) }

// Roles are the role names as they came, those that grant nothing included.
func (p *Principal) Roles() []string { return slices.Clone(p.names) }

// Expires is when the credential ends; zero when it does not.
func (p *Principal) Expires() time.Time { return p.expires }

// Session is the identity provider's session (`sid`); empty for a service account or an API key alone.
func (p *Principal) Session() string { return p.session }

// KeyID is the id of the API key that came with the request; empty when there was none.
func (p *Principal) KeyID() string { return p.keyID }

// Allowed reports whether the caller may do perm at the service provider spid: role, OAuth scope,
// availableSpids and the API key's service providers all agree.
func (p *Principal) Allowed(spid int, perm Permission) bool {
	if p == nil || !p.has(spid) || perm.Verb&^p.verbs != 0 {
		return false
	}
	if perm.Entity == AdminEntity && !p.admin {
		return false
	}
	return p.roles.allows(spid, perm)
}

func (p *Principal) has(spid int) bool {
	for i := range p.spids {
		if p.spids[i].ID == spid {
			return true
		}
	}
	return false
}

// Scope chooses the service provider and checks that the caller may do all of perms there. Without perms
// it only chooses.
//
// spidHeader is the `spid` header of the request. When it is empty the first service provider of
// availableSpids is chosen: implied when there is one, a default of our own reading when there are
// several, since many simple clients send no such header.
//
// Faults: Invalid at "spid" for a header that is not a number; Forbidden when the service provider is
// not available or a permission is missing there. The two refusals read alike for a service provider
// that exists and for one that does not.
func (p *Principal) Scope(spidHeader string, perms ...Permission) (scope.Scope, error) {
	if p == nil || len(p.spids) == 0 {
		return scope.Scope{}, fault.New(fault.Forbidden, fault.CodeForbidden, "no access to any service provider")
	}
	spid := p.spids[0].ID
	if spidHeader != "" {
		var ok bool
		if spid, ok = parseSPID(spidHeader); !ok {
			return scope.Scope{}, fault.Invalidf("spid", "must be the number of a service provider")
		}
		if !p.has(spid) {
			return scope.Scope{}, forbidden()
		}
	}
	for _, perm := range perms {
		if !p.Allowed(spid, perm) {
			return scope.Scope{}, forbidden()
		}
	}
	claims := p.claims
	if len(p.spids) > 1 {
		claims.SPIDs = p.open(spidHeader != "", spid, perms)
	}
	claims.EditAdjustments = p.Allowed(spid, Permission{"subscription", Patch})
	claims.ApproveAdjustments = p.Allowed(spid, Permission{ApproveAdjustment, Patch})
	claims.Roles = p.names
	return scope.Grant(spid, p.actor, claims), nil
}

// open are the service providers at which all of perms hold: the chosen one or, when none was chosen, every
// one, the default first.
func (p *Principal) open(chosen bool, spid int, perms []Permission) []int {
	if chosen {
		return []int{spid}
	}
	out := make([]int, 0, len(p.spids))
	for _, s := range p.spids {
		if !slices.ContainsFunc(perms, func(perm Permission) bool { return !p.Allowed(s.ID, perm) }) {
			out = append(out, s.ID)
		}
	}
	return out
}

func forbidden() error {
	return fault.New(fault.Forbidden, fault.CodeForbidden, "not permitted for this service provider")
}

// narrow is p with only the service providers of an API key left.
func (p *Principal) narrow(keyID string, spids []int) *Principal {
	q := *p
	q.keyID = keyID
	q.spids = slices.DeleteFunc(slices.Clone(p.spids), func(s SPID) bool { return !slices.Contains(spids, s.ID) })
	q.claims.SPIDs = spidNumbers(q.spids)
	return &q
}

func spidNumbers(spids []SPID) []int {
	out := make([]int, len(spids))
	for i, s := range spids {
		out[i] = s.ID
	}
	return out
}

// limitToScopes works out which verbs the OAuth scopes open.
func (p *Principal) limitToScopes(scopes []string) {
	for _, s := range scopes {
		switch s {
		case ScopeRead:
			p.verbs |= Get
		case ScopeWrite:
			p.verbs |= Post | Patch | Delete
		case ScopeAdmin:
			p.admin = true
		}
	}
}

// System is the scope of demarc's own jobs at a service provider. An actor without a subject is recorded
// as "system"; pass the actor who caused the job where there is one.
func System(spid int, a scope.Actor) scope.Scope {
	if a.Subject == "" {
		a = scope.Actor{Subject: "system", Name: a.Name, Client: a.Client}
	}
	return scope.Grant(spid, a, scope.Claims{ManageMonthlySpendLimit: true, ManageCreditLimit: true, SPIDs: []int{spid}})
}
