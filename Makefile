# make demo: a scored land-cover map of a sample town. make test: the tests; make test-all: those
# that take long, too; make test-fast: those that need neither Keras nor other processes, two minutes.
# All make .venv on first use.
.PHONY: demo test test-all test-fast lint docs qgis release-check bench bench-peers bench-train clean

# the first Python of 3.11 to 3.13 that starts; another one: make PYTHON=python3.13 demo
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)

demo: .venv/.installed
	.venv/bin/segment-sample demo/new-town --size 2048 --overwrite
	.venv/bin/segment-predict demo/new-town/scene.tif --truth demo/new-town/truth.tif --output demo/map --augment --overwrite

test: .venv/.installed
	@.venv/bin/python -m pytest -q --numprocesses 2 --dist loadfile -m "not slow"

test-all: .venv/.installed
	@.venv/bin/python -m pytest -q --numprocesses 2 --dist loadfile

test-fast: .venv/.installed
	@.venv/bin/python -m pytest -q --numprocesses 2 --dist loadfile --fast

lint: .venv/.installed
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

# the plug-in for QGIS, to be installed from its zip
qgis:
	@rm -rf dist/qgis dist/aerial_segment_qgis.zip && mkdir -p dist && cp -r qgis dist/qgis
	@rm -rf dist/qgis/aerial_segment/__pycache__ && cp LICENSE dist/qgis/aerial_segment
	@cd dist/qgis && python3 -m zipfile -c ../aerial_segment_qgis.zip aerial_segment
	@rm -rf dist/qgis

# the documentation as a site, in site/
docs: .venv/.installed
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict --site-dir site

# what must pass before a release, an hour and a half: all tests, lint, the site, the demo, and
# tutorial and notebooks with their full trainings
release-check: test-all lint docs demo
	@TUTORIAL_AS_WRITTEN=1 .venv/bin/python -m pytest -q -s tests/test_tutorial.py tests/test_notebooks.py

# figures of speed, memory and faithfulness, an hour or two
bench: .venv/.installed
	@.venv/bin/python -m tests.benchmarks

bench-peers: bench/peers/.installed
	@.venv/bin/python -m tests.benchmarks peers

# a training step against the same network in PyTorch, half an hour
bench-train: bench/peers/.installed
	@.venv/bin/python -m tests.benchmarks train_step

bench/peers/.installed: .venv/.installed tests/benchmarks/peers.txt
	@echo "installing PyTorch into bench/peers (once, about 6 GB) ..."
	@.venv/bin/python -m venv bench/peers
	@bench/peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/benchmarks/peers.txt
	@touch $@

.venv/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || command -v uv >/dev/null || \
		{ echo "No Python of 3.11 to 3.13 was found, and no uv to get one. Install one of them and type make again." >&2; exit 2; }
	@echo "installing into .venv (once, about 1 GB) ..."
	@if [ -n "$(PYTHON)" ]; then $(PYTHON) -m venv .venv; else uv venv --quiet --seed --python 3.12 .venv; fi
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv demo bench site
