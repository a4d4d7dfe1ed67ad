package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/singleflight"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// refetchEvery is how often, at most, an issuer is asked for its keys: bogus key ids must not turn demarc
// into an amplifier against its own identity provider.
const refetchEvery = 10 * time.Second

// maxKeySetBytes bounds what is read of a key set or a discovery document.
const maxKeySetBytes = 1 << 20

var (
	errKeysUnavailable = errors.New("the issuer's keys are not to be had")
	errUnknownKey      = errors.New("unknown key id")
)

// keySource keeps the key set of one issuer. It is fetched when first needed, again when it is no longer
// fresh, and again when a token names a key that is not in it, but never more often than refetchEvery.
// When the issuer cannot be reached, the last key set is used until it is too old. A key that the issuer
// no longer lists is dropped with the fetch that shows it.
type keySource struct {
	fetch  func(context.Context) ([]byte, error)
	clock  clock.Clock
	fresh  time.Duration
	stale  time.Duration
	flight singleflight.Group

	mu      sync.RWMutex
	keys    map[string]verifyKey
	fetched time.Time // of the last success
	asked   time.Time // of the last attempt
}

func newKeySource(i Issuer, cfg Config, clk clock.Clock) *keySource {
	s := &keySource{clock: clk, fresh: cfg.KeysFresh, stale: cfg.KeysStale, fetch: i.Keys}
	if s.fetch == nil {
		s.fetch = remoteKeys(i, cfg.HTTPClient)
	}
	return s
}

// key finds the key of a token. Errors: errUnknownKey, errKeysUnavailable.
func (s *keySource) key(ctx context.Context, kid string) (verifyKey, error) {
	now := s.clock.Now()
	s.mu.RLock()
	k, found := s.keys[kid]
	age, since := now.Sub(s.fetched), now.Sub(s.asked)
	loaded := s.keys != nil
	s.mu.RUnlock()

	if loaded && found && age < s.fresh {
		return k, nil
	}
	// refresh bounds itself; asking it for every unknown key lets those that come while a fetch is under way
	// wait for it.
	if !loaded || !found || since >= refetchEvery {
		s.refresh(ctx)
		s.mu.RLock()
		k, found = s.keys[kid]
		loaded, age = s.keys != nil, now.Sub(s.fetched)
		s.mu.RUnlock()
	}
	switch {
	case !loaded || age >= s.stale:
		return verifyKey{}, errKeysUnavailable
	case !found:
		return verifyKey{}, errUnknownKey
	}
	return k, nil
}

// refresh asks the issuer once however many requests wait for it, and at most once in refetchEvery. One
// caller that gives up does not take the others' answer away.
func (s *keySource) refresh(ctx context.Context) {
	done := s.flight.DoChan("", func() (any, error) {
		now := s.clock.Now()
		s.mu.Lock()
		if !s.asked.IsZero() && now.Sub(s.asked) < refetchEvery {
			s.mu.Unlock()
			return nil, nil
		}
		s.asked = now
		s.mu.Unlock()

		fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		raw, err := s.fetch(fctx)
		if err != nil {
			return nil, err
		}
		keys, err := parseKeySet(raw)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.keys, s.fetched = keys, now
		s.mu.Unlock()
		return nil, nil
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// remoteKeys fetches over HTTP, by discovery when no key set URL is configured. What discovery says is
// believed only when it names the issuer itself, and is asked for again with every fetch.
func remoteKeys(i Issuer, client *http.Client) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		at := i.JWKSURL
		if at == "" {
			raw, err := get(ctx, client, strings.TrimSuffix(i.URL, "/")+"/.well-known/openid-configuration")
			if err != nil {
				return nil, fmt.Errorf("discovery: %w", err)
			}
			var doc struct {
				Issuer  string `json:"issuer"`
				JWKSURI string `json:"jwks_uri"`
			}
			if err := json.Unmarshal(raw, &doc); err != nil {
				return nil, fmt.Errorf("discovery: %w", err)
			}
			if doc.Issuer != i.URL {
				return nil, fmt.Errorf("discovery: the document is of another issuer")
			}
			// An https issuer whose keys come over http would be no better than an http issuer.
			u, err := url.Parse(doc.JWKSURI)
			if err != nil || (u.Scheme != "https" && !(u.Scheme == "http" && strings.HasPrefix(i.URL, "http:"))) {
				return nil, errors.New("discovery: unusable jwks_uri")
			}
			at = doc.JWKSURI
		}
		return get(ctx, client, at)
	}
}

func get(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	if t, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || !strings.HasSuffix(t, "json") {
		return nil, errors.New("the answer is not JSON")
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxKeySetBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxKeySetBytes {
		return nil, errors.New("the answer is too large")
	}
	return raw, nil
}
