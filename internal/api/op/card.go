package op

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/pan"
)

// CodeCardNumber is a request that holds the full number of a payment card, wherever it stands: demarc keeps none, so that
// it need not protect any (PCI DSS requirement 3).
const CodeCardNumber fault.Code = "cardNumberRefused"

func cardNumber(attribute string) error {
	return fault.New(fault.Invalid, CodeCardNumber, "holds the full number of a payment card, which is neither taken nor kept; send the last four digits, or the payment gateway's token").At(clip(attribute, 256))
}

// equipment reports whether the value of an attribute is a number of 3GPP TS 23.003 §6.2 that may look like a card's: 15
// digits (IMEI) or 16 (IMEISV), which begin with a body that gives numbers to types of equipment. ICCIDs need no such
// rule: no card's number begins with 89.
func equipment(attribute, value string) bool {
	if !strings.EqualFold(attribute, "imei") && !strings.EqualFold(attribute, "imeisv") {
		return false
	}
	if len(value) != 15 && len(value) != 16 || strings.Trim(value, "0123456789") != "" {
		return false
	}
	switch value[:2] {
	case "01", "10", "30", "33", "35", "44", "45", "49", "86", "91", "98", "99":
		return true
	}
	return false
}

// withoutCard is a path as it may be shown and logged.
func withoutCard(path string) string {
	if pan.Found(path) {
		return "(a card number)"
	}
	return path
}

// noCards refuses a request in whose path, query, body or words about it a full card number stands.
func noCards(r *Request) error {
	for name, v := range r.Path {
		if pan.Found(v) {
			return cardNumber(name)
		}
	}
	for name, values := range r.Query {
		if pan.Found(name) {
			return cardNumber("the query string")
		}
		for _, v := range values {
			if pan.Found(v) && !equipment(name, v) {
				return cardNumber(name)
			}
		}
	}
	for _, name := range []string{"X-Reason", "Idempotency-Key"} {
		v := first(r.Header, name)
		if text, err := url.PathUnescape(v); err == nil {
			v = text
		}
		if pan.Found(v) {
			return cardNumber(http.CanonicalHeaderKey(name))
		}
	}
	if at, found := findCard(r.Tree, "", "", r.Operation.Codes); found {
		return cardNumber(at)
	}
	return nil
}

// findCard gives the path of the first value, or name, of a JSON tree that holds a card's number. name is what the value
// goes by: the attribute, or the characteristic that it is the value of.
func findCard(v any, path, name string, codes []string) (string, bool) {
	if slices.Contains(codes, path) {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return path, pan.Found(v) && !equipment(name, v)
	case float64:
		digits := strconv.FormatFloat(v, 'f', -1, 64)
		return path, pan.Is(digits) && !equipment(name, digits)
	case []any:
		for i, e := range v {
			if p, found := findCard(e, path+"["+strconv.Itoa(i)+"]", name, codes); found {
				return p, true
			}
		}
	case map[string]any:
		of, _ := v["name"].(string)
		for _, attribute := range sortedNames(v) {
			if pan.Found(attribute) {
				return path, true
			}
			called := attribute
			if attribute == "value" && of != "" {
				called = of
			}
			if p, found := findCard(v[attribute], join(path, attribute), called, codes); found {
				return p, true
			}
		}
	}
	return "", false
}
