.PHONY: scale
scale: postgres ## Balance query and rating among N=1000000 subscriptions, beside 1,000; fails beyond 1.5 times. ENGINE=postgres.
	DEMARC_SCALE_N=$(or $(N),1000000) DEMARC_SCALE_ENGINE=$(or $(ENGINE),sqlite) go test -tags scale -count=1 -timeout 2h -v ./test/scale
