package devidp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// Cost of a password's hash. It is far below what a server's should be: the passwords stand in the realm
// file beside it, and the provider must start in milliseconds. It keeps them out of memory dumps.
const (
	argonTime    = 1
	argonMemoryK = 256
	argonLength  = 32
)

// user is a user of the realm. Only its failures change.
type user struct {
	realm.User
	id    string
	salt  [16]byte
	hash  []byte // nil: no password
	roles []string

	mu          sync.Mutex
	failures    int
	lockedUntil time.Time
}

// directory knows the users and checks their passwords.
type directory struct {
	clock   clock.Clock
	byName  map[string]*user
	byEmail map[string]*user
	bySub   map[string]*user
	dummy   *user
	// Hashing is bounded, so that a flood of logins waits in line instead of taking the machine.
	slots chan struct{}
	// derive hashes a password with the salt of a user; tests count its calls.
	derive func(*user, string) []byte

	protected   bool
	maxFailures int
	wait        time.Duration
}

func newDirectory(r *realm.Realm, clk clock.Clock) (*directory, error) {
	d := &directory{
		clock: clk, byName: make(map[string]*user), byEmail: make(map[string]*user), bySub: make(map[string]*user),
		slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0))), protected: r.BruteForceProtected,
		maxFailures: 30, wait: time.Minute, derive: (*user).derive,
	}
	if r.FailureFactor > 0 {
		d.maxFailures = r.FailureFactor
	}
	if r.WaitIncrementSeconds > 0 {
		d.wait = time.Duration(r.WaitIncrementSeconds) * time.Second
	}
	parts := compositeParts(r)
	for _, u := range r.Users {
		entry := &user{User: u, id: u.ID, roles: expand(u.RealmRoles, parts)}
		entry.Credentials = nil
		if entry.id == "" {
			sum := sha256.Sum256([]byte(r.Realm + "\x00" + u.Username))
			entry.id = fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
		}
		for _, c := range u.Credentials {
			if c.Type != "password" || c.Value == "" {
				continue
			}
			if strings.HasPrefix(c.Value, "${") {
				return nil, fmt.Errorf("devidp: the password of user %q is a placeholder", u.Username)
			}
			entry.setPassword(c.Value)
			if c.Temporary {
				entry.RequiredActions = append(slices.Clone(entry.RequiredActions), "UPDATE_PASSWORD")
			}
		}
		d.byName[strings.ToLower(u.Username)] = entry
		d.bySub[entry.id] = entry
		if r.LoginWithEmailAllowed && u.Email != "" {
			d.byEmail[strings.ToLower(u.Email)] = entry
		}
	}
	d.dummy = &user{}
	d.dummy.setPassword(random(16))
	return d, nil
}

func (u *user) setPassword(password string) {
	_, _ = rand.Read(u.salt[:]) // documented never to fail
	u.hash = u.derive(password)
}

func (u *user) derive(password string) []byte {
	return argon2.IDKey([]byte(password), u.salt[:], argonTime, argonMemoryK, 1, argonLength)
}

// compositeParts lists the realm roles that each composite realm role brings along.
func compositeParts(r *realm.Realm) map[string][]string {
	parts := make(map[string][]string)
	for _, role := range r.Roles.Realm {
		if role.Composites != nil {
			parts[role.Name] = role.Composites.Realm
		}
	}
	return parts
}

// expand is the roles and everything that they are composed of, each once, as Keycloak writes them into
// a token.
func expand(roles []string, parts map[string][]string) []string {
	seen := make(map[string]bool)
	var out []string
	var add func([]string)
	add = func(names []string) {
		for _, n := range names {
			if !seen[n] {
				seen[n] = true
				out = append(out, n)
				add(parts[n])
			}
		}
	}
	add(roles)
	return out
}

// find is a user by name; nil when there is none.
func (d *directory) find(name string) *user { return d.byName[strings.ToLower(name)] }

// login checks a password. A nil user is a refusal, whatever the reason: no such user, a wrong password,
// a locked or disabled account. Each costs one hash, so that none can be told from another by its time.
func (d *directory) login(ctx context.Context, name, password string) (*user, error) {
	u := d.find(name)
	if u == nil {
		u = d.byEmail[strings.ToLower(name)]
	}
	known := u != nil && u.hash != nil && u.ServiceAccountOf == ""
	if !known {
		u = d.dummy
	}
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	derived := d.derive(u, password)
	<-d.slots

	good := subtle.ConstantTimeCompare(derived, u.hash) == 1
	u.mu.Lock()
	defer u.mu.Unlock()
	now := d.clock.Now()
	if d.protected && now.Before(u.lockedUntil) {
		return nil, nil
	}
	if !good || !known || !u.Enabled {
		if u.failures++; d.protected && u.failures >= d.maxFailures {
			u.failures, u.lockedUntil = 0, now.Add(d.wait)
		}
		return nil, nil
	}
	u.failures = 0
	return u, nil
}

// complete reports whether nothing is left for the user to do before he gets tokens: Keycloak refuses
// the password grant to a user with a temporary password or without a name.
func (u *user) complete() bool {
	return len(u.RequiredActions) == 0 && u.FirstName != "" && u.LastName != "" && u.Email != ""
}
