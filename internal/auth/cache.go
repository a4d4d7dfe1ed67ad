package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// remembered is how long a verified token is believed without looking at it again. It bounds how long a
// key that the issuer withdrew still counts.
const remembered = 60 * time.Second

// tokenCache remembers verified tokens by the SHA-256 of their text. It keeps two generations: when the
// young one is full the old one is forgotten as a whole, so that it is bounded without a list to mend on
// every hit.
type tokenCache struct {
	half int

	mu         sync.RWMutex
	young, old map[[sha256.Size]byte]cached
}

type cached struct {
	p     *Principal
	until time.Time
}

func newTokenCache(size int) *tokenCache {
	return &tokenCache{half: size / 2, young: make(map[[sha256.Size]byte]cached), old: nil}
}

func (c *tokenCache) get(key [sha256.Size]byte, now time.Time) *Principal {
	c.mu.RLock()
	e, ok := c.young[key]
	if !ok {
		e, ok = c.old[key]
	}
	c.mu.RUnlock()
	if !ok || !now.Before(e.until) {
		return nil
	}
	return e.p
}

func (c *tokenCache) put(key [sha256.Size]byte, p *Principal, now time.Time) {
	if c.half <= 0 {
		return
	}
	until := now.Add(remembered)
	if p.expires.Before(until) {
		until = p.expires
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.half {
		c.old, c.young = c.young, make(map[[sha256.Size]byte]cached, c.half)
	}
	c.young[key] = cached{p, until}
}
