package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// demarc runs the command line and gives its exit code and what it printed.
func demarc(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	t.Chdir(t.TempDir())
	code = run(t.Context(), args, env, &out, &errs)
	return code, out.String(), errs.String()
}

// expect runs the command line and holds what it must print where.
func expect(t *testing.T, wantCode int, wantOut, wantErr string, env []string, args ...string) string {
	t.Helper()
	code, out, errs := demarc(t, env, args...)
	if code != wantCode || !regexp.MustCompile(wantOut).MatchString(out) || !regexp.MustCompile(wantErr).MatchString(errs) {
		t.Errorf("demarc %s: exit code %d (want %d)\nstandard output: %s\nstandard error: %s", strings.Join(args, " "), code, wantCode, out, errs)
	}
	return out
}

func TestWithoutArgumentsItSaysWhatItCanDo(t *testing.T) {
	expect(t, 0, `(?s)serve.*migrate.*token.*apikey.*jobs.*doctor`, `^$`, nil)
}

func TestACommandLineThatMakesNoSenseIsExitCode2(t *testing.T) {
	expect(t, 2, `^$`, `unexpected argument fly`, nil, "fly")
	expect(t, 2, `^$`, `unknown flag --lisen`, nil, "serve", "--lisen", "x")
	expect(t, 2, `^$`, `"many" is not a whole number`, []string{"DEMARC_WORKERS=many"}, "version")
}

func TestSettingsAreShownWithWhereTheyComeFrom(t *testing.T) {
	env := []string{"DEMARC_JOB_POLL=2s", "DEMARC_JOBPOLL=2s"}
	expect(t, 0, `(?m)^listen +127\.0\.0\.1:9000 +flag$[\s\S]*^job-poll +2s +environment$`, `DEMARC_JOBPOLL is no setting`, env, "config", "--listen", "127.0.0.1:9000")
}

func TestMigrateSaysWhatItWouldDoAndDoesIt(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	expect(t, 0, `(?m)^\d+ steps to take$`, ``, nil, "migrate", "--data", data, "--dry-run")
	expect(t, 0, `not yet`, ``, nil, "migrate", "--data", data, "--status")
	expect(t, 1, ``, `To mend it: run .demarc migrate. first`, nil, "jobs", "list", "--data", data)
	expect(t, 0, `(?m)^[1-9]\d* steps taken$`, ``, nil, "migrate", "--data", data)
	expect(t, 0, `(?m)^0 steps taken$`, ``, nil, "migrate", "--data", data)
	expect(t, 0, `0001 +core +20\d\d-`, ``, nil, "migrate", "--data", data, "--status")
}

func TestDoctorSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	expect(t, 1, `WRONG +schema[\s\S]*demarc migrate`, `1 things? (is|are) wrong`, nil, "doctor", "--data", data)
	expect(t, 0, ``, ``, nil, "migrate", "--data", data)
	expect(t, 0, `ok +ledger +balances[\s\S]*ok +jobs`, ``, nil, "doctor", "--data", data)
	expect(t, 1, `WRONG +database[\s\S]*PostgreSQL does not answer`, ``, nil, "doctor", "--data", data, "--db", "postgres://demarc@127.0.0.1:1/demarc")
	issuer := []string{"DEMARC_ISSUER=http://127.0.0.1:1/realms/cm", "DEMARC_ALLOWED_CLIENT=obp-apigw"}
	expect(t, 1, `WRONG +issuer[\s\S]*check the URL`, ``, issuer, "doctor", "--data", data)
}

func TestATokenIsAllThatStandsOnStandardOutput(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	// Nothing listens there: the token is made with the key in the data folder.
	const jwt = `^[\w-]+\.[\w-]+\.[\w-]+\n$`
	expect(t, 0, jwt, `made with the key in the data folder`, nil, "token", "--data", data, "--url", "http://127.0.0.1:1")
	expect(t, 0, jwt, ``, nil, "token", "--data", data, "--url", "http://127.0.0.1:1", "--user", "service-account-obp-apigw")
	expect(t, 1, `^$`, `no identity provider answers`, nil, "token", "--data", data, "--url", "http://127.0.0.1:1", "--user", "nobody")
}

func TestTheRealmIsPrinted(t *testing.T) {
	out := expect(t, 0, `"realm": ?"cm"`, `^$`, nil, "realm", "export", "--service-provider", "7:GladPhone")
	if !strings.Contains(out, "7:*:*") || strings.Contains(out, "1:*:*") || strings.Contains(out, "demarc-dev") {
		t.Error("the realm is not that of service provider 7, or has the passwords of development")
	}
}

func TestAnAPIKeyIsIssuedRotatedAndRevoked(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	expect(t, 0, ``, ``, nil, "migrate", "--data", data)
	expect(t, 1, `^$`, `roles\[0\]`, nil, "apikey", "issue", "--data", data, "--for", "crm", "--spid", "1", "--role", "2:*:*")
	expect(t, 0, `^dmk_\w+\n$`, `It is not shown again`, nil, "apikey", "issue", "--data", data, "--for", "crm", "--spid", "1", "--role", "1:customer:get", "--scope", "obp-apigw:read")
	out := expect(t, 0, `crm +1 +1:customer:get`, ``, nil, "apikey", "list", "--data", data)
	id := strings.Fields(strings.Split(out, "\n")[1])[0]
	expect(t, 0, `^dmk_\w+\n$`, ``, nil, "apikey", "rotate", id, "--data", data)
	expect(t, 0, `is revoked`, ``, nil, "apikey", "revoke", id, "--data", data)
	expect(t, 0, `revoked 20\d\d-`, ``, nil, "apikey", "list", "--data", data)
	expect(t, 1, `^$`, `no (such )?API key`, nil, "apikey", "revoke", "nothing", "--data", data)
}

func TestServeStopsWhenToldAndSaysWhyItCannotStart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ctx, stop := context.WithCancel(t.Context())
	out := &waiting{seen: make(chan struct{}), want: "try "}
	var errs bytes.Buffer
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"serve", "--dev", "--data", data, "--listen", "127.0.0.1:0", "--access-log", "none"}, nil, out, &errs)
	}()
	select {
	case <-out.seen:
	case <-time.After(time.Minute):
		t.Fatalf("no banner: %s", errs.String())
	}
	expect(t, 1, ``, `another demarc serves the database[\s\S]*To mend it: stop it`, nil, "serve", "--dev", "--data", data, "--listen", "127.0.0.1:0")
	stop()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

func TestAPortInUseIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	data := filepath.Join(t.TempDir(), "data")
	expect(t, 1, ``, `cannot listen on .*\nTo mend it: another program listens there`, nil, "serve", "--dev", "--data", data, "--listen", l.Addr().String())
	if _, err := os.Stat(filepath.Join(data, "demarc.db")); err == nil {
		t.Error("the database was made all the same")
	}
}

func TestAnUnreachableDatabaseIsTold(t *testing.T) {
	expect(t, 1, ``, `To mend it: PostgreSQL does not answer there`, nil,
		"serve", "--dev", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--db", "postgres://demarc@127.0.0.1:1/demarc")
	expect(t, 1, ``, `To mend it: choose another`, nil,
		"serve", "--dev", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--db", "sqlite:/nowhere/demarc.db")
}

// waiting tells when a text was written.
type waiting struct {
	text bytes.Buffer
	want string
	seen chan struct{}
	told bool
}

func (w *waiting) Write(p []byte) (int, error) {
	n, err := w.text.Write(p)
	if !w.told && strings.Contains(w.text.String(), w.want) {
		w.told = true
		close(w.seen)
	}
	return n, err
}

func TestPlansNumbersAndSIMsAreLoaded(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	plans := filepath.Join(t.TempDir(), "plans.yaml")
	text := "currency: CHF\ntaxRate: 8.1\nplans:\n  - {key: a, name: A, paidType: prepaid, price: 10, openingBalance: 20}\n"
	if err := os.WriteFile(plans, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, 0, ``, ``, nil, "migrate", "--data", data)
	expect(t, 0, `1 of 1 entries`, ``, nil, "seed", "--data", data, "--spid", "3", "--plans", plans)
	expect(t, 0, `0 of 1 entries`, ``, nil, "seed", "--data", data, "--spid", "3", "--plans", plans)
	expect(t, 0, `5 numbers were added[\s\S]*4 SIMs were added`, ``, nil, "seed", "--data", data, "--spid", "3", "--numbers", "41790000000+5", "--sims", "41001/22801/1+4")
	expect(t, 1, ``, `is not FIRST\+COUNT`, nil, "seed", "--data", data, "--numbers", "41790000000")
	if err := os.WriteFile(plans, []byte(text+"  - {key: a, name: B}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, 1, ``, `line 5`, nil, "seed", "--data", data, "--plans", plans)
}

// deadJob leaves a dead job in the database of a data folder.
func deadJob(t *testing.T, data string) id.ID {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(data, "demarc.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var i id.ID
	ctx := scope.With(t.Context(), auth.System(1, scope.Actor{}))
	err = s.Write(ctx, func(ctx context.Context) (err error) {
		i, err = s.Enqueue(ctx, 0, job.Job{Kind: "order.step"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	leased, err := s.ClaimJobs(ctx, 1, time.Minute)
	if err != nil || len(leased) != 1 {
		t.Fatalf("%d jobs leased, %v", len(leased), err)
	}
	if err := s.FailJob(ctx, leased[0], time.Time{}, "the gateway is gone"); err != nil {
		t.Fatal(err)
	}
	return i
}

func TestDeadJobsAreListedRetriedAndCancelled(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	expect(t, 0, ``, ``, nil, "migrate", "--data", data)
	i := string(deadJob(t, data))
	expect(t, 0, i+` +1 +order\.step +dead +1 .*"the gateway is gone"`, ``, nil, "jobs", "list", "--data", data, "--state", "dead")
	expect(t, 0, `note +jobs +service provider 1 has 1 dead jobs[\s\S]*demarc jobs list`, ``, nil, "doctor", "--data", data)
	expect(t, 1, ``, `state does not allow`, nil, "jobs", "cancel", i, "--data", data)
	expect(t, 0, `1 jobs are ready again`, ``, nil, "jobs", "retry", "--dead", "--data", data)
	expect(t, 0, i+` .* ready `, ``, nil, "jobs", "list", "--data", data)
	expect(t, 0, `1 jobs are cancelled`, ``, nil, "jobs", "cancel", i, "--data", data)
	expect(t, 1, ``, `name the jobs`, nil, "jobs", "retry", "--data", data)
}

// serving holds the lock of a database as a server does, until it is let go.
func serving(t *testing.T, data string) (leave func()) {
	t.Helper()
	held, err := os.OpenFile(filepath.Join(data, "demarc.db.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	return func() { _ = held.Close() }
}

func TestCommandsThatChangeThingsStayAwayFromADatabaseThatAServerHas(t *testing.T) {
	data, plans := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "plans.yaml")
	if err := os.WriteFile(plans, []byte("currency: CHF\ntaxRate: 8\nplans:\n  - {key: a, name: A, price: 0}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, 0, ``, ``, nil, "migrate", "--data", data)
	job := string(deadJob(t, data))
	leave := serving(t, data)
	const busy = `another demarc serves the database[\s\S]*To mend it: .*POST /[\s\S]*or stop the server`
	changing := [][]string{
		{"seed", "--numbers", "41790000000+10"}, {"seed", "--demonstration"}, {"catalogue", "load", plans},
		{"jobs", "retry", job}, {"jobs", "retry", "--dead"}, {"jobs", "cancel", job},
	}
	for _, args := range changing {
		expect(t, 1, `^$`, busy, nil, append(args, "--data", data)...)
	}
	expect(t, 1, `^$`, `another demarc serves the database[\s\S]*To mend it: stop the server`, nil, "migrate", "--data", data)
	expect(t, 0, `dead`, ``, nil, "jobs", "list", "--data", data) // reading is fine
	expect(t, 0, `steps to take`, ``, nil, "migrate", "--dry-run", "--data", data)
	leave()
	for _, args := range changing {
		if args[1] != "--demonstration" { // which takes a while, and is tried elsewhere
			expect(t, 0, `.`, ``, nil, append(args, "--data", data)...)
		}
	}
}
