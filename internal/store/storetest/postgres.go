package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/demarc-bss/demarc/internal/store"
)

// server is the PostgreSQL of a test binary: the one that DEMARC_TEST_POSTGRES names, or one of its own.
type server struct {
	url string
	// template is a migrated database that each test gets a copy of; empty: there is none.
	template string
	// own says that the server was started for this test binary.
	own  bool
	stop func()

	mu     sync.Mutex
	serial int
	// free are emptied databases.
	free []string
}

// shared is the server of this process. It is not stopped by the tests: the watchdog does it when the
// process ends, so no test binary needs a TestMain.
var shared struct {
	sync.Mutex
	server *server
	err    error
}

func use(t testing.TB) *server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = start()
	}
	if shared.err != nil {
		t.Fatalf("storetest: PostgreSQL is needed (set DEMARC_TEST_POSTGRES to a URL, or install initdb and postgres): %v", shared.err)
	}
	return shared.server
}

// freshDatabase gives a migrated database without rows. Making one takes far longer than emptying one, so
// on a server of our own it goes to the next test.
func freshDatabase(t testing.TB) string {
	t.Helper()
	s := use(t)
	name, err := s.take()
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	t.Cleanup(func() {
		if !s.own {
			err = s.admin(s.url, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name))
		} else if err = s.admin(s.database(name), empty); err == nil {
			s.mu.Lock()
			s.free = append(s.free, name)
			s.mu.Unlock()
		}
		if err != nil {
			t.Errorf("storetest: %v", err)
		}
	})
	return s.database(name)
}

// emptyDatabase gives a database that was never migrated.
func emptyDatabase(t testing.TB) string {
	t.Helper()
	s := use(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	name := fmt.Sprintf("demarc_test_%d_%d", os.Getpid(), s.serial)
	if err := s.admin(s.url, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		t.Fatalf("storetest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.admin(s.url, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)); err != nil {
			t.Errorf("storetest: %v", err)
		}
	})
	return s.database(name)
}

// empty deletes all rows but those that say which migrations were applied.
const empty = `DO $$ DECLARE t text; BEGIN
FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migration' LOOP
EXECUTE 'DELETE FROM ' || quote_ident(t);
END LOOP; END $$`

// take finds an emptied database or copies the template, which PostgreSQL does only while nobody is
// connected to it.
func (s *server) take() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		name := s.free[n-1]
		s.free = s.free[:n-1]
		return name, nil
	}
	s.serial++
	name := fmt.Sprintf("demarc_test_%d_%d", os.Getpid(), s.serial)
	return name, s.create(name, s.template)
}

func (s *server) database(name string) string {
	u, err := url.Parse(s.url)
	if err != nil {
		return s.url
	}
	u.Path = "/" + name
	return u.String()
}

func (s *server) admin(url, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx) //nolint:errcheck // the statement's error is the one that tells
	_, err = c.Exec(ctx, sql)
	return err
}

func start() (*server, error) {
	s := &server{url: os.Getenv("DEMARC_TEST_POSTGRES"), stop: func() {}}
	if s.url == "" {
		if err := s.cluster(); err != nil {
			s.stop()
			return nil, err
		}
	}
	if !s.own {
		return s, nil // nothing may be left on a server that stays, so it has no template
	}
	s.template = "demarc_template"
	return s, s.create(s.template, "")
}

// create makes a migrated database, as a copy of another where there is one.
func (s *server) create(name, from string) error {
	if from != "" {
		return s.admin(s.url, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, from))
	}
	if err := s.admin(s.url, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return err
	}
	ctx := context.Background()
	st, err := store.Open(ctx, s.database(name), store.Options{Readers: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, err = st.Migrate(ctx, false)
	return errors.Join(err, st.Close())
}

// cluster makes a PostgreSQL of its own in a temporary directory. It ends with this process, however that
// ends: a supervising shell waits for the pipe that only this process holds open.
func (s *server) cluster() error {
	bin, err := binaries()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "demarc-pg-")
	if err != nil {
		return err
	}
	cred, err := unprivileged(dir)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	init := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "demarc", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	init.Dir, init.SysProcAttr = dir, &syscall.SysProcAttr{Credential: cred}
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	return s.run(bin, dir, data, port, cred)
}

// watchdog runs the server until its standard input ends, then stops it and clears up. A test binary that
// is killed leaves nothing behind.
const watchdog = `"$1" -D "$2" -p "$3" -k "$4" -c listen_addresses=127.0.0.1 -c fsync="$5" -c max_connections=200 \
-c shared_buffers=64MB -c log_min_messages=fatal -c max_wal_size=256MB -c autovacuum=off -c full_page_writes="$5" >"$4/log" 2>&1 </dev/null &
pid=$!
cat >/dev/null
kill -INT $pid
wait $pid
rm -rf "$4"`

func (s *server) run(bin, dir, data string, port int, cred *syscall.Credential) error {
	fsync := "off"
	if os.Getenv("DEMARC_TEST_FSYNC") != "" {
		fsync = "on"
	}
	cmd := exec.Command("/bin/sh", "-c", watchdog, "sh", filepath.Join(bin, "postgres"), data, strconv.Itoa(port), dir, fsync)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.own = true
	s.stop = func() {
		_ = hold.Close()
		_ = cmd.Wait()
	}
	s.url = fmt.Sprintf("postgres://demarc@127.0.0.1:%d/postgres?sslmode=disable", port)
	return s.answer(dir)
}

// answer waits until the server takes connections.
func (s *server) answer(dir string) (err error) {
	for range 300 {
		if err = s.admin(s.url, "SELECT 1"); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	return fmt.Errorf("the server does not answer: %w: %s", err, log)
}

// binaries is the directory of initdb and postgres, the newest when there are several.
func binaries() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			if _, err := os.Stat(filepath.Join(filepath.Dir(p), "postgres")); err == nil {
				return filepath.Dir(p), nil
			}
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", fmt.Errorf("neither initdb in PATH nor /usr/lib/postgresql/*/bin")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged gives the directory to a user that PostgreSQL agrees to run as; nil when this one is fine.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close() //nolint:errcheck // nothing was written
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	return strconv.Atoi(port)
}
