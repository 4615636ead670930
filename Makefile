# Every target does its own set-up: a virtual environment with the versions of constraints.txt.
# `make demo` and `make test` need nothing but Python 3.10 to 3.13 and make.

VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := $(VENV)/bin
PORT ?= 3000
WORKERS ?= 2

.PHONY: demo demo-study test test-fast coverage mutants docs dev wheel check bench attack format clean help
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

demo: $(VENV)/.installed ## the whole graph on the simulated exchange, then how to look at it
	NIFTYFORMER_WORKSPACE=demo $(BIN)/niftyformer run --experiment demo

demo-study: $(VENV)/.installed ## four windows and two seeds of the demo, judged together, in a few minutes
	NIFTYFORMER_WORKSPACE=demo $(BIN)/niftyformer study demo_study

dev: $(VENV)/.installed ## the web UI with the schedules' daemon, on http://127.0.0.1:3000 (PORT=n for another), and its reports
	@$(BIN)/python -c 'import socket; socket.create_connection(("127.0.0.1", $(PORT)), 2)' 2>/dev/null && { \
		echo "port $(PORT) is taken, perhaps by another web UI: choose one with make dev PORT=$$(( $(PORT) + 1 ))"; exit 1; } || true
	home=$$($(BIN)/niftyformer home) || exit 1; \
		$(BIN)/niftyformer reports & reports=$$!; trap 'kill $$reports 2>/dev/null' EXIT INT TERM; \
		DAGSTER_HOME="$$home" PATH="$(CURDIR)/$(BIN):$$PATH" \
		$(BIN)/dg dev --use-active-venv -w workspace.yaml -h 127.0.0.1 -p $(PORT)

test: check ## formatting, lint, types, import contract, all tests; WORKERS=n at a time
	$(BIN)/python -m pytest -q -rs --durations=25 --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

test-fast: $(VENV)/.installed-dev ## the quick tests alone: no whole graphs, kills, trainings or browsers
	$(BIN)/python -m pytest -q -m "not slow" --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder

check: $(VENV)/.installed-dev ## formatting, lint, types and import contract only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev ## speed and memory, as tables
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

attack: $(VENV)/.installed-dev ## kills, faulty answers and damaged files, counted; SEED=n for other ones; about 20 minutes
	$(BIN)/python -m attacks --seed $(or $(SEED),0)

format: $(VENV)/.installed-dev ## rewrite the sources as the formatter wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

coverage: $(VENV)/.installed-dev ## the lines that the quick tests run, by package
	$(BIN)/python -m pytest -q -m "not slow" --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder \
		--cov=niftyformer_assets --cov-report=json:build/coverage.json
	$(BIN)/python benchmarks/coverage_by_package.py build/coverage.json

mutants: $(VENV)/.installed-dev ## small faults in what decides on money and skill, that tests are to notice; hours
	$(BIN)/python -m attacks.mutants

docs: $(VENV)/.installed-dev ## the docs as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

wheel: $(BIN)/python ## the package as one file in dist/, for a machine or a folder elsewhere
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove the environment and caches, never data or storage
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist site *.egg-info

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.10 to 3.13 is needed and none was found; name one with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "$(PYTHON) is no Python 3.10 to 3.13: name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing what NiftyFormer needs into $(VENV): a few minutes the first time"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing what NiftyFormer needs into $(VENV): a few minutes the first time"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(VENV)/.installed $@
