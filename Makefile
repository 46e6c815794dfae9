# `make test` is everything: CI runs it, and nothing but it decides whether a change is good.

MODULES   = $(shell go list -m -f '{{.Dir}}')
PACKAGES  = $(addsuffix /...,$(MODULES))
PLATFORMS = darwin windows
LINT      = $(CURDIR)/bin/golangci-lint
FUZZTIME ?= 20000x

# A checkout may belong to another user than the one who tests it; git says nothing about it then.
export GOFLAGS := $(shell go env GOFLAGS) -buildvcs=false

each = set -e; for dir in $(1); do (cd $$dir && echo "in $$dir:" && $(2)); done

.NOTPARALLEL:
.PHONY: help fmt lint race unit alloc fuzz bench gobench soak tidy check test deps vet cross tidy-diff no-sleep alone

help: ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

test: deps check race alone alloc fuzz ## everything: install what is needed, then check, test and fuzz

check: tidy-diff vet cross lint no-sleep ## what needs no running code: go.mod files, vet, other systems, lint

race: ## all tests, with the race detector, in random order
	go test -race -shuffle=on $(PACKAGES)

unit: ## all tests whose packages changed, quickly
	go test $(PACKAGES)

alone: ## all tests again, each module with the versions its users get
	@$(call each,$(MODULES) benchmarks,GOWORK=off go test -race -shuffle=on ./...)

alloc: ## the allocation tests, which the race detector would disturb
	scripts/alloc.sh

fuzz: ## fuzz each parser for FUZZTIME (20000x runs; 1m for a minute)
	scripts/fuzz.sh $(FUZZTIME)

bench: ## portico beside other libraries (BENCH=-quick in two minutes); fails if a bar is missed
	cd benchmarks && GOWORK=off go run ./cmd/bench $(BENCH)

gobench: ## the Go benchmarks
	go test -run='^$$' -bench=. -benchmem $(PACKAGES)

soak: ## look for rare failures: the tests twenty times over, a million connections, a minute of crashes, a minute of fuzzing each
	go test -race -shuffle=on -count=20 $(PACKAGES)
	PORTICO_SOAK=1000000 go test -timeout=3h -run='^TestSoak$$' -v ./server
	PORTICO_SOAK=1m go test -race -timeout=10m -run='^TestSoak$$' -v ./channellayer/redis ./channellayer/nats
	scripts/fuzz.sh 1m

fmt: $(LINT) ## format the code
	@$(call each,$(MODULES),$(LINT) fmt)

lint: $(LINT) ## golangci-lint: mistakes, style, formatting and the direction of imports
	@$(call each,$(MODULES),$(LINT) run ./...)
	@$(call each,benchmarks,GOWORK=off $(LINT) run ./...)

vet: ## go vet
	go vet $(PACKAGES)

cross: ## build for the other systems
	@for os in $(PLATFORMS); do echo "GOOS=$$os go build" && GOOS=$$os go build $(PACKAGES) || exit 1; done

no-sleep: # a test waits for an event, or sleeps in virtual time
	@! grep -rl --include='*_test.go' 'time\.Sleep' . | xargs -r grep -L 'testing/synctest' | grep . || \
		(echo 'these tests sleep on the real clock: use testing/synctest' && false)

tidy: ## tidy every go.mod
	@$(call each,$(MODULES),go mod tidy)
	@$(call each,benchmarks tools,GOWORK=off go mod tidy)

tidy-diff: # fails if `make tidy` would change a file
	@$(call each,$(MODULES),go mod tidy -diff)
	@$(call each,benchmarks,GOWORK=off go mod tidy -diff)

deps: # what the tests need besides Go
	scripts/deps.sh

# The linter is built from source at the version in tools/go.mod; the first time takes some minutes.
$(LINT): tools/go.mod tools/go.sum
	cd tools && GOWORK=off go build -o ../bin/ tool
	@touch $@
