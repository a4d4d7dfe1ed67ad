//go:build keycloak && unix

package keycloaktest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/auth/devidp"
	"github.com/demarc-bss/demarc/internal/auth/keycloaktest"
	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

const (
	callback = "http://localhost:3000/oidc/callback"
	verifier = "a-verifier-of-forty-three-characters-or-more"
)

type keycloak struct {
	*testing.T
	issuer string
	auth   *auth.Authenticator
}

type answer struct {
	status       int
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	ExpiresIn    int    `json:"expires_in"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
}

func (k keycloak) post(path string, f url.Values) answer {
	k.Helper()
	res, err := http.PostForm(k.issuer+"/protocol/openid-connect/"+path, f)
	if err != nil {
		k.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out := answer{status: res.StatusCode}
	raw, err := io.ReadAll(res.Body)
	if err == nil && len(raw) > 0 {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		k.Fatalf("%v in %s", err, raw)
	}
	return out
}

func client(id string) url.Values {
	return url.Values{"client_id": {id}, "client_secret": {realm.DevSecret}}
}

func with(f url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

// login follows the login page as a browser does and answers where the client is sent back to.
func (k keycloak) login(user string, query url.Values) *url.URL {
	k.Helper()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(k.issuer + "/protocol/openid-connect/auth?" + query.Encode())
	if err != nil {
		k.Fatal(err)
	}
	page, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	action := regexp.MustCompile(`action="([^"]+)"`).FindSubmatch(page)
	if res.StatusCode != http.StatusOK || action == nil {
		k.Fatalf("login page: status %d\n%s", res.StatusCode, page)
	}
	res, err = browser.PostForm(strings.ReplaceAll(string(action[1]), "&amp;", "&"), url.Values{"username": {user}, "password": {realm.DevPassword}})
	if err != nil {
		k.Fatal(err)
	}
	page, _ = io.ReadAll(res.Body)
	_ = res.Body.Close()
	back, err := res.Location()
	if err != nil {
		k.Fatalf("no redirect after the login: status %d\n%s", res.StatusCode, page)
	}
	return back
}

func (k keycloak) principal(token string) *auth.Principal {
	k.Helper()
	p, err := k.auth.Authenticate(k.Context(), "Bearer "+token, "")
	if err != nil {
		k.Fatalf("token refused: %v", err)
	}
	return p
}

// TestRealmInKeycloak imports the exported realm into a real Keycloak and takes every flow.
func TestRealmInKeycloak(t *testing.T) {
	opts := realm.Options{Dev: true, Providers: []realm.SP{{SPID: 1, Name: "HappyPhone"}, {SPID: 2, Name: "SadPhone"}, {SPID: 7, Name: "Zoë & Co"}}}
	r, err := realm.Build(opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Users {
		if r.Users[i].Username == realm.UserClerk { // as users have it that are made in the console
			r.Users[i].ClientRoles = map[string][]string{"account": {"manage-account"}}
		}
	}
	var file bytes.Buffer
	if err := r.Write(&file); err != nil {
		t.Fatal(err)
	}
	issuer := keycloaktest.Start(t, file.Bytes())
	a, err := auth.New(auth.Config{Issuers: []auth.Issuer{{URL: issuer, Audiences: []string{realm.Audience}, AllowedAzp: []string{realm.GatewayClient, realm.PortalClient}}}}, clock.Real{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(t *testing.T) keycloak { return keycloak{t, issuer, a} }
	pkce := sha256.Sum256([]byte(verifier))
	challenge := base64.RawURLEncoding.EncodeToString(pkce[:])

	t.Run("password grant of every user", func(t *testing.T) {
		k := at(t)
		for _, c := range []struct {
			user    string
			spids   int
			allowed map[auth.Permission]bool // at service provider 1
			limits  bool
		}{
			{realm.UserAdmin, 3, map[auth.Permission]bool{{Entity: "customer", Verb: auth.Patch}: true, {Entity: auth.AdminEntity, Verb: auth.Post}: true, {Entity: auth.ServiceProviderDashboard, Verb: auth.Get}: true}, true},
			{realm.UserViewer, 3, map[auth.Permission]bool{{Entity: "customer", Verb: auth.Get}: true, {Entity: "customer", Verb: auth.Post}: false, {Entity: auth.IndividualDashboard, Verb: auth.Get}: false}, false},
			{realm.UserCSR, 3, map[auth.Permission]bool{{Entity: "subscription", Verb: auth.Post}: true, {Entity: "subscription", Verb: auth.Patch}: false, {Entity: auth.ServiceProviderDashboard, Verb: auth.Get}: true, {Entity: auth.ApproveAdjustment, Verb: auth.Patch}: false, {Entity: auth.AdminEntity, Verb: auth.Get}: false}, true},
			{realm.UserClerk, 1, map[auth.Permission]bool{{Entity: "customer", Verb: auth.Get}: true, {Entity: "customer", Verb: auth.Delete}: false, {Entity: "individual", Verb: auth.Get}: false}, false},
			{realm.AdminOf(1), 1, map[auth.Permission]bool{{Entity: "productOrder", Verb: auth.Delete}: true, {Entity: auth.AdminEntity, Verb: auth.Patch}: true}, true},
		} {
			got := k.post("token", with(client(realm.GatewayClient), "grant_type", "password", "username", c.user, "password", realm.DevPassword))
			if got.status != http.StatusOK || got.ExpiresIn > 3600 || got.ExpiresIn < 3590 {
				t.Errorf("%s: status %d, %s, %d s", c.user, got.status, got.Description, got.ExpiresIn)
				continue
			}
			p := k.principal(got.AccessToken)
			if len(p.SPIDs()) != c.spids || p.Actor().Name != c.user || p.Actor().Client != realm.GatewayClient {
				t.Errorf("%s: SPIDs %v, actor %+v", c.user, p.SPIDs(), p.Actor())
			}
			for perm, want := range c.allowed {
				if got := p.Allowed(1, perm); got != want {
					t.Errorf("%s: %v allowed %v, want %v; roles %v", c.user, perm, got, want, p.Roles())
				}
			}
			s, err := p.Scope("")
			if err != nil || s.Claims().ManageCreditLimit != c.limits || s.Claims().ManageMonthlySpendLimit != c.limits {
				t.Errorf("%s: claims %+v, %v", c.user, s.Claims(), err)
			}
		}
		if got := k.post("token", with(client(realm.GatewayClient), "grant_type", "password", "username", realm.UserAdmin, "password", "wrong")); got.status != http.StatusUnauthorized || got.Error != "invalid_grant" {
			t.Errorf("wrong password: %+v", got)
		}
	})

	t.Run("client credentials", func(t *testing.T) {
		k := at(t)
		got := k.post("token", with(client(realm.GatewayClient), "grant_type", "client_credentials"))
		p := k.principal(got.AccessToken)
		want := []auth.SPID{{ID: 1, Name: "HappyPhone"}, {ID: 2, Name: "SadPhone"}, {ID: 7, Name: "Zoë & Co"}}
		if !slices.Equal(p.SPIDs(), want) || !p.Allowed(7, auth.Permission{Entity: "customer", Verb: auth.Post}) {
			t.Errorf("service account: %v, roles %v", p.SPIDs(), p.Roles())
		}
	})

	t.Run("code with PKCE, then refresh with rotation", func(t *testing.T) {
		k := at(t)
		redirect := "http://127.0.0.1:8080/portal/callback"
		back := k.login(realm.UserCSR, url.Values{"client_id": {realm.PortalClient}, "redirect_uri": {redirect}, "response_type": {"code"},
			"scope": {"openid"}, "state": {"s"}, "nonce": {"n"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}})
		got := k.post("token", with(client(realm.PortalClient), "grant_type", "authorization_code", "code", back.Query().Get("code"),
			"redirect_uri", redirect, "code_verifier", verifier))
		if got.status != http.StatusOK || back.Query().Get("state") != "s" {
			t.Fatalf("%s: %+v", back, got)
		}
		if p := k.principal(got.AccessToken); p.Actor().Client != realm.PortalClient || p.Session() == "" {
			t.Errorf("actor %+v", p.Actor())
		}
		for name, token := range map[string]string{"ID": got.IDToken, "refresh": got.RefreshToken} {
			if _, err := a.Authenticate(t.Context(), "Bearer "+token, ""); err == nil {
				t.Errorf("the %s token passed as an access token", name)
			}
		}
		again := k.post("token", with(client(realm.PortalClient), "grant_type", "refresh_token", "refresh_token", got.RefreshToken))
		if again.status != http.StatusOK {
			t.Fatalf("refresh: %+v", again)
		}
		k.principal(again.AccessToken)
		if reused := k.post("token", with(client(realm.PortalClient), "grant_type", "refresh_token", "refresh_token", got.RefreshToken)); reused.Error != "invalid_grant" {
			t.Errorf("a refresh token worked twice: %+v", reused)
		}
	})

	t.Run("code without PKCE is refused to the portal", func(t *testing.T) {
		res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(issuer + "/protocol/openid-connect/auth?" +
			url.Values{"client_id": {realm.PortalClient}, "redirect_uri": {"http://127.0.0.1:8080/x"}, "response_type": {"code"}, "scope": {"openid"}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if back, err := res.Location(); err != nil || back.Query().Get("error") != "invalid_request" {
			t.Errorf("status %d, location %v", res.StatusCode, back)
		}
	})

	t.Run("implicit", func(t *testing.T) {
		k := at(t)
		back := k.login(realm.UserAdmin, url.Values{"client_id": {realm.GatewayClient}, "redirect_uri": {callback}, "response_type": {"id_token token"}, "scope": {"openid"}, "nonce": {"n"}})
		f, err := url.ParseQuery(back.Fragment)
		if err != nil {
			t.Fatal(err)
		}
		k.principal(f.Get("access_token"))
	})

	t.Run("the development provider makes the same principals", func(t *testing.T) {
		k := at(t)
		r, err := realm.Parse(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		idp, err := devidp.New(devidp.Options{Dev: true, Listen: "127.0.0.1:1", Realm: r})
		if err != nil {
			t.Fatal(err)
		}
		own, err := auth.New(auth.Config{Issuers: []auth.Issuer{{URL: idp.Issuer(), Keys: idp.KeySet, Audiences: []string{realm.Audience}}}}, clock.Real{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{realm.UserAdmin, realm.UserViewer, realm.UserCSR, realm.UserClerk, realm.AdminOf(7)} {
			got := k.post("token", with(client(realm.GatewayClient), "grant_type", "password", "username", user, "password", realm.DevPassword))
			theirs := k.principal(got.AccessToken)
			minted, err := idp.Mint(user, realm.GatewayClient)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := own.Authenticate(t.Context(), "Bearer "+minted, "")
			if err != nil {
				t.Fatal(err)
			}
			a, b := theirs.Roles(), ours.Roles()
			slices.Sort(a)
			slices.Sort(b)
			if theirs.Actor() != ours.Actor() || !slices.Equal(theirs.SPIDs(), ours.SPIDs()) || !slices.Equal(a, b) {
				t.Errorf("%s: Keycloak %+v %v %v\nown %+v %v %v", user, theirs.Actor(), theirs.SPIDs(), a, ours.Actor(), ours.SPIDs(), b)
			}
			if x, y := claimNames(t, got.AccessToken), claimNames(t, minted); !slices.Equal(x, y) {
				t.Errorf("%s: claims of Keycloak %v\nown %v", user, x, y)
			}
		}
	})

	t.Run("users cannot give themselves service providers", func(t *testing.T) {
		k := at(t)
		got := k.post("token", with(client(realm.GatewayClient), "grant_type", "password", "username", realm.UserClerk, "password", realm.DevPassword))
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, issuer+"/account", strings.NewReader(
			`{"username":"clerk","firstName":"Carl","lastName":"Clerk","email":"clerk@example.com","attributes":{"availableSpids":["1:HappyPhone","2:SadPhone"]}}`))
		req.Header.Set("Authorization", "Bearer "+got.AccessToken)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("status %d, want Keycloak's refusal of a read-only attribute", res.StatusCode)
		}
		again := k.post("token", with(client(realm.GatewayClient), "grant_type", "password", "username", realm.UserClerk, "password", realm.DevPassword))
		if n := len(k.principal(again.AccessToken).SPIDs()); n != 1 {
			t.Errorf("the clerk now has %d service providers (status %d)", n, res.StatusCode)
		}
	})

	t.Run("lockout", func(t *testing.T) {
		k := at(t)
		try := func(password string) answer {
			return k.post("token", with(client(realm.GatewayClient), "grant_type", "password", "username", realm.AdminOf(2), "password", password))
		}
		for range 6 {
			try("wrong")
		}
		if got := try(realm.DevPassword); got.status != http.StatusUnauthorized {
			t.Errorf("the right password passed a locked account: %+v", got)
		}
	})
}

func claimNames(t *testing.T, token string) []string {
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	var names []string
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// TestProductionRealmInKeycloak imports a realm as an operator exports it: no defaults of development.
func TestProductionRealmInKeycloak(t *testing.T) {
	const password, secret = "correct horse battery staple", "a secret of the operator's own making"
	var file bytes.Buffer
	err := realm.Export(&file, realm.Options{
		Name: "happy", Providers: []realm.SP{{SPID: 1, Name: "HappyPhone"}}, PortalURLs: []string{"https://portal.example"},
		Passwords: map[string]string{realm.UserViewer: password}, Secrets: map[string]string{realm.GatewayClient: secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	issuer := keycloaktest.Start(t, file.Bytes())
	a, err := auth.New(auth.Config{Issuers: []auth.Issuer{{URL: issuer, Audiences: []string{realm.Audience}}}}, clock.Real{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	k := keycloak{t, issuer, a}
	as := func(id, secret string, pairs ...string) answer {
		return k.post("token", with(url.Values{"client_id": {id}, "client_secret": {secret}}, pairs...))
	}
	p := k.principal(as(realm.GatewayClient, secret, "grant_type", "password", "username", realm.UserViewer, "password", password).AccessToken)
	if !p.Allowed(1, auth.Permission{Entity: "usage", Verb: auth.Get}) {
		t.Errorf("the viewer may not read: %v", p.Roles())
	}
	for name, got := range map[string]answer{
		"user without a password":   as(realm.GatewayClient, secret, "grant_type", "password", "username", realm.UserAdmin, "password", realm.DevPassword),
		"secret of development":     as(realm.GatewayClient, realm.DevSecret, "grant_type", "client_credentials"),
		"client without our secret": as(realm.PortalClient, "", "grant_type", "client_credentials"),
	} {
		if got.AccessToken != "" || got.status < 400 {
			t.Errorf("%s: status %d", name, got.status)
		}
	}
}
