package filter_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store/filter"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// randomPattern grows an RE2 expression from its grammar.
func randomPattern(r *rand.Rand, depth int) string {
	atoms := []string{"a", "b", "B", "ä", ".", `\d`, `\w`, `\W`, `\s`, "[a-c]", "[^a]", `[^\n]`, "^", "$", `\b`, `\B`, `\A`, `\z`, `\.`, `\n`, "(?i:a)", "(?s:.)", "(?m:^)", "(?m:$)", `\pL`, "[[:^alpha:]]", `\x{1F600}`, ""}
	if depth == 0 {
		return atoms[r.IntN(len(atoms))]
	}
	sub := func() string { return randomPattern(r, depth-1) }
	switch r.IntN(8) {
	case 0:
		return "(?:" + sub() + ")" + []string{"*", "+", "?", "{2}", "{0,3}", "{1,}", "*?", "+?", "??"}[r.IntN(9)]
	case 1:
		return "(" + sub() + "|" + sub() + ")"
	case 2:
		return "(?:" + sub() + "|" + sub() + ")"
	case 3:
		return atoms[r.IntN(len(atoms))]
	}
	return sub() + sub()
}

// PostgreSQL must find a match in exactly the texts in which Go does.
func TestPatternsMatchTheSameTextsOnPostgreSQL(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, storetest.URL(t, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // the database goes with it
	texts := []string{"", "a", "b", "B", "ab", "ba", "Ä", "ä", "a b", "a\nb", "\n", "a\n", "\na", "abc1_", ".", "1", "é", "😀", "aB😀", "\u017f", "K\u212a", strings.Repeat("a", 40)}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	for range 400 {
		p := randomPattern(r, 3)
		c, err := filter.Compile(filter.Filter{Path: []string{"a"}, Op: filter.Regex, Values: []string{p}})
		if err != nil {
			continue // RE2 refuses it
		}
		re := regexp.MustCompile(p)
		translated, err := c.PostgresPattern()
		if fault.KindOf(err) == fault.Invalid {
			continue // too large once it is translated: refused, and said so
		}
		if err != nil {
			t.Fatalf("%q: %v", p, err)
		}
		var got []bool
		err = conn.QueryRow(ctx, `SELECT array_agg(x COLLATE "C" ~ $2 ORDER BY o) FROM unnest($1::text[]) WITH ORDINALITY AS u(x, o)`, texts, translated).Scan(&got)
		if err != nil {
			t.Fatalf("seed %d: %q became %q: %v", seed, p, translated, err)
		}
		for i, text := range texts {
			if got[i] != re.MatchString(text) {
				t.Errorf("seed %d: %s", seed, fmt.Sprintf("%q on %q: Go %v, PostgreSQL %v by %q", p, text, re.MatchString(text), got[i], translated))
			}
		}
	}
}
