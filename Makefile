# The commands of the project. "make" checks everything that a change must pass.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := check

# Tools run by "go run", at these versions, and stay out of go.mod.
GOLANGCI_LINT ?= go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Modules of their own have packages that ./... does not reach.
NESTED = $(if $(filter ./...,$(PKG)),internal/integration examples/logs)

PKG       ?= ./...
SYSTEMS   ?= linux darwin windows
FUZZTIME  ?= 60s
BENCH     ?= .
BENCHTIME ?= 5x
COUNT     ?= 3

.PHONY: help
help: ## List the targets and the variables.
	@echo 'make [target] [VARIABLE=value]'
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
	@echo
	@sed -n 's/^\([A-Z]*\) *?= /  \1\t/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: check
check: fmt vet lint test examples ## Everything a change must pass. The default.

.PHONY: fmt
fmt: ## Format all Go files.
	$(GOLANGCI_LINT) fmt

.PHONY: vet
vet: ## Compile and vet for each of SYSTEMS.
	@for os in $(SYSTEMS); do \
		echo "GOOS=$$os go vet $(PKG)"; \
		GOOS=$$os go vet $(PKG); \
	done
	GOOS=linux go vet -tags=ownclock ./executor/remote
	@for dir in $(NESTED); do echo "go -C $$dir vet ./..."; go -C $$dir vet ./...; done

.PHONY: lint
lint: ## Run the linters of .golangci.yml.
	$(GOLANGCI_LINT) run $(PKG)
	@for dir in $(NESTED); do echo "lint $$dir"; (cd $$dir && $(GOLANGCI_LINT) run); done

.PHONY: setup
setup: ## Install what the race detector needs, where that is missing.
	@.ci/setup

.PHONY: test
test: setup ## Run all tests with the race detector, those that need servers too.
	CGO_ENABLED=1 go test -race -shuffle=on -timeout=30m $(PKG)
	@for dir in $(NESTED); do \
		echo "go -C $$dir test -race ./..."; \
		CGO_ENABLED=1 go -C $$dir test -race -shuffle=on -timeout=30m ./...; \
	done

.PHONY: test-vm
test-vm: ## Run tests in a virtual machine: of limits with control groups v2, and of the clock.
	go -C internal/integration run ./vm

.PHONY: race
race: setup ## Hunt for races: all tests COUNT times, on 1, 2 and 4 processors.
	CGO_ENABLED=1 go test -race -shuffle=on -timeout=60m -count=$(COUNT) -cpu=1,2,4 $(PKG)

.PHONY: examples
examples: ## Run the quickstart.
	go run ./examples/quickstart

.PHONY: fuzz
fuzz: ## Run every fuzz target of every package for FUZZTIME.
	@go test -list='^Fuzz' $(PKG) | .ci/fuzz-targets | while read -r pkg target; do \
		.ci/fuzz "$$pkg" "$$target" $(FUZZTIME); \
	done

.PHONY: bench
bench: ## Measure what the README says, as ratios, BENCHTIME each.
	@{ go test -run='^$$' -timeout=1h -benchtime=$(BENCHTIME) \
		-bench='^Benchmark(Run|Growth|Instances|Edges|Memory|Processes|Durable|Detached|Resume|Plan|Parse|Validate)$$' \
		./runner ./runner/internal/plan ./dag; \
	go test -run='^$$' -timeout=1h -benchtime=$(BENCHTIME) \
		-bench='^BenchmarkForkLimits$$' ./executor/fork; \
	go -C internal/integration test -run='^$$' -timeout=1h -benchtime=$(BENCHTIME) \
		-bench='^BenchmarkAppend$$' ./sqllog; } | .ci/bench-table

.PHONY: benchmarks
benchmarks: ## Run all benchmarks that BENCH matches.
	go test -run='^$$' -bench='$(BENCH)' -timeout=2h $(PKG)

.PHONY: cover
cover: ## Say how much of each function the tests reach.
	go test -coverprofile=cover.out -coverpkg=$(PKG) $(PKG)
	go tool cover -func=cover.out

.PHONY: tidy
tidy: ## Tidy go.mod and go.sum of all modules.
	go mod tidy
	@for dir in $(NESTED); do go -C $$dir mod tidy; done
