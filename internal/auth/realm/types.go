package realm

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Realm is the subset of Keycloak's RealmRepresentation that demarc writes and reads. Durations are in
// seconds. Parse ignores members that are not here.
type Realm struct {
	Realm                 string `json:"realm"`
	DisplayName           string `json:"displayName,omitzero"`
	Enabled               bool   `json:"enabled"`
	SSLRequired           string `json:"sslRequired,omitzero"`
	RegistrationAllowed   bool   `json:"registrationAllowed"`
	LoginWithEmailAllowed bool   `json:"loginWithEmailAllowed"`
	PasswordPolicy        string `json:"passwordPolicy,omitzero"`

	DefaultSignatureAlgorithm string `json:"defaultSignatureAlgorithm,omitzero"`
	AccessTokenLifespan       int    `json:"accessTokenLifespan,omitzero"`
	ImplicitTokenLifespan     int    `json:"accessTokenLifespanForImplicitFlow,omitzero"`
	SSOSessionIdleTimeout     int    `json:"ssoSessionIdleTimeout,omitzero"`
	SSOSessionMaxLifespan     int    `json:"ssoSessionMaxLifespan,omitzero"`
	AccessCodeLifespan        int    `json:"accessCodeLifespan,omitzero"`
	RevokeRefreshToken        bool   `json:"revokeRefreshToken"`
	RefreshTokenMaxReuse      int    `json:"refreshTokenMaxReuse"`

	BruteForceProtected    bool `json:"bruteForceProtected"`
	FailureFactor          int  `json:"failureFactor,omitzero"`
	WaitIncrementSeconds   int  `json:"waitIncrementSeconds,omitzero"`
	MaxFailureWaitSeconds  int  `json:"maxFailureWaitSeconds,omitzero"`
	MaxDeltaTimeSeconds    int  `json:"maxDeltaTimeSeconds,omitzero"`
	QuickLoginCheckMillis  int  `json:"quickLoginCheckMilliSeconds,omitzero"`
	MinimumQuickLoginWaitS int  `json:"minimumQuickLoginWaitSeconds,omitzero"`

	Roles                       Roles                  `json:"roles"`
	ClientScopes                []ClientScope          `json:"clientScopes,omitzero"`
	DefaultDefaultClientScopes  []string               `json:"defaultDefaultClientScopes,omitzero"`
	DefaultOptionalClientScopes []string               `json:"defaultOptionalClientScopes,omitzero"`
	Clients                     []Client               `json:"clients,omitzero"`
	Users                       []User                 `json:"users,omitzero"`
	Components                  map[string][]Component `json:"components,omitzero"`
}

// Roles are the roles of the realm and of its clients.
type Roles struct {
	Realm  []Role            `json:"realm,omitzero"`
	Client map[string][]Role `json:"client,omitzero"`
}

// Role is one role; a composite brings others along.
type Role struct {
	Name        string      `json:"name"`
	Description string      `json:"description,omitzero"`
	Composite   bool        `json:"composite,omitzero"`
	Composites  *Composites `json:"composites,omitzero"`
}

// Composites are what a composite role is made of.
type Composites struct {
	Realm  []string            `json:"realm,omitzero"`
	Client map[string][]string `json:"client,omitzero"`
}

// ClientScope is a set of protocol mappers that clients share.
type ClientScope struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitzero"`
	Protocol    string            `json:"protocol"`
	Attributes  map[string]string `json:"attributes,omitzero"`
	Mappers     []Mapper          `json:"protocolMappers,omitzero"`
}

// Mapper puts something into tokens.
type Mapper struct {
	Name           string            `json:"name"`
	Protocol       string            `json:"protocol"`
	ProtocolMapper string            `json:"protocolMapper"`
	Config         map[string]string `json:"config,omitzero"`
}

// Client is an application that gets tokens.
type Client struct {
	ClientID                string            `json:"clientId"`
	Name                    string            `json:"name,omitzero"`
	Description             string            `json:"description,omitzero"`
	Enabled                 bool              `json:"enabled"`
	Protocol                string            `json:"protocol,omitzero"`
	AlwaysDisplayInConsole  bool              `json:"alwaysDisplayInConsole"`
	PublicClient            bool              `json:"publicClient"`
	ClientAuthenticatorType string            `json:"clientAuthenticatorType,omitzero"`
	Secret                  string            `json:"secret,omitzero"`
	RootURL                 string            `json:"rootUrl,omitzero"`
	BaseURL                 string            `json:"baseUrl,omitzero"`
	RedirectURIs            []string          `json:"redirectUris,omitzero"`
	WebOrigins              []string          `json:"webOrigins,omitzero"`
	StandardFlow            bool              `json:"standardFlowEnabled"`
	ImplicitFlow            bool              `json:"implicitFlowEnabled"`
	DirectAccessGrants      bool              `json:"directAccessGrantsEnabled"`
	ServiceAccounts         bool              `json:"serviceAccountsEnabled"`
	FullScopeAllowed        bool              `json:"fullScopeAllowed"`
	Attributes              map[string]string `json:"attributes,omitzero"`
	Mappers                 []Mapper          `json:"protocolMappers,omitzero"`
	DefaultClientScopes     []string          `json:"defaultClientScopes,omitzero"`
	OptionalClientScopes    []string          `json:"optionalClientScopes,omitzero"`
}

// User is a person, or the service account of a client.
type User struct {
	ID               string              `json:"id,omitzero"`
	Username         string              `json:"username"`
	Enabled          bool                `json:"enabled"`
	Email            string              `json:"email,omitzero"`
	EmailVerified    bool                `json:"emailVerified,omitzero"`
	FirstName        string              `json:"firstName,omitzero"`
	LastName         string              `json:"lastName,omitzero"`
	ServiceAccountOf string              `json:"serviceAccountClientId,omitzero"`
	Attributes       map[string][]string `json:"attributes,omitzero"`
	Credentials      []Credential        `json:"credentials,omitzero"`
	RequiredActions  []string            `json:"requiredActions,omitzero"`
	RealmRoles       []string            `json:"realmRoles,omitzero"`
	ClientRoles      map[string][]string `json:"clientRoles,omitzero"`
}

// Credential is a password. One that Keycloak has hashed comes without a Value.
type Credential struct {
	Type      string `json:"type"`
	Value     string `json:"value,omitzero"`
	Temporary bool   `json:"temporary"`
}

// Component is a configured provider of Keycloak, such as the user profile.
type Component struct {
	Name       string              `json:"name,omitzero"`
	ProviderID string              `json:"providerId"`
	Config     map[string][]string `json:"config,omitzero"`
}

// maxFile bounds a realm file; 100 service providers come to about 2 MiB.
const maxFile = 64 << 20

// Parse reads a realm file. It checks only that it is one: a name, and no client or user twice.
func Parse(r io.Reader) (*Realm, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("realm: %w", err)
	}
	if len(raw) > maxFile {
		return nil, errors.New("realm: the file is too large")
	}
	var out Realm
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("realm: %w", err)
	}
	if out.Realm == "" {
		return nil, errors.New("realm: the file names no realm")
	}
	seen := make(map[string]bool)
	for _, c := range out.Clients {
		if c.ClientID == "" || seen["c"+c.ClientID] {
			return nil, fmt.Errorf("realm: client %q has no id or comes twice", c.ClientID)
		}
		seen["c"+c.ClientID] = true
	}
	for _, u := range out.Users {
		if u.Username == "" || seen["u"+u.Username] {
			return nil, fmt.Errorf("realm: user %q has no name or comes twice", u.Username)
		}
		seen["u"+u.Username] = true
	}
	return &out, nil
}

// Export builds the realm and writes it as indented JSON: the same bytes for the same options.
func Export(w io.Writer, opts Options) error {
	r, err := Build(opts)
	if err != nil {
		return err
	}
	return r.Write(w)
}

// Write writes the realm as indented JSON, members of maps in alphabetical order.
func (r *Realm) Write(w io.Writer) error {
	raw, err := json.Marshal(r, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return fmt.Errorf("realm: %w", err)
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}
