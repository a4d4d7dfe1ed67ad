package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/demarc-bss/demarc/"

// source is one parsed Go file.
type source struct {
	name      string // path from the repository's root, with slashes
	dir       string
	test      bool
	generated bool
	lines     int
	ast       *ast.File
	fset      *token.FileSet
}

// position is where a node stands, as file:line.
func (s source) position(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return s.name + ":" + itoa(p.Line)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

var root = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "."
})

// files are the paths of all files that belong to the project.
var files = sync.OnceValue(func() (out []string) {
	top := root()
	_ = filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, p)
		if d.IsDir() {
			switch rel {
			case ".git", ".tools", "bin", "data", "node_modules":
				return filepath.SkipDir
			}
			return nil
		}
		out = append(out, filepath.ToSlash(rel))
		return nil
	})
	return out
})

// sources are all Go files of the project.
func sources(t *testing.T) []source {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d Go files were found under %s", len(all), root())
	}
	return all
}

var parsed = sync.OnceValues(func() (out []source, err error) {
	for _, name := range files() {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root(), name))
		if err != nil {
			return nil, err
		}
		s := source{name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet(), lines: strings.Count(string(text), "\n")}
		if s.ast, err = parser.ParseFile(s.fset, name, text, parser.ParseComments); err != nil {
			return nil, err
		}
		s.generated = ast.IsGenerated(s.ast)
		out = append(out, s)
	}
	return out, nil
})

// product are the Go files that make the binary: neither tests nor what only tests use.
func product(t *testing.T) (out []source) {
	t.Helper()
	for _, s := range sources(t) {
		if !s.test && (strings.HasPrefix(s.dir, "internal/") || strings.HasPrefix(s.dir, "cmd/")) && !strings.HasSuffix(s.dir, "test") {
			out = append(out, s)
		}
	}
	return out
}

// calls visits every selector expression pkg.Name of a file, pkg being the import path.
func calls(s source, visit func(pkg, name string, n ast.Node)) {
	imported := map[string]string{}
	for _, i := range s.ast.Imports {
		p := strings.Trim(i.Path.Value, `"`)
		local := path.Base(p)
		if i.Name != nil {
			local = i.Name.Name
		}
		imported[local] = p
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Obj == nil && imported[x.Name] != "" {
			visit(imported[x.Name], sel.Sel.Name, n)
		}
		return true
	})
}
