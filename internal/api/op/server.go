package op

import (
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

// server is a table that is being served.
type server struct {
	table    *Table
	options  Options
	routes   *routes
	clock    clock.Clock
	logger   *slog.Logger
	tracer   trace.Tracer
	metrics  *metrics
	headers  *fixedHeaders
	inFlight atomic.Int64
}

func newServer(t *Table, o Options) (*server, error) {
	s := &server{table: t, options: o, routes: newRoutes(), headers: fixed(), clock: o.Clock, logger: o.Logger}
	if s.clock == nil {
		s.clock = clock.Real{}
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	if o.Tracer != nil {
		s.tracer = o.Tracer.Tracer("github.com/demarc-bss/demarc")
	}
	if o.Metrics == nil {
		s.options.Metrics = prometheus.NewRegistry()
	}
	var err error
	if s.metrics, err = newMetrics(s.options.Metrics, &s.inFlight); err != nil {
		return nil, err
	}
	for _, op := range t.operations {
		if o.Gate == nil && !op.Public {
			return nil, errors.New("operations need a gate")
		}
		if o.Store == nil && op.Writes {
			return nil, errors.New("operations that write need a store")
		}
	}
	return s, nil
}

// endpoint is one operation with everything about it that does not change from request to request.
type endpoint struct {
	*Operation
	server     *server
	wildcards  []string
	queryNames []string
	accepted   []string
	system     bool
	meter      *meter
	// work answers a request that has been admitted.
	work func(x *exchange, r *http.Request) error
}

func (s *server) endpoint(o *Operation) *endpoint {
	e := &endpoint{Operation: o, server: s, wildcards: wildcards(o.Path), system: o.system != nil, meter: s.metrics.meter(o.ID)}
	for _, p := range o.Params {
		if p.In == "query" {
			e.queryNames = append(e.queryNames, p.Name)
		}
	}
	if o.Writes {
		e.queryNames = append(e.queryNames, "dryRun")
	}
	if o.Response != nil {
		e.accepted = o.Response.ContentTypes
	}
	switch {
	case o.system != nil:
		e.work = e.raw(o.system(s))
	case o.Raw != nil:
		e.work = e.raw(o.Raw)
	default:
		e.work = e.call
	}
	return e
}
