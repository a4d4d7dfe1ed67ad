//go:build bench

package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

const (
	small      = 1000
	path       = "/tmf-api/customerManagement/v4/customer"
	newBody    = `{"name":"Moon Football Club %d","engagedParty":{"@referredType":"Organization","id":"500","name":"Moon"},"contactMedium":[{"mediumType":"email","preferred":true,"characteristic":{"emailAddress":"office@moon.example"}}],"characteristic":[{"name":"segment","value":"gold"}]}`
	storedBody = `{"@type":"Customer","name":"%s","status":"Approved","engagedParty":{"id":"500","name":"Moon","@referredType":"Organization"},"contactMedium":[{"mediumType":"email","preferred":true,"characteristic":{"emailAddress":"office@moon.example"}}],"characteristic":[{"name":"segment","value":"gold"}]}`
)

var (
	clientCounts = []int{1, 16, 64}
	kind         = id.Kind{Name: "customer", Prefix: "cus"}
)

// house is a demarc that serves over TCP, with a bare handler and the raw database beside it.
type house struct {
	app   *app.App
	raw   rawDatabase
	addr  string
	token string
	ids   []string
	names []string
}

// rawDatabase does the statements of the store without the store.
type rawDatabase interface {
	// seed fills the customer collection with rows whose names repeat five times.
	seed(ids, names []string) error
	get(worker int) (func(i string) error, error)
	list(worker int) (func(name string) error, error)
	// create inserts customers with what belongs to them, so many in one transaction.
	create(worker, group int) (func() error, error)
	close()
}

func BenchmarkDemarc(b *testing.B) {
	r := &report{duration: setting("DEMARC_BENCH_TIME", 2*time.Second, time.ParseDuration)}
	rows := setting("DEMARC_BENCH_ROWS", 100_000, strconv.Atoi)
	for _, engine := range storetest.Engines {
		for _, n := range []int{small, rows} {
			h := start(b, engine, n)
			if n == small {
				r.get(b, engine, h)
				r.create(b, engine, h)
			}
			r.list(b, fmt.Sprintf("%s %d rows", engine, n), h)
			h.stop(b)
		}
	}
	r.print(rows)
}

func setting[T any](name string, fallback T, parse func(string) (T, error)) T {
	if v, err := parse(os.Getenv(name)); err == nil {
		return v
	}
	return fallback
}

// start seeds a fresh database and serves on it.
func start(b *testing.B, engine string, rows int) *house {
	url := storetest.URL(b, engine)
	if err := migrate(url); err != nil {
		b.Fatal(err)
	}
	h := &house{}
	for n := range rows {
		h.ids = append(h.ids, id.New(kind, id.RandomHome(), time.Now()).String())
		h.names = append(h.names, fmt.Sprintf("Customer %07d", n/5))
	}
	var err error
	if h.raw, err = openRaw(engine, url); err != nil {
		b.Fatal(err)
	}
	if err := h.raw.seed(h.ids, h.names); err != nil {
		b.Fatal(err)
	}
	quiet(b)
	loaded, err := config.Load(config.Input{Env: []string{
		"DEMARC_DB=" + url, "DEMARC_LISTEN=127.0.0.1:0", "DEMARC_DEV=true", "DEMARC_DATA=" + b.TempDir(), "DEMARC_ACCESS_LOG=stderr",
	}})
	if err != nil {
		b.Fatal(err)
	}
	h.app = app.New(&loaded.Settings, app.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := h.app.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	h.addr = h.app.Address()
	if h.token, err = h.app.Mint("admin", "obp-apigw"); err != nil {
		b.Fatal(err)
	}
	return h
}

// quiet lets the access log do its work into nothing.
func quiet(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	os.Stderr = null
}

func (h *house) stop(b *testing.B) {
	h.raw.close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := h.app.Stop(ctx); err != nil {
		b.Fatal(err)
	}
}

// bare serves one answer over TCP with as little as net/http can do.
func bare(b *testing.B, status int, header http.Header, body []byte) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for name, v := range header {
			w.Header()[name] = v
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	b.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// sample asks the server once, so that the bare handler can give the same answer.
func (h *house) sample(b *testing.B, method, target, body string) (int, http.Header, []byte) {
	req, err := http.NewRequest(method, "http://"+h.addr+target, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		b.Fatalf("%s %s: %d %s (%v)", method, target, res.StatusCode, out, err)
	}
	res.Header.Del("Date")
	return res.StatusCode, res.Header, out
}

// asking makes each worker send the requests that next gives it.
func (h *house) asking(addr string, want int, next func(n int) []byte) func(int) (func() error, error) {
	return func(worker int) (func() error, error) {
		c, err := dial(addr)
		if err != nil {
			return nil, err
		}
		n := worker * 7919
		return func() error {
			n++
			status, body, err := c.do(next(n))
			if err == nil && status != want {
				err = fmt.Errorf("answered %d: %.300s", status, body)
			}
			return err
		}, nil
	}
}

func (r *report) get(b *testing.B, engine string, h *house) {
	requests := make([][]byte, len(h.ids))
	for i := range h.ids {
		requests[i] = request("GET", path+"/"+h.ids[i], h.token, "")
	}
	next := func(n int) []byte { return requests[n%len(requests)] }
	status, header, body := h.sample(b, "GET", path+"/"+h.ids[0], "")
	other := bare(b, status, header, body)
	for _, clients := range clientCounts {
		r.run(b, engine, "get", "demarc", clients, h.asking(h.addr, 200, next))
		r.run(b, engine, "get", "bare", clients, h.asking(other, 200, next))
		r.run(b, engine, "get", "raw", clients, func(worker int) (func() error, error) {
			one, err := h.raw.get(worker)
			n := worker * 7919
			return func() error { n++; return one(h.ids[n%len(h.ids)]) }, err
		})
	}
}

func (r *report) list(b *testing.B, what string, h *house) {
	target := func(n int) string {
		return path + "?name=" + strings.ReplaceAll(h.names[n%len(h.names)], " ", "%20")
	}
	requests := make([][]byte, 5000)
	for i := range requests {
		requests[i] = request("GET", target(i*197), h.token, "")
	}
	next := func(n int) []byte { return requests[n%len(requests)] }
	status, header, body := h.sample(b, "GET", target(0), "")
	other := bare(b, status, header, body)
	for _, clients := range clientCounts {
		r.run(b, what, "list", "demarc", clients, h.asking(h.addr, 200, next))
		r.run(b, what, "list", "bare", clients, h.asking(other, 200, next))
		r.run(b, what, "list", "raw", clients, func(worker int) (func() error, error) {
			one, err := h.raw.list(worker)
			n := worker * 7919
			return func() error { n++; return one(h.names[n*197%len(h.names)]) }, err
		})
	}
}

func (r *report) create(b *testing.B, engine string, h *house) {
	var serial atomic.Int64
	next := func(int) []byte { return request("POST", path, h.token, fmt.Sprintf(newBody, serial.Add(1))) }
	status, header, body := h.sample(b, "POST", path, fmt.Sprintf(newBody, 0))
	other := bare(b, status, header, body)
	for _, clients := range clientCounts {
		r.run(b, engine, "create", "demarc", clients, h.asking(h.addr, 201, next))
		r.run(b, engine, "create", "bare", clients, h.asking(other, 201, next))
	}
	// What the database can do: one customer to a commit, and 64. On PostgreSQL 64 connections commit one
	// each, which it groups itself.
	if engine == "sqlite" {
		r.run(b, engine, "create", "raw, one to a commit", 1, func(w int) (func() error, error) { return h.raw.create(w, 1) })
		r.run(b, engine, "create", "raw, 64 to a commit", 1, func(w int) (func() error, error) { return h.raw.create(w, 64) })
		return
	}
	for _, clients := range clientCounts {
		r.run(b, engine, "create", "raw, one to a commit", clients, func(w int) (func() error, error) { return h.raw.create(w, 1) })
	}
}

// report gathers figures.
type report struct {
	duration time.Duration
	mu       sync.Mutex
	lines    []line
}

type line struct {
	what, op, who string
	clients       int
	// rows is how many rows each operation wrote, where that is counted.
	rows float64
	result
}

func (r *report) run(b *testing.B, what, op, who string, clients int, start func(int) (func() error, error)) {
	name := fmt.Sprintf("%s/%s/%s/clients=%d", what, op, who, clients)
	b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
		res, err := measure(clients, r.duration, start)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(res.rate(), "ops/s")
		b.ReportMetric(float64(res.p50.Microseconds()), "p50-µs")
		b.ReportMetric(float64(res.p99.Microseconds()), "p99-µs")
		b.ReportMetric(0, "ns/op")
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, line{what: what, op: op, who: who, clients: clients, result: res})
	})
}

func (r *report) find(what, op, who string, clients int) result {
	for _, l := range r.lines {
		if l.what == what && l.op == op && l.who == who && l.clients == clients {
			return l.result
		}
	}
	return result{}
}

// print says how each figure stands to what the machine can do, and what was promised.
func (r *report) print(rows int) {
	share := func(a, b float64) string {
		if b == 0 {
			return "-"
		}
		return fmt.Sprintf("%.0f %%", 100*a/b)
	}
	fmt.Printf("\n%-22s %-7s %8s %10s %10s %10s %10s\n", "engine", "op", "clients", "ops/s", "of bare", "of raw", "p99")
	for _, l := range r.lines {
		if l.who != "demarc" {
			continue
		}
		raw := r.find(l.what, l.op, "raw", l.clients).rate()
		if l.op == "create" {
			if raw = r.find(l.what, l.op, "raw, 64 to a commit", 1).rate(); raw == 0 {
				raw = r.find(l.what, l.op, "raw, one to a commit", l.clients).rate()
			}
		}
		fmt.Printf("%-22s %-7s %8d %10.0f %10s %10s %10s\n", l.what, l.op, l.clients, l.rate(),
			share(l.rate(), r.find(l.what, l.op, "bare", l.clients).rate()), share(l.rate(), raw), l.p99)
	}
	ratio := func(who string, clients int, base result) float64 {
		return r.find("sqlite", "create", who, clients).rate() / base.rate()
	}
	one := r.find("sqlite", "create", "raw, one to a commit", 1)
	fmt.Printf("\ncreate on sqlite, 64 clients: %.1f times one fsync to a create (promised: 10); the raw database, 64 to a commit: %.1f times\n",
		ratio("demarc", 64, one), ratio("raw, 64 to a commit", 1, one))
	for _, engine := range storetest.Engines {
		for _, clients := range clientCounts {
			few := r.find(fmt.Sprintf("%s %d rows", engine, small), "list", "demarc", clients)
			many := r.find(fmt.Sprintf("%s %d rows", engine, rows), "list", "demarc", clients)
			fmt.Printf("list on %s, %d clients: p99 at %d rows is %.2f times that at %d (promised: 2)\n",
				engine, clients, rows, float64(many.p99)/float64(few.p99), small)
		}
	}
}
