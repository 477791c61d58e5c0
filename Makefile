# `make` lists the targets. Each of them does the set-up that it needs, once: Python 3.11 or newer, git and make are enough.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$p" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
READY := $(VENV)/.ready
FOREIGN := $(VENV)/foreign
WORKERS ?= 2
SELECT ?= not long
PYTEST_ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
.DEFAULT_GOAL := help
.PHONY: help setup demo test check fix bench docs lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything locked, and .venv/bin/chargewire

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed (set PYTHON=/path/to/python3)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Hashes of every package are checked; our own package is then built with what has just been installed.
$(READY): requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Another implementation of OCPI, which tests talk to; what it needs would not go together with what we need.
$(FOREIGN)/.ready: tests/foreign/requirements.lock | $(BIN)/python
	$(BIN)/python -m venv --clear $(FOREIGN)
	$(FOREIGN)/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r tests/foreign/requirements.lock
	@touch $@

demo: $(READY) ## two environments, three CPOs, virtual stations, a receiver; Ctrl-C ends all
	$(BIN)/chargewire demo

test: $(READY) $(FOREIGN)/.ready ## the quick suite (under five minutes on two cores)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "$(SELECT)" -rs $(PYTEST_ARGS)

check: $(READY) ## format, lint, types, import directions
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(BIN)/mypy -p bench
	$(BIN)/lint-imports

fix: $(READY) ## format, and mend what the linter can mend
	$(BIN)/ruff check --fix src tests bench
	$(BIN)/ruff format src tests bench

bench: $(READY) ## measure, print tables, keep them in bench/results
	$(BIN)/python -m bench

docs: $(READY) ## check links, and that every option, route and setting is written down
	$(BIN)/python -m pytest tests/docs -rs $(PYTEST_ARGS)

lock: $(READY) ## write requirements.lock and requirements-dev.lock anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
		--custom-compile-command "make lock" --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
		--custom-compile-command "make lock" --constraint requirements.lock --group dev --output-file requirements-dev.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
		--custom-compile-command "make lock" --output-file tests/foreign/requirements.lock tests/foreign/requirements.in
