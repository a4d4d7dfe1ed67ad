// Package filter is the meaning of TMF630's attribute filters and sorts: what a path finds in a document
// and how a value compares.
//
// The same meaning is held in three places, and a test compares them: here in Go (which SQLite calls as a
// function), and in the SQL made for PostgreSQL. Documents must have passed Check before they are stored.
package filter

import (
	"regexp"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Op is a comparison of a filter (TMF630 part 1, "Query resources").
type Op string

// The comparisons. Regex is an RE2 expression that may match anywhere in a text.
const (
	Eq    Op = "eq"
	Ne    Op = "ne"
	Gt    Op = "gt"
	Gte   Op = "gte"
	Lt    Op = "lt"
	Lte   Op = "lte"
	Regex Op = "regex"
)

// Type is what a filter compares as.
type Type string

// Any compares as the stored value's own type: a number with a number, a moment (RFC 3339) with a moment,
// true and false with a boolean, everything else as text. Any other type looks only at values of that type.
// Texts compare byte by byte, moments to the microsecond, numbers exactly, false before true.
const (
	Any     Type = ""
	Text    Type = "text"
	Number  Type = "number"
	Boolean Type = "boolean"
	Moment  Type = "moment"
)

// Filter keeps the documents in which some value at Path compares so with some value of Values. Ne keeps
// those in which no value at Path equals any of Values (a document without the attribute is kept). JSON
// null counts as no value.
type Filter struct {
	// Path leads to the value from the document's root; arrays on the way are looked into element by
	// element. "id" is a path too.
	Path   []string
	Op     Op
	Values []string
	Type   Type
}

// Sort orders by the first value at Path; documents without it come last. With Any, booleans come before
// numbers (as a float64 sees them), those before moments, those before texts. Equal ones stand in the order of their ids, so paging
// is stable.
type Sort struct {
	Path []string
	Desc bool
	Type Type
}

// maxValues and maxText bound what one filter may ask for.
const (
	maxValues  = 2000
	maxPath    = 16
	maxText    = 4096
	maxPattern = 256
)

// Condition is a filter that was found to be well formed.
type Condition struct {
	path   []string
	op     Op
	typ    Type
	values []value
	re     *regexp.Regexp
}

// Compile checks a filter. A path, value or pattern that cannot be is an Invalid fault that names the
// attribute.
func Compile(f Filter) (*Condition, error) {
	at := strings.Join(f.Path, ".")
	if err := checkPath(f.Path); err != nil {
		return nil, err
	}
	if len(f.Values) == 0 || len(f.Values) > maxValues {
		return nil, fault.Invalidf(at, "a filter takes 1 to %d values", maxValues)
	}
	c := &Condition{path: f.Path, op: f.Op, typ: f.Type}
	switch f.Op {
	case Eq, Ne, Gt, Gte, Lt, Lte:
		return c, c.compileValues(at, f.Values)
	case Regex:
		return c, c.compileRegex(at, f.Values)
	}
	return nil, fault.Invalidf(at, "%q is not a comparison", string(f.Op))
}

func checkPath(path []string) error {
	at := strings.Join(path, ".")
	if len(path) == 0 || len(path) > maxPath {
		return fault.Invalidf(at, "a path has 1 to %d steps", maxPath)
	}
	for _, p := range path {
		if p == "" || len(p) > maxText || !plain(p) {
			return fault.Invalidf(at, "the path has an empty or unreadable step")
		}
	}
	return nil
}

func (c *Condition) compileValues(at string, values []string) error {
	for _, s := range values {
		if len(s) > maxText || !plain(s) {
			return fault.Invalidf(at, "the value is too long or not readable text")
		}
		v, ok := parseValue(s, c.typ)
		if !ok {
			return fault.Invalidf(at, "%q is not a %s", s, c.typ)
		}
		c.values = append(c.values, v)
	}
	return nil
}

// compileRegex joins the patterns: some value must match one of them.
func (c *Condition) compileRegex(at string, values []string) error {
	joined := ""
	for _, s := range values {
		if len(s) > maxPattern || !plain(s) {
			return fault.Invalidf(at, "a pattern has at most %d readable characters", maxPattern)
		}
		if _, err := regexp.Compile(s); err != nil {
			return fault.Invalidf(at, "%q is not an RE2 pattern", s)
		}
		if joined != "" {
			joined += "|"
		}
		joined += "(?:" + s + ")"
	}
	re, err := regexp.Compile(joined)
	if err != nil {
		return fault.Invalidf(at, "the patterns together are too large")
	}
	c.re = re
	return nil
}

// Op is how it compares.
func (c *Condition) Op() Op { return c.op }

// Texts are the values when comparing them as text alone gives the same answer for every stored string:
// then an indexed text column may be asked. ok is false otherwise.
func (c *Condition) Texts() (texts []string, ok bool) {
	if c.op == Regex || c.typ != Any && c.typ != Text {
		return nil, false
	}
	for _, v := range c.values {
		if c.typ == Any && v.isMoment {
			return nil, false
		}
		texts = append(texts, v.text)
	}
	return texts, true
}
