package devidp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/auth/realm"
)

const maxForm = 64 << 10

func splitScope(s string) []string { return strings.Fields(s) }

func writeJSON(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// oauthError writes an error of RFC 6749 section 5.2.
func oauthError(w http.ResponseWriter, status int, name, description string) {
	writeJSON(w, status, map[string]string{"error": name, "error_description": description})
}

// form reads the body of a request; ok is false when it is not a form, too large, or says something
// twice (RFC 6749 section 3.2). The answer is then written.
func form(w http.ResponseWriter, r *http.Request) (values url.Values, ok bool) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.ContentLength != 0 && (err != nil || t != "application/x-www-form-urlencoded") {
		oauthError(w, http.StatusUnsupportedMediaType, "invalid_request", "the body must be a form")
		return nil, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		oauthError(w, http.StatusBadRequest, "invalid_request", "the body is not a form")
		return nil, false
	}
	if repeated(r.PostForm) {
		oauthError(w, http.StatusBadRequest, "invalid_request", "duplicated parameter")
		return nil, false
	}
	return r.PostForm, true
}

func repeated(v url.Values) bool {
	for _, values := range v {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// authenticate finds the client of a request: by HTTP Basic or by the form, not both. A public client
// gives its id only. nil is a refusal that has been written; it reads alike for an unknown client and a
// wrong secret.
func (p *Provider) authenticate(w http.ResponseWriter, r *http.Request, f url.Values) *realm.Client {
	refuse := func() *realm.Client {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+p.realm.Realm+`"`)
		oauthError(w, http.StatusUnauthorized, "invalid_client", "Invalid client or Invalid client credentials")
		return nil
	}
	id, secret, basic := r.BasicAuth()
	if basic {
		// RFC 6749 section 2.3.1: both are form-encoded inside Basic.
		var err1, err2 error
		id, err1 = url.QueryUnescape(id)
		secret, err2 = url.QueryUnescape(secret)
		if err1 != nil || err2 != nil || f.Has("client_secret") || (f.Has("client_id") && f.Get("client_id") != id) {
			return refuse()
		}
	} else {
		id, secret = f.Get("client_id"), f.Get("client_secret")
	}
	c := p.clients[id]
	want := ""
	if c != nil {
		want = c.Secret
	}
	given, expected := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(want))
	match := subtle.ConstantTimeCompare(given[:], expected[:]) == 1
	switch {
	case c == nil || !c.Enabled:
		return refuse()
	case c.PublicClient:
		return c
	case want == "" || !match:
		return refuse()
	}
	return c
}

// token is the token endpoint.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	f, ok := form(w, r)
	if !ok {
		return
	}
	c := p.authenticate(w, r, f)
	if c == nil {
		return
	}
	switch f.Get("grant_type") {
	case "authorization_code":
		p.codeGrant(w, r, c, f)
	case "password":
		p.passwordGrant(w, r, c, f)
	case "client_credentials":
		p.clientGrant(w, r, c, f)
	case "refresh_token":
		p.refreshGrant(w, r, c, f)
	case "":
		oauthError(w, http.StatusBadRequest, "invalid_request", "Missing form parameter: grant_type")
	default:
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant_type")
	}
}

// tokenAlias is a token path of another contract: client credentials only, with the grant type in the
// query where the contract has it there.
func (p *Provider) tokenAlias(inQuery bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, ok := form(w, r)
		if !ok {
			return
		}
		grantType := f.Get("grant_type")
		if inQuery && grantType == "" {
			if q := r.URL.Query()["grant_type"]; len(q) == 1 {
				grantType = q[0]
			}
		}
		if grantType != "client_credentials" {
			oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "this path serves client_credentials only")
			return
		}
		if c := p.authenticate(w, r, f); c != nil {
			p.clientGrant(w, r, c, f)
		}
	}
}

func (p *Provider) clientGrant(w http.ResponseWriter, r *http.Request, c *realm.Client, f url.Values) {
	if c.PublicClient || !c.ServiceAccounts {
		oauthError(w, http.StatusUnauthorized, "unauthorized_client", "Client not enabled to retrieve service account")
		return
	}
	var account *user
	for _, u := range p.users.byName {
		if u.ServiceAccountOf == c.ClientID {
			account = u
		}
	}
	if account == nil || !account.Enabled {
		oauthError(w, http.StatusUnauthorized, "unauthorized_client", "Client not enabled to retrieve service account")
		return
	}
	asked := f.Get("scope")
	if p.unknownScope(c, asked) {
		oauthError(w, http.StatusBadRequest, "invalid_scope", "Invalid scopes")
		return
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	p.respond(w, r, &grant{client: c, user: account, scopes: p.scopesOf(c, asked), openid: slices.Contains(splitScope(asked), "openid"),
		notes: map[string]string{"client_id": c.ClientID, "clientHost": host, "clientAddress": host}, now: p.clock.Now()}, asked, "")
}

func (p *Provider) passwordGrant(w http.ResponseWriter, r *http.Request, c *realm.Client, f url.Values) {
	if !c.DirectAccessGrants {
		oauthError(w, http.StatusBadRequest, "unauthorized_client", "Client not allowed for direct access grants")
		return
	}
	asked := f.Get("scope")
	if p.unknownScope(c, asked) {
		oauthError(w, http.StatusBadRequest, "invalid_scope", "Invalid scopes")
		return
	}
	u, err := p.users.login(r.Context(), f.Get("username"), f.Get("password"))
	switch {
	case err != nil:
		oauthError(w, http.StatusServiceUnavailable, "temporarily_unavailable", "too many logins at a time")
		return
	case u == nil:
		oauthError(w, http.StatusUnauthorized, "invalid_grant", "Invalid user credentials")
		return
	case !u.complete():
		oauthError(w, http.StatusBadRequest, "invalid_grant", "Account is not fully set up")
		return
	}
	p.respond(w, r, &grant{client: c, user: u, session: p.state.begin(u, false, p.sessionLife()), scopes: p.scopesOf(c, asked),
		openid: slices.Contains(splitScope(asked), "openid"), now: p.clock.Now()}, asked, "")
}

func (p *Provider) codeGrant(w http.ResponseWriter, r *http.Request, c *realm.Client, f url.Values) {
	bad := func(description string) { oauthError(w, http.StatusBadRequest, "invalid_grant", description) }
	if !c.StandardFlow {
		oauthError(w, http.StatusBadRequest, "unauthorized_client", "Client not allowed for the code flow")
		return
	}
	k := p.state.useCode(f.Get("code"), c.ClientID)
	if k == nil {
		bad("Code not valid")
		return
	}
	if f.Get("redirect_uri") != k.redirectURI {
		bad("Incorrect redirect_uri")
		return
	}
	verifier := f.Get("code_verifier")
	switch {
	case k.challenge == "" && verifier != "":
		bad("PKCE code verifier specified but challenge not present in the session")
		return
	case k.challenge != "" && !verifies(verifier, k.challenge):
		bad("PKCE verification failed")
		return
	}
	p.respond(w, r, &grant{client: c, user: k.session.user, session: k.session, scopes: p.scopesOf(c, k.scope),
		openid: slices.Contains(splitScope(k.scope), "openid"), nonce: k.nonce, now: p.clock.Now()}, k.scope, "")
}

// verifies checks a PKCE verifier (RFC 7636 section 4.1: 43 to 128 characters) against its S256 challenge.
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

func (p *Provider) refreshGrant(w http.ResponseWriter, r *http.Request, c *realm.Client, f url.Values) {
	bad := func(description string) { oauthError(w, http.StatusBadRequest, "invalid_grant", description) }
	t, err := p.parseRefresh(f.Get("refresh_token"))
	if err != nil {
		bad("Invalid refresh token")
		return
	}
	if t.Azp != c.ClientID {
		bad("Invalid refresh token. Token client and authorized client don't match")
		return
	}
	in := p.state.session(t.SID)
	if in == nil || !in.user.Enabled {
		bad("Session not active")
		return
	}
	asked := t.Scope
	if narrower := f.Get("scope"); narrower != "" {
		for _, s := range splitScope(narrower) {
			if !slices.Contains(splitScope(t.Scope), s) && !slices.Contains(c.DefaultClientScopes, s) {
				oauthError(w, http.StatusBadRequest, "invalid_scope", "more than was granted")
				return
			}
		}
		asked = narrower
	}
	p.respond(w, r, &grant{client: c, user: in.user, session: in, scopes: p.scopesOf(c, asked),
		openid: slices.Contains(splitScope(asked), "openid"), nonce: t.Nonce, now: p.clock.Now()}, asked, t.ID)
}
