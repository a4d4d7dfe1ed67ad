package realm

import (
	"fmt"
	"strings"

	"github.com/demarc-bss/demarc/internal/auth"
)

// guideRoles are the 24 roles that the Keycloak guide prescribes for each service provider, less the
// number. Their names are the guide's, the misspelt one included; %s is the service provider.
var guideRoles = [...]struct{ suffix, description string }{
	{"*:*", "Everything on every entity of %s, and its dashboard. Admin tasks are apart."},
	{"admin", "Admin tasks of %s."},
	{"approveAdjsutment:*", "Approve adjustments of %s."},
	{"billingAccount:get", "See billing accounts of %s and their dashboards."},
	{"billingAccount:patch", "Change billing accounts of %s."},
	{"billingAccount:post", "Create billing accounts of %s."},
	{"billingAccount:delete", "Delete billing accounts of %s."},
	{"billingAccount:*", "Everything on billing accounts of %s, and their dashboards."},
	{"individual:get", "See individuals of %s, without their dashboards."},
	{"individual:patch", "Change individuals of %s."},
	{"individual:post", "Create individuals of %s."},
	{"individual:delete", "Delete individuals of %s."},
	{"individual:*", "Everything on individuals of %s, and their dashboards."},
	{"customer:get", "See customers of %s and their dashboards."},
	{"customer:patch", "Change customers of %s."},
	{"customer:post", "Create customers of %s."},
	{"customer:delete", "Delete customers of %s."},
	{"customer:*", "Everything on customers of %s, and their dashboards."},
	{"serviceProvider:get", "See the settings of %s."},
	{"serviceProvider:patch", "Change the settings of %s."},
	{"serviceProvider:post", "Create %s itself; no other service provider."},
	{"allEntity:get", "Search across all entities of %s."},
	{"dashboard:get", "See the main dashboard of a representative of %s."},
	{"exportData:*", "Export the lists of %s as files."},
}

var verbDescriptions = [...]struct {
	verb auth.Verb
	text string
}{{auth.Get, "See"}, {auth.Post, "Create"}, {auth.Patch, "Change"}, {auth.Delete, "Delete"}}

// providerRoles are the roles of one service provider: the guide's, one to read everything, and those of
// entities that the guide has no role for, by the same pattern.
func providerRoles(sp SP) []Role {
	who := fmt.Sprintf("service provider %d (%s)", sp.SPID, sp.Name)
	role := func(suffix, description string) Role {
		return Role{Name: fmt.Sprintf("%d:%s", sp.SPID, suffix), Description: clip(fmt.Sprintf(description, who))}
	}
	out := make([]Role, 0, 128)
	for _, g := range guideRoles {
		out = append(out, role(g.suffix, g.description))
	}
	out = append(out, role("*:get", "See every entity of %s, dashboards of individuals and of the service provider apart."))
	for _, e := range auth.Entities() {
		if e.InGuide || e.Derived {
			continue
		}
		for _, v := range verbDescriptions {
			if e.Verbs&v.verb != 0 {
				out = append(out, role(e.Name+":"+v.verb.String(), v.text+": "+e.Title+", of %s."))
			}
		}
		out = append(out, role(e.Name+":*", "Everything on: "+e.Title+", of %s."))
	}
	return out
}

// generalRoles are the three roles without a service provider's number. As composites they bring along
// only what they grant by themselves: Keycloak puts the parts of a composite into tokens beside it, so a
// part such as `1:*:*` would add the right to change things, which two of them leave out (reading A3).
func generalRoles(providers []SP) []Role {
	customers, all := &Composites{}, &Composites{}
	var second *Composites
	for _, sp := range providers {
		for _, verb := range [...]string{"get", "post", "delete"} {
			customers.Realm = append(customers.Realm, fmt.Sprintf("%d:customer:%s", sp.SPID, verb))
		}
		for _, part := range [...]string{"allEntity:get", "dashboard:get", "exportData:*"} {
			all.Realm = append(all.Realm, fmt.Sprintf("%d:%s", sp.SPID, part))
		}
		if sp.SPID == 2 {
			second = &Composites{Realm: []string{"2:*:*"}}
		}
	}
	return []Role{
		{Name: auth.RoleCSRCustomers, Description: "See, create and delete customers of every service provider that the user has, and see their dashboards. Not change them.", Composite: true, Composites: customers},
		{Name: auth.RoleCSRAdmin2, Description: "Everything on every entity of service provider 2, and every dashboard of it.", Composite: second != nil, Composites: second},
		{Name: auth.RoleCSRAll, Description: "See, create and delete every entity of every service provider that the user has, and see every dashboard. Not change anything.", Composite: true, Composites: all},
	}
}

// clip keeps a description within the 255 characters that Keycloak stores.
func clip(s string) string {
	runes := []rune(s)
	if len(runes) <= 255 {
		return s
	}
	return strings.TrimSpace(string(runes[:254])) + "…"
}
