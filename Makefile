# make demo: environment, pinned packages, the main job on the embedded data set.
# make test: the same environment, and the default test suite.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where pip looks for torch, e.g. TORCH_PIP_ARGS="--index-url <an index with CPU or CUDA builds>".
TORCH_PIP_ARGS ?=
PYTEST_ARGS ?=
INSTALLED := $(VENV)/.installed
# Tools whose own dependencies must not meet the project's: each in an environment beside it.
TOOLS := .venv-tools

.PHONY: demo docs test test-slow test-slurm nightly nightly-export test-all lint audit requirements format install clean

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

# Into site/; any warning (a dead link, a page that nobody reaches) ends it.
docs: $(VENV)/.installed-docs
	$(BIN)/python -m mkdocs build --strict

$(VENV)/.installed-docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

test: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slow and not slurm" -n 2 --dist loadfile $(PYTEST_ARGS)

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m "slow and not slurm" -n 2 --dist loadfile $(PYTEST_ARGS)

# On a throw-away Slurm of slurm/devcluster, with real jobs; the packages it needs are named there.
test-slurm: $(INSTALLED)
	$(BIN)/python -m pytest -m slurm -n 2 tests/slurm $(PYTEST_ARGS)

# A quarter of an hour: thirty disturbances of trivial stages and of the project's own, with another seed each night.
nightly: $(INSTALLED)
	$(BIN)/python scripts/chaos.py --kills 30 --seed $${SEED:-$$(date +%j)} --keep outputs/nightly/$$(date +%Y%m%d-%H%M%S)
	$(BIN)/python scripts/chaos.py --stages real --kills 30 --seconds 900 --seed $${SEED:-$$(date +%j)} --keep outputs/nightly/$$(date +%Y%m%d-%H%M%S)

# The readers of RO-Crate and Croissant look at the export of a quick run. Their packages conflict with ours.
READERS := .venv-readers
nightly-export: $(INSTALLED) $(READERS)/.installed
	rm -rf outputs/nightly/export && mkdir -p outputs/nightly
	$(BIN)/python -m tabgraphsyn.launch experiment=quickstart campaign=nightly-export
	$(BIN)/python -m tabgraphsyn export nightly-export --out outputs/nightly/export
	$(BIN)/python -m tabgraphsyn verify outputs/nightly/export
	$(READERS)/bin/python scripts/check_export.py outputs/nightly/export

$(READERS)/.installed:
	$(PYTHON) -m venv $(READERS)
	$(READERS)/bin/python -m pip install --quiet --disable-pip-version-check roc-validator==0.13.0 mlcroissant==1.1.1 rocrate==0.16.0
	@touch $@

test-all: lint test test-slow

lint: $(INSTALLED)
	$(BIN)/ruff check tabgraphsyn tests scripts
	$(BIN)/ruff format --check tabgraphsyn tests scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m bandit --quiet --recursive --configfile pyproject.toml tabgraphsyn scripts

# Known vulnerabilities of the pinned packages; where no database of them can be reached it says so and passes.
audit: $(TOOLS)/.installed
	$(TOOLS)/bin/python scripts/audit_dependencies.py --pip-audit $(TOOLS)/bin/pip-audit

# Every package with the hashes of all its files, for `pip install --require-hashes -r requirements-hashed.txt`.
# torch from an index of its own (TORCH_PIP_ARGS) has other files: TORCH_UV_ARGS="--index <that index>" names it here.
requirements: $(TOOLS)/.installed
	$(TOOLS)/bin/uv pip compile pyproject.toml --constraint constraints.txt --generate-hashes --no-emit-index-url \
	    --no-header --quiet $(TORCH_UV_ARGS) --output-file requirements-hashed.txt

$(TOOLS)/.installed:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 pip-audit==2.10.1
	@touch $@

format: $(INSTALLED)
	$(BIN)/ruff check --fix tabgraphsyn tests scripts
	$(BIN)/ruff format tabgraphsyn tests scripts

clean:
	rm -rf $(VENV) $(TOOLS) $(READERS) site build dist *.egg-info
