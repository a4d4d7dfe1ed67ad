package op

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count the requests of all operations.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer, inFlight *atomic.Int64) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "demarc_http_requests_total", Help: "Requests answered, by operation and HTTP status."}, []string{"operation", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "demarc_http_request_duration_seconds", Help: "Time from the first byte of a request to the last of its answer, by operation.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"operation"}),
	}
	running := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "demarc_http_requests_in_flight", Help: "Requests being worked on."}, func() float64 { return float64(inFlight.Load()) })
	for _, c := range []prometheus.Collector{m.requests, m.duration, running} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// meter counts the requests of one operation. Its counters are looked up once a status.
type meter struct {
	metrics   *metrics
	operation string
	duration  atomic.Pointer[prometheus.Observer]
	common    [len(commonStatuses)]atomic.Pointer[prometheus.Counter]
}

const commonStatuses = "\xc8\xc9\xcc" // 200, 201, 204; others are looked up

func (m *metrics) meter(operation string) *meter {
	return &meter{metrics: m, operation: operation}
}

func (m *meter) observe(status int, took time.Duration) {
	m.counter(status).Inc()
	d := m.duration.Load()
	if d == nil {
		o := m.metrics.duration.WithLabelValues(m.operation)
		d = &o
		m.duration.Store(d)
	}
	(*d).Observe(took.Seconds())
}

func (m *meter) counter(status int) prometheus.Counter {
	for i := range len(commonStatuses) {
		if int(commonStatuses[i]) != status {
			continue
		}
		c := m.common[i].Load()
		if c == nil {
			n := m.metrics.requests.WithLabelValues(m.operation, strconv.Itoa(status))
			c = &n
			m.common[i].Store(c)
		}
		return *c
	}
	return m.metrics.requests.WithLabelValues(m.operation, strconv.Itoa(status))
}
