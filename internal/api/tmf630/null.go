package tmf630

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// A null means the same as no attribute, so none is kept of an attribute that the shape declares: its type
// has no null, and answers hold to their types. What the shape does not declare stays as it came.

// appendWithoutNulls writes a value of the type.
func appendWithoutNulls(b []byte, t Type, value jsontext.Value) ([]byte, error) {
	s := t.Shape
	if s == nil || s.Open || len(s.Values) > 0 || !bytes.Contains(value, []byte("null")) {
		return append(b, value...), nil
	}
	switch value.Kind() {
	case '{':
		return appendObjectWithoutNulls(b, s, value)
	case '[':
		b = append(b, '[')
		dec := jsontext.NewDecoder(bytes.NewReader(value))
		if _, err := dec.ReadToken(); err != nil {
			return nil, err
		}
		for n := 0; dec.PeekKind() != ']'; n++ {
			item, err := dec.ReadValue()
			if err != nil {
				return nil, err
			}
			if n > 0 {
				b = append(b, ',')
			}
			if b, err = appendWithoutNulls(b, t, item); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return append(b, value...), nil
}

func appendObjectWithoutNulls(b []byte, s *Shape, object jsontext.Value) ([]byte, error) {
	b = append(b, '{')
	first := true
	var failed error
	err := members(object, func(name string, quoted, value jsontext.Value) {
		a := s.Attribute(name)
		if failed != nil || a != nil && value.Kind() == 'n' {
			return
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(b, quoted...), ':')
		if a == nil {
			b = append(b, value...)
			return
		}
		b, failed = appendWithoutNulls(b, a.Type, value)
	})
	if err == nil {
		err = failed
	}
	return append(b, '}'), err
}

// dropNulls takes them out of a decoded object of the shape.
func (s *Shape) dropNulls(object map[string]any) {
	for name, value := range object {
		a := s.Attribute(name)
		if a == nil {
			continue
		}
		if value == nil {
			delete(object, name)
			continue
		}
		if t := a.Type.Shape; t != nil && !t.Open {
			t.dropNullsIn(value)
		}
	}
}

func (s *Shape) dropNullsIn(value any) {
	switch v := value.(type) {
	case map[string]any:
		s.dropNulls(v)
	case []any:
		for _, item := range v {
			s.dropNullsIn(item)
		}
	}
}
