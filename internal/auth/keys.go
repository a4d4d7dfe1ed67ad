package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// CodeKeyRotation is the refusal to rotate a key that is being rotated already, or is no longer good.
const CodeKeyRotation fault.Code = "apiKeyRotation"

const (
	// touchEvery is how exactly the last use is known: a busy key must not cost a write a request.
	touchEvery = time.Minute
	// activePerLine is how many keys of a line are good at a time, so that a client can change over.
	activePerLine = 2
)

// Keys issues, checks, rotates and revokes API keys.
type Keys struct {
	store  KeyStore
	pepper []byte
	clock  clock.Clock
	dummy  []byte
}

// NewKeys makes the service. The pepper is a secret of at least 32 bytes, the same on every node; when it
// is lost, no key works any longer.
func NewKeys(store KeyStore, pepper []byte, clk clock.Clock) (*Keys, error) {
	if len(pepper) < minPepper {
		return nil, fmt.Errorf("auth: the pepper of API keys must have at least %d bytes", minPepper)
	}
	pepper = slices.Clone(pepper)
	return &Keys{store: store, pepper: pepper, clock: clk, dummy: mac(pepper, "", "")}, nil
}

// KeySpec says what a new key is for.
type KeySpec struct {
	// Client is who gets it (`azp`).
	Client string
	// Name says what it is for, up to 255 bytes; may be empty.
	Name string
	// SPIDs are the service providers that it works for; at least one.
	SPIDs []int
	// Roles and Scopes are what it grants when it comes without a token; may be empty.
	Roles, Scopes []string
	// Expires is when it ends; zero is never.
	Expires time.Time
}

// Issue makes a key and answers it with its text, which is shown now and never again.
//
// Nobody issues a key that can do more than himself: by must be an administrator of every service
// provider of the key, and hold every permission that its roles grant there.
//
// Faults: Invalid at "client", "name", "spids", "roles", "scopes" or "expires"; Forbidden.
func (s *Keys) Issue(ctx context.Context, by *Principal, spec KeySpec) (text string, k APIKey, err error) {
	now := s.clock.Now()
	if err := spec.check(now); err != nil {
		return "", APIKey{}, err
	}
	k = APIKey{
		Client: spec.Client, Name: spec.Name, SPIDs: slices.Clone(spec.SPIDs),
		Roles: slices.Clone(spec.Roles), Scopes: slices.Clone(spec.Scopes), Created: now, Expires: spec.Expires.UTC(),
	}
	if !mayManage(by, &k) || !by.covers(k.principal()) {
		return "", APIKey{}, forbidden()
	}
	return s.put(ctx, k)
}

func (spec KeySpec) check(now time.Time) error {
	var details []fault.Detail
	bad := func(attribute, message string) {
		details = append(details, fault.Detail{Attribute: attribute, Message: message})
	}
	if spec.Client == "" || len(spec.Client) > maxNameBytes {
		bad("client", "must name a client")
	}
	if len(spec.Name) > maxNameBytes {
		bad("name", "is too long")
	}
	if len(spec.SPIDs) == 0 {
		bad("spids", "must list at least one service provider")
	}
	for i, spid := range spec.SPIDs {
		if spid <= 0 || slices.Contains(spec.SPIDs[:i], spid) {
			bad(fmt.Sprintf("spids[%d]", i), "must be the number of a service provider, listed once")
		}
	}
	for i, name := range spec.Roles {
		if r, ok := ParseRole(name); !ok || (r.spid != 0 && !slices.Contains(spec.SPIDs, r.spid)) {
			bad(fmt.Sprintf("roles[%d]", i), "must be a role of a service provider of the key")
		}
	}
	for i, name := range spec.Scopes {
		if name != ScopeRead && name != ScopeWrite && name != ScopeAdmin {
			bad(fmt.Sprintf("scopes[%d]", i), "must be one of "+strings.Join([]string{ScopeRead, ScopeWrite, ScopeAdmin}, ", "))
		}
	}
	if !spec.Expires.IsZero() && !spec.Expires.After(now) {
		bad("expires", "must lie in the future")
	}
	return fault.InvalidAll(details)
}

func (s *Keys) put(ctx context.Context, k APIKey) (string, APIKey, error) {
	text, id, secret, err := newSecret()
	if err != nil {
		return "", APIKey{}, fault.Internalf(err, "no key could be made")
	}
	k.ID, k.MAC = id, mac(s.pepper, id, secret)
	if k.Line == "" {
		k.Line = id
	}
	if err := s.store.Put(ctx, k); err != nil {
		return "", APIKey{}, err
	}
	return text, k, nil
}

// List is the keys of a client (all clients when it is empty) that by may manage: he is an administrator
// of every service provider that the key works for.
func (s *Keys) List(ctx context.Context, by *Principal, client string) ([]APIKey, error) {
	all, err := s.store.List(ctx, client)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(k APIKey) bool { return !mayManage(by, &k) }), nil
}

// Rotate makes a successor with the same client, service providers, roles, scopes and, when it has one,
// the same length of life. The old key stays good for overlap, or to its own end when that comes first,
// so that a client changes over without a gap.
//
// Faults: NotFound for a key that by may not manage; Conflict CodeKeyRotation when the key is not active
// or two of its line are; Forbidden when by holds less than the key grants.
func (s *Keys) Rotate(ctx context.Context, by *Principal, keyID string, overlap time.Duration) (text string, k APIKey, err error) {
	old, err := s.managed(ctx, by, keyID)
	if err != nil {
		return "", APIKey{}, err
	}
	now := s.clock.Now()
	if !old.Active(now) {
		return "", APIKey{}, fault.Conflictf(CodeKeyRotation, "the key is revoked or has ended; issue a new one")
	}
	siblings, err := s.store.List(ctx, old.Client)
	if err != nil {
		return "", APIKey{}, err
	}
	active := 0
	for i := range siblings {
		if siblings[i].Line == old.Line && siblings[i].Active(now) {
			active++
		}
	}
	if active >= activePerLine {
		return "", APIKey{}, fault.Conflictf(CodeKeyRotation, "two keys are active already; revoke one first")
	}
	next := old
	next.Created, next.LastUsed = now, time.Time{}
	if !old.Expires.IsZero() {
		next.Expires = now.Add(old.Expires.Sub(old.Created))
	}
	if !by.covers(next.principal()) {
		return "", APIKey{}, forbidden()
	}
	if text, k, err = s.put(ctx, next); err != nil {
		return "", APIKey{}, err
	}
	if end := now.Add(max(overlap, 0)); old.Expires.IsZero() || end.Before(old.Expires) {
		old.Expires = end
	}
	return text, k, s.store.Put(ctx, old)
}

// Revoke ends a key at once, for good. Revoking it again changes nothing. A NotFound fault for a key that
// by may not manage.
func (s *Keys) Revoke(ctx context.Context, by *Principal, keyID string) error {
	k, err := s.managed(ctx, by, keyID)
	if err != nil || !k.Revoked.IsZero() {
		return err
	}
	k.Revoked = s.clock.Now()
	return s.store.Put(ctx, k)
}

func (s *Keys) managed(ctx context.Context, by *Principal, keyID string) (APIKey, error) {
	k, err := s.store.Get(ctx, keyID)
	if err != nil {
		return APIKey{}, err
	}
	if !mayManage(by, &k) {
		return APIKey{}, fault.NotFoundf("no such API key")
	}
	return k, nil
}

func mayManage(by *Principal, k *APIKey) bool {
	for _, spid := range k.SPIDs {
		if !by.Allowed(spid, Permission{AdminEntity, Get}) {
			return false
		}
	}
	return len(k.SPIDs) > 0
}

// verify finds the key that a text is. It answers a fault as Authenticate does. A miss costs the same
// comparison as a hit.
func (s *Keys) verify(ctx context.Context, text string) (*APIKey, error) {
	keyID, secret, err := splitKey(text)
	if err != nil {
		return nil, unauthenticated(err)
	}
	k, err := s.store.Get(ctx, keyID)
	missing := err != nil && fault.KindOf(err) == fault.NotFound
	if err != nil && !missing {
		return nil, fault.New(fault.Unavailable, fault.CodeUnavailable, "API keys cannot be checked now").Because(err)
	}
	want := k.MAC
	if missing || len(want) != sha256.Size {
		want, missing = s.dummy, true
	}
	if !hmac.Equal(want, mac(s.pepper, keyID, secret)) || missing {
		return nil, unauthenticated(errors.New("unknown API key"))
	}
	now := s.clock.Now()
	if !k.Active(now) {
		return nil, unauthenticated(errors.New("API key is revoked or has ended"))
	}
	if now.Sub(k.LastUsed) >= touchEvery {
		// Not knowing the last use is no reason to refuse the request; the next one tries again.
		_ = s.store.Touch(ctx, k.ID, now)
	}
	return &k, nil
}

// covers reports whether p may do all that q may.
func (p *Principal) covers(q *Principal) bool {
	for _, s := range q.spids {
		for _, e := range entities {
			for _, v := range [...]Verb{Get, Post, Patch, Delete} {
				if perm := (Permission{e.Name, v}); q.Allowed(s.ID, perm) && !p.Allowed(s.ID, perm) {
					return false
				}
			}
		}
		if perm := (Permission{AdminEntity, Get}); q.Allowed(s.ID, perm) && !p.Allowed(s.ID, perm) {
			return false
		}
	}
	return true
}

// Operator is a principal that may do everything at the service providers given, for whoever has a shell
// on the machine: the commands of the binary. Nothing that comes over the network becomes one.
func Operator(name string, spids ...int) *Principal {
	k := APIKey{SPIDs: spids, Scopes: []string{ScopeRead, ScopeWrite, ScopeAdmin}}
	for _, spid := range spids {
		k.Roles = append(k.Roles, fmt.Sprintf("%d:*:*", spid), fmt.Sprintf("%d:%s", spid, AdminEntity))
	}
	p := k.principal()
	p.actor.Subject, p.actor.Name = "operator", name
	p.claims.ManageMonthlySpendLimit, p.claims.ManageCreditLimit = true, true
	return p
}
