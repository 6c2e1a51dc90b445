# make demo: a scored land-cover map of a sample town. make test: the tests; make test-all: those
# that take long, too; make test-fast: those that need neither Keras nor other processes, a minute.
# All make .venv on first use.
.PHONY: demo test test-all test-fast release-check lint bench bench-peers clean

# the first Python of 3.11 or 3.12 that starts
PYTHON := $(shell for p in python3.11 python3.12 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done)

demo: .venv/.installed
	.venv/bin/segment-sample demo/new-town --size 2048 --overwrite
	.venv/bin/segment-predict demo/new-town/scene.tif --truth demo/new-town/truth.tif --output demo/map --augment --overwrite

test: .venv/.installed
	@.venv/bin/python -m pytest -q --numprocesses 2 --dist loadfile -m "not slow"

test-all: .venv/.installed
	@.venv/bin/python -m pytest -q --numprocesses 2 --dist loadfile

test-fast: .venv/.installed
	@.venv/bin/python -m pytest -q --numprocesses 2 --dist loadfile --fast

# the tutorial as it is written, half an hour
release-check: .venv/.installed
	@TUTORIAL_AS_WRITTEN=1 .venv/bin/python -m pytest -q -s tests/test_tutorial.py

lint: .venv/.installed
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

# figures of speed, memory and faithfulness, an hour or two
bench: .venv/.installed
	@.venv/bin/python -m tests.benchmarks

bench-peers: bench/peers/.installed
	@.venv/bin/python -m tests.benchmarks peers

bench/peers/.installed: .venv/.installed tests/benchmarks/peers.txt
	@echo "installing PyTorch into bench/peers (once, about 6 GB) ..."
	@$(PYTHON) -m venv bench/peers
	@bench/peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/benchmarks/peers.txt
	@touch $@

.venv/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed, none was found: install one and type make again." >&2; exit 2; }
	@echo "installing into .venv (once, about 1 GB) ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv demo bench
