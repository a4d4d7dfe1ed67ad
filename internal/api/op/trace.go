package op

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// trace begins a span named by the operation, under the caller's own when it sent a traceparent (W3C Trace
// Context).
func (x *exchange) trace(e *endpoint, r *http.Request) *http.Request {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, x.span = e.server.tracer.Start(ctx, e.ID, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("http.route", e.Path), attribute.String("demarc.request.id", x.id)))
	return r.WithContext(ctx)
}

func (x *exchange) endSpan(failed bool) {
	x.span.SetAttributes(attribute.Int("http.response.status_code", x.status))
	if x.fault != nil {
		x.span.SetAttributes(attribute.String("error.type", string(x.fault.Code)))
	}
	if failed {
		x.span.SetStatus(codes.Error, string(x.fault.Code))
	}
	x.span.End()
}

// traceID is the trace that the request belongs to, for the log: the span's or, without spans, the caller's.
func (x *exchange) traceID(h http.Header) string {
	if x.span == nil {
		if p := first(h, "Traceparent"); len(p) == 55 && p[2] == '-' && p[35] == '-' && strings.Trim(p[3:35], "0123456789abcdef") == "" {
			return p[3:35]
		}
		return ""
	}
	if c := x.span.SpanContext(); c.IsValid() {
		return c.TraceID().String()
	}
	return ""
}
