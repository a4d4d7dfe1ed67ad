package op

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Handler serves the table.
func (t *Table) Handler(o Options) (http.Handler, error) {
	s, err := newServer(t, o)
	if err != nil {
		return nil, err
	}
	s.routes.mux.Handle("/", s.unrouted())
	for _, declared := range t.operations {
		e := s.endpoint(declared)
		if err := s.routes.add(declared, e); err != nil {
			return nil, fmt.Errorf("operation %s: %w", declared.ID, err)
		}
	}
	if err := s.routes.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// routes are the ways to operations. ServeMux refuses two patterns of which each matches what the other does not, as
// /subscription/{id}/history and /subscription/adjustment/{id}. The one whose fixed words go on for longer is then the
// nearer, and asked before all others: what it matches beside is never meant.
type routes struct {
	mux, nearer *http.ServeMux
	// before are the words before the first wildcard of the patterns in nearer alone.
	before []string
	ways   []way
	// taken are the patterns that are there, whatever their wildcards are called.
	taken map[string]bool
}

// way is a pattern with its operation; words are those before its first wildcard.
type way struct {
	pattern, words string
	h              http.Handler
}

func newRoutes() *routes {
	return &routes{mux: http.NewServeMux(), nearer: http.NewServeMux(), taken: map[string]bool{}}
}

var wildcard = regexp.MustCompile(`\{[^}]*\}`)

// of is the mux that knows the way of a request.
func (t *routes) of(r *http.Request) *http.ServeMux {
	for _, words := range t.before {
		if !strings.HasPrefix(r.URL.Path, words) {
			continue
		}
		if _, pattern := t.nearer.Handler(r); pattern != "" {
			return t.nearer
		}
	}
	return t.mux
}

// add notes an operation's path and aliases; call open once all are.
func (t *routes) add(o *Operation, h http.Handler) error {
	for _, p := range append([]string{o.Path}, o.Aliases...) {
		for _, pattern := range patterns(p) {
			if o.Method != "" {
				pattern = o.Method + " " + pattern
			}
			if err := handle(http.NewServeMux(), pattern, h); err != nil {
				return err
			}
			plain := wildcard.ReplaceAllString(pattern, "{}")
			if t.taken[plain] {
				return fmt.Errorf("%s conflicts with another operation", pattern)
			}
			words, _, _ := strings.Cut(p, "{")
			t.taken[plain], t.ways = true, append(t.ways, way{pattern, words, h})
		}
	}
	return nil
}

// open registers the ways, the nearer ones last. The mux of the nearer ones knows those below their words too that are
// nearer still: /subscription/adjustment/reason.
func (t *routes) open() error {
	slices.SortStableFunc(t.ways, func(a, b way) int { return len(a.words) - len(b.words) })
	var shared []way
	for _, w := range t.ways {
		if handle(t.mux, w.pattern, w.h) == nil {
			shared = append(shared, w)
			continue
		}
		if err := handle(t.nearer, w.pattern, w.h); err != nil {
			return err
		}
		t.before = append(t.before, w.words)
	}
	for _, w := range shared {
		if slices.ContainsFunc(t.before, func(words string) bool { return strings.HasPrefix(w.words, words) }) {
			_ = handle(t.nearer, w.pattern, w.h) // one that is in conflict is less near
		}
	}
	return nil
}

// handle registers a pattern. ServeMux tells one that is malformed or in conflict with another by panicking.
func handle(mux *http.ServeMux, pattern string, h http.Handler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%v", v)
		}
	}()
	mux.Handle(pattern, h)
	return nil
}

// patterns are a path as ServeMux wants it: the root alone, and a subtree with its own root, so that the
// mux never redirects.
func patterns(p string) []string {
	if p == "/" {
		return []string{"/{$}"}
	}
	if i := strings.LastIndex(p, "/{"); i > 0 && strings.HasSuffix(p, "...}") {
		return []string{p, p[:i]}
	}
	return []string{p}
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if untidy(r.URL.EscapedPath()) {
		r = tidied(r)
	}
	s.routes.of(r).ServeHTTP(w, r)
}

func untidy(p string) bool {
	return len(p) > 1 && p[len(p)-1] == '/' || strings.Contains(p, "//") || strings.Contains(p, "/.")
}

// tidied is r with its path as it is declared: no doubled, trailing or dotted segments.
func tidied(r *http.Request) *http.Request {
	escaped := path.Clean("/" + r.URL.EscapedPath())
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return r
	}
	c, u := *r, *r.URL
	u.Path, u.RawPath = plain, escaped
	c.URL = &u
	return &c
}

// unrouted answers for paths and methods that nothing is declared at, in the shape of the façade whose
// prefix is the longest that matches.
func (s *server) unrouted() http.Handler {
	e := s.endpoint(&Operation{ID: unroutedID, Facade: &Facade{Name: "none"}, Public: true})
	e.work = func(x *exchange, r *http.Request) error {
		if f := s.facadeAt(r.URL.Path); f != nil {
			x.facade = f
		}
		allowed := s.methodsAt(r)
		if len(allowed) == 0 {
			return fault.New(fault.NotFound, CodeNoRoute, "there is nothing at %s", clip(withoutCard(r.URL.Path), 256))
		}
		x.Header().Set("Allow", strings.Join(allowed, ", "))
		if r.Method == http.MethodOptions {
			x.WriteHeader(http.StatusNoContent)
			return nil
		}
		return fault.New(fault.Unsupported, CodeMethod, "%s is not possible here; %s is", clip(r.Method, 32), strings.Join(allowed, ", "))
	}
	return e
}

const unroutedID = "none"

// methodsAt are the methods that the request's path takes, in a fixed order; empty for an unknown path.
func (s *server) methodsAt(r *http.Request) (allowed []string) {
	probe := *r
	for _, m := range methods {
		probe.Method = m
		if _, pattern := s.routes.of(&probe).Handler(&probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, m)
			if m == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
	}
	if len(allowed) > 0 {
		allowed = append(allowed, http.MethodOptions)
	}
	return allowed
}

func (s *server) facadeAt(p string) (found *Facade) {
	longest := -1
	for _, c := range s.table.facades {
		for _, prefix := range c.Prefixes {
			if len(prefix) > longest && (strings.HasPrefix(p, prefix) || p == strings.TrimSuffix(prefix, "/")) {
				found, longest = c.Facade, len(prefix)
			}
		}
	}
	return found
}

// pathValues are the wildcards of the path.
func (e *endpoint) pathValues(r *http.Request) map[string]string {
	if len(e.wildcards) == 0 {
		return nil
	}
	m := make(map[string]string, len(e.wildcards))
	for _, name := range e.wildcards {
		m[name] = r.PathValue(name)
	}
	return m
}

// declaredQuery refuses query parameters that the operation does not declare.
func (e *endpoint) declaredQuery(q url.Values) []fault.Detail {
	var found []fault.Detail
	for _, name := range sortedNames(q) {
		if !slices.Contains(e.queryNames, name) {
			found = append(found, fault.Detail{Attribute: clip(name, 128), Message: "is not a parameter of this operation"})
		}
	}
	return found
}
