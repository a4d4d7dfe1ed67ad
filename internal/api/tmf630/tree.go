package tmf630

import (
	"errors"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// A tree is a decoded JSON value: map[string]any, []any, string, bool, nil, and numbers as jsontext.Value so
// that their digits stay as they were sent.

// decodeTree reads a JSON text.
func decodeTree(text []byte) (tree any, err error) {
	err = json.Unmarshal(text, &tree, json.WithUnmarshalers(json.UnmarshalFromFunc(keepNumber)))
	return tree, err
}

func keepNumber(dec *jsontext.Decoder, into *any) error {
	if dec.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	v, err := dec.ReadValue()
	*into = v.Clone()
	return err
}

// encodeTree writes a tree, names in order.
func encodeTree(tree any) (jsontext.Value, error) {
	return json.Marshal(tree, json.Deterministic(true))
}

// equal compares two trees as JSON Patch's test does (RFC 6902, 4.6): numbers by value, objects whatever
// their order.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		o, ok := b.(map[string]any)
		if !ok || len(a) != len(o) {
			return false
		}
		for name, v := range a {
			if w, ok := o[name]; !ok || !equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		return ok && slices.EqualFunc(a, l, equal)
	case jsontext.Value:
		n, ok := b.(jsontext.Value)
		if !ok || string(a) == string(n) {
			return ok
		}
		x, errX := strconv.ParseFloat(string(a), 64)
		y, errY := strconv.ParseFloat(string(n), 64)
		return errX == nil && errY == nil && x == y
	}
	return a == b
}

// merge applies a merge patch (RFC 7396): null removes, objects are merged, all else is replaced. target is
// changed.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(object, name)
			continue
		}
		object[name] = merge(object[name], value)
	}
	return object
}

// The bounds of what a patch may make.
const (
	mostDepth = 64
	mostBytes = 1 << 20
)

// measure adds up how large a tree is and how deep; it stops when either is too much.
type measure struct{ bytes int }

func (m *measure) add(tree any, depth int) error {
	if depth > mostDepth {
		return fault.Invalidf("", "the patched resource is nested deeper than %d levels", mostDepth)
	}
	m.bytes += 4
	switch v := tree.(type) {
	case map[string]any:
		for name, inner := range v {
			m.bytes += len(name) + 4
			if err := m.add(inner, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range v {
			if err := m.add(inner, depth+1); err != nil {
				return err
			}
		}
	case string:
		m.bytes += len(v)
	case jsontext.Value:
		m.bytes += len(v)
	}
	if m.bytes > mostBytes {
		return fault.New(fault.TooLarge, "resourceTooLarge", "the patched resource is larger than %d bytes", mostBytes)
	}
	return nil
}

// clone copies a tree.
func clone(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for name, inner := range v {
			c[name] = clone(inner)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, inner := range v {
			c[i] = clone(inner)
		}
		return c
	}
	return tree
}
