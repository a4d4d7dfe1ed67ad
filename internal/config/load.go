package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// DefaultFile is read when no other file is named and it is there.
const DefaultFile = "demarc.yaml"

// Input is where settings may come from.
type Input struct {
	// Flags holds the settings given on the command line; Given names them.
	Flags *Settings
	Given []string
	// Env is the environment as os.Environ gives it.
	Env []string
	// Ignore names environment variables that begin with DEMARC_ and are no settings.
	Ignore []string
	// ReadFile reads the file of settings; os.ReadFile by default.
	ReadFile func(string) ([]byte, error)
}

// Loaded is what is in force.
type Loaded struct {
	Settings
	// From says where each setting comes from, by its name: "flag", "environment", "file NAME" or "default".
	From map[string]string
	// Warnings are things that are probably not meant.
	Warnings []string
}

// Load puts the settings together and checks them. An error tells which setting is wrong, where it was
// given, and what would be right.
func Load(in Input) (*Loaded, error) {
	if in.ReadFile == nil {
		in.ReadFile = os.ReadFile
	}
	l := &Loaded{From: map[string]string{}}
	env := environment(in.Env)
	l.Warnings = strangers(env, in.Ignore)

	file, name, err := readFile(in, env)
	if err != nil {
		return nil, err
	}
	for _, f := range Fields() {
		if slices.Contains(in.Given, f.Name) {
			v := reflect.ValueOf(in.Flags).Elem().Field(f.index)
			reflect.ValueOf(&l.Settings).Elem().Field(f.index).Set(v)
			l.From[f.Name] = "flag"
			continue
		}
		text, from, where := f.Default, "default", "its default"
		if v, ok := env[f.Env]; ok {
			text, from, where = v, "environment", "the environment variable "+f.Env
		} else if v, ok := file[f.Name]; ok {
			text, from, where = v, "file "+name, name
		}
		if err := f.set(&l.Settings, text); err != nil {
			return nil, fmt.Errorf("setting %s, given by %s: %w", f.Name, where, err)
		}
		l.From[f.Name] = from
	}
	return l, l.Settings.Check()
}

// Default is every setting at its default, without any input.
func Default() (*Settings, error) {
	l, err := Load(Input{Flags: &Settings{}, ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist }})
	if err != nil {
		return nil, err
	}
	return &l.Settings, nil
}

func environment(list []string) map[string]string {
	env := map[string]string{}
	for _, kv := range list {
		if k, v, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(k, "DEMARC_") {
			env[k] = v
		}
	}
	return env
}

// strangers are the variables that look like settings and are none. They are not refused: an orchestrator
// sets variables of the form NAME_PORT for every service, and one may be called demarc.
func strangers(env map[string]string, ignore []string) (warnings []string) {
	known := append([]string(nil), ignore...)
	for _, f := range Fields() {
		known = append(known, f.Env)
	}
	for k := range env {
		if !slices.Contains(known, k) {
			warnings = append(warnings, fmt.Sprintf("the environment variable %s is no setting%s", k, suggest(k, known)))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// readFile reads the file of settings, if there is one, as texts by name.
func readFile(in Input, env map[string]string) (values map[string]string, name string, err error) {
	name, named := DefaultFile, false
	if v := env["DEMARC_CONFIG"]; v != "" {
		name, named = v, true
	}
	if slices.Contains(in.Given, "config") {
		name, named = in.Flags.Config, true
	}
	raw, err := in.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, name, nil
	}
	if err != nil {
		return nil, name, fmt.Errorf("the file of settings cannot be read: %w", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		return nil, name, fmt.Errorf("%s is not a YAML map of settings: %w", name, err)
	}
	var known []string
	for _, f := range Fields() {
		known = append(known, f.Name)
	}
	values = map[string]string{}
	for k, v := range tree {
		if !slices.Contains(known, k) || k == "config" {
			return nil, name, fmt.Errorf("%s: %q is no setting%s; `demarc config` lists them all", name, k, suggest(k, known))
		}
		if values[k], err = scalarText(v); err != nil {
			return nil, name, fmt.Errorf("%s: setting %s: %w", name, k, err)
		}
	}
	return values, name, nil
}

// scalarText is a YAML value as text: a list's elements are joined by commas.
func scalarText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case map[string]any:
		return "", errors.New("a value or a list of values is wanted, not a map")
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			if _, deep := e.([]any); deep {
				return "", errors.New("a list of plain values is wanted")
			}
			part, err := scalarText(e)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return strings.Join(parts, ","), nil
	}
	return fmt.Sprint(v), nil
}

// suggest names the known word nearest to a mistyped one, if one is near.
func suggest(word string, known []string) string {
	best, least := "", len(word)/3+1
	for _, k := range known {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance is the Levenshtein distance of two ASCII words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
