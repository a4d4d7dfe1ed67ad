//go:build unix

// Package keycloaktest starts a real Keycloak for tests.
//
// fetch.sh in this folder installs a distribution; KEYCLOAK_HOME names it. The tests of this package run
// with the build tag `keycloak`:
//
//	KEYCLOAK_HOME=$(internal/auth/keycloaktest/fetch.sh .tools) go test -tags keycloak -timeout 30m ./internal/auth/keycloaktest
package keycloaktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

const (
	startWithin = 6 * time.Minute // the first start of a copy compiles itself, on a slow machine for minutes
	stopWithin  = 15 * time.Second
	askEvery    = 250 * time.Millisecond
	minJava     = 21
)

// Start runs a Keycloak of its own on a loopback port, imports the realm and answers its issuer URL. The
// server works on a temporary copy of KEYCLOAK_HOME and ends with the test. Without KEYCLOAK_HOME or a
// Java of at least version 21, or when the server is not ready in six minutes, the test fails.
func Start(t testing.TB, realmJSON []byte) (issuerURL string) {
	t.Helper()
	r, err := realm.Parse(bytes.NewReader(realmJSON))
	if err != nil {
		t.Fatal(err)
	}
	home, err := install(t, realmJSON)
	if err != nil {
		t.Fatal(err)
	}
	javaHome, err := findJava()
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	log := new(tail)
	cmd := exec.Command(filepath.Join(home, "bin", "kc.sh"), "start-dev",
		"--http-host=127.0.0.1", "--http-port="+strconv.Itoa(port), "--import-realm")
	cmd.Env = append(os.Environ(), "JAVA_HOME="+javaHome, "JAVA_OPTS_KC_HEAP=-Xms64m -Xmx768m")
	cmd.Stdout, cmd.Stderr = log, log
	// The shell script leaves Java as its child: a group of their own lets both be stopped.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-clock.Real{}.After(stopWithin):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	})
	issuerURL = fmt.Sprintf("http://127.0.0.1:%d/realms/%s", port, r.Realm)
	if err := ready(issuerURL, ended); err != nil {
		t.Fatalf("Keycloak: %v\n%s", err, log)
	}
	return issuerURL
}

// install copies the distribution, since it writes into its own folders, and puts the realm where it is
// imported from.
func install(t testing.TB, realmJSON []byte) (string, error) {
	from := os.Getenv("KEYCLOAK_HOME")
	if from == "" {
		return "", errors.New("KEYCLOAK_HOME is not set; fetch.sh installs a Keycloak and prints its folder")
	}
	home := filepath.Join(t.TempDir(), "keycloak")
	for _, part := range []string{"bin", "conf", "lib", "providers", "themes"} {
		src := filepath.Join(from, part)
		if _, err := os.Stat(src); err != nil && part != "bin" && part != "lib" {
			continue
		}
		if err := os.CopyFS(filepath.Join(home, part), os.DirFS(src)); err != nil {
			return "", fmt.Errorf("KEYCLOAK_HOME: %w", err)
		}
	}
	imports := filepath.Join(home, "data", "import")
	if err := os.MkdirAll(imports, 0o755); err != nil {
		return "", err
	}
	return home, os.WriteFile(filepath.Join(imports, "realm.json"), realmJSON, 0o600)
}

// findJava is the home of a Java of at least version 21: JAVA_HOME when it will do, else one of the
// system's.
func findJava() (string, error) {
	candidates, _ := filepath.Glob("/usr/lib/jvm/*")
	for _, dir := range append([]string{os.Getenv("JAVA_HOME")}, candidates...) {
		if dir != "" && javaVersion(dir) >= minJava {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no Java of at least version %d: set JAVA_HOME", minJava)
}

// javaVersion reads the major version from the release file of an installation; 0 when there is none.
func javaVersion(dir string) int {
	raw, err := os.ReadFile(filepath.Join(dir, "release"))
	if err != nil {
		return 0
	}
	_, after, found := strings.Cut(string(raw), `JAVA_VERSION="`)
	if !found {
		return 0
	}
	digits := after[:strings.IndexFunc(after+".", func(r rune) bool { return r < '0' || r > '9' })]
	n, _ := strconv.Atoi(digits)
	return n
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func ready(issuer string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/.well-known/openid-configuration", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ended:
			return errors.New("ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s", startWithin)
		case <-clock.Real{}.After(askEvery):
		}
	}
}

// tail keeps the last of what the server says, for the message of a test that fails.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 16 << 10

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf = append(l.buf, p...); len(l.buf) > tailBytes {
		l.buf = append([]byte(nil), l.buf[len(l.buf)-tailBytes:]...)
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}
