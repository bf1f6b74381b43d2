# Two commands are enough: `make run` to try the hub, `make test` to prove it. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
HUB := $(VENV)/bin/hub

KILLS ?= 20
DB ?= sqlite
BUG ?=
SINK ?= fake
FILE ?=
COLUMN ?= text
AUTHOR ?=
TIME ?=
SPEED ?= 0
PERF ?=
LIMIT ?=
# Test processes: one per core for all tests, none besides for a choice of them.
JOBS ?= $(if $(T),0,logical)
# Third-party descriptions and recordings the tests are held against: make test DATA=../shared/data
DATA ?=
ifneq ($(DATA),)
export HUB_TEST_DATA := $(abspath $(DATA))
endif
T ?=

.PHONY: help install run test check lint format types imports crash docs bench-calls bench-load bench-flow replay browser peers clean distclean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name about; do printf '  %-12s %s\n' "$$name" "$$about"; done

# pip is the last thing venv makes: with it there, an interrupted one is not taken for whole.
READY := $(VENV)/bin/pip

# Files that say "installed": fast the second time, made again when the dependencies change.
$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $$($(PYTHON) --version 2>&1) was found. Name another: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "This Python cannot make virtual environments: install the package python3-venv (Debian, Ubuntu: apt install python3-venv)."; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/installed-run: setup.cfg pyproject.toml | $(READY)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[trial,zendesk]'
	@touch $@

$(VENV)/installed-dev: setup.cfg pyproject.toml | $(READY)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/installed-run

install: $(VENV)/installed-dev ## The environment for development: .venv with everything
	@echo 'Ready. Next: . $(VENV)/bin/activate'

run: $(VENV)/installed-run ## Run the hub with its trial: open the address it prints
	@exec $(HUB) run --config config

# loadfile: fixtures of a file are made once, and the conformance kit looks back on all checks of its suite.
test: $(VENV)/installed-dev ## Run the tests (T=tests/cli to choose, JOBS=2 at a time)
	$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(T)

browser: $(VENV)/installed-dev ## Walk through the trial page with a real browser
	$(PY) -m pytest tests/trial/test_browser_walk.py

check: lint types imports test ## Everything that must pass before a change is handed in

lint: $(VENV)/installed-dev ## Style
	$(VENV)/bin/ruff check --no-cache .
	$(VENV)/bin/ruff format --check .

format: $(VENV)/installed-dev ## Mend the style
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

types: $(VENV)/installed-dev ## mypy, strict
	$(VENV)/bin/mypy

imports: $(VENV)/installed-dev ## Who may import whom
	$(VENV)/bin/lint-imports

peers: $(VENV)/installed-dev ## The hub between a real Bluesky network and a real Request Tracker 5 (Debian; installs both, as root)
	$(PY) -m benchmarks.peers

crash: $(VENV)/installed-dev ## Kill the hub again and again: KILLS=20 DB=sqlite|postgresql SINK=fake|zendesk BUG=
	$(PY) -m benchmarks.crash --kills $(KILLS) --db $(DB) --sink $(SINK) --bug "$(BUG)"

docs: $(VENV)/installed-dev ## Write the parts of the docs that say what the code says
	$(PY) docs/generate.py

bench-calls: $(VENV)/installed-dev ## Vendor calls per 1,000 messages, and a storm within real quotas (15 min)
	$(PY) -m benchmarks.calls

bench-load: $(VENV)/installed-dev ## A real hub under neutral load tools: PERF=../shared/perf
	@test -f "$(PERF)/bench.py" || { echo 'Say where the load tools are: make bench-load PERF=../shared/perf'; exit 2; }
	$(PY) -m benchmarks.load --perf "$(PERF)"

bench-flow: $(VENV)/installed-dev ## What an event costs, against a bare Flask endpoint
	$(PY) -m benchmarks.flow

replay: $(VENV)/installed-run ## Replay recorded texts through a running `make run`: FILE=x.csv COLUMN=text AUTHOR= TIME= SPEED=
	@test -n "$(FILE)" || { echo 'Say which file: make replay FILE=tweets.csv COLUMN=text AUTHOR=author TIME=created_at'; exit 2; }
	@exec $(HUB) replay "$(FILE)" --config config --text-column "$(COLUMN)" \
	  $(if $(AUTHOR),--author-column "$(AUTHOR)") $(if $(TIME),--time-column "$(TIME)" --speed $(SPEED)) $(if $(LIMIT),--limit $(LIMIT))

clean: ## Remove what tests and builds leave behind; the hub's data stays
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## Remove the environment too
	rm -rf $(VENV) *.egg-info
