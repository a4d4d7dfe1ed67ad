# What can be done here. `make` alone builds; `make help` lists all.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

# Where the official TM Forum kits, the contracts and the tools that are not part of demarc lie.
SHARED ?= ../shared
TOOLS := $(CURDIR)/.tools
GOLANGCI_LINT_VERSION := v2.12.2
GOVULNCHECK_VERSION := v1.1.4
NEWMAN_VERSION := 6

export CGO_ENABLED := 0
export PATH := $(TOOLS)/bin:$(PATH)
# Kept here: what the linter found in another folder's copy names files that are not there.
export GOLANGCI_LINT_CACHE := $(TOOLS)/lint

.PHONY: build run test check gen help

build: ## Build bin/demarc.
	go build -trimpath -ldflags "-s -w" -o bin/demarc ./cmd/demarc

run: build ## Build and serve for development, with demonstration data.
	bin/demarc serve --dev --demo

test: postgres ## All tests that need no more than Go and PostgreSQL.
	go test ./...

check: $(TOOLS)/bin/golangci-lint-$(GOLANGCI_LINT_VERSION) ## Format, vet, lint, generated files, modules.
	test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	go vet -tags "binary bulk ctk crash faults keycloak budget contracts ledger readme bench scale payments messages" ./...
	golangci-lint-$(GOLANGCI_LINT_VERSION) run ./...
	$(MAKE) --no-print-directory gen
	git diff --exit-code -- docs/configuration.md $$(git ls-files '*.gen.go' '*_gen.go' '*.gen.json')
	go mod verify
	go mod tidy -diff

gen: ## Write the generated files again.
	go generate ./...
	go run ./cmd/demarc config --docs > docs/configuration.md.new && mv docs/configuration.md.new docs/configuration.md

.PHONY: bulk race ctk contracts scenarios ledger crash faults simulate keycloak budget readme vulnerabilities

bulk: postgres ## 100,000 SIMs and 100,000 subscribers from a file, with the time that it took, on both engines.
	go test -tags bulk -count=1 -run TestAHundredThousand -v ./internal/bulkupload

race: postgres ## The packages that do things side by side, under the race detector; needs a C compiler.
	CGO_ENABLED=1 go test -race ./internal/store/... ./internal/worker ./internal/hub ./internal/api/... ./internal/auth/... ./internal/app

ctk: build newman ## The official TM Forum conformance kits against the binary, on both engines.
	NEWMAN_DIR=$(TOOLS)/newman SHARED=$(abspath $(SHARED)) go test -tags ctk -count=1 -timeout 20m -v ./test/ctk

contracts: build ## Every operation of the contracts against what is served.
	SHARED=$(abspath $(SHARED)) go test -tags contracts -count=1 -timeout 10m -v ./test/contracts

scenarios: build postgres ## The scenario files against the binary, on both engines.
	go test -tags binary -count=1 -timeout 10m ./test/scenario

ledger: postgres ## A hundred thousand operations on balances, side by side and repeated, on both engines, and the ledger's proof.
	go test -tags ledger -count=1 -timeout 20m -v -run TestAHundredThousandOperations ./internal/balance

crash: build postgres ## Kill the binary N times on each engine under load, and check what it acknowledged.
	N=$(or $(N),50) go test -tags crash -count=1 -timeout 30m -v ./test/crash

faults: build postgres ## Orders on a network that fails in every way, with the binary killed in between, on both engines.
	go test -tags faults -count=1 -timeout 20m -v ./test/faults

simulate: build ## Play SUBSCRIBERS × DAYS (10000 × 365 by default) of an operator's life, and prove the ledger.
	bin/demarc simulate --subscribers $(or $(SUBSCRIBERS),10000) --days $(or $(DAYS),365) --seed $(or $(SEED),1)

keycloak: build postgres ## A real Keycloak as issuer: identity tests, then the scenarios.
	KEYCLOAK_HOME="$$(internal/auth/keycloaktest/fetch.sh $(TOOLS))" go test -tags keycloak -count=1 -timeout 20m ./internal/auth/keycloaktest ./test/scenario

budget: build ## Start time, memory and size, and fail beyond what is promised.
	go test -tags budget -count=1 -timeout 5m -v ./test/budget

readme: build ## Run the commands of README.md as they stand there.
	go test -tags readme -count=1 -timeout 5m -v ./test/readme

vulnerabilities: ## Known vulnerabilities in what demarc is built from; asks a database on the net.
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

# Some suites bring their own targets.
-include test/*/*.mk

# What the suites need and Go does not bring.

.PHONY: postgres newman
postgres:
	@command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null; }

newman: $(TOOLS)/newman/node_modules/newman/package.json
$(TOOLS)/newman/node_modules/newman/package.json:
	mkdir -p $(TOOLS)/newman
	npm install --silent --no-audit --no-fund --prefix $(TOOLS)/newman newman@$(NEWMAN_VERSION)

$(TOOLS)/bin/golangci-lint-$(GOLANGCI_LINT_VERSION):
	mkdir -p $(TOOLS)/bin
	GOBIN=$(TOOLS)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(TOOLS)/bin/golangci-lint $@

help: ## This list.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 18
