package op

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// ETag is the entity tag of a document's version: "v3" in quotes.
func ETag(version int64) string {
	return string(strconv.AppendInt([]byte(`"v`), version, 10)) + `"`
}

// IfMatch is the version that an If-Match header asks for; 0 when there is none or it is a star, which any
// version satisfies. Faults: Stale for a tag that is no version's, Invalid for several tags. A weak tag counts
// as the strong one: proxies that compress weaken tags.
func IfMatch(h http.Header) (version int64, err error) {
	value := strings.TrimSpace(first(h, "If-Match"))
	if value == "" || value == "*" {
		return 0, nil
	}
	if strings.Contains(value, ",") || len(h["If-Match"]) > 1 {
		return 0, fault.Invalidf("If-Match", "must name one version")
	}
	if version, ok := versionOf(value); ok {
		return version, nil
	}
	return 0, fault.New(fault.Stale, fault.CodeStale, "If-Match names no version of this resource; take the ETag of its last answer").At("If-Match")
}

// IfNoneMatch reports whether an If-None-Match header names the version, so that 304 is the answer.
func IfNoneMatch(h http.Header, version int64) bool {
	for _, value := range h["If-None-Match"] {
		for tag := range strings.SplitSeq(value, ",") {
			tag = strings.TrimSpace(tag)
			if v, ok := versionOf(tag); tag == "*" || ok && v == version {
				return true
			}
		}
	}
	return false
}

func versionOf(tag string) (int64, bool) {
	text, ok := strings.CutPrefix(strings.TrimPrefix(tag, "W/"), `"v`)
	if !ok || len(text) < 2 || text[len(text)-1] != '"' || text[0] < '1' || text[0] > '9' {
		return 0, false
	}
	version, err := strconv.ParseInt(text[:len(text)-1], 10, 64)
	return version, err == nil
}
