package scenario_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"

	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// The code of a voucher is money. Whatever is done with codes, on both façades, none stands in clear in any row of the
// database or in the log.
func TestCodesOfVouchersStandNowhere(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			url := storetest.URL(t, engine)
			var log text
			c := client{t: t}
			server := serveLogging(t, url, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), nil, func(s *config.Settings) { s.DemoCustomers = 20 })
			c.url = server.URL
			var err error
			if c.token, err = server.Token(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			codes := c.useCodes()
			where := map[string]string{"the log": log.String()}
			if engine == "sqlite" {
				files(t, strings.TrimPrefix(url, "sqlite:"), where)
			} else {
				tables(t, url, where)
			}
			if !strings.Contains(where["the log"], "voucher") && len(where) < 2 {
				t.Error("there is nothing to look at")
			}
			for name, content := range where {
				for _, code := range codes {
					if strings.Contains(content, code) || strings.Contains(content, hex.EncodeToString([]byte(code))) {
						t.Errorf("%s holds the code %s", name, code)
					}
				}
			}
			if all := strings.Join(values(where), ""); !strings.Contains(all, "C-0000001") && !strings.Contains(all, hex.EncodeToString([]byte("C-0000001"))) {
				t.Error("the serial numbers are not found either: this looks in the wrong place")
			}
		})
	}
}

func values(m map[string]string) (out []string) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// text is a log that may be written to by many.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *text) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *text) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

type client struct {
	t          *testing.T
	url, token string
}

// do sends a request and gives the answer's body; a status below 0 may be any.
func (c *client) do(method, path, contentType, body string, status int, headers ...string) string {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("spid", "1")
	for n := 0; n+1 < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		c.t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, out, err)
	}
	return string(out)
}

// useCodes makes vouchers in all ways and tries their codes in all ways, and gives the codes.
func (c *client) useCodes() (codes []string) {
	c.t.Helper()
	const js = "application/json"
	var lines []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(c.do("GET", "/tmf-api/productInventory/v4/product?status=active&limit=1", js, "", 206)), &lines); err != nil || len(lines) == 0 {
		c.t.Fatalf("%v %v", lines, err)
	}
	line := lines[0].ID
	c.do("POST", "/api/voucher/batch", js, `{"batchNumber":"C","count":4,"voucherAmount":{"unit":"EUR","value":20}}`, 201)
	c.do("POST", "/api/voucher/batch/import?voucherAmount=20&batchNumber=I", "text/csv", "serialNumber,voucherCode\nI1,98765432109876\nI2,98765432109877\n", 201)
	for _, batch := range []string{"C", "I"} {
		for strings.Contains(c.do("GET", "/api/voucher/batch/"+batch, js, "", 200), `"generating"`) {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-c.t.Context().Done():
				c.t.Fatal("the batch is never made")
			}
		}
		c.do("PATCH", "/api/voucher/batch/"+batch, js, `{"voucherStatus":"available"}`, 200)
	}
	rows, err := csv.NewReader(strings.NewReader(c.do("POST", "/api/voucher/batch/C/file", js, `{"recipient":"The printer"}`, 200))).ReadAll()
	if err != nil || len(rows) != 5 {
		c.t.Fatalf("%v %v", rows, err)
	}
	for _, r := range rows[1:] {
		codes = append(codes, r[1])
	}
	codes = append(codes, "98765432109876", "98765432109877", "1112223334445556")
	refill := func(code string, status int, headers ...string) {
		c.do("POST", "/api/subscription/voucherRecharge", js, `{"subscriptionId":"`+line+`","voucherCode":"`+code+`"}`, status, headers...)
	}
	topup := func(code string, headers ...string) {
		c.do("POST", "/tmf-api/prepayBalanceManagement/v4/topupBalance", js, `{"voucher":"`+code+`","usageType":"monetary","amount":{"amount":20,"units":"EUR"},`+
			`"bucket":{"id":"`+line+`"},"partyAccount":{"id":"x"}}`, 201, headers...)
	}
	refill(codes[0], 201, "Idempotency-Key", "refill-1")
	refill(codes[0], 201, "Idempotency-Key", "refill-1")
	refill(codes[0], 409)
	topup(codes[1], "Idempotency-Key", "topup-1")
	topup(codes[1])
	topup("1112223334445556")
	refill("1112223334445556", 409)
	c.do("GET", "/api/voucher", js, "", 200, "Voucher-Code", codes[2])
	c.do("GET", "/api/voucher", js, "", 409, "Voucher-Code", "1112223334445556")
	c.do("POST", "/api/subscription/voucherRecharge?dryRun=true", js, `{"subscriptionId":"`+line+`","voucherCode":"`+codes[2]+`"}`, 201)
	refill("98765432109876", 201)
	return codes
}

// files are all files beside a database.
func files(t *testing.T, database string, into map[string]string) {
	t.Helper()
	all, err := filepath.Glob(database + "*")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		into[filepath.Base(name)] = string(b)
	}
}

// tables are all rows of all tables of a database as text.
func tables(t *testing.T, url string, into map[string]string) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		rows, err := conn.Query(ctx, "SELECT t::text FROM "+name+" t")
		if err != nil {
			t.Fatal(err)
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		into["the table "+name] = strings.Join(all, "\n")
	}
}
