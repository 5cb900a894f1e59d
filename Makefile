# Each target makes .venv first if it is missing or older than the files that describe it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: quickstart demo comparisons smoke test test-other test-browser bench lab notebooks clean

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, e.g. make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

quickstart: $(INSTALLED)  ## 150 stations to fields, analyses and a forecast, with the model that comes with the package
	cd notebooks && ../$(BIN)/python run.py --only 00_quickstart --show

demo: $(INSTALLED)  ## the notebooks on the bundled climate, figures/, and the table of scores; 09, 10, 12 and 15 apart
	cd notebooks && ../$(BIN)/python run.py --preset demo --figures ../figures

comparisons: $(INSTALLED)  ## notebooks 09, 10, 12 and 15 on the bundled climate: many models, several seeds
	cd notebooks && ../$(BIN)/python run.py --preset demo --only 09_ablation 10_fusion 12_beyond_the_paper 15_objectives --figures ../figures

smoke: $(INSTALLED)  ## the same in seconds, to see that everything works
	cd notebooks && ../$(BIN)/python run.py --preset smoke

notebooks: $(INSTALLED)  ## run them all and keep their outputs in notebooks/
	cd notebooks && ../$(BIN)/python run.py --preset demo --all --figures ../figures --keep

test: $(INSTALLED)  ## style, types, and all tests, as many at once as there are cores, four at most
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

test-other: $(INSTALLED)  ## training alone, in the precision and on the instructions that this CPU does not choose
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.other_hardware -n auto --maxprocesses 4 --dist worksteal

test-browser: $(INSTALLED)  ## the explorer in JupyterLab, in Chromium, which must be installed
	$(BIN)/python -m pytest -m browser tests/browser

bench: $(INSTALLED)  ## timings against the per-sample pipeline: benchmarks/RESULTS.md; 7 min on two cores
	$(BIN)/python -m benchmarks

lab: $(INSTALLED)  ## JupyterLab on notebooks/, for this machine alone and with a token
	$(BIN)/jupyter lab --ip=127.0.0.1 --notebook-dir=notebooks

clean:  ## remove the environment; runs/ stays
	rm -rf $(VENV)
