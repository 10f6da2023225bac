# Two commands, each complete on a bare machine: make demo, make test.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: help bootstrap demo test lint screenshots clean

help:
	@echo "make demo         see cells segmented in a napari window (or demo.png without a display)"
	@echo "make test         ruff, mypy and the whole test suite"
	@echo "make screenshots  make the pictures of docs/images again"
	@echo "make clean        remove .venv and build products"

bootstrap:
	@$(PYTHON) scripts/bootstrap.py

demo: bootstrap
	@$(BIN)/python scripts/demo.py

lint: bootstrap
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest

screenshots: bootstrap
	$(BIN)/python scripts/screenshots.py

clean:
	rm -rf .venv dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis demo.png
