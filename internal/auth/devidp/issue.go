package devidp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Lifetimes that the realm file does not give.
const (
	defaultTokenLife   = 5 * time.Minute
	defaultSessionLife = 10 * time.Hour
	defaultIdle        = 30 * time.Minute
	defaultCodeLife    = time.Minute
	pendingLife        = 30 * time.Minute
)

func seconds(n int, otherwise time.Duration) time.Duration {
	if n <= 0 {
		return otherwise
	}
	return time.Duration(n) * time.Second
}

func (p *Provider) sessionLife() time.Duration {
	return seconds(p.realm.SSOSessionMaxLifespan, defaultSessionLife)
}

// accessLife is how long an access token is good: the client's own setting, else the realm's.
func (p *Provider) accessLife(g *grant) time.Duration {
	n, _ := strconv.Atoi(g.client.Attributes["access.token.lifespan"])
	return seconds(n, seconds(p.realm.AccessTokenLifespan, defaultTokenLife))
}

// accessToken signs an access token of Keycloak's shape and answers it with its life.
func (p *Provider) accessToken(ctx context.Context, g *grant) (string, time.Duration, error) {
	life := p.accessLife(g)
	claims := p.claims(g, "Bearer", life)
	claims["scope"] = g.scopeClaim()
	p.apply(g, toAccess, claims)
	raw, err := p.key.sign(ctx, claims)
	return raw, life, err
}

// claims are those that no mapper makes.
func (p *Provider) claims(g *grant, typ string, life time.Duration) map[string]any {
	claims := map[string]any{
		"iss": p.Issuer(), "typ": typ, "azp": g.client.ClientID, "jti": random(16),
		"iat": g.now.Unix(), "exp": g.now.Add(life).Unix(),
	}
	if g.session != nil {
		claims["sid"] = g.session.id
	}
	return claims
}

// idToken signs an ID token; access is the access token that it comes with, empty for none.
func (p *Provider) idToken(ctx context.Context, g *grant, access string) (string, error) {
	claims := p.claims(g, "ID", p.accessLife(g))
	p.apply(g, toID, claims)
	claims["aud"], claims["sub"] = g.client.ClientID, g.user.id
	if g.session != nil && g.session.page {
		claims["auth_time"] = g.session.began.Unix()
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	return p.key.sign(ctx, claims)
}

// refreshClaims are what a refresh token says. It is signed with a secret of the process, as Keycloak
// signs its own with one that no client can check.
type refreshClaims struct {
	jwt.RegisteredClaims
	Typ   string `json:"typ"`
	Azp   string `json:"azp"`
	SID   string `json:"sid"`
	Scope string `json:"scope"`
	Nonce string `json:"nonce,omitempty"`
}

func (p *Provider) refreshToken(g *grant, jti, asked string) (string, time.Duration, error) {
	life := seconds(p.realm.SSOSessionIdleTimeout, defaultIdle)
	if left := g.session.began.Add(p.sessionLife()).Sub(g.now); left < life {
		life = left
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS512, refreshClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: p.Issuer(), Audience: jwt.ClaimStrings{p.Issuer()}, Subject: g.user.id, ID: jti,
			IssuedAt: jwt.NewNumericDate(g.now), ExpiresAt: jwt.NewNumericDate(g.now.Add(life)),
		},
		Typ: "Refresh", Azp: g.client.ClientID, SID: g.session.id, Scope: asked, Nonce: g.nonce,
	})
	raw, err := t.SignedString(p.secret)
	return raw, life, err
}

func (p *Provider) parseRefresh(raw string) (*refreshClaims, error) {
	var c refreshClaims
	_, err := jwt.ParseWithClaims(raw, &c, func(*jwt.Token) (any, error) { return p.secret, nil },
		jwt.WithValidMethods([]string{"HS512"}), jwt.WithTimeFunc(p.clock.Now), jwt.WithExpirationRequired(), jwt.WithIssuer(p.Issuer()))
	if err != nil || c.Typ != "Refresh" {
		return nil, errors.New("not a refresh token")
	}
	return &c, nil
}

// ownClaims are what the provider reads of tokens that it signed.
type ownClaims struct {
	jwt.RegisteredClaims
	Typ   string `json:"typ"`
	Azp   string `json:"azp"`
	SID   string `json:"sid"`
	Scope string `json:"scope"`
}

// parseOwn checks an access or ID token of the provider. An ID token that comes as a hint may have ended.
func (p *Provider) parseOwn(ctx context.Context, raw, typ string, mayHaveEnded bool) (*ownClaims, error) {
	if err := p.key.wait(ctx); err != nil {
		return nil, err
	}
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(p.clock.Now), jwt.WithIssuer(p.Issuer())}
	if mayHaveEnded {
		options = append(options, jwt.WithoutClaimsValidation())
	}
	var c ownClaims
	_, err := jwt.ParseWithClaims(raw, &c, func(*jwt.Token) (any, error) { return &p.key.key.PublicKey, nil }, options...)
	if err != nil || c.Typ != typ || c.Issuer != p.Issuer() {
		return nil, errors.New("not a token of this provider")
	}
	return &c, nil
}

// liveAccess is the grant of an access token that is good now: its session has not ended and nobody
// revoked it. nil otherwise.
func (p *Provider) liveAccess(ctx context.Context, raw string) (*grant, *ownClaims) {
	c, err := p.parseOwn(ctx, raw, "Bearer", false)
	if err != nil || p.state.isRevoked(c.ID) {
		return nil, nil
	}
	g := &grant{client: p.clients[c.Azp], user: p.users.bySub[c.Subject], now: p.clock.Now()}
	if g.client == nil || g.user == nil || !g.user.Enabled {
		return nil, nil
	}
	if c.SID != "" {
		if g.session = p.state.session(c.SID); g.session == nil {
			return nil, nil
		}
	} else {
		g.notes = map[string]string{"client_id": c.Azp}
	}
	g.scopes = p.scopesOf(g.client, c.Scope)
	g.openid = slices.Contains(splitScope(c.Scope), "openid")
	return g, c
}

// tokens is the body of a token response, with the members that Keycloak has.
type tokens struct {
	AccessToken      string `json:"access_token"`
	ExpiresIn        int    `json:"expires_in"`
	RefreshExpiresIn int    `json:"refresh_expires_in"`
	RefreshToken     string `json:"refresh_token,omitzero"`
	TokenType        string `json:"token_type"`
	IDToken          string `json:"id_token,omitzero"`
	NotBeforePolicy  int    `json:"not-before-policy"`
	SessionState     string `json:"session_state,omitzero"`
	Scope            string `json:"scope"`
}

// respond writes the tokens of a grant. was is the refresh token that this one follows; empty for the
// first of a session.
func (p *Provider) respond(w http.ResponseWriter, r *http.Request, g *grant, asked, was string) {
	access, life, err := p.accessToken(r.Context(), g)
	if err != nil {
		oauthError(w, http.StatusServiceUnavailable, "temporarily_unavailable", "the signing key is not to be had")
		return
	}
	out := tokens{AccessToken: access, ExpiresIn: int(life.Seconds()), TokenType: "Bearer", Scope: g.scopeClaim()}
	if g.session != nil {
		jti := random(16)
		refresh, refreshLife, err := p.refreshToken(g, jti, asked)
		if err != nil {
			oauthError(w, http.StatusInternalServerError, "server_error", "no refresh token could be made")
			return
		}
		if was == "" {
			p.state.startRefresh(g.session, g.client.ClientID, jti)
		} else if !p.state.rotate(g.session, g.client.ClientID, was, jti) {
			oauthError(w, http.StatusBadRequest, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
			return
		}
		out.RefreshToken, out.RefreshExpiresIn, out.SessionState = refresh, int(refreshLife.Seconds()), g.session.id
	}
	if g.openid {
		if out.IDToken, err = p.idToken(r.Context(), g, access); err != nil {
			oauthError(w, http.StatusServiceUnavailable, "temporarily_unavailable", "the signing key is not to be had")
			return
		}
	}
	writeJSON(w, http.StatusOK, out)
}
