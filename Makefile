# One word per chore. `make` alone tells them.

PYTHON ?= python3
ENGINE ?= postgresql
WORKERS ?= 3
PYTEST_ARGS ?=
LAB_ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint lab bench clean

help: ## tell what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed-all ## build a shop, rehearse two migrations on a clone of it, archive a report; ENGINE=sqlite too
	@$(BIN)/migkit demo --engine $(ENGINE)

test: .venv/.installed-dev ## provision the servers the tests need, run the tests; PYTEST_ARGS and WORKERS are passed on
	@$(BIN)/python tests/servers/provision.py
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow" $(PYTEST_ARGS)

test-slow: .venv/.installed-dev ## run the tests that take longer: the benchmark of verdicts, kill -9, huge inputs
	@$(BIN)/python tests/servers/provision.py
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m slow $(PYTEST_ARGS)

lint: .venv/.installed-dev ## ruff, and mypy --strict on migkit/
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict migkit

lab: .venv/.installed-lab ## JupyterLab in notebooks/; LAB_ARGS are passed on
	@cd notebooks && ../$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

bench: .venv/.installed-dev ## measure: ratios, each of two things timed in the same run
	@$(BIN)/python -m bench

clean: ## remove .venv and caches; reports stay
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp per set of extras: installing again takes no time until pyproject.toml changes.
.venv/.installed-%: pyproject.toml | .venv/bin/python
	@echo "Installing migkit[$*] into .venv …"
	@$(PIP) --editable '.[$*]'
	@touch $@

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
	    echo "There is no '$(PYTHON)' here. migkit needs Python 3.11 or later: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("migkit needs Python 3.11 or later, and $(PYTHON) is %d.%d. Name another: \
	make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	    echo "$(PYTHON) -m venv failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
