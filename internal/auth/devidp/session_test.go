package devidp_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/auth/realm"
)

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	refresh := func(token string, pairs ...string) answer {
		return w.grant(append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
	}
	first := w.password(realm.UserCSR, "scope", "openid")
	if first.IDToken == "" {
		t.Fatal("no ID token")
	}
	second := refresh(first.RefreshToken)
	if second.Status != http.StatusOK || second.RefreshToken == first.RefreshToken || second.IDToken == "" {
		t.Fatalf("%+v", second)
	}
	w.principal(second.AccessToken)
	if got := refresh(first.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("the old token worked: %+v", got)
	}
	if got := refresh(second.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("the new token works after the old one was used again: %+v", got)
	}

	good := w.password(realm.UserCSR).RefreshToken
	for name, got := range map[string]answer{
		"another client's":  w.post(oidc+"token", "client_id", realm.PortalClient, "client_secret", realm.DevSecret, "grant_type", "refresh_token", "refresh_token", good),
		"an access token":   refresh(w.password(realm.UserCSR).AccessToken),
		"changed":           refresh(good[:len(good)-4] + "AAAA"),
		"unsigned":          refresh(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(good, ".")[1] + "."),
		"nothing":           refresh(""),
		"more than granted": refresh(good, "scope", "openid offline_access"),
	} {
		if got.Status != http.StatusBadRequest || got.AccessToken != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	w.clock.Advance(31 * time.Minute)
	if got := refresh(good); got.Error != "invalid_grant" {
		t.Errorf("after half an hour: %+v", got)
	}
}

func TestLogout(t *testing.T) {
	w := newWorld(t)
	at := w.server.URL + oidc + "logout?"
	start := func() (*browser, answer) {
		b := w.browser()
		return b, w.exchange(b.code(realm.UserCSR, portalRequest()))
	}
	loggedIn := func(b *browser) bool {
		_, got := b.back(b.authorize(portalRequest("prompt", "none")))
		return got.Get("code") != ""
	}
	t.Run("with a hint", func(t *testing.T) {
		b, tokens := start()
		to, got := b.back(b.get(at + query("id_token_hint", tokens.IDToken, "post_logout_redirect_uri", "http://127.0.0.1:8080/bye", "state", "s").Encode()))
		if to.Path != "/bye" || got.Get("state") != "s" || loggedIn(b) {
			t.Errorf("sent to %s, logged in %v", to, loggedIn(b))
		}
		if got := w.post(oidc+"token", "client_id", realm.PortalClient, "client_secret", realm.DevSecret, "grant_type", "refresh_token", "refresh_token", tokens.RefreshToken); got.Error != "invalid_grant" {
			t.Errorf("refresh after the logout: %+v", got)
		}
	})
	t.Run("without a hint it asks", func(t *testing.T) {
		b, _ := start()
		page := b.get(at)
		if !loggedIn(b) {
			t.Fatal("a link logged the user out")
		}
		action, f := b.fields(page)
		if r := b.submit(action, url.Values{}); !loggedIn(b) {
			t.Fatalf("a form without its token logged the user out: %d", r.StatusCode)
		}
		if r := b.submit(action, f); r.StatusCode != http.StatusOK || loggedIn(b) {
			t.Errorf("status %d, logged in %v", r.StatusCode, loggedIn(b))
		}
	})
	t.Run("another's hint does not end the browser's session", func(t *testing.T) {
		b, _ := start()
		_, other := start()
		b.get(at + query("id_token_hint", other.IDToken).Encode())
		if !loggedIn(b) {
			t.Error("it did")
		}
	})
	t.Run("redirects nowhere else", func(t *testing.T) {
		b, tokens := start()
		for _, to := range []string{"https://evil.example/", "//evil.example", `http://127.0.0.1:8080\@evil.example/`, "http://127.0.0.1:8080@evil.example/", "javascript:alert(1)"} {
			for _, q := range []url.Values{query("id_token_hint", tokens.IDToken, "post_logout_redirect_uri", to), query("post_logout_redirect_uri", to)} {
				if r := b.get(at + q.Encode()); r.StatusCode != http.StatusBadRequest || r.Header.Get("Location") != "" {
					t.Errorf("%s: status %d, location %q", to, r.StatusCode, r.Header.Get("Location"))
				}
			}
		}
		if r := b.get(at + query("id_token_hint", tokens.AccessToken).Encode()); r.StatusCode != http.StatusBadRequest {
			t.Errorf("an access token is a hint: %d", r.StatusCode)
		}
	})
	t.Run("by refresh token", func(t *testing.T) {
		tokens := w.password(realm.UserCSR)
		if got := w.post(oidc+"logout", "client_id", realm.GatewayClient, "client_secret", realm.DevSecret, "refresh_token", tokens.RefreshToken); got.Status != http.StatusNoContent {
			t.Errorf("%+v", got)
		}
		if got := w.grant("grant_type", "refresh_token", "refresh_token", tokens.RefreshToken); got.Error != "invalid_grant" {
			t.Errorf("%+v", got)
		}
	})
}

func TestUserinfoIntrospectionRevocation(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	userinfo := func(token string) reply {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+oidc+"userinfo", nil)
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		return b.do(req, err)
	}
	introspect := func(token string) map[string]any {
		r := b.submit(w.server.URL+oidc+"token/introspect", query("client_id", realm.GatewayClient, "client_secret", realm.DevSecret, "token", token))
		var m map[string]any
		if err := json.Unmarshal([]byte(r.body), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	tokens := w.password(realm.UserClerk, "scope", "openid")
	if r := userinfo(tokens.AccessToken); r.StatusCode != http.StatusOK || !strings.Contains(r.body, `"availableSpids":["1:HappyPhone"]`) || strings.Contains(r.body, "realm_access") {
		t.Errorf("status %d %s", r.StatusCode, r.body)
	}
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"without openid": {w.password(realm.UserClerk).AccessToken, 403}, "ID token": {tokens.IDToken, 401}, "refresh token": {tokens.RefreshToken, 401}, "nothing": {"", 401},
	} {
		if r := userinfo(c.token); r.StatusCode != c.want || r.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("userinfo, %s: %d", name, r.StatusCode)
		}
	}
	if m := introspect(tokens.AccessToken); m["active"] != true || m["azp"] != realm.GatewayClient || m["username"] != realm.UserClerk || m["realm_access"] == nil {
		t.Errorf("introspection %v", m)
	}
	if m := introspect(tokens.RefreshToken); m["active"] != true || m["typ"] != "Refresh" {
		t.Errorf("introspection of a refresh token %v", m)
	}
	if got := w.post(oidc+"token/introspect", "client_id", realm.GatewayClient, "client_secret", "wrong", "token", tokens.AccessToken); got.Status != http.StatusUnauthorized {
		t.Errorf("introspection with a wrong secret %+v", got)
	}
	revoke := func(client, token string) answer {
		return w.post(oidc+"revoke", "client_id", client, "client_secret", realm.DevSecret, "token", token)
	}
	if got := revoke(realm.PortalClient, tokens.AccessToken); got.Status != http.StatusOK || introspect(tokens.AccessToken)["active"] != true {
		t.Errorf("another client revoked the token: %+v", got)
	}
	revoke(realm.GatewayClient, tokens.AccessToken)
	revoke(realm.GatewayClient, tokens.RefreshToken)
	for name, token := range map[string]string{"access": tokens.AccessToken, "refresh": tokens.RefreshToken, "ID": tokens.IDToken, "garbage": "x"} {
		if m := introspect(token); m["active"] != false || len(m) != 1 {
			t.Errorf("%s: %v", name, m)
		}
	}
	if got := w.grant("grant_type", "refresh_token", "refresh_token", tokens.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("%+v", got)
	}
}

func TestRoutesAreDeclared(t *testing.T) {
	w := newWorld(t)
	routes := w.provider.Routes()
	for _, want := range []string{"GET /realms/cm/.well-known/openid-configuration", "POST /realms/cm/protocol/openid-connect/token", "POST /oauth/client_credential/accesstoken", "POST /v1/oauth/access_token/accesstoken"} {
		if !slices.Contains(routes, want) {
			t.Errorf("%s is not declared", want)
		}
	}
	res, err := http.Get(w.server.URL + "/realms/cm/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var doc map[string]any
	if err := json.UnmarshalRead(res.Body, &doc); err != nil {
		t.Fatal(err)
	}
	for name, v := range doc {
		address, ok := v.(string)
		if !ok || name == "issuer" {
			continue
		}
		path := strings.TrimPrefix(address, w.server.URL)
		if !slices.Contains(routes, "GET "+path) && !slices.Contains(routes, "POST "+path) {
			t.Errorf("discovery names %s, which is not served", path)
		}
	}
}
