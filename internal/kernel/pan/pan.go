// Package pan recognizes primary account numbers: full numbers of payment cards (ISO/IEC 7812), which must never be taken
// in, kept or shown.
package pan

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// issuers are the ranges that card schemes issue numbers in, by their first digits, with the lengths that they have.
// Numbers of other lines of business stand outside of them: an ICCID begins with 89, and a telephone number has at most
// 15 digits.
var issuers = []struct {
	// low and high are of as many digits as they are written with.
	low, high int
	digits    int
	lengths   []int
}{
	{4, 4, 1, []int{13, 16, 19}},                     // Visa
	{51, 55, 2, []int{16}},                           // Mastercard
	{2221, 2720, 4, []int{16}},                       // Mastercard
	{34, 34, 2, []int{15}},                           // American Express
	{37, 37, 2, []int{15}},                           // American Express
	{300, 305, 3, []int{14, 16, 19}},                 // Diners Club
	{3095, 3095, 4, []int{14, 16, 19}},               // Diners Club
	{36, 36, 2, []int{14, 16, 19}},                   // Diners Club
	{38, 39, 2, []int{14, 16, 19}},                   // Diners Club
	{6011, 6011, 4, []int{16, 17, 18, 19}},           // Discover
	{644, 649, 3, []int{16, 17, 18, 19}},             // Discover
	{65, 65, 2, []int{16, 17, 18, 19}},               // Discover
	{3528, 3589, 4, []int{16, 17, 18, 19}},           // JCB
	{62, 62, 2, []int{16, 17, 18, 19}},               // UnionPay
	{81, 81, 2, []int{16, 17, 18, 19}},               // UnionPay
	{50, 50, 2, []int{16, 17, 18, 19}},               // Maestro
	{56, 58, 2, []int{16, 17, 18, 19}},               // Maestro
	{6304, 6304, 4, []int{16, 17, 18, 19}},           // Maestro
	{6759, 6763, 4, []int{16, 17, 18, 19}},           // Maestro
	{2200, 2204, 4, []int{16, 17, 18, 19}},           // Mir
	{9792, 9792, 4, []int{16}},                       // Troy
	{60, 60, 2, []int{16}}, {508, 508, 3, []int{16}}, // RuPay
	{636, 639, 3, []int{16, 19}}, {5067, 5067, 4, []int{16}}, // Elo, InstaPayment
}

const shortest, longest = 13, 19

// Is reports whether digits, and nothing else, are a card number: an issuer's range, one of its lengths, and the check
// digit (ISO/IEC 7812-1 annex B).
func Is(digits string) bool {
	if len(digits) < shortest || len(digits) > longest {
		return false
	}
	for n := range len(digits) {
		if digits[n] < '0' || digits[n] > '9' {
			return false
		}
	}
	return issued(digits) && luhn(digits)
}

func issued(digits string) bool {
	for _, i := range issuers {
		head := 0
		for n := range i.digits {
			head = head*10 + int(digits[n]-'0')
		}
		if head < i.low || head > i.high {
			continue
		}
		for _, l := range i.lengths {
			if l == len(digits) {
				return true
			}
		}
	}
	return false
}

func luhn(digits string) bool {
	sum := 0
	for n := range len(digits) {
		d := int(digits[len(digits)-1-n] - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// A uuid has groups of digits and hyphens that may look like a card's.
var uuid = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)

// group is digits without anything between them.
type group struct {
	digits string
	// apart says that the group before belongs to another number, open that a hexadecimal number goes on before the digits,
	// and on that it goes on after them.
	apart, open, on bool
}

// Found reports whether a card number stands somewhere in a text, written in one piece or in groups with a space, a
// hyphen, a dot or the like between them, in ASCII or full-width digits. Digits that go on, or that are part of a
// hexadecimal number, are something else.
func Found(text string) bool {
	if !enough(text) {
		return false
	}
	groups := split([]rune(uuid.ReplaceAllLiteralString(text, "|")))
	for first := range groups {
		if groups[first].open {
			continue
		}
		number := ""
		for n, g := range groups[first:] {
			if n > 0 && g.apart {
				break
			}
			if number += g.digits; len(number) > longest {
				break
			}
			if !g.on && Is(number) {
				return true
			}
		}
	}
	return false
}

// enough spares most texts the rest.
func enough(text string) bool {
	count := 0
	for n := 0; n < len(text) && count < shortest; n++ {
		if c := text[n]; c >= '0' && c <= '9' || c >= utf8.RuneSelf {
			count++
		}
	}
	return count >= shortest
}

func split(text []rune) (groups []group) {
	ended := -1
	for n := 0; n < len(text); n++ {
		if digit(text[n]) < 0 {
			continue
		}
		g := group{open: hexadecimal(text[:n], true), apart: ended < 0 || n-ended > mostBetween || slices.ContainsFunc(text[ended:n], word)}
		var digits []byte
		for ; n < len(text) && digit(text[n]) >= 0; n++ {
			digits = append(digits, '0'+byte(digit(text[n])))
		}
		g.digits, g.on = string(digits), hexadecimal(text[n:], false)
		groups, ended = append(groups, g), n
	}
	return groups
}

// mostBetween is how many characters may stand between two groups of one number.
const mostBetween = 3

// digit is the value of a digit, -1 of anything else.
func digit(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0')
	case r >= '\uff10' && r <= '\uff19':
		return int(r - '\uff10')
	}
	return -1
}

// word is what cannot stand between two groups of one number.
func word(r rune) bool {
	return unicode.IsLetter(r) || strings.ContainsRune(",;:|\"'{}[]<>\n", r)
}

// hexadecimal reports whether a text goes on, at its end or its beginning, with letters that are all hexadecimal digits.
func hexadecimal(text []rune, atEnd bool) bool {
	count := 0
	for n := range text {
		r := text[n]
		if atEnd {
			r = text[len(text)-1-n]
		}
		if !unicode.IsLetter(r) {
			break
		}
		if !strings.ContainsRune("abcdefABCDEF", r) {
			return false
		}
		count++
	}
	return count > 0
}
