# Everything runs in an environment of its own, .venv, made once from the pins in constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One thread a process: two processes with two threads each wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --quiet
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

INTEGRATIONS := .venv-integrations
TENSORFLOW := .venv-tensorflow
DOCS := .venv-docs
KATEX := docs/_static/vendor/katex

.DEFAULT_GOAL := help
.PHONY: help demo docs docs-check test test-all quick check architecture matrix mutants fuzz killed integrations \
        integrations-tensorflow bench calls controllers pruning choosing forgetting front superposed real \
        format clean lowest newest dist badges

help: ## Print this menu.
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## /{printf "  make %-24s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Try
demo: $(VENV)/recipes ## Train the sparse autoencoder on real data: a table, a picture, a report.
	$(BIN)/regularizers sparse-autoencoder

##@ Read
GALLERY ?= 1
docs: $(DOCS)/ready $(KATEX)/katex.min.js ## The site, into site/, every warning an error; GALLERY=0 runs no example.
	rm -rf site docs/api/generated
	GALLERY=$(GALLERY) $(DOCS)/bin/python -m sphinx --nitpicky --fail-on-warning --keep-going \
	  --doctree-dir build/doctrees docs site
	@echo "Open site/index.html."

docs-check: docs ## Links, names and every page of the site in a browser; writes build/docs-check.
	$(DOCS)/bin/python tests/pages/run.py site

##@ Test
quick: $(VENV)/dev ## A sample of the tests that touches every package, in under a minute.
	$(PYTEST) -m quick --ignore=src/regularizers/recipes

test: $(VENV)/dev ## All tests, and the examples in the docs.
	$(PYTEST) --dist worksteal

test-all: $(VENV)/dev ## The same, with every cell where `make test` has a sample.
	$(PYTEST) --dist worksteal --all-cells

check: $(VENV)/dev ## Everything a reviewer would run: format, lint, types, tests, examples.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) --dist worksteal

architecture: $(VENV)/dev ## Circles, private imports, rooms and floors; SRC=FOLDER for another state.
	$(BIN)/python tests/architecture/run.py $(SRC)

mutants: $(VENV)/dev ## Show that small wrong edits to the mechanism are caught by the tests.
	PYTHONPATH=tests $(BIN)/python tests/mutants/run.py

SEEDS ?= 10000
PROCESSES ?= 2
fuzz: $(VENV)/dev ## Random small programs against plain autograd: SEEDS=10000 PROCESSES=2.
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/run.py --seeds $(SEEDS) --processes $(PROCESSES)

MOMENTS ?= 30
killed: $(VENV)/dev ## Runs of the recipes, killed at random moments and resumed: MOMENTS=30.
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python tests/recipes/killed.py --moments $(MOMENTS)

integrations: $(INTEGRATIONS)/ready ## Every framework, optimizer and logger of docs/integrations/index.md.
	OMP_NUM_THREADS=1 $(INTEGRATIONS)/bin/python -m pytest --numprocesses 2 --quiet --all-cells \
	  --dist worksteal tests/integrations docs/integrations

integrations-tensorflow: $(TENSORFLOW)/ready ## Keras on TensorFlow, in an environment of its own.
	OMP_NUM_THREADS=1 KERAS_BACKEND=tensorflow $(TENSORFLOW)/bin/python -m pytest --quiet \
	  tests/integrations/test_keras_tensorflow.py
	OMP_NUM_THREADS=1 $(TENSORFLOW)/bin/python -m pytest --quiet tests/integrations/test_keras.py -k tensorflow

##@ Measure
matrix: $(VENV)/dev ## Every penalty in every way of training; writes docs/benchmarks/correctness.md and its tables.
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python tests/matrix/write_regimes.py

bench: $(VENV)/dev ## Penalties beside what a user would write; writes docs/benchmarks/cost*.md.
	$(BIN)/python -m benchmarks.speed

calls: $(VENV)/dev ## Calls inside the library for one warm site, and the rooms they pass.
	$(BIN)/python -m benchmarks.calls

controllers: $(VENV)/recipes ## Targets against constant strengths; needs MNIST=FILE; into docs/benchmarks/controllers-tables.md.
	$(BIN)/python -m benchmarks.controllers $(MNIST)

superposed: $(VENV)/recipes ## Sparse codes against the truth; SAELENS=INTERPRETER, which has sae-lens and this.
	$(or $(SAELENS),$(BIN)/python) -m regularizers sparse-autoencoder superposition \
	  $(if $(SAELENS),--against saelens)

real: $(VENV)/dev ## Sparse codes of real activations; needs TEXT=FILE; SAELENS=INTERPRETER beside.
	$(BIN)/python -m benchmarks.sae.real --text $(TEXT) $(if $(SAELENS),--saelens $(SAELENS))

pruning: $(VENV)/recipes ## Classifiers trained to zeros and compacted; into docs/benchmarks/pruning.md.
	$(BIN)/python -m benchmarks.pruning

choosing: $(VENV)/recipes ## Penalties over strengths; needs MNIST=FILE; into docs/benchmarks/choosing-tables.md.
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.choosing $(MNIST)

front: $(VENV)/recipes ## An autoencoder with and without one penalty; needs MNIST=FILE; the README's picture.
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.front $(MNIST)

forgetting: $(VENV)/recipes ## Two tasks in sequence: L2-SP and EWC against nothing; into docs/benchmarks/forgetting.md.
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.forgetting

##@ Mend
format: $(VENV)/dev ## Format the code and mend what lint can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the environment and what the tools leave behind.
	rm -rf $(VENV) $(INTEGRATIONS) $(TENSORFLOW) $(DOCS) build site $(KATEX) docs/api/generated \
	  docs/api/backreferences docs/examples docs/tutorials .pytest_cache .ruff_cache .mypy_cache .hypothesis
	rm -rf $(LOWEST) $(NEWEST) $(PACKING) dist

##@ Release
# What pip takes for PyTorch by `newest` and `dist`; some platforms' newest is a build of gigabytes.
TORCH ?= torch
LOWEST := .venv-lowest
NEWEST := .venv-newest
PACKING := .venv-packing
EXTRAS := .[recipes,search,sae,dev]

# What the quick tests leave out, as it imports much or takes long: arrays of other libraries, and
# whole trainings by each framework.
ENTERED := README.md tests/penalties/test_values.py tests/sae/test_train.py \
  tests/recipes/test_sparse_autoencoder.py \
  $(addprefix tests/integrations/test_,$(addsuffix .py,accelerate flax keras lightning optax transformers))

define entered
$(subst $(BIN),$(1)/bin,$(PYTEST)) -m quick --ignore=src/regularizers/recipes
$(subst $(BIN),$(1)/bin,$(PYTEST)) --dist worksteal $(ENTERED)
endef

lowest: $(LOWEST)/ready ## Tests that enter every package, with the lowest versions that are allowed.
	$(call entered,$(LOWEST))

newest: ## The same with the newest of today: TORCH=torch==2.13.0 PYTHON=python3.13.
	$(PYTHON) -m venv --clear $(NEWEST)
	$(NEWEST)/bin/python -m pip install --quiet '$(TORCH)'
	$(NEWEST)/bin/python -m pip install --quiet --upgrade '$(TORCH)' --editable '$(EXTRAS)'
	$(call entered,$(NEWEST))

dist: $(PACKING)/ready ## Build the sdist and the wheel, and try them without NumPy: TORCH=torch==2.13.0.
	$(PACKING)/bin/python tools/check_dist.py --torch '$(TORCH)'

badges: ## Draw the README's badges again, from pyproject.toml and constraints.txt.
	$(PYTHON) tools/badges.py

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

$(INTEGRATIONS)/ready: pyproject.toml constraints.txt tests/integrations/requirements.txt \
    tests/integrations/without-dependencies.txt
	@echo "Building the environment in $(INTEGRATIONS): some minutes."
	$(PYTHON) -m venv $(INTEGRATIONS)
	$(subst $(BIN),$(INTEGRATIONS)/bin,$(PIP)) --editable '.[recipes,dev]' \
	  --requirement tests/integrations/requirements.txt
	$(subst $(BIN),$(INTEGRATIONS)/bin,$(PIP)) --no-deps \
	  --requirement tests/integrations/without-dependencies.txt
	@touch $@

# TensorFlow asks for an older h5py than constraints.txt has.
$(TENSORFLOW)/ready: pyproject.toml constraints.txt tests/integrations/requirements-tensorflow.txt
	@echo "Building the environment in $(TENSORFLOW): a minute or two."
	$(PYTHON) -m venv $(TENSORFLOW)
	grep -v ^h5py constraints.txt > $(TENSORFLOW)/constraints.txt
	$(TENSORFLOW)/bin/python -m pip install --quiet --constraint $(TENSORFLOW)/constraints.txt \
	  --editable . --requirement tests/integrations/requirements-tensorflow.txt
	@touch $@

$(DOCS)/ready: pyproject.toml constraints.txt
	@echo "Building the environment in $(DOCS): some minutes."
	$(PYTHON) -m venv $(DOCS)
	$(subst $(BIN),$(DOCS)/bin,$(PIP)) --editable '.[recipes,integrations,sae,docs]'
	@touch $@

# KaTeX draws the formulas from beside the pages. The sum is that of the archive of this version.
$(KATEX)/katex.min.js:
	@command -v npm > /dev/null || { echo "On Debian: apt install npm"; exit 1; }
	mkdir -p build $(KATEX)/fonts
	cd build && npm pack --silent katex@0.19.1
	echo "8c6f2e2a7b63484726d84a503a1d17b6eae93eeb82f6bdd2ab91cb1ddb05756653dbb13aef6485d7d4048bea1fd3f61e3b2d7994381184abebe7ad78b91ac47c  build/katex-0.19.1.tgz" | sha512sum --check --quiet
	tar xzf build/katex-0.19.1.tgz -C build
	cp build/package/dist/fonts/*.woff2 $(KATEX)/fonts
	cp build/package/dist/katex.min.css build/package/dist/katex.min.js $(KATEX)

$(LOWEST)/ready: pyproject.toml
	@echo "Building the environment in $(LOWEST): some minutes."
	$(PYTHON) -m venv --clear $(LOWEST)
	$(PYTHON) tools/lowest.py > $(LOWEST)/lowest.txt
	$(subst $(BIN),$(LOWEST)/bin,$(PIP:constraints.txt=$(LOWEST)/lowest.txt)) --editable '$(EXTRAS)'
	@touch $@

$(PACKING)/ready: constraints.txt
	$(PYTHON) -m venv --clear $(PACKING)
	$(subst $(BIN),$(PACKING)/bin,$(PIP)) build twine
	@touch $@
