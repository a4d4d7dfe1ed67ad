package arch

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestOnlyTheClockAsksForTheTime(t *testing.T) {
	for _, s := range product(t) {
		if s.dir == "internal/kernel/clock" {
			continue
		}
		calls(s, func(pkg, name string, n ast.Node) {
			if pkg == "time" && (name == "Now" || name == "Since" || name == "Until") {
				t.Errorf("%s calls time.%s: take a clock.Clock, or ask store.Now(ctx)", s.position(n), name)
			}
		})
	}
}

func TestOnlyAuthGrantsAScope(t *testing.T) {
	for _, s := range product(t) {
		if within(s.dir, "internal/auth") {
			continue
		}
		calls(s, func(pkg, name string, n ast.Node) {
			if pkg == module+"internal/kernel/scope" && name == "Grant" {
				t.Errorf("%s calls scope.Grant: a scope comes from auth", s.position(n))
			}
		})
	}
}

func TestNothingRunsByBeingImported(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: an init function hides what happens and when; let app call it", s.position(f))
			}
		}
	}
}

// What is not declared in the operation table is not reachable.
func TestOnlyTheOperationTableRoutes(t *testing.T) {
	routes := []string{"NewServeMux", "Handle", "HandleFunc", "DefaultServeMux", "ListenAndServe", "ListenAndServeTLS"}
	for _, s := range product(t) {
		if within(s.dir, "internal/api/op") || within(s.dir, "internal/auth/devidp") { // OpenID Connect routes inside one declared prefix
			continue
		}
		calls(s, func(pkg, name string, n ast.Node) {
			if pkg == "net/http" && slices.Contains(routes, name) {
				t.Errorf("%s uses http.%s: declare an operation instead", s.position(n), name)
			}
		})
	}
}

func TestExportedThingsSayWhatTheyAre(t *testing.T) {
	packages := map[string]bool{}
	for _, s := range sources(t) {
		if s.test || s.generated {
			continue
		}
		packages[s.dir] = packages[s.dir] || s.ast.Doc != nil
		for _, d := range s.ast.Decls {
			for _, bad := range undocumented(d) {
				t.Errorf("%s: %s is exported and has no comment", s.position(d), bad)
			}
		}
	}
	for pkg, documented := range packages {
		if !documented {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

// undocumented names the exported things of a declaration that have no comment.
func undocumented(d ast.Decl) (bad []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || receiver(d.Recv).IsExported()) {
			bad = append(bad, d.Name.Name)
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT || d.Doc != nil {
			return nil
		}
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && s.Comment == nil {
					bad = append(bad, s.Name.Name)
				}
			case *ast.ValueSpec:
				if s.Doc == nil && s.Comment == nil && s.Names[0].IsExported() {
					bad = append(bad, s.Names[0].Name)
				}
			}
		}
	}
	return bad
}

func receiver(list *ast.FieldList) *ast.Ident {
	e := list.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x
		default:
			return ast.NewIdent("")
		}
	}
}

// The project stands on its own: nothing in it speaks of the machine or the work it was made in. The
// patterns are written so that they do not match themselves.
func TestTheTreeSpeaksOnlyOfDemarc(t *testing.T) {
	refused := map[string]*regexp.Regexp{
		"a path of one machine":     regexp.MustCompile(`(^|[\s"'=(:])/(work|farm|home/[a-z]+)/`),
		"a package registry":        regexp.MustCompile(`proxy[.]golang[.]org|registry[.]npmjs[.]org|repo1?[.]maven|pypi[.]org|deb[.]debian[.]org|crates[.]io`),
		"the number of an issue":    regexp.MustCompile(`(?i)\bissues? ?#[0-9]|\bfixes #[0-9]|\bissue [0-9]+\b`),
		"the work it was made in":   regexp.MustCompile(`(?i)\b(this|my|our|previous|next) (coding |working )?sessio[n]s?\b|\bsubagen[t]|\bthe CE[O]\b|\bbrie[f]\.md`),
		"work that is not finished": regexp.MustCompile(`\b(TOD[O]|FIXM[E])\b`),
	}
	for _, name := range files() {
		info, err := os.Stat(filepath.Join(root(), name))
		if err != nil || info.Size() > 2<<20 || strings.HasSuffix(name, ".sum") || strings.HasSuffix(name, ".test") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root(), name))
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(text[:min(len(text), 4096)], 0) {
			continue
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			for what, re := range refused {
				if re.MatchString(line) {
					t.Errorf("%s:%d speaks of %s: %s", name, number, what, strings.TrimSpace(line))
				}
			}
		}
	}
}

func TestTestsAreNotSkippedOrTimed(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test || s.dir == "internal/arch" {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch sel.Sel.Name {
			case "Skip", "Skipf", "SkipNow":
				if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "t" || x.Name == "b" || x.Name == "tb") {
					t.Errorf("%s skips a test: let it fail and say what is missing", s.position(n))
				}
			}
			return true
		})
	}
}
