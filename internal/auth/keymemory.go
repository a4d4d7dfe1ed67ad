package auth

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// MemoryKeys is a KeyStore that forgets everything at the end of the process; for tests and simulation.
// Its zero value is ready to use.
type MemoryKeys struct {
	mu   sync.Mutex
	keys map[string]APIKey
}

var _ KeyStore = (*MemoryKeys)(nil)

// Get implements KeyStore.
func (m *MemoryKeys) Get(_ context.Context, keyID string) (APIKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[keyID]
	if !ok {
		return APIKey{}, fault.NotFoundf("no such API key")
	}
	return k.clone(), nil
}

// Put implements KeyStore.
func (m *MemoryKeys) Put(_ context.Context, k APIKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = make(map[string]APIKey)
	}
	m.keys[k.ID] = k.clone()
	return nil
}

// List implements KeyStore.
func (m *MemoryKeys) List(_ context.Context, client string) ([]APIKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []APIKey
	for _, k := range m.keys {
		if client == "" || k.Client == client {
			out = append(out, k.clone())
		}
	}
	slices.SortFunc(out, func(a, b APIKey) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out, nil
}

// Touch implements KeyStore.
func (m *MemoryKeys) Touch(_ context.Context, keyID string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.keys[keyID]; ok {
		k.LastUsed = at
		m.keys[keyID] = k
	}
	return nil
}

func (k APIKey) clone() APIKey {
	k.SPIDs, k.Roles, k.Scopes, k.MAC = slices.Clone(k.SPIDs), slices.Clone(k.Roles), slices.Clone(k.Scopes), slices.Clone(k.MAC)
	return k
}
