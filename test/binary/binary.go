// Package binary builds and runs the real demarc for tests from the outside.
package binary

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Root is the repository's root.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// Build is the path of the binary: DEMARC_BIN, or one built as `make build` does.
func Build(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("DEMARC_BIN"); path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return abs
	}
	path := filepath.Join(Root(t), "bin", "demarc")
	cmd := exec.Command("make", "-s", "build")
	cmd.Dir = Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the binary cannot be built: %v\n%s", err, out)
	}
	return path
}

// Port is a loopback port that nothing listens on.
func Port(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// Server is a running demarc.
type Server struct {
	// URL is where it listens; Data its data folder.
	URL, Data string
	// Ready is how long it took from its start until /readyz answered 200.
	Ready time.Duration
	Cmd   *exec.Cmd

	bin    string
	log    tail
	exited chan struct{}
}

// Options say how to start it.
type Options struct {
	// Bin is the binary, from Build.
	Bin string
	// Data is its folder; a temporary one when empty. Port is where it listens; a free one when 0.
	Data string
	Port int
	// Args follow `serve`; Env is added to the environment.
	Args, Env []string
}

// Start runs `demarc serve` until the test ends, and waits until it is ready.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Launch(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Launch is Start that answers the failure to start.
func Launch(t testing.TB, o Options) (*Server, error) {
	t.Helper()
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	if o.Port == 0 {
		o.Port = Port(t)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", o.Port)
	s := &Server{URL: "http://" + listen, Data: o.Data, bin: o.Bin, exited: make(chan struct{})}
	s.Cmd = exec.Command(o.Bin, append([]string{"serve", "--listen", listen, "--data", o.Data}, o.Args...)...)
	s.Cmd.Env = append(Environ(), o.Env...)
	s.Cmd.Stdout, s.Cmd.Stderr = &s.log, &s.log
	began := time.Now()
	if err := s.Cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = s.Cmd.Wait(); close(s.exited) }()
	t.Cleanup(func() { s.Kill() })
	client := &http.Client{Timeout: 2 * time.Second}
	for time.Since(began) < time.Minute {
		select {
		case <-s.exited:
			return nil, fmt.Errorf("demarc ended with %v:\n%s", s.Cmd.ProcessState, s.log.String())
		default:
		}
		res, err := client.Get(s.URL + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				s.Ready = time.Since(began)
				return s, nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	s.Kill()
	return nil, fmt.Errorf("demarc was not ready within a minute:\n%s", s.log.String())
}

// Environ is the environment without settings of demarc.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "DEMARC_") })
}

// Kill ends it at once, as kill -9 does.
func (s *Server) Kill() {
	_ = s.Cmd.Process.Kill()
	<-s.exited
}

// Stop tells it to stop and gives the exit code.
func (s *Server) Stop(within time.Duration) (int, error) {
	_ = s.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
		return s.Cmd.ProcessState.ExitCode(), nil
	case <-time.After(within):
		return 0, fmt.Errorf("demarc did not stop within %s:\n%s", within, s.log.String())
	}
}

// Token is a bearer token of a development user.
func (s *Server) Token(ctx context.Context, user string) (string, error) {
	if user == "" {
		user = "admin"
	}
	cmd := exec.CommandContext(ctx, s.bin, "token", "--url", s.URL, "--user", user)
	cmd.Env = Environ()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("demarc token: %w: %s", err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// tail keeps the last of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 64<<10 {
		t.b = append([]byte(nil), t.b[len(t.b)-32<<10:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
