package filter

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// value is the right-hand side of a comparison, read in every way it can be.
type value struct {
	text      string
	number    string // as JSON writes it
	float     float64
	micros    int64
	truth     bool
	isNumber  bool
	isMoment  bool
	isBoolean bool
}

// plain reports whether both engines can hold s as text: UTF-8 without NUL.
func plain(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func parseValue(s string, t Type) (v value, ok bool) {
	v.text = s
	if t == Any || t == Number {
		v.float, v.isNumber = parseNumber(s)
		v.number = s
	}
	if t == Any || t == Moment {
		v.micros, v.isMoment = parseMoment(s)
	}
	if t == Any || t == Boolean {
		v.truth, v.isBoolean = s == "true", s == "true" || s == "false"
	}
	switch t {
	case Any, Text:
		return v, true
	case Number:
		return v, v.isNumber
	case Moment:
		return v, v.isMoment
	case Boolean:
		return v, v.isBoolean
	}
	return v, false
}

// jsonNumber is a number as JSON writes it, of bounded length.
var jsonNumber = regexp.MustCompile(`^-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,100})?(?:[eE][+-]?[0-9]{1,3})?$`)

// parseNumber reads a JSON number that a float64 can stand for without becoming infinite or vanishing:
// what is beyond that neither engine could compare.
func parseNumber(s string) (float64, bool) {
	if !jsonNumber.MatchString(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != 0 && f < 1e-300 && f > -1e-300 {
		return 0, false
	}
	if f == 0 {
		mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
		return 0, strings.Trim(mantissa, "-0.") == "" // 1e-400 is not zero
	}
	return f, true
}

// momentShape admits exactly the RFC 3339 moments that both engines read: real days of the years 1 to
// 9999, no leap second, an offset of less than 14 hours.
const momentShape = `^(?:(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})-` +
	`(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|` +
	`(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)` +
	`T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])$`

var moment = regexp.MustCompile(momentShape)

// parseMoment gives microseconds since 1970, further digits cut off.
func parseMoment(s string) (int64, bool) {
	if len(s) < 20 || len(s) > 35 || s[4] != '-' || s[10] != 'T' || !moment.MatchString(s) {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, false
	}
	return t.Unix()*1e6 + int64(t.Nanosecond()/1000), true
}

// compareNumbers is exact: the floats decide unless they are equal and the digits are not.
func compareNumbers(aText string, a float64, bText string, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case aText == bText:
		return 0
	}
	x, okX := new(big.Rat).SetString(aText)
	y, okY := new(big.Rat).SetString(bText)
	if !okX || !okY {
		return 0
	}
	return x.Cmp(y)
}

// holds reports whether a comparison's result (-1, 0, 1) satisfies op; Ne is asked as Eq.
func holds(op Op, cmp int) bool {
	switch op {
	case Eq, Ne:
		return cmp == 0
	case Gt:
		return cmp > 0
	case Gte:
		return cmp >= 0
	case Lt:
		return cmp < 0
	case Lte:
		return cmp <= 0
	}
	return false
}

// Comparable reports whether a JSON number is one that filters can compare on both engines: of bounded
// length, and not infinite or vanished as a float64. Documents with others must not be stored.
func Comparable(number []byte) bool {
	if plainInteger(number) {
		return true
	}
	_, ok := parseNumber(string(number))
	return ok
}

// plainInteger spares the common case the pattern.
func plainInteger(n []byte) bool {
	if len(n) == 0 || len(n) > 18 {
		return false
	}
	for _, c := range n {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
