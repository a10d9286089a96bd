# AVW: `make help` lists what a person types. Everything lives in .venv, data/ and runs/; `make clean` removes the rest.

PYTHON ?= python3
# The torch to install, as pip takes it; e.g. TORCH='torch==2.13.0+cu128' or a path to a wheel.
TORCH ?= $(shell grep '^torch==' constraints.txt)
WORKERS ?= 2

BIN := .venv/bin
STAMP := .venv/installed
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

ifeq ($(CI),true)
QUIET := --quiet --progress-bar off
export TQDM_MININTERVAL := 30
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1

##@ Everyday
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "Variables: PYTHON=$(PYTHON)  TORCH=$(TORCH)  WORKERS=$(WORKERS)"

install: $(STAMP) ## create .venv and install AVW with everything that demo and test need

# Skipped, and so offline, as long as neither the packaging nor the tested versions changed.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  sys.exit(0 if v >= (3, 11) else f"AVW needs Python 3.11 or newer, but $(PYTHON) is {v.major}.{v.minor}; \
	type: make $(MAKECMDGOALS) PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	grep -v '^torch==' constraints.txt > .venv/constraints.txt
	$(BIN)/pip install $(QUIET) -c .venv/constraints.txt $(TORCH)
	$(BIN)/pip install $(QUIET) -c .venv/constraints.txt -e '.[model,dev]'
	@touch $@

demo: install ## the whole path, small: houses, data, training, evaluation, navigation, runs/demo/report.html
	PATH="$(CURDIR)/$(BIN):$$PATH" WORKERS=$(WORKERS) bash benchmarks/recipes/demo.sh

test: install ## the test suite (under 10 minutes on 2 cores)
	$(BIN)/python -m pytest -m 'not slow'

test-all: install ## the test suite with its long matrices
	$(BIN)/python -m pytest

##@ The three commands, small; each also runs alone with no argument at all: avw generate, avw train, avw navigate
generate: install ## data/small: a small dataset
	$(BIN)/avw generate data/small --scenes procedural:4 --trajectories 8 --steps 60 --workers $(WORKERS)

train: install ## runs/small: a few steps of each training stage
	$(BIN)/avw train data/small --out runs/small --size nano --steps 40,40,40

navigate: install ## the planner of runs/small in a house that it has not seen
	$(BIN)/avw navigate --policy mpc --model runs/small --episodes 2

##@ Figures
results: install ## every published figure, from nothing (up to 2 hours on 2 cores)
	PATH="$(CURDIR)/$(BIN):$$PATH" WORKERS=$(WORKERS) bash benchmarks/recipes/results.sh

##@ Development
lint: install ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## static types
	$(BIN)/mypy

ci: ## what the gate runs: lint, types, test, and the three commands
	$(MAKE) lint types test
	$(MAKE) generate train navigate

clean: ## remove what was built and cached (keeps data/, runs/ and .venv)
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .numba_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: help install demo test test-all generate train navigate results lint types ci clean
