# make run    the pipeline: from the data to a registered model
# make test   the tests
# make faults kills, full disks, servers away: every fault of docs/reliability.md, with a count
# make check  what CI runs: format, lint, types, import layers, tests
# Each target installs what it needs into .venv, once.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
# Which of the slow tests `make test-slow` runs, of which files, and in how many processes (0: in its own, one after the other).
SLOW ?= slow
TESTS ?= tests
WORKERS ?= 0
BIN := $(VENV)/bin
UV := $(BIN)/uv
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := true
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export NO_ALBUMENTATIONS_UPDATE := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.PHONY: help setup setup-dev run test test-slow faults check format lint types layers deps lock ui bench clean-state

help:
	@grep '^# make' Makefile | cut -c3-

# uv installs into the venv from a lock of exact versions; bytecode is compiled once, imports are then 2.5 times faster.
$(UV): requirements-uv.lock
	@[ -x $(BIN)/python ] || { $(PYTHON) -m venv $(VENV) 2>/dev/null || python3 -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-uv.lock
	touch $@

$(VENV)/.installed: $(UV) requirements.lock pyproject.toml
	@echo "installing into $(VENV), once (several GB, a minute or more)"
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	$(BIN)/python -m compileall -q src flows
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements-dev.lock
	touch $@

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

run: $(VENV)/.installed
	@convoy run

test: $(VENV)/.installed-dev
	@pytest -m "not slow" --numprocesses auto

test-slow: $(VENV)/.installed-dev
	@pytest $(TESTS) -m "$(SLOW)" --numprocesses $(WORKERS)

# strace, PostgreSQL and a user who may mount a disk; what is missing is skipped with the reason
faults: $(VENV)/.installed-dev
	@pytest tests/faults -rs

check: lint types layers test

format: $(VENV)/.installed-dev
	@ruff format . && ruff check --fix .

lint: $(VENV)/.installed-dev
	@ruff format --check . && ruff check .

types: $(VENV)/.installed-dev
	@mypy

layers: $(VENV)/.installed-dev
	@lint-imports --no-cache

# Rewrites the code dependencies in dvc.yaml from the imports.
deps: $(VENV)/.installed-dev
	@python scripts/dvc_deps.py

# Resolves the lock files anew; names and versions only.
lock: $(UV)
	$(UV) pip compile pyproject.toml --extra pipeline --python-version 3.11 --no-header --no-annotate --no-emit-index-url --quiet -o requirements.lock
	$(UV) pip compile pyproject.toml --extra team --extra text --extra dev -c requirements.lock --python-version 3.11 --no-header --no-annotate --no-emit-index-url --quiet -o requirements-dev.lock

# The MLflow UI on the embedded store, on loopback.
ui: $(VENV)/.installed
	@mlflow server --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(CURDIR)/.convoy/mlflow/mlflow.db}" --host 127.0.0.1 --port 5000

bench: $(VENV)/.installed-dev
	@python -m benchmarks

# Forgets all runs, registered models, caches and checkpoints of this project.
clean-state:
	rm -rf .convoy .prefect
