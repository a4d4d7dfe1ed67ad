package op_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
)

func TestTypedOperationReadsParametersAndBody(t *testing.T) {
	f := desk()
	h := serve(t, create(f), read(f))
	h.answered(h.send("GET", "/api/customer/7?tag=a,b&tag=c", ""), 200, `{"id":"7","limit":20,"tags":["a","b","c"]}`)
	w := h.send("POST", "/api/customer", `{"name":"Anna"}`)
	h.answered(w, 201, `{"name":"Anna"}`)
	if w.Header().Get("Location") != "/api/customer/1" || w.Header().Get("Content-Type") != "application/json;charset=utf-8" {
		t.Errorf("headers %v", w.Header())
	}
	if h.ledger.writes != 1 || h.ledger.calls[0].Operation != "customer.create" {
		t.Errorf("written: %+v", h.ledger)
	}
}

func TestAllFaultsOfTheInputAreToldAtOnce(t *testing.T) {
	h := serve(t, create(desk()))
	p := h.refused(h.send("POST", "/api/customer?channel=fax", `{"contactMedium":[{"value":"x"},{"mediumType":"pigeon","value":7}],"colour":1}`), 400)
	var got []string
	for _, d := range p.Errors {
		got = append(got, d.Attribute+" "+d.Message)
	}
	want := []string{
		"channel must be one of web, shop",
		"contactMedium[0].mediumType is required",
		"contactMedium[1].mediumType must be one of email, mobile",
		"contactMedium[1].value must be text",
		"name is required",
		"colour is not an attribute of this object",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if h.ledger.writes != 0 || len(h.ledger.calls) != 0 {
		t.Error("a transaction was opened for input that is wrong")
	}
}

func TestAdmissionComesBeforeTheInput(t *testing.T) {
	h := serve(t, create(desk()))
	w := h.send("POST", "/api/customer?dryRun=x", "{", "Authorization: ")
	p := h.refused(w, 401)
	if w.Header().Get("WWW-Authenticate") != `Bearer realm="demarc"` || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v %v", p, w.Header())
	}
	w = h.send("POST", "/api/customer?dryRun=x", "{", "Authorization: Bearer old")
	h.refused(w, 401)
	if !strings.Contains(w.Header().Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("challenge %q", w.Header().Get("WWW-Authenticate"))
	}
	h.refused(h.send("POST", "/api/customer?dryRun=x", "{", "Authorization: Bearer weak"), 403)
	h.refused(h.send("POST", "/api/customer?dryRun=x", "{", "spid: 2"), 403)
	if w := h.send("POST", "/api/customer", `{"name":"a"}`, "Authorization: ", "X-API-Key: good"); w.Code != 201 || w.Header().Get("spid") != "1" {
		t.Errorf("with an API key: %d, service provider %q", w.Code, w.Header().Get("spid"))
	}
}

func TestACredentialThatComesTwiceIsRefused(t *testing.T) {
	h := serve(t, read(desk()))
	for _, name := range []string{"Authorization", "X-API-Key", "spid"} {
		r := httptest.NewRequest("GET", "/api/customer/1", nil)
		r.Header.Set("Authorization", "Bearer good")
		r.Header.Add(name, "1")
		r.Header.Add(name, "2")
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		h.refused(w, 401)
	}
}

func TestAnEmptyServiceProviderIsNotTheDefault(t *testing.T) {
	h := serve(t, read(desk()))
	for _, spid := range []string{"", " "} {
		r := httptest.NewRequest("GET", "/api/customer/1", nil)
		r.Header.Set("Authorization", "Bearer good")
		r.Header.Set("spid", spid)
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		if p := h.refused(w, 400); p.Attribute != "spid" {
			t.Errorf("%q is at fault", p.Attribute)
		}
	}
}

func TestRequestsCarryAnID(t *testing.T) {
	h := serve(t, read(desk()))
	for header, want := range map[string]string{
		"X-Request-Id: abc-1":                       "abc-1",
		"Transaction-Id: t/2":                       "t/2",
		"X-Request-Id: " + strings.Repeat("a", 128): strings.Repeat("a", 128),
		"X-Request-Id: " + strings.Repeat("a", 129): "",
		"X-Request-Id: a b":                         "",
		"X-Request-Id: \"a\"\u00e9":                 "",
		"X-Other: x":                                "",
	} {
		got := h.send("GET", "/api/customer/1", "", header).Header().Get("X-Request-Id")
		if want != "" && got != want || want == "" && len(got) != 32 {
			t.Errorf("%s: the answer has %q", header, got)
		}
	}
}

func TestPathsAreForgiven(t *testing.T) {
	h := serve(t, everything()...)
	for _, path := range []string{"/api/customer/7", "/api/customer/7/", "//api///customer//7", "/api/./customer/7", "/api/x/../customer/7", "/api/cust/7/"} {
		h.answered(h.send("GET", path, ""), 200, `{"id":"7","limit":20}`)
	}
}

func desk2() *op.Facade { return &op.Facade{Name: "desk2", Prefixes: []string{"/desk2/"}} }

func TestUndeclaredPathsAndMethodsAnswerInTheFacadesShape(t *testing.T) {
	h := serve(t, everything()...)
	if p := h.refused(h.send("GET", "/api/nothing", ""), 404); p.Code != string(op.CodeNoRoute) {
		t.Errorf("%+v", p)
	}
	w := h.send("DELETE", "/shop/customer/1", "")
	if w.Code != 405 || w.Body.String() != `{"error":"methodNotAllowed"}` || w.Header().Get("Allow") != "PUT, OPTIONS" {
		t.Errorf("%d %s, Allow %q", w.Code, w.Body, w.Header().Get("Allow"))
	}
	if w := h.send("GET", "/shop", ""); w.Body.String() != `{"error":"unknownPath"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = h.send("PUT", "/api/customer/1", "")
	if h.refused(w, 405); w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("Allow %q", w.Header().Get("Allow"))
	}
	w = h.send("OPTIONS", "/api/customer/", "")
	if w.Code != 204 || w.Header().Get("Allow") != "POST, OPTIONS" || w.Body.Len() > 0 {
		t.Errorf("%d %s, Allow %q", w.Code, w.Body, w.Header().Get("Allow"))
	}
	h.refused(h.send("OPTIONS", "/api/nothing", ""), 404)
	h.refused(h.send("BREW", "/api/customer/1", ""), 405)
}

func TestHeadAnswersAsGetWithoutABody(t *testing.T) {
	h := serve(t, read(desk()))
	w := h.send("HEAD", "/api/customer/1", "")
	if w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "21" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	if w := h.send("HEAD", "/api/customer/none", ""); w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestPanicIsAnAnswerAndALogLine(t *testing.T) {
	h := serve(t, create(desk()))
	w := h.send("POST", "/api/customer", `{"name":"boom"}`, "X-Request-Id: r1")
	if p := h.refused(w, 500); strings.Contains(p.Detail, "boom") {
		t.Errorf("the panic is shown: %s", p.Detail)
	}
	if log := h.log.String(); !strings.Contains(log, "boom") || !strings.Contains(log, "r1") || !strings.Contains(log, "customer.create") {
		t.Errorf("log: %s", log)
	}
}

func TestDryRunKeepsNothing(t *testing.T) {
	h := serve(t, create(desk()))
	w := h.send("POST", "/api/customer?dryRun=true", `{"name":"a"}`, "Idempotency-Key: k")
	h.answered(w, 201, `{"name":"a"}`)
	if w.Header().Get("Dry-Run") != "true" || h.ledger.writes != 0 || len(h.ledger.answers) != 0 {
		t.Errorf("%v, %d written, kept %v", w.Header(), h.ledger.writes, h.ledger.answers)
	}
	if w := h.send("POST", "/api/customer?dryRun=false", `{"name":"a"}`); w.Header().Get("Dry-Run") != "" || h.ledger.writes != 1 {
		t.Errorf("%v, %d written", w.Header(), h.ledger.writes)
	}
	for _, query := range []string{"?dryRun=yes", "?dryRun=", "?dryRun=true&dryRun=true"} {
		if p := h.refused(h.send("POST", "/api/customer"+query, `{"name":"a"}`), 400); p.Attribute != "dryRun" {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

// What is kept of a request cannot be guessed at by who has the database alone.
func TestDigestsOfRequestsAreKeyed(t *testing.T) {
	digests := map[[32]byte]bool{}
	for _, secret := range []string{"", "one", "two"} {
		h := serve(t, create(desk()))
		var err error
		if h.handler, err = h.table.Handler(op.Options{Store: h.ledger, Gate: gate{}, Secret: []byte(secret)}); err != nil {
			t.Fatal(err)
		}
		if w := h.send("POST", "/api/customer?channel=web", `{"name":"a"}`, "Idempotency-Key: k"); w.Code != 201 {
			t.Fatal(w.Code, w.Body)
		}
		for _, d := range h.ledger.digests {
			digests[d] = true
		}
	}
	if len(digests) != 3 {
		t.Errorf("%d digests under three secrets", len(digests))
	}
}

func TestIdempotencyKeyMakesARequestHappenOnce(t *testing.T) {
	h := serve(t, create(desk()))
	one := h.send("POST", "/api/customer?channel=web", `{"name":"a"}`, "Idempotency-Key: k")
	two := h.send("POST", "/api/customer/?channel=web", `{"name":"a"}`, "Idempotency-Key: k")
	h.answered(one, 201, `{"name":"a"}`)
	h.answered(two, 201, `{"name":"a"}`)
	for _, name := range []string{"Location", "Content-Type"} {
		if one.Header().Get(name) == "" || one.Header().Get(name) != two.Header().Get(name) {
			t.Errorf("%s: %q, then %q", name, one.Header().Get(name), two.Header().Get(name))
		}
	}
	if h.ledger.writes != 1 || one.Header().Get("Idempotency-Replayed") != "" || two.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d written, %v, %v", h.ledger.writes, one.Header(), two.Header())
	}
	h.refused(h.send("POST", "/api/customer?channel=shop", `{"name":"a"}`, "Idempotency-Key: k"), 409)
	h.refused(h.send("POST", "/api/customer?channel=web", `{"name":"b"}`, "Idempotency-Key: k"), 409)
	h.refused(h.send("POST", "/api/customer", `{"name":"b"}`, "Idempotency-Key: "+strings.Repeat("k", 256)), 400)
	h.refused(h.send("POST", "/api/customer", `{"name":"b"}`, "Idempotency-Key: a\tb"), 400)
}

func TestAnAnswerWithASecretIsNotKept(t *testing.T) {
	reveal := create(desk())
	reveal.Reveals = true
	h := serve(t, reveal)
	one := h.send("POST", "/api/customer", `{"name":"secret"}`, "Idempotency-Key: k")
	h.answered(one, 201, `{"name":"secret"}`)
	for _, kept := range h.ledger.answers {
		if len(kept.Body) > 0 || kept.Status != 201 {
			t.Errorf("kept %d %s", kept.Status, kept.Body)
		}
	}
	two := h.send("POST", "/api/customer", `{"name":"secret"}`, "Idempotency-Key: k")
	if p := h.refused(two, 409); p.Code != string(op.CodeNotKept) {
		t.Errorf("refused with %+v", p)
	}
	if h.ledger.writes != 1 || two.Header().Get("Location") != one.Header().Get("Location") || two.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d written, %v", h.ledger.writes, two.Header())
	}
	h.answered(h.send("POST", "/api/customer", `{"name":"secret"}`), 201, `{"name":"secret"}`)
}

type beforeKey struct{}

func TestBeforeRunsOnceOutsideTheTransaction(t *testing.T) {
	type in struct {
		Request *op.Request
		Name    string `query:"name" enum:"a"`
	}
	type out struct{ Body string }
	runs := 0
	o := op.Handle(op.Operation{
		ID: "customer.touch", Facade: desk(), Method: "POST", Path: "/api/touch", Summary: "Touch", Writes: true,
		Permission: []auth.Permission{{Entity: "customer", Verb: auth.Post}},
		Before: func(ctx context.Context, r *op.Request) (context.Context, error) {
			if runs++; ctx.Value(inWrite{}) != nil {
				t.Error("it runs in the transaction")
			}
			if r.Header.Get("X-Refuse") != "" {
				return nil, fault.New(fault.Forbidden, fault.CodeForbidden, "refused")
			}
			return context.WithValue(ctx, beforeKey{}, "seen"), nil
		},
	}, func(ctx context.Context, in *in) (*out, error) {
		text, _ := ctx.Value(beforeKey{}).(string)
		return &out{Body: text}, nil
	})
	h := serve(t, o)
	h.answered(h.send("POST", "/api/touch", ""), 200, `"seen"`)
	h.refused(h.send("POST", "/api/touch", "", "X-Refuse: yes"), 403)
	h.refused(h.send("POST", "/api/touch?name=b", ""), 400)
	if runs != 2 || h.ledger.writes != 1 {
		t.Errorf("it ran %d times, %d written", runs, h.ledger.writes)
	}
}

func TestCallersWithoutCredentialShareNoAnswers(t *testing.T) {
	open := create(desk())
	open.Public, open.Permission = true, nil
	h := serve(t, open)
	for range 2 {
		if w := h.send("POST", "/api/customer", `{"name":"a"}`, "Authorization: ", "Idempotency-Key: k"); w.Header().Get("Idempotency-Replayed") != "" {
			t.Error("an answer is given to another caller")
		}
	}
	if h.ledger.writes != 2 {
		t.Errorf("%d written", h.ledger.writes)
	}
}

func TestReasonIsRecorded(t *testing.T) {
	h := serve(t, create(desk()))
	for sent, want := range map[string]string{"wish of the customer": "wish of the customer", "%C3%A9t%C3%A9": "été", "100% sure": "100% sure"} {
		h.send("POST", "/api/customer", `{"name":"a"}`, "X-Reason: "+sent)
		if got := h.ledger.calls[len(h.ledger.calls)-1].Reason; got != want {
			t.Errorf("%q is recorded as %q", sent, got)
		}
	}
	for _, sent := range []string{strings.Repeat("a", 256), "%ff", "a%0Ab"} {
		if p := h.refused(h.send("POST", "/api/customer", `{"name":"a"}`, "X-Reason: "+sent), 400); p.Attribute != "X-Reason" {
			t.Errorf("%q: %+v", sent, p)
		}
	}
}

func TestAccessLogHoldsNoSecrets(t *testing.T) {
	h := serve(t, append([]op.Operation{create(desk())}, failing())...)
	h.send("POST", "/api/customer?channel=web&token=hush", `{"name":"hush"}`, "X-API-Key: hush", "X-Request-Id: r1")
	h.send("GET", "/fail", "", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	var lines strings.Builder
	log := op.NewAccessLog(&lines)
	for i := range h.access {
		log.Log(&h.access[i])
	}
	if err := log.Flush(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(lines.String(), "hush") || strings.Contains(lines.String(), "good") {
		t.Errorf("a secret is logged: %s", &lines)
	}
	for _, want := range []string{`"operation":"customer.create"`, `"status":201`, `"spid":1,"subject":"anna","client":"desk"`, `"requestId":"r1"`, `"traceId":"0af7651916cd43dd8448eb211c80319c"`, `"code":"internalError","cause":"internalError: no luck: the disk is gone"`} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("%s is not logged: %s", want, &lines)
		}
	}
	if n := strings.Count(lines.String(), "\n"); n != 2 {
		t.Errorf("%d lines for two requests", n)
	}
}

func failing() op.Operation {
	return op.Operation{
		ID: "fail", Facade: desk2(), Method: "GET", Path: "/fail", Summary: "Fail", Public: true, Status: 200,
		Prepare: func(*op.Request) (op.Call, error) {
			return func(ctx context.Context) (*op.Response, error) {
				return nil, fault.Internalf(errors.New("the disk is gone"), "no luck")
			}, nil
		},
	}
}

func TestTooManyAtOnceAreSentAway(t *testing.T) {
	inside, leave := make(chan bool), make(chan bool)
	slow := failing()
	slow.Prepare = func(*op.Request) (op.Call, error) {
		return func(ctx context.Context) (*op.Response, error) {
			inside <- true
			<-leave
			return nil, nil
		}, nil
	}
	h := serve(t, append(op.System(op.SystemOptions{}), slow)...)
	done := make(chan bool)
	for range 8 {
		go func() {
			h.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/fail", nil))
			done <- true
		}()
		<-inside
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, httptest.NewRequest("GET", "/fail", nil))
	if h.refused(w, 503); w.Header().Get("Retry-After") != "1" {
		t.Errorf("%v", w.Header())
	}
	w = httptest.NewRecorder()
	if h.handler.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil)); w.Code != 200 {
		t.Errorf("health is answered with %d while the server is busy", w.Code)
	}
	close(leave)
	for range 8 {
		<-done
	}
}

func TestOperationThatTakesTooLongIsUnavailable(t *testing.T) {
	slow := failing()
	slow.Timeout = 1
	slow.Prepare = func(*op.Request) (op.Call, error) {
		return func(ctx context.Context) (*op.Response, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, nil
	}
	h := serve(t, slow)
	if p := h.refused(h.send("GET", "/fail", ""), 503); p.Code != string(op.CodeTimeout) {
		t.Errorf("%+v", p)
	}
}

func TestSystemTellsHealthAndMetrics(t *testing.T) {
	broken := errors.New("secret cause")
	h := serve(t, append(op.System(op.SystemOptions{Ready: []op.Check{
		{Name: "store", Ask: func(context.Context) error { return broken }}, {Name: "keys", Ask: func(context.Context) error { return nil }},
	}}), read(desk()))...)
	h.answered(h.send("GET", "/healthz", ""), 200, `{"status":"ok"}`)
	h.answered(h.send("GET", "/readyz", ""), 503, `{"failed":["store"],"status":"failed"}`)
	broken = nil
	h.answered(h.send("GET", "/readyz", ""), 200, `{"status":"ok"}`)
	h.send("GET", "/api/customer/1", "")
	h.send("GET", "/api/customer/none", "")
	h.send("GET", "/api/customer/none", "")
	text := h.send("GET", "/metrics", "").Body.String()
	for _, want := range []string{
		`demarc_http_requests_total{code="200",operation="customer.read"} 1`,
		`demarc_http_requests_total{code="404",operation="customer.read"} 2`,
		`demarc_http_request_duration_seconds_count{operation="customer.read"} 3`,
		`demarc_http_requests_in_flight 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestRawOperationGetsScopeAndRefusesInShape(t *testing.T) {
	raw := op.Operation{
		ID: "raw", Facade: desk(), Method: "GET", Path: "/api/raw/{id}", Summary: "Read fast", Permission: []auth.Permission{{Entity: "customer", Verb: auth.Get}},
		Raw: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sc, err := scope.From(r.Context())
			if err != nil || r.PathValue("id") == "none" {
				op.Refuse(w, r, fault.NotFoundf("there is no %s", r.PathValue("id")))
				return
			}
			_, _ = w.Write([]byte(sc.Actor().Subject + " " + op.RequestID(r.Context())))
		}),
	}
	h := serve(t, raw)
	h.answered(h.send("GET", "/api/raw/1", "", "X-Request-Id: r"), 200, "anna r")
	h.refused(h.send("GET", "/api/raw/none", ""), 404)
	h.refused(h.send("GET", "/api/raw/1", "", "Authorization: "), 401)
}
