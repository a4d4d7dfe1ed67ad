package op

import (
	"math"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

func (r *rule) check(v any, f *findings) {
	if r == nil {
		return
	}
	s := r.schema
	if v == nil && s.Nullable {
		return
	}
	r.combine(v, f)
	switch s.Type {
	case huma.TypeBoolean:
		if _, ok := v.(bool); !ok {
			f.add("must be true or false")
			return
		}
	case huma.TypeNumber, huma.TypeInteger:
		n, ok := v.(float64)
		if !ok || s.Type == huma.TypeInteger && n != math.Trunc(n) {
			f.add(map[string]string{huma.TypeNumber: "must be a number", huma.TypeInteger: "must be a whole number"}[s.Type])
			return
		}
		r.number(n, f)
	case huma.TypeString:
		t, ok := v.(string)
		if !ok {
			f.add("must be text")
			return
		}
		r.text(t, f)
	case huma.TypeArray:
		a, ok := v.([]any)
		if !ok {
			f.add("must be a list")
			return
		}
		r.list(a, f)
	case huma.TypeObject:
		m, ok := v.(map[string]any)
		if !ok {
			f.add("must be an object")
			return
		}
		r.object(m, f)
	case "":
		if m, ok := v.(map[string]any); ok && r.names != nil {
			r.object(m, f)
		}
	}
	if len(s.Enum) > 0 && !among(s.Enum, v) {
		f.add(r.enum)
	}
}

func among(list []any, v any) bool {
	for _, e := range list {
		if reflect.DeepEqual(e, v) {
			return true
		}
	}
	return false
}

func (r *rule) combine(v any, f *findings) {
	for _, sub := range r.all {
		sub.check(v, f)
	}
	if r.not != nil && r.not.accepts(v, f) {
		f.add("is not allowed here")
	}
	if r.any != nil && matches(r.any, v, f) == 0 {
		f.add("fits none of the forms allowed")
	}
	if r.one == nil {
		return
	}
	if m, ok := v.(map[string]any); ok && r.schema.Discriminator != nil {
		if name, ok := m[r.schema.Discriminator.PropertyName].(string); ok {
			if sub, ok := r.discriminator[name]; ok {
				sub.check(v, f)
				return
			}
		}
	}
	switch matches(r.one, v, f) {
	case 0:
		f.add("fits none of the forms allowed")
	case 1:
	default:
		f.add("fits more than one of the forms allowed")
	}
}

func (r *rule) accepts(v any, f *findings) bool {
	probe := findings{path: f.path}
	r.check(v, &probe)
	return len(probe.details) == 0
}

func matches(rules []*rule, v any, f *findings) (n int) {
	for _, sub := range rules {
		if sub.accepts(v, f) {
			n++
		}
	}
	return n
}

func (r *rule) number(n float64, f *findings) {
	s := r.schema
	decimal := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	switch {
	case s.Minimum != nil && n < *s.Minimum:
		f.add("must be " + decimal(*s.Minimum) + " or more")
	case s.Maximum != nil && n > *s.Maximum:
		f.add("must be " + decimal(*s.Maximum) + " or less")
	case s.ExclusiveMinimum != nil && n <= *s.ExclusiveMinimum:
		f.add("must be more than " + decimal(*s.ExclusiveMinimum))
	case s.ExclusiveMaximum != nil && n >= *s.ExclusiveMaximum:
		f.add("must be less than " + decimal(*s.ExclusiveMaximum))
	case s.MultipleOf != nil && math.Mod(n, *s.MultipleOf) != 0:
		f.add("must be a multiple of " + decimal(*s.MultipleOf))
	}
}

func (r *rule) text(t string, f *findings) {
	s := r.schema
	if s.MinLength != nil || s.MaxLength != nil {
		n := utf8.RuneCountInString(t)
		switch {
		case s.MinLength != nil && n < *s.MinLength && *s.MinLength == 1:
			f.add("must not be empty")
		case s.MinLength != nil && n < *s.MinLength:
			f.addf("must have at least %d characters", *s.MinLength)
		case s.MaxLength != nil && n > *s.MaxLength:
			f.addf("must have at most %d characters", *s.MaxLength)
		}
	}
	if r.pattern != nil && !r.pattern.MatchString(t) {
		if s.PatternDescription != "" {
			f.add("must be " + s.PatternDescription)
		} else {
			f.add("must match " + s.Pattern)
		}
	}
	if s.Format != "" {
		if want := misformatted(s.Format, t); want != "" {
			f.add(want)
		}
	}
}

func misformatted(format, t string) string {
	switch format {
	case "date-time":
		if _, err := time.Parse(time.RFC3339, t); err != nil {
			return "must be a moment such as 2026-01-31T09:30:00Z (RFC 3339)"
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, t); err != nil {
			return "must be a date such as 2026-01-31"
		}
	case "email":
		if a, err := mail.ParseAddress(t); err != nil || a.Address != t {
			return "must be an e-mail address"
		}
	case "uri":
		if u, err := url.Parse(t); err != nil || !u.IsAbs() {
			return "must be an absolute URI"
		}
	case "uri-reference":
		if _, err := url.Parse(t); err != nil {
			return "must be a URI"
		}
	case "uuid":
		if len(t) != 36 || strings.Trim(t, "0123456789abcdefABCDEF-") != "" || t[8] != '-' || t[13] != '-' || t[18] != '-' || t[23] != '-' {
			return "must be a UUID"
		}
	case "ipv4", "ipv6", "ip":
		a, err := netip.ParseAddr(t)
		if err != nil || format == "ipv4" && !a.Is4() || format == "ipv6" && !a.Is6() {
			return "must be an IP address"
		}
	}
	return ""
}

func (r *rule) list(a []any, f *findings) {
	s := r.schema
	if s.MinItems != nil && len(a) < *s.MinItems {
		f.addf("must have at least %d entries", *s.MinItems)
	}
	if s.MaxItems != nil && len(a) > *s.MaxItems {
		f.addf("must have at most %d entries", *s.MaxItems)
	}
	if s.UniqueItems && repeats(a) {
		f.add("must not repeat an entry")
	}
	if r.items == nil {
		return
	}
	back := len(f.path)
	for i, v := range a {
		f.path = append(f.path, '[')
		f.path = strconv.AppendInt(f.path, int64(i), 10)
		f.path = append(f.path, ']')
		r.items.check(v, f)
		f.pop(back)
		if len(f.details) >= maxDetails {
			return
		}
	}
}

// repeats compares scalars alone: to compare composite values pairwise would take quadratic time.
func repeats(a []any) bool {
	seen := make(map[any]bool, len(a))
	for _, v := range a {
		switch v.(type) {
		case string, float64, bool:
			if seen[v] {
				return true
			}
			seen[v] = true
		}
	}
	return false
}

func (r *rule) object(m map[string]any, f *findings) {
	s := r.schema
	for _, name := range r.names {
		v, given := m[name]
		required := r.required[name]
		p := r.properties[name]
		switch {
		case !given && required && (p == nil || !p.schema.ReadOnly):
			back := f.push(name)
			f.add("is required")
			f.pop(back)
		case !given || v == nil && !required:
		default:
			back := f.push(name)
			if v == nil && required && (p == nil || !p.schema.Nullable) {
				f.add("must not be null")
			} else {
				p.check(v, f)
			}
			f.pop(back)
		}
	}
	if s.MinProperties != nil && len(m) < *s.MinProperties {
		f.addf("must have at least %d attributes", *s.MinProperties)
	}
	if s.MaxProperties != nil && len(m) > *s.MaxProperties {
		f.addf("must have at most %d attributes", *s.MaxProperties)
	}
	if r.closed || r.additional != nil {
		r.others(m, f)
	}
}

func (r *rule) others(m map[string]any, f *findings) {
	for _, name := range sortedNames(m) {
		if _, declared := r.properties[name]; declared {
			continue
		}
		back := f.push(clip(name, 128))
		if r.closed {
			f.add("is not an attribute of this object")
		} else {
			r.additional.check(m[name], f)
		}
		f.pop(back)
	}
}
