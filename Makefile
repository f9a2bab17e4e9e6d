# Concord from the command line. `make` alone lists what there is.
VENV ?= .venv
PYTHON_HERE = $(VENV)/bin/python
STACK = $(PYTHON_HERE) -m annotate.stack
export VENV
# PORT, CONCORD_HOST, CONCORD_DATA and ENV_FILE reach the launcher from the environment or from this
# command line, as make does by itself; to export them here would set those left out to "".

.DEFAULT_GOAL := help
.PHONY: help set-up set-up-dev demo loop serve backup restore test test-long test-slow check format bench \
        messages screenshots clean chromium

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | while IFS='	' read -r name text; do \
	    printf '  make %-12s %s\n' "$$name" "$$text"; done

set-up: ## the virtual environment that demo, loop and serve need
	@.ci/set-up demo

set-up-dev: ## the same, with what tests and checks need
	@.ci/set-up dev

demo: set-up ## a demo campaign to rate at once; POLICY=FOLDER or ORG/NAME brings your own model
	@$(STACK) demo $(if $(POLICY),--policy "$(POLICY)")

SEED ?= 0
ITERATIONS ?= 3
REPORT ?= loop.json
loop: set-up ## three unattended iterations; SEED, ITERATIONS, REPORT, ARGS
	@$(STACK) loop --iterations $(ITERATIONS) --seed $(SEED) --report "$(abspath $(REPORT))" $(ARGS)

serve: set-up ## the same stack for real work; .env.example lists its variables
	@$(STACK) serve $(ARGS)

backup: set-up ## database and artefacts into OUT=FILE.tar, while in use
	@$(STACK) backup $(if $(OUT),"$(abspath $(OUT))") $(ARGS)

restore: set-up ## a backup FILE=FILE.tar into an empty CONCORD_DATA
	@$(STACK) restore $(if $(FILE),"$(abspath $(FILE))") $(ARGS)

# -- tests and checks --------------------------------------------------------------------------

# Workers of the test run; each has its own database.
JOBS ?= 2
PYTEST = $(PYTHON_HERE) -m pytest -p tests.lanes
# One thread a process: two test workers already fill two cores.
TEST_ENVIRONMENT = OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive HF_HUB_OFFLINE=1 \
                   TOKENIZERS_PARALLELISM=false ENV_FILE=/dev/null
# Checks read the settings, which want a key, and write nothing.
CHECK_ENVIRONMENT = SECRET_KEY=for-the-checks-only CONCORD_DATA=/nonexistent ENV_FILE=/dev/null \
                    DATABASE_URL=sqlite://:memory:

test: set-up-dev chromium ## every lane that can run here; T="path or -k words" narrows it
	@$(TEST_ENVIRONMENT) $(PYTEST) -n $(JOBS) --dist loadgroup -m "not slow and not long" $(T)

test-long: set-up-dev chromium ## suites of minutes, which CI runs too: kills, hostile texts, instruments, training runs
	@$(TEST_ENVIRONMENT) $(PYTEST) -n $(JOBS) --dist loadgroup -m "long and not slow" $(T)

test-slow: set-up-dev chromium ## the lane that takes minutes: hundreds of kills, long runs
	@$(TEST_ENVIRONMENT) $(PYTEST) -m slow $(T)

chromium:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then \
	    echo "Installing chromium for the browser tests."; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	      --no-install-recommends chromium >/dev/null </dev/null; } \
	    || echo "chromium could not be installed: the browser tests will be skipped."; \
	else echo "No chromium here and no right to install it: the browser tests will be skipped."; fi

# Targets of their own, so that make -k check tells everything at once.
CHECKS = check-lint check-format check-types check-imports check-migrations check-templates
.PHONY: $(CHECKS)
check: $(CHECKS) ## lint, format, types, import contracts, missing migrations, templates
$(CHECKS): set-up-dev

# Left out as taste: a line break after a heading; a submit button that says it is one; the
# refresh inside noscript.
TASTE = H015,H043,H052

check-lint:
	$(VENV)/bin/ruff check .
check-format:
	$(VENV)/bin/ruff format --check .
check-types:
	$(CHECK_ENVIRONMENT) $(VENV)/bin/mypy
check-imports:
	$(VENV)/bin/lint-imports
check-migrations:
	$(CHECK_ENVIRONMENT) $(PYTHON_HERE) manage.py makemigrations --check --dry-run
check-templates:
	$(VENV)/bin/djlint templates --profile=django --lint --quiet --ignore=$(TASTE)

messages: set-up-dev ## the catalogues from what is marked for translation; lists what is missing
	@$(CHECK_ENVIRONMENT) $(PYTHON_HERE) manage.py messages

format: set-up-dev ## write what ruff would have written
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: set-up-dev ## measurements as a table and as a JSON list in BENCH_JSON
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(TEST_ENVIRONMENT) SECRET_KEY=for-the-benchmarks-only CONCORD_DATA="$$folder" \
	    $(PYTHON_HERE) manage.py bench $(ARGS)

screenshots: set-up-dev chromium ## the README's pictures; every page in test-results/
	@$(TEST_ENVIRONMENT) SCREENSHOTS=1 $(PYTEST) -m browser tests/browser/test_readme_pictures.py \
	    tests/browser/test_pages.py $(T)

clean: ## caches and test results; the data folder and the environment stay
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache test-results
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +
