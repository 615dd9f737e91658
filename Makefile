# Everything here works on a fresh clone with Python 3.11 or later, Java 17 and Maven (the demo without these two). `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mqa needs Python 3.11 or later, but $(PYTHON) is $$($(PYTHON) --version 2>&1); try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@echo "installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,embedded]'
	@touch $@

.PHONY: setup
setup: $(READY) ## make .venv with everything in it

.PHONY: demo
demo: $(READY) ## three months in a minute: a broker, two workers, one of them killed
	@$(BIN)/mqa demo

.PHONY: test
test: check ## set up, then run every check (what CI runs)

.PHONY: check
check: $(READY) ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadfile

.PHONY: simulate-faults
simulate-faults: $(READY) ## every fault in a simulation of workers and broker (SEEDS=0-9999)
	@$(BIN)/python -m tests.faults.simulation --seeds $(or $(SEEDS),0-9999)

.PHONY: faults
faults: $(READY) ## half an hour of kills, zombies, outages and fail points on a real Kafka (FAULTS="--form middle --seed 2")
	@$(BIN)/python -m tests.faults.live $(FAULTS)

.PHONY: soak
soak: $(READY) ## an hour of steady load with random faults: what grows? (SOAK="--hours 8")
	@$(BIN)/python -m tests.faults.live.soak $(SOAK)

.PHONY: format
format: $(READY) ## write the files as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: broker
broker: $(READY) ## start a local Kafka that runs until `make broker-stop`
	@$(BIN)/mqa broker start

.PHONY: broker-stop
broker-stop: $(READY) ## stop it and remove what it stored
	@$(BIN)/mqa broker stop

.PHONY: constraints
constraints: $(READY) ## write down the versions that are installed now
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable; } > constraints.new && mv constraints.new constraints.txt
	@touch $(READY)

.PHONY: clean
clean: ## remove .venv and every cache of this folder
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
