package smpp

import (
	"encoding/binary"
	"errors"
	"unicode/utf16"
)

// The alphabets that messages are written in (3GPP TS 23.038; SMPP 3.4, 5.2.19).
const (
	codingDefault byte = 0x00
	codingUCS2    byte = 0x08
)

// basic is the default alphabet (3GPP TS 23.038, 6.2.1): a character's place is its septet.
var basic = []rune("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")

// extended are the characters that follow an escape (3GPP TS 23.038, 6.2.1.1).
var extended = map[rune]byte{
	'\f': 0x0a, '^': 0x14, '{': 0x28, '}': 0x29, '\\': 0x2f, '[': 0x3c, '~': 0x3d, ']': 0x3e, '|': 0x40, '€': 0x65,
}

const escape = 0x1b

var septets = func() map[rune]byte {
	out := make(map[rune]byte, len(basic))
	for n, r := range basic {
		if n != escape {
			out[r] = byte(n)
		}
	}
	return out
}()

// likely stands in for characters that the default alphabet lacks and that mean the same: without them one typographic
// apostrophe would cost a message half its length.
var likely = map[rune]rune{
	'’': '\'', '‘': '\'', '“': '"', '”': '"', '„': '"', '–': '-', '—': '-', '\u00a0': ' ', '\u202f': ' ', '\t': ' ', 'ç': 'Ç',
}

// Part is a part of a message as it is handed over.
type Part struct {
	Coding byte
	// Headed says that Bytes begin with a user data header that names the part.
	Headed bool
	Bytes  []byte
}

// The most that a message holds, alone and as a part of several (3GPP TS 23.040, 9.2.3.24.1).
const (
	aloneSeptets, partSeptets = 160, 153
	aloneUnits, partUnits     = 70, 67
	// MostParts is in how many parts a message is sent at most.
	MostParts = 20
)

// ErrTooLong is a text that does not fit into the most parts that are sent.
var ErrTooLong = errors.New("the text is too long for short messages")

// Split writes a text as short messages: in the default alphabet if it can be, else in UCS-2, in parts where it is too long
// for one. The reference binds the parts together.
func Split(text string, reference byte) ([]Part, error) {
	if letters, ok := septetsOf(text); ok {
		return split(letters, codingDefault, aloneSeptets, partSeptets, reference)
	}
	return split(unitsOf(text), codingUCS2, 2*aloneUnits, 2*partUnits, reference)
}

// septetsOf are the characters of a text in the default alphabet, each one or two bytes; ok is false when one has no place
// there.
func septetsOf(text string) (out [][]byte, ok bool) {
	for _, r := range text {
		if same, there := likely[r]; there {
			r = same
		}
		if c, there := septets[r]; there {
			out = append(out, []byte{c})
		} else if c, there := extended[r]; there {
			out = append(out, []byte{escape, c})
		} else {
			return nil, false
		}
	}
	return out, true
}

// unitsOf are the characters of a text in UCS-2; those beyond it are two units, as telephones have them.
func unitsOf(text string) (out [][]byte) {
	for _, r := range text {
		var c []byte
		for _, u := range utf16.Encode([]rune{r}) {
			c = binary.BigEndian.AppendUint16(c, u)
		}
		out = append(out, c)
	}
	return out
}

// split puts characters together, none of them cut in two.
func split(characters [][]byte, coding byte, alone, each int, reference byte) ([]Part, error) {
	size := 0
	for _, c := range characters {
		size += len(c)
	}
	if size <= alone {
		p := Part{Coding: coding}
		for _, c := range characters {
			p.Bytes = append(p.Bytes, c...)
		}
		return []Part{p}, nil
	}
	var texts [][]byte
	var last []byte
	for _, c := range characters {
		if len(last)+len(c) > each {
			texts, last = append(texts, last), nil
		}
		last = append(last, c...)
	}
	texts = append(texts, last)
	if len(texts) > MostParts {
		return nil, ErrTooLong
	}
	out := make([]Part, len(texts))
	for n, t := range texts {
		// A header of five bytes: an element of three, by which parts are put together (3GPP TS 23.040, 9.2.3.24.1).
		head := []byte{5, 0, 3, reference, byte(len(texts)), byte(n + 1)}
		out[n] = Part{Coding: coding, Headed: true, Bytes: append(head, t...)}
	}
	return out, nil
}
