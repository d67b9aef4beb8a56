# Everything a person does with this repository. `make help` prints the comments after the ## below.
#
# Law 1: each command works on a fresh clone; it installs what the project can install (into .venv, node_modules, target)
#        and names in one sentence what only the machine's owner can.
# Law 2: nothing is done twice: a stamp under .venv/.make is younger than all it was made from.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# One thing after the other, whatever -j says; `check` alone says otherwise, of what cannot be in its own way.
ifndef AT_ONCE
.NOTPARALLEL:
endif
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.make
# `make setup PROFILE=dev` builds the native module without optimisation, in a fraction of the time.
PROFILE ?= release
ARGS ?=
# Two for each core: half of what a test takes it waits, for another process or a limit.
TESTS_AT_ONCE ?= $(shell cores=$$(nproc); echo $$((cores < 4 ? cores * 2 : 8)))

NATIVE_SOURCES := Cargo.toml Cargo.lock $(shell find native -type d -o -name '*.rs' -o -name Cargo.toml)
# The top-level directories that hold Python, so that a new one is checked from its first commit.
PYTHON_ROOTS := $(shell git ls-files '*.py' | cut -d/ -f1 | sort -u)
NATIVE := $(STAMPS)/native-$(PROFILE)
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)

say = @echo "== $(1)"

.PHONY: help setup run test check fmt bench conformance lock debian clean \
	need-build need-test need-check need-bench check-format check-lint check-rust check-types check-stubs

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- building ---------------------------------------------------------------------------------------------------

setup: need-build $(NATIVE) ## Make .venv with everything in it; leaves the command at .venv/bin/holdfast
	$(call say,setup: ready: .venv/bin/holdfast)

$(STAMPS)/python:
	$(call say,setup: making .venv with $$(scripts/need --python))
	"$$(scripts/need --python)" -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/dev: requirements/dev.txt | $(STAMPS)/python
	$(call say,setup: installing the pinned packages of requirements/dev.txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(NATIVE): $(NATIVE_SOURCES) pyproject.toml $(STAMPS)/dev
	$(call say,setup: building the native module (profile $(PROFILE); the first build takes some minutes))
	PIP_QUIET=1 VIRTUAL_ENV=$(VENV) $(BIN)/maturin develop --quiet --locked --profile $(PROFILE)
	@rm -f $(STAMPS)/native-*
	@touch $@

$(STAMPS)/bench: requirements/bench.txt $(STAMPS)/dev
	$(call say,bench: installing the pinned packages of requirements/bench.txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

$(STAMPS)/old-client: requirements/old-client.txt | $(STAMPS)/python
	$(call say,test: installing the old client of requirements/old-client.txt into .venv/old-client)
	"$$(scripts/need --python)" -m venv $(VENV)/old-client
	$(VENV)/old-client/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/old-client.txt
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	$(call say,test: installing the npm packages of package-lock.json into node_modules)
	npm ci --silent --no-fund --no-audit
	@touch $@

need-build:
	@scripts/need build

need-test:
	@scripts/need build test

need-check:
	@scripts/need build test check

need-bench:
	@scripts/need build bench

# --- using ------------------------------------------------------------------------------------------------------

run: setup ## Start a demo origin and the edge in front of it, with TLS; says what to type next
	$(call say,run: a demo origin and the edge in front of it (Ctrl-C ends both))
	@exec $(BIN)/python examples/demo.py $(ARGS)

test: need-test setup node_modules/.package-lock.json $(STAMPS)/old-client ## Run every test: the Rust core's, then Python's (ARGS for pytest)
	$(call say,test: cargo test)
	cargo test --locked --workspace --exclude holdfast-native
	$(call say,test: pytest)
	$(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist loadscope $(ARGS)

check: need-check $(STAMPS)/dev ## Exactly what CI runs: format, lint, types, tests, docs
	$(call say,check: format and lint and types while the native module is built)
	@$(MAKE) AT_ONCE=yes -j 3 --output-sync=target setup check-format check-lint check-rust check-types check-stubs
	@$(MAKE) test
	$(call say,check: all of it passed)

fmt: $(STAMPS)/dev ## Format all code and fix what the linter can fix
	cargo fmt --all
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

bench: need-bench setup $(STAMPS)/bench ## Measure beside nginx, HAProxy and Envoy, and Workers beside workerd (ARGS="--help" says how)
	@exec $(BIN)/python -m bench $(ARGS)

conformance: need-test setup node_modules/.package-lock.json ## Run other people's test suites through the edge and compare with the expected result
	@exec $(BIN)/python -m conformance $(ARGS)

# --- the parts of check -----------------------------------------------------------------------------------------

check-format: $(STAMPS)/dev
	$(call say,check: format)
	cargo fmt --all --check
	$(BIN)/ruff format --check .

check-lint: $(STAMPS)/dev
	$(call say,check: lint of Python)
	$(BIN)/ruff check .

check-rust: $(STAMPS)/dev
	$(call say,check: lint of Rust)
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --quiet --locked --workspace --no-deps --document-private-items

check-types: $(STAMPS)/dev
	$(call say,check: types)
	$(BIN)/mypy $(PYTHON_ROOTS)

check-stubs: $(NATIVE)
	$(call say,check: types of the native module)
	MYPYPATH=src $(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml holdfast._native

# --- housekeeping -----------------------------------------------------------------------------------------------

lock: need-build ## Pin again after a change of dependencies in pyproject.toml (UPGRADE=--upgrade for newer versions)
	$(call say,lock: resolving with pip-tools)
	"$$(scripts/need --python)" -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check pip-tools==7.6.2
	.cache/lock/bin/pip-compile $(UPGRADE) --extra dev -o requirements/dev.txt pyproject.toml
	.cache/lock/bin/pip-compile $(UPGRADE) --extra bench -c requirements/dev.txt -o requirements/bench.txt pyproject.toml
	.cache/lock/bin/pip-compile $(UPGRADE) -o requirements/old-client.txt requirements/old-client.in

debian: ## As root on Debian 12: install the packages that build, test and bench need
	@scripts/need --install build test bench

clean: ## Remove all that was built, installed or cached in the checkout
	rm -rf $(VENV) node_modules target .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f src/holdfast/_native*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
