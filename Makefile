# The two commands of the README are `make demo` and `make test`; the others are their parts.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := demo

.PHONY: help demo test lint types contract tests docs bench clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,deep]'
	touch $@

demo: $(STAMP) ## simulate a small study, run everything on it, write demo/report.html
	$(BIN)/mmme demo $(DEMO) --jobs 2

test: $(STAMP) lint types contract tests ## linters, types, import contract and all tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contract: $(STAMP)
	$(BIN)/lint-imports

tests: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2 --cov --cov-report=
	$(BIN)/coverage report --include='src/mmme/metrics/*,src/mmme/align/*,src/mmme/evaluate/*' --fail-under=95

docs: $(STAMP) ## write the generated pages of docs/ anew
	$(BIN)/python -m mmme.cli.reference > docs/cli.md

bench: $(STAMP) ## run the benchmarks, as ratios; each fails when its bound is missed
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean: ## remove the environment and the demo
	rm -rf $(VENV) $(DEMO)
