package devidp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/auth/realm"
)

const (
	sessionCookie = "demarc_devidp_session"
	formCookie    = "demarc_devidp_form"
)

// authorize is the authorization endpoint. Until the client and its redirect URI are known to belong
// together, what is wrong is told to the user on a page; after that, to the client by a redirect.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.Method == http.MethodPost {
		var ok bool
		if q, ok = form(w, r); !ok {
			return
		}
	}
	if repeated(q) {
		p.errorPage(w, http.StatusBadRequest, "The request says something twice.")
		return
	}
	c := p.clients[q.Get("client_id")]
	if c == nil || !c.Enabled {
		p.errorPage(w, http.StatusBadRequest, "No such client.")
		return
	}
	if !matches(c.RedirectURIs, q.Get("redirect_uri")) {
		p.errorPage(w, http.StatusBadRequest, "Invalid parameter: redirect_uri")
		return
	}
	req := &pending{client: c, redirectURI: q.Get("redirect_uri"), kind: responseType(q.Get("response_type")), mode: q.Get("response_mode"),
		scope: q.Get("scope"), state: q.Get("state"), nonce: q.Get("nonce"), challenge: q.Get("code_challenge")}
	if name, description := p.checkRequest(req, q); name != "" {
		p.sendError(w, req, name, description)
		return
	}
	in := p.browserSession(r)
	if in != nil && !p.mustLogIn(q, in) {
		p.finish(w, r, req, in)
		return
	}
	if q.Get("prompt") == "none" {
		p.sendError(w, req, "login_required", "nobody is logged in")
		return
	}
	p.showLogin(w, r, p.state.hold(req, pendingLife), req, loginView{Username: q.Get("login_hint")})
}

// responseType is a response type with its words in order, since their order does not count.
func responseType(s string) string {
	words := strings.Fields(s)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// checkRequest answers the OAuth error of a request, or nothing. It also settles the response mode.
func (p *Provider) checkRequest(req *pending, q url.Values) (name, description string) {
	implicit := req.kind == "token" || req.kind == "id_token" || req.kind == "id_token token"
	mode := req.mode
	req.mode = "query"
	if implicit {
		req.mode = "fragment"
	}
	switch {
	case mode == "fragment" || mode == "form_post":
		req.mode = mode
	case mode != "" && (mode != "query" || implicit):
		return "invalid_request", "Invalid parameter: response_mode"
	}
	openid := slices.Contains(splitScope(req.scope), "openid")
	switch {
	case req.kind != "code" && !implicit:
		return "unsupported_response_type", "Invalid parameter: response_type"
	case req.kind == "code" && !req.client.StandardFlow, implicit && !req.client.ImplicitFlow:
		return "unauthorized_client", "The client may not use this flow"
	case strings.Contains(req.kind, "id_token") && (!openid || req.nonce == ""):
		return "invalid_request", "Missing parameter: nonce, or scope openid"
	case p.unknownScope(req.client, req.scope):
		return "invalid_scope", "Invalid scopes: " + req.scope
	case q.Get("request") != "" || q.Get("request_uri") != "":
		return "request_not_supported", "Request objects are not supported"
	}
	needsPKCE := req.kind == "code" && (req.client.PublicClient || req.client.Attributes["pkce.code.challenge.method"] == "S256")
	method := q.Get("code_challenge_method")
	switch {
	case req.challenge == "" && (needsPKCE || method != ""):
		return "invalid_request", "Missing parameter: code_challenge_method"
	case req.challenge != "" && (method != "S256" || !isChallenge(req.challenge)):
		return "invalid_request", "Invalid parameter: code_challenge, which must be of method S256"
	}
	return "", ""
}

func isChallenge(s string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(raw) == sha256.Size
}

// mustLogIn reports whether the client asks for a fresh login.
func (p *Provider) mustLogIn(q url.Values, in *session) bool {
	if slices.Contains(strings.Fields(q.Get("prompt")), "login") {
		return true
	}
	age, err := strconv.Atoi(q.Get("max_age"))
	return err == nil && age >= 0 && p.clock.Now().Sub(in.began) > time.Duration(min(age, 1<<31))*time.Second
}

// browserSession is the live session of the browser; nil when nobody is logged in there.
func (p *Provider) browserSession(r *http.Request) *session {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	in := p.state.browser(c.Value)
	if in == nil || !in.user.Enabled {
		return nil
	}
	return in
}

// login takes the form of the login page.
func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	f, ok := form(w, r)
	if !ok {
		return
	}
	id := f.Get("execution")
	req := p.state.pending(id)
	if req == nil || !p.fromOwnForm(r, id, f.Get("csrf")) {
		p.errorPage(w, http.StatusBadRequest, "This login page is too old, or was not opened in this browser. Go back to the application and start again.")
		return
	}
	u, err := p.users.login(r.Context(), f.Get("username"), f.Get("password"))
	switch {
	case err != nil:
		p.errorPage(w, http.StatusServiceUnavailable, "Too many logins at a time. Try again.")
		return
	case u == nil:
		p.showLogin(w, r, id, req, loginView{Username: f.Get("username"), Problem: "Invalid username or password."})
		return
	case !u.complete():
		p.showLogin(w, r, id, req, loginView{Username: f.Get("username"), Problem: "The account is not fully set up: it needs a name, an email address and a password that is not temporary."})
		return
	}
	p.state.drop(id)
	in := p.state.begin(u, true, p.sessionLife())
	// A new cookie for every login: one that was there before, perhaps planted, never becomes a session.
	p.setCookie(w, sessionCookie, p.state.remember(in, p.sessionLife()))
	p.finish(w, r, req, in)
}

func (p *Provider) setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{Name: name, Value: value, Path: "/realms/" + p.realm.Realm + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(p.baseURL(), "https:")}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// formToken ties a form to the browser that it was shown in and to what it is about.
func (p *Provider) formToken(cookie, about string) string {
	h := hmac.New(sha256.New, p.secret)
	h.Write([]byte("form\x00" + cookie + "\x00" + about))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (p *Provider) fromOwnForm(r *http.Request, about, token string) bool {
	c, err := r.Cookie(formCookie)
	if err != nil || c.Value == "" {
		return false
	}
	if o := r.Header.Get("Origin"); o != "" && o != "null" && o != p.baseURL() {
		return false
	}
	return hmac.Equal([]byte(p.formToken(c.Value, about)), []byte(token))
}

// formValue is the browser's form cookie, which is set when there is none.
func (p *Provider) formValue(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(formCookie); err == nil && len(c.Value) >= 32 {
		return c.Value
	}
	v := random(32)
	p.setCookie(w, formCookie, v)
	return v
}

// finish answers an authorization request for somebody who is logged in.
func (p *Provider) finish(w http.ResponseWriter, r *http.Request, req *pending, in *session) {
	if req.kind == "code" {
		text := p.state.issueCode(&code{client: req.client.ClientID, redirectURI: req.redirectURI, challenge: req.challenge,
			nonce: req.nonce, scope: req.scope, session: in}, seconds(p.realm.AccessCodeLifespan, defaultCodeLife))
		p.send(w, req, url.Values{"code": {text}, "session_state": {in.id}})
		return
	}
	out, err := p.implicit(r.Context(), req, in)
	if err != nil {
		p.sendError(w, req, "temporarily_unavailable", "the signing key is not to be had")
		return
	}
	p.send(w, req, out)
}

func (p *Provider) implicit(ctx context.Context, req *pending, in *session) (url.Values, error) {
	g := &grant{client: req.client, user: in.user, session: in, scopes: p.scopesOf(req.client, req.scope),
		openid: slices.Contains(splitScope(req.scope), "openid"), nonce: req.nonce, now: p.clock.Now()}
	out := url.Values{"session_state": {in.id}}
	access := ""
	if strings.HasSuffix(req.kind, "token") && req.kind != "id_token" {
		raw, life, err := p.accessToken(ctx, g)
		if err != nil {
			return nil, err
		}
		access = raw
		out.Set("access_token", raw)
		out.Set("token_type", "Bearer")
		out.Set("expires_in", strconv.Itoa(int(life.Seconds())))
		out.Set("scope", g.scopeClaim())
	}
	if strings.HasPrefix(req.kind, "id_token") {
		raw, err := p.idToken(ctx, g, access)
		if err != nil {
			return nil, err
		}
		out.Set("id_token", raw)
	}
	return out, nil
}

func (p *Provider) sendError(w http.ResponseWriter, req *pending, name, description string) {
	p.send(w, req, url.Values{"error": {name}, "error_description": {description}})
}

// send gives the client its answer in the way that it asked for. The issuer goes along (RFC 9207), so
// that a client of several providers does not mix them up.
func (p *Provider) send(w http.ResponseWriter, req *pending, out url.Values) {
	if req.state != "" {
		out.Set("state", req.state)
	}
	out.Set("iss", p.Issuer())
	w.Header().Set("Cache-Control", "no-store")
	to, err := url.Parse(req.redirectURI)
	if err != nil {
		p.errorPage(w, http.StatusBadRequest, "Invalid parameter: redirect_uri")
		return
	}
	switch req.mode {
	case "form_post":
		p.showFormPost(w, req.redirectURI, out)
		return
	case "fragment":
		to.Fragment = ""
		w.Header().Set("Location", to.String()+"#"+out.Encode())
	default:
		q := to.Query()
		for k, v := range out {
			q[k] = v
		}
		to.RawQuery = q.Encode()
		w.Header().Set("Location", to.String())
	}
	w.WriteHeader(http.StatusSeeOther)
}

// logout ends a session (OpenID Connect RP-Initiated Logout 1.0). With an ID token as a hint it does so
// at once and sends the browser on; without one it asks the user first. A client may also post a refresh
// token, as Keycloak lets it.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.Method == http.MethodPost {
		var ok bool
		if q, ok = form(w, r); !ok {
			return
		}
		if q.Has("refresh_token") {
			p.backLogout(w, r, q)
			return
		}
	}
	if repeated(q) {
		p.errorPage(w, http.StatusBadRequest, "The request says something twice.")
		return
	}
	var c *realm.Client
	sid := ""
	if hint := q.Get("id_token_hint"); hint != "" {
		t, err := p.parseOwn(r.Context(), hint, "ID", true)
		if err != nil || (q.Has("client_id") && q.Get("client_id") != t.Azp) {
			p.errorPage(w, http.StatusBadRequest, "Invalid parameter: id_token_hint")
			return
		}
		c, sid = p.clients[t.Azp], t.SID
	} else if id := q.Get("client_id"); id != "" {
		c = p.clients[id]
	}
	to := q.Get("post_logout_redirect_uri")
	if to != "" && (c == nil || !matches(afterLogout(c), to)) {
		p.errorPage(w, http.StatusBadRequest, "Invalid redirect uri")
		return
	}
	in := p.browserSession(r)
	// A hint of another session than the browser's is no leave to end the browser's.
	if in != nil && in.id != sid && !(r.Method == http.MethodPost && p.fromOwnForm(r, "logout", q.Get("csrf"))) {
		p.showLogout(w, r, q)
		return
	}
	if in != nil {
		p.state.end(in.id)
	}
	if sid != "" {
		p.state.end(sid)
	}
	p.setCookie(w, sessionCookie, "")
	if to == "" {
		p.messagePage(w, http.StatusOK, "You are logged out", "You can close this window.")
		return
	}
	p.send(w, &pending{redirectURI: to, state: q.Get("state"), mode: "query"}, url.Values{})
}

func (p *Provider) backLogout(w http.ResponseWriter, r *http.Request, f url.Values) {
	c := p.authenticate(w, r, f)
	if c == nil {
		return
	}
	t, err := p.parseRefresh(f.Get("refresh_token"))
	if err != nil || t.Azp != c.ClientID {
		oauthError(w, http.StatusBadRequest, "invalid_grant", "Invalid refresh token")
		return
	}
	p.state.end(t.SID)
	w.WriteHeader(http.StatusNoContent)
}
