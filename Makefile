# Two commands do all the set-up on a machine with Python 3.11 or newer:
#
#   make demo    a trained GAN forgets a class, then 64 images, and a report shows it
#   make test    lint, formatting, types, tests
#
# Both build .venv first. `make PYTHON=python3.12 demo` names another Python.

VENV    := .venv
BIN     := $(VENV)/bin
PYTHON  ?= python3
WORKERS ?= 2

# One torch thread for each test worker: two threads in each of two workers would fight for the same two cores.
SINGLE  := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

# Without an NVIDIA card, PyTorch's own index of CPU builds spares 3 GB: make TORCH_INDEX=ADDRESS install
TORCH_INDEX ?=
PIP     := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format clean
.SUFFIXES:

help:
	@sed -n 's/^#   //p' Makefile

install: $(VENV)/.installed

demo: install
	$(BIN)/ganforget demo

test: lint
	$(SINGLE) $(BIN)/python -m pytest -n $(WORKERS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV)

# ----------------------------------------------------------------------------
# The environment. Each stamp is written last, so that an interrupted step is taken again.

# Debian splits ensurepip from Python; a pip that is there already can take its place.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ganforget needs Python 3.11 or newer, and '$(PYTHON)' is not; name one: make PYTHON=python3.11" >&2; exit 1; }
	@if $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
	  $(PYTHON) -m venv $(VENV); \
	elif $(PYTHON) -c 'import venv, pip' 2>/dev/null; then \
	  $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install pip; \
	else \
	  echo "$(PYTHON) cannot make a virtual environment; run 'apt install python3-venv' (as root) and try again." >&2; exit 1; \
	fi
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	@touch $@
