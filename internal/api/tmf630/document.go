package tmf630

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// unreadable is what the log says of a stored document that is no JSON object.
const unreadable = "a stored document cannot be read"

// selection is what fields asks for: the wanted members and, below them, theirs; nil wants everything.
type selection map[string]selection

// parseFields reads fields=name,contactMedium.mediumType. id, href and @type are always there; "none" asks
// for nothing else; an empty list asks for everything.
func parseFields(query url.Values) (selection, error) {
	var all selection
	for _, value := range query[paramFields] {
		for path := range strings.SplitSeq(value, ",") {
			if path = strings.TrimSpace(path); path == "" {
				continue
			}
			if all == nil {
				all = selection{"@type": nil}
			}
			if path == "none" {
				continue
			}
			steps := strings.Split(path, ".")
			if err := checkPath(paramFields, steps); err != nil {
				return nil, fault.Invalidf(paramFields, "%q is not the name of an attribute", path)
			}
			all.want(steps)
		}
	}
	return all, nil
}

func (s selection) want(steps []string) {
	below, known := s[steps[0]]
	switch {
	case len(steps) == 1:
		s[steps[0]] = nil
	case known && below == nil: // all of it is wanted already
	default:
		if below == nil {
			below = selection{}
			s[steps[0]] = below
		}
		below.want(steps[1:])
	}
}

// appendDocument writes a stored document with its id and href, whole or as far as it is selected.
// prefix is the JSON text of the collection's address and a slash, without its closing quote.
func appendDocument(b []byte, d store.Doc, prefix []byte, s selection) ([]byte, error) {
	b = appendIdentity(b, d.ID, prefix)
	if s == nil {
		tail := bytes.TrimLeft(d.Body, " \t\r\n")
		if len(tail) < 2 || tail[0] != '{' {
			return nil, fault.Internalf(nil, unreadable)
		}
		if tail = bytes.TrimLeft(tail[1:], " \t\r\n"); tail[0] != '}' {
			b = append(b, ',')
		}
		return append(b, tail...), nil
	}
	var err error
	each := func(name string, quoted, value jsontext.Value) {
		below, wanted := s[name]
		if !wanted || err != nil {
			return
		}
		mark := len(b)
		b = append(append(append(b, ','), quoted...), ':')
		var kept bool
		if b, kept, err = appendSelected(b, value, below); err == nil && !kept {
			b = b[:mark]
		}
	}
	if bad := members(d.Body, each); bad != nil || err != nil {
		return nil, fault.Internalf(bad, unreadable)
	}
	return append(b, '}'), nil
}

func appendIdentity(b []byte, i id.ID, prefix []byte) []byte {
	b = append(append(append(b, `{"id":"`...), i...), `","href":`...)
	return append(append(append(b, prefix...), i...), '"')
}

// appendSelected writes what is selected of a value; kept is false when it has none of it.
func appendSelected(b []byte, value jsontext.Value, s selection) (_ []byte, kept bool, err error) {
	if s == nil {
		return append(b, value...), true, nil
	}
	switch value.Kind() {
	case '{':
		b = append(b, '{')
		first := true
		err = members(value, func(name string, quoted, inner jsontext.Value) {
			below, wanted := s[name]
			if !wanted || err != nil {
				return
			}
			mark := len(b)
			if !first {
				b = append(b, ',')
			}
			b = append(append(b, quoted...), ':')
			var ok bool
			if b, ok, err = appendSelected(b, inner, below); !ok {
				b = b[:mark]
				return
			}
			first, kept = false, true
		})
		return append(b, '}'), kept, err
	case '[':
		return appendItems(b, value, s)
	}
	return b, false, nil
}

// appendItems writes what is selected of each item of an array; items without any of it are left out.
func appendItems(b []byte, value jsontext.Value, s selection) (_ []byte, kept bool, err error) {
	b = append(b, '[')
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := dec.ReadToken(); err != nil {
		return nil, false, err
	}
	for dec.PeekKind() != ']' {
		item, err := dec.ReadValue()
		if err != nil {
			return nil, false, err
		}
		mark := len(b)
		if kept {
			b = append(b, ',')
		}
		var ok bool
		if b, ok, err = appendSelected(b, item, s); err != nil {
			return nil, false, err
		}
		if !ok {
			b = b[:mark]
		}
		kept = kept || ok
	}
	return append(b, ']'), kept, nil
}

// members shows every member of a JSON object. What it shows is valid during the call only.
func members(object jsontext.Value, see func(name string, quoted, value jsontext.Value)) error {
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return fault.Internalf(err, unreadable)
	}
	var quoted []byte
	for dec.PeekKind() == '"' {
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		quoted = append(quoted[:0], raw...)
		name, err := jsontext.AppendUnquote(nil, quoted)
		if err != nil {
			return err
		}
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		see(string(name), quoted, value)
	}
	_, err := dec.ReadToken()
	return err
}

// quotedPrefix is the JSON text of an address and a slash, without the closing quote: hrefs of a collection
// begin with it.
func quotedPrefix(address string) ([]byte, error) {
	b, err := jsontext.AppendQuote(nil, address+"/")
	if err != nil {
		return nil, fault.Invalidf("", "the address of the request is not readable text")
	}
	return b[:len(b)-1], nil
}
