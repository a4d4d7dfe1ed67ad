//go:build ctk

// Package ctk runs the official TM Forum conformance kits against the binary, on both engines, each with an
// empty database and with demonstration data.
package ctk

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/test/binary"
)

// runs are the kits by the base path that they are run at.
var runs = []struct {
	name string
	args []string
}{
	{"official paths", []string{"TMF629", "TMF632", "TMF669", "TMF666"}},
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
				for _, r := range runs {
					t.Run(r.name, func(t *testing.T) {
						cmd := exec.CommandContext(t.Context(), "node", append([]string{script, "--base", s.URL, "--token", token}, r.args...)...)
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
