package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

const (
	issuerURL = "https://id.example/realms/cm"
	audience  = "obp-bss"
)

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// Keys are made once: making them takes longer than all tests.
var (
	rsaKey  = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	rsaKey2 = sync.OnceValue(func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k })
	ecKey   = sync.OnceValue(func() *ecdsa.PrivateKey { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k })
)

type object = map[string]any

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaJWK(kid string, k *rsa.PrivateKey) object {
	return object{"kid": kid, "kty": "RSA", "use": "sig", "alg": "RS256", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func ecJWK(kid string, k *ecdsa.PrivateKey) object {
	point, _ := k.PublicKey.Bytes()
	return object{"kid": kid, "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

// issuer is an identity provider whose keys can be changed, taken down and counted.
type issuer struct {
	mu      sync.Mutex
	keys    []object
	down    bool
	fetches int
}

func (i *issuer) set(keys ...object) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

func (i *issuer) setDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

func (i *issuer) fetch(context.Context) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetches++
	if i.down {
		return nil, errors.New("connection refused")
	}
	return json.Marshal(object{"keys": i.keys})
}

type fixture struct {
	testing.TB
	clock  *clock.Virtual
	issuer *issuer
	auth   *auth.Authenticator
}

// newFixture trusts one issuer with an RSA key "rsa" and an elliptic-curve key "ec".
func newFixture(t testing.TB, change ...func(*auth.Config)) *fixture {
	t.Helper()
	f := &fixture{TB: t, clock: clock.NewVirtual(start), issuer: &issuer{keys: []object{rsaJWK("rsa", rsaKey()), ecJWK("ec", ecKey())}}}
	cfg := auth.Config{Issuers: []auth.Issuer{{URL: issuerURL, Keys: f.issuer.fetch, Audiences: []string{audience}, AllowedAzp: []string{"obp-apigw", "cm-portal"}}}}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if f.auth, err = auth.New(cfg, f.clock, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

// claims are those of a good access token in Keycloak's shape; changes are put over them, and a nil value
// takes a claim away.
func claims(now time.Time, changes object) object {
	c := object{
		"iss": issuerURL, "sub": "11111111-2222-3333-4444-555555555555", "aud": []string{audience, "account"}, "azp": "obp-apigw",
		"typ": "Bearer", "jti": "onrtac:1", "sid": "s1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"scope": "openid profile obp-apigw:read obp-apigw:write obp-apigw:admin", "preferred_username": "ann",
		"realm_access":   object{"roles": []string{"1:*:*", "1:admin", "default-roles-cm", "offline_access"}},
		"availableSpids": []string{"1:HappyPhone", "2:SadPhone"},
	}
	for k, v := range changes {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key crypto.PrivateKey, header, claims object) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	maps.Copy(token.Header, header)
	raw, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// token is a good token with changed claims.
func (f *fixture) token(changes object) string {
	f.Helper()
	return sign(f, jwt.SigningMethodRS256, rsaKey(), object{"kid": "rsa"}, claims(f.clock.Now(), changes))
}

// signRaw signs a header and a payload byte for byte.
func signRaw(t testing.TB, header, payload string) string {
	t.Helper()
	body := b64([]byte(header)) + "." + b64([]byte(payload))
	sig, err := jwt.SigningMethodRS256.Sign(body, rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	return body + "." + b64(sig)
}

func (f *fixture) authenticate(token string) (*auth.Principal, error) {
	return f.auth.Authenticate(context.Background(), "Bearer "+token, "")
}

func (f *fixture) accept(token string) *auth.Principal {
	f.Helper()
	p, err := f.authenticate(token)
	if err != nil {
		f.Fatalf("refused: %v", err)
	}
	return p
}

// refuse wants the one refusal that says nothing.
func (f *fixture) refuse(token string) {
	f.Helper()
	p, err := f.authenticate(token)
	if p != nil || err == nil {
		f.Fatal("accepted")
	}
	got := fault.From(err)
	if got.Kind != fault.Unauthenticated || got.Code != fault.CodeUnauthenticated || got.Message != "the credential is not valid" || got.Attribute != "" {
		f.Fatalf("fault %+v", got)
	}
}
