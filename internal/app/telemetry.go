package app

import (
	"context"
	"io"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/demarc-bss/demarc/internal/config"
)

// NewLogger makes the log that the settings ask for.
func NewLogger(w io.Writer, s *config.Settings) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // config checked it
	o := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" || s.LogFormat == "auto" && !terminal(w) {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// tracing sends traces to the collector of the settings; nil when there is none.
func tracing(ctx context.Context, s *config.Settings, version string) (trace.TracerProvider, func(context.Context), error) {
	if s.OTLPEndpoint == "" {
		return nil, func(context.Context) {}, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(s.OTLPEndpoint))
	if err != nil {
		return nil, nil, advise(err, "otlp-endpoint is a URL such as http://127.0.0.1:4318/v1/traces")
	}
	p := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(s.TraceRatio))),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "demarc"), attribute.String("service.version", version))),
	)
	return p, func(ctx context.Context) { _ = p.Shutdown(ctx) }, nil
}
