package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store/engine"
)

type contact struct {
	Type  string `json:"mediumType"`
	Value string `json:"value"`
}

type ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// customer is a document of about 700 bytes with one reference.
type customer struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Type    string    `json:"@type"`
	Party   ref       `json:"engagedParty"`
	Contact []contact `json:"contactMedium"`
}

var (
	benchKind  = id.Kind{Name: "customer", Prefix: "cus"}
	benchParty = id.Kind{Name: "individual", Prefix: "ind"}
)

type bench struct {
	s         *Store
	ctx       context.Context
	customers *Collection[customer]
	party     id.ID
}

func benchURL(b *testing.B) string {
	if url := os.Getenv("DEMARC_BENCH_URL"); url != "" {
		return url
	}
	return "sqlite:" + filepath.Join(b.TempDir(), "bench.db")
}

func openBench(b *testing.B, o Options) *bench {
	b.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := Open(context.Background(), benchURL(b), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if _, err := s.Migrate(context.Background(), false); err != nil {
		b.Fatal(err)
	}
	h := &bench{s: s, ctx: scope.With(context.Background(), scope.Grant(1, scope.Actor{Subject: "bench"}, scope.Claims{}))}
	h.customers = NewCollection[customer](s, Definition{Kind: benchKind, Table: "customer", Indexed: map[string]string{"name": "name", "status": "status"}})
	parties := NewCollection[customer](s, Definition{Kind: benchParty, Table: "individual"})
	h.party = id.New(benchParty, id.RandomHome(), s.Now(h.ctx))
	if err := s.Write(h.ctx, func(ctx context.Context) error {
		_, err := parties.Insert(ctx, h.party, &customer{Name: "Doe"})
		return err
	}); err != nil {
		b.Fatal(err)
	}
	return h
}

func (h *bench) customer(n int64) *customer {
	c := &customer{Name: fmt.Sprintf("Customer %d", n), Status: "active", Type: "Customer", Party: ref{ID: string(h.party), Name: "Doe"}}
	for i := range 4 {
		c.Contact = append(c.Contact, contact{"email", fmt.Sprintf("customer.%d.%d%s@example.com", n, i, strings.Repeat("x", 80))})
	}
	return c
}

func (h *bench) create(n int64) (i id.ID, err error) {
	c := h.customer(n)
	err = h.s.Write(h.ctx, func(ctx context.Context) error {
		i = id.New(benchKind, id.RandomHome(), h.s.Now(ctx))
		d, err := h.customers.Insert(ctx, i, c)
		if err != nil {
			return err
		}
		return h.s.Emit(ctx, event.Event{Type: "CustomerCreateEvent", Resource: "customer", Subject: i, Document: d.Body})
	})
	return i, err
}

// BenchmarkCreate is a use case's write, from 64 callers at once, with an event.
func BenchmarkCreate(b *testing.B) {
	h := openBench(b, Options{})
	b.SetParallelism(32)
	b.ReportAllocs()
	var n atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.create(n.Add(1)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

// BenchmarkCreateRaw runs the same statements in batches of 64 with nothing around them: the ceiling.
func BenchmarkCreateRaw(b *testing.B) {
	h := openBench(b, Options{})
	if h.s.Engine() != "sqlite" {
		b.Fatal("the ceiling is SQLite's")
	}
	bg := context.Background()
	get := statements("individual").exists
	insert := statements("customer").insert
	body, err := encode(h.customer(1))
	if err != nil {
		b.Fatal(err)
	}
	text := asText(body)
	var home int64
	partyHome, _ := h.party.Home()
	b.ResetTimer()
	for done := 0; done < b.N; {
		err := h.s.db.Singly(bg, func(c engine.Conn) error {
			run := func(sql string, args ...any) {
				if _, err := c.Exec(bg, sql, args...); err != nil {
					b.Error(err)
				}
			}
			for range min(64, b.N-done) {
				hh := id.RandomHome()
				i := string(id.New(benchKind, hh, time.Time{}))
				home = int64(hh)
				run(insert, home, int64(1), i, int64(1), text)
				var one int64
				if _, err := engine.Row(bg, c, get, []any{int64(partyHome), int64(1), string(h.party)}, &one); err != nil {
					return err
				}
				run(sqlRefer, int64(partyHome), int64(1), string(h.party), i, "engagedParty.id")
				run(sqlAudit, home, int64(1), i, int64(1), "bench", "", "", "", "", "customer", i, nil, text)
				run(sqlEmit, home, int64(1), i, int64(1), "CustomerCreateEvent", "", "", "", "", "customer", i, text)
				run(sqlTally, home, int64(1), "customer", int64(1))
				done++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

func BenchmarkDoc(b *testing.B) {
	for name, bytes := range map[string]int64{"cached": 0, "uncached": -1} {
		b.Run(name, func(b *testing.B) {
			h := openBench(b, Options{CacheBytes: bytes})
			var ids []id.ID
			for n := range int64(1000) {
				i, err := h.create(n)
				if err != nil {
					b.Fatal(err)
				}
				ids = append(ids, i)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := range b.N {
				if _, err := h.customers.Doc(h.ctx, ids[n%len(ids)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// seed fills the table with n customers, a thousand a transaction.
func (h *bench) seed(b *testing.B, n int64) (last id.ID) {
	b.Helper()
	for from := int64(0); from < n; from += 1000 {
		err := h.s.Write(h.ctx, func(ctx context.Context) error {
			for k := from; k < min(from+1000, n); k++ {
				c := h.customer(k)
				if k%1000 == 7 {
					c.Status = "suspended"
				}
				last = id.New(benchKind, id.RandomHome(), h.s.Now(ctx))
				if _, err := h.customers.Insert(ctx, last, c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return last
}

// BenchmarkList lists pages of 20: of 1,000 customers, and of a million when DEMARC_BENCH_MILLION is set.
func BenchmarkList(b *testing.B) {
	sizes := []int64{1000}
	if os.Getenv("DEMARC_BENCH_MILLION") != "" {
		sizes = append(sizes, 1_000_000)
	}
	by := func(path string, op Op, v string) []Filter {
		return []Filter{{Path: []string{path}, Op: op, Values: []string{v}}}
	}
	for _, size := range sizes {
		h := openBench(b, Options{})
		last := h.seed(b, size)
		for name, q := range map[string]Query{
			"first page":      {},
			"by id":           {Filters: by("id", Eq, string(last))},
			"by name":         {Filters: by("name", Eq, "Customer 500")},
			"by rare status":  {Filters: by("status", Eq, "suspended")},
			"by usual status": {Filters: by("status", Eq, "active")},
			"sorted by name":  {Sort: []Sort{{Path: []string{"name"}}}},
			"without index":   {Filters: by("@type", Eq, "Nothing")},
		} {
			q.Limit = 20
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					if _, err := h.customers.Docs(h.ctx, q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
