package scenario_test

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"testing"

	"github.com/demarc-bss/demarc/internal/app"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/auth/realm"
	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/test/scenario"
)

// Every scenario runs on a server in this process with demonstration data, on both engines; those that begin with
// nothing on an empty one. Afterwards nothing that is confidential stands in what they left behind.
func TestScenarios(t *testing.T) {
	all, err := scenario.Load("scenarios")
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			said := confide(t)
			url, other := storetest.URL(t, engine), storetest.URL(t, engine)
			t.Run("demo", func(t *testing.T) { play(t, said.serve(t, url), all, "demo") })
			t.Run("empty", func(t *testing.T) {
				empty := said.serve(t, other, func(s *config.Settings) { s.Demo, s.ServiceProviders = false, []string{"1:Sandbox", "2:Topped"} })
				play(t, empty, needing(all, "empty"), "empty")
			})
			said.nowhere(t, engine, url)
			said.nowhere(t, engine, other)
		})
	}
}

// needing is the scenarios that run on one kind of server alone.
func needing(all []scenario.Scenario, trait string) []scenario.Scenario {
	return slices.DeleteFunc(slices.Clone(all), func(s scenario.Scenario) bool { return !slices.Contains(s.Needs, trait) })
}

// play runs the scenarios that a server with these traits can run.
func play(t *testing.T, server scenario.Server, all []scenario.Scenario, traits ...string) {
	for _, s := range all {
		if slices.ContainsFunc(s.Needs, func(n string) bool { return !slices.Contains(traits, n) }) {
			continue
		}
		t.Run(s.File, func(t *testing.T) {
			t.Parallel()
			for _, f := range server.Run(t.Context(), s) {
				t.Error(f)
			}
		})
	}
}

// serve starts a development server with demonstration data that ends with the test.
func serve(t *testing.T, url string, change ...func(*config.Settings)) scenario.Server {
	t.Helper()
	return serveLogging(t, url, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})), nil, change...)
}

func serveLogging(t *testing.T, url string, logger *slog.Logger, access io.Writer, change ...func(*config.Settings)) scenario.Server {
	t.Helper()
	s, err := config.Default()
	if err != nil {
		t.Fatal(err)
	}
	s.Dev, s.Demo, s.DemoCustomers = true, true, 20
	s.Listen, s.DB, s.Data, s.AccessLog = "127.0.0.1:0", url, t.TempDir(), "none"
	for _, c := range change {
		c(s)
	}
	a := app.New(s, app.Options{Logger: logger, Version: "test", AccessLog: access})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.ShutdownGrace)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return scenario.Server{
		URL: a.URL(),
		Token: func(_ context.Context, user string) (string, error) {
			if user == "" {
				user = realm.UserAdmin
			}
			return a.Mint(user, realm.GatewayClient)
		},
		Audit: func(ctx context.Context, spid, of string) (out []scenario.AuditLine, err error) {
			n, err := strconv.Atoi(spid)
			if err != nil {
				return nil, err
			}
			records, err := a.Store.Audit(scope.With(ctx, auth.System(n, scope.Actor{})), id.ID(of))
			for _, r := range records {
				out = append(out, scenario.AuditLine{Operation: r.Operation, Subject: r.Subject})
			}
			return out, err
		},
	}
}
