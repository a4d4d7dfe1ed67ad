//go:build scale

package scale

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/demarc-bss/demarc/internal/api/cm"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/bulkupload"
	"github.com/demarc-bss/demarc/internal/demo"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/usage"
)

// operator is every domain on a database of its own, with subscribers.
type operator struct {
	*ordertest.House
	ctx   context.Context
	store *store.Store
	// api is the Customer Management API, for anybody.
	api http.Handler
	// lines are the places of those that are used, among all.
	lines  []int
	draw   *rand.Rand
	serial int
}

// perLine is what a subscription takes on the disk at most, in bytes.
const perLine = 16 << 10

func open(t *testing.T, engine string, subscribers int) *operator {
	url := storetest.URL(t, engine)
	room(t, engine, url, int64(subscribers)*perLine)
	s, err := store.Open(context.Background(), url, store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Migrate(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	o := &operator{House: ordertest.New(s), ctx: storetest.Context(1), store: s, draw: rand.New(rand.NewPCG(1, 2))}
	d := demo.House{House: o.House.House, Work: func(context.Context) error { return nil }}
	if err := d.Furnish(o.ctx, demo.Providers(map[int]string{1: "Happy"})[0], 1000); err != nil {
		t.Fatal(err)
	}
	table, err := op.NewTable(cm.Operations(cm.Deps{House: o.House.House})...)
	if err == nil {
		o.api, err = table.Handler(op.Options{Store: s, Gate: gate{}})
	}
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	o.load(t, subscribers)
	took := time.Since(began)
	if engine == "postgres" {
		analyze(t, url)
	}
	size := taken(t, engine, url)
	if engine == "sqlite" {
		warm(t, path(url))
	}
	fmt.Printf("%d subscriptions on %s were loaded in %s and take %d MB, %d bytes each\n",
		subscribers, engine, took.Round(time.Second), size>>20, size/int64(subscribers))
	o.lines = o.draw.Perm(subscribers)[:min(subscribers, used)]
	var first []usage.Record
	for _, n := range o.lines {
		first = append(first, o.record(n))
	}
	if err := o.take(first); err != nil {
		t.Fatal(err)
	}
	return o
}

// gate lets everybody in.
type gate struct{}

func (gate) Admit(context.Context, string, string, string, []auth.Permission) (scope.Scope, error) {
	return auth.System(1, scope.Actor{Subject: "scale", Client: "scale"}), nil
}

// get asks the API for something.
func (o *operator) get(target string) error {
	answer := httptest.NewRecorder()
	o.api.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, target, nil))
	if answer.Code != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", target, answer.Code, answer.Body)
	}
	return nil
}

// someone is the place of a line that is used.
func (o *operator) someone() int { return o.lines[o.draw.IntN(len(o.lines))] }

func number(n int) string { return fmt.Sprintf("33%09d", 640_000_000+n) }

// load loads subscribers as an upload of a file does.
func (o *operator) load(t *testing.T, subscribers int) {
	f := file(subscribers)
	sum := sha256.Sum256(fmt.Append(nil, subscribers))
	u, v, _, err := o.Uploads.Begin(o.ctx, bulkupload.Upload{Of: bulkupload.Subscribers, Digest: hex.EncodeToString(sum[:]), Size: f.size()}, false)
	told := time.Now()
	for err == nil && !v.Ended() {
		if v, err = o.Uploads.Step(o.ctx, u, f); time.Since(told) > 20*time.Second {
			told = time.Now()
			fmt.Printf("%d of %d subscriptions are loaded\n", v.Added, subscribers)
		}
	}
	if err != nil || v.Added != subscribers {
		t.Fatalf("%d of %d subscribers were loaded: %+v (%v)", v.Added, subscribers, v, err)
	}
}

// record is a usage of a line: a call at home, data or a text.
func (o *operator) record(n int) usage.Record {
	o.serial++
	r := usage.Record{ID: fmt.Sprint("r", o.serial), Source: "scale", MSISDN: number(n), Start: o.store.Now(o.ctx), Other: "33612345678"}
	switch o.serial % 3 {
	case 0:
		r.UsageType, r.Quantity = "voice", 61
	case 1:
		r.UsageType, r.Quantity = "data", 1_500_000
	default:
		r.UsageType, r.Quantity = "sms", 1
	}
	return r
}

func (o *operator) take(records []usage.Record) error {
	out, err := o.Usage.Ingest(o.ctx, records)
	for _, one := range out {
		if err == nil && (one.Err != nil || one.Status != usage.Rated) {
			err = fmt.Errorf("a record was not rated: %+v", one)
		}
	}
	return err
}

// file is a file of so many subscribers, which is nowhere: all its rows are of one length.
type file int

const head = "iccid,imsi,msisdn,plan,balance\n"

func line(n int) string {
	payload := fmt.Sprintf("8933098%011d", 50_000_000+n)
	return fmt.Sprintf("%s%c,20898%010d,%s,start,1000000.00\n", payload, luhn(payload), 50_000_000+n, number(n))
}

func (f file) size() int64 { return int64(len(head) + int(f)*len(line(0))) }

// ReadAt implements io.ReaderAt.
func (f file) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		if at >= f.size() {
			return n, io.EOF
		}
		text, from := head, int(at)
		if from >= len(head) {
			from -= len(head)
			text, from = line(from/len(line(0))), from%len(line(0))
		}
		c := copy(p[n:], text[from:])
		n, at = n+c, at+int64(c)
	}
	return n, nil
}

// luhn is the check digit of an ICCID.
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

// room fails where the disk has not so many bytes left.
func room(t *testing.T, engine, url string, need int64) {
	dir := os.TempDir() // where the tests' PostgreSQL has its data
	if engine == "sqlite" {
		dir = filepath.Dir(path(url))
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if left := int64(fs.Bavail) * fs.Bsize; left < need {
		t.Fatalf("%s has %d MB left, and %d MB may be needed", dir, left>>20, need>>20)
	}
}

func path(url string) string { return strings.TrimPrefix(url, "sqlite:") }

// taken is what a database takes on the disk, in bytes.
func taken(t *testing.T, engine, url string) (size int64) {
	if engine == "sqlite" {
		for _, suffix := range []string{"", "-wal"} {
			f, err := os.Stat(path(url) + suffix)
			if err != nil {
				t.Fatal(err)
			}
			size += f.Size()
		}
		return size
	}
	asked(t, url, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&size)
	})
	return size
}

// warm has the system read a whole file, so that it is in its memory as that of a database in use is: what is compared is
// the work among few and among many, and not the disk.
func warm(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := io.Copy(io.Discard, f); err != nil {
		t.Fatal(err)
	}
}

// analyze does what autovacuum does, which the tests' PostgreSQL has not.
func analyze(t *testing.T, url string) {
	asked(t, url, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "VACUUM (ANALYZE)")
		return err
	})
}

func asked(t *testing.T, url string, ask func(ctx context.Context, c *pgx.Conn) error) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	if err := ask(ctx, c); err != nil {
		t.Fatal(err)
	}
}
