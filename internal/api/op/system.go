package op

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// SystemOptions are what the system operations tell.
type SystemOptions struct {
	// Title, Version and Description head the documents of all façades.
	Title, Version, Description string
	// Ready are asked, one after the other, whether requests can be worked on.
	Ready []Check
	// HideMetrics leaves /metrics out, for a server that shows it elsewhere.
	HideMetrics bool
}

// Check asks whether something that requests need is there.
type Check struct {
	// Name is shown to whoever asks ("store"); the error is only logged.
	Name string
	Ask  func(ctx context.Context) error
}

// readyWithin is how long all checks of readiness may take together.
const readyWithin = 3 * time.Second

// System declares the operations that every demarc has: its documents, its reference page, its metrics, and
// whether it is alive and ready.
func System(o SystemOptions) []Operation {
	f := &Facade{Name: "system", Title: "System", Version: "1", Description: "Documents, metrics and health of the server.", Prefixes: []string{"/"}}
	declare := func(id, path, tag, summary string, out *Body, handler func(s *server) http.Handler) Operation {
		return Operation{ID: "system." + id, Facade: f, Method: http.MethodGet, Path: path, Tag: tag, Summary: summary, Public: true,
			Status: http.StatusOK, Response: out, system: handler}
	}
	document := &Body{Schema: &huma.Schema{Type: huma.TypeObject}, Description: "An OpenAPI 3.1 document."}
	page := &Body{ContentTypes: []string{"text/html"}, Schema: &huma.Schema{Type: huma.TypeString}}
	health := &Body{Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"status"}, Properties: map[string]*huma.Schema{
		"status": {Type: huma.TypeString, Enum: []any{"ok", "failed"}},
		"failed": {Type: huma.TypeArray, Description: "What is not there.", Items: &huma.Schema{Type: huma.TypeString}}}},
		Example: map[string]any{"status": "ok"}}
	facade := Param{Name: "facade", In: "path", Required: true, Description: "Name of a façade.", Schema: &huma.Schema{Type: huma.TypeString}}
	file := facade
	file.Name, file.Description = "file", "Name of a façade, with .json."

	d := &documents{options: o}
	ops := []Operation{
		declare("openapi", "/openapi.json", "documents", "OpenAPI document of all façades", document, d.openAPI),
		declare("openapiFacade", "/openapi/{file}", "documents", "OpenAPI document of a façade", document, d.openAPI),
		declare("docs", "/docs", "documents", "API reference", page, d.reference),
		declare("docsFacade", "/docs/{facade}", "documents", "API reference of a façade", page, d.reference),
		declare("health", "/healthz", "health", "Whether the server is alive", health, func(*server) http.Handler { return http.HandlerFunc(alive) }),
		declare("ready", "/readyz", "health", "Whether the server can work on requests", health, func(s *server) http.Handler { return s.ready(o.Ready) }),
	}
	ops[1].Params, ops[3].Params = []Param{file}, []Param{facade}
	if !o.HideMetrics {
		ops = append(ops, declare("metrics", "/metrics", "health", "Metrics in Prometheus' format",
			&Body{ContentTypes: []string{"text/plain"}, Schema: &huma.Schema{Type: huma.TypeString}}, func(s *server) http.Handler {
				return promhttp.HandlerFor(s.options.Metrics, promhttp.HandlerOpts{})
			}))
	}
	return ops
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"status":"failed"}`)
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is no failure
}

func alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
}

func (s *server) ready(checks []Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		var failed []string
		for _, c := range checks {
			if err := c.Ask(ctx); err != nil {
				failed = append(failed, c.Name)
				s.logger.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.String("check", c.Name), slog.String("cause", err.Error()))
			}
		}
		if len(failed) > 0 {
			writeJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "failed", "failed": failed})
			return
		}
		alive(w, r)
	})
}

// documents are made when first asked for, and kept.
type documents struct{ options SystemOptions }

func (d *documents) whole(s *server) DocumentOptions {
	return DocumentOptions{Title: d.options.Title, Version: d.options.Version, Description: d.options.Description, IssuerURL: s.options.IssuerURL}
}

// kept serves what make makes for a name, once.
func kept(contentType string, headers map[string]string, name func(r *http.Request) string, make func(name string) ([]byte, error)) http.Handler {
	var mu sync.Mutex
	entries := map[string]*keptEntry{}
	get := func(name string) (*keptEntry, error) {
		mu.Lock()
		defer mu.Unlock()
		if e := entries[name]; e != nil {
			return e, nil
		}
		body, err := make(name)
		if err != nil {
			return nil, err
		}
		e, err := keep(body)
		if err == nil {
			entries[name] = e
		}
		return e, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := get(name(r))
		if err != nil {
			Refuse(w, r, err)
			return
		}
		h := w.Header()
		for k, v := range headers {
			h.Set(k, v)
		}
		h.Set("Cache-Control", "no-cache")
		h.Set("Vary", "Accept-Encoding")
		body, tag := e.body, `"`+e.tag+`"`
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			body, tag = e.zipped, `"`+e.tag+`-gzip"`
			h.Set("Content-Encoding", "gzip")
		}
		h.Set("ETag", tag)
		if strings.Contains(r.Header.Get("If-None-Match"), tag) {
			h.Del("Content-Encoding")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", contentType)
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // a client that went away is no failure
	})
}

// keptEntry is a document as it is sent.
type keptEntry struct {
	body, zipped []byte
	tag          string
}

func keep(body []byte) (*keptEntry, error) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &keptEntry{body, zipped.Bytes(), hex.EncodeToString(sum[:8])}, nil
}

func (d *documents) openAPI(s *server) http.Handler {
	return kept("application/json;charset=utf-8", map[string]string{"Access-Control-Allow-Origin": "*"},
		func(r *http.Request) string { return r.PathValue("file") },
		func(file string) ([]byte, error) {
			name, ok := strings.CutSuffix(file, ".json")
			if file != "" && (!ok || name == "") {
				return nil, fault.NotFoundf("there is no document named %s", clip(file, 64))
			}
			return s.table.OpenAPI(name, d.whole(s))
		})
}
