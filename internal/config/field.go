package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Field describes one setting.
type Field struct {
	// Name is the flag without its dashes and the key in the file.
	Name string
	// Env is the environment variable.
	Env string
	// Default is the value when nobody says anything, as it would be written.
	Default string
	// Group is the heading that it stands under; Help says what it means.
	Group, Help string
	// Enum lists the values allowed; empty allows all of the type.
	Enum []string
	// Placeholder is what stands for a value in the help.
	Placeholder string

	secret string
	index  int
}

// Fields are all settings, in the order of the documentation.
func Fields() []Field {
	t := reflect.TypeFor[Settings]()
	out := make([]Field, 0, t.NumField())
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		f := Field{
			Name: tag.Get("name"), Env: tag.Get("env"), Default: tag.Get("default"), Group: tag.Get("group"),
			Help: tag.Get("help"), Placeholder: tag.Get("placeholder"), secret: tag.Get("secret"), index: i,
		}
		if e := tag.Get("enum"); e != "" {
			f.Enum = strings.Split(e, ",")
		}
		out = append(out, f)
	}
	return out
}

// set reads a value from text: a list is separated by commas, a duration is Go's ("1m30s").
func (f Field) set(s *Settings, text string) error {
	if len(f.Enum) > 0 && !slices.Contains(f.Enum, text) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(f.Enum, ", "))
	}
	v := reflect.ValueOf(s).Elem().Field(f.index)
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = text
	case *[]string:
		*p = splitList(text)
	case *bool:
		return parse(p, text, "false", strconv.ParseBool, "true or false")
	case *int:
		return parse(p, text, "0", strconv.Atoi, "a whole number")
	case *float64:
		return parse(p, text, "0", func(t string) (float64, error) { return strconv.ParseFloat(t, 64) }, "a number")
	case *time.Duration:
		return parse(p, text, "0", time.ParseDuration, `a duration such as "30s" or "5m"`)
	default:
		return fmt.Errorf("a setting cannot be a %s", v.Type())
	}
	return nil
}

// parse reads text, or empty when there is none, and says in plain words what was wanted.
func parse[T any](p *T, text, empty string, read func(string) (T, error), wanted string) error {
	if text == "" {
		text = empty
	}
	v, err := read(text)
	if err != nil {
		return fmt.Errorf("%q is not %s", text, wanted)
	}
	*p = v
	return nil
}

func splitList(text string) (out []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// text is the value as it would be written.
func (f Field) text(s *Settings) string {
	v := reflect.ValueOf(s).Elem().Field(f.index).Interface()
	if list, ok := v.([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v)
}

// redacted is a URL without its passwords, those in its query too (password, sslpassword).
func redacted(u *url.URL) string {
	q := u.Query()
	for name := range q {
		if strings.Contains(strings.ToLower(name), "password") {
			q.Set(name, "xxxxx")
			u.RawQuery = q.Encode()
		}
	}
	return u.Redacted()
}

// shown is the value as it may be shown to people.
func (f Field) shown(s *Settings) string {
	text := f.text(s)
	switch f.secret {
	case "all":
		if text != "" {
			return "(set)"
		}
	case "url":
		if u, err := url.Parse(text); err == nil {
			return redacted(u)
		}
		return "(set, not a URL)"
	}
	return text
}
