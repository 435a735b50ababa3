# make demo needs nothing but Python 3.10 to 3.13 and a package index.

PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo

.PHONY: setup demo test test-slow bench lint clean

setup: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install -qq --editable '.[dev,serve]'
	touch $@

# Every command a user would type, on drawings of our own.
demo: setup
	rm -rf $(DEMO)
	$(BIN)/python -m tfcap.datasets.synthetic $(DEMO)/photos --train 1000 --dev 100 --test 200
	$(BIN)/python -m beam_jobs.build_records --config configs/demo.yaml \
	    --photos $(DEMO)/photos/images \
	    --captions $(DEMO)/photos/text/Flickr8k.token.txt \
	    --splits $(DEMO)/photos/text --output $(DEMO)/records
	$(BIN)/python -m records inspect $(DEMO)/records --limit 1
	$(BIN)/python -m records verify $(DEMO)/records
	$(BIN)/tfcap train --config configs/demo.yaml --records $(DEMO)/records \
	    --workdir $(DEMO)/run
	$(BIN)/tfcap evaluate --workdir $(DEMO)/run --records $(DEMO)/records \
	    --split test --gallery $(DEMO)/gallery
	$(BIN)/tfcap export --workdir $(DEMO)/run --output $(DEMO)/export
	head -n 5 $(DEMO)/photos/text/Flickr_8k.testImages.txt \
	    | sed 's|^|$(DEMO)/photos/images/|' \
	    | xargs $(BIN)/tfcap caption --model $(DEMO)/export
	@echo
	@echo "gallery:  $(CURDIR)/$(DEMO)/gallery/index.html"
	@echo "model:    $(CURDIR)/$(DEMO)/export"
	@echo "records:  $(CURDIR)/$(DEMO)/records"
	@echo "a page to drop photos on: $(BIN)/tfcap serve --model $(DEMO)/export"

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not real_data"

# Real processes, and real photos and weights where TFCAP_DATA has them.
test-slow: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or real_data" -rs

bench: setup
	$(BIN)/python -m tests.benchmarks.run --output build/bench.json

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

clean:
	rm -rf build .venv *.egg-info
