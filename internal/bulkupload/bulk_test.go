//go:build bulk

package bulkupload

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// many is how many rows a large file has.
const many = 100_000

// tick is the unit of processor time in /proc (USER_HZ).
const tick = 10 * time.Millisecond

// spentHere is the processor time of this process and of those that it started, the database's among them, as far as
// the system tells it.
func spentHere(t *testing.T) time.Duration {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parent, used := map[string]string{}, map[string]int64{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, tail, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(tail)
		if len(fields) < 15 {
			continue
		}
		self := filepath.Base(filepath.Dir(f))
		parent[self] = fields[1]
		for _, n := range fields[11:15] { // utime, stime, and those of its children that have ended
			ticks, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			used[self] += ticks
		}
	}
	var sum int64
	for self := range used {
		for p := self; p != "" && p != "0"; p = parent[p] {
			if p == strconv.Itoa(os.Getpid()) {
				sum += used[self]
				break
			}
		}
	}
	return time.Duration(sum) * tick
}

func TestAHundredThousand(t *testing.T) {
	for of, file := range map[string]func() string{
		SIMs:        func() string { return simFile(0, many) },
		Subscribers: func() string { return subscriberFile(many) },
	} {
		t.Run(of, func(t *testing.T) {
			text := file()
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				d := newDesk(t, s)
				began, spent := clock.Real{}.Now(), spentHere(t)
				u, _, _, err := d.Begin(d.ctx, Upload{Of: of, Digest: of, Size: int64(len(text))}, false)
				if err != nil {
					t.Fatal(err)
				}
				for !d.see(u).Ended() {
					if _, err := d.Step(d.ctx, u, strings.NewReader(text)); err != nil {
						t.Fatal(err)
					}
				}
				took, cpu := clock.Real{}.Now().Sub(began), spentHere(t)-spent
				t.Logf("%d %s on %s: %.0f rows a second, in %.1f s, for which %.1f s of processor time went, the database's too",
					many, of, s.Engine(), many/took.Seconds(), took.Seconds(), cpu.Seconds())
				if v := d.see(u); v.Added != many || v.Bad != 0 {
					t.Errorf("%+v", v)
				}
				if of == SIMs {
					if n := d.count(d.Inventory.SIMs.Docs, "available"); n != many {
						t.Errorf("%d SIMs are available", n)
					}
					return
				}
				if n := d.count(d.Subscriptions.Lines.Docs, ""); n != many {
					t.Errorf("%d lines", n)
				}
				wrong, err := s.Unbalanced(d.ctx)
				if err != nil || len(wrong) > 0 {
					t.Errorf("the ledger: %v %v", wrong, err)
				}
			})
		})
	}
}
