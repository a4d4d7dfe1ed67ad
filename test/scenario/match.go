package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Match says how got differs from want; nothing means that it matches.
//
// An object matches when it has the wanted members, whatever else it has. A list matches element by
// element; one that begins with "..." matches when each of its other elements matches some element. A
// number matches by value. A text matches itself, or is one of these:
//
//	$any           anything but nothing
//	$absent        the member is not there
//	$string $number $boolean $object $list $moment
//	$count 3       a list of three; also $count >=3
//	~ EXPRESSION   a text that the regular expression matches
func Match(want, got any) []string { return match("", want, got) }

func match(path string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		return matchObject(path, w, got)
	case []any:
		return matchList(path, w, got)
	case string:
		return matchText(path, w, got)
	case nil:
		if got != nil {
			return differs(path, "null", got)
		}
	default:
		if number(want) != number(got) {
			return differs(path, fmt.Sprint(want), got)
		}
	}
	return nil
}

func matchObject(path string, want map[string]any, got any) (bad []string) {
	g, ok := got.(map[string]any)
	if !ok {
		return differs(path, "an object", got)
	}
	for name, w := range want {
		v, there := g[name]
		at := strings.TrimPrefix(path+"."+name, ".")
		switch {
		case w == "$absent" && there:
			bad = append(bad, at+" is there")
		case w == "$absent":
		case !there:
			bad = append(bad, at+" is not there")
		default:
			bad = append(bad, match(at, w, v)...)
		}
	}
	slices.Sort(bad)
	return bad
}

func matchList(path string, want []any, got any) (bad []string) {
	g, ok := got.([]any)
	if !ok {
		return differs(path, "a list", got)
	}
	if len(want) > 0 && want[0] == "..." {
		for _, w := range want[1:] {
			if !slices.ContainsFunc(g, func(v any) bool { return len(match("", w, v)) == 0 }) {
				bad = append(bad, fmt.Sprintf("%s has no element like %v among its %d", path, w, len(g)))
			}
		}
		return bad
	}
	if len(g) != len(want) {
		return []string{fmt.Sprintf("%s has %d elements, not %d", path, len(g), len(want))}
	}
	for i := range want {
		bad = append(bad, match(fmt.Sprintf("%s[%d]", path, i), want[i], g[i])...)
	}
	return bad
}

func matchText(path, want string, got any) []string {
	if re, ok := strings.CutPrefix(want, "~ "); ok {
		text, isText := got.(string)
		compiled, err := regexp.Compile(re)
		if err != nil {
			return []string{path + ": " + err.Error()}
		}
		if !isText || !compiled.MatchString(text) {
			return differs(path, "a text like "+re, got)
		}
		return nil
	}
	if count, ok := strings.CutPrefix(want, "$count "); ok {
		return matchCount(path, count, got)
	}
	if ok, known := matchWord(want, got); known {
		if !ok {
			return differs(path, want, got)
		}
		return nil
	}
	if want != got {
		return differs(path, strconv.Quote(want), got)
	}
	return nil
}

// matchWord matches the words that stand for a kind of value; known is false for any other text.
func matchWord(want string, got any) (ok, known bool) {
	switch want {
	case "$any":
		return got != nil, true
	case "$string":
		text, is := got.(string)
		return is && text != "", true
	case "$number":
		_, is := got.(float64)
		return is, true
	case "$boolean":
		_, is := got.(bool)
		return is, true
	case "$object":
		_, is := got.(map[string]any)
		return is, true
	case "$list":
		_, is := got.([]any)
		return is, true
	case "$moment":
		text, is := got.(string)
		return is && moment.MatchString(text), true
	}
	return false, false
}

var moment = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

func matchCount(path, count string, got any) []string {
	g, ok := got.([]any)
	if !ok {
		return differs(path, "a list", got)
	}
	least, more := strings.CutPrefix(count, ">=")
	n, err := strconv.Atoi(strings.TrimSpace(least))
	if err != nil || (more && len(g) < n) || (!more && len(g) != n) {
		return []string{fmt.Sprintf("%s has %d elements, not %s", path, len(g), count)}
	}
	return nil
}

func differs(path, want string, got any) []string {
	text := fmt.Sprintf("%v", got)
	if s, ok := got.(string); ok {
		text = strconv.Quote(s)
	}
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	if path == "" {
		path = "the body"
	}
	return []string{fmt.Sprintf("%s is %s, not %s", path, text, want)}
}

// number makes YAML's and JSON's numbers comparable.
func number(v any) any {
	switch n := v.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	}
	return v
}

// Lookup finds a value by its path: "id", "engagedParty.id", "[0].id", "contactMedium[1].mediumType".
func Lookup(v any, path string) (any, bool) {
	path = strings.ReplaceAll(strings.ReplaceAll(path, "[", ".["), "..", ".")
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
		if index, ok := strings.CutPrefix(part, "["); ok {
			list, isList := v.([]any)
			n, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if !isList || err != nil || n < 0 || n >= len(list) {
				return nil, false
			}
			v = list[n]
			continue
		}
		object, isObject := v.(map[string]any)
		if !isObject {
			return nil, false
		}
		if v, isObject = object[part]; !isObject {
			return nil, false
		}
	}
	return v, true
}
