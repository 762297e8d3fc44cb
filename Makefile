# Everything runs in an environment of its own, .venv, made once from the pins in constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check matrix controllers bench mutants fuzz format clean

help: ## Say what can be made.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/recipes ## Train the sparse autoencoder on real data: a table, a picture, a report.
	$(BIN)/regularizers sparse-autoencoder

test: $(VENV)/dev ## Run the tests and the examples in the docs.
	$(BIN)/python -m pytest --numprocesses 2 --quiet

check: $(VENV)/dev ## Everything a reviewer would run: format, lint, types, tests, examples.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2 --quiet

matrix: $(VENV)/dev ## Measure every penalty in every way of training; writes docs/regimes.md.
	PYTHONPATH=tests $(BIN)/python tests/matrix/write_regimes.py

controllers: $(VENV)/recipes ## Stated targets against constant strengths; needs MNIST=FILE; into docs/controllers.md.
	$(BIN)/python -m benchmarks.controllers $(MNIST)

bench: $(VENV)/dev ## Time penalties beside what a user would write; writes docs/performance.md.
	$(BIN)/python -m benchmarks.speed

mutants: $(VENV)/dev ## Show that small wrong edits to the mechanism are caught by the tests.
	PYTHONPATH=tests $(BIN)/python tests/mutants/run.py

SEEDS ?= 10000
PROCESSES ?= 2
fuzz: $(VENV)/dev ## Random small programs against plain autograd: SEEDS=10000 PROCESSES=2.
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/run.py --seeds $(SEEDS) --processes $(PROCESSES)

format: $(VENV)/dev ## Format the code and mend what lint can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the environment and what the tools leave behind.
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt install python3-venv"; exit 1; }

# The marker files say which extras are in the environment; dev contains recipes.
$(VENV)/recipes: $(BIN)/python pyproject.toml constraints.txt
	@echo "Building the environment in $(VENV): a minute or two."
	$(PIP) --editable '.[recipes]'
	@touch $@

$(VENV)/dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "Building the environment in $(VENV): a minute or two."
	$(PIP) --editable '.[recipes,dev]'
	@touch $(VENV)/recipes $@
