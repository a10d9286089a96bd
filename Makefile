# AVW: `make help` lists the targets. Results are in .venv, data/ and runs/; `make clean` removes everything else.

PYTHON ?= python3
# The torch package to install, in any form that pip accepts; e.g. TORCH='torch==2.13.0+cu128' or a path to a wheel.
TORCH ?= $(shell grep '^torch==' constraints.txt)
WORKERS ?= 2
TAG ?=

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
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "Variables: PYTHON=$(PYTHON)  TORCH=$(TORCH)  WORKERS=$(WORKERS)"

install: $(STAMP) ## create .venv and install AVW with all dependencies of demo and test

# Skipped, without network access, if neither pyproject.toml nor the tested versions have changed.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  sys.exit(0 if v >= (3, 11) else f"AVW needs Python 3.11 or newer, but $(PYTHON) is {v.major}.{v.minor}; \
	type: make $(MAKECMDGOALS) PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	grep -v '^torch==' constraints.txt > .venv/constraints.txt
	$(BIN)/pip install $(QUIET) -c .venv/constraints.txt $(TORCH)
	$(BIN)/pip install $(QUIET) -c .venv/constraints.txt -e '.[model,dev,docs]'
	$(BIN)/avw doctor --compile
	@touch $@

demo: install ## run everything at a small scale and write runs/demo/report.html (under 15 minutes on 2 cores)
	PATH="$(CURDIR)/$(BIN):$$PATH" WORKERS=$(WORKERS) bash benchmarks/recipes/demo.sh

test: install ## run the test suite (under 15 minutes on 2 cores)
	$(BIN)/python -m tests.in_parallel -m 'not slow'

test-all: install ## run the test suite with its slow tests
	$(BIN)/python -m tests.in_parallel

##@ Small versions of the main commands (avw generate, avw train and avw navigate also run without arguments)
generate: install ## write a small dataset to data/small
	$(BIN)/avw generate data/small --scenes procedural:4 --trajectories 8 --steps 60 --workers $(WORKERS)

train: install ## run a few steps of each training stage in runs/small
	$(BIN)/avw train data/small --out runs/small --size nano --steps 40,40,40

navigate: install ## plan with the model of runs/small in a house that it has not seen
	$(BIN)/avw navigate --policy mpc --model runs/small --episodes 2

##@ Figures
results: install ## compute all published figures (up to 2 hours on 2 cores)
	PATH="$(CURDIR)/$(BIN):$$PATH" WORKERS=$(WORKERS) bash benchmarks/recipes/results.sh

##@ Development
lint: install ## check the code style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## check the static types
	$(BIN)/mypy

docs: install ## build the documentation as a site in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open build/site/index.html in a browser."

licences: install ## list the licences of all installed dependencies; fails for one that is refused
	$(BIN)/python -m benchmarks.licences model docs dev

tag: ## check that TAG is the version of the project, as in make tag TAG=v0.2.0
	@grep -qx 'version = "$(TAG:v%=%)"' pyproject.toml || \
	  { echo "TAG is '$(TAG)', but pyproject.toml says $$(grep '^version' pyproject.toml)"; exit 1; }

wheel: install ## build the wheel and the source distribution in dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation

ci: ## run what every change has to pass: lint, types, docs, test, and the main commands
	$(MAKE) lint types docs test
	$(MAKE) generate train navigate

clean: ## remove build results and caches (keeps data/, runs/ and .venv)
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .numba_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: help install demo test test-all generate train navigate results lint types docs licences tag wheel ci clean
