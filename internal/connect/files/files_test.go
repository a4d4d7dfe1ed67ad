package files

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func anywhere(netip.Addr) error { return nil }

func TestFilesAreReadAndWritten(t *testing.T) {
	var put string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/file":
			w.Header().Set("Content-Type", "application/yaml")
			_, _ = io.WriteString(w, "currency: CHF")
		case "/put":
			body, _ := io.ReadAll(r.Body)
			put = r.Method + " " + r.Header.Get("Content-Type") + " " + string(body)
			w.WriteHeader(http.StatusCreated)
		case "/moved":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/short":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	c := New(Options{Allow: anywhere})
	body, kind, err := c.Fetch(t.Context(), s.URL+"/file", 13)
	if err != nil || string(body) != "currency: CHF" || kind != "application/yaml" {
		t.Errorf("%q %q %v", body, kind, err)
	}
	if err := c.Put(t.Context(), s.URL+"/put", "application/json", []byte("[]")); err != nil || put != "PUT application/json []" {
		t.Errorf("%q %v", put, err)
	}
	for path, want := range map[string]fault.Kind{
		"/moved": fault.Invalid, "/nothing": fault.Invalid, "/busy": fault.Unavailable, "/short": fault.Unavailable,
	} {
		if _, _, err := c.Fetch(t.Context(), s.URL+path, 1000); fault.KindOf(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, _, err := c.Fetch(t.Context(), s.URL+"/file", 12); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a file that is too large: %v", err)
	}
	for _, address := range []string{"http://", "http:///file", "http://%zz/", "ftp://a/b"} {
		if _, _, err := c.Fetch(t.Context(), address, 12); err == nil {
			t.Errorf("%s was read", address)
		}
	}
}

func TestWhatMayNotBeCalledIsNotCalled(t *testing.T) {
	called := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	c := New(Options{Allow: func(a netip.Addr) error { return errors.New(a.String() + " is not a public address") }})
	_, _, err := c.Fetch(t.Context(), s.URL+"/?token=secret", 12)
	if fault.KindOf(err) != fault.Invalid || called || strings.Contains(err.Error(), "secret") {
		t.Errorf("called: %t, %v", called, err)
	}
	s.Close()
	if _, _, err := New(Options{Allow: anywhere}).Fetch(t.Context(), s.URL, 12); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a server that is gone: %v", err)
	}
}
