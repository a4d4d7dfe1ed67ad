package resource

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
)

// pointerOf turns the JSON pointer of a decoding error into the dotted path that clients write:
// /contactMedium/0/mediumType is contactMedium[0].mediumType.
func pointerOf(err error) string {
	var se *json.SemanticError
	if !errors.As(err, &se) {
		return ""
	}
	var b strings.Builder
	for token := range se.JSONPointer.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			b.WriteString("[" + token + "]")
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
	}
	return b.String()
}
