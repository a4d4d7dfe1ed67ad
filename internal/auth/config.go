package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// Issuer is one OpenID Connect issuer whose access tokens are honoured.
type Issuer struct {
	// URL is the issuer exactly as tokens name it in `iss`; no trailing slash is added or taken away.
	URL string
	// JWKSURL is where its keys are; empty finds it by discovery below URL. Set it when demarc reaches the
	// issuer by another name than browsers do.
	JWKSURL string
	// Keys gives the key set as JSON, instead of any URL: for an issuer in this process.
	Keys func(context.Context) ([]byte, error)
	// Audiences are the values of `aud` that tokens must name one of. Empty asks for none, and then
	// AllowedAzp must not be empty.
	Audiences []string
	// AllowedAzp are the clients (`azp`) whose tokens are honoured. Empty honours every client, and then
	// Audiences must not be empty.
	AllowedAzp []string
	// RoleClients are the clients whose roles (`resource_access`) count beside the realm's. Empty means the
	// client that the token was issued to.
	RoleClients []string
	// Untyped honours tokens without a `typ` claim, for issuers that are not Keycloak. Keep it off where
	// it can be: without that claim an ID token is told from an access token by its `nonce`, `at_hash` and
	// audience only.
	Untyped bool
}

// Config is what an Authenticator needs to know. Only Issuers or API keys are needed; the rest has
// defaults.
type Config struct {
	Issuers []Issuer
	// Pepper is the server's secret that API keys are stored under, at least 32 bytes. It is needed with a
	// KeyStore, must be the same on every node and outlive restarts.
	Pepper []byte
	// HTTPClient fetches key sets. Default: one with a 5 s timeout that follows no redirects.
	HTTPClient *http.Client
	// Skew is how far clocks may disagree. Default 30 s; at most 5 min.
	Skew time.Duration
	// CacheSize is how many verified tokens are remembered. Default 20,000; negative remembers none.
	CacheSize int
	// KeysFresh is how long a key set is used before it is looked up again. Default 5 min.
	KeysFresh time.Duration
	// KeysStale is how long a key set is used at most while its issuer cannot be reached. Default 12 h.
	KeysStale time.Duration
}

const (
	defaultSkew      = 30 * time.Second
	maxSkew          = 5 * time.Minute
	defaultCacheSize = 20_000
	defaultKeysFresh = 5 * time.Minute
	defaultKeysStale = 12 * time.Hour
	fetchTimeout     = 5 * time.Second
	minPepper        = 32
)

func (c *Config) complete() error {
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{
			Timeout:       fetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.Skew == 0 {
		c.Skew = defaultSkew
	}
	if c.Skew < 0 || c.Skew > maxSkew {
		return fmt.Errorf("auth: skew must lie between 0 and %s", maxSkew)
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCacheSize
	}
	if c.KeysFresh <= 0 {
		c.KeysFresh = defaultKeysFresh
	}
	if c.KeysStale <= 0 {
		c.KeysStale = defaultKeysStale
	}
	c.KeysStale = max(c.KeysStale, c.KeysFresh)
	return nil
}

func (i Issuer) check() error {
	u, err := url.Parse(i.URL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("auth: issuer %q is not an http or https URL", i.URL)
	}
	if len(i.Audiences) == 0 && len(i.AllowedAzp) == 0 {
		return fmt.Errorf("auth: issuer %q needs audiences or allowed clients: without either, a token for any application would do", i.URL)
	}
	for _, s := range append(append([]string(nil), i.Audiences...), i.AllowedAzp...) {
		if s == "" {
			return fmt.Errorf("auth: issuer %q has an empty audience or client", i.URL)
		}
	}
	return nil
}

// New makes an Authenticator. It asks no issuer anything: key sets are fetched when the first token
// needs them, so that demarc boots while its identity provider is down. keys may be nil, and then no API
// key is honoured.
func New(cfg Config, clk clock.Clock, keys KeyStore) (*Authenticator, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if clk == nil {
		return nil, errors.New("auth: a clock is needed")
	}
	a := &Authenticator{clock: clk, skew: cfg.Skew, issuers: make(map[string]*issuer, len(cfg.Issuers)), verified: newTokenCache(cfg.CacheSize)}
	for _, i := range cfg.Issuers {
		if err := i.check(); err != nil {
			return nil, err
		}
		if a.issuers[i.URL] != nil {
			return nil, fmt.Errorf("auth: issuer %q is configured twice", i.URL)
		}
		a.issuers[i.URL] = &issuer{Issuer: i, keys: newKeySource(i, cfg, clk)}
	}
	if keys != nil {
		k, err := NewKeys(keys, cfg.Pepper, clk)
		if err != nil {
			return nil, err
		}
		a.keys = k
	}
	return a, nil
}
