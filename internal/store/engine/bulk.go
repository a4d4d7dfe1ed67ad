package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// What is done for many argument lists costs PostgreSQL far more for each statement than for each row. So from some lists
// on, one statement takes them all as arrays: a list is a row of what unnest makes of them.

const (
	// fewest is from how many lists on arrays are worth it, most how many go in one statement.
	fewest = 8
	most   = 1000
)

// LaterAll is Later of one statement for each of the lists.
func (t *Tx) LaterAll(ctx context.Context, sql string, lists [][]any) error {
	if len(lists) == 0 {
		return nil
	}
	if err := t.Mark(ctx); err != nil {
		return err
	}
	t.Written += int64(len(lists))
	p, ok := t.Conn.(*pgTx)
	if !ok {
		_, err := t.Conn.Execs(ctx, sql, lists)
		return err
	}
	for from := 0; from < len(lists); from += most {
		if err := p.laterPart(ctx, sql, lists[from:min(from+most, len(lists))]); err != nil {
			return err
		}
	}
	return nil
}

func (p *pgTx) laterPart(ctx context.Context, sql string, lists [][]any) error {
	b, args, err := pgBulk(ctx, p.conn, sql, lists)
	if err != nil {
		return p.note(err)
	}
	if b != nil && b.quiet != "" {
		p.waiting = append(p.waiting, pgStatement{b.quiet, args})
		return nil
	}
	for _, args := range lists {
		if err := p.Later(ctx, sql, args...); err != nil {
			return err
		}
	}
	return nil
}

// bulk is a statement for one list of arguments as one for many.
type bulk struct {
	// quiet answers nothing, telling answers rows whose first column names the list that it is about: by the values at
	// keys, or by its number from 1 when there are none.
	quiet, telling string
	keys           []int
}

var (
	inserts  = regexp.MustCompile(`(?s)^(INSERT INTO \w+) \(([^()]*)\)\s+VALUES \(([^()]*)\)\s*(.*)$`)
	conflict = regexp.MustCompile(`(?s)^ON CONFLICT \(([^()]*)\) DO `)
	selects  = regexp.MustCompile(`(?s)^SELECT `)
	argument = regexp.MustCompile(`\$([0-9]+)`)
)

// bulks are the statements known so far; nil for one that has to be sent for each list.
var bulks sync.Map

// pgBulk is the statement for the lists, and its arguments; nil when there is none, or the lists are few. The database is
// asked, once for each statement, which types its arguments have.
func pgBulk(ctx context.Context, c *pgx.Conn, sql string, lists [][]any) (*bulk, []any, error) {
	if len(lists) < fewest {
		return nil, nil, nil
	}
	known, ok := bulks.Load(sql)
	if !ok {
		var b *bulk
		if inserts.MatchString(sql) || selects.MatchString(sql) {
			d, err := c.Prepare(ctx, sql, sql)
			if err != nil {
				return nil, nil, err
			}
			b = ofMany(sql, d.ParamOIDs)
		}
		known, _ = bulks.LoadOrStore(sql, b)
	}
	b := known.(*bulk)
	if b == nil {
		return nil, nil, nil
	}
	args, ok := arrays(lists)
	if !ok {
		return nil, nil, nil
	}
	return b, args, nil
}

// kinds are the types of arguments as they travel in arrays, and how they become what the statement takes.
var kinds = map[uint32]struct{ array, cast string }{
	pgtype.Int4OID: {"bigint[]", "::int"}, pgtype.Int8OID: {"bigint[]", ""},
	pgtype.TextOID: {"text[]", ""}, pgtype.JSONOID: {"text[]", "::json"},
}

// ofMany rewrites a statement whose arguments have the types.
func ofMany(sql string, types []uint32) *bulk {
	arrays, names := make([]string, len(types)), make([]string, len(types))
	for n, oid := range types {
		k, ok := kinds[oid]
		if !ok {
			return nil
		}
		arrays[n], names[n] = fmt.Sprintf("$%d::%s", n+1, k.array), fmt.Sprintf("p%d", n+1)
	}
	rows := fmt.Sprintf("unnest(%s) WITH ORDINALITY AS u(%s, nth)", strings.Join(arrays, ", "), strings.Join(names, ", "))
	named := func(text string) string {
		return argument.ReplaceAllStringFunc(text, func(a string) string {
			n, _ := strconv.Atoi(a[1:])
			return "u.p" + a[1:] + kinds[types[n-1]].cast
		})
	}
	if selects.MatchString(sql) {
		// OFFSET has the planner look each list up for itself, by the index: it would read whole tables else, and
		// a serializable transaction that did would meet every other.
		return &bulk{telling: "SELECT u.nth, q.* FROM " + rows + " CROSS JOIN LATERAL (" + named(sql) + " OFFSET 0) q"}
	}
	m := inserts.FindStringSubmatch(sql)
	into, values, rest := m[1]+" ("+m[2]+")", m[3], m[4]
	if argument.MatchString(rest) {
		return nil
	}
	b := &bulk{quiet: into + " SELECT " + named(values) + " FROM " + rows + " " + rest}
	on := conflict.FindStringSubmatch(rest)
	if on == nil {
		return b
	}
	columns, from := strings.Split(m[2], ", "), strings.Split(values, ", ")
	for _, key := range strings.Split(on[1], ", ") {
		for n, c := range columns {
			if c == key && n < len(from) {
				if a := argument.FindStringSubmatch(from[n]); a != nil && a[0] == from[n] {
					at, _ := strconv.Atoi(a[1])
					b.keys = append(b.keys, at-1)
				}
			}
		}
	}
	if len(b.keys) != len(strings.Split(on[1], ", ")) {
		return nil
	}
	answer := "concat_ws('/', " + qualified(m[1], on[1]) + ")"
	if head, tail, ok := strings.Cut(rest, "RETURNING "); ok {
		b.quiet, b.telling = "", into+" SELECT "+named(values)+" FROM "+rows+" "+head+"RETURNING "+answer+", "+tail
	} else {
		b.telling = b.quiet + " RETURNING " + answer
	}
	return b
}

// qualified names columns with their table: those of unnest are not meant.
func qualified(into, columns string) string {
	table := strings.TrimPrefix(into, "INSERT INTO ")
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}

// key is what the answer of a statement calls a list.
func (b *bulk) key(args []any) string {
	var k strings.Builder
	for n, at := range b.keys {
		if n > 0 {
			k.WriteByte('/')
		}
		switch v := plain(args[at]).(type) {
		case int64:
			k.WriteString(strconv.FormatInt(v, 10))
		case string:
			k.WriteString(v)
		}
	}
	return k.String()
}

// arrays turns lists of arguments into an array for each place.
func arrays(lists [][]any) ([]any, bool) {
	out := make([]any, len(lists[0]))
	for at := range out {
		texts, numbers := make([]*string, 0, len(lists)), make([]int64, 0, len(lists))
		for _, args := range lists {
			switch v := plain(args[at]).(type) {
			case int64:
				numbers = append(numbers, v)
			case string:
				texts = append(texts, &v)
			case nil:
				texts = append(texts, nil)
			default:
				return nil, false
			}
		}
		switch {
		case len(numbers) == len(lists):
			out[at] = numbers
		case len(texts) == len(lists):
			out[at] = texts
		default:
			return nil, false
		}
	}
	return out, true
}

// parts goes through the lists, as many as one statement takes at a time: in bulk, or each for itself where that cannot
// be. What is first goes with the first of them.
func parts(ctx context.Context, c *pgx.Conn, first []pgStatement, sql string, lists [][]any, together func(b *bulk, from int, part [][]any, batch pgx.BatchResults) error, apart func(from int, first []pgStatement, part [][]any) error) error {
	for from := 0; from < len(lists); from += most {
		part := lists[from:min(from+most, len(lists))]
		b, args, err := pgBulk(ctx, c, sql, part)
		switch {
		case err != nil:
			return err
		case b == nil:
			err = apart(from, first, part)
		default:
			err = pgBatch(ctx, c, first, b.statement(), [][]any{args}, func(_ int, r pgx.BatchResults) error { return together(b, from, part, r) })
		}
		if err != nil {
			return err
		}
		first = nil
	}
	return nil
}

func (b *bulk) statement() string {
	if b.telling != "" {
		return b.telling
	}
	return b.quiet
}

// read has fn read the answers, each with the number of its list.
func (b *bulk) read(batch pgx.BatchResults, part [][]any, fn func(n int, r Rows) error) error {
	if b.telling == "" {
		_, err := batch.Exec()
		return err
	}
	r, err := batch.Query()
	if err != nil {
		return err
	}
	defer r.Close()
	var named map[string]int
	if b.keys != nil {
		named = make(map[string]int, len(part))
		for n, args := range part {
			if k := b.key(args); named[k] == 0 {
				named[k] = n + 1
			}
		}
	}
	for r.Next() {
		n, err := number(r, named)
		if err != nil {
			return err
		}
		if err := fn(n, rest{pgRows{r}}); err != nil {
			return err
		}
	}
	return r.Err()
}

// number reads from the first column of a row which list it is about.
func number(r pgx.Rows, named map[string]int) (int, error) {
	raw := r.RawValues()[0]
	switch {
	case named != nil:
		if n := named[string(raw)]; n > 0 {
			return n - 1, nil
		}
		return 0, fmt.Errorf("store: the database answers about %q, which was not asked", raw)
	case r.FieldDescriptions()[0].Format == pgx.BinaryFormatCode && len(raw) == 8:
		return int(binary.BigEndian.Uint64(raw)) - 1, nil
	}
	n, err := strconv.Atoi(string(raw))
	return n - 1, err
}

// rest is a row without its first column.
type rest struct{ pgRows }

func (r rest) Scan(dest ...any) error { return r.r.Scan(append([]any{nil}, dest...)...) }
