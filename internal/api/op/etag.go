package op

import "strconv"

// ETag is the entity tag of a document's version: "v3" in quotes.
func ETag(version int64) string {
	return string(strconv.AppendInt([]byte(`"v`), version, 10)) + `"`
}
