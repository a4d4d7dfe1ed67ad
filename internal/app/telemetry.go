package app

import (
	"context"
	"io"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel/trace"

	optrace "github.com/demarc-bss/demarc/internal/api/op/trace"
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
func tracing(s *config.Settings, version string) (trace.TracerProvider, func(context.Context) error, error) {
	if s.OTLPEndpoint == "" {
		return nil, func(context.Context) error { return nil }, nil
	}
	p, shutdown, err := optrace.Tracing(optrace.Options{Endpoint: s.OTLPEndpoint, Version: version, Sample: s.TraceRatio})
	if err != nil {
		return nil, nil, advise(err, "otlp-endpoint is a URL such as http://127.0.0.1:4318")
	}
	return p, shutdown, nil
}
