package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestACatalogueIsCheckedAndLoaded(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := write("good.yaml", "currency: CHF\ntaxRate: 8\nplans:\n  - {key: a, name: A, price: 0}\n")
	bad := write("bad.yaml", "currency: CHF\ntaxRate: 8\nplans:\n  - {key: a, name: A}\n  - {key: b, price: 0}\n")
	resources := write("good.json", `[{"@type":"ProductOffering","key":"a","name":"A","lifecycleStatus":"Active"}]`)

	expect(t, 0, `good\.yaml is good: 0 categories, 0 tariffs, 1 offerings, 1 pricePlan`, `^$`, nil, "catalogue", "check", good)
	expect(t, 1, `bad\.yaml: line 4: price is missing[\s\S]*bad\.yaml: line 5: name is missing`, `bad\.yaml has 2 mistakes`, nil, "catalogue", "check", bad)
	expect(t, 0, `1 offerings`, `^$`, nil, "catalogue", "check", resources)
	expect(t, 0, ``, ``, nil, "migrate", "--data", data)
	expect(t, 0, `1 of 1 entries of the catalogue of service provider 2 are new or changed`, ``, nil, "catalogue", "load", "--data", data, "--spid", "2", good)
	expect(t, 0, `0 of 1 entries`, ``, nil, "catalogue", "load", "--data", data, "--spid", "2", good)
	expect(t, 1, `line 4: price is missing`, `2 mistakes`, nil, "catalogue", "load", "--data", data, bad)
}
