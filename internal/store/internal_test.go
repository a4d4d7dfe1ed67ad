package store

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

func openInternal(t *testing.T) (*Store, context.Context) {
	t.Helper()
	s, err := Open(context.Background(), "sqlite:"+filepath.Join(t.TempDir(), "x.db"), Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Migrate(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	return s, scope.With(context.Background(), scope.Grant(1, scope.Actor{Subject: "t"}, scope.Claims{}))
}

func TestTheFilesAreTheirOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := Open(context.Background(), "sqlite:"+path, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing is kept of it
	if _, err := s.Migrate(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if i, err := os.Stat(name); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v (%v)", name, i, err)
		}
	}
}

func TestUnbalancedFindsWhatIsWrong(t *testing.T) {
	s, ctx := openInternal(t)
	if err := s.Write(ctx, func(ctx context.Context) error {
		return s.Post(ctx, 1, Posting{Entries: []Entry{{Account: "a", Unit: "EUR", Amount: 5}, {Account: "b", Unit: "EUR", Amount: -5}}})
	}); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		"UPDATE ledger_balance SET balance = 6 WHERE account = 'a'": "the balance of a in EUR",
		"UPDATE ledger_entry SET amount = 6 WHERE account = 'a'":    "the entries of EUR do not sum",
		"DELETE FROM ledger_balance WHERE account = 'b'":            "the balance of b in EUR",
		"UPDATE ledger_entry SET balance = 6 WHERE account = 'a'":   "the running balance of a in EUR",
		"UPDATE ledger_entry SET n = 2 WHERE account = 'b'":         "the running balance of b in EUR",
	} {
		undone := errors.New("undone")
		err := s.Write(ctx, func(ctx context.Context) error {
			w, _ := s.writing(ctx)
			if _, err := w.Exec(ctx, sql); err != nil {
				return err
			}
			bad, err := s.Unbalanced(ctx)
			if err != nil || !strings.Contains(strings.Join(bad, "\n"), want) {
				t.Errorf("%s: %v %v", sql, bad, err)
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
	}
}

func TestInspectLeavesOutTheRootsIDAndHref(t *testing.T) {
	for raw, want := range map[string]string{
		`{}`:                                   `{}`,
		`{"id":"x"}`:                           `{}`,
		`{"id":"x","href":"y"}`:                `{}`,
		`{"id":"x","a":1}`:                     `{"a":1}`,
		`{"a":1,"id":"x"}`:                     `{"a":1}`,
		`{"a":1,"id":"x","b":2,"href":"z"}`:    `{"a":1,"b":2}`,
		`{ "href" : "y" , "a" : 1 }`:           `{"a" : 1 }`,
		`{"a":{"id":"x","href":"y"},"id":"z"}`: `{"a":{"id":"x","href":"y"}}`,
	} {
		body, _, err := inspect([]byte(raw), nil)
		if err != nil || string(body) != want {
			t.Errorf("%s became %s, want %s (%v)", raw, body, want, err)
		}
	}
	for _, raw := range []string{``, `1`, `[]`, `{`, `{"a"}`, `{"a":1,"a":2}`, `{"a":[}`, `{"a":"\xff"}`} {
		if _, _, err := inspect([]byte(raw), nil); err == nil {
			t.Errorf("%s was taken", raw)
		}
	}
}
