package trace_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/trace"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

func TestRequestsBecomeSpansUnderTheCallersTrace(t *testing.T) {
	type delivered struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []struct {
					TraceID      string `json:"traceId"`
					ParentSpanID string `json:"parentSpanId"`
					Name         string `json:"name"`
					Kind         int    `json:"kind"`
					Status       struct {
						Code    int    `json:"code"`
						Message string `json:"message"`
					} `json:"status"`
				} `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	var got delivered
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Key") != "k" {
			t.Errorf("%s %v, %v", r.URL, r.Header, err)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
	}))
	defer collector.Close()

	provider, shutdown, err := trace.Tracing(trace.Options{Endpoint: collector.URL, Version: "1", Header: http.Header{"X-Key": {"k"}}})
	if err != nil {
		t.Fatal(err)
	}
	table, err := op.NewTable(op.Operation{
		ID: "fail", Facade: &op.Facade{Name: "desk"}, Method: "GET", Path: "/fail", Summary: "Fail", Public: true, Status: 200,
		Prepare: func(*op.Request) (op.Call, error) { return nil, fault.Internalf(errors.New("cause"), "no luck") },
	})
	if err != nil {
		t.Fatal(err)
	}
	var logged op.Access
	h, err := table.Handler(op.Options{Tracer: provider, AccessLog: func(a *op.Access) { logged = *a }})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/fail", nil)
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	r.Header.Set("traceparent", "00-"+traceID+"-"+spanID+"-01")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if err := shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := got.ResourceSpans[0].ScopeSpans[0].Spans[0]
	if s.TraceID != traceID || s.ParentSpanID != spanID || s.Name != "fail" || s.Kind != 2 || s.Status.Code != 2 || s.Status.Message != "internalError" {
		t.Errorf("%+v", s)
	}
	if logged.TraceID != traceID {
		t.Errorf("the log says trace %q", logged.TraceID)
	}
}

func TestEndpointsThatAreNone(t *testing.T) {
	for _, endpoint := range []string{"", "collector:4318", "grpc://collector:4317", "http://"} {
		if _, _, err := trace.Tracing(trace.Options{Endpoint: endpoint}); err == nil {
			t.Errorf("%q is accepted", endpoint)
		}
	}
}
