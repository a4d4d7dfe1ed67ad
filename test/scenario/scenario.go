// Package scenario runs declarative scenarios against a demarc server: files that say which requests are
// sent and what must come back, readable without knowing Go (see README.md beside it).
//
// The same files run in two ways: inside `go test` against a server in the test's own process, on SQLite and
// on PostgreSQL; and against any running server by its URL.
package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Scenario is one file.
type Scenario struct {
	// File is where it was read from.
	File string `yaml:"-"`
	// Name is what happens, in a line; About says more.
	Name  string `yaml:"name"`
	About string `yaml:"about"`
	// As is the user of every step that names none; the demonstration administrator by default.
	As string `yaml:"as"`
	// Needs lists the kinds of server that it can run against; empty means any: "demo" asks for
	// demonstration data, "empty" for a development server that has no service provider yet and may serve the first.
	Needs []string `yaml:"needs"`
	Steps []Step   `yaml:"steps"`
}

// Step is one thing that happens: a request, or waiting for events.
type Step struct {
	Name string `yaml:"name"`

	// One of the methods holds the path.
	Get    string `yaml:"get"`
	Post   string `yaml:"post"`
	Put    string `yaml:"put"`
	Patch  string `yaml:"patch"`
	Delete string `yaml:"delete"`
	Head   string `yaml:"head"`
	// As is the user who asks: "nobody" sends no credential, "token:TEXT" sends TEXT as the token.
	As string `yaml:"as"`
	// SPID is the service provider, sent as the header spid.
	SPID    string            `yaml:"spid"`
	Headers map[string]string `yaml:"headers"`
	// Body is sent as JSON, Raw as it is, Repeat as text made long.
	Body   any     `yaml:"body"`
	Raw    *string `yaml:"raw"`
	Repeat *Repeat `yaml:"repeat"`
	Type   string  `yaml:"type"`

	Expect Expect `yaml:"expect"`
	// Keep stores values of the answer under names: "id", "engagedParty.id", "[0].id", "header Location",
	// "text EXPRESSION" for what the group of a regular expression matches in the body.
	Keep map[string]string `yaml:"keep"`
	// Eventually repeats the request until it answers as expected, for what jobs do.
	Eventually bool `yaml:"eventually"`

	// Listen subscribes to the events of a hub by its path.
	Listen string `yaml:"listen"`
	// Events waits for events, in any order, each matching one of these.
	Events []any `yaml:"events"`
	// Audit asks the audit trail of a thing for the operations recorded, oldest first.
	Audit *Audit `yaml:"audit"`
}

// Repeat is a long text: Before times Times, Middle, After times Times.
type Repeat struct {
	Before string `yaml:"before"`
	Middle string `yaml:"middle"`
	After  string `yaml:"after"`
	Times  int    `yaml:"times"`
}

// Text is the text.
func (r Repeat) Text() string {
	return strings.Repeat(r.Before, r.Times) + r.Middle + strings.Repeat(r.After, r.Times)
}

// Expect is what must come back. What is not said is not looked at, except that no answer may be a 5xx and
// every refusal must have the shape of its façade.
type Expect struct {
	Status  int               `yaml:"status"`
	Headers map[string]string `yaml:"headers"`
	// Body must be part of the answer's: see match.go for how.
	Body any `yaml:"body"`
	// Text must stand in the body as it is; NotText must not.
	Text    []string `yaml:"text"`
	NotText []string `yaml:"notText"`
	// SameAs names an earlier step whose answer had the same body, byte for byte.
	SameAs string `yaml:"sameAs"`
}

// Audit is an expectation of the audit trail.
type Audit struct {
	Of         string   `yaml:"of"`
	SPID       string   `yaml:"spid"`
	Operations []string `yaml:"operations"`
	Subject    string   `yaml:"subject"`
}

// Request is the step's method and path; both empty when it sends none.
func (s Step) Request() (method, path string) {
	for _, m := range [...]struct{ method, path string }{
		{"GET", s.Get}, {"POST", s.Post}, {"PUT", s.Put}, {"PATCH", s.Patch}, {"DELETE", s.Delete}, {"HEAD", s.Head},
	} {
		if m.path != "" {
			return m.method, m.path
		}
	}
	return "", ""
}

// Load reads all scenarios below a folder, in the order of their paths.
func Load(dir string) ([]Scenario, error) {
	var out []Scenario
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".yaml" {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		s, err := Parse(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.File, _ = filepath.Rel(dir, name)
		out = append(out, s)
		return nil
	})
	slices.SortFunc(out, func(a, b Scenario) int { return strings.Compare(a.File, b.File) })
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("there are no scenarios below %s", dir)
	}
	return out, err
}

// Parse reads one scenario. A name that no scenario has is refused.
func Parse(raw []byte) (s Scenario, err error) {
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return s, err
	}
	if s.Name == "" || len(s.Steps) == 0 {
		return s, errors.New("a scenario has a name and steps")
	}
	for i, step := range s.Steps {
		_, path := step.Request()
		ways := 0
		for _, set := range []bool{path != "", step.Listen != "", len(step.Events) > 0, step.Audit != nil} {
			if set {
				ways++
			}
		}
		if ways != 1 {
			return s, fmt.Errorf("step %d (%s): a step is one request, listen, events or audit", i+1, step.Name)
		}
		if path != "" && step.Expect.Status == 0 {
			return s, fmt.Errorf("step %d (%s): a request expects a status", i+1, step.Name)
		}
	}
	return s, nil
}
