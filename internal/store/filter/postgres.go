package filter

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Postgres writes the condition as SQL over a json column named doc. arg makes a value a parameter and
// gives its place. A pattern that PostgreSQL cannot run is an Invalid fault that names the attribute.
func (c *Condition) Postgres(arg func(any) string) (string, error) {
	var one string
	from := "jsonb_path_query(doc::jsonb, " + arg(laxPath(c.path)) + "::text::jsonpath) AS v"
	if c.op == Regex {
		re, err := c.PostgresPattern()
		if err != nil {
			return "", err
		}
		one = `jsonb_typeof(v) = 'string' AND (v #>> '{}') COLLATE "C" ~ ` + arg(re) + "::text"
	} else {
		parts := make([]string, 0, len(c.values))
		for i := range c.values {
			parts = append(parts, c.sqlValue(&c.values[i], arg))
		}
		one = strings.Join(parts, " OR ")
	}
	sql := "EXISTS (SELECT 1 FROM " + from + " WHERE " + one + ")"
	if c.op == Ne {
		sql = "NOT " + sql
	}
	return sql, nil
}

// PostgresPattern is the condition's expression in PostgreSQL's syntax.
func (c *Condition) PostgresPattern() (string, error) {
	re, ok := translate(c.re.String())
	if !ok {
		return "", fault.Invalidf(strings.Join(c.path, "."), "the pattern is too large")
	}
	return re, nil
}

var sqlOperators = map[Op]string{Eq: " = ", Ne: " = ", Gt: " > ", Gte: " >= ", Lt: " < ", Lte: " <= "}

const (
	sqlText    = `(v #>> '{}') COLLATE "C"`
	sqlNumber  = `(v #>> '{}')::numeric`
	sqlBoolean = `(v #>> '{}')::boolean`
	// Digits beyond the microsecond are cut off, not rounded.
	sqlMicros   = `(extract(epoch FROM (regexp_replace(v #>> '{}', '(\.[0-9]{6})[0-9]+', '\1'))::timestamptz) * 1000000)::bigint`
	sqlIsMoment = `(v #>> '{}') COLLATE "C" ~ '` + momentShape + `'`
)

// sqlValue compares v, a jsonb scalar, with one value. The casts stand in CASE arms, which PostgreSQL
// evaluates only when their type was found to fit.
func (c *Condition) sqlValue(v *value, arg func(any) string) string {
	op := sqlOperators[c.op]
	var arms []string
	if v.isNumber {
		arms = append(arms, "WHEN 'number' THEN "+sqlNumber+op+arg(v.number)+"::text::numeric")
	}
	if v.isBoolean {
		arms = append(arms, "WHEN 'boolean' THEN "+sqlBoolean+op+arg(v.truth)+"::boolean")
	}
	switch {
	case c.typ == Text || c.typ == Any && !v.isMoment:
		arms = append(arms, "WHEN 'string' THEN "+sqlText+op+arg(v.text)+"::text")
	case v.isMoment:
		other := "false"
		when := "WHEN 'string' THEN CASE WHEN " + sqlIsMoment + " THEN " + sqlMicros + op + arg(v.micros) + "::bigint ELSE "
		if c.typ == Any {
			other = sqlText + op + arg(v.text) + "::text"
		}
		arms = append(arms, when+other+" END")
	}
	return "CASE jsonb_typeof(v) " + strings.Join(arms, " ") + " ELSE false END"
}

// laxPath is the path in PostgreSQL's JSON path language; every step is quoted.
func laxPath(path []string) string {
	b := []byte("lax $")
	for _, p := range path {
		b = append(b, '.')
		b, _ = jsontext.AppendQuote(b, p) // checkPath saw to it that it is UTF-8
	}
	return string(append(b, "[*]"...))
}

// Postgres gives the expressions to order by, most significant first; all are NULL when there is no value
// of the type.
func (s Sort) Postgres(arg func(any) string) []string {
	first := func(want, key string) string {
		return "(SELECT " + key + " FROM jsonb_path_query(doc::jsonb, " + arg(laxPath(s.Path)) +
			"::text::jsonpath) WITH ORDINALITY AS q(v, o) WHERE " + want + " ORDER BY o LIMIT 1)"
	}
	const (
		isNumber  = `jsonb_typeof(v) = 'number'`
		isBoolean = `jsonb_typeof(v) = 'boolean'`
		isString  = `jsonb_typeof(v) = 'string'`
		isScalar  = `jsonb_typeof(v) IN ('number', 'boolean', 'string')`
		isMoment  = `CASE WHEN jsonb_typeof(v) = 'string' THEN ` + sqlIsMoment + ` ELSE false END`
		number    = `CASE WHEN ` + isNumber + ` THEN (` + sqlNumber + `)::float8 END`
		moment    = `CASE WHEN ` + isMoment + ` THEN ` + sqlMicros + ` END`
		rank      = `CASE jsonb_typeof(v) WHEN 'boolean' THEN CASE WHEN ` + sqlBoolean + ` THEN 2 ELSE 1 END WHEN 'number' THEN 3
ELSE CASE WHEN ` + sqlIsMoment + ` THEN 4 ELSE 5 END END`
		text = `CASE WHEN ` + isString + ` THEN ` + sqlText + ` END`
	)
	switch s.Type {
	case Number:
		return []string{first(isNumber, number)}
	case Boolean:
		return []string{first(isBoolean, rank)}
	case Moment:
		return []string{first(isMoment, moment)}
	case Text:
		return []string{first(isString, sqlText)}
	}
	// After the rank the keys of the other types are NULL for all rows of one rank, or told apart by it; the
	// text decides last, so that it does not come before a moment that other digits write.
	return []string{first(isScalar, rank), first(isScalar, number), first(isScalar, moment), first(isScalar, `CASE WHEN NOT `+isMoment+` THEN `+text+` END`)}
}
