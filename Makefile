# make demo: environment, pinned packages, the main job on the embedded data set.
# make test: the same environment, and the default test suite.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where pip looks for torch, e.g. TORCH_PIP_ARGS="--index-url <an index with CPU or CUDA builds>".
TORCH_PIP_ARGS ?=
PYTEST_ARGS ?=
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-slow test-slurm nightly test-all lint format install clean

install: $(INSTALLED)

# torch first: a plain dependency on torch would fetch the newest build with all of CUDA.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Python 3.11 or newer is needed, %s is %d.%d. Set PYTHON=<a newer python>." % (sys.executable, v[0], v[1]))'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH_PIP_ARGS) --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/python -m tabgraphsyn.launch experiment=quickstart

test: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slow and not slurm" -n 2 $(PYTEST_ARGS)

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m "slow and not slurm" -n 2 --dist worksteal $(PYTEST_ARGS)

# On a throw-away Slurm of slurm/devcluster, with real jobs; the packages it needs are named there.
test-slurm: $(INSTALLED)
	$(BIN)/python -m pytest -m slurm -n 2 tests/slurm $(PYTEST_ARGS)

# A quarter of an hour: thirty disturbances of trivial stages and of the project's own, with another seed each night.
nightly: $(INSTALLED)
	$(BIN)/python scripts/chaos.py --kills 30 --seed $${SEED:-$$(date +%j)} --keep outputs/nightly/$$(date +%Y%m%d-%H%M%S)
	$(BIN)/python scripts/chaos.py --stages real --kills 30 --seconds 900 --seed $${SEED:-$$(date +%j)} --keep outputs/nightly/$$(date +%Y%m%d-%H%M%S)

test-all: lint test test-slow

lint: $(INSTALLED)
	$(BIN)/ruff check tabgraphsyn tests scripts
	$(BIN)/ruff format --check tabgraphsyn tests scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m bandit --quiet --recursive --configfile pyproject.toml tabgraphsyn scripts

format: $(INSTALLED)
	$(BIN)/ruff check --fix tabgraphsyn tests scripts
	$(BIN)/ruff format tabgraphsyn tests scripts

clean:
	rm -rf $(VENV) build dist *.egg-info
