# `make demo` shows the whole course at work; `make test` runs the tests. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SET_UP := $(VENV)/.set-up

.PHONY: demo test lint fuzz lock clean

demo: $(SET_UP)
	$(BIN)/fairmark demo

# So often is what fails tried again, and named: a machine that others use may stop any process for seconds.
RERUNS ?= 0
test: $(SET_UP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --reruns $(RERUNS) -raR

lint: $(SET_UP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What is found lies in fuzz/; `make fuzz FUZZ_SECONDS=3600` looks longer.
FUZZ_SECONDS ?= 600
fuzz: $(SET_UP)
	for target in wire answer author notebook; do \
	  $(BIN)/python -m tests.fuzz $$target -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

# All versions and hashes stand in constraints.txt; pip compiles byte code, so that rooms open quickly.
$(SET_UP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

lock:
	$(BIN)/uv pip compile pyproject.toml --all-extras --group build --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o constraints.txt

clean:
	rm -rf $(VENV) demo
