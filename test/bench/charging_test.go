//go:build bench

package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/bulkupload"
	"github.com/demarc-bss/demarc/internal/demo"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/usage"
	"github.com/demarc-bss/demarc/internal/worker"
)

// operator is every domain on a database that flushes, with subscribers, and the raw database beside it.
type operator struct {
	*ordertest.House
	ctx   context.Context
	store *store.Store
	raw   *rawRows
	lines []id.ID
}

const (
	batchSize = 5000
	// commit is how many records of a batch demarc takes in by one commit.
	commit = 500
)

func number(n int) string { return strconv.Itoa(33639000000 + n) }

// operate makes an operator with so many subscribers, who were loaded in bulk.
func operate(b testing.TB, engine string, subscribers int) *operator {
	url := storetest.URL(b, engine)
	s, err := store.Open(context.Background(), url, store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if _, err := s.Migrate(context.Background(), false); err != nil {
		b.Fatal(err)
	}
	o := &operator{House: ordertest.New(s), ctx: storetest.Context(1), store: s}
	// The raw database is another one, so that neither waits for the other nor grows by it.
	raw := storetest.URL(b, engine)
	if err := migrate(raw); err != nil {
		b.Fatal(err)
	}
	if o.raw, err = openRows(engine, raw); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(o.raw.close)
	d := demo.House{House: o.House.House, Work: func(context.Context) error { return nil }}
	if err := d.Furnish(o.ctx, demo.Providers(map[int]string{1: "Happy"})[0], 1000); err != nil {
		b.Fatal(err)
	}
	o.load(b, subscribers)
	if engine == "postgres" {
		if err := analyze(url); err != nil {
			b.Fatal(err)
		}
	}
	return o
}

// analyze does what autovacuum does, which the tests' PostgreSQL has not.
func analyze(url string) error {
	c, err := pgx.Connect(context.Background(), url)
	if err != nil {
		return err
	}
	_, err = c.Exec(context.Background(), "VACUUM (ANALYZE)")
	return errors.Join(err, c.Close(context.Background()))
}

func (o *operator) load(b testing.TB, subscribers int) {
	var text strings.Builder
	text.WriteString("iccid,imsi,msisdn,plan,balance\n")
	for n := range subscribers {
		payload := fmt.Sprintf("8933098%011d", 50_000_000+n)
		fmt.Fprintf(&text, "%s%c,20898%010d,%s,start,1000000.00\n", payload, luhn(payload), 50_000_000+n, number(n))
	}
	file := strings.NewReader(text.String())
	sum := sha256.Sum256([]byte(text.String()))
	u, v, _, err := o.Uploads.Begin(o.ctx, bulkupload.Upload{Of: bulkupload.Subscribers, Digest: hex.EncodeToString(sum[:]), Size: int64(text.Len())}, false)
	for err == nil && !v.Ended() {
		v, err = o.Uploads.Step(o.ctx, u, file)
	}
	if err != nil || v.Added != subscribers {
		b.Fatalf("%d of %d subscribers were loaded: %+v (%v)", v.Added, subscribers, v, err)
	}
	for n := range subscribers {
		i, _, err := o.Subscriptions.Resolve(o.ctx, number(n))
		if err != nil {
			b.Fatal(err)
		}
		o.lines = append(o.lines, i)
	}
}

func luhn(payload string) byte {
	sum := 0
	for i := range len(payload) {
		d := int(payload[len(payload)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}

var serial atomic.Int64

// record is a usage of one of the lines: calls at home, data and texts.
func (o *operator) record(n int) usage.Record {
	r := usage.Record{
		ID: fmt.Sprint("r", serial.Add(1)), Source: "bench", MSISDN: number(n * 7919 % len(o.lines)), Start: o.store.Now(o.ctx),
		Other: "33612345678",
	}
	switch n % 3 {
	case 0:
		r.UsageType, r.Quantity = "voice", 61
	case 1:
		r.UsageType, r.Quantity = "data", 1_500_000
	default:
		r.UsageType, r.Quantity = "sms", 1
	}
	return r
}

func BenchmarkCharging(b *testing.B) {
	r := &report{duration: setting("DEMARC_BENCH_TIME", 2*time.Second, time.ParseDuration)}
	only := setting("DEMARC_BENCH_ENGINE", "", func(s string) (string, error) { return s, nil })
	for _, engine := range storetest.Engines {
		if only != "" && only != engine {
			continue
		}
		o := operate(b, engine, 5000)
		c := &charging{report: r, b: b, engine: engine, o: o}
		c.orders() // first: a top-up leaves a job, and those would stand before the orders'
		c.usage()
		c.topUps()
		c.balances()
		if bad, err := o.store.Unbalanced(context.Background()); err != nil || len(bad) > 0 {
			b.Fatal(bad, err)
		}
	}
	r.printCharging()
}

type charging struct {
	*report
	b      *testing.B
	engine string
	o      *operator
}

// run measures an operation, of which each call does so many, and how many rows were written for each.
func (c *charging) run(op string, clients, each int, start func(int) (func() error, error)) {
	c.b.Helper()
	before := c.o.store.Written()
	var calls atomic.Int64
	c.report.run(c.b, c.engine, op, "demarc", clients, func(w int) (func() error, error) {
		one, err := start(w)
		return func() error {
			calls.Add(1)
			return one()
		}, err
	})
	done := calls.Load() * int64(each)
	if l := c.last(op, "demarc", clients); l != nil {
		l.perSecond *= float64(each)
		l.rows = float64(c.o.store.Written()-before) / float64(done)
	}
}

// beside measures the raw database writing as many rows as so many operations wrote just now, to a commit. SQLite gets
// those of all clients in one, as many as demarc could commit together; PostgreSQL joins commits itself.
func (c *charging) beside(op string, clients, each int) {
	l := c.last(op, "demarc", clients)
	if l == nil {
		return
	}
	rows, writers := int(math.Round(l.rows*float64(each))), clients
	if c.engine == "sqlite" {
		rows, writers = rows*clients, 1
	}
	c.report.run(c.b, c.engine, op, "raw", writers, func(int) (func() error, error) {
		return func() error { return c.o.raw.write(rows) }, nil
	})
	if l := c.last(op, "raw", writers); l != nil {
		l.perSecond *= float64(rows)
		l.clients = clients // beside whom it stands
	}
}

// last is the figure that was measured just now; nil when that failed.
func (c *charging) last(op, who string, clients int) *line {
	if len(c.report.lines) == 0 {
		return nil
	}
	l := &c.report.lines[len(c.report.lines)-1]
	if l.what != c.engine || l.op != op || l.who != who || l.clients != clients {
		return nil
	}
	return l
}

func (c *charging) usage() {
	take := func(records []usage.Record) error {
		out, err := c.o.Usage.Ingest(c.o.ctx, records)
		for _, one := range out {
			if err == nil && (one.Err != nil || one.Status != usage.Rated) {
				err = fmt.Errorf("a record was not rated: %+v", one)
			}
		}
		return err
	}
	// The first usage of a line wakes it, which is more than rating: that is out of the way before anything is measured.
	first := make([]usage.Record, len(c.o.lines))
	for n := range first {
		first[n] = c.o.record(n)
	}
	if err := take(first); err != nil {
		c.b.Fatal(err)
	}
	single := func(w int) (func() error, error) {
		n := w * 7919
		return func() error { n++; return take([]usage.Record{c.o.record(n)}) }, nil
	}
	for _, clients := range []int{1, 64} {
		c.run("usage, single", clients, 1, single)
		c.beside("usage, single", clients, 1)
	}
	c.run("usage, batch", 1, batchSize, func(int) (func() error, error) {
		n := 0
		return func() error {
			records := make([]usage.Record, batchSize)
			for i := range records {
				n++
				records[i] = c.o.record(n)
			}
			return take(records)
		}, nil
	})
	c.beside("usage, batch", 1, commit)
	c.run("usage, file", 1, batchSize, func(int) (func() error, error) {
		return func() error {
			var text strings.Builder
			text.WriteString("recordId,msisdn,usageType,quantity,start,otherNumber\n")
			for n := range batchSize {
				r := c.o.record(n)
				fmt.Fprintf(&text, "%s,%s,%s,%d,%s,%s\n", r.ID, r.MSISDN, r.UsageType, r.Quantity, r.Start.Format(time.RFC3339), r.Other)
			}
			i, f, err := c.o.Usage.Begin(c.o.ctx, usage.File{Name: "bench.csv", Source: "bench", Digest: usage.Digest([]byte(text.String())), Size: int64(text.Len())})
			if err != nil {
				return err
			}
			d, _, err := usage.NewDecoder(usage.CSV, strings.NewReader(text.String()))
			if err != nil {
				return err
			}
			f, err = c.o.Usage.TakeFile(c.o.ctx, i, f, d, nil)
			if err == nil && f.Rated != batchSize {
				err = fmt.Errorf("%d of %d records of the file were rated: %+v", f.Rated, batchSize, f)
			}
			return err
		}, nil
	})
	c.beside("usage, file", 1, commit)
}

func (c *charging) topUps() {
	amount, err := money.Parse("1.00", "EUR")
	if err != nil {
		c.b.Fatal(err)
	}
	pay := func(line func(n int) id.ID) func(int) (func() error, error) {
		return func(w int) (func() error, error) {
			n := w * 7919
			return func() error {
				n++
				_, _, _, err := c.o.Balances.TopUp(c.o.ctx, balance.TopupOrder{Subscription: line(n), Amount: amount, Reference: fmt.Sprint("t", serial.Add(1))})
				return err
			}, nil
		}
	}
	for _, clients := range []int{1, 64} {
		c.run("top-ups, spread", clients, 1, pay(func(n int) id.ID { return c.o.lines[n%len(c.o.lines)] }))
		c.beside("top-ups, spread", clients, 1)
		c.run("top-ups, hot", clients, 1, pay(func(int) id.ID { return c.o.lines[0] }))
	}
}

func (c *charging) balances() {
	for _, clients := range []int{1, 64} {
		c.run("balance", clients, 1, func(w int) (func() error, error) {
			n := w * 7919
			return func() error {
				n++
				_, err := c.o.Balances.Standing(c.o.ctx, c.o.lines[n%len(c.o.lines)])
				return err
			}, nil
		})
	}
}

// orders are from the order of a line on a plan to its active subscription, as many as were ordered at once.
func (c *charging) orders() {
	accounts := make([]id.ID, 16)
	for n := range accounts {
		accounts[n] = c.o.Account(c.o.ctx, c.b)
	}
	w := worker.New(c.o.store, worker.Options{Scope: auth.System, Logger: slog.New(slog.DiscardHandler), Runners: 2 * runtime.GOMAXPROCS(0)})
	for kind, h := range c.o.Jobs() {
		w.Handle(kind, h)
	}
	for kind, h := range c.o.WaitingJobs() {
		w.HandleWaiting(kind, h)
	}
	c.o.store.OnJobs(w.Wake)
	w.Start()
	defer w.Stop(context.Background())
	c.run("order to active", 16, 1, func(worker int) (func() error, error) {
		return func() error {
			i, _, err := c.o.Orders.Place(c.o.ctx, c.o.Order(c.o.ctx, c.b, accounts[worker], "start"))
			for err == nil {
				v, _, got := c.o.Orders.Orders.Get(c.o.ctx, i)
				if got != nil || v.State == "completed" {
					return got
				}
				if v.State == "failed" {
					return fmt.Errorf("the order failed: %+v", v)
				}
				time.Sleep(2 * time.Millisecond)
			}
			return err
		}, nil
	})
	c.beside("order to active", 16, 1)
}

// printCharging says how each figure stands to what the database can do, and what was promised.
func (r *report) printCharging() {
	fmt.Printf("\n%-10s %-18s %8s %10s %8s %10s %12s %10s\n", "engine", "op", "clients", "ops/s", "rows/op", "rows/s", "of raw rows", "p99")
	for _, l := range r.lines {
		if l.who != "demarc" {
			continue
		}
		share := "-"
		if raw := r.find(l.what, l.op, "raw", l.clients).rate(); raw > 0 {
			share = fmt.Sprintf("%.0f %%", 100*l.rate()*l.rows/raw)
		}
		fmt.Printf("%-10s %-18s %8d %10.0f %8.1f %10.0f %12s %10s\n", l.what, l.op, l.clients, l.rate(), l.rows, l.rate()*l.rows, share, l.p99)
	}
	for _, engine := range storetest.Engines {
		for _, l := range r.lines {
			if l.what == engine && l.op == "usage, batch" && l.who == "demarc" {
				fmt.Printf("batch rating on %s: %.0f records/s, %.0f %% of raw (promised: 30 %%)\n", engine, l.rate(),
					100*l.rate()*l.rows/r.find(engine, l.op, "raw", l.clients).rate())
			}
		}
		spread, hot := r.find(engine, "top-ups, spread", "demarc", 64), r.find(engine, "top-ups, hot", "demarc", 64)
		if spread.rate() > 0 {
			fmt.Printf("top-ups on %s, 64 clients: hot is %.2f of spread (promised: 0.33)\n", engine, hot.rate()/spread.rate())
		}
	}
}
