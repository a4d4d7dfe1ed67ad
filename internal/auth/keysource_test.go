package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func (f *fixture) unavailable(token string) {
	f.Helper()
	_, err := f.authenticate(token)
	if got := fault.From(err); got == nil || got.Kind != fault.Unavailable || got.RetryAfter <= 0 {
		f.Fatalf("got %v, want unavailable with a time to retry", err)
	}
}

func (f *fixture) signedBy(kid string) string {
	f.Helper()
	return sign(f, jwt.SigningMethodRS256, rsaKey2(), object{"kid": kid}, claims(f.clock.Now(), object{"jti": kid + f.clock.Now().String()}))
}

func TestKeysDownAtBoot(t *testing.T) {
	f := newFixture(t)
	f.issuer.setDown(true)
	f.unavailable(f.token(nil))
	f.unavailable(f.token(nil))
	if n := f.issuer.count(); n != 1 {
		t.Errorf("asked %d times within 10 s", n)
	}
	f.issuer.setDown(false)
	f.clock.Advance(10 * time.Second)
	f.accept(f.token(nil))
}

func TestKeysDownLater(t *testing.T) {
	f := newFixture(t, func(c *auth.Config) { c.KeysFresh, c.KeysStale = 5*time.Minute, time.Hour })
	f.accept(f.token(nil))
	f.issuer.setDown(true)
	f.clock.Advance(59 * time.Minute)
	f.accept(f.token(nil)) // no longer fresh, still good
	f.clock.Advance(2 * time.Minute)
	f.unavailable(f.token(nil)) // too old to be believed
	f.issuer.setDown(false)
	f.clock.Advance(10 * time.Second)
	f.accept(f.token(nil))
}

func TestKeysRotatedTwiceInAMinute(t *testing.T) {
	f := newFixture(t)
	f.accept(f.token(nil))
	for _, kid := range []string{"second", "third"} {
		f.clock.Advance(25 * time.Second)
		f.issuer.set(rsaJWK(kid, rsaKey2()))
		f.accept(f.signedBy(kid))
	}
	f.refuse(f.signedBy("second")) // no longer listed
	f.clock.Advance(10 * time.Second)
	f.refuse(f.token(nil))
	if n := f.issuer.count(); n > 5 {
		t.Errorf("asked %d times", n)
	}
}

func TestKidFlood(t *testing.T) {
	f := newFixture(t)
	f.accept(f.token(nil))
	for second := range 60 {
		for i := range 20 {
			f.refuse(sign(t, jwt.SigningMethodES256, ecKey(), object{"kid": fmt.Sprintf("bogus-%d-%d", second, i)}, claims(f.clock.Now(), nil)))
		}
		f.clock.Advance(time.Second)
	}
	if n := f.issuer.count(); n > 7 {
		t.Errorf("1,200 bogus key ids in a minute made %d fetches", n)
	}
	f.accept(f.token(nil))
}

// Whoever comes while keys are being fetched waits for that fetch, and there is one.
func TestSingleFlight(t *testing.T) {
	f := newFixture(t)
	release, entered := make(chan struct{}), make(chan struct{}, 100)
	a, err := auth.New(auth.Config{Issuers: []auth.Issuer{{URL: issuerURL, Audiences: []string{audience}, Keys: func(ctx context.Context) ([]byte, error) {
		entered <- struct{}{}
		<-release
		return f.issuer.fetch(ctx)
	}}}}, f.clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	// One that gives up gets its answer at once and does not take the others' away.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Authenticate(ctx, "Bearer "+f.token(nil), ""); err == nil {
		t.Error("a request that was given up passed")
	}
	<-entered
	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		token := f.token(object{"jti": fmt.Sprint(i)})
		wg.Go(func() { _, errs[i] = a.Authenticate(t.Context(), "Bearer "+token, "") })
	}
	close(release)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if n := f.issuer.count(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestKeySetContents(t *testing.T) {
	with := func(change object) object {
		k := rsaJWK("rsa", rsaKey())
		for name, v := range change {
			k[name] = v
		}
		return k
	}
	for name, keys := range map[string][]object{
		"for encryption":   {with(object{"use": "enc"}), ecJWK("other", ecKey())},
		"without use":      {with(object{"use": ""}), ecJWK("other", ecKey())},
		"two of one kid":   {with(nil), rsaJWK("rsa", rsaKey2()), ecJWK("other", ecKey())},
		"three of one kid": {with(nil), rsaJWK("rsa", rsaKey2()), with(nil), ecJWK("other", ecKey())},
		"pinned to PS256":  {with(object{"alg": "PS256"}), ecJWK("other", ecKey())},
		"symmetric":        {{"kid": "rsa", "kty": "oct", "use": "sig", "alg": "HS256", "k": "AAAA"}, ecJWK("other", ecKey())},
		"alg none":         {with(object{"alg": "none"}), ecJWK("other", ecKey())},
		"512-bit modulus":  {with(object{"n": b64(rsaKey().N.Bytes()[:64])}), ecJWK("other", ecKey())},
		"exponent 1":       {with(object{"e": "AQ"}), ecJWK("other", ecKey())},
		"point off curve":  {{"kid": "rsa", "kty": "EC", "use": "sig", "crv": "P-256", "x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}, ecJWK("other", ecKey())},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.issuer.set(keys...)
			f.refuse(f.token(nil))
		})
	}
	t.Run("nothing usable", func(t *testing.T) {
		f := newFixture(t)
		f.issuer.set(with(object{"use": "enc"}))
		f.unavailable(f.token(nil))
	})
	t.Run("without alg", func(t *testing.T) {
		f := newFixture(t)
		f.issuer.set(with(object{"alg": ""}))
		f.accept(f.token(nil))
	})
	t.Run("PS256", func(t *testing.T) {
		f := newFixture(t)
		f.issuer.set(with(object{"alg": "PS256"}))
		f.accept(sign(t, jwt.SigningMethodPS256, rsaKey(), object{"kid": "rsa"}, claims(start, nil)))
	})
}

func TestKeysOverHTTP(t *testing.T) {
	f := newFixture(t)
	raw, err := f.issuer.fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	reply := func(path, contentType, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write([]byte(body))
		})
	}
	discovery := func(realm, issuer, jwks string) {
		reply("/"+realm+"/.well-known/openid-configuration", "application/json", fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, jwks))
	}
	reply("/certs", "application/json", string(raw))
	reply("/html", "text/html", string(raw))
	mux.Handle("GET /moved", http.RedirectHandler("/certs", http.StatusFound))
	discovery("good", server.URL+"/good", server.URL+"/certs")
	discovery("liar", server.URL+"/good", server.URL+"/certs")
	discovery("file", server.URL+"/file", "file:///etc/passwd")

	for name, c := range map[string]struct {
		issuer auth.Issuer
		good   bool
	}{
		"by discovery":              {auth.Issuer{URL: server.URL + "/good"}, true},
		"by URL":                    {auth.Issuer{URL: "https://id.example/x", JWKSURL: server.URL + "/certs"}, true},
		"document of another":       {auth.Issuer{URL: server.URL + "/liar"}, false},
		"a file":                    {auth.Issuer{URL: server.URL + "/file"}, false},
		"a redirect":                {auth.Issuer{URL: server.URL + "/x", JWKSURL: server.URL + "/moved"}, false},
		"not JSON":                  {auth.Issuer{URL: server.URL + "/x", JWKSURL: server.URL + "/html"}, false},
		"nothing there":             {auth.Issuer{URL: server.URL + "/none"}, false},
		"https issuer, http jwks":   {auth.Issuer{URL: "https" + server.URL[4:] + "/good"}, false},
		"unreachable, asked lazily": {auth.Issuer{URL: "http://127.0.0.1:1/x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.issuer.Audiences = []string{audience}
			f := newFixture(t, func(cfg *auth.Config) { cfg.Issuers = []auth.Issuer{c.issuer} })
			token := f.token(object{"iss": c.issuer.URL})
			if c.good {
				f.accept(token)
			} else {
				f.unavailable(token)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	good := auth.Issuer{URL: issuerURL, Audiences: []string{audience}}
	for name, cfg := range map[string]auth.Config{
		"neither audience nor azp": {Issuers: []auth.Issuer{{URL: issuerURL}}},
		"empty audience":           {Issuers: []auth.Issuer{{URL: issuerURL, Audiences: []string{""}}}},
		"no URL":                   {Issuers: []auth.Issuer{{Audiences: []string{audience}}}},
		"file URL":                 {Issuers: []auth.Issuer{{URL: "file:///x", Audiences: []string{audience}}}},
		"URL with a query":         {Issuers: []auth.Issuer{{URL: issuerURL + "?x", Audiences: []string{audience}}}},
		"twice":                    {Issuers: []auth.Issuer{good, good}},
		"skew of an hour":          {Issuers: []auth.Issuer{good}, Skew: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := auth.New(cfg, newFixture(t).clock, nil); err == nil {
				t.Error("accepted")
			}
		})
	}
	t.Run("keys without a pepper", func(t *testing.T) {
		if _, err := auth.New(auth.Config{Pepper: []byte("short")}, newFixture(t).clock, new(auth.MemoryKeys)); err == nil {
			t.Error("accepted")
		}
	})
}
