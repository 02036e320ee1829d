# The same short commands for people and for CI. `make help` lists them.
#
# Nothing needs to be set up before: each command makes .venv from constraints.txt when it is missing or stale.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
# pip is told not to compile (below), so Python must be free to keep what it compiles.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell for python in python3.11 python3 python3.13 python3.12; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && echo "$$python" && break; done)

VENV := .venv
TEST_VENV := .test-venv
# For the wheel alone: it needs no PyTorch, and is made in seconds.
BUILD_VENV := .build-venv
# An index of PyTorch's CPU builds, which pip then asks beside its own: `make TORCH_INDEX=URL`. Without one, and where pip's own
# configuration names none, PyTorch comes with CUDA.
TORCH_INDEX ?=
WITH_TORCH := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
# `make box-folder`: what a box without a network is installed from.
BOX_PYTHON ?= 3.11
BOX_MACHINE ?= $(shell uname -m)
BOX_FOLDER = dist/box-$(BOX_PYTHON)-$(BOX_MACHINE)
# `make test-torch`: the release that is tried.
TORCH ?= 2.14.1
INSTALLED := $(VENV)/.installed
GROUPS := --group examples --group networks --group test --group check --group package
# Each worker that builds a model holds a PyTorch of its own, some 1 GB: no more of them than four.
WORKERS := --numprocesses auto --maxprocesses 4 --dist worksteal
PYTEST = EDGEFN_TEST_WHEEL=1 PYTHONSAFEPATH=1 $(TEST_VENV)/bin/python -m pytest $(WORKERS)
PIP := $(VENV)/bin/python -m pip --quiet --quiet --disable-pip-version-check

.PHONY: help install demo check test test-clients test-long test-vm test-torch test-python313 bench zoo operators soak \
	build box-folder constraints lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## .venv with edgefn (editable) and everything that builds, checks and tests it

demo: $(INSTALLED) ## a box, a real ImageNet classifier, a photo, and where the time went
	@$(VENV)/bin/python demo/run.py

check: $(INSTALLED) ## ruff, mypy strict, import-linter, and that functions' docstrings begin with a verb
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python .ci/language

# The tests run against the built wheel, in a venv of its own that borrows all other packages from .venv.
# PYTHONSAFEPATH keeps the working tree off sys.path, here and in every process that a test starts.
test: check $(TEST_VENV)/.installed ## check, then all tests against the built wheel; `make test TESTS=tests/e2e`
	@.ci/debian-packages skopeo curl systemd faketime newuidmap=uidmap java=default-jdk-headless node=nodejs
	$(PYTEST) $(TESTS)

# Clients that are made elsewhere and are large: what npm installs lies in .clients.
test-clients: $(TEST_VENV)/.installed ## the tests with clients of npm, and with proxies before the box
	@.ci/debian-packages curl java=default-jdk-headless node=nodejs npm nginx=nginx-light haproxy
	@npm install --silent --no-fund --no-audit --no-package-lock --prefix .clients \
		$$(cat tests/clients/npm-packages)
	$(PYTEST) -m clients $(or $(TESTS),tests/clients)

test-long: $(TEST_VENV)/.installed ## the tests that build for minutes, which `make test` leaves out
	$(PYTEST) -m long $(TESTS)

# A Debian 12 of its own, by emulation: another kernel, control groups of version 2, and systemd that runs our unit.
test-vm: $(TEST_VENV)/.installed ## the box that systemd starts by our unit, in an emulated Debian 12 (as root on Debian)
	@.ci/debian-packages qemu-system-x86_64=qemu-system-x86 mmdebstrap swtpm mke2fs=e2fsprogs
	@.ci/vm-image .vm $(TEST_VENV)/wheel/*.whl $(VENV)/bin/python
	$(VENV)/bin/python tests/vm/run.py .vm

# One release of PyTorch at a time, beside all that constraints.txt pins: both ends of the extras' range, say.
test-torch: $(INSTALLED) ## builds and captures with another PyTorch: `make test-torch TORCH=2.14.1`
	@.ci/debian-packages gcc readelf=binutils
	@.ci/torch-venv .torch-venv $(VENV) $(TORCH) $(WITH_TORCH)
	.torch-venv/bin/python -m edgefn_cli build functions/read_digits functions/echo --target portable/fp32 --target x86-64-v3/int8
	.torch-venv/bin/python -m pytest $(WORKERS) $(or $(TESTS),tests/edgefn/compile/capture tests/edgefn/compile/translations)

# Debian 13 in a folder, on this machine's kernel: Python 3.13 and what Debian ships with it.
test-python313: $(INSTALLED) ## a box of Debian 13, installed with no network, runs functions that are built here (as root on Debian)
	@.ci/debian-packages mmdebstrap
	@$(MAKE) box-folder BOX_PYTHON=3.13
	@.ci/trixie-root .trixie dist/box-3.13-$(BOX_MACHINE)
	.ci/trixie-test .trixie $(VENV)/bin/python

bench: $(INSTALLED) ## the figures of the issue list, as a table and as JSON
	$(VENV)/bin/python -m benchmarks

zoo: $(INSTALLED) ## docs/networks.md, a table of 250 public networks; `make zoo ZOO="--only torchvision --resume"`
	$(VENV)/bin/python -m benchmarks.zoo $(ZOO)

operators: $(INSTALLED) ## docs/operators.md, every operator of PyTorch; `make operators OPERATORS="--only atan2"`
	$(VENV)/bin/python -W ignore -m benchmarks.operators $(OPERATORS)

soak: $(INSTALLED) ## a million requests with faults among them; `make soak SOAK="--minutes 5"`
	$(VENV)/bin/python -m benchmarks.soak $(SOAK)

build: $(BUILD_VENV)/.installed ## wheel and sdist into dist/, in seconds: without PyTorch and what else `make install` brings
	rm -rf dist
	$(BUILD_VENV)/bin/python -m build --no-isolation

box-folder: build ## all that a box is installed from without a network: `make box-folder BOX_PYTHON=3.13 BOX_MACHINE=aarch64`
	mkdir $(BOX_FOLDER) && cp dist/*.whl $(BOX_FOLDER)/
	@.ci/box-folder $(BUILD_VENV)/bin/python $(BOX_FOLDER) $(BOX_PYTHON) $(BOX_MACHINE)

constraints: ## pins anew everything that `make install` installs, into constraints.txt
	.ci/pin "$(PYTHON)" $(GROUPS)

lock: ## pins anew what a box needs, with hashes, into deploy/requirements.txt; after `make constraints`
	.ci/lock "$(PYTHON)"

clean: ## removes what the commands above made
	rm -rf $(VENV) $(TEST_VENV) $(BUILD_VENV) .torch-venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# pip first: the one of Debian 12 does not know dependency groups. hatchling next, so that building edgefn itself
# takes the pinned one and not whatever is newest that day. --no-compile: a minute less, of which the modules that are
# really imported cost a few seconds when they first are.
$(INSTALLED): pyproject.toml constraints.txt
	@.ci/make-venv "$(PYTHON)" $(VENV)
	@echo "installing what constraints.txt pins into $(VENV) (minutes the first time: PyTorch is large)"
	@$(PIP) install --constraint constraints.txt --upgrade pip
	@$(PIP) install --constraint constraints.txt hatchling editables
	@$(VENV)/bin/python .ci/torch-download $(WITH_TORCH)
	@PIP_CONSTRAINT=constraints.txt $(PIP) install $(WITH_TORCH) --no-compile --no-build-isolation --editable '.[runtime,cli,compile]' $(GROUPS)
	@.ci/debian-packages gcc
	@$(VENV)/bin/python .ci/torchvision-cpu
	@touch $@

$(BUILD_VENV)/.installed: constraints.txt
	@.ci/make-venv "$(PYTHON)" $(BUILD_VENV)
	@$(BUILD_VENV)/bin/python -m pip --quiet --quiet --disable-pip-version-check install --constraint constraints.txt build hatchling
	@touch $@

SOURCES := $(shell find edgefn runtime cli deploy -type f -not -path '*/__pycache__/*' 2> /dev/null)

$(TEST_VENV)/.installed: $(INSTALLED) $(SOURCES) README.md
	@rm -rf $(TEST_VENV)
	@$(VENV)/bin/python -m venv --without-pip $(TEST_VENV)
	@$(VENV)/bin/python -m build --wheel --no-isolation --outdir $(TEST_VENV)/wheel . > $(TEST_VENV)/build.log 2>&1 \
		|| { cat $(TEST_VENV)/build.log; exit 1; }
	@$(PIP) --python $(TEST_VENV)/bin/python install --no-deps --no-index $(TEST_VENV)/wheel/*.whl
	@$(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
		"$$($(TEST_VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/borrowed.pth"
	@touch $@
