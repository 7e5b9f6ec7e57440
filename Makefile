PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test lint format notebooks benchmarks clean

demo: $(INSTALLED)  ## Train a DCGAN on handwritten digits and show where the pictures are
	$(BIN)/gan-lightning fit --config digits/dcgan

test: $(INSTALLED)  ## Run the whole suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q

lint: $(INSTALLED)  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p gan_lightning

format: $(INSTALLED)  ## Mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: $(INSTALLED)  ## Execute the notebooks in full and keep what they show (minutes)
	$(BIN)/python notebooks/execute.py

benchmarks: $(INSTALLED)  ## Measure again what the tables under benchmarks/results say
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/data_loading.py
	$(BIN)/python benchmarks/digits.py
	$(BIN)/python benchmarks/fgan.py
	$(BIN)/python benchmarks/mixtures.py --tune --seconds 30

# torch first and by its version alone: a looser request would fetch another build over one at hand.
# Everything else is pinned whole, so nothing is resolved.
$(INSTALLED): requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
