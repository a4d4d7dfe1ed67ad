// Package auth says who asks and what they may do.
//
// An Authenticator turns the Authorization and X-API-Key headers of a request into a Principal: it
// verifies access tokens of any configured OpenID Connect issuer (Keycloak 26 in production, package
// devidp in development) and demarc's own API keys. A Principal turns the `spid` header and the
// permissions that an operation needs into a scope.Scope, which every query asks for. No other package
// makes one.
//
// Effective access is the intersection of four things, each of which only narrows:
//
//	roles          what the token's realm and client roles grant for a service provider (role.go)
//	OAuth scopes   obp-apigw:read for get, obp-apigw:write for the rest, obp-apigw:admin for admin tasks
//	availableSpids the service providers that the identity provider lists for the user
//	API key        the service providers of the key, when one is sent
//
// What is refused and why is told by faults of kind Unauthenticated (who are you?), Forbidden (not you)
// and Invalid (a malformed `spid`). Their messages are the same for every reason a token can be bad;
// the reason is the hidden cause, for the log.
package auth
