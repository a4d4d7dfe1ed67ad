package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// table reads the import table of ARCHITECTURE.md: between its two marks, a row's first cell names a
// package and its second what it may import beside the kernel and its own subpackages.
func table(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(), "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begun := strings.Cut(string(text), "<!-- imports -->")
	rows, _, ended := strings.Cut(rest, "<!-- /imports -->")
	if !begun || !ended {
		t.Fatal("ARCHITECTURE.md has no import table between <!-- imports --> and <!-- /imports -->")
	}
	code := regexp.MustCompile("`([^`]+)`")
	out := map[string][]string{}
	for row := range strings.SplitSeq(rows, "\n") {
		cells := strings.Split(row, "|")
		if len(cells) < 4 {
			continue
		}
		var may []string
		for _, m := range code.FindAllStringSubmatch(cells[2], -1) {
			may = append(may, m[1])
		}
		for _, m := range code.FindAllStringSubmatch(cells[1], -1) {
			out[m[1]] = may
		}
	}
	if len(out) < 10 {
		t.Fatalf("the import table has only %d rows", len(out))
	}
	return out
}

// room is the row of the table that a package stands under: the longest that it equals or lies below.
func room(rows map[string][]string, pkg string) string {
	best := ""
	for row := range rows {
		if within(pkg, row) && len(row) > len(best) {
			best = row
		}
	}
	return best
}

func within(pkg, of string) bool { return pkg == of || strings.HasPrefix(pkg, of+"/") }

func TestPackagesImportOnlyWhatThePlanAllows(t *testing.T) {
	rows := table(t)
	for _, s := range product(t) {
		pkg := strings.TrimPrefix(s.dir, "internal/")
		own := room(rows, pkg)
		if own == "" {
			t.Errorf("%s: package %s has no row in the import table of ARCHITECTURE.md", s.name, pkg)
			continue
		}
		for _, i := range s.ast.Imports {
			target, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module)
			if !ours {
				continue
			}
			target = strings.TrimPrefix(target, "internal/")
			if within(target, own) || within(target, "kernel") && own != "kernel" {
				continue
			}
			if !slices.ContainsFunc(rows[own], func(may string) bool { return within(target, may) }) {
				t.Errorf("%s imports %s; ARCHITECTURE.md lets %s import only %v", s.position(i), target, own, rows[own])
			}
		}
	}
}

func TestKernelPackagesAreLeaves(t *testing.T) {
	leaves := []string{"kernel/fault", "kernel/id"}
	for _, s := range product(t) {
		pkg := strings.TrimPrefix(s.dir, "internal/")
		if !within(pkg, "kernel") {
			continue
		}
		for _, i := range s.ast.Imports {
			target, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module+"internal/")
			// A job and an event carry the actor who caused them.
			if ours && !slices.Contains(leaves, target) && target != "kernel/scope" {
				t.Errorf("%s: %s imports %s; a kernel package imports only %v", s.position(i), pkg, target, leaves)
			}
		}
	}
}

// Foreign packages that belong in one place: what they stand for leaks nowhere else.
func TestForeignPackagesStayWhereTheyBelong(t *testing.T) {
	for foreign, homes := range map[string][]string{
		"database/sql":                       {"store"},
		"github.com/jackc/pgx":               {"store"},
		"modernc.org/sqlite":                 {"store"},
		"github.com/pressly/goose":           {"store"},
		"net/http":                           {"api", "auth", "hub", "connect", "app", "cmd/demarc"},
		"github.com/danielgtaylor/huma":      {"api"},
		"github.com/golang-jwt/jwt":          {"auth"},
		"github.com/luikyv/go-oidc":          {"auth"},
		"github.com/alecthomas/kong":         {"cmd/demarc"},
		"gopkg.in/yaml.v3":                   {"config", "catalog"},
		"encoding/json":                      {}, // github.com/go-json-experiment/json keeps unknown members and their order
		"unsafe":                             {"store"},
		"github.com/stretchr/testify":        {},
		"github.com/nyaruka/phonenumbers":    {"kernel/msisdn", "demo"},
		"go.opentelemetry.io/otel/exporters": {"app"},
	} {
		for _, s := range product(t) {
			pkg := strings.TrimPrefix(s.dir, "internal/")
			for _, i := range s.ast.Imports {
				if !within(strings.Trim(i.Path.Value, `"`), foreign) {
					continue
				}
				if !slices.ContainsFunc(homes, func(h string) bool { return within(pkg, h) }) {
					t.Errorf("%s: %s imports %s, which only %v may", s.position(i), pkg, foreign, homes)
				}
			}
		}
	}
}
