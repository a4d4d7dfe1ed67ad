package scenario

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Server is what scenarios run against.
type Server struct {
	// URL is where it listens, without a slash at the end.
	URL string
	// Token gives a bearer token of a user; empty is the demonstration administrator.
	Token func(ctx context.Context, user string) (string, error)
	// Audit gives the operations recorded for a thing, oldest first; nil when the trail cannot be read, and
	// then it is not looked at.
	Audit func(ctx context.Context, spid, of string) ([]AuditLine, error)
	// Client sends the requests; http.DefaultClient by default.
	Client *http.Client
	// Watch is shown every request with its body and what was answered; nil shows nobody.
	Watch func(r *http.Request, body []byte, status int, answer []byte)
	// Patience is how long to wait for what jobs do (default 15 s).
	Patience time.Duration
}

// AuditLine is one line of the audit trail.
type AuditLine struct{ Operation, Subject string }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	tree   any // the body decoded, when it is JSON
}

// run is one scenario under way.
type run struct {
	server  Server
	sink    *sink
	vars    map[string]any
	answers map[string]answer
}

// Run plays a scenario and says what went wrong: at most one step, since those after it build on it.
func (s Server) Run(ctx context.Context, sc Scenario) (failures []string) {
	if s.Client == nil {
		s.Client = http.DefaultClient
	}
	if s.Patience == 0 {
		s.Patience = 15 * time.Second
	}
	r := &run{server: s, vars: map[string]any{"unique": strings.ToLower(rand.Text()[:10]), "url": s.URL}, answers: map[string]answer{}}
	r.vars["digits"] = digits(8)
	defer func() {
		if r.sink != nil {
			r.sink.close()
		}
	}()
	for i, step := range sc.Steps {
		step.As = cmp.Or(step.As, sc.As)
		name := fmt.Sprintf("step %d", i+1)
		if step.Name != "" {
			name += " (" + step.Name + ")"
		}
		if bad := r.step(ctx, step); len(bad) > 0 {
			method, path := step.Request()
			head := fmt.Sprintf("%s %s %s", name, method, path)
			return append([]string{head}, bad...)
		}
	}
	return nil
}

func digits(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // documented never to fail
	for i := range b {
		b[i] = '0' + b[i]%10
	}
	return string(b)
}

func (r *run) step(ctx context.Context, step Step) []string {
	switch {
	case step.Listen != "":
		return r.listen(ctx, step)
	case len(step.Events) > 0:
		return r.events(step)
	case step.Audit != nil:
		return r.audit(ctx, step)
	}
	var bad []string
	deadline := time.Now().Add(r.server.Patience)
	for {
		a, err := r.send(ctx, step)
		if err != nil {
			return []string{err.Error()}
		}
		if bad = r.check(step, a); len(bad) == 0 {
			if step.Name != "" {
				r.answers[step.Name] = a
			}
			return r.keep(step, a)
		}
		if !step.Eventually || time.Now().After(deadline) {
			return append(bad, fmt.Sprintf("the answer was %d %s", a.status, clip(a.body)))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func clip(b []byte) string {
	if len(b) > 1500 {
		return string(b[:1500]) + "…"
	}
	return string(b)
}

func (r *run) send(ctx context.Context, step Step) (answer, error) {
	method, path := step.Request()
	sent, kind, err := r.body(step)
	if err != nil {
		return answer{}, err
	}
	url := r.text(path)
	if strings.HasPrefix(url, "/") {
		url = r.server.URL + url
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(sent))
	if err != nil {
		return answer{}, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if err := r.authorize(ctx, req, step); err != nil {
		return answer{}, err
	}
	for k, v := range step.Headers {
		req.Header.Set(k, r.text(v))
	}
	res, err := r.server.Client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return answer{}, fmt.Errorf("the answer broke off: %w", err)
	}
	if r.server.Watch != nil {
		r.server.Watch(req, sent, a.status, a.body)
	}
	if strings.Contains(res.Header.Get("Content-Type"), "json") && len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &a.tree); err != nil {
			return answer{}, fmt.Errorf("the answer is not the JSON that it says it is: %w: %s", err, clip(a.body))
		}
	}
	return a, nil
}

func (r *run) body(step Step) ([]byte, string, error) {
	kind := step.Type
	switch {
	case step.Raw != nil:
		return []byte(r.text(*step.Raw)), cmp.Or(kind, "application/json"), nil
	case step.Repeat != nil:
		return []byte(step.Repeat.Text()), cmp.Or(kind, "application/json"), nil
	case step.Body != nil:
		b, err := json.Marshal(r.fill(step.Body), json.Deterministic(true))
		return b, cmp.Or(kind, "application/json"), err
	}
	return nil, kind, nil
}

func (r *run) authorize(ctx context.Context, req *http.Request, step Step) error {
	if step.SPID != "" {
		req.Header.Set("spid", r.text(step.SPID))
	}
	user := r.text(step.As)
	if user == "nobody" {
		return nil
	}
	token, given := strings.CutPrefix(user, "token:")
	if !given {
		var err error
		if token, err = r.server.Token(ctx, user); err != nil {
			return fmt.Errorf("no token for %q: %w", user, err)
		}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// check compares an answer with what the step expects and with what holds for every answer.
func (r *run) check(step Step, a answer) (bad []string) {
	e := step.Expect
	if a.status != e.Status {
		bad = append(bad, fmt.Sprintf("status %d, not %d", a.status, e.Status))
	}
	if a.status >= 500 && e.Status < 500 {
		bad = append(bad, "a server error for what a client did")
	}
	bad = append(bad, refusalShape(step, a)...)
	for k, v := range e.Headers {
		for _, m := range match("header "+k, r.text(v), header(a, k)) {
			if v != "$absent" || a.header.Get(k) != "" {
				bad = append(bad, m)
			}
		}
	}
	if e.Body != nil {
		bad = append(bad, Match(r.fill(e.Body), a.tree)...)
	}
	for _, text := range e.Text {
		if !bytes.Contains(a.body, []byte(r.text(text))) {
			bad = append(bad, fmt.Sprintf("%q does not stand in the body", r.text(text)))
		}
	}
	for _, text := range e.NotText {
		if bytes.Contains(a.body, []byte(r.text(text))) {
			bad = append(bad, fmt.Sprintf("%q stands in the body", r.text(text)))
		}
	}
	if e.SameAs != "" {
		if before, ok := r.answers[e.SameAs]; !ok || !bytes.Equal(before.body, a.body) {
			bad = append(bad, fmt.Sprintf("the body is not that of step %q", e.SameAs))
		}
	}
	return bad
}

func header(a answer, name string) any {
	if v := a.header.Get(name); v != "" {
		return v
	}
	return nil
}

// refusalShape holds for every refusal of a TM Forum path: code and reason are texts (TMF630 part 1).
func refusalShape(step Step, a answer) []string {
	method, path := step.Request()
	if a.status < 400 || method == "HEAD" || !(strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/tmf-api/")) {
		return nil
	}
	return Match(map[string]any{"code": "$string", "reason": "$string"}, a.tree)
}

func (r *run) keep(step Step, a answer) (bad []string) {
	for name, path := range step.Keep {
		if h, ok := strings.CutPrefix(path, "header "); ok {
			r.vars[name] = a.header.Get(h)
			continue
		}
		if expression, ok := strings.CutPrefix(path, "text "); ok {
			found, err := first(expression, a.body)
			if err != nil {
				bad = append(bad, err.Error())
			}
			r.vars[name] = found
			continue
		}
		v, ok := Lookup(a.tree, path)
		if !ok {
			bad = append(bad, fmt.Sprintf("there is no %s to keep as %s", path, name))
			continue
		}
		r.vars[name] = v
	}
	return bad
}

// first is what the group of an expression matches first in a body.
func first(expression string, body []byte) (string, error) {
	compiled, err := regexp.Compile(expression)
	if err != nil {
		return "", err
	}
	m := compiled.FindSubmatch(body)
	if len(m) != 2 {
		return "", fmt.Errorf("the body has no text with a group like %s", expression)
	}
	return string(m[1]), nil
}

var (
	variable = regexp.MustCompile(`\$\{([a-zA-Z][a-zA-Z0-9_.]*)\}`)
	instant  = regexp.MustCompile(`\$\{now([+-][0-9]+[hms])?\}`)
)

// moments puts in the time of the server's machine, moved by a duration: ${now}, ${now-2h}, ${now+90s}.
func moments(s string) string {
	return instant.ReplaceAllStringFunc(s, func(m string) string {
		by, _ := time.ParseDuration(instant.FindStringSubmatch(m)[1]) // empty: by nothing
		return time.Now().UTC().Add(by).Format("2006-01-02T15:04:05.000000Z")
	})
}

// fill puts values in for ${name} everywhere; a text that is nothing but one keeps the value's type.
func (r *run) fill(v any) any {
	switch v := v.(type) {
	case string:
		if m := variable.FindStringSubmatch(v); m != nil && m[0] == v {
			if value, ok := r.vars[m[1]]; ok {
				return value
			}
		}
		return r.text(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[r.text(k)] = r.fill(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = r.fill(e)
		}
		return out
	}
	return v
}

func (r *run) text(s string) string {
	s = moments(s)
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		if v, ok := r.vars[m[2:len(m)-1]]; ok {
			return fmt.Sprint(v)
		}
		return m
	})
}

func (r *run) audit(ctx context.Context, step Step) []string {
	if r.server.Audit == nil {
		return nil
	}
	lines, err := r.server.Audit(ctx, cmp.Or(r.text(step.Audit.SPID), "1"), r.text(step.Audit.Of))
	if err != nil {
		return []string{err.Error()}
	}
	var got []string
	for _, l := range lines {
		got = append(got, l.Operation)
		if step.Audit.Subject != "" && l.Subject != r.text(step.Audit.Subject) {
			return []string{fmt.Sprintf("%s is recorded under %q, not %q", l.Operation, l.Subject, r.text(step.Audit.Subject))}
		}
	}
	if !slices.Equal(got, step.Audit.Operations) {
		return []string{fmt.Sprintf("the audit trail has %q, not %q", got, step.Audit.Operations)}
	}
	return nil
}
