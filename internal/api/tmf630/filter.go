package tmf630

import (
	"net/url"
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
)

// CodeJSONPath is a query in TMF630 part 6's JSONPath, which demarc does not speak (501).
const CodeJSONPath fault.Code = "jsonPathNotSupported"

// CodeDirective is a directive of TMF630 part 2 that demarc does not speak (501).
const CodeDirective fault.Code = "directiveNotSupported"

// mostFilters bounds how many conditions one query may have.
const mostFilters = 32

// The query parameters that are not filters.
const (
	paramFields = "fields"
	paramOffset = "offset"
	paramLimit  = "limit"
	paramSort   = "sort"
	paramFilter = "filter"
	paramDryRun = "dryRun"
)

// suffixes are the operators that end an attribute's name (name.regex=...).
var suffixes = map[string]store.Op{
	"eq": store.Eq, "ne": store.Ne, "gt": store.Gt, "gte": store.Gte, "lt": store.Lt, "lte": store.Lte, "regex": store.Regex,
}

// signs are the operators between name and value; the longer ones come before those they begin with.
var signs = []struct {
	text string
	op   store.Op
}{
	{">=", store.Gte}, {"<=", store.Lte}, {"<>", store.Ne}, {"!=", store.Ne}, {"*=", store.Regex},
	{"==", store.Eq}, {"=~", store.Regex}, {"=", store.Eq}, {">", store.Gt}, {"<", store.Lt},
}

// ParseFilters reads the attribute filters of a query (TMF630 part 1, "Query resources with attribute
// filtering"): conditions are ANDed; values of one attribute and operator, whether separated by comma or
// semicolon or given again, are ORed. A comma or semicolon that is part of a value is written \, or \;.
//
// The shape tells which attributes exist and what type they have; it may be nil. What cannot be read is an
// Invalid fault that names the attribute.
func ParseFilters(query url.Values, shape *Shape) ([]store.Filter, error) {
	p := filterParser{shape: shape, at: map[string]int{}}
	keys := make([]string, 0, len(query))
	for key := range query {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		switch key {
		case paramFields, paramOffset, paramLimit, paramSort, paramDryRun:
			continue
		case paramFilter:
			return nil, jsonPath(query.Get(key))
		case "expand", "depth":
			if shape == nil || shape.Attribute(key) == nil {
				return nil, fault.New(fault.Unsupported, CodeDirective, "%s is not supported: answers hold references as they are stored", key).At(key)
			}
		}
		for _, value := range query[key] {
			if err := p.add(key, value); err != nil {
				return nil, err
			}
		}
	}
	return p.found, nil
}

type filterParser struct {
	shape *Shape
	found []store.Filter
	at    map[string]int // attribute and operator: place in found
}

// add reads one key and value of the query. The signs < > ! * leave the operator, or all of the condition,
// in what the URL calls the key: a>5 is the key "a>5", a>=5 the key "a>" with the value 5.
func (p *filterParser) add(key, value string) error {
	name, rest := key, "="+value
	if i := strings.IndexAny(key, "<>!*="); i >= 0 {
		name, rest = key[:i], key[i:]
		if value != "" || strings.Trim(rest, "<>!*") == "" {
			rest += "=" + value
		}
	}
	for _, s := range signs {
		if text, ok := strings.CutPrefix(rest, s.text); ok {
			return p.condition(name, s.op, text)
		}
	}
	return fault.Invalidf(name, "%s is not an operator: use eq, ne, gt, gte, lt, lte or regex", rest)
}

func (p *filterParser) condition(name string, op store.Op, text string) error {
	path, t, suffix, err := p.attribute(name)
	if err != nil {
		return err
	}
	if suffix != "" {
		if op != store.Eq {
			return fault.Invalidf(name, "two operators stand here: .%s and a sign", suffix)
		}
		op = suffix
	}
	values, err := split(name, op, text)
	if err != nil {
		return err
	}
	f := store.Filter{Path: path, Op: op, Type: t.comparison(), Values: values}
	if f.Type == store.Moment && op != store.Regex {
		// Some senders store dates where the standard wants moments; Any compares both.
		f.Type = store.Any
		if f.Values, err = moments(name, op, values); err != nil {
			return err
		}
	}
	if op == store.Regex {
		f.Type = store.Text
	}
	return p.merge(f)
}

func (p *filterParser) merge(f store.Filter) error {
	key := strings.Join(f.Path, ".") + " " + string(f.Op)
	if i, ok := p.at[key]; ok {
		p.found[i].Values = append(p.found[i].Values, f.Values...)
		return nil
	}
	if len(p.found) == mostFilters {
		return fault.Invalidf(key, "a query takes at most %d conditions", mostFilters)
	}
	p.at[key] = len(p.found)
	p.found = append(p.found, f)
	return nil
}

// attribute splits a name into path and operator suffix. A declared attribute that is called like an operator
// is the attribute; below a value that has no attributes, only an operator can stand.
func (p *filterParser) attribute(name string) (path []string, t Type, op store.Op, err error) {
	path = strings.Split(name, ".")
	if err := checkPath(name, path); err != nil {
		return nil, Type{}, "", err
	}
	if p.shape != nil {
		t, known, wrong := p.shape.At(path)
		if known && !wrong {
			return path, t, "", nil
		}
		if wrong && p.scalarBefore(path) {
			last := path[len(path)-1]
			op, ok := suffixes[last]
			if !ok {
				return nil, t, "", fault.Invalidf(name, "%s is not an operator: use eq, ne, gt, gte, lt, lte or regex", last)
			}
			return path[:len(path)-1], t, op, nil
		}
		if wrong {
			return nil, t, "", fault.Invalidf(name, "%s goes below a value that has no attributes", name)
		}
	}
	if op, ok := suffixes[path[len(path)-1]]; ok && len(path) > 1 {
		path = path[:len(path)-1]
		if p.shape != nil {
			t, _, _ = p.shape.At(path)
		}
		return path, t, op, nil
	}
	return path, t, "", nil
}

// scalarBefore reports whether all of the path but its last step leads to a declared value without
// attributes; a path that goes deeper below one has no operator at all.
func (p *filterParser) scalarBefore(path []string) bool {
	_, known, wrong := p.shape.At(path[:len(path)-1])
	return known && !wrong
}

func checkPath(name string, path []string) error {
	for _, step := range path {
		if step == "" || strings.ContainsAny(step, " \t\r\n\"'()[]{}$&|,;\\") {
			return fault.Invalidf(name, "%q is not the name of an attribute", name)
		}
	}
	return nil
}

// split cuts the text of a condition into its alternatives. attr=a;attr=b and attr=a;b are the same.
func split(name string, op store.Op, text string) ([]string, error) {
	if text == "" {
		return nil, fault.Invalidf(name, "a value is missing")
	}
	if op == store.Regex {
		return []string{text}, nil // commas and semicolons belong to patterns
	}
	var values []string
	var b strings.Builder
	end := func() {
		v := b.String()
		b.Reset()
		for _, s := range []string{name + "==", name + "="} {
			if rest, ok := strings.CutPrefix(v, s); ok && len(values) > 0 {
				v = rest
				break
			}
		}
		values = append(values, v)
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && strings.IndexByte(`,;\`, text[i+1]) >= 0:
			i++
			b.WriteByte(text[i])
		case c == ',' || c == ';':
			end()
		default:
			b.WriteByte(c)
		}
	}
	end()
	for _, v := range values[1:] {
		if other, _, ok := strings.Cut(v, "="); ok && strings.Contains(text, ";"+v) && checkPath("", strings.Split(other, ".")) == nil {
			return nil, fault.Invalidf(name, "; lists values of one attribute: it cannot join %s to %s (write \\; when it is part of the value)", name, other)
		}
	}
	if len(values) > 1 && (op == store.Eq || op == store.Ne) {
		// A client that asks for a value it was shown may not know that commas separate.
		values = append(values, text)
	}
	return values, nil
}

// moments writes the values of a comparison with a moment as the store reads them. A date stands for its
// first moment in UTC; a + that the URL turned into a space is put back.
func moments(name string, op store.Op, values []string) ([]string, error) {
	var found []string
	for i, v := range values {
		v = strings.Replace(v, " ", "+", 1)
		if isDate(v) {
			if op == store.Eq || op == store.Ne {
				found = append(found, v)
			}
			found = append(found, v+"T00:00:00Z")
			continue
		}
		if !isMoment(v) {
			if i > 0 && i == len(values)-1 && strings.ContainsAny(v, ",;") {
				continue // the unsplit text that split adds
			}
			return nil, fault.Invalidf(name, "%q is neither a moment (2026-01-31T09:30:00Z) nor a date (2026-01-31)", v)
		}
		found = append(found, v)
	}
	return found, nil
}

// jsonPath refuses the filter parameter: with 501 when it is JSONPath, which is not spoken, and as bad syntax
// when it is not even that (TMF630 part 6).
func jsonPath(expression string) error {
	if e := strings.TrimSpace(expression); e == "" || !balanced(e) || strings.ContainsAny(e[:1], "]})?.=<>,") {
		return fault.Invalidf(paramFilter, "filter is not a JSONPath expression")
	}
	return fault.New(fault.Unsupported, CodeJSONPath,
		"filter (JSONPath) is not supported: filter by attributes, as in name=value, name.regex=pattern or validFor.endDateTime.gt=2026-01-31").At(paramFilter)
}

// balanced reports whether brackets and quotes close in order.
func balanced(e string) bool {
	var open []byte
	for i := 0; i < len(e); i++ {
		switch c := e[i]; c {
		case '\'', '"':
			n := strings.IndexByte(e[i+1:], c)
			if n < 0 {
				return false
			}
			i += n + 1
		case '(', '[', '{':
			open = append(open, c)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != map[byte]byte{')': '(', ']': '[', '}': '{'}[c] {
				return false
			}
			open = open[:len(open)-1]
		}
	}
	return len(open) == 0
}

// ParseQuery reads attribute filters from the text of a query ("eventType=CustomerCreateEvent&domain=…"), as
// event subscriptions carry them. Nothing is known of the attributes.
func ParseQuery(text string) ([]store.Filter, error) {
	query, err := url.ParseQuery(strings.ReplaceAll(strings.TrimPrefix(text, "?"), ";", "%3B"))
	if err != nil {
		return nil, fault.Invalidf("", "the query is not well-formed: a percent sign must be followed by two hexadecimal digits").Because(err)
	}
	return ParseFilters(query, nil)
}
