package inventory

import (
	"context"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/store"
)

// Search asks for available numbers.
type Search struct {
	// Pattern is digits with ? for any one and * for any number of them; without either, what a number contains.
	// Empty is every number.
	Pattern string
	// Class and Group narrow it down; empty is any.
	Class Class
	Group string
	// Limit is the most to give.
	Limit int
}

var (
	patternForm = regexp.MustCompile(`^[0-9?*]{1,32}$`)
	anyRun      = regexp.MustCompile(`\*+`)
)

// Find gives numbers that are available. A pattern that begins or ends with digits is looked up; one that does not is
// looked for among all, and where it is rare may be refused as too costly (Limit, store.CodeTooCostly).
func (s *Service) Find(ctx context.Context, q Search) (found []Number, err error) {
	queries, err := q.plan()
	if err != nil {
		return nil, err
	}
	for _, query := range queries {
		if query.Limit = q.Limit - len(found); query.Limit <= 0 {
			break
		}
		page, err := s.Numbers.Docs(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, d := range page.Items {
			var v Number
			if err := json.Unmarshal(d.Body, &v); err != nil {
				return nil, fault.Internalf(err, "the stored number %s cannot be read", d.ID)
			}
			found = append(found, v)
		}
	}
	return found, nil
}

// plan says what to look up, one after the other.
func (q Search) plan() ([]store.Query, error) {
	pattern := strings.TrimPrefix(q.Pattern, "+")
	if q.Pattern != "" && !patternForm.MatchString(pattern) {
		return nil, fault.Invalidf("pattern", "a pattern is at most 32 digits, ? and *")
	}
	if q.Class != "" && q.Class != Regular && q.Class != Premium {
		return nil, fault.Invalidf("pricing", "numbers are regular or premium")
	}
	if !strings.ContainsAny(pattern, "?*") {
		pattern = "*" + pattern + "*"
	}
	pattern = anyRun.ReplaceAllString(pattern, "*")
	var rest []store.Filter
	if pattern != "*" {
		rest = append(rest, store.Filter{Path: []string{"msisdn"}, Op: store.Regex, Values: []string{expression(pattern)}, Type: store.Text})
	}
	if q.Group != "" {
		rest = append(rest, store.Filter{Path: []string{"msisdnGroup"}, Op: store.Eq, Values: []string{q.Group}, Type: store.Text})
	}
	begin, end := digitsBefore(pattern), digitsBefore(backwards(pattern))
	if len(begin) < len(end) || begin == "" && q.Class != "" {
		return byEnd(q.Class, end, rest), nil
	}
	if q.Class != "" {
		rest = append(rest, store.Filter{Path: []string{"pricing"}, Op: store.Eq, Values: []string{string(q.Class)}, Type: store.Text})
	}
	return []store.Query{query("free", begin, rest)}, nil
}

// byEnd looks numbers up by their last digits, which are given backwards.
func byEnd(c Class, end string, rest []store.Filter) (out []store.Query) {
	for _, class := range []Class{Regular, Premium} {
		if c == "" || c == class {
			out = append(out, query("draw", string(class)+"/"+end, rest))
		}
	}
	return out
}

// query looks up what begins so and is as the rest says.
func query(attribute, begin string, rest []store.Filter) store.Query {
	return store.Query{
		Filters: append(between(attribute, begin, begin+":"), rest...), // : follows 9
		Sort:    []store.Sort{{Path: []string{attribute}, Type: store.Text}}, NoTotal: true,
	}
}

func digitsBefore(pattern string) string {
	if i := strings.IndexAny(pattern, "?*"); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

// expression is the regular expression of a pattern.
func expression(pattern string) string {
	return "^" + strings.NewReplacer("?", "[0-9]", "*", "[0-9]*").Replace(pattern) + "$"
}
