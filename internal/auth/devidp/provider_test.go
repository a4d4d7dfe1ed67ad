package devidp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/auth/devidp"
	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// world is a provider that is served on a loopback port, with an Authenticator that trusts it.
type world struct {
	t        *testing.T
	clock    *clock.Virtual
	provider *devidp.Provider
	server   *httptest.Server
	auth     *auth.Authenticator
}

var twoProviders = []realm.SP{{SPID: 1, Name: "HappyPhone"}, {SPID: 2, Name: "SadPhone"}}

// testKey is shared, since making a key takes longer than most tests.
var testKeyDir string

func TestMain(m *testing.M) {
	dir, cleanup := keyDir()
	testKeyDir = dir
	m.Run()
	cleanup()
}

func newWorld(t *testing.T, change ...func(*realm.Realm)) *world {
	t.Helper()
	r, err := realm.Build(realm.Options{Dev: true, Providers: twoProviders})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(r)
	}
	w := &world{t: t, clock: clock.NewVirtual(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))}
	w.provider, err = devidp.New(devidp.Options{Dev: true, Listen: "127.0.0.1:0", Realm: r, Clock: w.clock, KeyFile: testKeyDir + "/key.pem"})
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.provider)
	t.Cleanup(w.server.Close)
	if err := w.provider.SetBaseURL(w.server.URL); err != nil {
		t.Fatal(err)
	}
	w.auth, err = auth.New(auth.Config{Issuers: []auth.Issuer{{URL: w.provider.Issuer(), Audiences: []string{realm.Audience}}}}, w.clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

type answer struct {
	Status       int
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
}

// post sends a form; pairs are names and values in turn.
func (w *world) post(path string, pairs ...string) answer {
	w.t.Helper()
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	res, err := http.Post(w.server.URL+path, "application/x-www-form-urlencoded", strings.NewReader(f.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out := answer{Status: res.StatusCode}
	if err := json.UnmarshalRead(res.Body, &out); err != nil && res.ContentLength > 0 {
		w.t.Fatal(err)
	}
	out.Status = res.StatusCode
	return out
}

const oidc = "/realms/cm/protocol/openid-connect/"

func (w *world) grant(pairs ...string) answer {
	w.t.Helper()
	return w.post(oidc+"token", append([]string{"client_id", realm.GatewayClient, "client_secret", realm.DevSecret}, pairs...)...)
}

func (w *world) password(user string, pairs ...string) answer {
	w.t.Helper()
	return w.grant(append([]string{"grant_type", "password", "username", user, "password", realm.DevPassword}, pairs...)...)
}

func (w *world) principal(token string) *auth.Principal {
	w.t.Helper()
	p, err := w.auth.Authenticate(w.t.Context(), "Bearer "+token, "")
	if err != nil {
		w.t.Fatalf("token refused: %v", err)
	}
	return p
}

func TestPasswordGrantMakesAPrincipal(t *testing.T) {
	w := newWorld(t)
	got := w.password(realm.UserAdmin)
	if got.Status != http.StatusOK || got.ExpiresIn != 3600 || got.RefreshToken == "" || got.IDToken != "" {
		t.Fatalf("answer %+v", got)
	}
	p := w.principal(got.AccessToken)
	if a := p.Actor(); a.Name != realm.UserAdmin || a.Client != realm.GatewayClient || a.Subject == "" {
		t.Errorf("actor %+v", a)
	}
	for _, perm := range []auth.Permission{{Entity: "customer", Verb: auth.Patch}, {Entity: auth.AdminEntity, Verb: auth.Post}} {
		if _, err := p.Scope("2", perm); err != nil {
			t.Errorf("admin refused %v: %v", perm, err)
		}
	}
	s, err := p.Scope("", auth.Permission{Entity: "customer", Verb: auth.Get})
	if err != nil || s.SPID() != 1 || !s.Claims().ManageCreditLimit || len(s.Claims().SPIDs) != 2 {
		t.Errorf("default scope %+v, %v", s, err)
	}
}

func TestClientCredentialsAndAliases(t *testing.T) {
	w := newWorld(t)
	id := []string{"client_id", realm.GatewayClient, "client_secret", realm.DevSecret}
	for name, got := range map[string]answer{
		"keycloak":           w.grant("grant_type", "client_credentials"),
		"subscription alias": w.post("/oauth/client_credential/accesstoken", append(id, "grant_type", "client_credentials")...),
		"PIN alias":          w.post("/v1/oauth/access_token/accesstoken?grant_type=client_credentials", id...),
	} {
		t.Run(name, func(t *testing.T) {
			if got.Status != http.StatusOK || got.RefreshToken != "" {
				t.Fatalf("answer %+v", got)
			}
			p := w.principal(got.AccessToken)
			if a := p.Actor(); a.Name != "service-account-obp-apigw" || p.Session() != "" {
				t.Errorf("actor %+v, session %q", a, p.Session())
			}
			if !p.Allowed(2, auth.Permission{Entity: "subscription", Verb: auth.Post}) {
				t.Error("the service account may not create a subscription")
			}
		})
	}
	if got := w.post("/oauth/client_credential/accesstoken?grant_type=client_credentials", id...); got.Error != "unsupported_grant_type" {
		t.Errorf("grant type in the query of the other alias: %+v", got)
	}
	if got := w.post("/v1/oauth/access_token/accesstoken?grant_type=password", append(id, "username", "admin", "password", realm.DevPassword)...); got.Error != "unsupported_grant_type" {
		t.Errorf("password grant at an alias: %+v", got)
	}
}

func TestMint(t *testing.T) {
	w := newWorld(t)
	for _, user := range []string{realm.UserClerk, realm.ServiceAccountOf(realm.GatewayClient)} {
		token, err := w.provider.Mint(user, realm.GatewayClient)
		if err != nil {
			t.Fatal(err)
		}
		if !w.principal(token).Allowed(1, auth.Permission{Entity: "customer", Verb: auth.Get}) {
			t.Errorf("%s may not read customers", user)
		}
	}
	if _, err := w.provider.Mint("nobody", realm.GatewayClient); err == nil {
		t.Error("minted for nobody")
	}
}
