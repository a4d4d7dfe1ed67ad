package op

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/store"
)

// raw hands the request to a handler that answers itself, with the scope in its context.
func (e *endpoint) raw(h http.Handler) func(*exchange, *http.Request) error {
	return func(x *exchange, r *http.Request) error {
		if e.Request != nil || r.ContentLength != 0 {
			r.Body = http.MaxBytesReader(x, r.Body, e.BodyLimit)
		}
		if !e.Public {
			// ServeMux keeps the path's wildcards in the request, and WithContext keeps them in the copy.
			r = r.WithContext(context.WithValue(scope.With(r.Context(), x.scope), exchangeKey{}, x))
		} else {
			r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
		}
		h.ServeHTTP(x, r)
		return nil
	}
}

type exchangeKey struct{}

// Refuse lets a Raw handler answer with a fault in its façade's shape. Nothing must have been written yet.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		x.refuse(r, err)
		return
	}
	p := ProblemJSON(fault.From(err), "")
	w.Header().Set("Content-Type", p.ContentType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(p.Body) // a client that went away is no failure
}

// RequestID is the id of the request that a Raw handler serves; empty outside one.
func RequestID(ctx context.Context) string {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x.id
	}
	return store.CallFrom(ctx).RequestID
}

// call reads the request, prepares its work, and does it.
func (e *endpoint) call(x *exchange, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), e.Timeout)
	defer cancel()
	req, err := e.read(x, r)
	if err != nil {
		return err
	}
	about := store.Call{Operation: e.ID, RequestID: x.id}
	var key string
	if e.Writes {
		if key, err = e.intent(r, req.Query, &about); err != nil {
			return err
		}
	}
	work, err := e.Prepare(req)
	if err != nil {
		return err
	}
	if !e.Public {
		ctx = scope.With(ctx, x.scope)
	}
	ctx = store.WithCall(ctx, about)
	if e.Before != nil {
		if ctx, err = e.Before(ctx, req); err != nil {
			return err
		}
	}
	var answer *Response
	switch {
	case !e.Writes:
		answer, err = work(ctx)
	case key != "" && !about.DryRun:
		return e.once(ctx, x, key, r, req, work)
	default:
		err = e.server.options.Store.Write(ctx, func(ctx context.Context) (err error) {
			answer, err = work(ctx)
			return err
		})
	}
	if err != nil {
		return err
	}
	if about.DryRun {
		x.Header().Set("Dry-Run", "true")
	}
	x.respond(e, answer)
	return nil
}

// read checks the form of a request.
func (e *endpoint) read(x *exchange, r *http.Request) (*Request, error) {
	req := &Request{Operation: e.Operation, ID: x.id, Header: r.Header, Path: e.pathValues(r), BaseURL: e.server.baseURL(r)}
	for name, v := range req.Path {
		if !plain(v) {
			return nil, fault.Invalidf(name, "is not UTF-8 text")
		}
	}
	var err error
	if req.Query, err = parseQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	if e.StrictQuery {
		if err := fault.InvalidAll(e.declaredQuery(req.Query)); err != nil {
			return nil, err
		}
	}
	if e.Request != nil {
		if err := e.readBody(x, r, req); err != nil {
			return nil, err
		}
	}
	if err := noCards(req); err != nil {
		return nil, err
	}
	return req, nil
}

func (e *endpoint) readBody(x *exchange, r *http.Request, req *Request) error {
	header := first(r.Header, "Content-Type")
	var isJSON bool
	if header != "" && r.ContentLength != 0 {
		media, j, err := mediaType(header)
		if err != nil {
			return err
		}
		if !slices.Contains(e.Request.ContentTypes, media) {
			return fault.New(fault.Unsupported, CodeMediaType, "the Content-Type %s is not read here; %s is", clip(media, 128), strings.Join(e.Request.ContentTypes, ", "))
		}
		isJSON = j
	} else {
		_, isJSON, _ = mediaType(e.Request.ContentTypes[0])
	}
	if coding := first(r.Header, "Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		x.Header().Set("Accept-Encoding", "identity") // RFC 9110, 15.5.16
		return fault.New(fault.Unsupported, CodeMediaType, "the Content-Encoding %s is not read here; send the body as it is", clip(coding, 64))
	}
	body, err := readBody(x, r, e.BodyLimit)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		if e.Request.Optional {
			return nil
		}
		return fault.New(fault.Invalid, fault.CodeMalformed, "a body is required")
	}
	req.Body = body
	if isJSON {
		req.Tree, err = ReadJSON(body)
	}
	return err
}

// parseQuery reads a query string. A semicolon is a character like any other (TMF630 lists alternatives
// with it).
func parseQuery(raw string) (url.Values, error) {
	if raw == "" {
		return nil, nil
	}
	if strings.Contains(raw, ";") {
		raw = strings.ReplaceAll(raw, ";", "%3B")
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fault.Invalidf("", "the query string is not well-formed: a percent sign must be followed by two hexadecimal digits").Because(err)
	}
	for name, values := range q {
		for _, v := range values {
			if !utf8.ValidString(name) || !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 || strings.IndexByte(name, 0) >= 0 {
				return nil, fault.Invalidf(clip(strings.ToValidUTF8(name, "\uFFFD"), 128), "the query string is not UTF-8 text")
			}
		}
	}
	return q, nil
}

// intent reads what a caller may say about a write beside its input.
func (e *endpoint) intent(r *http.Request, q url.Values, about *store.Call) (key string, err error) {
	if values, ok := q["dryRun"]; ok {
		if len(values) != 1 || values[0] != "true" && values[0] != "false" {
			return "", fault.Invalidf("dryRun", "must be true or false")
		}
		about.DryRun = values[0] == "true"
	}
	if about.Reason, err = reason(first(r.Header, "X-Reason")); err != nil {
		return "", err
	}
	// Callers without a credential cannot be told apart: one must not get another's answer.
	if values, ok := r.Header["Idempotency-Key"]; ok && !e.Public {
		key = values[0]
		if n := utf8.RuneCountInString(key); len(values) != 1 || n < 1 || n > 255 || !plain(key) {
			return "", fault.Invalidf("Idempotency-Key", "must have 1 to 255 printable characters")
		}
	}
	return key, nil
}

// reason is the X-Reason header: UTF-8, or percent-encoded UTF-8.
func reason(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	if decoded, err := url.PathUnescape(header); err == nil {
		header = decoded
	}
	if !plain(header) || utf8.RuneCountInString(header) > 255 {
		return "", fault.Invalidf("X-Reason", "must have at most 255 characters of UTF-8, percent-encoded where need be")
	}
	return header, nil
}

// once does the work at most once for the caller's key.
func (e *endpoint) once(ctx context.Context, x *exchange, key string, r *http.Request, req *Request, work Call) error {
	var given *Response
	a, replayed, err := e.server.options.Store.Once(ctx, e.key(x, key, r, req), func(ctx context.Context) (store.Answer, error) {
		resp, err := work(ctx)
		if err != nil {
			return store.Answer{}, err
		}
		given = resp
		return e.kept(resp), nil
	})
	if err != nil {
		return err
	}
	if e.Reveals && !replayed {
		x.respond(e, given)
		return nil
	}
	if replayed {
		x.Header().Set("Idempotency-Replayed", "true")
	}
	for name, value := range a.Header {
		if name != "Content-Type" {
			x.Header().Set(name, value)
		}
	}
	if e.Reveals {
		return fault.Conflictf(CodeNotKept, "the request was carried out before; its answer held a secret and is not shown again")
	}
	x.answer(a.Status, a.Header["Content-Type"], a.Body)
	return nil
}

// key names the request: keys of different clients and service providers never meet.
func (e *endpoint) key(x *exchange, value string, r *http.Request, req *Request) store.Key {
	actor := x.scope.Actor()
	client := actor.Client
	if client == "" {
		client = actor.Subject
	}
	d := hmac.New(sha256.New, e.server.options.Secret)
	for _, part := range []string{r.Method, r.URL.Path, req.Query.Encode()} {
		d.Write([]byte(part))
		d.Write([]byte{0})
	}
	d.Write(req.Body)
	k := store.Key{Client: client + "/" + strconv.Itoa(x.scope.SPID()), Value: value}
	d.Sum(k.Digest[:0])
	return k
}

func (e *endpoint) kept(resp *Response) store.Answer {
	if resp == nil {
		resp = &Response{}
	}
	a := store.Answer{Status: resp.Status, Body: resp.Body}
	if a.Status == 0 {
		a.Status = e.Status
	}
	if e.Reveals {
		if made := resp.Header.Get("Location"); made != "" {
			a.Header = map[string]string{"Location": made}
		}
		a.Body = nil
		return a
	}
	if len(resp.Header) > 0 || len(resp.Body) > 0 {
		a.Header = make(map[string]string, len(resp.Header)+1)
	}
	for name, values := range resp.Header {
		a.Header[name] = strings.Join(values, ", ")
	}
	if len(resp.Body) > 0 {
		a.Header["Content-Type"] = resp.contentType()
	}
	return a
}

func (r *Response) contentType() string {
	if r.ContentType == "" {
		return "application/json;charset=utf-8"
	}
	return r.ContentType
}

// respond writes the answer of an operation.
func (x *exchange) respond(e *endpoint, resp *Response) {
	if resp == nil {
		resp = &Response{}
	}
	h := x.Header()
	for name, values := range resp.Header {
		h[name] = values
	}
	status := resp.Status
	if status == 0 {
		status = e.Status
	}
	if resp.ContentType == "" && len(resp.Body) > 0 {
		h["Content-Type"] = e.server.headers.json
		x.length[0] = strconv.Itoa(len(resp.Body))
		h["Content-Length"] = x.length[:]
		x.WriteHeader(status)
		if !x.head {
			_, _ = x.Write(resp.Body) // a client that went away is no failure
		}
		return
	}
	x.answer(status, resp.ContentType, resp.Body)
}

func (s *server) baseURL(r *http.Request) string {
	if s.options.BaseURL != nil {
		return s.options.BaseURL()
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
