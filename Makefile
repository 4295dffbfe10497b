# Two commands do all the set-up: `make demo` (the whole pipeline on the simulated corpus) and `make test`.
#   make demo                      create .venv, install, run `dvc repro`, print the summary
#   make test                      create .venv if needed, run the tests
#   make demo TORCH_INDEX=<url>    take PyTorch from another index (the CPU-only build is far smaller than the default one)
#   make help                      the other targets

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?=
TORCH_INDEX ?=
COMMITS ?= 3
GROUP ?=
PROFILE ?=
FUZZ_CASES ?= $(or $(PRIMUS_FUZZ_CASES),50000)
EXPERIMENT_COLUMNS := Experiment|^data$$|^(accuracy|gain)$$|^loss.lambda_(ss|mm|nn)$$
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export PYTHONUNBUFFERED := 1

$(VENV)/.ready: pyproject.toml constraints.txt .ci/setup
	@PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" VENV="$(VENV)" .ci/setup

.PHONY: help setup demo test test-slow lint experiments ablations figures verify verify-tiny verify-quick fuzz faults bench docs ci deps clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready ## create .venv and install the project with its tested versions

demo: $(VENV)/.ready ## the whole pipeline on the simulated corpus, then the summary table
	@primus mend
	@dvc repro
	@cat data/demo/report/summary.txt
	@echo
	@echo "metrics  metrics/summary.json (dvc metrics show metrics/summary.json), the whole grid in metrics/fewshot.json"
	@echo "plots    dvc plots show        (needs no network)"
	@echo "report   data/demo/report/index.html"
	@echo "next     source .venv/bin/activate && dvc exp run --temp -S loss.lambda_nn=0 && dvc exp show"

test: $(VENV)/.ready ## all tests that need no long proof, README and tutorials among them
	@OMP_WAIT_POLICY=PASSIVE pytest -q -n 2 --dist loadfile -m "not slow and not verify"

test-slow: $(VENV)/.ready ## the tests marked slow, which `make test` leaves out
	@OMP_WAIT_POLICY=PASSIVE pytest -q -n 2 --dist loadfile -m "slow and not verify"

lint: $(VENV)/.ready ## ruff and mypy
	@ruff check . && ruff format --check . && mypy

experiments: $(VENV)/.ready ## the experiments so far, in 100 columns
	@COLUMNS=100 dvc exp show --no-pager -n $(COMMITS) --drop '.*' --keep '$(EXPERIMENT_COLUMNS)' | sed 's/[[:space:]]*$$//'

ablations: $(VENV)/.ready ## every variant of experiments.yaml as a DVC experiment, then metrics/ablations.csv (GROUP=losses PROFILE=samples for less); resumes
	@primus mend
	@primus ablations $(foreach name,$(GROUP),--group $(name)) $(if $(PROFILE),--profile $(PROFILE))

figures: $(VENV)/.ready ## every method and head with three seeds as the experiment `figures`, then its report (PROFILE=samples for another); resumes
	@primus mend
	@primus figures $(if $(PROFILE),--profile $(PROFILE))

verify: test-slow ## the slow tests, then the long proofs (about an hour): gain over random, link=none, two clones, ten kills
	@PRIMUS_VERIFY=demo pytest -v -s -m verify tests/verify

verify-tiny: $(VENV)/.ready ## the long proofs on the tiny corpus (ten minutes; half an hour on a slow machine)
	@PRIMUS_VERIFY=tiny pytest -v -m verify tests/verify

verify-quick: $(VENV)/.ready ## of those, what CI runs: every injected defect refused, two copies the same bytes, a second repro that runs nothing
	@PRIMUS_VERIFY=tiny pytest -v -m "verify and quick" tests/verify

fuzz: $(VENV)/.ready ## 50 000 damaged inputs through all readers and loaders (FUZZ_CASES=20000 for less)
	@python -m tests.fuzz.run --cases $(FUZZ_CASES) --json logs/fuzz.json

faults: $(VENV)/.ready ## 180 faults on single stages, then 20 kills of dvc repro (half an hour), counted in logs/faults.json and logs/faults_dvc.json
	@python -m tests.faults.run --faults 180 --json logs/faults.json
	@python -m tests.faults.run --dvc 20 --json logs/faults_dvc.json

bench: $(VENV)/.ready ## every benchmark (half an hour, nothing else running), written to docs/benchmarks.md
	@python benchmarks/run.py

docs: $(VENV)/.ready ## the documentation as a site in site/, without a network; a broken link is an error
	@python .ci/docs_stages.py --write
	@python .ci/docs_errors.py --write
	@python .ci/docs_formats.py --write
	@mkdocs build --strict --quiet
	@echo "site/index.html"

ci: ## what CI does: a fresh .venv, lint, tests, short proofs
	@.ci/run

deps: $(VENV)/.ready ## rewrite the code dependencies in dvc.yaml from the stages' imports
	@python .ci/sync_deps.py --write

clean: ## remove what runs leave behind (not .venv, not the DVC cache)
	@rm -rf logs .cache dvc_plots
	@find data -mindepth 1 -maxdepth 1 -type d ! -name roots -exec rm -rf {} + # data/roots is part of the repository
