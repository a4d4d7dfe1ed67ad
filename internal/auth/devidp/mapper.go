package devidp

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/auth/realm"
)

// Where a claim goes. The names are those of the mappers' settings.
type target string

const (
	toAccess        target = "access.token.claim"
	toID            target = "id.token.claim"
	toUserinfo      target = "userinfo.token.claim"
	toIntrospection target = "introspection.token.claim"
)

// grant is what a token is made of.
type grant struct {
	client  *realm.Client
	user    *user
	session *session // nil for a service account
	scopes  []*realm.ClientScope
	openid  bool
	nonce   string
	notes   map[string]string
	now     time.Time
}

// scopesOf are the client scopes of a request: the client's default ones, and of the optional ones those
// that are asked for.
func (p *Provider) scopesOf(c *realm.Client, asked string) []*realm.ClientScope {
	var out []*realm.ClientScope
	for _, name := range c.DefaultClientScopes {
		if s := p.scopes[name]; s != nil {
			out = append(out, s)
		}
	}
	for _, name := range strings.Fields(asked) {
		if s := p.scopes[name]; s != nil && slices.Contains(c.OptionalClientScopes, name) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// unknownScope reports whether a request asks for a scope that the client does not have; Keycloak refuses
// such a request.
func (p *Provider) unknownScope(c *realm.Client, asked string) bool {
	for _, name := range strings.Fields(asked) {
		if name != "openid" && !slices.Contains(c.DefaultClientScopes, name) && !slices.Contains(c.OptionalClientScopes, name) {
			return true
		}
	}
	return false
}

// scopeClaim is the value of `scope`: the names of those scopes that say they stand in it.
func (g *grant) scopeClaim() string {
	var names []string
	if g.openid {
		names = append(names, "openid")
	}
	for _, s := range g.scopes {
		if s.Attributes["include.in.token.scope"] == "true" {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, " ")
}

// apply runs the protocol mappers of the client and of its scopes.
func (p *Provider) apply(g *grant, to target, claims map[string]any) {
	run := func(mappers []realm.Mapper) {
		for _, m := range mappers {
			if enabled(m, to) {
				p.applyOne(g, m, to, claims)
			}
		}
	}
	run(g.client.Mappers)
	for _, s := range g.scopes {
		run(s.Mappers)
	}
}

// enabled: a mapper without a setting for introspection follows the access token's, as in Keycloak.
func enabled(m realm.Mapper, to target) bool {
	v, ok := m.Config[string(to)]
	if !ok && to == toIntrospection {
		v = m.Config[string(toAccess)]
	}
	return v == "true"
}

// applyOne knows the mappers that a realm of demarc uses; others put nothing into tokens.
func (p *Provider) applyOne(g *grant, m realm.Mapper, to target, claims map[string]any) {
	switch m.ProtocolMapper {
	case "oidc-sub-mapper":
		claims["sub"] = g.user.id
	case "oidc-usermodel-attribute-mapper", "oidc-usermodel-property-mapper":
		values := g.user.values(m.Config["user.attribute"])
		if len(values) > 0 {
			put(claims, m.Config["claim.name"], typed(m, values))
		}
	case "oidc-full-name-mapper":
		if name := strings.TrimSpace(g.user.FirstName + " " + g.user.LastName); name != "" {
			claims["name"] = name
		}
	case "oidc-usermodel-realm-role-mapper":
		if g.client.FullScopeAllowed && len(g.user.roles) > 0 {
			put(claims, m.Config["claim.name"], g.user.roles)
		}
	case "oidc-usermodel-client-role-mapper":
		if !g.client.FullScopeAllowed {
			return
		}
		for client, roles := range g.user.ClientRoles {
			put(claims, strings.ReplaceAll(m.Config["claim.name"], "${client_id}", strings.ReplaceAll(client, ".", `\.`)), roles)
		}
	case "oidc-audience-mapper":
		for _, a := range []string{m.Config["included.client.audience"], m.Config["included.custom.audience"]} {
			if a != "" {
				addAudience(claims, a)
			}
		}
	case "oidc-audience-resolve-mapper":
		for client := range g.user.ClientRoles {
			if client != g.client.ClientID {
				addAudience(claims, client)
			}
		}
	case "oidc-usersessionmodel-note-mapper":
		if v, ok := g.note(m.Config["user.session.note"]); ok {
			put(claims, m.Config["claim.name"], v)
		}
	case "oidc-acr-mapper":
		claims["acr"] = "1"
	case "oidc-allowed-origins-mapper":
		if len(g.client.WebOrigins) > 0 && to == toAccess {
			claims["allowed-origins"] = origins(g.client)
		}
	case "oidc-hardcoded-claim-mapper":
		put(claims, m.Config["claim.name"], typed(m, []string{m.Config["claim.value"]}))
	}
}

func (g *grant) note(name string) (any, bool) {
	if name == "AUTH_TIME" {
		if g.session == nil || !g.session.page {
			return nil, false
		}
		return g.session.began.Unix(), true
	}
	v, ok := g.notes[name]
	return v, ok
}

// values are the values of an attribute; the names of the user's own fields count as attributes.
func (u *user) values(name string) []string {
	one := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{s}
	}
	switch name {
	case "username":
		return one(strings.ToLower(u.Username))
	case "email":
		return one(u.Email)
	case "firstName":
		return one(u.FirstName)
	case "lastName":
		return one(u.LastName)
	case "emailVerified":
		if u.EmailVerified {
			return one("true")
		}
		return one("false")
	}
	return u.Attributes[name]
}

// typed gives values the type that the mapper names.
func typed(m realm.Mapper, values []string) any {
	if m.Config["multivalued"] == "true" {
		return values
	}
	if m.Config["jsonType.label"] == "boolean" {
		return strings.EqualFold(values[0], "true")
	}
	return values[0]
}

// put sets a claim whose name is a path ("realm_access.roles"); a dot after a backslash is part of a name.
func put(claims map[string]any, path string, v any) {
	if path == "" {
		return
	}
	parts := strings.Split(strings.ReplaceAll(path, `\.`, "\x00"), ".")
	for i, part := range parts {
		part = strings.ReplaceAll(part, "\x00", ".")
		if i == len(parts)-1 {
			claims[part] = v
			return
		}
		next, ok := claims[part].(map[string]any)
		if !ok {
			next = make(map[string]any)
			claims[part] = next
		}
		claims = next
	}
}

// addAudience keeps `aud` a string while it is one, and makes it a list with the second.
func addAudience(claims map[string]any, a string) {
	switch have := claims["aud"].(type) {
	case nil:
		claims["aud"] = a
	case string:
		if have != a {
			claims["aud"] = []string{have, a}
		}
	case []string:
		if !slices.Contains(have, a) {
			claims["aud"] = append(have, a)
		}
	}
}

// origins are the web origins of a client; "+" stands for those of its redirects.
func origins(c *realm.Client) []string {
	out := []string{}
	for _, o := range c.WebOrigins {
		if o != "+" {
			out = append(out, o)
			continue
		}
		for _, redirect := range c.RedirectURIs {
			if u, err := url.Parse(redirect); err == nil && u.Host != "" && !slices.Contains(out, u.Scheme+"://"+u.Host) {
				out = append(out, u.Scheme+"://"+u.Host)
			}
		}
	}
	return out
}
