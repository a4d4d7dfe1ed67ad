//go:build budget

// Package budget holds demarc to what it promises to cost: size of the binary, time until it is ready, and
// memory.
package budget

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/test/binary"
)

const (
	sizeMiB   = 60
	readyTime = 300 * time.Millisecond
	memoryMiB = 80
	starts    = 7
)

func TestSize(t *testing.T) {
	info, err := os.Stat(binary.Build(t))
	if err != nil {
		t.Fatal(err)
	}
	mib := float64(info.Size()) / (1 << 20)
	t.Logf("the binary has %.1f MiB of %d", mib, sizeMiB)
	if mib > sizeMiB {
		t.Errorf("the binary has %.1f MiB, more than %d", mib, sizeMiB)
	}
}

// The database is there already: making it is done once. The median of several starts is compared: one start
// on a busy machine says nothing.
func TestStartAndMemory(t *testing.T) {
	bin, data := binary.Build(t), t.TempDir()
	args := []string{"--dev", "--demo", "--access-log", "none"}
	first := binary.Start(t, binary.Options{Bin: bin, Data: data, Args: args})
	t.Logf("the first start, with demonstration data, took %s", first.Ready.Round(time.Millisecond))
	if _, err := first.Stop(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	var times []time.Duration
	for range starts {
		s := binary.Start(t, binary.Options{Bin: bin, Data: data, Args: args})
		times = append(times, s.Ready)
		if len(times) == starts {
			memory(t, s)
		}
		if _, err := s.Stop(30 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(times)
	median := times[starts/2]
	t.Logf("ready after %s (median of %d starts, slowest %s)", median.Round(time.Millisecond), starts, times[starts-1].Round(time.Millisecond))
	if median > readyTime {
		t.Errorf("ready after %s, later than %s", median, readyTime)
	}
}

// memory reads lists and single customers for a while, and then what the process holds.
func memory(t *testing.T, s *binary.Server) {
	token, err := s.Token(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		get(t, token, fmt.Sprintf("%s/api/customer?offset=%d&limit=%d", s.URL, i%500, 1+i%50))
	}
	mib := resident(t, s.Cmd.Process.Pid)
	t.Logf("%d MiB of memory after 2000 lists", mib)
	if mib > memoryMiB {
		t.Errorf("%d MiB of memory, more than %d", mib, memoryMiB)
	}
}

func get(t *testing.T, token, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusPartialContent {
		t.Fatalf("%s: status %d", url, res.StatusCode)
	}
}

// resident is the memory of a process in MiB (VmRSS of Linux).
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib / 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
