# LEADER: `make run` serves the dashboard, `make test` checks everything. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test soak lint checks types sql demo-models demo-ablations clean lock sbom cohort-demo environment test-environment python

# The first Python that is new enough; plain python3 otherwise, so that the error can name it.
ifndef PYTHON
PYTHON := $(firstword $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p"; done) python3)
endif
BIN := .venv/bin
PORT ?= 8501
COHORT ?= build/demo/cohort.duckdb
MODELS ?= assets/demo/models
DEVICE ?= auto
PYTEST ?= -n 2 --dist loadfile --no-loadscope-reorder

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables of run: COHORT, MODELS, PORT, DEVICE (auto, cpu, cuda), SERVE (more options of python -m dashboard). Any target: PYTHON=python3.12"

run: environment cohort-demo ## serve the dashboard on http://127.0.0.1:8501 (COHORT=… MODELS=… PORT=…)
	@exec $(BIN)/python -m dashboard --cohort "$(COHORT)" --models "$(MODELS)" --device "$(DEVICE)" --port $(PORT) $(SERVE)

test: test-environment ## install what the tests need, run lint and every test
	@$(BIN)/python tests/browser/chromium.py
	@$(MAKE) --no-print-directory checks
	@$(BIN)/python -m pytest $(PYTEST)

soak: test-environment cohort-demo ## the long tests (about three hours): kills, damage, fuzzing, load; results in tests/soak/results.json
	@$(BIN)/python -m pip install --quiet --require-hashes -r tests/soak/requirements.txt
	@$(BIN)/python -m tests.soak
	@$(BIN)/python tests/browser/chromium.py
	@$(BIN)/python -m pytest $(PYTEST) -m soak

lint: checks ## ruff, the type checker, the SQL lint, the architecture test
	$(BIN)/python -m pytest -q tests/test_architecture.py tests/test_sql.py

checks: test-environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory -j2 types sql

types:
	$(BIN)/mypy

sql:
	$(BIN)/sqlfluff lint --nocolor --disable-progress-bar leader_core

demo-models: environment ## rebuild the models in assets/demo and print their evaluation (REAL=DIR: on the open demos in it as well)
	@$(BIN)/python -m train demo --models $(if $(REAL),--real "$(REAL)")

demo-ablations: environment ## further rows of that table: what single parts of the student are worth (with the same REAL=DIR)
	@$(BIN)/python -m train demo --models --rows ablations $(if $(REAL),--real "$(REAL)")

clean: ## remove what can be built again (not .venv, your own cohorts and models, notes, audit logs)
	[ ! -d build ] || find build/ -type f -not -path '*.workspace.*' -not -name '*.audit.jsonl' -delete
	[ ! -d build ] || find build/ -mindepth 1 -type d -empty -delete
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

# Only the demo cohort is built here; one that you name yourself must exist.
cohort-demo: environment
	@if [ "$(COHORT)" = build/demo/cohort.duckdb ]; then \
		$(BIN)/python -m train demo; \
	elif [ ! -f "$(COHORT)" ]; then \
		echo "error: there is no cohort $(COHORT): build it with $(BIN)/python -m train cohort --raw DIR --out $(COHORT)" >&2; \
		exit 2; \
	fi

environment: python
	@$(PYTHON) tools/environment.py

test-environment: python
	@$(PYTHON) tools/environment.py tests

lock: build/tools ## write tools/locks from the requirements files (after a change of either)
	@build/tools/bin/python tools/lock.py

sbom: environment build/tools ## what the product runs with: build/sbom.cdx.json (CycloneDX) and tools/locks/LICENCES.md
	@cat tools/locks/torch.txt tools/locks/runtime.txt > build/tools/runtime.txt
	@build/tools/bin/cyclonedx-py requirements build/tools/runtime.txt --output-file build/sbom.cdx.json
	@build/tools/bin/pip-licenses --python $(BIN)/python --format markdown --with-urls --order license \
		--packages $$(sed -nE 's/^([a-z0-9.-]+)==.*/\1/p' tools/locks/torch.txt tools/locks/runtime.txt) > tools/locks/LICENCES.md
	@echo "build/sbom.cdx.json, tools/locks/LICENCES.md" >&2

build/tools: tools/requirements.txt
	@python3 -m venv build/tools
	@build/tools/bin/python -m pip install --quiet --disable-pip-version-check -r tools/requirements.txt
	@touch build/tools

python:
	@command -v $(PYTHON) >/dev/null || { echo "error: LEADER needs Python 3.11 or newer, but there is no $(PYTHON): install it" >&2; exit 2; }
