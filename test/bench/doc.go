// Package bench measures demarc through HTTP, beside what the machine can do at all: a bare net/http
// handler that returns the same bytes, and the raw database doing the same statements, in the same run.
//
// `make bench` runs it and prints a table. Trust its ratios, not its absolute figures: the client takes its
// share of the same processors, and machines differ. DEMARC_BENCH_ROWS sets how large the large collection
// is (default 100,000), DEMARC_BENCH_TIME how long one figure is measured (default 2s).
package bench
