# Two commands set everything up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
DEMO ?= .venv-demo

.PHONY: demo setup test mutants format clean

demo: $(DEMO)/ready
	$(DEMO)/bin/acclimate demo --out runs/demo

$(DEMO)/ready: pyproject.toml
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[demo]"
	touch $@

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

test: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/pytest -n 2 --dist loadfile

# Break each method's formula on purpose; fails where no test notices.
mutants: setup
	$(VENV)/bin/python -m tests.mutants

format: setup
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf $(VENV) $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache
