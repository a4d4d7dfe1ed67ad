// Package trace sends spans to a collector in the OpenTelemetry protocol, as JSON over HTTP (OTLP 1.x).
//
// It is demarc's own, small as it is, because the ready exporters bring gRPC and Protocol Buffers into the
// binary.
package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// sendWithin bounds one delivery to the collector.
const sendWithin = 10 * time.Second

// Options are where spans go and how they are marked.
type Options struct {
	// Endpoint is the collector's base URL ("http://127.0.0.1:4318"); /v1/traces is added unless it is there.
	Endpoint string
	// Service and Version name this server; demarc by default.
	Service, Version string
	// Header goes with every delivery, such as the collector's credentials.
	Header http.Header
	// Sample is the share of traces begun here that are kept, 0 to 1; 0 keeps all. A caller's own decision is
	// followed.
	Sample float64
}

// Tracing makes the provider for op.Options.Tracer. shutdown delivers what is left.
func Tracing(o Options) (provider *sdk.TracerProvider, shutdown func(context.Context) error, err error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, nil, fmt.Errorf("%q is not the URL of a collector", o.Endpoint)
	}
	if !strings.HasSuffix(u.Path, "/v1/traces") {
		u = u.JoinPath("v1", "traces")
	}
	if o.Service == "" {
		o.Service = "demarc"
	}
	sampler := sdk.AlwaysSample()
	if o.Sample > 0 {
		sampler = sdk.TraceIDRatioBased(o.Sample)
	}
	attributes := []attribute.KeyValue{attribute.String("service.name", o.Service)}
	if o.Version != "" {
		attributes = append(attributes, attribute.String("service.version", o.Version))
	}
	e := &exporter{url: u.String(), header: o.Header, client: &http.Client{Timeout: sendWithin}}
	provider = sdk.NewTracerProvider(sdk.WithBatcher(e), sdk.WithSampler(sdk.ParentBased(sampler)), sdk.WithResource(resource.NewSchemaless(attributes...)))
	return provider, provider.Shutdown, nil
}

type exporter struct {
	url    string
	header http.Header
	client *http.Client
}

// The messages of OTLP, as far as they are used. 64-bit numbers are strings in its JSON.
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   attributes   `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	attributes struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []span `json:"spans"`
	}
	span struct {
		TraceID      string     `json:"traceId"`
		SpanID       string     `json:"spanId"`
		ParentSpanID string     `json:"parentSpanId,omitzero"`
		Name         string     `json:"name"`
		Kind         int        `json:"kind"`
		Start        string     `json:"startTimeUnixNano"`
		End          string     `json:"endTimeUnixNano"`
		Attributes   []keyValue `json:"attributes,omitempty"`
		Status       status     `json:"status"`
	}
	status struct {
		Code    int    `json:"code,omitzero"`
		Message string `json:"message,omitzero"`
	}
	keyValue struct {
		Key   string         `json:"key"`
		Value map[string]any `json:"value"`
	}
)

// ExportSpans implements sdk.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	body, err := json.Marshal(encode(spans))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range e.header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := e.client.Do(r)
	if err != nil {
		return err
	}
	_, readErr := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	if err := errors.Join(readErr, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answered %s", resp.Status)
	}
	return nil
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func encode(spans []sdk.ReadOnlySpan) request {
	group := scopeSpans{}
	group.Scope.Name = spans[0].InstrumentationScope().Name
	for _, s := range spans {
		c := s.SpanContext()
		out := span{
			TraceID: c.TraceID().String(), SpanID: c.SpanID().String(), Name: s.Name(), Kind: int(s.SpanKind()),
			Start: strconv.FormatInt(s.StartTime().UnixNano(), 10), End: strconv.FormatInt(s.EndTime().UnixNano(), 10),
			Attributes: keyValues(s.Attributes()),
		}
		if p := s.Parent(); p.HasSpanID() {
			out.ParentSpanID = p.SpanID().String()
		}
		switch s.Status().Code {
		case codes.Ok:
			out.Status.Code = 1
		case codes.Error:
			out.Status = status{Code: 2, Message: s.Status().Description}
		}
		group.Spans = append(group.Spans, out)
	}
	return request{[]resourceSpans{{Resource: attributes{keyValues(spans[0].Resource().Attributes())}, ScopeSpans: []scopeSpans{group}}}}
}

func keyValues(in []attribute.KeyValue) []keyValue {
	out := make([]keyValue, len(in))
	for i, kv := range in {
		v := map[string]any{}
		switch kv.Value.Type() {
		case attribute.INT64:
			v["intValue"] = strconv.FormatInt(kv.Value.AsInt64(), 10)
		case attribute.BOOL:
			v["boolValue"] = kv.Value.AsBool()
		case attribute.FLOAT64:
			v["doubleValue"] = kv.Value.AsFloat64()
		default:
			v["stringValue"] = kv.Value.String()
		}
		out[i] = keyValue{string(kv.Key), v}
	}
	return out
}
