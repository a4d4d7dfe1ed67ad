package auth_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func text(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAttacksOnTheHeader(t *testing.T) {
	f := newFixture(t)
	good := claims(start, nil)
	payload := text(t, good)
	f.accept(signRaw(t, `{"alg":"RS256","typ":"JWT","kid":"rsa"}`, payload))
	f.accept(signRaw(t, `{"alg":"RS256","typ":"at+jwt","kid":"rsa"}`, payload))
	f.accept(sign(t, jwt.SigningMethodES256, ecKey(), object{"kid": "ec"}, good))

	for _, alg := range []string{"none", "None", "nOnE", "NONE", ""} {
		t.Run("alg "+alg, func(t *testing.T) {
			f := &fixture{t, f.clock, f.issuer, f.auth}
			head := b64([]byte(`{"alg":"` + alg + `","typ":"JWT","kid":"rsa"}`))
			f.refuse(head + "." + b64([]byte(payload)) + ".")
			f.refuse(signRaw(t, `{"alg":"`+alg+`","typ":"JWT","kid":"rsa"}`, payload))
		})
	}
	t.Run("HS256 signed with the public key", func(t *testing.T) {
		der, err := x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{t, f.clock, f.issuer, f.auth}
		for _, secret := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), rsaKey().N.Bytes()} {
			f.refuse(sign(t, jwt.SigningMethodHS256, secret, object{"kid": "rsa"}, good))
		}
	})

	own := text(t, rsaJWK("mine", rsaKey2()))
	for name, header := range map[string]string{
		"embedded jwk":            `{"alg":"RS256","typ":"JWT","kid":"rsa","jwk":` + own + `}`,
		"jku":                     `{"alg":"RS256","typ":"JWT","kid":"rsa","jku":"https://evil.example/jwks"}`,
		"x5u":                     `{"alg":"RS256","typ":"JWT","kid":"rsa","x5u":"https://evil.example/cert"}`,
		"x5c":                     `{"alg":"RS256","typ":"JWT","kid":"rsa","x5c":["MIIB"]}`,
		"crit":                    `{"alg":"RS256","typ":"JWT","kid":"rsa","crit":["exp"],"exp":1}`,
		"crit null":               `{"alg":"RS256","typ":"JWT","kid":"rsa","crit":null}`,
		"b64":                     `{"alg":"RS256","typ":"JWT","kid":"rsa","b64":false}`,
		"zip":                     `{"alg":"RS256","typ":"JWT","kid":"rsa","zip":"DEF"}`,
		"nested cty":              `{"alg":"RS256","typ":"JWT","kid":"rsa","cty":"JWT"}`,
		"kid missing":             `{"alg":"RS256","typ":"JWT"}`,
		"kid empty":               `{"alg":"RS256","typ":"JWT","kid":""}`,
		"kid duplicated":          `{"alg":"RS256","typ":"JWT","kid":"rsa","kid":"rsa"}`,
		"kid 10 KB":               `{"alg":"RS256","typ":"JWT","kid":"` + strings.Repeat("a", 10<<10) + `"}`,
		"kid a path":              `{"alg":"RS256","typ":"JWT","kid":"../../../../dev/null"}`,
		"kid SQL":                 `{"alg":"RS256","typ":"JWT","kid":"rsa' UNION SELECT 'key'--"}`,
		"kid a number":            `{"alg":"RS256","typ":"JWT","kid":1}`,
		"kid of another key":      `{"alg":"RS256","typ":"JWT","kid":"ec"}`,
		"kid in another case":     `{"alg":"RS256","typ":"JWT","kid":"RSA"}`,
		"alg of the key's family": `{"alg":"PS256","typ":"JWT","kid":"rsa"}`,
		"alg longer":              `{"alg":"RS512","typ":"JWT","kid":"rsa"}`,
		"alg duplicated":          `{"alg":"none","alg":"RS256","typ":"JWT","kid":"rsa"}`,
		"alg by another case":     `{"ALG":"RS256","typ":"JWT","kid":"rsa"}`,
		"typ missing":             `{"alg":"RS256","kid":"rsa"}`,
		"typ of a logout token":   `{"alg":"RS256","typ":"logout+jwt","kid":"rsa"}`,
		"typ of a DPoP proof":     `{"alg":"RS256","typ":"dpop+jwt","kid":"rsa"}`,
		"not an object":           `[]`,
		"trailing data":           `{"alg":"RS256","typ":"JWT","kid":"rsa"}{}`,
	} {
		t.Run(name, func(t *testing.T) {
			(&fixture{t, f.clock, f.issuer, f.auth}).refuse(signRaw(t, header, payload))
		})
	}
	t.Run("embedded jwk signs itself", func(t *testing.T) {
		(&fixture{t, f.clock, f.issuer, f.auth}).refuse(sign(t, jwt.SigningMethodRS256, rsaKey2(), object{"kid": "mine", "jwk": rsaJWK("mine", rsaKey2())}, good))
	})
	t.Run("another key under a known kid", func(t *testing.T) {
		(&fixture{t, f.clock, f.issuer, f.auth}).refuse(sign(t, jwt.SigningMethodRS256, rsaKey2(), object{"kid": "rsa"}, good))
	})
}

func TestAttacksOnTheForm(t *testing.T) {
	f := newFixture(t)
	good := f.token(nil)
	parts := strings.Split(good, ".")
	f.accept(good)
	for name, token := range map[string]string{
		"two parts":          parts[0] + "." + parts[1],
		"four parts":         good + ".AAAA",
		"five parts (JWE)":   good + ".AAAA.AAAA",
		"empty signature":    parts[0] + "." + parts[1] + ".",
		"padded base64":      parts[0] + "=." + parts[1] + "." + parts[2],
		"stray bits":         good[:len(good)-1] + strayBit(good[len(good)-1]),
		"standard base64":    parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "+",
		"signature of other": parts[0] + "." + parts[1] + "." + strings.Split(f.token(object{"jti": "x"}), ".")[2],
		"payload of other":   parts[0] + "." + strings.Split(f.token(object{"sub": "x"}), ".")[1] + "." + parts[2],
		"too long":           f.token(object{"padding": strings.Repeat("a", 40<<10)}),
		"invalid UTF-8":      signRaw(t, `{"alg":"RS256","typ":"JWT","kid":"rsa"}`, strings.Replace(text(t, claims(start, nil)), "ann", "a\xffn", 1)),
		"duplicate claim":    signRaw(t, `{"alg":"RS256","typ":"JWT","kid":"rsa"}`, strings.Replace(text(t, claims(start, nil)), `{`, `{"sub":"admin",`, 1)),
		"duplicate nested":   signRaw(t, `{"alg":"RS256","typ":"JWT","kid":"rsa"}`, strings.Replace(text(t, claims(start, nil)), `"realm_access":{`, `"realm_access":{"roles":["2:*:*"],`, 1)),
		"empty":              "..",
	} {
		t.Run(name, func(t *testing.T) { (&fixture{t, f.clock, f.issuer, f.auth}).refuse(token) })
	}
}

// strayBit sets a bit that the last base64 digit of a 256-byte signature does not carry.
func strayBit(last byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, last)|1])
}

func TestAttacksOnTheClaims(t *testing.T) {
	f := newFixture(t)
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	for name, changes := range map[string]object{
		"iss with a trailing slash":   {"iss": issuerURL + "/"},
		"iss missing":                 {"iss": nil},
		"iss of another realm":        {"iss": "https://id.example/realms/master"},
		"iss in another case":         {"iss": strings.ToUpper(issuerURL)},
		"iss a list":                  {"iss": []string{issuerURL}},
		"ID token":                    {"typ": "ID"},
		"refresh token":               {"typ": "Refresh"},
		"offline token":               {"typ": "Offline"},
		"logout token":                {"typ": "Logout", "events": object{"http://schemas.openid.net/event/backchannel-logout": object{}}},
		"logout token that says Bear": {"events": object{"http://schemas.openid.net/event/backchannel-logout": object{}}},
		"DPoP token":                  {"typ": "DPoP", "cnf": object{"jkt": "x"}},
		"typ missing":                 {"typ": nil},
		"typ in another case":         {"typ": "bearer"},
		"cnf without a proof":         {"cnf": object{"x5t#S256": "x"}},
		"cnf empty":                   {"cnf": object{}},
		"sub missing":                 {"sub": nil},
		"sub empty":                   {"sub": ""},
		"sub a number":                {"sub": 1},
		"sub 10 KB":                   {"sub": strings.Repeat("a", 10<<10)},
		"azp missing":                 {"azp": nil},
		"azp not allowed":             {"azp": "account-console"},
		"azp and client_id disagree":  {"client_id": "cm-portal"},
		"aud missing":                 {"aud": nil},
		"aud of another":              {"aud": "account"},
		"aud only contains ours":      {"aud": audience + "-test"},
		"exp missing":                 {"exp": nil},
		"exp past":                    {"exp": at(-time.Hour)},
		"exp past the skew":           {"exp": at(-30 * time.Second)},
		"exp a string":                {"exp": "9999999999"},
		"exp beyond time":             {"exp": 1e300},
		"exp negative":                {"exp": -1},
		"nbf in the future":           {"nbf": at(31 * time.Second)},
		"iat in the future":           {"iat": at(31 * time.Second)},
		"iat missing":                 {"iat": nil},
		"roles a string":              {"realm_access": object{"roles": "1:*:*"}},
		"realm_access a list":         {"realm_access": []string{"1:*:*"}},
		"availableSpids a number":     {"availableSpids": 1},
		"scope a list":                {"scope": []string{auth.ScopeRead}},
	} {
		t.Run(name, func(t *testing.T) {
			(&fixture{t, f.clock, f.issuer, f.auth}).refuse(f.token(changes))
		})
	}
	for name, changes := range map[string]object{
		"exp past within the skew":   {"exp": at(-29 * time.Second)},
		"nbf future within the skew": {"nbf": at(30 * time.Second)},
		"iat future within the skew": {"iat": at(30 * time.Second)},
		"exp with a fraction":        {"exp": float64(at(time.Hour)) + .5},
		"aud a string":               {"aud": audience},
		"client_id agrees":           {"client_id": "obp-apigw"},
		"no roles at all":            {"realm_access": nil},
	} {
		t.Run(name, func(t *testing.T) {
			(&fixture{t, f.clock, f.issuer, f.auth}).accept(f.token(changes))
		})
	}
}

// A token ends while it is in the cache of verified tokens, and not a moment later than its exp there.
func TestCachedTokenEnds(t *testing.T) {
	f := newFixture(t)
	token := f.token(object{"exp": start.Add(20 * time.Second).Unix()})
	f.accept(token)
	f.clock.Advance(19 * time.Second)
	f.accept(token)
	f.clock.Advance(32 * time.Second)
	f.refuse(token)
}

func TestAnotherRealmWithTheSameKid(t *testing.T) {
	other := &issuer{keys: []object{rsaJWK("rsa", rsaKey2())}}
	const otherURL = "https://id.example/realms/other"
	f := newFixture(t, func(c *auth.Config) {
		c.Issuers = append(c.Issuers, auth.Issuer{URL: otherURL, Keys: other.fetch, AllowedAzp: []string{"obp-apigw"}})
	})
	header := object{"kid": "rsa"}
	f.accept(sign(t, jwt.SigningMethodRS256, rsaKey2(), header, claims(start, object{"iss": otherURL})))
	f.refuse(sign(t, jwt.SigningMethodRS256, rsaKey2(), header, claims(start, nil)))
	f.refuse(sign(t, jwt.SigningMethodRS256, rsaKey(), header, claims(start, object{"iss": otherURL})))
}

// An issuer that writes no `typ` claim is honoured only when it is configured so, and its ID tokens are
// still told apart.
func TestUntypedIssuer(t *testing.T) {
	f := newFixture(t, func(c *auth.Config) { c.Issuers[0].Untyped = true })
	f.accept(f.token(object{"typ": nil}))
	f.accept(f.token(nil))
	for name, changes := range map[string]object{
		"nonce": {"typ": nil, "nonce": "n"}, "at_hash": {"typ": nil, "at_hash": "h"}, "c_hash": {"typ": nil, "c_hash": "h"},
		"aud is the client": {"typ": nil, "aud": []string{audience, "obp-apigw"}}, "typ ID": {"typ": "ID"},
	} {
		t.Run(name, func(t *testing.T) {
			(&fixture{t, f.clock, f.issuer, f.auth}).refuse(f.token(changes))
		})
	}
}

func TestAuthorizationHeader(t *testing.T) {
	f := newFixture(t)
	good := f.token(nil)
	for _, header := range []string{"Bearer " + good, "bearer " + good, "BEARER   " + good} {
		if _, err := f.auth.Authenticate(t.Context(), header, ""); err != nil {
			t.Errorf("%.10q…: %v", header, err)
		}
	}
	for name, header := range map[string]string{
		"no scheme": good, "other scheme": "Basic " + good, "no token": "Bearer", "blank token": "Bearer  ", "tab": "Bearer\t" + good,
		"trailing space": "Bearer " + good + " ", "two tokens": "Bearer " + good + ", Bearer " + good, "newline": "Bearer " + good + "\n", "NUL": "Bearer \x00" + good,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := f.auth.Authenticate(t.Context(), header, ""); fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		_, err := f.auth.Authenticate(t.Context(), "", "")
		if got := fault.From(err); got == nil || got.Kind != fault.Unauthenticated {
			t.Errorf("got %v", err)
		}
	})
	t.Run("repeated headers", func(t *testing.T) {
		h := http.Header{"Authorization": {"Bearer " + good, "Bearer " + good}}
		if _, err := f.auth.AuthenticateHeader(t.Context(), h); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("got %v", err)
		}
	})
}

// What a client is told, and what a log is told, never holds the token.
func TestErrorsHoldNoToken(t *testing.T) {
	f := newFixture(t)
	for _, token := range []string{f.token(object{"exp": 1}), f.token(object{"sub": 7}), "hunter2.hunter2.hunter2", signRaw(t, `{"alg":"RS256","typ":"JWT","kid":"hunter2"}`, `{"hunter2":1,"hunter2":2}`)} {
		_, err := f.auth.Authenticate(context.Background(), "Bearer "+token, "")
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), token[:20]) {
			t.Errorf("error %v", err)
		}
	}
}
