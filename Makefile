# Two commands matter: `make demo` and `make test`. Each sets up everything it needs in .venv.
.DEFAULT_GOAL := help
.PHONY: help demo test check format bench lock clean

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.run: requirements.lock pyproject.toml tools/setup_env.py
	$(PYTHON) tools/setup_env.py --venv $(VENV) --lock requirements.lock --stamp $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml tools/setup_env.py
	$(PYTHON) tools/setup_env.py --venv $(VENV) --lock requirements-dev.lock --stamp $@

demo: $(VENV)/.run ## Several cameras with boxes on a wall page; Ctrl-C ends it
	$(BIN)/nvr demo $(ARGS)

test: $(VENV)/.dev ## All tests; those whose program is missing say so
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto --dist worksteal $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report $(if $(ARGS),--fail-under=0)  # a part of the tests covers a part of the code

check: $(VENV)/.dev ## Format, lint, types, layers, sizes, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_sizes.py src tests bench tools
	$(BIN)/pytest -q tests/test_docs.py

format: $(VENV)/.dev ## Rewrite the code the way `make check` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## The quick form of every benchmark
	set -e; for script in bench/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script --quick $(ARGS); done

lock: ## Resolve the lock files anew (needs uv)
	uv pip compile -q --universal --no-emit-index-url --generate-hashes --no-annotate --no-header -p 3.11 \
		--extra demo pyproject.toml -o requirements.lock
	uv pip compile -q --universal --no-emit-index-url --generate-hashes --no-annotate --no-header -p 3.11 \
		--extra demo --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## Remove everything that was built or cached here
	rm -rf $(VENV) .cache .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
