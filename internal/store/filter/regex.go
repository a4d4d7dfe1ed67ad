package filter

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"
)

// maxTranslated bounds the expression given to PostgreSQL.
const maxTranslated = 32 << 10

// translate writes an RE2 expression as a PostgreSQL advanced regular expression that finds a match in the
// same texts. Only whether there is a match counts, so greed and captures are dropped. Everything is
// written out in a few safe forms: characters by number, classes as ranges, anchors without modes.
func translate(pattern string) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	w := &areWriter{}
	w.write(re.Simplify())
	return w.b.String(), !w.failed && w.b.Len() <= maxTranslated
}

type areWriter struct {
	b      strings.Builder
	failed bool
}

// nothing matches no text; ahead of it the engine need not look.
const nothing = `(?:\Za\A)`

const wordClass = `[0-9A-Z_a-z]`

func (w *areWriter) write(re *syntax.Regexp) {
	if w.b.Len() > maxTranslated {
		w.failed = true
		return
	}
	switch re.Op {
	case syntax.OpNoMatch:
		w.b.WriteString(nothing)
	case syntax.OpEmptyMatch:
		w.b.WriteString(`(?:)`)
	case syntax.OpLiteral:
		w.literal(re)
	case syntax.OpCharClass:
		w.class(re.Rune)
	case syntax.OpAnyCharNotNL:
		w.b.WriteString(`[^\u000a]`)
	case syntax.OpAnyChar:
		w.b.WriteString(`(?:[^a]|a)`)
	case syntax.OpBeginText:
		w.b.WriteString(`\A`)
	case syntax.OpEndText:
		w.b.WriteString(`\Z`)
	case syntax.OpBeginLine:
		w.b.WriteString(`(?:\A|(?<=\u000a))`)
	case syntax.OpEndLine:
		w.b.WriteString(`(?:\Z|(?=\u000a))`)
	case syntax.OpWordBoundary:
		w.b.WriteString(`(?:(?<=` + wordClass + `)(?!` + wordClass + `)|(?<!` + wordClass + `)(?=` + wordClass + `))`)
	case syntax.OpNoWordBoundary:
		w.b.WriteString(`(?:(?<=` + wordClass + `)(?=` + wordClass + `)|(?<!` + wordClass + `)(?!` + wordClass + `))`)
	case syntax.OpCapture:
		w.group(re.Sub[0], "")
	case syntax.OpStar:
		w.group(re.Sub[0], "*")
	case syntax.OpPlus:
		w.group(re.Sub[0], "+")
	case syntax.OpQuest:
		w.group(re.Sub[0], "?")
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			w.group(sub, "")
		}
	case syntax.OpAlternate:
		for i, sub := range re.Sub {
			if i > 0 {
				w.b.WriteByte('|')
			}
			w.group(sub, "")
		}
	default: // Simplify leaves no OpRepeat
		w.failed = true
	}
}

func (w *areWriter) group(re *syntax.Regexp, times string) {
	w.b.WriteString("(?:")
	w.write(re)
	w.b.WriteString(")" + times)
}

func (w *areWriter) literal(re *syntax.Regexp) {
	for _, r := range re.Rune {
		if re.Flags&syntax.FoldCase == 0 {
			w.char(r)
			continue
		}
		w.b.WriteByte('[')
		w.char(r)
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			w.char(f)
		}
		w.b.WriteByte(']')
	}
}

// char writes a character by its number; NUL, which no stored text holds, is out of PostgreSQL's range.
func (w *areWriter) char(r rune) {
	switch {
	case r <= 0:
		w.failed = true
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		w.b.WriteRune(r)
	case r <= 0xffff:
		fmt.Fprintf(&w.b, `\u%04x`, r)
	default:
		fmt.Fprintf(&w.b, `\U%08x`, r)
	}
}

// class writes pairs of first and last characters.
func (w *areWriter) class(pairs []rune) {
	var ranges strings.Builder
	inner := &areWriter{}
	for i := 0; i+1 < len(pairs); i += 2 {
		lo, hi := max(pairs[i], 1), pairs[i+1]
		if lo > hi {
			continue
		}
		inner.char(lo)
		if hi > lo {
			inner.b.WriteByte('-')
			inner.char(hi)
		}
	}
	ranges.WriteString(inner.b.String())
	if ranges.Len() == 0 {
		w.b.WriteString(nothing)
		return
	}
	w.b.WriteString("[" + ranges.String() + "]")
}
