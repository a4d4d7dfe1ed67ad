package auth

import (
	"strconv"
	"strings"
)

// The three general roles of the Keycloak guide. They name no service provider in the form that other
// roles do.
const (
	// RoleCSRCustomers reads, creates and deletes customers, of every available service provider. It does
	// not change them (reading A3).
	RoleCSRCustomers = "csr-all-customer-operations"
	// RoleCSRAdmin2 is service provider 2's `2:*:*`, and grants nothing elsewhere (reading A2).
	RoleCSRAdmin2 = "csr-spid2-admin"
	// RoleCSRAll reads, creates and deletes every entity and sees every dashboard, of every available
	// service provider. It does not change anything (reading A3).
	RoleCSRAll = "csr-all-operations"
)

// Role is a role name that grants something. ParseRole makes one.
type Role struct {
	name string
	// spid is the service provider, or 0 for every available one.
	spid int
	// entity is an index into the table, or -1 for all of them.
	entity int
	verbs  Verb
	admin  bool
}

const everyEntity = -1

// String is the name, exactly as it was parsed.
func (r Role) String() string { return r.name }

// SPID is the service provider that the role speaks of; 0 is every available one.
func (r Role) SPID() int { return r.spid }

// ParseRole reads a role name:
//
//	role    = general | spid ":admin" | spid ":" entity ":" verb
//	general = "csr-all-customer-operations" | "csr-spid2-admin" | "csr-all-operations"
//	spid    = "1".."9" followed by up to 8 digits
//	entity  = "*" | a name of the entity table
//	verb    = "*" | "get" | "post" | "patch" | "delete", as the entity has it
//
// It is strict: case counts, nothing is trimmed, the service provider is never a wildcard, and a verb
// that the entity does not have makes the role unknown. ok is false for a name that grants nothing, as
// most of the roles that an identity provider adds by itself (`default-roles-cm`, `offline_access`).
func ParseRole(name string) (r Role, ok bool) {
	switch name {
	case RoleCSRCustomers:
		return Role{name: name, entity: entityIndex["customer"], verbs: Get | Post | Delete}, true
	case RoleCSRAdmin2:
		return Role{name: name, spid: 2, entity: everyEntity, verbs: allVerbs}, true
	case RoleCSRAll:
		return Role{name: name, entity: everyEntity, verbs: Get | Post | Delete}, true
	}
	first, rest, found := strings.Cut(name, ":")
	if !found {
		return Role{}, false
	}
	r = Role{name: name, entity: everyEntity}
	if r.spid, ok = parseSPID(first); !ok {
		return Role{}, false
	}
	if rest == AdminEntity {
		r.admin = true
		return r, true
	}
	entity, verb, found := strings.Cut(rest, ":")
	if !found {
		return Role{}, false
	}
	has := allVerbs
	if entity != "*" {
		if entity == misspeltApproveAdjustment {
			entity = ApproveAdjustment
		}
		i, known := entityIndex[entity]
		if !known || entities[i].Derived {
			return Role{}, false
		}
		r.entity, has = i, entities[i].Verbs
	}
	if verb == "*" {
		r.verbs = allVerbs
		return r, true
	}
	r.verbs = verbNames[verb]
	return r, r.verbs&has != 0
}

// parseSPID reads a service provider's number: 1 to 9 ASCII digits, the first not zero.
func parseSPID(s string) (int, bool) {
	if len(s) == 0 || len(s) > 9 || s[0] == '0' {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// grant is what a set of roles opens at one service provider.
type grant struct {
	verbs [len(entities)]Verb
	admin bool
}

// add opens what r opens. A dashboard without a role of its own comes with the wildcard of what it shows.
func (g *grant) add(r Role) {
	if r.admin {
		g.admin = true
		return
	}
	if r.entity != everyEntity {
		e := entities[r.entity]
		g.verbs[r.entity] |= r.verbs & e.Verbs
		if e.Name == "individual" && r.verbs == allVerbs {
			g.verbs[entityIndex[IndividualDashboard]] |= Get
		}
		switch e.Name {
		case "subscription":
			g.verbs[entityIndex[Adjustment]] |= r.verbs & (Get | Patch)
		case ApproveAdjustment:
			g.verbs[entityIndex[Adjustment]] |= Get | Patch
		}
		return
	}
	g.verbs[entityIndex[Adjustment]] |= r.verbs & (Get | Patch)
	// `S:*:get` reads every entity, but reading alone does not open the derived dashboards; `S:*:*` and
	// the general roles do, whose descriptions say so.
	dashboards := r.verbs == allVerbs || r.name == RoleCSRAll
	for i, e := range entities {
		if !e.Derived || dashboards {
			g.verbs[i] |= r.verbs & e.Verbs
		}
	}
}

func (g *grant) allows(entity int, v Verb) bool {
	return g != nil && g.verbs[entity]&v == v
}

// matcher is a set of roles, compiled. It is immutable, so that many requests share it.
type matcher struct {
	// every is what the general roles open at each available service provider; nil when there are none.
	every *grant
	spids map[int]*grant
}

// compile ignores names that grant nothing.
func compile(names []string) *matcher {
	m := &matcher{spids: make(map[int]*grant)}
	for _, name := range names {
		r, ok := ParseRole(name)
		if !ok {
			continue
		}
		g := m.every
		if r.spid != 0 {
			g = m.spids[r.spid]
		}
		if g == nil {
			g = new(grant)
			if r.spid == 0 {
				m.every = g
			} else {
				m.spids[r.spid] = g
			}
		}
		g.add(r)
	}
	return m
}

// allows reports whether the roles grant p at spid. It knows nothing of which service providers are
// available: the caller asks that first.
func (m *matcher) allows(spid int, p Permission) bool {
	g := m.spids[spid]
	if p.Entity == AdminEntity {
		return p.Verb&allVerbs != 0 && g != nil && g.admin
	}
	i, ok := entityIndex[p.Entity]
	if !ok || p.Verb == noVerb {
		return false
	}
	return g.allows(i, p.Verb) || m.every.allows(i, p.Verb)
}
