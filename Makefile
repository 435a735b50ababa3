# make demo needs nothing but Python 3.10 to 3.13 and a package index.

PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo

.PHONY: setup demo test test-slow test-oldest test-newest bench docs lint clean

setup: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install -qq --editable '.[dev]'
	touch $@

# Every command that a user would type, on generated drawings.
demo: setup
	rm -rf $(DEMO)
	$(BIN)/tfcap demo --output $(DEMO)

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not real_data"

# Real processes, and real photos and weights where TFCAP_DATA has them.
test-slow: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or real_data" -rs

# Every stage once, with the oldest or newest libraries of .ci/*.txt.
test-oldest test-newest: test-%:
	$(PYTHON) -m venv build/$*
	build/$*/bin/python -m pip install -qq -c .ci/$*.txt --editable '.[all]' pytest
	build/$*/bin/python -m pytest tests/test_whole_path.py

# make bench AGAINST=old.json shows what is slower than in an earlier build/bench.json.
bench: setup
	$(BIN)/python -m tests.benchmarks.run --output build/bench.json $(AGAINST:%=--against %)

docs: setup
	$(BIN)/sphinx-build -W --keep-going -q docs build/docs
	@echo "documentation: $(CURDIR)/build/docs/index.html"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

clean:
	rm -rf build .venv *.egg-info
