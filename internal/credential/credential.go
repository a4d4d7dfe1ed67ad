// Package credential keeps what people prove themselves by to their operator: the PIN of a line, and one-time passwords.
//
// A secret is hashed with Argon2id (RFC 9106) under a key of the installation's. Every try is counted before it is looked
// at, in a transaction of its own: so that whatever becomes of the request, and however many come at once, by whatever way
// and on whatever node, no more are looked at than the service provider's policy has it.
package credential

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The id kinds of this package.
var (
	Kind      = id.Kind{Name: "credential", Prefix: "crd"}
	guardKind = id.Kind{Name: "credentialGuard", Prefix: "cgd"}
)

// Type is what sort of secret it is.
type Type string

// The types. A PIN stays until it is changed; a one-time password is good once and for minutes.
const (
	PIN Type = "pin"
	OTP Type = "otp"
)

const (
	// CodeWrong is a secret that is not the right one, or where there is none: the two are told apart nowhere.
	CodeWrong fault.Code = "wrongPin"
	// CodeLocked is a lock after too many wrong tries.
	CodeLocked fault.Code = "pinLocked"
	// CodeExpired is a right PIN that is too old.
	CodeExpired fault.Code = "pinExpired"
	// CodeNone is a line that has no PIN.
	CodeNone fault.Code = "noPin"
	// CodeWeak is a PIN that is too easily guessed.
	CodeWeak fault.Code = "weakPin"
	// CodeEnded is a line that has ended.
	CodeEnded fault.Code = "subscriptionEnded"
	// CodeIssued is a secret that was sent too often in an hour.
	CodeIssued fault.Code = "sentTooOften"
	// CodeBusy is a server with more to check than it takes on.
	CodeBusy fault.Code = "checksBusy"
	// CodeNoSecret is an installation without a secret to keep others by.
	CodeNoSecret fault.Code = "noPinSecret"
)

// Credential says that somebody has a secret. The secret is not in it: what it is checked by stands in a claim, which
// neither audit trail nor events show.
type Credential struct {
	Type    string `json:"@type"`
	Kind    Type   `json:"kind"`
	Subject id.ID  `json:"subject"`
	// Origin is generated or chosen, Count how many it has had.
	Origin string    `json:"origin"`
	Count  int       `json:"count"`
	Set    time.Time `json:"set"`
	// Expires is the moment from which on it is no longer good; nil: never.
	Expires *time.Time `json:"expires,omitzero"`
}

// Origins of a secret.
const (
	generated = "generated"
	chosen    = "chosen"
)

// guard counts the tries at somebody's secrets of a type.
type guard struct {
	Of    string `json:"of"`
	Tries int    `json:"tries"`
	// Until is the end of a lock, Locked one that only a person ends.
	Until  *time.Time `json:"until,omitzero"`
	Locked bool       `json:"locked,omitzero"`
	// Issued are the moments of the last hour at which one was sent.
	Issued []time.Time `json:"issued,omitzero"`
}

// What is unique at a service provider: a credential and a guard of each type and subject; what a credential is checked by.
const (
	credentialClaim = "credential"
	guardClaim      = "credential.guard"
	hashClaim       = "credential.hash"
)

// Parts are what credentials need of others.
type Parts struct {
	Providers     *provider.Service
	Subscriptions *subscription.Service
	Messages      *message.Service
	// Secret is the installation's, at least 16 bytes; without it there are no credentials.
	Secret []byte
}

// Service is all credentials.
type Service struct {
	Parts
	store  *store.Store
	all    *store.Collection[Credential]
	guards *store.Collection[guard]
	hasher *hasher
	turns  *turns
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	return &Service{
		Parts: p, store: s, hasher: newHasher(p.Secret), turns: newTurns(),
		all:    store.NewCollection[Credential](s, store.Definition{Kind: Kind, Table: "credential", Indexed: map[string]string{"subject": "subject"}}),
		guards: store.NewCollection[guard](s, store.Definition{Kind: guardKind, Table: "credential_guard", Quiet: true}),
	}
}

// name is what a credential and its guard are claimed by.
func name(t Type, subject id.ID) string { return string(t) + "/" + string(subject) }

// held is a credential as it is stored; without a version there is none.
type held struct {
	Credential
	id      id.ID
	version int64
	hash    string
}

func (s *Service) held(ctx context.Context, t Type, subject id.ID) (h held, err error) {
	if h.id, err = s.store.Claimant(ctx, credentialClaim, name(t, subject)); err != nil || h.id == "" {
		return h, err
	}
	v, d, err := s.all.Get(ctx, h.id)
	if err != nil {
		return h, err
	}
	h.Credential, h.version = v, d.Version
	hash, err := s.store.Claimant(ctx, hashClaim, string(h.id))
	h.hash = string(hash)
	return h, err
}

// keep stores a secret in the place of the one before it.
func (s *Service) keep(ctx context.Context, t Type, subject id.ID, p Prepared, expires *time.Time) error {
	h, err := s.held(ctx, t, subject)
	if err != nil {
		return err
	}
	h.Credential = Credential{Type: "Credential", Kind: t, Subject: subject, Origin: p.origin, Count: h.Count + 1, Set: s.store.Now(ctx), Expires: expires}
	if h.version > 0 {
		if _, err := s.all.Update(ctx, h.id, h.version, &h.Credential); err != nil {
			return err
		}
		return s.checkedBy(ctx, h.id, p.hash)
	}
	home, ok := subject.Home()
	if !ok {
		home = id.HomeOf(string(subject))
	}
	h.id = id.New(Kind, home, s.store.Now(ctx))
	if err := s.store.Claim(ctx, credentialClaim, name(t, subject), h.id); err != nil {
		return err
	}
	if _, err := s.all.Insert(ctx, h.id, &h.Credential); err != nil {
		return err
	}
	return s.checkedBy(ctx, h.id, p.hash)
}

// checkedBy sets what a credential is checked by.
func (s *Service) checkedBy(ctx context.Context, i id.ID, hash string) error {
	if err := s.store.Unclaim(ctx, hashClaim, string(i)); err != nil {
		return err
	}
	return s.store.Claim(ctx, hashClaim, string(i), id.ID(hash))
}

// drop removes a secret.
func (s *Service) drop(ctx context.Context, h held) error {
	if err := s.store.Unclaim(ctx, hashClaim, string(h.id)); err != nil {
		return err
	}
	if err := s.store.Unclaim(ctx, credentialClaim, name(h.Kind, h.Subject)); err != nil {
		return err
	}
	return s.all.Delete(ctx, h.id, h.version)
}

// guarded is a guard as it is stored; without a version it is not there yet.
type guarded struct {
	guard
	id      id.ID
	version int64
}

func (s *Service) guardOf(ctx context.Context, t Type, subject id.ID) (g guarded, err error) {
	g.Of = name(t, subject)
	if g.id, err = s.store.Claimant(ctx, guardClaim, g.Of); err != nil || g.id == "" {
		return g, err
	}
	v, d, err := s.guards.Get(ctx, g.id)
	g.guard, g.version = v, d.Version
	return g, err
}

func (s *Service) put(ctx context.Context, g guarded) error {
	if g.version > 0 {
		_, err := s.guards.Update(ctx, g.id, g.version, &g.guard)
		return err
	}
	i := id.New(guardKind, id.HomeOf(g.Of), s.store.Now(ctx))
	if err := s.store.Claim(ctx, guardClaim, g.Of, i); err != nil {
		return err
	}
	_, err := s.guards.Insert(ctx, i, &g.guard)
	return err
}

// rules are the service provider's.
func (s *Service) rules(ctx context.Context) (*provider.CredentialPolicy, error) {
	r, err := s.Providers.Rules(ctx)
	if err != nil {
		return nil, err
	}
	if r.Policy.Credential == nil {
		return &provider.CredentialPolicy{}, nil
	}
	return r.Policy.Credential, nil
}

// always is ctx for what is kept whatever becomes of the request: a dry run counts tries, too.
func always(ctx context.Context) context.Context {
	call := store.CallFrom(ctx)
	call.DryRun = false
	return store.WithCall(ctx, call)
}
