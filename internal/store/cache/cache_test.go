package cache_test

import (
	"fmt"
	"testing"

	"github.com/demarc-bss/demarc/internal/store/cache"
)

func k(n int) cache.Key { return cache.Key{SPID: 1, ID: fmt.Sprint(n)} }

func TestReaderThatBeganBeforeACommitFillsNothing(t *testing.T) {
	for _, when := range []string{"before begin", "before end", "after end"} {
		c := cache.New[int](1 << 20)
		_, ticket, ok := c.Get(k(1))
		if ok {
			t.Fatal("found in an empty cache")
		}
		put := func(at string) {
			if at == when {
				c.Put(k(1), 1, 1, ticket)
			}
		}
		put("before begin")
		c.Begin([]cache.Key{k(1)})
		put("before end")
		if _, _, ok := c.Get(k(1)); ok {
			t.Fatal(when, ": found while a commit is open")
		}
		c.End([]cache.Key{k(1)})
		put("after end")
		if _, _, ok := c.Get(k(1)); ok {
			t.Fatal(when, ": the state before the commit was kept")
		}
	}
}

func TestReaderThatBeganWithinACommitFillsNothing(t *testing.T) {
	c := cache.New[int](1 << 20)
	keys := []cache.Key{k(1), k(1)}
	c.Begin(keys)
	_, ticket, _ := c.Get(k(1))
	c.End(keys)
	c.Put(k(1), 1, 1, ticket)
	if _, _, ok := c.Get(k(1)); ok {
		t.Fatal("kept")
	}
	_, ticket, _ = c.Get(k(1))
	c.Put(k(1), 2, 1, ticket)
	if v, _, ok := c.Get(k(1)); !ok || v != 2 {
		t.Fatal("a key stays pending for ever")
	}
}

func TestServiceProvidersDoNotShare(t *testing.T) {
	c := cache.New[int](1 << 20)
	_, ticket, _ := c.Get(k(1))
	c.Put(k(1), 1, 1, ticket)
	if _, _, ok := c.Get(cache.Key{SPID: 2, ID: "1"}); ok {
		t.Fatal("found under another service provider")
	}
}

func TestBytesAreBounded(t *testing.T) {
	const limit = 1 << 20
	c := cache.New[int](limit)
	for i := range 10000 {
		_, ticket, _ := c.Get(k(i))
		c.Put(k(i), i, 1000, ticket)
	}
	found := 0
	for i := range 10000 {
		if v, _, ok := c.Get(k(i)); ok {
			found++
			if v != i {
				t.Fatal(v, i)
			}
		}
	}
	if found == 0 || found*1000 > limit {
		t.Fatalf("%d of 1,000 bytes in a cache of %d", found, limit)
	}
	_, ticket, _ := c.Get(k(-1))
	c.Put(k(-1), 0, limit, ticket)
	if _, _, ok := c.Get(k(-1)); ok {
		t.Fatal("one value took it all")
	}
}
