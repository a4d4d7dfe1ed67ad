package worker

import "github.com/prometheus/client_golang/prometheus"

// metrics are the worker's numbers. Kinds are declared in code, so the label's values are few.
type metrics struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	running prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "demarc_jobs_total", Help: "Runs of jobs by kind and how they ended: done, retried, dead or released.",
		}, []string{"kind", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "demarc_job_seconds", Help: "How long a run of a job took, in seconds.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60},
		}, []string{"kind"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "demarc_jobs_running", Help: "Jobs that run in this process now.",
		}),
	}
	if r != nil {
		r.MustRegister(m.total, m.seconds, m.running)
	}
	return m
}

func (m *metrics) ended(kind, result string) { m.total.WithLabelValues(kind, result).Inc() }
