# One word for each habit; `make help` lists them. The environment is .venv, made from pinned, hashed requirements.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-slow check bench docs lock clean

PY ?= python3
UV_VERSION := 0.13.8
BIN := .venv/bin
# Where the machine has its own certificates they are used, so that an installation behind a company proxy works.
CERTS := $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),--system-certs)
INSTALL := $(BIN)/uv pip install --quiet $(CERTS) --python $(BIN)/python --compile-bytecode

# Numba's cache looks at a kernel's own file only, not at the kernels it calls: what is older than the newest file that
# holds kernels is compiled again.
DROP_STALE_KERNELS := newest=$$(grep -rlE 'jit|compiled' --include='*.py' src | xargs ls -t | head -1); \
	find src -name '*.nb[ic]' ! -newer "$$newest" -delete

# A file stays with one worker, so that what its tests share is made once and no kernel is compiled by both at the same
# time; the long files of e2e and integration come first, as they lie.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder

help: ## list these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.test ## make .venv with everything the tests need

demo: .venv/.core ## a trading day, end to end, offline: generate, trade, report
	$(BIN)/seakeep demo

test: check ## lint, types, contracts and the whole test suite
	@$(DROP_STALE_KERNELS)
	$(BIN)/pytest $(WORKERS)

test-slow: .venv/.test ## the longer checks that `make test` leaves out
	$(BIN)/pytest $(WORKERS) -m slow

check: .venv/.test ## lint, format, types and import contracts only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.test ## run every benchmark; each prints its own ratios
	@$(DROP_STALE_KERNELS)
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

docs: .venv/.test ## write the command reference from the command line itself, then check every page
	$(BIN)/python docs/build.py

lock: .venv/.test ## take the newest versions and rewrite requirements/ (needs the network)
	$(BIN)/uv lock --quiet $(CERTS) --upgrade
	$(BIN)/uv export --quiet --no-header --no-annotate --no-emit-project --no-dev -o requirements/core.txt
	$(BIN)/uv export --quiet --no-header --no-annotate --no-emit-project --all-extras -o requirements/test.txt

clean: ## remove the environment and every cache; user_data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run free: a step is repeated only when what it read has changed.
.venv/bin/uv:
	@$(PY) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || { \
	  echo "error: Seakeep needs Python 3.11, 3.12 or 3.13, and '$(PY)' is $$($(PY) --version 2>&1 || true);" \
	    "run for example: make PY=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PY) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.core: requirements/core.txt pyproject.toml | .venv/bin/uv
	$(INSTALL) --require-hashes -r requirements/core.txt
	$(INSTALL) --no-deps --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

.venv/.test: requirements/test.txt | .venv/.core
	$(INSTALL) --require-hashes -r requirements/test.txt
	@touch $@
