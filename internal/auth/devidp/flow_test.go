package devidp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/auth/realm"
)

func TestCodeFlow(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	to, got := b.back(b.login(b.authorize(portalRequest()), "CSR", realm.DevPassword))
	if !strings.HasPrefix(to.String(), portalCallback+"?") || got.Get("state") != "xyz" || got.Get("iss") != w.provider.Issuer() {
		t.Fatalf("sent to %s", to)
	}
	tokens := w.exchange(got.Get("code"))
	if tokens.Status != http.StatusOK {
		t.Fatalf("%+v", tokens)
	}
	p := w.principal(tokens.AccessToken)
	if p.Actor().Name != realm.UserCSR || p.Actor().Client != realm.PortalClient || p.Session() == "" {
		t.Errorf("actor %+v", p.Actor())
	}
	id := decode(t, tokens.IDToken)
	if id["aud"] != realm.PortalClient || id["nonce"] != "n1" || id["typ"] != "ID" || id["sub"] != p.Actor().Subject || id["at_hash"] == nil || id["auth_time"] == nil {
		t.Errorf("ID token %v", id)
	}
	for name, token := range map[string]string{"ID": tokens.IDToken, "refresh": tokens.RefreshToken} {
		if _, err := w.auth.Authenticate(t.Context(), "Bearer "+token, ""); err == nil {
			t.Errorf("the %s token passed as a bearer", name)
		}
	}

	t.Run("the browser stays logged in", func(t *testing.T) {
		_, again := b.back(b.authorize(portalRequest("prompt", "none")))
		if again.Get("code") == "" || again.Get("session_state") != p.Session() {
			t.Errorf("%v", again)
		}
	})
	t.Run("unless a fresh login is asked for", func(t *testing.T) {
		for _, q := range []url.Values{portalRequest("prompt", "login"), portalRequest("max_age", "0")} {
			w.clock.Advance(time.Second)
			if page := b.authorize(q); page.StatusCode != http.StatusOK || !strings.Contains(page.body, `type="password"`) {
				t.Errorf("status %d", page.StatusCode)
			}
		}
	})
	t.Run("another browser is not", func(t *testing.T) {
		other := w.browser()
		if _, got := other.back(other.authorize(portalRequest("prompt", "none"))); got.Get("error") != "login_required" {
			t.Errorf("%v", got)
		}
	})
}

func TestAttacksOnTheCode(t *testing.T) {
	w := newWorld(t)
	fresh := func() string { return w.browser().code(realm.UserCSR, portalRequest()) }
	refused := func(name string, got answer) {
		t.Helper()
		if got.Status != http.StatusBadRequest || got.Error != "invalid_grant" || got.AccessToken != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	t.Run("replay ends what the code opened", func(t *testing.T) {
		code := fresh()
		first := w.exchange(code)
		refused("second use", w.exchange(code))
		refused("refresh after the replay", w.post(oidc+"token", "client_id", realm.PortalClient, "client_secret", realm.DevSecret, "grant_type", "refresh_token", "refresh_token", first.RefreshToken))
	})
	t.Run("another client's code", func(t *testing.T) {
		code := fresh()
		refused("gateway", w.exchange(code, "client_id", realm.GatewayClient))
		refused("burnt for the owner too", w.exchange(code))
	})
	t.Run("redirect mismatch", func(t *testing.T) {
		refused("another", w.exchange(fresh(), "redirect_uri", portalCallback+"2"))
		refused("none", w.exchange(fresh(), "redirect_uri", ""))
	})
	t.Run("verifier", func(t *testing.T) {
		refused("wrong", w.exchange(fresh(), "code_verifier", strings.Repeat("x", 43)))
		refused("missing", w.exchange(fresh(), "code_verifier", ""))
		refused("the challenge itself", w.exchange(fresh(), "code_verifier", challenge))
		plain := w.browser().code(realm.UserCSR, query("client_id", realm.GatewayClient, "redirect_uri", portalCallback, "response_type", "code", "scope", "openid"))
		refused("without a challenge", w.exchange(plain, "client_id", realm.GatewayClient))
	})
	t.Run("ended", func(t *testing.T) {
		code := fresh()
		w.clock.Advance(time.Minute)
		refused("after a minute", w.exchange(code))
	})
	t.Run("made up", func(t *testing.T) { refused("made up", w.exchange("made-up")) })
	t.Run("without the client's secret", func(t *testing.T) {
		for _, secret := range []string{"", "wrong"} {
			if got := w.exchange(fresh(), "client_secret", secret); got.Status != http.StatusUnauthorized || got.Error != "invalid_client" {
				t.Errorf("%+v", got)
			}
		}
	})
}

func TestAuthorizationRequestsRefused(t *testing.T) {
	w := newWorld(t, func(r *realm.Realm) {
		r.Clients = append(r.Clients, realm.Client{ClientID: "public", Enabled: true, PublicClient: true, StandardFlow: true, RedirectURIs: []string{"http://127.0.0.1/*"}})
	})
	b := w.browser()
	for name, q := range map[string]url.Values{
		"unknown client": portalRequest("client_id", "x"), "no client": portalRequest("client_id", ""),
		"redirect elsewhere": portalRequest("redirect_uri", "https://evil.example/cb"), "redirect missing": portalRequest("redirect_uri", ""),
		"client twice": {"client_id": {realm.PortalClient, "x"}, "redirect_uri": {portalCallback}, "response_type": {"code"}},
	} {
		t.Run(name+" is told to the user", func(t *testing.T) {
			if r := b.authorize(q); r.StatusCode != http.StatusBadRequest || r.Header.Get("Location") != "" {
				t.Errorf("status %d, location %q", r.StatusCode, r.Header.Get("Location"))
			}
		})
	}
	for name, c := range map[string]struct {
		q    url.Values
		want string
	}{
		"no PKCE":                {portalRequest("code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		"plain PKCE":             {portalRequest("code_challenge_method", "plain"), "invalid_request"},
		"PKCE without a method":  {portalRequest("code_challenge_method", ""), "invalid_request"},
		"malformed challenge":    {portalRequest("code_challenge", "short"), "invalid_request"},
		"public without PKCE":    {portalRequest("client_id", "public", "scope", "", "code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		"flow not for it":        {portalRequest("response_type", "token"), "unauthorized_client"},
		"unknown response type":  {portalRequest("response_type", "code token"), "unsupported_response_type"},
		"unknown scope":          {portalRequest("scope", "openid superuser"), "invalid_scope"},
		"unknown response mode":  {portalRequest("response_mode", "web_message"), "invalid_request"},
		"request object":         {portalRequest("request", "eyJ"), "request_not_supported"},
		"token in the query":     {portalRequest("client_id", realm.GatewayClient, "response_type", "token", "response_mode", "query"), "invalid_request"},
		"ID token without nonce": {portalRequest("client_id", realm.GatewayClient, "response_type", "id_token", "nonce", ""), "invalid_request"},
	} {
		t.Run(name+" is told to the client", func(t *testing.T) {
			to, got := b.back(b.authorize(c.q))
			if got.Get("error") != c.want || got.Get("state") != "xyz" || !strings.HasPrefix(to.String(), portalCallback) {
				t.Errorf("sent to %s", to)
			}
		})
	}
}

func TestImplicitAndFormPost(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	q := portalRequest("client_id", realm.GatewayClient, "response_type", "token id_token", "code_challenge", "", "code_challenge_method", "")
	to, got := b.back(b.login(b.authorize(q), realm.UserAdmin, realm.DevPassword))
	if to.RawQuery != "" || got.Get("token_type") != "Bearer" || decode(t, got.Get("id_token"))["nonce"] != "n1" {
		t.Fatalf("sent to %s", to)
	}
	w.principal(got.Get("access_token"))

	q.Set("response_mode", "form_post")
	page := b.authorize(q)
	action, f := b.fields(page)
	if page.StatusCode != http.StatusOK || action != portalCallback || f.Get("state") != "xyz" {
		t.Fatalf("form post to %s: %v", action, f)
	}
	w.principal(f.Get("access_token"))
}
