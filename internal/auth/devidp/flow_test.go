package devidp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/auth/realm"
)

const (
	verifier       = "a-verifier-of-forty-three-characters-or-more"
	portalCallback = "http://127.0.0.1:8080/portal/callback"
)

var challenge = func() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}()

// browser is a person's browser: it keeps cookies and shows redirects instead of following them.
type browser struct {
	*world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// reply is a response with its body read.
type reply struct {
	*http.Response
	body string
}

func (b *browser) do(req *http.Request, err error) reply {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{res, string(raw)}
}

func (b *browser) get(address string) reply {
	b.t.Helper()
	return b.do(http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil))
}

func (b *browser) submit(address string, f url.Values) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, address, strings.NewReader(f.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.do(req, err)
}

// back is where the browser is sent, with what the client is told there.
func (b *browser) back(r reply) (*url.URL, url.Values) {
	b.t.Helper()
	to, err := r.Location()
	if err != nil {
		b.t.Fatalf("no redirect: status %d\n%s", r.StatusCode, r.body)
	}
	if to.Fragment != "" {
		q, err := url.ParseQuery(to.Fragment)
		if err != nil {
			b.t.Fatal(err)
		}
		return to, q
	}
	return to, to.Query()
}

func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q
}

// portalRequest is a good authorization request of the portal; pairs are put over it, and an empty value
// takes a parameter away.
func portalRequest(pairs ...string) url.Values {
	q := query("client_id", realm.PortalClient, "redirect_uri", portalCallback, "response_type", "code", "scope", "openid", "state", "xyz",
		"nonce", "n1", "code_challenge", challenge, "code_challenge_method", "S256")
	for i := 0; i < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return q
}

func (b *browser) authorize(q url.Values) reply {
	b.t.Helper()
	return b.get(b.server.URL + oidc + "auth?" + q.Encode())
}

var (
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// fields are the address and the hidden fields of the form on a page.
func (b *browser) fields(r reply) (action string, f url.Values) {
	b.t.Helper()
	m := formAction.FindStringSubmatch(r.body)
	if m == nil {
		b.t.Fatalf("no form: status %d\n%s", r.StatusCode, r.body)
	}
	f = url.Values{}
	for _, in := range hiddenInput.FindAllStringSubmatch(r.body, -1) {
		f.Set(html.UnescapeString(in[1]), html.UnescapeString(in[2]))
	}
	return html.UnescapeString(m[1]), f
}

func (b *browser) login(page reply, user, password string) reply {
	b.t.Helper()
	action, f := b.fields(page)
	f.Set("username", user)
	f.Set("password", password)
	return b.submit(action, f)
}

func (b *browser) code(user string, q url.Values) string {
	b.t.Helper()
	_, got := b.back(b.login(b.authorize(q), user, realm.DevPassword))
	if got.Get("code") == "" {
		b.t.Fatalf("no code: %v", got)
	}
	return got.Get("code")
}

// exchange redeems a code for the portal; pairs are put over a good request.
func (w *world) exchange(code string, pairs ...string) answer {
	w.t.Helper()
	return w.post(oidc+"token", append([]string{"client_id", realm.PortalClient, "client_secret", realm.DevSecret, "grant_type", "authorization_code",
		"code", code, "redirect_uri", portalCallback, "code_verifier", verifier}, pairs...)...)
}

func decode(t *testing.T, token string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

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

func TestLoginPage(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	page := b.authorize(portalRequest("login_hint", `"><script>alert(1)</script>`))
	if strings.Contains(page.body, "<script") || page.StatusCode != http.StatusOK {
		t.Error("the login hint is not escaped")
	}
	csp := page.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' http://127.0.0.1:8080", "script-src 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("policy %q lacks %q", csp, want)
		}
	}
	for _, want := range []string{`<html lang="en">`, `<label for="username">`, `<label for="password">`, `autocomplete="current-password"`, "<title>Log in"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if regexp.MustCompile(`(src|href)=`).MatchString(page.body) {
		t.Error("the page fetches something")
	}
	wrong := b.login(page, realm.UserAdmin, "wrong")
	if wrong.StatusCode != http.StatusOK || !strings.Contains(wrong.body, `role="alert"`) || !strings.Contains(wrong.body, `value="admin"`) {
		t.Errorf("status %d\n%s", wrong.StatusCode, wrong.body)
	}
	if _, got := b.back(b.login(wrong, "admin@example.com", realm.DevPassword)); got.Get("code") == "" {
		t.Error("no second try, or no login by email")
	}

	t.Run("another browser's form is refused", func(t *testing.T) {
		action, f := b.fields(w.browser().authorize(portalRequest()))
		f.Set("username", realm.UserAdmin)
		f.Set("password", realm.DevPassword)
		for _, other := range []*browser{b, w.browser()} {
			if r := other.submit(action, f); r.StatusCode != http.StatusBadRequest || len(r.Cookies()) != 0 {
				t.Errorf("status %d, cookies %v", r.StatusCode, r.Cookies())
			}
		}
	})
	t.Run("another site's form is refused", func(t *testing.T) {
		own := w.browser()
		action, f := own.fields(own.authorize(portalRequest()))
		f.Set("username", realm.UserAdmin)
		f.Set("password", realm.DevPassword)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, action, strings.NewReader(f.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", "https://evil.example")
		}
		if r := own.do(req, err); r.StatusCode != http.StatusBadRequest {
			t.Errorf("status %d", r.StatusCode)
		}
	})
	t.Run("a planted session cookie does not become a session", func(t *testing.T) {
		own := w.browser()
		at, _ := url.Parse(w.server.URL + "/realms/cm/")
		own.client.Jar.SetCookies(at, []*http.Cookie{{Name: "demarc_devidp_session", Value: "planted", Path: "/realms/cm/"}})
		own.code(realm.UserAdmin, portalRequest())
		for _, c := range own.client.Jar.Cookies(at) {
			if c.Name == "demarc_devidp_session" && c.Value == "planted" {
				t.Error("kept")
			}
		}
	})
}

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
