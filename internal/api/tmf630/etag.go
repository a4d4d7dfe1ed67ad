package tmf630

import (
	"context"
	"strconv"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
)

// etag is the entity tag of a version.
func etag(version int64) string {
	b := make([]byte, 0, 24)
	b = append(b, '"', 'v')
	b = strconv.AppendInt(b, version, 10)
	return string(append(b, '"'))
}

// matches reports whether a tag is among those of If-Match or If-None-Match (RFC 9110, 8.8.3.2): compared
// weakly, W/ in front does not count; compared strongly, a weak tag matches nothing.
func matches(headers []string, tag string, weakly bool) bool {
	for _, h := range headers {
		for t := range strings.SplitSeq(h, ",") {
			t = strings.TrimSpace(t)
			if weakly {
				t = strings.TrimPrefix(t, "W/")
			}
			if t == "*" || t == tag {
				return true
			}
		}
	}
	return false
}

// expected is the version that If-Match wants the resource to have; 0 when any will do. A resource that has
// none of the tags is a Stale fault.
func (e *engine) expected(ctx context.Context, i id.ID, ifMatch []string) (int64, error) {
	if len(ifMatch) == 0 || strings.TrimSpace(ifMatch[0]) == "*" {
		return 0, nil
	}
	d, err := e.Set.Doc(ctx, i)
	if err != nil {
		return 0, err
	}
	if !matches(ifMatch, etag(d.Version), false) {
		return 0, fault.New(fault.Stale, fault.CodeStale, "the %s has changed since: its ETag is %s now", e.noun(), etag(d.Version))
	}
	return d.Version, nil
}
