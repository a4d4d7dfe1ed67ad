package devidp_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/auth/realm"
)

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
