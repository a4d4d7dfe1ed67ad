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
	"strings"
	"testing"

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
