package filter

import (
	"sync"
	"unsafe"

	"github.com/go-json-experiment/json"
)

// Spec writes a filter down for Conditions; Sort's is for Sorts.
func (f Filter) Spec() (string, error) {
	b, err := json.Marshal(f)
	return string(b), err
}

// Spec writes a sort down for Sorts.
func (s Sort) Spec() (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}

// kept bounds the compiled specs that are remembered.
const kept = 256

// Conditions evaluates filters that come as their Spec, row by row; each is compiled once.
type Conditions struct{ memo memo[*Condition] }

// NewConditions makes an evaluator that several connections share.
func NewConditions() *Conditions {
	return &Conditions{memo[*Condition]{make: func(spec string) (*Condition, error) {
		var f Filter
		if err := json.Unmarshal([]byte(spec), &f); err != nil {
			return nil, err
		}
		return Compile(f)
	}}}
}

// Match reports whether the document satisfies the filter.
func (c *Conditions) Match(doc, spec string) (bool, error) {
	cond, err := c.memo.get(spec)
	if err != nil {
		return false, err
	}
	return cond.Match(bytesOf(doc)), nil
}

// Sorts evaluates sort keys, like Conditions.
type Sorts struct{ memo memo[Sort] }

// NewSorts makes an evaluator that several connections share.
func NewSorts() *Sorts {
	return &Sorts{memo[Sort]{make: func(spec string) (s Sort, err error) {
		err = json.Unmarshal([]byte(spec), &s)
		return s, err
	}}}
}

// Key is what the document sorts by, nil when it has no such value.
func (s *Sorts) Key(doc, spec string) ([]byte, error) {
	sort, err := s.memo.get(spec)
	if err != nil {
		return nil, err
	}
	return sort.Key(bytesOf(doc)), nil
}

// bytesOf looks at a string's bytes without copying them; they are only read.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

type memo[V any] struct {
	make func(spec string) (V, error)
	mu   sync.RWMutex
	m    map[string]V
}

func (m *memo[V]) get(spec string) (V, error) {
	m.mu.RLock()
	v, ok := m.m[spec]
	m.mu.RUnlock()
	if ok {
		return v, nil
	}
	spec = string([]byte(spec)) // the caller's may be a view that goes away
	v, err := m.make(spec)
	if err != nil {
		return v, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.m == nil || len(m.m) >= kept {
		m.m = map[string]V{}
	}
	m.m[spec] = v
	return v, nil
}
