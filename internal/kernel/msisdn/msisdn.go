// Package msisdn reads and shows mobile numbers: digits of E.164 are stored, E.123 is shown, both are
// accepted.
package msisdn

import (
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Number is an MSISDN: 7 to 15 digits of E.164 with its country code and no sign.
type Number string

// Parse reads a number in E.164 or E.123 form ("+27 83 200 0000", "27832000000", "0027832000000"). A
// number in national form ("083 200 0000") needs the region it belongs to, an ISO 3166 code; with an empty
// region only international forms are read. Anything else is an Invalid fault.
func Parse(text, region string) (Number, error) {
	trimmed := strings.TrimSpace(text)
	var digits strings.Builder
	for i, c := range trimmed {
		switch {
		case c >= '0' && c <= '9':
			digits.WriteRune(c)
		case c == '+' && i == 0, c == ' ', c == '-', c == '(', c == ')', c == '.', c == '/', c == '\u00a0':
		default:
			return "", bad(text)
		}
	}
	d := digits.String()
	international := strings.HasPrefix(trimmed, "+")
	if !international && strings.HasPrefix(d, "00") {
		d, international = d[2:], true
	}
	if !international && strings.HasPrefix(d, "0") {
		if region == "" {
			return "", bad(text)
		}
		n, err := phonenumbers.Parse(d, region)
		if err != nil {
			return "", bad(text)
		}
		d = strings.TrimPrefix(phonenumbers.Format(n, phonenumbers.E164), "+")
	}
	if len(d) < 7 || len(d) > 15 || d[0] == '0' {
		return "", bad(text)
	}
	return Number(d), nil
}

func bad(text string) error {
	if len(text) > 32 {
		text = text[:32] + "…"
	}
	return fault.Invalidf("msisdn", "%q is not a mobile number: write it as +27 83 200 0000 or 27832000000", text)
}

// E123 shows the number with its sign and spaces: "+27 83 200 0000". A number that no numbering plan
// knows is shown with its sign alone.
func (n Number) E123() string {
	p, err := phonenumbers.Parse("+"+string(n), "")
	if err != nil {
		return "+" + string(n)
	}
	shown := phonenumbers.Format(p, phonenumbers.INTERNATIONAL)
	if back, err := Parse(shown, ""); err != nil || back != n {
		return "+" + string(n) // the library drops trunk prefixes from numbers that no plan knows
	}
	return shown
}

// E164 is the number with its sign: "+27832000000".
func (n Number) E164() string { return "+" + string(n) }

// String is the number as stored: digits alone.
func (n Number) String() string { return string(n) }
