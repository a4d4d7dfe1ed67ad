package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sources are the SQL texts of the package: every string of its source that begins as a statement does,
// and those made for a collection.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	c := statements("customer")
	for name, sql := range map[string]string{"get": c.get, "exists": c.exists, "insert": c.insert, "update": c.update, "delete": c.delete} {
		all["collection "+name] = sql
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	verb := regexp.MustCompile(`^(SELECT|INSERT|UPDATE|DELETE|CREATE|LOCK|ALTER)\b`)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && verb.MatchString(s) {
					all[set.Position(lit.Pos()).String()] = s
				}
			}
			return true
		})
	}
	return all
}

func migrationSteps(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(migrationFiles, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrationFiles, path)
		all[path] = regexp.MustCompile(`--[^\n]*`).ReplaceAllString(string(text), "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What a database that is spread over many nodes does not do, or not well.
var refusedSQL = regexp.MustCompile(`(?i)\b(serial|bigserial|autoincrement|sequence|nextval|identity|listen|notify|pg_advisory\w*|for\s+update|for\s+share|foreign\s+key|references|trigger)\b`)

func TestSQLDoesNothingThatOneNodeAloneCanDo(t *testing.T) {
	all := sources(t)
	if len(all) < 30 {
		t.Fatalf("only %d statements found", len(all))
	}
	for name, sql := range migrationSteps(t) {
		all[name] = sql
	}
	for name, sql := range all {
		if bad := refusedSQL.FindString(sql); bad != "" {
			t.Errorf("%s: %s", name, bad)
		}
	}
}

func TestEveryKeyHasHomeAndServiceProvider(t *testing.T) {
	key := regexp.MustCompile(`(?i)(PRIMARY KEY|UNIQUE)[^(;]*\(([^)]*)\)`)
	create := regexp.MustCompile(`(?is)CREATE TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)\n\s*\)|CREATE TABLE IF NOT EXISTS (\w+) \((.*)\)`)
	texts := migrationSteps(t)
	texts["migration table"] = sqlMigrationTable
	for name, sql := range texts {
		tables := create.FindAllString(sql, -1)
		if made := strings.Count(strings.ToUpper(sql), "CREATE TABLE"); len(tables) != made {
			t.Errorf("%s: %d tables found, and it makes %d", name, len(tables), made)
		}
		for _, table := range tables {
			if !strings.Contains(table, "PRIMARY KEY (") {
				t.Errorf("%s: a table without a primary key of its own: %s", name, table)
			}
		}
		for _, m := range key.FindAllStringSubmatch(sql, -1) {
			columns := strings.Split(strings.ReplaceAll(m[2], " ", ""), ",")
			if !slices.Contains(columns, "home") || !slices.Contains(columns, "spid") {
				t.Errorf("%s: %s (%s) lacks home or spid", name, m[1], m[2])
			}
		}
	}
}

func TestDialectsHaveTheSameSteps(t *testing.T) {
	lite, err := steps("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	pg, err := steps("postgres")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^CREATE [A-Z ]*?(?:TABLE|INDEX) \w+|^\t?(\w+) `)
	for i := range max(len(lite), len(pg)) {
		if i >= len(lite) || i >= len(pg) || lite[i].Migration != pg[i].Migration {
			t.Fatalf("step %d differs", i)
		}
		if a, b := sorted(names.FindAllString(lite[i].sql, -1)), sorted(names.FindAllString(pg[i].sql, -1)); !slices.Equal(a, b) {
			t.Errorf("step %d makes other things in the two dialects", i+1)
		}
	}
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// A statement that goes by an id, or by what a home is derived from, finds its row at one home.
func TestStatementsByIDNameTheHome(t *testing.T) {
	for name, sql := range sources(t) {
		if !regexp.MustCompile(`\b(id|to_id|entity_id|posting|account|job_key|value|idem_key) = \$`).MatchString(sql) {
			continue
		}
		if !regexp.MustCompile(`\bhome = (\$|0)`).MatchString(sql) || !regexp.MustCompile(`\bspid = (\$|0)`).MatchString(sql) {
			t.Errorf("%s goes by id without home and spid: %s", name, sql)
		}
	}
}

// SQLite numbers parameters as they appear, whatever their digits say; so both must agree.
func TestParametersAreNumberedAsTheyAppear(t *testing.T) {
	param := regexp.MustCompile(`\$([0-9]+)`)
	for name, sql := range sources(t) {
		most := 0
		for _, m := range param.FindAllStringSubmatch(sql, -1) {
			n, _ := strconv.Atoi(m[1])
			if n > most+1 {
				t.Errorf("%s: $%d comes before $%d: %s", name, n, most+1, sql)
			}
			most = max(most, n)
		}
	}
}
