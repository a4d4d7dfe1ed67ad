package tmf630

import (
	"fmt"
	"strconv"
	"strings"
)

// bases are the types that need no declaration.
const bases = " string uri date-time date base64 boolean integer number object any "

// ParseShapes reads a shape file. Its lines:
//
//	# a comment
//	api TMF629 4.0 /tmf-api/customerManagement/v4 Customer Management
//	Customer < Party < Role        a type, and the types whose attributes it has too
//	  name   string  required create readonly fixed     an attribute, its type, its marks
//	  items  [1..Item]                  a list of Item with at least one
//	State = initial done "not yet"      an enumeration
//	Any = any                           anything
func ParseShapes(text string) (*API, error) {
	p := shapeParser{api: &API{Shapes: map[string]*Shape{}}}
	for i, line := range strings.Split(text, "\n") {
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if p.api.Code == "" {
		return nil, fmt.Errorf("the api line is missing")
	}
	for _, link := range p.links {
		if err := link(); err != nil {
			return nil, err
		}
	}
	return p.api, nil
}

type shapeParser struct {
	api     *API
	current *Shape
	// links are run at the end, when all names are known.
	links []func() error
}

func (p *shapeParser) line(line string) error {
	words, err := splitWords(line)
	if err != nil {
		return err
	}
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return p.attribute(words)
	case words[0] == "api":
		if len(words) < 5 {
			return fmt.Errorf("api wants code, version, base path and title")
		}
		p.api.Code, p.api.Version, p.api.Base, p.api.Title = words[1], words[2], words[3], strings.Join(words[4:], " ")
		return nil
	}
	return p.declare(words)
}

func (p *shapeParser) declare(words []string) error {
	s := &Shape{Name: words[0], API: p.api.Code}
	if p.api.Shapes[s.Name] != nil || strings.Contains(bases, " "+s.Name+" ") {
		return fmt.Errorf("%s is declared twice", s.Name)
	}
	p.api.Shapes[s.Name], p.current = s, s
	p.api.order = append(p.api.order, s.Name)
	rest := words[1:]
	switch {
	case len(rest) == 0:
	case rest[0] == "=" && len(rest) == 2 && rest[1] == "any":
		s.Open, p.current = true, nil
	case rest[0] == "=" && len(rest) > 1:
		s.Values, p.current = rest[1:], nil
	case len(rest)%2 == 0:
		for i := 0; i < len(rest); i += 2 {
			if rest[i] != "<" {
				return fmt.Errorf("%q where < should be", rest[i])
			}
			base := rest[i+1]
			p.links = append(p.links, func() error {
				b := p.api.Shapes[base]
				if b == nil || b == s {
					return fmt.Errorf("%s: there is no type %s", s.Name, base)
				}
				s.Bases = append(s.Bases, b)
				return nil
			})
		}
	default:
		return fmt.Errorf("%s: what follows the name is not understood", s.Name)
	}
	return nil
}

func (p *shapeParser) attribute(words []string) error {
	if p.current == nil || len(words) < 2 {
		return fmt.Errorf("an attribute wants a type above it, a name and a type")
	}
	a := &Attribute{Name: words[0]}
	for _, mark := range words[2:] {
		switch mark {
		case "required":
			a.Required = true
		case "create":
			a.Create = true
		case "readonly":
			a.ReadOnly = true
		case "fixed":
			a.Fixed = true
		default:
			return fmt.Errorf("%s: unknown mark %s", a.Name, mark)
		}
	}
	s := p.current
	s.Attributes = append(s.Attributes, a)
	text := words[1]
	p.links = append(p.links, func() (err error) {
		if a.Type, err = p.typeOf(text); err != nil {
			return fmt.Errorf("%s.%s: %w", s.Name, a.Name, err)
		}
		return nil
	})
	return nil
}

func (p *shapeParser) typeOf(text string) (Type, error) {
	var t Type
	if inner, ok := strings.CutPrefix(text, "["); ok {
		t.Array = true
		text = strings.TrimSuffix(inner, "]")
		if least, item, ok := strings.Cut(text, ".."); ok {
			n, err := strconv.Atoi(least)
			if err != nil {
				return t, fmt.Errorf("%q is no number of items", least)
			}
			t.Least, text = n, item
		}
	}
	switch {
	case strings.HasPrefix(text, "("):
		t.Base = "string"
		t.Values = strings.Split(strings.Trim(text, "()"), "|")
	case strings.Contains(bases, " "+text+" "):
		t.Base = text
	case p.api.Shapes[text] != nil:
		t.Shape = p.api.Shapes[text]
	default:
		return t, fmt.Errorf("there is no type %s", text)
	}
	return t, nil
}

// splitWords cuts a line at its spaces; a word in quotes may hold some.
func splitWords(line string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
		if rest[0] != '"' {
			word, after, _ := strings.Cut(rest, " ")
			words, rest = append(words, word), after
			continue
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return nil, fmt.Errorf("a quote is left open")
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, err
		}
		words, rest = append(words, word), rest[len(quoted):]
	}
	return words, nil
}
