package main

import (
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"
)

func TestASimulationReportsAndProvesTheLedger(t *testing.T) {
	out := expect(t, 0, ``, `100 %`, nil, "simulate", "--subscribers", "3", "--days", "2", "--json")
	var r struct {
		Sold   int  `json:"sold"`
		Proven bool `json:"proven"`
		Cost   struct {
			Seconds float64 `json:"seconds"`
		} `json:"cost"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Sold != 3 || !r.Proven || r.Cost.Seconds <= 0 {
		t.Errorf("%+v %v: %s", r, err, out)
	}
	expect(t, 1, ``, `1 to 1000000 subscribers`, nil, "simulate", "--subscribers", "0")
}

func TestASimulationLeavesADatabaseWithDataAlone(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "kept.db")
	expect(t, 0, `nothing was made, nothing was lost`, ``, nil, "simulate", "--subscribers", "2", "--days", "1", "--database", db)
	expect(t, 1, ``, `holds the service provider 1 already`, nil, "simulate", "--subscribers", "2", "--days", "1", "--database", db)
}
