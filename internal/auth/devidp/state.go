package devidp

import (
	"sync"
	"time"

	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// maxEntries bounds each kind of thing that strangers can make the provider remember.
const maxEntries = 10_000

// shelf remembers things until a moment. It is not safe for use by itself: state locks.
type shelf[T any] struct{ items map[string]kept[T] }

type kept[T any] struct {
	value T
	until time.Time
}

// put forgets what has ended when it grows, and everything when that does not help.
func (s *shelf[T]) put(key string, v T, until, now time.Time) {
	if s.items == nil {
		s.items = make(map[string]kept[T])
	}
	if len(s.items) >= maxEntries {
		for k, e := range s.items {
			if !now.Before(e.until) {
				delete(s.items, k)
			}
		}
		if len(s.items) >= maxEntries {
			clear(s.items)
		}
	}
	s.items[key] = kept[T]{v, until}
}

func (s *shelf[T]) get(key string, now time.Time) (v T, ok bool) {
	e, ok := s.items[key]
	if !ok || !now.Before(e.until) {
		return v, false
	}
	return e.value, true
}

// session is a user's login. Refresh tokens of one client in one session follow each other: each names
// the next, and one that comes twice ends the client's part of the session.
type session struct {
	id      string
	user    *user
	began   time.Time
	page    bool              // began at the login page, not by a password grant
	refresh map[string]string // client id → jti of the refresh token that is good now
}

// code is an authorization code. Once used it stays known until it ends, so that a replay is noticed.
type code struct {
	client      string
	redirectURI string
	challenge   string
	nonce       string
	scope       string
	session     *session
	used        bool
}

// pending is an authorization request that waits for a login.
type pending struct {
	client      *realm.Client
	redirectURI string
	kind        string // response_type
	mode        string // response_mode
	scope       string
	state       string
	nonce       string
	challenge   string
}

// state is everything that ends with the process.
type state struct {
	clock clock.Clock

	mu       sync.Mutex
	sessions shelf[*session] // by sid
	browsers shelf[*session] // by the value of the cookie
	codes    shelf[*code]
	pendings shelf[*pending]
	revoked  shelf[struct{}] // jti of revoked access tokens
}

func newState(clk clock.Clock) *state { return &state{clock: clk} }

// begin starts a session that ends after life at the latest. page says that it begins at the login page.
func (s *state) begin(u *user, page bool, life time.Duration) *session {
	now := s.clock.Now()
	out := &session{id: random(18), user: u, began: now, page: page, refresh: make(map[string]string)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions.put(out.id, out, now.Add(life), now)
	return out
}

// session is a live session; nil when it has ended.
func (s *state) session(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, _ := s.sessions.get(id, s.clock.Now())
	return out
}

func (s *state) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions.items, id)
}

// remember ties a browser to a session and answers the value of its cookie.
func (s *state) remember(in *session, life time.Duration) string {
	cookie, now := random(32), s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.browsers.put(cookie, in, now.Add(life), now)
	return cookie
}

// browser is the live session of a cookie; nil when there is none.
func (s *state) browser(cookie string) *session {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	in, ok := s.browsers.get(cookie, now)
	if !ok {
		return nil
	}
	if _, live := s.sessions.get(in.id, now); !live {
		return nil
	}
	return in
}

// issueCode remembers c and answers the code's text.
func (s *state) issueCode(c *code, life time.Duration) string {
	text, now := random(32), s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes.put(text, c, now.Add(life), now)
	return text
}

// useCode takes a code for a client. A code that comes twice, or from another client than it was issued
// to, has leaked: it is burnt, and the session that it opened ends with it.
func (s *state) useCode(text, client string) *code {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.codes.get(text, now)
	if !ok {
		return nil
	}
	if c.used || c.client != client {
		c.used = true
		delete(s.sessions.items, c.session.id)
		return nil
	}
	c.used = true
	if _, live := s.sessions.get(c.session.id, now); !live {
		return nil
	}
	return c
}

func (s *state) hold(p *pending, life time.Duration) string {
	id, now := random(24), s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pendings.put(id, p, now.Add(life), now)
	return id
}

func (s *state) pending(id string) *pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, _ := s.pendings.get(id, s.clock.Now())
	return p
}

func (s *state) drop(pendingID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pendings.items, pendingID)
}

// rotate makes next the refresh token of a client in a session. It reports false, and ends the client's
// part, when was is not the token that is good now: somebody uses a token a second time.
func (s *state) rotate(in *session, client, was, next string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.refresh[client] != was || was == "" {
		delete(in.refresh, client)
		return false
	}
	in.refresh[client] = next
	return true
}

// startRefresh makes jti the first refresh token of a client in a session.
func (s *state) startRefresh(in *session, client, jti string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in.refresh[client] = jti
}

// endClient ends a client's part of a session.
func (s *state) endClient(in *session, client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(in.refresh, client)
}

// currentRefresh reports whether jti is the refresh token that is good now.
func (s *state) currentRefresh(in *session, client, jti string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return jti != "" && in.refresh[client] == jti
}

func (s *state) revoke(jti string, until time.Time) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked.put(jti, struct{}{}, until, now)
}

func (s *state) isRevoked(jti string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.revoked.get(jti, s.clock.Now())
	return ok
}
