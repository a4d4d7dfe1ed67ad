package store

import (
	"context"
	"github.com/demarc-bss/demarc/internal/store/engine"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/filter"
)

// CodeTooCostly is the Limit fault of a query that had to look into too many documents.
const CodeTooCostly fault.Code = "queryTooCostly"

// scanTime bounds a query that no index answers.
const scanTime = 15 * time.Second

// builder writes one statement; every value becomes a parameter, numbered as it appears.
type builder struct {
	sql  strings.Builder
	args []any
}

// arg adds a parameter and gives its place.
func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args))
}

// page is the end of a statement that reads a part of its rows. The limit is written out: both engines plan
// by it, and SQLite prepares a statement anew at every run when it is a parameter.
func (b *builder) page(offset, limit int, engine string) string {
	s := ""
	switch {
	case limit > 0:
		s = " LIMIT " + strconv.Itoa(limit)
	case offset > 0 && engine == "sqlite":
		s = " LIMIT -1" // SQLite knows no OFFSET without LIMIT
	}
	if offset > 0 {
		s += " OFFSET " + b.arg(int64(offset))
	}
	return s
}

const sqlTallied = `SELECT CAST(COALESCE(sum(n), 0) AS BIGINT) FROM tally WHERE spid = $1 AND collection = $2`

// Docs reads a page. A filter or sort that cannot be is an Invalid fault that names the attribute; one that
// has to look into too many documents without an index is a Limit fault (CodeTooCostly).
func (c *Collection[T]) Docs(ctx context.Context, q Query) (Page, error) {
	return c.s.list(ctx, c.d, q)
}

func (s *Store) list(ctx context.Context, d *definition, q Query) (Page, error) {
	spid, err := spidOf(ctx)
	if err != nil {
		return Page{}, err
	}
	l, err := s.plan(d, spid, q)
	if err != nil {
		return Page{}, err
	}
	if q.Offset < 0 || q.Limit < 0 {
		return Page{}, fault.Invalidf("offset", "offset and limit are not negative")
	}
	if t := s.txFrom(ctx); t != nil && t.write {
		if err := t.flush(ctx); err != nil {
			return Page{}, dbFault(err)
		}
	}
	scan, cancel := context.WithTimeout(engine.Scanning(ctx), scanTime)
	defer cancel()
	defer s.logSlow(ctx, "list "+d.Table, (clock.Real{}).Now())
	p, err := l.read(scan, q)
	if err != nil && scan.Err() != nil && ctx.Err() == nil {
		return Page{}, fault.New(fault.Limit, CodeTooCostly, "the query looks into too many documents: filter by an indexed attribute too").Because(err)
	}
	return p, err
}

// listing is a planned Query.
type listing struct {
	s     *Store
	d     *definition
	spid  int
	where builder
	// all says that nothing is filtered: the tally has the total.
	all  bool
	sort []filter.Sort
	// led says that a column which tells few documents from all others is to have one value; grouped, that its index
	// does not go on by id.
	led, grouped bool
	// several is the condition that a column has one of several values, when no column leads.
	several oneOf
}

// oneOf is the condition that a column has one of the values at these places.
type oneOf struct {
	col, sql string
	places   []string
}

// states are the columns that many documents have the same value in.
var states = map[string]bool{"status": true, "state": true, "lifecycle_status": true}

// mostLegs bounds of how many values each is looked up by itself.
const mostLegs = 16

func (s *Store) plan(d *definition, spid int, q Query) (*listing, error) {
	l := &listing{s: s, d: d, spid: spid, all: len(q.Filters) == 0, sort: q.Sort}
	l.where.sql.WriteString(" WHERE spid = " + l.where.arg(int64(spid)))
	conditions := make([]*filter.Condition, len(q.Filters))
	for n, f := range q.Filters {
		c, err := filter.Compile(f)
		if err != nil {
			return nil, err
		}
		conditions[n] = c
		if col, ok := l.column(f.Path); ok && f.Op == Eq && !states[col] {
			if texts, ok := c.Texts(); ok && len(texts) == 1 {
				l.led, l.grouped = true, l.grouped || slices.Contains(d.Grouped, strings.Join(f.Path, "."))
			}
		}
	}
	for n, f := range q.Filters {
		l.where.sql.WriteString(" AND ")
		if err := l.condition(f, conditions[n]); err != nil {
			return nil, err
		}
	}
	for _, o := range q.Sort {
		if err := o.Check(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// column is the text column that holds the value at a path, if there is one.
func (l *listing) column(path []string) (string, bool) {
	dotted := strings.Join(path, ".")
	if dotted == "id" {
		return "id", true
	}
	col, ok := l.d.Indexed[dotted]
	return col, ok
}

// condition writes one filter: on its column when that gives the same answer, else by looking into the
// documents.
func (l *listing) condition(f Filter, c *filter.Condition) error {
	col, ok := l.column(f.Path)
	if ok {
		if texts, ok := c.Texts(); ok {
			l.onColumn(col, f.Op, texts)
			return nil
		}
	}
	if col == "id" {
		if c.Op() != Regex {
			return fault.Invalidf("id", "an id compares as text")
		}
		return l.idMatches(f, c)
	}
	if l.s.Engine() == "postgres" {
		sql, err := c.Postgres(l.where.arg)
		l.where.sql.WriteString(sql)
		return err
	}
	spec, err := f.Spec()
	if err != nil {
		return fault.Invalidf(strings.Join(f.Path, "."), "the filter cannot be read").Because(err)
	}
	l.where.sql.WriteString("demarc_match(doc, " + l.where.arg(spec) + ")")
	return nil
}

func (l *listing) idMatches(f Filter, c *filter.Condition) error {
	if l.s.Engine() == "postgres" {
		re, err := c.PostgresPattern()
		l.where.sql.WriteString("id ~ " + l.where.arg(re))
		return err
	}
	f.Path = []string{"id"}
	spec, err := f.Spec()
	l.where.sql.WriteString(`demarc_match(json_object('id', id), ` + l.where.arg(spec) + ")")
	return err
}

var operators = map[Op]string{Eq: " = ", Gt: " > ", Gte: " >= ", Lt: " < ", Lte: " <= "}

func (l *listing) onColumn(col string, op Op, texts []string) {
	w := &l.where
	if l.led && states[col] && l.s.Engine() == "sqlite" {
		col = "+" + col // without statistics SQLite could look up all of that state, rather than the few that lead
	}
	if op == Ne {
		w.sql.WriteString("(" + col + " IS NULL OR " + col + " NOT IN (" + strings.Join(l.args(texts), ", ") + "))")
		return
	}
	if col == "id" && op == Eq && len(texts) == 1 {
		if home, ok := id.ID(texts[0]).Home(); ok { // by its home the row is found on one node
			w.sql.WriteString("home = " + w.arg(int64(home)) + " AND ")
		}
	}
	if op == Eq {
		texts = slices.Compact(slices.Sorted(slices.Values(texts)))
	}
	if op == Eq && len(texts) > 1 {
		places := l.args(texts)
		in := col + " IN (" + strings.Join(places, ", ") + ")"
		if col != "id" && !l.led && l.several.col == "" {
			l.several = oneOf{col, in, places}
		}
		w.sql.WriteString(in)
		return
	}
	for i, t := range texts {
		if i == 0 {
			w.sql.WriteString("(")
		} else {
			w.sql.WriteString(" OR ")
		}
		w.sql.WriteString(col + operators[op] + w.arg(t))
	}
	w.sql.WriteString(")")
}

func (l *listing) args(texts []string) []string {
	places := make([]string, len(texts))
	for i, t := range texts {
		places[i] = l.where.arg(t)
	}
	return places
}

// read reads the page and, unless the page itself tells it, the total: a page that is not full is the last
// one, so what is skipped and what it holds is all there is.
func (l *listing) read(ctx context.Context, q Query) (p Page, err error) {
	p.Total = -1
	if p.Items, err = l.items(ctx, q); err != nil || q.NoTotal {
		return p, err
	}
	n := len(p.Items)
	if (q.Limit == 0 || n < q.Limit) && (n > 0 || q.Offset == 0) {
		p.Total = int64(q.Offset) + int64(n)
		return p, nil
	}
	p.Total, err = l.total(ctx)
	return p, err
}

func (l *listing) total(ctx context.Context) (n int64, err error) {
	if l.all {
		_, err = l.s.readRow(ctx, sqlTallied, []any{int64(l.spid), l.d.Table}, &n)
		return n, err
	}
	_, err = l.s.readRow(ctx, "SELECT count(*) FROM "+l.d.Table+l.where.sql.String(), l.where.args, &n)
	return n, err
}

func (l *listing) items(ctx context.Context, q Query) ([]Doc, error) {
	b := &builder{args: append([]any(nil), l.where.args...)}
	order, err := l.order(b)
	if err != nil {
		return nil, err
	}
	sql := l.page(order, q, b)
	docs := make([]Doc, 0, min(max(q.Limit, 16), 1024))
	err = l.s.readEach(ctx, sql, b.args, func(r engine.Rows) error {
		d := Doc{SPID: l.spid}
		var i string
		var created, updated int64
		var body []byte
		if err := r.Scan(&i, &d.Version, &created, &updated, &body); err != nil {
			return err
		}
		d.ID, d.Created, d.Updated, d.Body = id.ID(i), moment(created), moment(updated), body
		docs = append(docs, d)
		return nil
	})
	return docs, err
}

// page is the statement that reads a page. Without statistics SQLite would go through all rows in the order of their
// ids, rather than look up what a column is to be: so it must be told to.
func (l *listing) page(order string, q Query, b *builder) string {
	const columns = "SELECT id, version, created, updated, doc FROM "
	where, end := l.where.sql.String(), b.page(q.Offset, q.Limit, l.s.Engine())
	if l.s.Engine() != "sqlite" || order != "id" && order != "id DESC" || !l.grouped && l.several.col == "" {
		return columns + l.d.Table + where + " ORDER BY " + order + end
	}
	if l.grouped || q.Limit == 0 || len(l.several.places) > mostLegs {
		return columns + l.d.Table + where + " ORDER BY +" + order + end
	}
	// The index of each value goes on by id, so a page needs no more of each than a page.
	legs := make([]string, len(l.several.places))
	for n, p := range l.several.places {
		legs[n] = "SELECT * FROM (" + columns + l.d.Table + strings.Replace(where, l.several.sql, l.several.col+" = "+p, 1) +
			" ORDER BY " + order + " LIMIT " + strconv.Itoa(q.Offset+q.Limit) + ")"
	}
	return strings.Join(legs, " UNION ALL ") + " ORDER BY " + order + end
}

// order ends with the id, so that equal documents stand in one order on every page.
func (l *listing) order(b *builder) (string, error) {
	var keys []string
	for _, o := range l.sort {
		direction := ""
		if o.Desc {
			direction = " DESC"
		}
		if col, ok := l.column(o.Path); ok && (col == "id" || o.Type == Text || o.Type == Any) {
			if col == "id" {
				return strings.Join(append(keys, "id"+direction), ", "), nil
			}
			keys = append(keys, col+direction+" NULLS LAST")
			continue
		}
		if l.s.Engine() == "postgres" {
			for _, k := range o.Postgres(b.arg) {
				keys = append(keys, k+direction+" NULLS LAST")
			}
			continue
		}
		spec, err := o.Spec()
		if err != nil {
			return "", fault.Invalidf(strings.Join(o.Path, "."), "the sort cannot be read").Because(err)
		}
		keys = append(keys, "demarc_key(doc, "+b.arg(spec)+")"+direction+" NULLS LAST")
	}
	return strings.Join(append(keys, "id"), ", "), nil
}
