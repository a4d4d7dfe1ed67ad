package store

import (
	"bytes"
	"context"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// mostShared bounds the values that a collection shares: offerings and tariffs are some hundreds.
const mostShared = 1024

// shared are values of documents that many read and few change, decoded once.
type shared[T any] struct {
	mu  sync.Mutex
	all map[sharedKey]*sharedValue[T]
}

type sharedKey struct {
	spid int
	id   id.ID
}

// sharedValue is kept under the text it was decoded from: versions do not tell apart what was rolled back and what was
// written in its place.
type sharedValue[T any] struct {
	of jsontext.Value
	v  *T
}

// Shared is Get of a document that is read far more often than it changes: its value is decoded once and given to all
// who ask. Never write to it, nor to what it leads to.
func (c *Collection[T]) Shared(ctx context.Context, i id.ID) (*T, error) {
	d, err := c.Doc(ctx, i)
	if err != nil {
		return nil, err
	}
	k := sharedKey{d.SPID, i}
	c.shared.mu.Lock()
	found := c.shared.all[k]
	c.shared.mu.Unlock()
	if found != nil && bytes.Equal(found.of, d.Body) {
		return found.v, nil
	}
	v := new(T)
	if err := json.Unmarshal(d.Body, v); err != nil {
		return nil, fault.Internalf(err, "the stored %s %s cannot be read", c.d.Kind.Name, i)
	}
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	if c.shared.all == nil || len(c.shared.all) >= mostShared {
		c.shared.all = map[sharedKey]*sharedValue[T]{}
	}
	c.shared.all[k] = &sharedValue[T]{of: d.Body, v: v}
	return v, nil
}
