package store

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store/filter"
)

// maxDepth bounds the nesting of a document: far more than any resource has, far less than what either
// engine's parser takes.
const maxDepth = 100

// maxIndexed bounds a text that stands in an index, in bytes: PostgreSQL refuses longer ones.
const maxIndexed = 1024

// reference is an object of a document that has an id of demarc's own form.
type reference struct {
	to     id.ID
	prefix string
	home   id.Home
	href   string
	// at is the path of the id as the client wrote it ("relatedParty[1].id"), dotted the object's path
	// without indexes ("relatedParty").
	at, dotted string
}

// inspector reads a document once: it leaves out the id and href of the root, refuses what not both
// engines can hold, and collects the references.
type inspector struct {
	dec   jsontext.Decoder
	src   bytes.Buffer
	raw   []byte
	path  []byte // of the value being read, with indexes
	plain []byte // without
	depth int
	refs  []reference
	// indexed are the attributes kept in columns.
	indexed map[string]string
	// cuts are the spans of the root members to leave out.
	cuts [][2]int
}

var inspectors = sync.Pool{New: func() any { return new(inspector) }}

// inspect gives the document as it is to be stored and the references in it.
func inspect(raw []byte, indexed map[string]string) (body []byte, refs []reference, err error) {
	p := inspectors.Get().(*inspector)
	defer func() { p.raw, p.refs = nil, nil; inspectors.Put(p) }()
	p.src = *bytes.NewBuffer(raw)
	p.dec.Reset(&p.src)
	p.raw, p.path, p.plain, p.depth, p.refs, p.cuts, p.indexed = raw, p.path[:0], p.plain[:0], 0, nil, p.cuts[:0], indexed
	if p.dec.PeekKind() != '{' {
		return nil, nil, fault.Invalidf("", "a document is a JSON object")
	}
	if err := p.object(); err != nil {
		return nil, nil, err
	}
	return p.cut(), p.refs, nil
}

// cut gives the raw document without the root members that are not stored.
func (p *inspector) cut() []byte {
	if len(p.cuts) == 0 {
		return p.raw
	}
	body, from := make([]byte, 0, len(p.raw)), 0
	for _, c := range p.cuts {
		body = append(body, p.raw[from:c[0]]...)
		from = c[1]
	}
	body = append(body, p.raw[from:]...)
	// When the first members were cut, the comma after them is left.
	if i := 1 + len(body[1:]) - len(bytes.TrimLeft(body[1:], " \t\r\n,")); i > 1 {
		body = append(body[:1], body[i:]...)
	}
	return body
}

func (p *inspector) malformed(err error) error {
	return fault.Invalidf(string(p.path), "the document is not well-formed JSON").Because(err)
}

func (p *inspector) object() error {
	if p.depth++; p.depth > maxDepth {
		return fault.Invalidf(string(p.path), "the document is nested too deep")
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return p.malformed(err)
	}
	var found, href string
	path, plain := len(p.path), len(p.plain)
	for p.dec.PeekKind() == '"' {
		start := int(p.dec.InputOffset())
		name, err := p.dec.ReadToken()
		if err != nil {
			return p.malformed(err)
		}
		key := name.String()
		if strings.IndexByte(key, 0) >= 0 {
			return fault.Invalidf(string(p.path), "the name of an attribute holds a NUL character")
		}
		p.step(key)
		text, err := p.value()
		if err != nil {
			return err
		}
		switch {
		case p.depth == 1 && (key == "id" || key == "href"):
			p.cuts = append(p.cuts, [2]int{start, int(p.dec.InputOffset())})
		case key == "id":
			found = text
		case key == "href":
			href = text
		}
		p.path, p.plain = p.path[:path], p.plain[:plain]
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return p.malformed(err)
	}
	p.depth--
	p.note(found, href)
	return nil
}

// note keeps the object just read when it is a reference.
func (p *inspector) note(found, href string) {
	prefix, home, ok := id.Parse(found)
	if !ok {
		return
	}
	p.refs = append(p.refs, reference{
		to: id.ID(found), prefix: prefix, home: home, href: href,
		at: string(p.path) + ".id", dotted: string(p.plain),
	})
}

func (p *inspector) step(name string) {
	if len(p.path) > 0 {
		p.path, p.plain = append(p.path, '.'), append(p.plain, '.')
	}
	p.path, p.plain = append(p.path, name...), append(p.plain, name...)
}

func (p *inspector) array() error {
	if p.depth++; p.depth > maxDepth {
		return fault.Invalidf(string(p.path), "the document is nested too deep")
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return p.malformed(err)
	}
	path := len(p.path)
	for i := 0; ; i++ {
		if k := p.dec.PeekKind(); k == ']' || k == 0 {
			break
		}
		p.path = strconv.AppendInt(append(p.path, '['), int64(i), 10)
		p.path = append(p.path, ']')
		if _, err := p.value(); err != nil {
			return err
		}
		p.path = p.path[:path]
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return p.malformed(err)
	}
	p.depth--
	return nil
}

// value reads one value; text is its content when it is a string.
func (p *inspector) value() (text string, err error) {
	switch p.dec.PeekKind() {
	case '{':
		return "", p.object()
	case '[':
		return "", p.array()
	case '"':
		raw, err := p.dec.ReadValue()
		if err != nil {
			return "", p.malformed(err)
		}
		return p.text(raw)
	case '0':
		raw, err := p.dec.ReadValue()
		if err != nil {
			return "", p.malformed(err)
		}
		if !filter.Comparable(raw) {
			return "", fault.Invalidf(string(p.path), "the number is too long, too large or too small")
		}
		return "", nil
	}
	if err := p.dec.SkipValue(); err != nil {
		return "", p.malformed(err)
	}
	return "", nil
}

// text refuses NUL, which PostgreSQL cannot hold, and unquotes what may be an id or a URL.
func (p *inspector) text(raw jsontext.Value) (string, error) {
	if len(raw) > maxIndexed {
		if _, ok := p.indexed[string(p.plain)]; ok {
			return "", fault.Invalidf(string(p.path), "the text has more than %d bytes", maxIndexed)
		}
	}
	escaped := bytes.IndexByte(raw, '\\') >= 0
	if !escaped && len(raw) > 2050 {
		return "", nil
	}
	if !escaped {
		if !p.wanted() {
			return "", nil
		}
		return string(raw[1 : len(raw)-1]), nil
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", p.malformed(err)
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return "", fault.Invalidf(string(p.path), "the text holds a NUL character")
	}
	return string(b), nil
}

// wanted reports whether the value being read is called id or href.
func (p *inspector) wanted() bool {
	return bytes.HasSuffix(p.path, []byte("id")) || bytes.HasSuffix(p.path, []byte("href"))
}
