package resource

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Kept puts back what encoding a typed value leaves out: "" and false and 0 that the client wrote. A
// type cannot tell those from an absent attribute, but who sent `"preferred": false` reads it again. An
// attribute that a rule has emptied stays out, since it did not come as zero. What stood in a sum of money or a
// quantity beside its number and unit, such as @type, is put back too: their types are small, and keep no more.
func Kept(came, encoded jsontext.Value) jsontext.Value {
	if bytes.Equal(came, encoded) || !mayLose(came) {
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
	was, now := parts(came, '}'), parts(encoded, '}')
	out, lost := make([]byte, 0, len(encoded)+32), false
	out = append(out, '{')
	write := func(name []byte, v jsontext.Value) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), v...)
	}
	found := make([]bool, len(was))
	next := 0
	for _, m := range now {
		v := m.value
		// Both are written in the order of the type, so that the next is nearly always the one.
		for n := range was {
			at := (next + n) % len(was)
			if !bytes.Equal(was[at].name, m.name) {
				continue
			}
			v, found[at], next = Kept(was[at].value, v), true, at+1
			lost = lost || !bytes.Equal(v, m.value)
			break
		}
		write(m.name, v)
	}
	all := measure(now)
	for n, m := range was {
		if !found[n] && (all || zero(m.value)) {
			lost = true
			write(m.name, m.value)
		}
	}
	if !lost {
		return encoded
	}
	return append(out, '}')
}

// measure reports whether an object of these members is a sum of money or a quantity.
func measure(all []part) bool {
	has := func(name string) bool {
		return slices.ContainsFunc(all, func(p part) bool { return string(p.name) == name })
	}
	return len(all) == 2 && (has(`"unit"`) && has(`"value"`) || has(`"units"`) && has(`"amount"`))
}

func keepElements(came, encoded jsontext.Value) jsontext.Value {
	was, now := parts(came, ']'), parts(encoded, ']')
	if len(was) != len(now) { // the rules changed the list: nothing says which element was which
		return encoded
	}
	out, lost := append(make([]byte, 0, len(encoded)+32), '['), false
	for n, m := range now {
		if n > 0 {
			out = append(out, ',')
		}
		v := Kept(was[n].value, m.value)
		lost = lost || !bytes.Equal(v, m.value)
		out = append(out, v...)
	}
	if !lost {
		return encoded
	}
	return append(out, ']')
}

// part is a member of an object, its name as it is written, or an element of an array, without one.
type part struct {
	name  []byte
	value jsontext.Value
}

// parts takes apart an object or an array, which end says; v was read as JSON before, so that nothing is checked again.
func parts(v jsontext.Value, end byte) (all []part) {
	v = bytes.TrimLeft(v, " \t\r\n")
	for i := 1; i < len(v); i++ {
		switch v[i] {
		case ' ', '\t', '\n', '\r', ',':
			continue
		case end:
			return all
		}
		var p part
		if end == '}' {
			stop := after(v, i)
			p.name = named(v[i:stop])
			for i = stop; v[i] != ':'; i++ {
				continue
			}
			for i++; v[i] == ' ' || v[i] == '\t' || v[i] == '\n' || v[i] == '\r'; i++ {
				continue
			}
		}
		stop := after(v, i)
		p.value = v[i:stop]
		all = append(all, p)
		i = stop - 1
	}
	return all
}

// named is a member's name as demarc writes it, whatever escapes a client wrote it with.
func named(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted
	}
	plain, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return quoted
	}
	again, err := jsontext.AppendQuote(nil, plain)
	if err != nil {
		return quoted
	}
	return again
}

// after is where the value that begins at i ends.
func after(v jsontext.Value, i int) int {
	depth := 0
	for ; i < len(v); i++ {
		switch v[i] {
		case '"':
			for i++; v[i] != '"'; i++ {
				if v[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // a number or a literal at the end of what holds it
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return i
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
