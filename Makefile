# Syncline: the commands a person needs. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Syncline needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

install: $(STAMP) ## make .venv with everything pinned

demo: $(STAMP) ## a hub and three agencies exchange real data (KEEP=1 leaves them running)
	@$(BIN)/python -m deploy.demo $(if $(KEEP),--keep)

test: $(STAMP) ## every test but the soak sizes
	$(BIN)/python -m pytest -n auto

soak: $(STAMP) ## the full sizes; hours, not minutes
	$(BIN)/python -m pytest -n auto -m soak --timeout 3600
	$(BIN)/python -m pytest -n auto --hypothesis-profile=soak --timeout 3600 tests/property

check: $(STAMP) ## format, lint, types, import contracts, proto lint and drift
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/python protos/generate.py --check

protos: $(STAMP) ## regenerate protos/gen from protos/
	$(BIN)/python protos/generate.py

catalogue: $(STAMP) ## add or update a language of the pages (LANG=lo); without LANG, update all
	$(BIN)/python -m hub.web.catalogue $(if $(findstring command,$(origin LANG)),$(LANG))

bench: $(STAMP) ## Syncline and rsync over ssh on the same data (ARGS="--scale 0.05" for a taste)
	$(BIN)/python -m benchmarks $(ARGS)

bench-evidence: $(STAMP) ## what checkpoints, proofs, witnesses and the auditor cost (ARGS="--only log --leaves 10000000")
	$(BIN)/python -m benchmarks.evidence $(ARGS)

bench-pages: $(STAMP) ## the pages of a hub with a thousand nodes that report (ARGS="--nodes 50 --datasets 500" for a taste)
	$(BIN)/python -m benchmarks.pages $(ARGS)

pictures: $(STAMP) ## the screenshots of the documents, with the machine's own chromium
	$(BIN)/python -m deploy.pictures

lock: $(STAMP) ## bring requirements.lock in line with pyproject.toml (ARGS=--upgrade for newer versions)
	$(BIN)/uv pip compile $(ARGS) --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-header --all-extras --output-file requirements.lock pyproject.toml

clean: ## remove what the commands above made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis .demo .data

.PHONY: help install demo test soak check protos catalogue bench bench-evidence bench-pages pictures lock clean
