# `make demo` and `make test` do everything on a fresh machine; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: test-engine test-others test-demo coverage deeds compiled crash-circulation pictures crash-crm help demo test check lint types format bench crash crash-oai fuzz marc check-partners lock clean schema
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR)
# Where the caller's environment forbids Python to keep what it has compiled, each process that is started compiles Airflow and all of ours
# anew: a sixth of the CPU of a test in Airflow, and three fifths of that of finding the tests, in every worker.
unexport PYTHONDONTWRITEBYTECODE
# One more than two cores: a quarter of a worker's time is waiting for processes, servers and disks.
WORKERS ?= 3
# The engine's own tests must cover it; those of everything else would, too, and measured they take nearly twice the time.
ENGINE := tests/engine tests/records tests/flows/test_again.py tests/flows/test_trace.py
COVERED := --cov=include/engine --cov-branch --cov-report=term:skip-covered --cov-fail-under=90

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

demo: ## four libraries deliver; watch it in Airflow until Ctrl-C (ONCE=1: end by itself, status 0 if every figure is right)
	@bin/setup run
	@exec $(PY) -m include.sandbox.demo $(if $(ONCE),--once)

test: ## everything that must hold: lint, types, floors, contracts, the engine's tests with coverage, all others, the demo
	@bin/setup dev
	@trap 'exit 130' INT; failed=; \
	$(MAKE) --no-print-directory -k -j2 -O check test-engine || failed="check or test-engine"; \
	for part in test-others test-demo; do $(MAKE) --no-print-directory $$part || failed="$$failed $$part"; done; \
	if [ -n "$$failed" ]; then echo "make test: there failed: $$failed" >&2; exit 1; fi

test-engine:
	$(PY) -m pytest -n $(WORKERS) --dist worksteal $(ENGINE) $(COVERED)

test-others:
	$(PY) -m pytest -n $(WORKERS) --dist worksteal $(addprefix --ignore=,$(ENGINE) tests/demo)

test-demo: # by itself: beside three busy workers its acts wait longer than any of them should
	$(PY) -m pytest tests/demo

coverage: ## the engine's coverage by every test (half an hour)
	@bin/setup dev
	$(PY) -m pytest -n $(WORKERS) --dist worksteal --ignore=tests/demo $(COVERED)

check: ## lint, format, types, floors, contracts
	$(PY) -m ruff check -q .
	$(PY) -m ruff format -q --check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) -m include.engine.contract check

format: ## bring the code into its format
	$(PY) -m ruff check -q --fix .
	$(PY) -m ruff format -q .

bench: ## speed and memory, as ratios against named peers in one run
	@bin/setup dev
	$(PY) -m tests.bench

crash: ## kill -9 at every point of a delivery's life, many seeds (SEEDS=5)
	@bin/setup dev
	$(PY) -m tests.crash --seeds $(or $(SEEDS),5)

crash-crm: ## kill -9 in mid-sync with a CRM, many seeds (SEEDS=50)
	@bin/setup dev
	$(PY) -m tests.crash.crm --seeds $(or $(SEEDS),50)

crash-oai: ## kill -9 in mid-harvest, many seeds (SEEDS=50)
	@bin/setup dev
	$(PY) -m tests.crash.harvests --seeds $(or $(SEEDS),50)

crash-circulation: ## kill -9 of the sidecar: kiosks under load, its journal's DAG, NCIP, and while a library system is told (SEEDS=50)
	@bin/setup dev
	$(PY) -m tests.crash.circulation --seeds $(or $(SEEDS),50)
	BINDERY_SEEDS=$(or $(SEEDS),50) $(PY) -m pytest -q tests/connectors/circulation/forwarding/test_kill.py
	BINDERY_SEEDS=$(or $(SEEDS),50) $(PY) -m pytest -q tests/connectors/circulation/ncip/test_process.py -k kill

compiled: ## the sidecar compiled as the image does it, and all of its tests on that
	@bin/setup dev
	$(PY) -m connectors.circulation compile
	$(PY) -m pytest -n $(WORKERS) -p tests.connectors.circulation.as_compiled tests/connectors/circulation

fuzz: ## MARC under random damage, the compiled reader against NumPy's (MINUTES=10; SANITIZED=yes: built with sanitizers); SIP2 under random bytes (INPUTS=10000000); every property of the suite on new examples
	@bin/setup dev
	BINDERY_SEARCHING=yes $(PY) -m pytest -m hypothesis
	$(PY) -m tests.marc.fuzz --minutes $(or $(MINUTES),10) $(if $(SANITIZED),--sanitized)
	$(PY) -m tests.connectors.oai_pmh.harvest.fuzz --minutes 1 $(if $(SANITIZED),--sanitized)
	$(PY) -m tests.connectors.circulation.sip2.fuzz --inputs $(or $(INPUTS),10000000)

marc: ## 200,000 generated MARC records, row by row as pymarc reads them (RECORDS=200000)
	@bin/setup dev
	$(PY) -m tests.marc.against_pymarc $(or $(RECORDS),200000)

deeds: ## each action of the board by its own button in a running Airflow, and what is pressed when
	@bin/setup dev
	$(PY) -m pytest -s tests/browser/test_deeds.py

pictures: ## the documentation's pictures of the board, taken anew
	@bin/setup dev
	BINDERY_PICTURES=1 $(PY) -m pytest tests/browser --ignore=tests/browser/test_deeds.py

check-partners: ## every partner's YAML; PARTNER=aarhus: that one, and its connections (list, read, write, rename)
	@bin/setup run
	@$(PY) -m connectors check-partners $(PARTNER)

schema: ## the JSON schema of a partner's YAML, for editors
	@bin/setup run
	@$(PY) -m connectors schema > include/partners/partner.schema.json

PINNED := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
lock: ## pin requirements*.in anew, for Python 3.11 to 3.13, with hashes; what runs has the versions that were tested
	$(PINNED) requirements-dev.in -o requirements-dev.txt
	$(PINNED) --no-annotate requirements.in -c requirements-dev.txt -o requirements.txt

clean: ## what the demo, the tests and the benches left (not .venv)
	rm -rf .bindery .bench .coverage* .mypy_cache .ruff_cache .import_linter_cache .hypothesis
