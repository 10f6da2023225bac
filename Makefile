# Two commands, each complete on a bare machine: make demo, make test.
PYTHON ?= python3
BIN = .venv/bin
PARALLEL = -n 2 --dist loadfile

.PHONY: help bootstrap demo test test-lowest lint kernels screenshots dock-sheets recording docs package clean

help:
	@echo "make demo         see cells segmented in a napari window (or demo.png without a display)"
	@echo "make test         ruff, mypy and the whole test suite"
	@echo "make test-lowest  the test suite with the lowest versions that pyproject.toml declares"
	@echo "make screenshots  make the pictures of docs/images again"
	@echo "make dock-sheets  every dock at two sizes, dark and light, in build/dock-sheets: to be looked at"
	@echo "make recording    the film of the first two minutes in docs/images again"
	@echo "make docs         the documentation site in build/documentation/site, links checked"
	@echo "make package      sdist and wheel in dist, tried in a bare environment"
	@echo "make clean        remove .venv and build products"

bootstrap:
	@$(PYTHON) scripts/bootstrap.py

demo: bootstrap
	@$(BIN)/python scripts/demo.py

lint: bootstrap
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Compiled beside mypy, so that the two processes of the suite do not each compile them.
kernels: bootstrap
	$(BIN)/python -c "from napari_ssp.service.segmentation import kernels; [*kernels.compile_kernels()]"

test: bootstrap
	@$(MAKE) --no-print-directory -j 2 lint kernels
	$(BIN)/python -m pytest $(PARALLEL)

test-lowest: bootstrap
	$(BIN)/python -m uv venv -q --allow-existing .venv-lowest
	$(BIN)/python -m uv pip install -q --python .venv-lowest --resolution lowest-direct -e ".[dev]"
	.venv-lowest/bin/python -m pytest $(PARALLEL)

screenshots: bootstrap
	$(BIN)/python scripts/screenshots.py

dock-sheets: bootstrap
	$(BIN)/python scripts/dock_sheets.py build/dock-sheets

recording: bootstrap
	$(BIN)/python scripts/recording.py

docs: bootstrap
	$(BIN)/python -m uv pip install -q --python $(BIN)/python -c constraints.txt -e ".[docs]"
	$(BIN)/python scripts/documentation.py

package:
	$(PYTHON) scripts/package.py

clean:
	rm -rf .venv .venv-lowest dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis demo.png
