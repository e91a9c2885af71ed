# make demo    the whole way, from images to a bitstream      make test    the tests
# make lint    ruff and pyright                               make bench   the benchmarks
# make test-all    with the thorough ones too: half an hour more      make test-quick    without those marked slow
#
# Tests with Icarus Verilog are among them where it is found (apt-get install iverilog).
#
# All of them set up .venv first (`make setup`), which is a no-op while pyproject.toml and constraints.txt stand.
# PYTHON chooses the interpreter (3.11 or newer). PIP_FLAGS is handed to pip: where PyPI's torch brings CUDA along and
# a CPU is enough, PIP_FLAGS='--extra-index-url https://download.pytorch.org/whl/cpu' makes the install much smaller.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_FLAGS ?=
DEMO_FLAGS ?=
TEST_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test test-all test-quick lint format bench constraints clean

help:
	@sed -n 's/^# \(make.*\)/\1/p' Makefile

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer not found; install it (apt-get install python3 python3-venv)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is too old; Python 3.11 or newer is needed: make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "make: this Python cannot make a virtual environment; apt-get install python3-venv" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	$(BIN)/shiftnas demo $(DEMO_FLAGS)

test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not thorough' $(TEST_FLAGS)

test-all: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal $(TEST_FLAGS)

test-quick: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow and not thorough' $(TEST_FLAGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/pyright

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	@set -e; for script in benchmarks/*.py; do test -e "$$script" || continue; echo "$(BIN)/python $$script"; $(BIN)/python "$$script"; done

# Versions of a working .venv, as the new constraints. torch stays without its local version (+cpu).
constraints: setup
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --all --exclude-editable | sed -e '/^pip==/d' -e '/^shiftnas/d' -e 's/^\(torch==[^+]*\)+.*/\1/'; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf build dist runs .pytest_cache .ruff_cache .hypothesis *.egg-info
