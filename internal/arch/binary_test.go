package arch

import (
	"os/exec"
	"strings"
	"testing"
)

// What the binary must not contain: things that come in by the back door, make it large, and do nothing for it.
func TestTheBinaryLeavesOut(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/demarc")
	cmd.Dir = root()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	refused := []string{
		"google.golang.org/grpc", "github.com/grpc-ecosystem", "testing", "net/http/httptest", "net/http/pprof",
		"github.com/stretchr/testify", "pgregory.net/rapid", module + "internal/store/storetest", module + "test",
	}
	for pkg := range strings.FieldsSeq(string(out)) {
		for _, r := range refused {
			if within(pkg, r) {
				t.Errorf("the binary contains %s", pkg)
			}
		}
	}
}
