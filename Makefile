# Each target sets up what it needs: a fresh clone, `make demo` or `make test`, and nothing else.

BIN := .venv/bin
# One thread each: the test processes already fill the cores.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: demo test lint format bench docs clean help

help:
	@echo "make demo   compile, print and train a classifier of handwritten digits"
	@echo "make test   run the tests"
	@echo "make lint   check style and types"
	@echo "make format format the code"
	@echo "make bench  time emitted code against NumPy by hand and four frameworks, and the compiler"
	@echo "make docs   draw the pictures and write the tables of docs/ again"
	@echo "make clean  remove everything that was built"

demo: .venv/.with-examples
	@$(BIN)/python examples/digits.py

test: .venv/.with-dev
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2

lint: .venv/.with-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/.with-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/.with-bench
	$(BIN)/python tests/benchmarks/compare.py
	$(BIN)/python tests/benchmarks/compile_time.py

docs: .venv/.with-dev
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/gallery.py
	$(BIN)/python docs/notebook.py

# A stamp per set of extras: the second run finds it and is quick.
.venv/.with-%: pyproject.toml .ci/setup
	@.ci/setup $*
	@touch $@

clean:
	rm -rf .venv build .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
