package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

const (
	// maxTokenBytes bounds a token; one with 200 roles is about 8 KiB.
	maxTokenBytes = 32 << 10
	maxKidBytes   = 256
	maxNameBytes  = 255
)

// header is a JOSE header. Members that bring a key along or change how the token is to be read are
// refused rather than ignored; so is any critical extension, since demarc knows none.
type header struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
	Kid string `json:"kid"`

	JWK  jsontext.Value `json:"jwk"`
	JKU  jsontext.Value `json:"jku"`
	X5C  jsontext.Value `json:"x5c"`
	X5U  jsontext.Value `json:"x5u"`
	Crit jsontext.Value `json:"crit"`
	B64  jsontext.Value `json:"b64"`
	Cty  jsontext.Value `json:"cty"`
	Zip  jsontext.Value `json:"zip"`
	Enc  jsontext.Value `json:"enc"`
}

func (h header) check() error {
	for _, v := range [...]jsontext.Value{h.JWK, h.JKU, h.X5C, h.X5U, h.Crit, h.B64, h.Cty, h.Zip, h.Enc} {
		if v != nil {
			return errors.New("header has a member that is not allowed")
		}
	}
	if !strings.EqualFold(h.Typ, "JWT") && !h.accessToken() {
		return errors.New("header typ is not that of an access token")
	}
	if h.Kid == "" || len(h.Kid) > maxKidBytes {
		return errors.New("header has no usable kid")
	}
	return nil
}

// accessToken reports whether the header says that this is an access token (RFC 9068).
func (h header) accessToken() bool {
	return strings.EqualFold(h.Typ, "at+jwt") || strings.EqualFold(h.Typ, "application/at+jwt")
}

// issuer is an Issuer with its keys.
type issuer struct {
	Issuer
	keys *keySource
}

// verify checks a token from its form to its signature to its claims, in that order of cost, and makes
// its Principal. The error says why not, for the log.
func (a *Authenticator) verify(ctx context.Context, token string) (*Principal, error) {
	if len(token) > maxTokenBytes {
		return nil, errors.New("token too long")
	}
	signed, sig64, ok := cutLast(token, '.')
	head64, body64, ok2 := strings.Cut(signed, ".")
	if !ok || !ok2 || strings.Contains(body64, ".") {
		return nil, errors.New("not three parts")
	}
	var h header
	if err := decodePart(head64, &h); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	var c claims
	if err := decodePart(body64, &c); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(sig64)
	if err != nil {
		return nil, errors.New("signature is not base64url")
	}
	iss := a.issuers[c.Issuer]
	if iss == nil {
		return nil, errors.New("unknown issuer")
	}
	// The issuer is the token's own word until the signature holds under that issuer's key. What is cheap
	// to refuse is refused first, so that an old or foreign token costs no key lookup.
	now := a.clock.Now()
	if err := c.check(h, iss, now, a.skew); err != nil {
		return nil, err
	}
	key, err := iss.keys.key(ctx, h.Kid)
	if err != nil {
		return nil, err
	}
	if h.Alg != key.method.Alg() {
		return nil, errors.New("alg is not the key's")
	}
	if err := key.method.Verify(signed, sig, key.public); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return c.principal(iss), nil
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// decodePart is strict twice over: base64url without padding or stray bits, so that a token has one
// text, and JSON without members that come twice.
func decodePart(s string, v any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return errors.New("not base64url")
	}
	// What the decoder complains of may quote the token; the log needs to know no more than this.
	if json.Unmarshal(raw, v) != nil {
		return errors.New("not JSON of the right shape, or a member comes twice")
	}
	return nil
}

func (c *claims) check(h header, iss *issuer, now time.Time, skew time.Duration) error {
	if err := c.checkTimes(now, skew); err != nil {
		return err
	}
	switch {
	case c.Type == "Bearer":
	case c.Type == "" && (h.accessToken() || iss.Untyped):
		if c.Nonce != nil || c.AtHash != nil || c.CHash != nil || (!h.accessToken() && slices.Contains(c.Audience, c.client())) {
			return errors.New("looks like an ID token")
		}
	default:
		return errors.New("claim typ is not that of an access token")
	}
	if c.Events != nil {
		return errors.New("is a security event, not an access token")
	}
	if c.Confirmation != nil {
		return errors.New("is bound to a proof that demarc cannot check")
	}
	if c.Subject == "" || len(c.Subject) > maxNameBytes {
		return errors.New("no usable sub")
	}
	if c.Azp != "" && c.ClientID != "" && c.Azp != c.ClientID {
		return errors.New("azp and client_id disagree")
	}
	if c.client() == "" || len(c.client()) > maxNameBytes {
		return errors.New("no usable azp")
	}
	if len(iss.AllowedAzp) > 0 && !slices.Contains(iss.AllowedAzp, c.client()) {
		return errors.New("azp is not allowed")
	}
	if len(iss.Audiences) > 0 && !slices.ContainsFunc(c.Audience, func(s string) bool { return slices.Contains(iss.Audiences, s) }) {
		return errors.New("aud is not ours")
	}
	return nil
}

func (c *claims) checkTimes(now time.Time, skew time.Duration) error {
	switch {
	case c.Expires.t.IsZero():
		return errors.New("no exp")
	case !now.Before(c.Expires.t.Add(skew)):
		return errors.New("expired")
	case !c.NotBefore.t.IsZero() && now.Add(skew).Before(c.NotBefore.t):
		return errors.New("not valid yet")
	case c.IssuedAt.t.IsZero():
		return errors.New("no iat")
	case now.Add(skew).Before(c.IssuedAt.t):
		return errors.New("issued in the future")
	}
	return nil
}

// client is who the token was issued to: `azp` as Keycloak has it, `client_id` as RFC 9068 does.
func (c *claims) client() string {
	if c.Azp != "" {
		return c.Azp
	}
	return c.ClientID
}

func (c *claims) principal(iss *issuer) *Principal {
	names := slices.Clone(c.RealmAccess.Roles)
	clients := iss.RoleClients
	if len(clients) == 0 {
		clients = []string{c.client()}
	}
	for _, client := range clients {
		names = append(names, c.ResourceAccess[client].Roles...)
	}
	p := &Principal{
		actor:   scope.Actor{Subject: c.Subject, Name: c.Username, Client: c.client()},
		spids:   parseSPIDs(c.AvailableSPIDs),
		names:   names,
		roles:   compile(names),
		session: c.Session,
		expires: c.Expires.t,
	}
	p.claims = scope.Claims{
		ManageMonthlySpendLimit: bool(c.ManageMonthlyLimit),
		ManageCreditLimit:       bool(c.ManageCreditLimit),
		SPIDs:                   spidNumbers(p.spids),
	}
	p.limitToScopes(strings.Split(c.Scope, " "))
	return p
}
