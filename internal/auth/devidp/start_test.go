package devidp_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/auth/devidp"
	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

func devRealm(t testing.TB) *realm.Realm {
	t.Helper()
	r, err := realm.Build(realm.Options{Dev: true, Providers: twoProviders})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewRefuses(t *testing.T) {
	r := devRealm(t)
	placeholder := devRealm(t)
	placeholder.Clients[0].Secret = "${SECRET}"
	notAKey := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(notAKey, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]devidp.Options{
		"outside development":       {Listen: "127.0.0.1:8080", Realm: r},
		"every interface":           {Dev: true, Listen: ":8080", Realm: r},
		"0.0.0.0":                   {Dev: true, Listen: "0.0.0.0:8080", Realm: r},
		"[::]":                      {Dev: true, Listen: "[::]:8080", Realm: r},
		"a public address":          {Dev: true, Listen: "192.0.2.1:8080", Realm: r},
		"a name":                    {Dev: true, Listen: "localhost.evil.example:8080", Realm: r},
		"no port":                   {Dev: true, Listen: "127.0.0.1", Realm: r},
		"no realm":                  {Dev: true, Listen: "127.0.0.1:8080"},
		"a public base URL":         {Dev: true, Listen: "127.0.0.1:8080", BaseURL: "https://id.example", Realm: r},
		"a base URL with a path":    {Dev: true, Listen: "127.0.0.1:8080", BaseURL: "http://localhost/x", Realm: r},
		"a secret to be filled in":  {Dev: true, Listen: "127.0.0.1:8080", Realm: placeholder},
		"a key file that is no key": {Dev: true, Listen: "127.0.0.1:8080", Realm: r, KeyFile: notAKey},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := devidp.New(opts); err == nil {
				t.Error("started")
			}
		})
	}
	for _, listen := range []string{"127.0.0.1:8080", "[::1]:8080", "localhost:8080", "127.8.9.1:1"} {
		if p, err := devidp.New(devidp.Options{Dev: true, Listen: listen, Realm: r}); err != nil || p.Issuer() != "http://"+listen+"/realms/cm" {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

// A token outlives a restart when the key is kept in a file, and the file is its owner's alone.
func TestKeySurvivesRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.pem")
	start := func() *devidp.Provider {
		p, err := devidp.New(devidp.Options{Dev: true, Listen: "127.0.0.1:8080", Realm: devRealm(t), KeyFile: file})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	token, err := start().Mint(realm.UserAdmin, realm.GatewayClient)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	p := start()
	a, err := auth.New(auth.Config{Issuers: []auth.Issuer{{URL: p.Issuer(), Keys: p.KeySet, Audiences: []string{realm.Audience}}}}, clock.Real{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(t.Context(), "Bearer "+token, ""); err != nil {
		t.Error(err)
	}
}

func TestServesTheLocalMachineOnly(t *testing.T) {
	p, err := devidp.New(devidp.Options{Dev: true, Listen: "127.0.0.1:0", Realm: devRealm(t)})
	if err != nil {
		t.Fatal(err)
	}
	status := func(host, path string) int {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return w.Code
	}
	const discovery = "/realms/cm/.well-known/openid-configuration"
	if got := status("127.0.0.1:1", discovery); got != http.StatusServiceUnavailable {
		t.Errorf("before the base URL is known: %d", got)
	}
	if _, err := p.Mint(realm.UserAdmin, realm.GatewayClient); err == nil {
		t.Error("minted without an issuer")
	}
	if err := p.SetBaseURL("http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"127.0.0.1:1": 200, "localhost:1": 200, "[::1]:1": 200, "localhost": 200, "evil.example:1": 421, "127.0.0.1.evil.example": 421, "": 421} {
		if got := status(host, discovery); got != want {
			t.Errorf("host %q: %d", host, got)
		}
	}
	for path, want := range map[string]int{"/realms/master/.well-known/openid-configuration": 404, "/": 404, "/realms/cm/protocol/openid-connect/token": 405} {
		if got := status("localhost", path); got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
}

func TestGrantsRefused(t *testing.T) {
	w := newWorld(t, func(r *realm.Realm) {
		r.Clients = append(r.Clients,
			realm.Client{ClientID: "public", Enabled: true, PublicClient: true, ServiceAccounts: true},
			realm.Client{ClientID: "nosecret", Enabled: true, ServiceAccounts: true, DirectAccessGrants: true},
			realm.Client{ClientID: "off", Secret: realm.DevSecret, ServiceAccounts: true})
		r.Users = append(r.Users,
			realm.User{Username: "temp", Enabled: true, FirstName: "T", LastName: "T", Email: "t@example.com", Credentials: []realm.Credential{{Type: "password", Value: realm.DevPassword, Temporary: true}}},
			realm.User{Username: "nameless", Enabled: true, Credentials: []realm.Credential{{Type: "password", Value: realm.DevPassword}}},
			realm.User{Username: "gone", FirstName: "G", LastName: "G", Credentials: []realm.Credential{{Type: "password", Value: realm.DevPassword}}})
	})
	as := func(client, secret string, pairs ...string) answer {
		return w.post(oidc+"token", append([]string{"client_id", client, "client_secret", secret}, pairs...)...)
	}
	for _, c := range []struct {
		name   string
		got    answer
		status int
		err    string
	}{
		{"wrong password", w.password(realm.UserAdmin, "password", "wrong"), 401, "invalid_grant"},
		{"no such user", w.password("nobody"), 401, "invalid_grant"},
		{"disabled user", w.password("gone"), 401, "invalid_grant"},
		{"service account by password", w.password("service-account-obp-apigw", "password", ""), 401, "invalid_grant"},
		{"temporary password", w.password("temp"), 400, "invalid_grant"},
		{"user without a name", w.password("nameless"), 400, "invalid_grant"},
		{"unknown scope", w.password(realm.UserAdmin, "scope", "openid root"), 400, "invalid_scope"},
		{"wrong secret", as(realm.GatewayClient, "wrong", "grant_type", "client_credentials"), 401, "invalid_client"},
		{"no secret", as(realm.GatewayClient, "", "grant_type", "client_credentials"), 401, "invalid_client"},
		{"unknown client", as("nobody", realm.DevSecret, "grant_type", "client_credentials"), 401, "invalid_client"},
		{"disabled client", as("off", realm.DevSecret, "grant_type", "client_credentials"), 401, "invalid_client"},
		{"client without a secret", as("nosecret", "", "grant_type", "client_credentials"), 401, "invalid_client"},
		{"public client for itself", as("public", "", "grant_type", "client_credentials"), 401, "unauthorized_client"},
		{"client without the flow", as(realm.PortalClient, realm.DevSecret, "grant_type", "password", "username", "admin", "password", realm.DevPassword), 400, "unauthorized_client"},
		{"client without an account", as(realm.PortalClient, realm.DevSecret, "grant_type", "client_credentials"), 401, "unauthorized_client"},
		{"no grant type", w.grant(), 400, "invalid_request"},
		{"unknown grant type", w.grant("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), 400, "unsupported_grant_type"},
		{"grant type in the query", w.post(oidc+"token?grant_type=client_credentials", "client_id", realm.GatewayClient, "client_secret", realm.DevSecret), 400, "invalid_request"},
	} {
		if c.got.Status != c.status || c.got.Error != c.err || c.got.AccessToken != "" {
			t.Errorf("%s: %+v", c.name, c.got)
		}
	}
}

func TestTokenRequestForm(t *testing.T) {
	w := newWorld(t)
	good := url.Values{"grant_type": {"client_credentials"}}
	for _, c := range []struct {
		name, contentType, user, password, body string
		want                                    int
	}{
		{"Basic", "application/x-www-form-urlencoded", realm.GatewayClient, realm.DevSecret, good.Encode(), 200},
		{"Basic, encoded", "application/x-www-form-urlencoded; charset=utf-8", "obp%2Dapigw", realm.DevSecret, good.Encode(), 200},
		{"Basic and form", "application/x-www-form-urlencoded", realm.GatewayClient, realm.DevSecret, good.Encode() + "&client_secret=" + realm.DevSecret, 401},
		{"Basic and another id", "application/x-www-form-urlencoded", realm.GatewayClient, realm.DevSecret, good.Encode() + "&client_id=cm-portal", 401},
		{"JSON", "application/json", realm.GatewayClient, realm.DevSecret, `{"grant_type":"client_credentials"}`, 415},
		{"something twice", "application/x-www-form-urlencoded", realm.GatewayClient, realm.DevSecret, good.Encode() + "&scope=openid&scope=openid", 400},
		{"too large", "application/x-www-form-urlencoded", realm.GatewayClient, realm.DevSecret, good.Encode() + "&x=" + strings.Repeat("a", 100<<10), 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+oidc+"token", strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", c.contentType)
			req.SetBasicAuth(c.user, c.password)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != c.want || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("status %d, Cache-Control %q", res.StatusCode, res.Header.Get("Cache-Control"))
			}
		})
	}
}

// The claims of an access token are Keycloak's, no more and no less; a test against a real Keycloak
// (package keycloaktest) compares the names.
func TestAccessTokenClaims(t *testing.T) {
	w := newWorld(t)
	token := w.password(realm.UserCSR, "scope", "openid").AccessToken
	head, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err != nil || !bytes.Contains(head, []byte(`"typ":"JWT"`)) || !bytes.Contains(head, []byte(`"alg":"RS256"`)) {
		t.Errorf("header %s, %v", head, err)
	}
	c := decode(t, token)
	roles := c["realm_access"].(map[string]any)["roles"].([]any)
	if !slices.Contains(roles, any("csr-all-operations")) || !slices.Contains(roles, any("2:dashboard:get")) {
		t.Errorf("a composite and its parts: %v", roles)
	}
	for name, want := range map[string]any{"typ": "Bearer", "azp": realm.GatewayClient, "aud": realm.Audience, "iss": w.provider.Issuer(), "preferred_username": "csr",
		"allowCsrToManageCreditLimit": true, "email_verified": true, "name": "Ann Agent", "scope": "openid profile email obp-apigw:admin obp-apigw:read obp-apigw:write"} {
		if c[name] != want {
			t.Errorf("%s: %v, want %v", name, c[name], want)
		}
	}
	if life := c["exp"].(float64) - c["iat"].(float64); life != 3600 {
		t.Errorf("life %v s", life)
	}
}

// A start with a kept key is to take less than 30 ms.
func BenchmarkNew(b *testing.B) {
	r := devRealm(b)
	file := filepath.Join(b.TempDir(), "key.pem")
	first, err := devidp.New(devidp.Options{Dev: true, Listen: "127.0.0.1:1", Realm: r, KeyFile: file})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := first.KeySet(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := devidp.New(devidp.Options{Dev: true, Listen: "127.0.0.1:1", Realm: r, KeyFile: file}); err != nil {
			b.Fatal(err)
		}
	}
}
