package resource

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Kept puts back what encoding a typed value leaves out: "" and false and 0 that the client wrote. A
// type cannot tell those from an absent attribute, but who sent `"preferred": false` reads it again. An
// attribute that a rule has emptied stays out, since it did not come as zero. What stood in a sum of money or a
// quantity beside its number and unit, such as @type, is put back too: their types are small, and keep no more.
func Kept(came, encoded jsontext.Value) jsontext.Value {
	if !mayLose(came) {
		return encoded
	}
	switch {
	case came.Kind() == '{' && encoded.Kind() == '{':
		return keepMembers(came, encoded)
	case came.Kind() == '[' && encoded.Kind() == '[':
		return keepElements(came, encoded)
	}
	return encoded
}

// mayLose spares the work for the many documents that lose nothing: it looks for an empty text, a false, a number that
// begins with 0, and a unit.
func mayLose(v jsontext.Value) bool {
	if bytes.Contains(v, []byte(`""`)) || bytes.Contains(v, []byte(`false`)) || bytes.Contains(v, []byte(`"unit`)) {
		return true
	}
	for i := 1; i < len(v); i++ {
		if v[i] != '0' {
			continue
		}
		switch v[i-1] {
		case ':', ',', '[', '-', ' ', '\t', '\n', '\r':
			return true
		}
	}
	return false
}

func keepMembers(came, encoded jsontext.Value) jsontext.Value {
	had := map[string]jsontext.Value{}
	var order []string
	for name, v := range members(came) {
		had[name] = v
		order = append(order, name)
	}
	var out bytes.Buffer
	enc := jsontext.NewEncoder(&out)
	has := map[string]bool{}
	if enc.WriteToken(jsontext.BeginObject) != nil {
		return encoded
	}
	write := func(name string, v jsontext.Value) bool {
		return enc.WriteToken(jsontext.String(name)) == nil && enc.WriteValue(v) == nil
	}
	for name, v := range members(encoded) {
		has[name] = true
		if was, ok := had[name]; ok {
			v = Kept(was, v)
		}
		if !write(name, v) {
			return encoded
		}
	}
	all := measure(has)
	for _, name := range order {
		if !has[name] && (all || zero(had[name])) && !write(name, had[name]) {
			return encoded
		}
	}
	if enc.WriteToken(jsontext.EndObject) != nil {
		return encoded
	}
	return bytes.TrimSpace(out.Bytes())
}

// measure reports whether an object of these members is a sum of money or a quantity.
func measure(names map[string]bool) bool {
	return len(names) == 2 && (names["unit"] && names["value"] || names["units"] && names["amount"])
}

func keepElements(came, encoded jsontext.Value) jsontext.Value {
	was, now := elements(came), elements(encoded)
	if len(was) != len(now) { // the rules changed the list: nothing says which element was which
		return encoded
	}
	out := []byte{'['}
	for i := range now {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, Kept(was[i], now[i])...)
	}
	return append(out, ']')
}

// members walks an object in the order it is written; it ends early at what is not JSON.
func members(object jsontext.Value) func(yield func(string, jsontext.Value) bool) {
	return func(yield func(string, jsontext.Value) bool) {
		d := jsontext.NewDecoder(bytes.NewReader(object))
		if _, err := d.ReadToken(); err != nil {
			return
		}
		for d.PeekKind() == '"' {
			t, err := d.ReadToken()
			if err != nil {
				return
			}
			name := t.String()
			v, err := d.ReadValue()
			if err != nil || !yield(name, v.Clone()) {
				return
			}
		}
	}
}

func elements(array jsontext.Value) (all []jsontext.Value) {
	d := jsontext.NewDecoder(bytes.NewReader(array))
	if _, err := d.ReadToken(); err != nil {
		return nil
	}
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil
		}
		all = append(all, v.Clone())
	}
	return all
}

// zero reports whether v is what an empty Go string, boolean or number encodes to.
func zero(v jsontext.Value) bool {
	switch v.Kind() {
	case '"':
		return len(v) == 2
	case 'f':
		return true
	case '0':
		return len(bytes.Trim(v, "-0.")) == 0
	}
	return false
}
