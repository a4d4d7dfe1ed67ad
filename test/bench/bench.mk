.PHONY: bench
bench: postgres ## Speed through HTTP, beside a bare handler and the raw database. ROWS=1000000 for the large list.
	DEMARC_TEST_FSYNC=1 DEMARC_BENCH_ROWS=$(or $(ROWS),100000) go test -tags bench -run '^$$' -bench . -benchtime 1x -timeout 60m ./test/bench
