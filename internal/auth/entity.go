package auth

import "net/http"

// Verb is one thing that a permission lets its holder do to an entity, or a set of them.
type Verb uint8

const (
	// Get reads, lists and searches.
	Get Verb = 1 << iota
	// Post creates.
	Post
	// Patch changes; PUT counts as Patch.
	Patch
	// Delete removes.
	Delete

	noVerb   Verb = 0
	allVerbs      = Get | Post | Patch | Delete
)

var verbNames = map[string]Verb{"get": Get, "post": Post, "patch": Patch, "delete": Delete}

// String is the verb as it stands in a role ("patch"), "*" for all four, and the verbs joined by "|" for
// any other set.
func (v Verb) String() string {
	if v == allVerbs {
		return "*"
	}
	s := ""
	for _, one := range [...]struct {
		verb Verb
		name string
	}{{Get, "get"}, {Post, "post"}, {Patch, "patch"}, {Delete, "delete"}} {
		if v&one.verb == 0 {
			continue
		}
		if s != "" {
			s += "|"
		}
		s += one.name
	}
	return s
}

// VerbOf is the verb of an HTTP method: HEAD counts as GET and PUT as PATCH. ok is false for any other.
func VerbOf(method string) (v Verb, ok bool) {
	switch method {
	case http.MethodGet, http.MethodHead:
		return Get, true
	case http.MethodPost:
		return Post, true
	case http.MethodPut, http.MethodPatch:
		return Patch, true
	case http.MethodDelete:
		return Delete, true
	}
	return noVerb, false
}

// Permission is what an operation needs: one verb on one entity.
type Permission struct {
	// Entity is a name of the entity table (see Entities), or AdminEntity.
	Entity string
	Verb   Verb
}

// String is the permission as a role says it, less the service provider ("customer:get").
func (p Permission) String() string {
	if p.Entity == AdminEntity {
		return AdminEntity
	}
	return p.Entity + ":" + p.Verb.String()
}

// Known reports whether some role can grant the permission: its entity is in the table, and the table
// gives the entity this verb. What declares operations checks it, since an unknown permission is never
// granted to anybody.
func (p Permission) Known() bool {
	if p.Entity == AdminEntity {
		return p.Verb&allVerbs != 0
	}
	i, ok := entityIndex[p.Entity]
	return ok && p.Verb != 0 && p.Verb&^entities[i].Verbs == 0
}

// Entity names that are not simply the name of a resource.
const (
	// AdminEntity stands for the admin tasks that the role `S:admin` opens; any verb will do. No wildcard
	// includes it: `1:*:*` is not `1:admin`.
	AdminEntity = "admin"
	// IndividualDashboard (verb Get) is the dashboard of an individual. It has no role of its own:
	// `S:individual:*` grants it and `S:individual:get` does not (Keycloak guide, reading A4). The other
	// dashboards come with the `get` of their entity.
	IndividualDashboard = "individualDashboard"
	// ServiceProviderDashboard (verb Get) is the dashboard of a whole service provider. It has no role of
	// its own either: `S:*:*` grants it (reading A15). The main page of a representative is "dashboard".
	ServiceProviderDashboard = "serviceProviderDashboard"
	// ApproveAdjustment (verb Patch) is the approval of an adjustment. Its role is honoured in the right
	// spelling and in the guide's, `S:approveAdjsutment:*` (reading A1).
	ApproveAdjustment = "approveAdjustment"
	// Adjustment (verbs Get and Patch) is an adjustment that was asked for: to see it, and to edit or decide it. It has
	// no role of its own: the same verb on subscriptions grants it, and so does the role of ApproveAdjustment, which
	// would be of no use without.
	Adjustment = "adjustment"
	// ExportData (verb Get) is the export of a list.
	ExportData = "exportData"
	// AllEntity (verb Get) is the search across entities.
	AllEntity = "allEntity"

	misspeltApproveAdjustment = "approveAdjsutment"
)

// Entity is one line of the entity table: a thing that roles speak of.
type Entity struct {
	// Name is the name in roles; case counts.
	Name string
	// Verbs are what can be done to it. A role with another verb is unknown and grants nothing.
	Verbs Verb
	// Title is what descriptions call one of them ("billing account").
	Title string
	// InGuide is true when the Keycloak guide prescribes roles for it; the others follow its pattern.
	InGuide bool
	// Derived is true when it has no role of its own (see IndividualDashboard).
	Derived bool
}

// The one table of entities. A new entity costs one line: roles, matcher and realm export follow.
var entities = [...]Entity{
	{Name: "billingAccount", Verbs: allVerbs, Title: "billing account", InGuide: true},
	{Name: "individual", Verbs: allVerbs, Title: "individual", InGuide: true},
	{Name: "customer", Verbs: allVerbs, Title: "customer", InGuide: true},
	{Name: "serviceProvider", Verbs: Get | Post | Patch, Title: "service provider", InGuide: true}, // no delete: reading A6
	{Name: AllEntity, Verbs: Get, Title: "search across entities", InGuide: true},
	{Name: "dashboard", Verbs: Get, Title: "main dashboard of a representative", InGuide: true},
	{Name: ExportData, Verbs: Get, Title: "export of a list", InGuide: true},
	{Name: ApproveAdjustment, Verbs: Patch, Title: "approval of an adjustment", InGuide: true},
	{Name: IndividualDashboard, Verbs: Get, Title: "dashboard of an individual", Derived: true},
	{Name: ServiceProviderDashboard, Verbs: Get, Title: "dashboard of a service provider", Derived: true},
	{Name: Adjustment, Verbs: Get | Patch, Title: "adjustment that was asked for", Derived: true},

	{Name: "organization", Verbs: allVerbs, Title: "organization"},
	{Name: "partyRole", Verbs: allVerbs, Title: "party role"},
	{Name: "partyInteraction", Verbs: allVerbs, Title: "interaction, note or case"},
	{Name: "agreement", Verbs: allVerbs, Title: "agreement or contract"},
	{Name: "subscription", Verbs: allVerbs, Title: "subscription (product)"},
	{Name: "vas", Verbs: allVerbs, Title: "value-added service"},
	{Name: "balance", Verbs: allVerbs, Title: "balance, top up, voucher or adjustment"},
	{Name: "usage", Verbs: allVerbs, Title: "usage record"},
	{Name: "callDetail", Verbs: Get, Title: "call detail record"},
	{Name: "payment", Verbs: allVerbs, Title: "payment or refund"},
	{Name: "paymentMethod", Verbs: allVerbs, Title: "payment method, token or schedule"},
	{Name: "customerBill", Verbs: allVerbs, Title: "customer bill"},
	{Name: "productOffering", Verbs: allVerbs, Title: "product offering and the rest of the catalogue"},
	{Name: "shoppingCart", Verbs: allVerbs, Title: "shopping cart"},
	{Name: "productOrder", Verbs: allVerbs, Title: "product order"},
	{Name: "resource", Verbs: allVerbs, Title: "number, SIM or other resource"},
	{Name: "pin", Verbs: allVerbs, Title: "PIN, security question or one-time password"},
	{Name: "communicationMessage", Verbs: allVerbs, Title: "message to customers"},
	{Name: "messageTemplate", Verbs: allVerbs, Title: "words of messages to customers"},
	{Name: "mnp", Verbs: allVerbs, Title: "number porting request"},
	{Name: "referral", Verbs: allVerbs, Title: "referral"},
	{Name: "workflow", Verbs: allVerbs, Title: "workflow event"},
	{Name: "hub", Verbs: allVerbs, Title: "event subscription"},
}

var entityIndex = func() map[string]int {
	m := make(map[string]int, len(entities))
	for i, e := range entities {
		m[e.Name] = i
	}
	return m
}()

// Entities is a copy of the entity table, in its order.
func Entities() []Entity { return append([]Entity(nil), entities[:]...) }
