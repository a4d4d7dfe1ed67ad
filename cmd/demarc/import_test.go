package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// asCommand has this binary be demarc itself: a process that tests can kill.
const asCommand = "TEST_BINARY_IS_DEMARC"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(run(context.Background(), os.Args[1:], nil, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// killed runs demarc as a process and kills it at once when it tells of progress. It gives what was told.
func killed(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), asCommand+"=1")
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told []string
	for lines := bufio.NewScanner(errs); lines.Scan(); {
		if told = append(told, lines.Text()); strings.Contains(lines.Text(), " %") {
			break
		}
	}
	_ = cmd.Process.Kill() // it may have ended by itself, which Wait tells
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("it ended before it was killed (%v):\n%s", err, strings.Join(told, "\n"))
	}
	return told[len(told)-1]
}

// subscribers is a file of so many lines to be made ahead, and the numbers of those that are good: every 500th is bad.
func subscribers(count int) (file string, good []msisdn.Number) {
	var b strings.Builder
	b.WriteString("iccid,imsi,msisdn,plan,balance\n")
	for n := range count {
		payload, number := fmt.Sprintf("8941001%011d", n), fmt.Sprint(41780000000+n)
		if n%500 == 499 {
			number = "x" + number
		} else {
			good = append(good, msisdn.Number(number))
		}
		fmt.Fprintf(&b, "%s%c,22801%010d,%s,start,7.50\n", payload, inventory.Luhn(payload), n, number)
	}
	return b.String(), good
}

func TestAnImportThatIsKilledGoesOnAndTakesEachRowOnce(t *testing.T) {
	dir := t.TempDir()
	const rows = 6_000
	text, good := subscribers(rows)
	drop(t, dir, map[string]string{
		"subscribers.csv": text, "plans.yaml": "currency: CHF\ntaxRate: 8.1\nplans:\n  - {key: start, name: Start, price: 0, openingBalance: 5}\n",
	})
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			at := []string{"--data", filepath.Join(t.TempDir(), "data"), "--db", storetest.URL(t, engine)}
			expect(t, 0, ``, ``, nil, append([]string{"migrate"}, at...)...)
			found(t, at[1], at[3])
			expect(t, 0, ``, ``, nil, append([]string{"seed", "--plans", filepath.Join(dir, "plans.yaml")}, at...)...)
			load := append([]string{"import", "subscribers", filepath.Join(dir, "subscribers.csv")}, at...)
			first, second := killed(t, load...), killed(t, load...)
			if first == second {
				t.Errorf("it began anew after it was killed at %s", first)
			}
			out := expect(t, 1, fmt.Sprintf(`of %d rows %d were added and %d were not`, rows, len(good), rows-len(good)), `100 %`, nil, load...)
			bad := regexp.MustCompile(`(?m)^line (\d+): `).FindAllStringSubmatch(out, -1)
			if len(bad) != rows-len(good) || bad[0][1] != "501" || bad[len(bad)-1][1] != fmt.Sprint(rows+1) || len(slices.CompactFunc(bad, slices.Equal)) != rows-len(good) {
				t.Errorf("the bad rows are told as %v", bad)
			}
			expect(t, 1, fmt.Sprintf(`of %d rows %d were added`, rows, len(good)), ``, nil, load...) // it came before
			holds(t, at[1], at[3], good)
		})
	}
}

// opened is a database as a command has it.
func opened(t *testing.T, data, db string) (context.Context, *app.House) {
	t.Helper()
	s, err := config.Default()
	if err != nil {
		t.Fatal(err)
	}
	s.Data, s.DB = data, db
	h, err := app.OpenCurrent(t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return h.As(t.Context(), 1), h
}

// found makes the service provider of a database.
func found(t *testing.T, data, db string) {
	t.Helper()
	ctx, h := opened(t, data, db)
	defer func() { _ = h.Close() }()
	if _, _, err := h.Providers.Add(ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"}); err != nil {
		t.Fatal(err)
	}
}

// holds checks that a database has a line for each of the numbers, and no others, with its SIM and its money.
func holds(t *testing.T, data, db string, numbers []msisdn.Number) {
	t.Helper()
	ctx, h := opened(t, data, db)
	defer func() { _ = h.Close() }()
	used, err := h.Subscriptions.Numbered(ctx, numbers...)
	if err != nil || len(used) != len(numbers) {
		t.Errorf("%d of %d numbers are in use: %v", len(used), len(numbers), err)
	}
	for what, docs := range map[string]func(context.Context, store.Query) (store.Page, error){
		"lines": h.Subscriptions.Lines.Docs, "SIMs": h.Inventory.SIMs.Docs, "numbers": h.Inventory.Numbers.Docs,
		"accounts": h.Accounts.Billing.Docs, "buckets": h.Balances.Buckets.Docs,
	} {
		page, err := docs(ctx, store.Query{Limit: 1})
		if err != nil || page.Total != int64(len(numbers)) {
			t.Errorf("%d %s, want %d: %v", page.Total, what, len(numbers), err)
		}
	}
	if wrong, err := h.Store.Unbalanced(ctx); err != nil || len(wrong) > 0 {
		t.Errorf("the ledger: %v %v", wrong, err)
	}
}
