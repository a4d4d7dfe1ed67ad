package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/store"
)

// drop writes files into a folder.
func drop(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIngestTakesWhatIsGoodAndSetsTheRestAside(t *testing.T) {
	data, in := filepath.Join(t.TempDir(), "data"), t.TempDir()
	const call = ",voice,2026-11-01T10:00:00Z,60,41441234567\n"
	const good = "recordId,msisdn,usageType,start,quantity,otherNumber\nr1,41790000001" + call + "r2,x" + call
	drop(t, in, map[string]string{
		"a.csv": good, "b.csv": good, "d.txt": "hello\n", "e.csv.part": good,
		"c.jsonl": `{"recordId":"j1","msisdn":"41790000001","usageType":"data","start":"2026-11-01T10:00:00Z","quantity":1000}` + "\n" + `{"recordId":"j2","msis`,
	})
	expect(t, 1, `^$`, `demarc migrate`, nil, "ingest", "--data", data, "--once", in)
	expect(t, 0, ``, ``, nil, "migrate", "--data", data)
	expect(t, 1, `a\.csv: 2 rows: 0 rated, 1 in suspense, 0 came before, 1 refused
  line 3 \(byte \d+\): .*"x" is not a mobile number[\s\S]*b\.csv: refused: the file came before, as a\.csv[\s\S]*c\.jsonl: 1 rows: 0 rated, 1 in suspense[\s\S]*ends in the middle[\s\S]*d\.txt: refused: line 1: "hello"`,
		`100 %[\s\S]*refused or incomplete files: 3`, nil, "ingest", "--data", data, "--once", in)
	for dir, want := range map[string][]string{"done": {"a.csv"}, "failed": {"b.csv", "c.jsonl", "d.txt"}, "": {"done", "e.csv.part", "failed"}} {
		entries, err := os.ReadDir(filepath.Join(in, dir))
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("%s holds %v, want %v (%v)", dir, names, want, err)
		}
	}
	// The rest of the file that was cut comes whole, by name: what was taken is not taken twice.
	whole := filepath.Join(in, "whole.jsonl")
	drop(t, in, map[string]string{"whole.jsonl": `{"recordId":"j1","msisdn":"41790000001","usageType":"data","start":"2026-11-01T10:00:00Z","quantity":1000}` + "\n"})
	expect(t, 0, `whole\.jsonl: 1 rows: 0 rated, 0 in suspense, 1 came before, 0 refused`, ``, nil, "ingest", "--data", data, whole)
	if _, err := os.Stat(whole); err != nil {
		t.Errorf("a file that was named is not moved: %v", err)
	}
}

func TestIngestStaysAwayFromADatabaseThatAServerHas(t *testing.T) {
	data, in := filepath.Join(t.TempDir(), "data"), t.TempDir()
	expect(t, 0, ``, ``, nil, "migrate", "--data", data)
	leave := serving(t, data)
	drop(t, in, map[string]string{"a.csv": "recordId,msisdn,usageType,start,quantity\n"})
	expect(t, 1, `^$`, `another demarc serves the database[\s\S]*POST /api/usage/file`, nil, "ingest", "--data", data, "--once", in)
	if _, err := os.Stat(filepath.Join(in, "a.csv")); err != nil {
		t.Errorf("its file was moved: %v", err)
	}
	leave()
	expect(t, 0, `a\.csv: 0 rows`, ``, nil, "ingest", "--data", data, "--once", in)
}

// served is a line of the demonstration data that is in use.
func served(t *testing.T, data string) (number string, usages int64) {
	t.Helper()
	ctx, h := opened(t, data, "")
	defer func() { _ = h.Close() }()
	lines, err := h.Subscriptions.Lines.Docs(ctx, store.Query{Limit: 1, Filters: []store.Filter{
		{Path: []string{"state"}, Op: store.Eq, Values: []string{"active"}, Type: store.Text},
	}})
	if err != nil || len(lines.Items) == 0 {
		t.Fatalf("no line is active: %v", err)
	}
	var line struct {
		MSISDN string `json:"msisdn"`
	}
	if err := json.Unmarshal(lines.Items[0].Body, &line); err != nil {
		t.Fatal(err)
	}
	all, err := h.Usage.Usages.Docs(ctx, store.Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return line.MSISDN, all.Total
}

func TestIngestRatesTheUsageOfDemonstrationLines(t *testing.T) {
	data, in := filepath.Join(t.TempDir(), "data"), t.TempDir()
	expect(t, 0, ``, ``, nil, "migrate", "--data", data)
	expect(t, 0, `1000 demonstration customers were made`, ``, nil, "seed", "--demonstration", "--data", data)
	number, before := served(t, data)
	now := clock.Real{}.Now().UTC().Format(time.RFC3339)
	call := func(record, msisdn, seconds string) string {
		return record + "," + msisdn + ",voice," + now + "," + seconds + ",33140000000\n"
	}
	const head = "recordId,msisdn,usageType,start,quantity,otherNumber\n"
	session := func(record string) string {
		return `{"recordId":"` + record + `","msisdn":"` + number + `","usageType":"data","start":"` + now + `","quantity":2048}` + "\n"
	}
	drop(t, in, map[string]string{
		"a.csv":   head + call("r1", number, "60") + call("r1", number, "60") + call("r2", "33999999999", "5") + call("r3", number, "-5"),
		"b.jsonl": session("d1") + session("d2")[:40],
		"c.csv":   head + call("r1", number, "60") + call("r4", number, "1"),
	})
	expect(t, 1, `a\.csv: 4 rows: 1 rated, 1 in suspense, 1 came before, 1 refused
  line 5 \(byte \d+\): .*
[\s\S]*b\.jsonl: 1 rows: 1 rated, 0 in suspense, 0 came before, 0 refused
  line 2 \(byte \d+\): .*ends in the middle.*
[\s\S]*c\.csv: 2 rows: 1 rated, 0 in suspense, 1 came before, 0 refused`,
		`100 %.*a\.csv[\s\S]*100 %.*c\.csv[\s\S]*refused or incomplete files: 1`, nil, "ingest", "--data", data, "--once", "--source", "switch-1", in)
	if _, after := served(t, data); after-before != 4 { // r1, r2 in suspense, r4 and d1
		t.Errorf("%d records were kept", after-before)
	}
	expect(t, 0, `ok +ledger +balances`, ``, nil, "doctor", "--data", data)
}
