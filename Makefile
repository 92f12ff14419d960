# Everything a person or CI does with Newstune. Paths stay relative: the folder's name may hold spaces.
PYTHON ?= python3
PORT ?= 8501
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help setup run worker demo test test-screens test-browser test-statistics test-vendors test-faults check fix bench screenshots clean
help:  ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Newstune needs Python 3.11 or newer: set PYTHON=python3.11, for example."; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "Python cannot make a virtual environment: on Debian run 'apt-get install python3-venv'."; exit 1; }
	@touch $@

.venv/.installed: .venv/.made requirements.txt constraints.txt
	$(PIP) --requirement requirements.txt
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	$(PIP) --requirement requirements-dev.txt
	@touch $@

setup: .venv/.installed  ## Create .venv and install what the program needs

run: setup  ## Serve the dashboard on 127.0.0.1:$(PORT)
	$(PY) -m streamlit run app.py --server.port $(PORT)

worker: setup  ## Run the scheduled jobs without the dashboard
	$(PY) -m core worker

demo: setup  ## Load the demo data into an empty database
	$(PY) -m core demo

test: .venv/.installed-dev  ## Run the tests (no browser, no network, under 3 minutes)
	$(PY) -m pytest -n 2

test-screens: .venv/.installed-dev  ## Run the tests that draw whole pages, without a browser (minutes)
	$(PY) -m pytest -m screens -n 2

test-browser: .venv/.installed-dev  ## Run the tests that drive a headless Chromium
	@command -v chromium >/dev/null || \
	  { echo "Chromium is missing: on Debian run 'apt-get install --no-install-recommends chromium fonts-nanum'."; exit 1; }
	$(PY) -m pytest -m browser tests/browser

test-statistics: .venv/.installed-dev  ## Check the statistics against simulations (minutes)
	$(PY) -m pytest -m statistics tests/statistics -n 2

test-vendors: .venv/.installed-dev  ## Drive the vendors' own libraries against the loopback server
	$(PY) -m pytest -m vendors -n 2

test-faults: .venv/.installed-dev  ## Crash, kill and race paid launches on the loopback vendor (minutes)
	$(PY) -m pytest -m faults tests/faults -n 2

check: .venv/.installed-dev  ## Lint, format and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

fix: .venv/.installed-dev  ## Mend what the linter and formatter can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: .venv/.installed-dev  ## Measure speed and accuracy: one JSON object, exit 1 when a bar is missed
	@$(PY) -m benchmarks

screenshots: .venv/.installed-dev  ## Take a picture of every page from the demo data
	$(PY) scripts/screenshots.py

clean:  ## Remove the environment and caches; data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
