package app

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// keyringSPID is the tenant that API keys are kept under: a number that no service provider can have, since
// a key may be for several of them and is looked up before it is known for which.
const keyringSPID = 1_000_000_000

// useEvery is how exactly the last use of a key is kept: every record of it is a line of the audit trail.
const useEvery = time.Hour

// macClaim is the kind of claim that an API key's id is held by: its MAC. It stands there and not in the
// document, since the audit trail keeps documents whole and shows them to administrators.
const macClaim = "apiKeyMAC"

// storedKey is an API key as a document, without its MAC. Its name is the key's id, which is what keys are
// found by.
type storedKey struct {
	Name   string      `json:"name"`
	Status string      `json:"status"`
	Key    auth.APIKey `json:"key"`
}

// keyring keeps API keys in the database (auth.KeyStore).
type keyring struct {
	store *store.Store
	keys  *store.Collection[storedKey]

	mu   sync.Mutex
	used map[string]time.Time // when the last use of a key was recorded by this process
}

var _ auth.KeyStore = (*keyring)(nil)

func newKeyring(s *store.Store) *keyring {
	return &keyring{store: s, used: map[string]time.Time{}, keys: store.NewCollection[storedKey](s, store.Definition{
		Kind: id.Kind{Name: "apiKey", Prefix: "key"}, Table: "api_key",
		Indexed: map[string]string{"name": "name", "status": "status"},
	})}
}

func (k *keyring) as(ctx context.Context) context.Context {
	actor := scope.Actor{}
	if s, err := scope.From(ctx); err == nil {
		actor = s.Actor()
	}
	return scope.With(ctx, auth.System(keyringSPID, actor))
}

// find reads a key by a query, never from the cache: `demarc apikey revoke` is another process, and a
// revoked key must not come in.
func (k *keyring) find(ctx context.Context, keyID string) (v storedKey, d store.Doc, err error) {
	page, err := k.keys.Docs(ctx, store.Query{NoTotal: true, Limit: 1, Filters: []store.Filter{
		{Path: []string{"name"}, Op: store.Eq, Values: []string{keyID}, Type: store.Text},
	}})
	if err != nil {
		return v, d, err
	}
	if len(page.Items) == 0 {
		return v, d, fault.NotFoundf("there is no API key %s", keyID)
	}
	v, err = decodeKey(page.Items[0])
	return v, page.Items[0], err
}

// Get implements auth.KeyStore.
func (k *keyring) Get(ctx context.Context, keyID string) (auth.APIKey, error) {
	ctx = k.as(ctx)
	v, _, err := k.find(ctx, keyID)
	if err != nil {
		return auth.APIKey{}, err
	}
	held, err := k.store.Claimant(ctx, macClaim, keyID)
	if err != nil {
		return auth.APIKey{}, err
	}
	if v.Key.MAC, err = hex.DecodeString(string(held)); err != nil {
		return auth.APIKey{}, fault.Internalf(err, "a stored API key cannot be read")
	}
	return v.Key, nil
}

// Put implements auth.KeyStore.
func (k *keyring) Put(ctx context.Context, key auth.APIKey) error {
	v := storedKey{Name: key.ID, Status: "active", Key: key}
	v.Key.MAC = nil
	if !key.Revoked.IsZero() {
		v.Status = "revoked"
	}
	return k.store.Write(k.as(ctx), func(ctx context.Context) error {
		if err := k.store.Claim(ctx, macClaim, key.ID, id.ID(hex.EncodeToString(key.MAC))); err != nil {
			return err
		}
		_, d, err := k.find(ctx, key.ID)
		switch {
		case err == nil:
			_, err = k.keys.Update(ctx, d.ID, d.Version, &v)
		case fault.KindOf(err) == fault.NotFound:
			i := id.New(id.Kind{Name: "apiKey", Prefix: "key"}, id.HomeOf(key.ID), k.store.Now(ctx))
			_, err = k.keys.Insert(ctx, i, &v)
		}
		return err
	})
}

// List implements auth.KeyStore. The keys come without their MACs.
func (k *keyring) List(ctx context.Context, client string) ([]auth.APIKey, error) {
	page, err := k.keys.Docs(k.as(ctx), store.Query{NoTotal: true})
	if err != nil {
		return nil, err
	}
	var out []auth.APIKey
	for _, d := range page.Items {
		v, err := decodeKey(d)
		if err != nil {
			return nil, err
		}
		if client == "" || v.Key.Client == client {
			out = append(out, v.Key)
		}
	}
	return out, nil
}

// Touch implements auth.KeyStore.
func (k *keyring) Touch(ctx context.Context, keyID string, at time.Time) error {
	k.mu.Lock()
	fresh := at.Sub(k.used[keyID]) < useEvery
	if !fresh {
		k.used[keyID] = at
	}
	k.mu.Unlock()
	if fresh {
		return nil
	}
	ctx = store.WithCall(k.as(ctx), store.Call{Operation: "apiKey.use"})
	return k.store.Write(ctx, func(ctx context.Context) error {
		v, d, err := k.find(ctx, keyID)
		if err != nil || at.Sub(v.Key.LastUsed) < useEvery {
			return err
		}
		v.Key.LastUsed = at.Truncate(time.Minute)
		_, err = k.keys.Update(ctx, d.ID, d.Version, &v)
		return err
	})
}

// Trail is the audit trail of a key, oldest first. A NotFound fault for one that never was.
func (k *keyring) Trail(ctx context.Context, keyID string) ([]store.Record, error) {
	ctx = k.as(ctx)
	_, d, err := k.find(ctx, keyID)
	if err != nil {
		return nil, err
	}
	return k.store.Audit(ctx, d.ID)
}

func decodeKey(d store.Doc) (v storedKey, err error) {
	if err := json.Unmarshal(d.Body, &v); err != nil {
		return v, fault.Internalf(err, "a stored API key cannot be read")
	}
	return v, nil
}

// APIKeys is the service of API keys, for commands.
func (h *House) APIKeys() (*auth.Keys, error) {
	f, err := openFolder(h.settings)
	if err != nil {
		return nil, err
	}
	secret, err := serverSecret(h.settings, f)
	if err != nil {
		return nil, err
	}
	return auth.NewKeys(h.keyring, derive(secret, keyUse), clock.Real{})
}

// keyUse names the use of the server's secret that API keys are stored under.
const keyUse = "API keys"
