// Package realm writes and reads Keycloak 26 realm files.
//
// Build makes the realm that demarc needs for a list of service providers: the roles of the Keycloak
// guide for each of them and roles of the same pattern for the entities that the guide has none for, the
// client scopes with their mappers, the clients obp-apigw and cm-portal, demonstration users, and a user
// profile in which only administrators change which service providers a user has. Export writes it as the
// JSON that `kc.sh import` and `--import-realm` take, the same bytes for the same options. Parse reads
// such a file for the development identity provider (package devidp), so that both serve one realm.
package realm
