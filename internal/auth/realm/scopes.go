package realm

import (
	"maps"

	"github.com/demarc-bss/demarc/internal/auth"
)

// Names that tokens, clients and the rest of demarc agree on.
const (
	// Audience is the value of `aud` that demarc's access tokens name.
	Audience = "obp-bss"
	// GatewayClient is the client of the API gateway and of programs.
	GatewayClient = "obp-apigw"
	// PortalClient is the client of the customer-service portal.
	PortalClient = "cm-portal"
	// AttributeScope is the client scope that carries the user attributes and the audience. The guide hangs
	// the attributes on its three scopes; one scope of their own is the same in a token, since all are
	// default scopes, and gives each claim one mapper.
	AttributeScope = "bss-attributes"
)

// The user attributes of the guide.
const (
	AttributeSPIDs        = "availableSpids"
	AttributeMonthlyLimit = "allowCsrToManageMonthlySpendLimit"
	AttributeCreditLimit  = "allowCsrToManageCreditLimit"
)

const openID = "openid-connect"

func mapper(name, kind string, config ...map[string]string) Mapper {
	all := make(map[string]string)
	for _, c := range config {
		maps.Copy(all, c)
	}
	return Mapper{Name: name, Protocol: openID, ProtocolMapper: kind, Config: all}
}

var (
	inAccess = map[string]string{"access.token.claim": "true", "introspection.token.claim": "true"}
	inBoth   = map[string]string{"access.token.claim": "true", "introspection.token.claim": "true", "id.token.claim": "true"}
	inAll    = map[string]string{"access.token.claim": "true", "introspection.token.claim": "true", "id.token.claim": "true", "userinfo.token.claim": "true"}
)

func attribute(kind, name, claim, jsonType string, many bool) Mapper {
	multivalued := "false"
	if many {
		multivalued = "true"
	}
	return mapper(claim, kind, inAll, map[string]string{
		"user.attribute": name, "claim.name": claim, "jsonType.label": jsonType, "multivalued": multivalued, "aggregate.attrs": "false",
	})
}

func clientScope(name, description string, inToken bool, mappers ...Mapper) ClientScope {
	include := "false"
	if inToken {
		include = "true"
	}
	return ClientScope{Name: name, Description: description, Protocol: openID, Mappers: mappers,
		Attributes: map[string]string{"include.in.token.scope": include, "display.on.consent.screen": "false"}}
}

// clientScopes are demarc's own and those that Keycloak makes by itself only when a realm file has none.
func clientScopes() []ClientScope {
	const userAttribute, userProperty, note = "oidc-usermodel-attribute-mapper", "oidc-usermodel-property-mapper", "oidc-usersessionmodel-note-mapper"
	return []ClientScope{
		clientScope(auth.ScopeRead, "Lets an application read through the API gateway, as far as its user's roles go.", true),
		clientScope(auth.ScopeWrite, "Lets an application create, change and delete through the API gateway, as far as its user's roles go.", true),
		clientScope(auth.ScopeAdmin, "Lets an application do admin tasks through the API gateway, as far as its user's roles go.", true),
		clientScope(AttributeScope, "Service providers and limits of the user, and demarc as the audience.", false,
			attribute(userAttribute, AttributeSPIDs, AttributeSPIDs, "String", true),
			attribute(userAttribute, AttributeMonthlyLimit, AttributeMonthlyLimit, "boolean", false),
			attribute(userAttribute, AttributeCreditLimit, AttributeCreditLimit, "boolean", false),
			mapper("audience", "oidc-audience-mapper", inAccess, map[string]string{"included.custom.audience": Audience, "id.token.claim": "false"}),
		),
		clientScope("basic", "Subject and time of login.", false,
			mapper("sub", "oidc-sub-mapper", inAccess),
			mapper("auth_time", note, inBoth, map[string]string{"user.session.note": "AUTH_TIME", "claim.name": "auth_time", "jsonType.label": "long"}),
		),
		clientScope("roles", "Roles of the realm and of clients.", false,
			mapper("realm roles", "oidc-usermodel-realm-role-mapper", inAccess, map[string]string{"claim.name": "realm_access.roles", "jsonType.label": "String", "multivalued": "true"}),
			mapper("client roles", "oidc-usermodel-client-role-mapper", inAccess, map[string]string{"claim.name": "resource_access.${client_id}.roles", "jsonType.label": "String", "multivalued": "true"}),
			mapper("audience resolve", "oidc-audience-resolve-mapper", inAccess),
		),
		clientScope("profile", "Names of the user.", true,
			attribute(userAttribute, "username", "preferred_username", "String", false),
			attribute(userAttribute, "firstName", "given_name", "String", false),
			attribute(userAttribute, "lastName", "family_name", "String", false),
			mapper("full name", "oidc-full-name-mapper", inAll),
		),
		clientScope("email", "Email address of the user.", true,
			attribute(userAttribute, "email", "email", "String", false),
			attribute(userProperty, "emailVerified", "email_verified", "boolean", false),
		),
		clientScope("acr", "Strength of the login.", false, mapper("acr loa level", "oidc-acr-mapper", inBoth)),
		clientScope("web-origins", "Allowed web origins of the client.", false, mapper("allowed web origins", "oidc-allowed-origins-mapper", inAccess)),
		clientScope("service_account", "The client, for its own account.", false,
			mapper("Client ID", note, inBoth, map[string]string{"user.session.note": "client_id", "claim.name": "client_id", "jsonType.label": "String"}),
			mapper("Client Host", note, inBoth, map[string]string{"user.session.note": "clientHost", "claim.name": "clientHost", "jsonType.label": "String"}),
			mapper("Client IP Address", note, inBoth, map[string]string{"user.session.note": "clientAddress", "claim.name": "clientAddress", "jsonType.label": "String"}),
		),
		clientScope("offline_access", "Refresh tokens that outlive the session.", true),
	}
}

// defaultScopes are in every token of both clients.
var defaultScopes = []string{"basic", "roles", "profile", "email", "acr", "web-origins", AttributeScope}
