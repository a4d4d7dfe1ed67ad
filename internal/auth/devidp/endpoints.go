package devidp

import (
	"net/http"
	"strings"
	"time"
)

// discovery is the provider's metadata (OpenID Connect Discovery 1.0 section 3).
func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	var scopes []string
	for _, s := range p.realm.ClientScopes {
		scopes = append(scopes, s.Name)
	}
	clientAuth := []string{"client_secret_basic", "client_secret_post"}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                p.Issuer(),
		"authorization_endpoint":                p.endpoint("auth"),
		"token_endpoint":                        p.endpoint("token"),
		"introspection_endpoint":                p.endpoint("token/introspect"),
		"revocation_endpoint":                   p.endpoint("revoke"),
		"userinfo_endpoint":                     p.endpoint("userinfo"),
		"end_session_endpoint":                  p.endpoint("logout"),
		"jwks_uri":                              p.endpoint("certs"),
		"grant_types_supported":                 []string{"authorization_code", "implicit", "refresh_token", "password", "client_credentials"},
		"response_types_supported":              []string{"code", "id_token", "token", "id_token token"},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"code_challenge_methods_supported":      []string{"S256"},
		"scopes_supported":                      append([]string{"openid"}, scopes...),
		"claim_types_supported":                 []string{"normal"},
		"prompt_values_supported":               []string{"none", "login"},

		"token_endpoint_auth_methods_supported":          append(clientAuth, "none"),
		"introspection_endpoint_auth_methods_supported":  clientAuth,
		"revocation_endpoint_auth_methods_supported":     append(clientAuth, "none"),
		"authorization_response_iss_parameter_supported": true,
	})
}

func (p *Provider) certs(w http.ResponseWriter, r *http.Request) {
	raw, err := p.key.set(r.Context())
	if err != nil {
		oauthError(w, http.StatusServiceUnavailable, "temporarily_unavailable", "the signing key is not to be had")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(raw)
}

// userinfo tells the claims of the user of an access token, which must have been asked for with the
// scope openid.
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, name, description string) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+p.realm.Realm+`", error="`+name+`"`)
		oauthError(w, status, name, description)
	}
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		refuse(http.StatusUnauthorized, "invalid_request", "a bearer token is needed")
		return
	}
	g, _ := p.liveAccess(r.Context(), strings.TrimSpace(raw))
	if g == nil {
		refuse(http.StatusUnauthorized, "invalid_token", "Token verification failed")
		return
	}
	if !g.openid {
		refuse(http.StatusForbidden, "insufficient_scope", "Missing openid scope")
		return
	}
	claims := map[string]any{}
	p.apply(g, toUserinfo, claims)
	claims["sub"] = g.user.id
	writeJSON(w, http.StatusOK, claims)
}

// introspect tells a confidential client whether a token is good, and what it says (RFC 7662).
func (p *Provider) introspect(w http.ResponseWriter, r *http.Request) {
	f, ok := form(w, r)
	if !ok {
		return
	}
	c := p.authenticate(w, r, f)
	if c == nil {
		return
	}
	if c.PublicClient {
		oauthError(w, http.StatusForbidden, "invalid_request", "Client not allowed.")
		return
	}
	inactive := map[string]any{"active": false}
	if t, err := p.parseRefresh(f.Get("token")); err == nil {
		in := p.state.session(t.SID)
		if in == nil || !p.state.currentRefresh(in, t.Azp, t.ID) {
			writeJSON(w, http.StatusOK, inactive)
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"active": true, "typ": t.Typ, "iss": t.Issuer, "sub": t.Subject, "azp": t.Azp,
			"client_id": t.Azp, "sid": t.SID, "scope": t.Scope, "exp": t.ExpiresAt.Unix(), "iat": t.IssuedAt.Unix(), "jti": t.ID})
		return
	}
	g, t := p.liveAccess(r.Context(), f.Get("token"))
	if g == nil {
		writeJSON(w, http.StatusOK, inactive)
		return
	}
	out := map[string]any{"iss": t.Issuer, "typ": t.Typ, "azp": t.Azp, "jti": t.ID, "exp": t.ExpiresAt.Unix(), "iat": t.IssuedAt.Unix()}
	p.apply(g, toIntrospection, out)
	out["active"], out["client_id"], out["username"], out["token_type"], out["scope"] = true, t.Azp, g.user.Username, "Bearer", t.Scope
	if t.SID != "" {
		out["sid"] = t.SID
	}
	writeJSON(w, http.StatusOK, out)
}

// revoke ends a refresh token and what hangs on it, or an access token (RFC 7009). A token that is not
// the client's, or none at all, is answered alike.
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	f, ok := form(w, r)
	if !ok {
		return
	}
	c := p.authenticate(w, r, f)
	if c == nil {
		return
	}
	if t, err := p.parseRefresh(f.Get("token")); err == nil && t.Azp == c.ClientID {
		if in := p.state.session(t.SID); in != nil {
			p.state.endClient(in, c.ClientID)
		}
	} else if t, err := p.parseOwn(r.Context(), f.Get("token"), "Bearer", false); err == nil && t.Azp == c.ClientID {
		p.state.revoke(t.ID, t.ExpiresAt.Add(time.Minute))
	}
	w.WriteHeader(http.StatusOK)
}
