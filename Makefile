# `make demo` and `make test` are all that a new user needs; both set up what is missing.
PYTHON ?= python3
DEMO ?= --parts 20
RUN = sh setup/run.sh

.PHONY: setup edge demo test test-core test-ros test-slow lint clean

setup:
	@$(PYTHON) setup/install.py

edge:
	@$(PYTHON) setup/install.py --edge

demo: setup
	@.venv/bin/inspection_cell demo $(DEMO)

test: test-core test-ros

test-core: setup
	$(RUN) pytest -n auto

test-ros: setup
	$(RUN) pytest -n 2 --dist worksteal test/ros

test-slow: setup
	$(RUN) pytest -n auto -m slow
	$(RUN) pytest -n 2 -m slow test/ros

lint: setup
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

clean:
	rm -rf .venv .venv-edge build install log .mypy_cache .pytest_cache .ruff_cache .hypothesis
