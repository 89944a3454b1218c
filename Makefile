# make demo   plants a backdoor in a small model, finds it, merges it away
# make test   style, types, layers and tests
# make        lists these

PYTHON ?= python3
ENV := .venv
BIN := $(ENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

help:
	@sed -n 's/^# //p' Makefile

$(ENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Auditor needs Python 3.11 or newer; name one: make demo PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(ENV)

$(ENV)/.demo: $(ENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[demo]'
	@touch $@

$(ENV)/.test: $(ENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[dev]'
	@touch $@

demo: $(ENV)/.demo
	$(BIN)/auditor demo

test: $(ENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 2 --dist worksteal

clean:
	rm -rf $(ENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.PHONY: help demo test clean
