//go:build ctk

// Package ctk runs the official TM Forum conformance kits against the binary, on both engines, each with an
// empty database and with demonstration data.
package ctk

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/test/binary"
)

// runs are the kits by the base path that they are run at.
var runs = []struct {
	name string
	args []string
}{
	{"official paths", []string{"TMF620", "TMF622", "TMF637", "TMF663", "TMF629", "TMF632", "TMF669", "TMF666", "TMF676"}},
	{"customer at api", []string{"--map", "TMF629=/api/", "TMF629"}},
}

func TestConformanceKits(t *testing.T) {
	script := filepath.Join(os.Getenv("SHARED"), "tmf", "run-ctk.mjs")
	if _, err := os.Stat(script); err != nil {
		t.Fatalf("the kits are not there: %v\nsay where with make ctk SHARED=FOLDER", err)
	}
	if os.Getenv("NEWMAN_DIR") == "" {
		t.Fatal("NEWMAN_DIR must name a folder with newman; make ctk installs one")
	}
	kits := ownHeaders(t, filepath.Join(os.Getenv("SHARED"), "tmf", "ctk"))
	bin := binary.Build(t)
	for _, engine := range storetest.Engines {
		for _, data := range []string{"empty", "demo"} {
			t.Run(engine+"/"+data, func(t *testing.T) {
				args := []string{"--dev", "--access-log", "none", "--db", storetest.URL(t, engine)}
				if data == "demo" {
					args = append(args, "--demo", "--demo-customers", "50")
				}
				s := binary.Start(t, binary.Options{Bin: bin, Args: args})
				token, err := s.Token(t.Context(), "")
				if err != nil {
					t.Fatal(err)
				}
				if data == "empty" {
					record(t, s.URL, token)
				}
				for _, r := range runs {
					t.Run(r.name, func(t *testing.T) {
						cmd := exec.CommandContext(t.Context(), "node", append([]string{script, "--kits", kits, "--base", s.URL, "--token", token}, r.args...)...)
						out, err := cmd.CombinedOutput()
						t.Logf("%s", out)
						if err != nil {
							t.Errorf("the kits fail: %v", err)
						}
					})
				}
			})
		}
	}
}

// record keeps two products of different status: the kit of TMF637 only looks at what is there.
func record(t *testing.T, base, token string) {
	t.Helper()
	for _, status := range []string{"active", "suspended"} {
		body, err := json.Marshal(map[string]any{
			"name": "Router " + status, "status": status, "billingAccount": map[string]any{"id": "4711"},
			"relatedParty":          []any{map[string]any{"id": "500", "name": "Jane Doe", "@referredType": "Individual"}},
			"productOffering":       map[string]any{"id": "815", "name": "Router at home"},
			"productCharacteristic": []any{map[string]any{"name": "colour", "value": "white"}},
			"productPrice": []any{map[string]any{"name": "Router", "priceType": "oneTime",
				"price": map[string]any{"taxIncludedAmount": map[string]any{"unit": "CHF", "value": 49}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/tmf-api/productInventory/v4/product", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusCreated {
			t.Fatalf("a product to look at: %s %s", res.Status, answer)
		}
	}
}

// ownHeaders gives the kits with the headers that we set and no other: the configuration of a kit, which is there to be
// edited, may hold an Authorization of its author's.
func ownHeaders(t *testing.T, kits string) string {
	t.Helper()
	out := t.TempDir()
	all, err := filepath.Glob(filepath.Join(kits, "*", "*"))
	if err != nil || len(all) == 0 {
		t.Fatalf("there are no kits in %s: %v", kits, err)
	}
	for _, from := range all {
		from, err := filepath.Abs(from)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(out, filepath.Base(filepath.Dir(from)))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.Base(from))
		if filepath.Base(from) != "config.json" {
			if err := os.Symlink(from, to); err != nil {
				t.Fatal(err)
			}
			continue
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		if err := json.Unmarshal(text, &config); err != nil {
			t.Fatalf("%s: %v", from, err)
		}
		if headers, ok := config["headers"].(map[string]any); ok {
			delete(headers, "Authorization")
		}
		if text, err = json.Marshal(config); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
