package optest

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// Reply is an answer of a server.
type Reply struct {
	T      testing.TB
	Status int
	Header http.Header
	// Raw is its body, and Body that decoded where it is JSON.
	Raw  string
	Body any
}

// Send asks h at http://demarc.test; headers are "Name: value". A body is JSON unless a header says otherwise.
func Send(t testing.TB, h http.Handler, method, path, body string, headers ...string) Reply {
	t.Helper()
	r := httptest.NewRequest(method, "http://demarc.test"+path, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, one := range headers {
		name, value, _ := strings.Cut(one, ": ")
		r.Header.Set(name, value)
	}
	return Ask(t, h, r)
}

// Ask sends a request to h.
func Ask(t testing.TB, h http.Handler, r *http.Request) Reply {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := Reply{T: t, Status: w.Code, Header: w.Result().Header, Raw: w.Body.String()}
	if a.Raw == "" || !strings.Contains(a.Header.Get("Content-Type"), "json") {
		return a
	}
	if err := json.Unmarshal([]byte(a.Raw), &a.Body); err != nil {
		t.Fatalf("%s %s answers what is not JSON: %s", r.Method, r.URL, a.Raw)
	}
	return a
}

// Want holds the status.
func (a Reply) Want(status int) Reply {
	a.T.Helper()
	if a.Status != status {
		a.T.Fatalf("status %d, want %d: %s", a.Status, status, a.Raw)
	}
	return a
}

// Refused holds the status and code of a refusal in the shape of TMF630.
func (a Reply) Refused(status int, code fault.Code) Reply {
	a.T.Helper()
	a.Want(status)
	if a.At("code") != string(code) || a.At("reason") == "" || a.At("@type") != "Error" {
		a.T.Errorf("refused with %s, want the code %s", a.Raw, code)
	}
	return a
}

// At is the value at a path: "bucket.0.name"; "" for what is not there. What is no text is written as JSON.
func (a Reply) At(path string) string {
	v := a.Body
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(x) {
				return ""
			}
			v = x[n]
		default:
			return ""
		}
	}
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	}
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		a.T.Fatal(err)
	}
	return string(text)
}

// Is holds values by path.
func (a Reply) Is(want map[string]string) Reply {
	a.T.Helper()
	for path, value := range want {
		if got := a.At(path); got != value {
			a.T.Errorf("%s is %q, want %q in %s", path, got, value, a.Raw)
		}
	}
	return a
}

// Object is the answer as an object, nil when it is none.
func (a Reply) Object() map[string]any {
	v, _ := a.Body.(map[string]any)
	return v
}

// Len is how many items the answer has.
func (a Reply) Len() int { return len(a.Items()) }

// Items are the answer's items, none when it is no list.
func (a Reply) Items() []any {
	v, _ := a.Body.([]any)
	return v
}

// Each is an attribute of all items, with commas between.
func (a Reply) Each(attribute string) string {
	var all []string
	for _, item := range a.Items() {
		o, _ := item.(map[string]any)
		text, _ := o[attribute].(string)
		all = append(all, text)
	}
	return strings.Join(all, ",")
}
