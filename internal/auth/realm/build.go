package realm

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/auth"
)

// SP is a service provider as users' attributes and role descriptions name it.
type SP struct {
	SPID int
	// Name is 1 to 64 characters, without a line break.
	Name string
}

// Options say what realm to build. Only Providers is needed.
type Options struct {
	// Name is the name of the realm. Default "cm".
	Name string
	// Providers are the service providers, each with a number from 1 to 999,999,999.
	Providers []SP
	// Dev fills in what is only fit for a development machine: DevPassword for users and DevSecret for
	// clients that have none here, and redirects to any port of the machine.
	Dev bool
	// Passwords gives the password of a user by user name. Without Dev, a user who is not in it gets none,
	// and cannot log in until an administrator of Keycloak sets one; those given need 12 characters.
	Passwords map[string]string
	// Secrets gives the secret of a client by client id. Without Dev, Keycloak makes up one that is not
	// in it.
	Secrets map[string]string
	// GatewayURL is the root URL of the client obp-apigw. Default http://localhost:3000, as in the guide.
	GatewayURL string
	// GatewayRedirectURIs are where obp-apigw may be sent back to. Default: GatewayURL/oidc/callback; any
	// with Dev, as the guide has it.
	GatewayRedirectURIs []string
	// PortalURLs are the root URLs of the portal; all below them is a valid redirect. Default with Dev:
	// http://localhost and http://127.0.0.1 at any port.
	PortalURLs []string
}

// For development only: what users log in with and clients authenticate with when Options give nothing.
const (
	DevPassword = "demarc-dev"
	DevSecret   = "demarc-dev-secret"
)

// The demonstration users. There is one administrator per service provider besides, AdminOf names it.
const (
	// UserAdmin may do everything at every service provider.
	UserAdmin = "admin"
	// UserViewer may see everything at every service provider and change nothing.
	UserViewer = "viewer"
	// UserCSR is a representative: csr-all-operations, at every service provider.
	UserCSR = "csr"
	// UserClerk has a single narrow role: customer:get at the first service provider.
	UserClerk = "clerk"
)

// AdminOf is the name of the user who may do everything at one service provider.
func AdminOf(spid int) string { return "admin-" + strconv.Itoa(spid) }

// ServiceAccountOf is the name of the user that a client is when it acts for itself.
func ServiceAccountOf(client string) string { return "service-account-" + client }

const (
	lifespan    = 3600 // the guide's one hour
	minPassword = 12
)

// Build makes the realm. Errors say which option is wrong.
func Build(opts Options) (*Realm, error) {
	opts.Name = cmp.Or(opts.Name, "cm")
	opts.GatewayURL = strings.TrimSuffix(cmp.Or(opts.GatewayURL, "http://localhost:3000"), "/")
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts.Providers = slices.SortedFunc(slices.Values(opts.Providers), func(a, b SP) int { return a.SPID - b.SPID })
	if opts.Dev && len(opts.GatewayRedirectURIs) == 0 {
		opts.GatewayRedirectURIs = []string{"*"}
	}
	if len(opts.GatewayRedirectURIs) == 0 {
		opts.GatewayRedirectURIs = []string{opts.GatewayURL + "/oidc/callback"}
	}
	if opts.Dev && len(opts.PortalURLs) == 0 {
		opts.PortalURLs = []string{"http://localhost", "http://127.0.0.1"}
	}
	r := &Realm{
		Realm: opts.Name, DisplayName: "Customer Management", Enabled: true,
		SSLRequired: "external", LoginWithEmailAllowed: true,
		DefaultSignatureAlgorithm: "RS256", AccessTokenLifespan: 300, ImplicitTokenLifespan: 900,
		SSOSessionIdleTimeout: 1800, SSOSessionMaxLifespan: 36000, AccessCodeLifespan: 60,
		RevokeRefreshToken:  true,
		BruteForceProtected: true, FailureFactor: 5, WaitIncrementSeconds: 60, MaxFailureWaitSeconds: 900,
		MaxDeltaTimeSeconds: 43200, QuickLoginCheckMillis: 1000, MinimumQuickLoginWaitS: 60,
		ClientScopes:                clientScopes(),
		DefaultDefaultClientScopes:  defaultScopes,
		DefaultOptionalClientScopes: []string{"offline_access"},
		Clients:                     []Client{gateway(opts), portal(opts)},
		Users:                       users(opts),
	}
	if !opts.Dev {
		r.PasswordPolicy = fmt.Sprintf("length(%d) and notUsername(undefined) and notEmail(undefined)", minPassword)
	}
	r.Roles.Realm = generalRoles(opts.Providers)
	for _, sp := range opts.Providers {
		r.Roles.Realm = append(r.Roles.Realm, providerRoles(sp)...)
	}
	profile, err := userProfile()
	if err != nil {
		return nil, err
	}
	r.Components = map[string][]Component{"org.keycloak.userprofile.UserProfileProvider": {{
		ProviderID: "declarative-user-profile", Config: map[string][]string{"kc.user.profile.config": {profile}},
	}}}
	return r, nil
}

func (o *Options) check() error {
	if len(o.Name) > 36 || url.PathEscape(o.Name) != o.Name {
		return fmt.Errorf("realm: %q cannot be the name of a realm: at most 36 characters that stand in a URL as they are", o.Name)
	}
	if len(o.Providers) == 0 {
		return errors.New("realm: at least one service provider is needed")
	}
	seen := make(map[int]bool)
	for _, sp := range o.Providers {
		if sp.SPID < 1 || sp.SPID > 999_999_999 || seen[sp.SPID] {
			return fmt.Errorf("realm: service provider %d is out of range or comes twice", sp.SPID)
		}
		if n := len([]rune(sp.Name)); n < 1 || n > 64 || strings.ContainsAny(sp.Name, "\r\n") {
			return fmt.Errorf("realm: the name of service provider %d must have 1 to 64 characters on one line", sp.SPID)
		}
		seen[sp.SPID] = true
	}
	if !o.Dev {
		for user, password := range o.Passwords {
			if len([]rune(password)) < minPassword {
				return fmt.Errorf("realm: the password of user %q needs %d characters", user, minPassword)
			}
		}
		if slices.Contains(o.GatewayRedirectURIs, "*") {
			return errors.New("realm: a redirect to anywhere is for development only")
		}
	}
	return nil
}

func gateway(o Options) Client {
	return Client{
		ClientID: GatewayClient, Name: "API gateway", Description: "Programs that use the APIs.", Enabled: true, Protocol: openID,
		ClientAuthenticatorType: "client-secret", Secret: o.secret(GatewayClient),
		RootURL: o.GatewayURL, BaseURL: o.GatewayURL + "/", RedirectURIs: o.GatewayRedirectURIs, WebOrigins: []string{"+"},
		StandardFlow: true, ImplicitFlow: true, DirectAccessGrants: true, ServiceAccounts: true, FullScopeAllowed: true,
		Attributes: map[string]string{
			"access.token.lifespan": strconv.Itoa(lifespan), "post.logout.redirect.uris": "+",
			"use.jwks.url": "true", "jwks.url": o.GatewayURL + "/.well-known/jwks.json",
		},
		DefaultClientScopes:  append(slices.Clone(defaultScopes), "service_account", auth.ScopeAdmin, auth.ScopeRead, auth.ScopeWrite),
		OptionalClientScopes: []string{"offline_access"},
	}
}

func portal(o Options) Client {
	c := Client{
		ClientID: PortalClient, Name: "Customer-service portal", Description: "The portal that representatives log in to.", Enabled: true, Protocol: openID,
		ClientAuthenticatorType: "client-secret", Secret: o.secret(PortalClient), WebOrigins: []string{"+"},
		StandardFlow: true, FullScopeAllowed: true,
		Attributes:          map[string]string{"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": "+"},
		DefaultClientScopes: append(slices.Clone(defaultScopes), auth.ScopeAdmin, auth.ScopeRead, auth.ScopeWrite),
	}
	for _, root := range o.PortalURLs {
		c.RedirectURIs = append(c.RedirectURIs, strings.TrimSuffix(root, "/")+"/*")
	}
	return c
}

func (o Options) secret(client string) string {
	if s, ok := o.Secrets[client]; ok || !o.Dev {
		return s
	}
	return DevSecret
}

func users(o Options) []User {
	everywhere := func(suffixes ...string) (roles []string) {
		for _, sp := range o.Providers {
			for _, s := range suffixes {
				roles = append(roles, fmt.Sprintf("%d:%s", sp.SPID, s))
			}
		}
		return roles
	}
	first := o.Providers[:1]
	out := []User{
		o.user(UserAdmin, "Demo", "Administrator", o.Providers, true, everywhere("*:*", "admin")...),
		o.user(UserViewer, "Vera", "Viewer", o.Providers, false, everywhere("*:get")...),
		o.user(UserCSR, "Ann", "Agent", o.Providers, true, auth.RoleCSRAll),
		o.user(UserClerk, "Carl", "Clerk", first, false, fmt.Sprintf("%d:customer:get", first[0].SPID)),
	}
	for _, sp := range o.Providers {
		out = append(out, o.user(AdminOf(sp.SPID), "Administrator", sp.Name, []SP{sp}, true, fmt.Sprintf("%d:*:*", sp.SPID), fmt.Sprintf("%d:admin", sp.SPID)))
	}
	account := o.user(ServiceAccountOf(GatewayClient), "", "", o.Providers, true, everywhere("*:*")...)
	account.ServiceAccountOf, account.Email, account.EmailVerified, account.Credentials = GatewayClient, "", false, nil
	return append(out, account)
}

func (o Options) user(name, first, last string, providers []SP, limits bool, roles ...string) User {
	may := "False"
	if limits {
		may = "True"
	}
	u := User{
		ID: userID(o.Name, name), Username: name, Enabled: true, Email: name + "@example.com", EmailVerified: true,
		FirstName: first, LastName: last, RealmRoles: roles,
		Attributes: map[string][]string{AttributeMonthlyLimit: {may}, AttributeCreditLimit: {may}},
	}
	for _, sp := range providers {
		u.Attributes[AttributeSPIDs] = append(u.Attributes[AttributeSPIDs], fmt.Sprintf("%d:%s", sp.SPID, sp.Name))
	}
	password, ok := o.Passwords[name]
	if !ok && o.Dev {
		password = DevPassword
	}
	if password != "" {
		u.Credentials = []Credential{{Type: "password", Value: password}}
	}
	return u
}

// userID is a UUID (version 8) of the realm and the user name, so that a user is the same subject in
// Keycloak and in the development identity provider, and in every export.
func userID(realm, name string) string {
	b := sha256.Sum256([]byte(realm + "\x00" + name))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

type profileAttribute struct {
	Name        string              `json:"name"`
	DisplayName string              `json:"displayName,omitzero"`
	Multivalued bool                `json:"multivalued"`
	Permissions map[string][]string `json:"permissions"`
	Validations map[string]any      `json:"validations,omitzero"`
}

// userProfile declares the attributes of users. Users see and change their names; the three attributes of
// the guide only administrators see and change, or users could give themselves service providers.
func userProfile() (string, error) {
	own := map[string][]string{"view": {"admin", "user"}, "edit": {"admin", "user"}}
	admin := map[string][]string{"view": {"admin"}, "edit": {"admin"}}
	trueFalse := map[string]any{"options": map[string]any{"options": []string{"True", "False", "true", "false"}}}
	length := map[string]any{"length": map[string]any{"max": 255}}
	profile := struct {
		Attributes []profileAttribute `json:"attributes"`
	}{[]profileAttribute{
		{Name: "username", DisplayName: "${username}", Permissions: own, Validations: map[string]any{"length": map[string]any{"min": 1, "max": 255}}},
		{Name: "email", DisplayName: "${email}", Permissions: own, Validations: map[string]any{"email": map[string]any{}, "length": map[string]any{"max": 255}}},
		{Name: "firstName", DisplayName: "${firstName}", Permissions: own, Validations: length},
		{Name: "lastName", DisplayName: "${lastName}", Permissions: own, Validations: length},
		{Name: AttributeSPIDs, DisplayName: "Service providers, each number:name", Multivalued: true, Permissions: admin,
			Validations: map[string]any{"pattern": map[string]any{"pattern": "^[1-9][0-9]{0,8}:.{1,64}$", "error-message": "number:name"}}},
		{Name: AttributeMonthlyLimit, DisplayName: "May change monthly spend limits", Permissions: admin, Validations: trueFalse},
		{Name: AttributeCreditLimit, DisplayName: "May change credit limits", Permissions: admin, Validations: trueFalse},
	}}
	raw, err := json.Marshal(profile, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("realm: %w", err)
	}
	return string(raw), nil
}
