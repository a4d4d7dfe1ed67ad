STRIPE_MOCK_VERSION := v0.203.0

.PHONY: payments
payments: postgres $(TOOLS)/bin/stripe-mock-$(STRIPE_MOCK_VERSION) ## CHARGES=20000 through a gateway that fails in every way, on both engines, and our requests against Stripe's own stripe-mock.
	DEMARC_CHARGES=$(or $(CHARGES),20000) STRIPE_MOCK=$(TOOLS)/bin/stripe-mock-$(STRIPE_MOCK_VERSION) go test -tags payments -count=1 -timeout 30m -v ./test/payments

$(TOOLS)/bin/stripe-mock-$(STRIPE_MOCK_VERSION):
	mkdir -p $(TOOLS)/bin
	GOBIN=$(TOOLS)/bin go install github.com/stripe/stripe-mock@$(STRIPE_MOCK_VERSION)
	mv $(TOOLS)/bin/stripe-mock $@
