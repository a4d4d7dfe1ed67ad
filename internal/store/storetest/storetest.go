// Package storetest opens stores for tests: fresh, migrated, one for each test, on either engine.
package storetest

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// Engines are the engines that every test of the store runs on.
var Engines = []string{"sqlite", "postgres"}

// Open gives a migrated store without rows that lives as long as the test. PostgreSQL that cannot be had
// fails the test: it is not skipped.
func Open(t testing.TB, engine string, opts ...func(*store.Options)) *store.Store {
	t.Helper()
	o := store.Options{Logger: slog.New(slog.DiscardHandler)}
	for _, f := range opts {
		f(&o)
	}
	s, err := store.Open(context.Background(), URL(t, engine), o)
	if err != nil {
		t.Fatalf("storetest: open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("storetest: close: %v", err)
		}
	})
	if _, err := s.Migrate(context.Background(), false); err != nil {
		t.Fatalf("storetest: migrate: %v", err)
	}
	return s
}

// URL names a fresh database of the engine that lives as long as the test: not migrated on SQLite, migrated
// on PostgreSQL.
func URL(t testing.TB, engine string) string {
	t.Helper()
	switch engine {
	case "sqlite":
		return "sqlite:" + filepath.Join(t.TempDir(), "demarc.db")
	case "postgres":
		return freshDatabase(t)
	}
	t.Fatalf("storetest: %q is not an engine", engine)
	return ""
}

// Empty names a database of the engine that was never migrated and lives as long as the test.
func Empty(t testing.TB, engine string) string {
	t.Helper()
	if engine == "postgres" {
		return emptyDatabase(t)
	}
	return URL(t, engine)
}

// Each runs fn once on every engine, each time as a subtest with a store of its own.
func Each(t *testing.T, fn func(t *testing.T, s *store.Store)) {
	t.Helper()
	for _, e := range Engines {
		t.Run(e, func(t *testing.T) { fn(t, Open(t, e)) })
	}
}

// Context is one in which a tester asks for a service provider.
func Context(spid int) context.Context {
	actor := scope.Actor{Subject: "tester", Name: "Tester", Client: fmt.Sprintf("test-%d", spid)}
	return scope.With(context.Background(), scope.Grant(spid, actor, scope.Claims{}))
}
