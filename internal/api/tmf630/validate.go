package tmf630

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// mostFaults bounds how many faults one answer lists.
const mostFaults = 50

// Validate finds every fault of a decoded JSON value (maps, slices, strings, float64 or jsontext.Value
// numbers, booleans, nil) that stands for a whole resource of the shape: what the standard wants on create
// is there, and every declared attribute has its type. Attributes that the shape does not name pass; null
// is the same as absent.
func (s *Shape) Validate(tree any) []fault.Detail {
	v := validator{}
	object, ok := tree.(map[string]any)
	if !ok {
		v.fail("", "must be a JSON object")
		return v.found
	}
	v.object(s, object, "", func(a *Attribute) bool { return a.Create })
	return v.found
}

// Missing lists the attributes that the standard wants in every answer and that object lacks.
func (s *Shape) Missing(object map[string]any) []string {
	var names []string
	for _, a := range s.all() {
		if a.Required && object[a.Name] == nil {
			names = append(names, a.Name)
		}
	}
	return names
}

type validator struct{ found []fault.Detail }

func (v *validator) fail(path, format string, args ...any) {
	if len(v.found) < mostFaults {
		v.found = append(v.found, fault.Detail{Attribute: path, Message: fmt.Sprintf(format, args...)})
	}
}

func (v *validator) object(s *Shape, object map[string]any, path string, mandatory func(*Attribute) bool) {
	for _, a := range s.all() {
		at := a.Name
		if path != "" {
			at = path + "." + a.Name
		}
		value := object[a.Name]
		if value == nil {
			if mandatory(a) {
				v.fail(at, "is mandatory")
			}
			continue
		}
		if path == "" && a.ReadOnly {
			continue // the server's own; what a client says of it is ignored
		}
		v.attribute(a.Type, value, at)
	}
}

func (v *validator) attribute(t Type, value any, path string) {
	if !t.Array {
		v.value(t, value, path)
		return
	}
	items, ok := value.([]any)
	if !ok {
		v.fail(path, "must be an array")
		return
	}
	if len(items) < t.Least {
		v.fail(path, "must have at least %d items", t.Least)
	}
	for i, item := range items {
		v.value(t, item, path+"["+strconv.Itoa(i)+"]")
	}
}

func (v *validator) value(t Type, value any, path string) {
	switch {
	case t.Shape != nil && t.Shape.Open:
	case t.Shape != nil && len(t.Shape.Values) > 0:
		v.oneOf(t.Shape.Values, value, path)
	case t.Shape != nil:
		object, ok := value.(map[string]any)
		if !ok {
			v.fail(path, "must be an object")
			return
		}
		v.object(t.Shape, object, path, func(a *Attribute) bool { return a.Required })
	case len(t.Values) > 0:
		v.oneOf(t.Values, value, path)
	default:
		if fault := unfit(t.Base, value); fault != "" {
			v.fail(path, "%s", fault)
		}
	}
}

func (v *validator) oneOf(values []string, value any, path string) {
	if s, ok := value.(string); !ok || !slices.Contains(values, s) {
		v.fail(path, "must be one of %s", strings.Join(values, ", "))
	}
}

// unfit says what is wrong with a value of a base type; empty when nothing is.
func unfit(base string, value any) string {
	switch base {
	case "any":
		return ""
	case "object":
		if _, ok := value.(map[string]any); !ok {
			return "must be an object"
		}
		return ""
	case "boolean":
		if _, ok := value.(bool); !ok {
			return "must be true or false"
		}
		return ""
	case "integer", "number":
		return unfitNumber(base, value)
	}
	s, ok := value.(string)
	if !ok {
		return "must be a string"
	}
	switch base {
	case "date-time":
		// The standard's own examples write some dates where its types want moments (birthDate).
		if !isMoment(s) && !isDate(s) {
			return "must be a moment like 2026-01-31T09:30:00Z (RFC 3339) or a date"
		}
	case "date":
		if !isDate(s) {
			return "must be a date like 2026-01-31"
		}
	case "base64":
		if _, err := base64.StdEncoding.DecodeString(s); err != nil {
			return "must be base64"
		}
	}
	return ""
}

func isMoment(s string) bool { _, err := time.Parse(time.RFC3339, s); return err == nil }

func isDate(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil }

func unfitNumber(base string, value any) string {
	var whole bool
	switch n := value.(type) {
	case float64:
		whole = n == float64(int64(n))
	case jsontext.Value:
		f, err := strconv.ParseFloat(string(n), 64)
		whole = err == nil && f == float64(int64(f))
	default:
		return "must be a number"
	}
	if base == "integer" && !whole {
		return "must be a whole number"
	}
	return ""
}
