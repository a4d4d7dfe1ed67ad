package filter

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Match reports whether the document satisfies the condition. A document that is not JSON satisfies
// nothing.
func (c *Condition) Match(doc []byte) bool {
	found := false
	walk(doc, c.path, func(kind jsontext.Kind, text string) bool {
		found = c.one(kind, text)
		return !found
	})
	return found != (c.op == Ne)
}

// one compares a single stored value with all of the condition's.
func (c *Condition) one(kind jsontext.Kind, text string) bool {
	if c.re != nil {
		return kind == '"' && c.re.MatchString(text)
	}
	var micros int64
	isMoment := false
	if kind == '"' && c.typ != Text {
		micros, isMoment = parseMoment(text)
	}
	for i := range c.values {
		if c.compare(&c.values[i], kind, text, micros, isMoment) {
			return true
		}
	}
	return false
}

func (c *Condition) compare(v *value, kind jsontext.Kind, text string, micros int64, isMoment bool) bool {
	switch kind {
	case '0':
		f, ok := parseNumber(text)
		return ok && v.isNumber && holds(c.op, compareNumbers(text, f, v.number, v.float))
	case 't', 'f':
		return v.isBoolean && holds(c.op, compareTruth(kind == 't', v.truth))
	case '"':
		if isMoment && v.isMoment {
			return holds(c.op, cmp.Compare(micros, v.micros))
		}
		return (c.typ == Any || c.typ == Text) && holds(c.op, cmp.Compare(text, v.text))
	}
	return false
}

func compareTruth(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Sort keys begin with the rank of their type.
const (
	rankBoolean = 1 + iota
	rankNumber
	rankMoment
	rankText
)

// Key is what a document sorts by: keys compare byte by byte. It is nil when there is no value of the type.
func (s Sort) Key(doc []byte) []byte {
	var key []byte
	walk(doc, s.Path, func(kind jsontext.Kind, text string) bool {
		key = s.key(kind, text)
		return key == nil
	})
	return key
}

func (s Sort) key(kind jsontext.Kind, text string) []byte {
	switch {
	case kind == 't' || kind == 'f':
		if s.Type == Any || s.Type == Boolean {
			return []byte{rankBoolean, byte(compareTruth(kind == 't', false))}
		}
	case kind == '0':
		if f, ok := parseNumber(text); ok && (s.Type == Any || s.Type == Number) {
			return binary.BigEndian.AppendUint64([]byte{rankNumber}, orderedFloat(f))
		}
	case kind == '"':
		if s.Type == Text {
			return append([]byte{rankText}, text...)
		}
		if m, ok := parseMoment(text); ok && (s.Type == Any || s.Type == Moment) {
			return binary.BigEndian.AppendUint64([]byte{rankMoment}, uint64(m)^1<<63)
		}
		if s.Type == Any {
			return append([]byte{rankText}, text...)
		}
	}
	return nil
}

// orderedFloat maps floats to integers of the same order.
func orderedFloat(f float64) uint64 {
	bits := math.Float64bits(f + 0) // -0 and 0 are one number
	if f == 0 {
		bits = 0
	}
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

// Check says whether a sort can be; its path at fault is an Invalid fault.
func (s Sort) Check() error { return checkPath(s.Path) }

type walker struct {
	dec  jsontext.Decoder
	src  bytes.Reader
	path []string
	see  func(jsontext.Kind, string) bool
}

var walkers = sync.Pool{New: func() any { return new(walker) }}

// walk shows every scalar at path, unquoted, until see answers false. Arrays on the way and at the end are
// looked into one level deep, as PostgreSQL's lax paths do.
func walk(doc []byte, path []string, see func(kind jsontext.Kind, text string) bool) {
	w := walkers.Get().(*walker)
	w.src.Reset(doc)
	w.dec.Reset(&w.src)
	w.path, w.see = path, see
	w.value(0, true)
	w.see = nil
	walkers.Put(w)
}

// value looks at the next value for the steps of the path from depth on; more is false to stop.
func (w *walker) value(depth int, unwrap bool) (more bool) {
	switch kind := w.dec.PeekKind(); kind {
	case '{':
		return w.object(depth)
	case '[':
		if !unwrap {
			return w.dec.SkipValue() == nil
		}
		return w.array(depth)
	case '"', '0', 't', 'f':
		if depth < len(w.path) {
			return w.dec.SkipValue() == nil
		}
		t, err := w.dec.ReadToken()
		return err == nil && w.see(kind, t.String())
	case 'n':
		return w.dec.SkipValue() == nil
	}
	return false
}

func (w *walker) array(depth int) bool {
	if _, err := w.dec.ReadToken(); err != nil {
		return false
	}
	for w.dec.PeekKind() != ']' {
		if !w.value(depth, false) {
			return false
		}
	}
	_, err := w.dec.ReadToken()
	return err == nil
}

func (w *walker) object(depth int) bool {
	if depth == len(w.path) {
		return w.dec.SkipValue() == nil
	}
	if _, err := w.dec.ReadToken(); err != nil {
		return false
	}
	for w.dec.PeekKind() != '}' {
		name, err := w.dec.ReadValue()
		if err != nil {
			return false
		}
		if !named(name, w.path[depth]) {
			if w.dec.SkipValue() != nil {
				return false
			}
			continue
		}
		if !w.value(depth+1, true) {
			return false
		}
	}
	_, err := w.dec.ReadToken()
	return err == nil
}

// named compares a quoted member name with a path step, without unquoting the plain ones.
func named(quoted jsontext.Value, step string) bool {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner) == step
	}
	name, err := jsontext.AppendUnquote(nil, quoted)
	return err == nil && string(name) == step
}
