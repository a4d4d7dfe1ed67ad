package app_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// settings are those of a development server of a test's own.
func settings(t *testing.T) *config.Settings {
	t.Helper()
	s, err := config.Default()
	if err != nil {
		t.Fatal(err)
	}
	s.Dev, s.Listen, s.Data, s.AccessLog = true, "127.0.0.1:0", t.TempDir(), "none"
	return s
}

func start(t *testing.T, s *config.Settings) *app.App {
	t.Helper()
	a := app.New(s, app.Options{Logger: slog.New(slog.DiscardHandler), Version: "test"})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func stop(t *testing.T, a *app.App) {
	t.Helper()
	if err := a.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// send sends a request as the administrator and gives the status and the body.
func send(t *testing.T, a *app.App, method, path string, body io.Reader) (int, string) {
	t.Helper()
	token, err := a.Mint(realm.UserAdmin, realm.GatewayClient)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, a.URL()+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestWhatWasAcknowledgedIsThereAfterARestart(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			s := settings(t)
			s.DB = storetest.URL(t, engine)
			a := start(t, s)
			if status, body := send(t, a, "POST", "/api/individual", strings.NewReader(`{"givenName":"Ann","familyName":"Restart"}`)); status != 201 {
				t.Fatalf("status %d: %s", status, body)
			}
			stop(t, a)
			a = start(t, s)
			defer stop(t, a)
			if status, body := send(t, a, "GET", "/api/individual?familyName=Restart", nil); status != 200 || !strings.Contains(body, "Ann") {
				t.Errorf("status %d: %s", status, body)
			}
		})
	}
}

// slowBody is a request's body that comes in two halves: the second once the server has begun to stop.
type slowBody struct {
	first, second io.Reader
	begun         chan struct{}
	goOn          chan struct{}
}

func (b *slowBody) Read(p []byte) (int, error) {
	if n, err := b.first.Read(p); err == nil {
		return n, nil
	}
	select {
	case <-b.begun:
	default:
		close(b.begun)
	}
	<-b.goOn
	return b.second.Read(p)
}

func TestAStopLetsRequestsInHandEnd(t *testing.T) {
	a := start(t, settings(t))
	body := &slowBody{
		first:  strings.NewReader(`{"givenName":"Ann",` + strings.Repeat(" ", 8192)),
		second: strings.NewReader(`"familyName":"Slow"}`),
		begun:  make(chan struct{}), goOn: make(chan struct{}),
	}
	answered := make(chan int, 1)
	go func() {
		status, _ := send(t, a, "POST", "/api/individual", body)
		answered <- status
	}()
	<-body.begun
	waitInHand(t, a)
	stopped := make(chan struct{})
	go func() { stop(t, a); close(stopped) }()
	close(body.goOn)
	if status := <-answered; status != 201 {
		t.Errorf("status %d for the request in hand", status)
	}
	<-stopped
	if _, err := http.Get(a.URL() + "/healthz"); err == nil {
		t.Error("it answers after it stopped")
	}
}

// waitInHand waits until the server works on a request beside the one for its metrics.
func waitInHand(t *testing.T, a *app.App) {
	t.Helper()
	for {
		if _, text := send(t, a, "GET", "/metrics", nil); strings.Contains(text, "in_flight 2") {
			return
		}
	}
}

func TestAFailedStartLeavesNothingBehind(t *testing.T) {
	s := settings(t)
	a := start(t, s)
	defer stop(t, a)

	second := *s
	second.Listen = a.Address()
	err := app.New(&second, app.Options{Logger: slog.New(slog.DiscardHandler)}).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "cannot listen") {
		t.Errorf("a second server at the same address: %v", err)
	}
	third := *s
	failed := app.New(&third, app.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := failed.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "another demarc serves") {
		t.Errorf("a second server on the same database: %v", err)
	}
	linked := *s
	linked.DB = "sqlite:" + filepath.Join(t.TempDir(), "linked.db")
	if err := os.Symlink(filepath.Join(s.Data, "demarc.db"), strings.TrimPrefix(linked.DB, "sqlite:")); err != nil {
		t.Fatal(err)
	}
	if err := app.New(&linked, app.Options{Logger: slog.New(slog.DiscardHandler)}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "another demarc serves") {
		t.Errorf("a second server on a link to the database: %v", err)
	}
	if _, err := http.Get("http://" + failed.Address() + "/healthz"); err == nil {
		t.Error("the server that could not start listens")
	}
	if status, _ := send(t, a, "GET", "/readyz", nil); status != 200 {
		t.Errorf("the first server answers %d", status)
	}
}

func TestTheSecretsOfTheDataFolderAreTheOwnersAlone(t *testing.T) {
	s := settings(t)
	s.Data = filepath.Join(s.Data, "data")
	a := start(t, s)
	defer stop(t, a)
	send(t, a, "GET", "/healthz", nil) // with a token: the signing key is there once it signs
	for name, want := range map[string]os.FileMode{"": 0o700, "secret": 0o600, "dev-signing-key.pem": 0o600} {
		info, err := os.Stat(filepath.Join(s.Data, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %o, want %o", name, got, want)
		}
	}
}

func TestTheLogHasTheFormatAndLevelAskedFor(t *testing.T) {
	var b bytes.Buffer
	log := app.NewLogger(&b, &config.Settings{LogFormat: "json", LogLevel: "warn"})
	log.Info("unheard")
	log.Warn("heard", "spid", 1)
	if text := b.String(); strings.Contains(text, "unheard") || !strings.Contains(text, `"msg":"heard","spid":1`) {
		t.Errorf("logged %s", text)
	}
}

func TestEveryOperationIsDeclaredAndTheDocumentsAreServed(t *testing.T) {
	a := start(t, settings(t))
	defer stop(t, a)
	for path, want := range map[string]string{
		"/openapi.json": `"/api/customer/{id}"`, "/openapi/tmf.json": `"/tmf-api/customerManagement/v4/customer"`,
		"/openapi/cm.json": `"/api/productOrder"`, "/docs": "<html", "/metrics": "demarc_jobs_running",
		"/realms/cm/.well-known/openid-configuration": `"token_endpoint"`,
	} {
		if status, body := send(t, a, "GET", path, nil); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: status %d, without %s: %.200s", path, status, want, body)
		}
	}
}

// `demarc apikey revoke` is another process than the server, whose cache does not hear of it.
func TestARevokedKeyDoesNotComeInWhoeverRevokesIt(t *testing.T) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			s := settings(t)
			s.DB = storetest.URL(t, engine)
			a := start(t, s)
			defer stop(t, a)
			command, err := app.OpenCurrent(t.Context(), s, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = command.Close() }()
			keys, err := command.APIKeys()
			if err != nil {
				t.Fatal(err)
			}
			by := auth.Operator("tester", 1)
			text, key, err := keys.Issue(t.Context(), by, auth.KeySpec{Client: "crm", SPIDs: []int{1}, Roles: []string{"1:customer:get"}, Scopes: []string{auth.ScopeRead}})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if status := withKey(t, a, text); status != 200 {
					t.Fatalf("status %d for a good key", status)
				}
			}
			if err := keys.Revoke(t.Context(), by, key.ID); err != nil {
				t.Fatal(err)
			}
			if status := withKey(t, a, text); status != 401 {
				t.Errorf("status %d for a revoked key", status)
			}
		})
	}
}

func withKey(t *testing.T, a *app.App, key string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", a.URL()+"/api/customer", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}
