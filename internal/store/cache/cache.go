// Package cache keeps documents read by id and is never wrong about them.
//
// The writer brackets every commit: Begin marks the documents about to change, End drops them. Between
// the two nobody may read them from the cache or put them there; and a reader that began before End may
// not put in what it read, since it may be the state before the commit. So whoever reads after a write
// was acknowledged sees that write or a later one, and no two reads in a row go backwards.
package cache

import (
	"container/list"
	"hash/maphash"
	"sync"
)

// Key names a document within its service provider: a document of another one is never found.
type Key struct {
	SPID int
	ID   string
}

const shards = 16

// overhead is about what an entry costs beside its bytes.
const overhead = 256

// Cache is a bounded, exact cache of values of type V.
type Cache[V any] struct {
	seed   maphash.Seed
	shards [shards]shard[V]
}

type shard[V any] struct {
	mu      sync.Mutex
	entries map[Key]*list.Element
	recent  list.List // of *entry[V], the latest used first
	bytes   int64
	limit   int64
	// pending counts the open brackets around a key; generation grows whenever one closes.
	pending    map[Key]int
	generation uint64
}

type entry[V any] struct {
	key   Key
	value V
	size  int64
}

// New makes a cache that holds about limit bytes.
func New[V any](limit int64) *Cache[V] {
	c := &Cache[V]{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.entries, s.pending, s.limit = map[Key]*list.Element{}, map[Key]int{}, limit/shards
	}
	return c
}

func (c *Cache[V]) shard(k Key) *shard[V] {
	return &c.shards[maphash.Comparable(c.seed, k)%shards]
}

// Ticket lets a reader that missed put in what it then reads, if nothing was committed meanwhile.
type Ticket struct{ generation uint64 }

// Get finds a value; when it is not found, hand the ticket to Put after reading.
func (c *Cache[V]) Get(k Key) (v V, t Ticket, ok bool) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.generation = s.generation
	if s.pending[k] > 0 {
		return v, t, false
	}
	e, ok := s.entries[k]
	if !ok {
		return v, t, false
	}
	s.recent.MoveToFront(e)
	return e.Value.(*entry[V]).value, t, true
}

// Put keeps a value of about size bytes that was read after the ticket was given.
func (c *Cache[V]) Put(k Key, v V, size int64, t Ticket) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	size += overhead
	if s.generation != t.generation || s.pending[k] > 0 || size > s.limit/4 {
		return
	}
	if _, ok := s.entries[k]; ok {
		return
	}
	s.entries[k] = s.recent.PushFront(&entry[V]{k, v, size})
	s.bytes += size
	for s.bytes > s.limit {
		s.drop(s.recent.Back())
	}
}

func (s *shard[V]) drop(e *list.Element) {
	old := s.recent.Remove(e).(*entry[V])
	delete(s.entries, old.key)
	s.bytes -= old.size
}

// Begin must come before the commit that changes the keys.
func (c *Cache[V]) Begin(keys []Key) {
	for _, k := range keys {
		s := c.shard(k)
		s.mu.Lock()
		s.pending[k]++
		s.mu.Unlock()
	}
}

// End must come after that commit, or after it failed, and before anyone is told.
func (c *Cache[V]) End(keys []Key) {
	for _, k := range keys {
		s := c.shard(k)
		s.mu.Lock()
		if s.pending[k]--; s.pending[k] <= 0 {
			delete(s.pending, k)
		}
		s.generation++
		if e, ok := s.entries[k]; ok {
			s.drop(e)
		}
		s.mu.Unlock()
	}
}
