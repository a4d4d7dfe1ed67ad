package scenario_test

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/config"
	"github.com/demarc-bss/demarc/internal/kernel/pan"
	"github.com/demarc-bss/demarc/test/scenario"
)

// confidential are the names of attributes, query parameters and headers whose values stand nowhere once a request was
// answered, in lower case.
var confidential = []string{
	"pin", "newpin", "oldpin", "otp", "onetimepassword", "tokenvalue", "vouchercode", "voucher-code", "voucher", "password", "cardnumber",
	"client_secret", "clientsecret", "x-api-key",
}

// revealed are the names of what an answer shows once.
var revealed = []string{"secret", "access_token", "refresh_token"}

// shortest is how long a value is at least for it to be looked for: of shorter ones too many stand anywhere.
const shortest = 6

// confidence collects what is confidential of all that clients send and get, and what the server tells others.
type confidence struct {
	mu      sync.Mutex
	secrets map[string]string // by value: what it was sent as
	// refusals are the bodies of answers that refuse.
	refusals strings.Builder
	log      text
	access   text
	traces   text
	// collector takes the server's traces.
	collector *httptest.Server
}

func confide(t *testing.T) *confidence {
	c := &confidence{secrets: map[string]string{}}
	c.collector = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(&c.traces, r.Body)
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(c.collector.Close)
	return c
}

// serve starts a server of which everything that it says is kept.
func (c *confidence) serve(t *testing.T, url string, change ...func(*config.Settings)) scenario.Server {
	log := slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := serveLogging(t, url, log, &c.access, append(change, func(s *config.Settings) { s.OTLPEndpoint, s.TraceRatio = c.collector.URL, 1 })...)
	s.Watch = c.watch
	return s
}

// watch learns what is confidential from what is sent and answered.
func (c *confidence) watch(r *http.Request, body []byte, status int, answer []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, values := range r.Header {
		c.learn(name, values)
		if bearer, ok := strings.CutPrefix(values[0], "Bearer "); ok && name == "Authorization" && len(bearer) > 100 {
			c.secrets[bearer[strings.LastIndex(bearer, ".")+1:]] = "the signature of a token"
		}
	}
	for name, values := range r.URL.Query() {
		c.learn(name, values)
	}
	if form, err := url.ParseQuery(string(body)); err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		for name, values := range form {
			c.learn(name, values)
		}
	}
	var tree any
	if json.Unmarshal(body, &tree) == nil {
		c.walk("", tree, confidential)
	}
	if status >= http.StatusBadRequest {
		c.refusals.Write(answer)
		c.refusals.WriteByte('\n')
		return
	}
	if json.Unmarshal(answer, &tree) == nil && r.Method != http.MethodGet { // what is shown once, when it is made
		names := revealed
		if strings.HasSuffix(r.URL.Path, "/apiKey") {
			names = append(names, "key")
		}
		c.walk("", tree, names)
	}
}

func (c *confidence) learn(name string, values []string) {
	for _, v := range values {
		c.walk(name, v, confidential)
	}
}

func (c *confidence) walk(name string, v any, names []string) {
	switch v := v.(type) {
	case string:
		if slices.Contains(names, strings.ToLower(name)) && len(v) >= shortest && strings.Trim(v, v[:1]) != "" { // one digit over and over stands anywhere
			c.secrets[v] = name
		}
		if pan.Found(v) {
			c.secrets[v] = name + ", which holds a card number"
		}
	case []any:
		for _, e := range v {
			c.walk(name, e, names)
		}
	case map[string]any:
		for attribute, e := range v {
			c.walk(attribute, e, names)
		}
	}
}

// nowhere looks for everything confidential in all that is left behind: the database, with its events, audit records and
// kept answers, the logs, the traces and the refusals.
func (c *confidence) nowhere(t *testing.T, engine, database string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	where := map[string]string{"the log": c.log.String(), "the access log": c.access.String(), "the traces": c.traces.String(), "a refusal": c.refusals.String()}
	for name, content := range where {
		if len(content) < 100 {
			t.Errorf("%s is empty: there is nothing to look at", name)
		}
	}
	if engine == "sqlite" {
		files(t, strings.TrimPrefix(database, "sqlite:"), where)
	} else {
		tables(t, database, where)
	}
	if len(c.secrets) < 10 {
		t.Errorf("only %d confidential values were sent: this looks for too little", len(c.secrets))
	}
	for secret, as := range c.secrets {
		for name, content := range where {
			for _, form := range []string{secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
				if at := strings.Index(content, form); at >= 0 {
					t.Errorf("%s holds what was sent as %s: …%q…", name, as, content[max(0, at-80):min(len(content), at+len(form)+20)])
					break
				}
			}
		}
	}
}

// The test that looks for secrets finds one where there is one.
func TestConfidentialValuesAreFound(t *testing.T) {
	c := confide(t)
	r := httptest.NewRequest(http.MethodPost, "/api/pin/verify?pin=19283746", nil)
	c.watch(r, []byte(`{"person":{"oldPin":"83746192","note":"4111 1111 1111 1111"}}`), http.StatusBadRequest, []byte("no"))
	c.watch(r, nil, http.StatusCreated, []byte(`{"secret":"a long one"}`))
	for _, want := range []string{"19283746", "83746192", "4111 1111 1111 1111", "a long one"} {
		if c.secrets[want] == "" {
			t.Errorf("%s is not known to be confidential: %v", want, c.secrets)
		}
	}
}
