//go:build readme

// Package readme does what README.md says, as it stands there.
package readme

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/test/binary"
)

// section is a heading's text up to the next one.
func section(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(binary.Root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+heading)
	if !found {
		t.Fatalf("README.md has no section %q", heading)
	}
	part, _, _ := strings.Cut(rest, "\n## ")
	return part
}

// block is the first shell block of a text.
func block(t *testing.T, text string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "```sh\n")
	code, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("there is no shell block")
	}
	return code
}

// makeRun does `make run` at a port of the test's own, and gives the server's URL and the request that the
// banner proposes.
func makeRun(t *testing.T) (url, try string) {
	t.Helper()
	url = fmt.Sprintf("http://127.0.0.1:%d", binary.Port(t))
	cmd := exec.Command("make", "run")
	cmd.Dir = binary.Root(t)
	cmd.Env = append(binary.Environ(), "DEMARC_LISTEN="+strings.TrimPrefix(url, "http://"), "DEMARC_DATA="+t.TempDir(), "DEMARC_ACCESS_LOG=none")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	})
	propose := regexp.MustCompile(`^ +try +(curl .*)$`)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := propose.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return url, m[1]
		}
	}
	t.Fatal("make run proposed no request")
	return "", ""
}

func shell(t *testing.T, script, url string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = binary.Root(t)
	cmd.Env = append(binary.Environ(), "DEMARC_URL="+url)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	return string(out)
}

func TestMakeRunAndTheFirstSixRequests(t *testing.T) {
	url, try := makeRun(t)
	t.Run("the request that the banner proposes", func(t *testing.T) {
		var customers []struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal([]byte(shell(t, try, url)), &customers); err != nil || len(customers) != 1 {
			t.Errorf("%d customers, %v", len(customers), err)
		}
	})
	t.Run("a new subscriber", func(t *testing.T) {
		var shown struct {
			MobileNumber string `json:"mobileNumber"`
			Balance      struct {
				Amount float64 `json:"amount"`
				Units  string  `json:"units"`
			} `json:"balance"`
			Buckets []struct {
				Name string `json:"bundleName"`
			} `json:"bucket"`
		}
		out := shell(t, block(t, section(t, "A new subscriber")), url)
		if err := json.Unmarshal([]byte(out), &shown); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if !strings.HasPrefix(shown.MobileNumber, "336") || shown.Balance.Amount != 25.10 || shown.Balance.Units != "EUR" || len(shown.Buckets) != 4 {
			t.Errorf("%s", out)
		}
	})
}

// Nothing that the documents show may be a command or a file that there is not.
func TestDocumentsNameOnlyWhatThereIs(t *testing.T) {
	root := binary.Root(t)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	parts, err := filepath.Glob(filepath.Join(root, "test", "*", "*.mk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		makefile = append(append(makefile, '\n'), text...)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"} {
		pages = append(pages, filepath.Join(root, name))
	}
	target, link := regexp.MustCompile("`make ([a-z]+)"), regexp.MustCompile(`\]\(([^)#:]+)\)`)
	command := regexp.MustCompile("`demarc ([a-z]+)( [a-z]+)?")
	bin := binary.Build(t)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range target.FindAllStringSubmatch(string(text), -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
				t.Errorf("%s names make %s, which there is not", page, m[1])
			}
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which there is not", page, m[1])
			}
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			if out, err := exec.CommandContext(t.Context(), bin, m[1], "--help").CombinedOutput(); err != nil {
				t.Errorf("%s names demarc %s: %s", page, m[1], out)
			}
		}
	}
}
