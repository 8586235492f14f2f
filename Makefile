# Two commands do everything: `make train` and `make test`. Each builds its own .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Where this variable is set, Python would compile each imported module again in each of the hundred processes of the tests:
# three seconds of each for JAX alone.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: train test check lint types tests slow docs docs-serve tutorials clean

train: $(READY)  ## the main job: MNIST where it can be had, else the embedded digits
	$(BIN)/nograd train

test: check  ## what CI runs

check: lint  ## lint, types, tests; the last two side by side
	$(MAKE) --no-print-directory -j2 types tests

tests: $(READY)
	$(BIN)/pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

slow: $(READY)  ## all tests, the statistical and long ones too, with XLA as users have it, before a release
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[dev,slow]'
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 $(BIN)/pytest -m "slow or not slow"

docs: $(READY)  ## the site, in site/; a broken link or an unknown name ends it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: $(READY)  ## the site at http://127.0.0.1:8000, built again at each change
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000

tutorials: $(READY)  ## runs the tutorials, and writes their outputs and pictures again; needs MNIST or a connection
	$(BIN)/python docs/run_tutorials.py

# Python compiles a module when it is first imported, so that pip need not compile all of them: a minute less.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "nograd needs Python 3.11 or newer; name one with make PYTHON=python3.11"; exit 2; }
	@echo "installs nograd and its packages into $(VENV), once: about two minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) site .mypy_cache .pytest_cache .ruff_cache
