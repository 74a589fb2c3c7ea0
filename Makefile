# Each target works on a fresh machine that has only python3: the first one installs into .venv.
# The same as plain pip lines stands in the README.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test faults pages slurm lint messages docs pictures wheel bases login bench gpu clean

demo: $(INSTALLED)
	$(BIN)/workbench demo

# Four processes, on two cores too: tests of screens and of real workers wait most of the time. A file
# with a group stays in one process, which computes what its tests share. No test is decided by seconds.
test: $(INSTALLED)
	$(BIN)/python -m pytest -n 4 --dist loadgroup

# Every fault at every moment, each with real workers, and a tiny run on every base: an hour on two
# cores. `tests/everything.py` says what `make test` leaves out.
faults: $(INSTALLED)
	FAULTS=all $(BIN)/python -m pytest tests/faults tests/bases tests/training tests/evaluation \
	  tests/runs/test_queue_kills.py -n 2

# Every command of every page of the documentation, with real trainings: half an hour on two cores.
pages: $(INSTALLED)
	PAGES=all $(BIN)/python -m pytest tests/docs

# Jobs of a real SLURM on this machine, three minutes: apt install slurm-wlm munge
slurm: $(INSTALLED)
	SLURM=all $(BIN)/python -m pytest tests/slurm

# After a dependency in pyproject.toml: what a login node of a cluster installs, without a framework.
login: $(INSTALLED)
	$(BIN)/python tools/login_requirements.py

lint: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

# After a sentence in the code or a translation in a .po file: docs/how-to/language.md.
messages: $(INSTALLED)
	$(BIN)/python tools/messages.py

# The documentation, into build/docs; a warning is an error. Its tutorial is run: a minute. With
# DOCS_REUSE=1 what the last build printed is shown again.
docs: $(INSTALLED)
	$(BIN)/sphinx-build -W --keep-going -q -b html -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

pictures: $(INSTALLED)
	$(BIN)/python docs/draw_screens.py

# A release: the version in workbench/__init__.py, its date in CHANGELOG.md, then this, into dist/.
wheel: $(INSTALLED)
	rm -rf build/lib build/bdist.* *.egg-info  # of files that are gone
	$(BIN)/python -m pip wheel --no-deps -w dist .

# After a line in workbench/bases/bases.toml, or a new Keras: the tables of the pretrained networks.
bases: $(INSTALLED)
	$(BIN)/python tools/base_tables.py

# A quarter of an hour on two cores; nothing else should run meanwhile.
bench: $(INSTALLED)
	$(BIN)/python benchmarks/all.py

# Six minutes on a machine with a GPU. JAX=1 measures JAX.
gpu: $(INSTALLED)
	$(BIN)/python benchmarks/gpu.py --backend $(if $(JAX),jax,tensorflow)

# uv needs a third of pip's minute; pip is there for a mirror of the index that only pip is told of.
$(INSTALLED): pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "$(PYTHON) was not found. Install Python 3.11 or newer, or say where it is:" >&2; \
	  echo "  make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." >&2; \
	  echo "Where a newer one is installed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module. On Debian and Ubuntu: sudo apt install python3-venv" >&2; \
	  exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip uninstall -y -qqq workbench  # its name for pip until it was renamed
	$(BIN)/python -m pip install -q uv && \
	  $(BIN)/uv pip install --python $(BIN)/python --compile-bytecode -e '.[dev]' || \
	  $(BIN)/python -m pip install -e '.[dev]'
	@touch $@

# Takes away what make built; data/ and saved_models/ are yours.
clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	  .import_linter_cache
