package devidp

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// Options say what provider to make.
type Options struct {
	// Dev must be true: it says that demarc runs in development mode.
	Dev bool
	// Listen is the address that the handler will be served at ("127.0.0.1:8080"); its host must be a
	// loopback address or "localhost".
	Listen string
	// BaseURL is how browsers reach the handler, without a path. Default: http:// and Listen; with port 0,
	// SetBaseURL gives it once the port is known.
	BaseURL string
	// Realm is the realm to serve; realm.Parse and realm.Build make one.
	Realm *realm.Realm
	// KeyFile keeps the signing key (PKCS #8, PEM). It is made when missing. Empty keeps the key in
	// memory: tokens then end with the process.
	KeyFile string
	// Clock tells the time. Default: the machine's.
	Clock clock.Clock
}

// Provider is the development identity provider. It is an http.Handler, safe for many goroutines.
type Provider struct {
	realm   *realm.Realm
	clock   clock.Clock
	base    atomic.Pointer[string]
	key     *signingKey
	secret  []byte // signs refresh tokens and form tokens; ends with the process
	users   *directory
	clients map[string]*realm.Client
	scopes  map[string]*realm.ClientScope
	state   *state
	mux     *http.ServeMux
	routes  []string
}

// New makes a provider. It refuses outside development mode, at an address that is not loopback, and for
// a realm whose secrets are placeholders. The signing key is made in the background when there is none.
func New(opts Options) (*Provider, error) {
	if !opts.Dev {
		return nil, errors.New("devidp: the embedded identity provider is for development mode only; configure an OpenID Connect issuer")
	}
	host, port, err := net.SplitHostPort(opts.Listen)
	if err != nil || !loopback(host) {
		return nil, fmt.Errorf("devidp: the embedded identity provider listens on a loopback address only, not on %q", opts.Listen)
	}
	if opts.Realm == nil {
		return nil, errors.New("devidp: a realm is needed")
	}
	if opts.Clock == nil {
		opts.Clock = clock.Real{}
	}
	p := &Provider{realm: opts.Realm, clock: opts.Clock, secret: make([]byte, 64), state: newState(opts.Clock),
		clients: make(map[string]*realm.Client), scopes: make(map[string]*realm.ClientScope)}
	if _, err := rand.Read(p.secret); err != nil {
		return nil, fmt.Errorf("devidp: %w", err)
	}
	for i := range opts.Realm.Clients {
		c := &opts.Realm.Clients[i]
		if strings.HasPrefix(c.Secret, "${") {
			return nil, fmt.Errorf("devidp: the secret of client %q is a placeholder", c.ClientID)
		}
		p.clients[c.ClientID] = c
	}
	for i := range opts.Realm.ClientScopes {
		p.scopes[opts.Realm.ClientScopes[i].Name] = &opts.Realm.ClientScopes[i]
	}
	if p.users, err = newDirectory(opts.Realm, opts.Clock); err != nil {
		return nil, err
	}
	if p.key, err = newSigningKey(opts.KeyFile); err != nil {
		return nil, err
	}
	if opts.BaseURL != "" || port != "0" {
		if err := p.SetBaseURL(cmp.Or(opts.BaseURL, "http://"+opts.Listen)); err != nil {
			return nil, err
		}
	}
	p.route()
	return p, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// SetBaseURL says how browsers reach the handler ("http://127.0.0.1:41231"). Tokens issued before name
// another issuer.
func (p *Provider) SetBaseURL(base string) error {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return fmt.Errorf("devidp: %q is not the URL of a server", base)
	}
	if !loopback(u.Hostname()) {
		return fmt.Errorf("devidp: the base URL must name a loopback host, not %q", u.Hostname())
	}
	s := u.Scheme + "://" + u.Host
	p.base.Store(&s)
	return nil
}

func (p *Provider) baseURL() string {
	if s := p.base.Load(); s != nil {
		return *s
	}
	return ""
}

// Issuer is the value of `iss`; empty until the base URL is known.
func (p *Provider) Issuer() string {
	if b := p.baseURL(); b != "" {
		return b + "/realms/" + p.realm.Realm
	}
	return ""
}

func (p *Provider) endpoint(name string) string {
	return p.Issuer() + "/protocol/openid-connect/" + name
}

// The token paths of the other contracts. They serve the client credentials grant and no other.
const (
	aliasSubscription = "/oauth/client_credential/accesstoken"
	aliasPIN          = "/v1/oauth/access_token/accesstoken"
)

func (p *Provider) route() {
	p.mux = http.NewServeMux()
	at := "/realms/" + p.realm.Realm
	oidc := at + "/protocol/openid-connect/"
	for _, r := range []struct {
		pattern string
		handle  http.HandlerFunc
	}{
		{"GET " + at + "/.well-known/openid-configuration", p.discovery},
		{"GET " + oidc + "certs", p.certs},
		{"POST " + oidc + "token", p.token},
		{"POST " + oidc + "token/introspect", p.introspect},
		{"POST " + oidc + "revoke", p.revoke},
		{"GET " + oidc + "userinfo", p.userinfo},
		{"POST " + oidc + "userinfo", p.userinfo},
		{"GET " + oidc + "auth", p.authorize},
		{"POST " + oidc + "auth", p.authorize},
		{"POST " + at + "/login-actions/authenticate", p.login},
		{"GET " + oidc + "logout", p.logout},
		{"POST " + oidc + "logout", p.logout},
		{"POST " + aliasSubscription, p.tokenAlias(false)},
		{"POST " + aliasPIN, p.tokenAlias(true)},
	} {
		p.mux.HandleFunc(r.pattern, r.handle)
		p.routes = append(p.routes, r.pattern)
	}
}

// Routes are the patterns that the provider serves, "METHOD /path", for the operation table. GET includes
// HEAD.
func (p *Provider) Routes() []string { return slices.Clone(p.routes) }

// ServeHTTP implements http.Handler. A request with a Host that is not a loopback name is refused, so
// that a web page cannot reach the provider under a name of its own.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if !loopback(strings.Trim(host, "[]")) {
		http.Error(w, "this provider answers on the local machine only", http.StatusMisdirectedRequest)
		return
	}
	if p.baseURL() == "" {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	p.mux.ServeHTTP(w, r)
}

// KeySet is the JSON Web Key Set, for auth.Issuer.Keys of the same process.
func (p *Provider) KeySet(ctx context.Context) ([]byte, error) { return p.key.set(ctx) }

// Mint makes an access token of a user for a client, as if the user had logged in: for `demarc token`
// and tests. A service account's token is minted by its user name.
func (p *Provider) Mint(user, client string) (string, error) {
	c, u := p.clients[client], p.users.find(user)
	if c == nil || !c.Enabled {
		return "", fmt.Errorf("devidp: no client %q", client)
	}
	if u == nil || !u.Enabled {
		return "", fmt.Errorf("devidp: no user %q", user)
	}
	if p.Issuer() == "" {
		return "", errors.New("devidp: the base URL is not known yet")
	}
	g := &grant{client: c, user: u, scopes: p.scopesOf(c, ""), now: p.clock.Now()}
	if u.ServiceAccountOf != "" {
		if u.ServiceAccountOf != client {
			return "", fmt.Errorf("devidp: %q is the service account of another client", user)
		}
		g.notes = map[string]string{"client_id": client}
	} else {
		g.session = p.state.begin(u, false, p.sessionLife())
	}
	raw, _, err := p.accessToken(context.Background(), g)
	return raw, err
}

// random is n bytes of randomness as base64url.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // documented never to fail
	return base64.RawURLEncoding.EncodeToString(b)
}
