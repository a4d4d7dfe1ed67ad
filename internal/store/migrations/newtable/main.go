// Command newtable prints the SQL of a collection's table for a migration, in both dialects:
//
//	go run ./internal/store/migrations/newtable sqlite customer name status engaged_party=engagedParty.id
//
// Each column is named after the top-level attribute it holds, or given as column=path. Put what it prints
// into a new step under migrations/sqlite and migrations/postgres.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) < 3 || os.Args[1] != "sqlite" && os.Args[1] != "postgres" {
		fmt.Fprintln(os.Stderr, "usage: newtable sqlite|postgres TABLE [COLUMN[=PATH]]...")
		os.Exit(2)
	}
	fmt.Print(table(os.Args[1], os.Args[2], os.Args[3:]))
}

// table is the DDL of one collection: the key every table has (in this order it also lists the documents of
// a service provider, and new ones, whose ids grow, are put side by side whatever their homes are), the row's own columns, the document, and a
// generated column with an index for each attribute that is searched.
func table(dialect, name string, columns []string) string {
	text, integer, doc := "TEXT", "INTEGER", "TEXT"
	if dialect == "postgres" {
		text, integer, doc = `TEXT COLLATE "C"`, "BIGINT", "JSON"
	}
	var b, indexes strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (\n\thome INTEGER NOT NULL, spid INTEGER NOT NULL, id %s NOT NULL,\n", name, text)
	fmt.Fprintf(&b, "\tversion %s NOT NULL, created %s NOT NULL, updated %s NOT NULL, doc %s NOT NULL,\n", integer, integer, integer, doc)
	for _, c := range columns {
		column, path, ok := strings.Cut(c, "=")
		if !ok {
			path = column
		}
		fmt.Fprintf(&b, "\t%s %s GENERATED ALWAYS AS %s,\n", column, text, expression(dialect, path))
		fmt.Fprintf(&indexes, "CREATE INDEX %s_%s ON %s (spid, %s, id);\n", name, column, name, column)
	}
	fmt.Fprint(&b, "\tPRIMARY KEY (spid, id, home)\n);\n")
	if indexes.Len() > 0 {
		fmt.Fprint(&b, "\n")
	}
	return b.String() + indexes.String()
}

func expression(dialect, path string) string {
	if dialect == "postgres" {
		return fmt.Sprintf("(doc #>> '{%s}') STORED", strings.ReplaceAll(path, ".", ","))
	}
	return fmt.Sprintf("(json_extract(doc, '$.%s')) VIRTUAL", path)
}
