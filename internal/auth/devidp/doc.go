// Package devidp is an OpenID Connect provider inside the binary, for development and tests only.
//
// It serves Keycloak's paths, reads the realm file that Keycloak imports and writes tokens in Keycloak's
// shape, so that everything behind it is the same with either. It refuses to start outside development
// mode or on an address that other machines reach.
//
// Flows: authorization code with PKCE, implicit, password, client credentials, refresh with rotation;
// logout, user info, introspection and revocation. Sessions, codes and refresh tokens live in memory and
// end with the process; the signing key can be kept in a file, so that access tokens outlive a restart.
//
// It is written on golang-jwt rather than on a provider library (go-oidc was looked at): the password
// grant that the guide's client has switched on, claims that come from the realm file's protocol mappers,
// Keycloak's redirect patterns, its login and logout pages, and token paths that take the grant type from
// the query would each have had to go around the library, which left it little to carry.
package devidp
