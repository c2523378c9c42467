# Push-button checks. Every target does its own set-up in .venv, so a fresh clone needs Python 3.11.4+, git and make.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
MINUTES ?= 20
AGAIN ?=
PACKAGES := bot cli cluster webhooks worker

.PHONY: help demo test tests check quick-tests fuzz lint format bench lock audit release clean
help:
	@echo 'make demo    a push deploys pipelines to staging, a tag to production (ONCE=1: end by itself)'
	@echo 'make check   lint, types, import rules, and the tests that need no program but git: 90 seconds'
	@echo 'make test    lint, types, import rules and all tests'
	@echo 'make fuzz    try readers of foreign text with random texts, for 20 minutes (MINUTES=20), as before a release'
	@echo 'make lint    lint, types and import rules only'
	@echo 'make format  let ruff format the code'
	@echo 'make bench   measure; results in docs/benchmarks.md'
	@echo 'make lock    pin newer versions of what we depend on, with their hashes'
	@echo 'make audit   ask for known holes in what is pinned (ADVISORIES=FILE: without network; AUDIT=…: options of pip-audit)'
	@echo 'make release the wheel, its SBOMs, checksums and signatures, in dist/: SECURITY.md'
	@echo 'make clean   remove .venv and what the tools left'

demo: .venv/run.stamp
	@$(BIN)/python examples/demo.py

# Lint uses one core, beside the tests; what it says comes last.
test: .venv/dev.stamp
	@said=$$(mktemp); failed=0; $(MAKE) --no-print-directory lint >"$$said" 2>&1 & linting=$$!; \
	  $(MAKE) --no-print-directory tests || failed=1; wait $$linting || failed=1; cat "$$said"; rm -f "$$said"; exit $$failed

tests: .venv/dev.stamp
	@echo '== tests'
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(TESTS) || { test -n "$(AGAIN)" && .ci/again $(BIN)/pytest; }

# Side by side, as lint uses one core; what each says is shown when it has ended.
check: .venv/dev.stamp
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint quick-tests

quick-tests: .venv/dev.stamp
	@echo '== tests that need no program but git'
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal -m 'not program and not slow' $(TESTS)

# Each round has other texts.
fuzz: .venv/dev.stamp
	@end=$$(($$(date +%s) + $(MINUTES) * 60)); while [ $$(date +%s) -lt $$end ]; do \
	  FUZZ_EXAMPLES=3000 $(BIN)/pytest -q -x -n $(WORKERS) -m fuzz $(TESTS) || exit 1; done

lint: .venv/dev.stamp
	@echo '== ruff'
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo '== mypy'
	@$(BIN)/mypy
	@echo '== import rules'
	@$(BIN)/lint-imports --no-cache
	@echo '== the worker on Python 3.8'
	@$(BIN)/vermin --no-tips --quiet --violations --target=3.8- --no-parse-comments worker

format: .venv/dev.stamp
	@$(BIN)/ruff check --fix-only . && $(BIN)/ruff format .

bench: .venv/dev.stamp
	@$(BIN)/python -m benchmarks

lock: .venv/uv.stamp
	@for file in requirements requirements-dev requirements-release cluster/local/dpp/requirements; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --generate-hashes \
	    --custom-compile-command 'make lock' $$(test $$file = cluster/local/dpp/requirements && \
	    echo --override cluster/local/dpp/overrides.txt) $$file.in --output-file $$file.txt || exit 1; done
	@# What a wheel's metadata can hold: no hashes. And uv alone, which installs the rest.
	@sed -n 's/ *\\$$//; /^[a-z0-9]/p' requirements.txt > pins.txt
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > cluster/local/dpp/uv.txt

audit: .venv/release.stamp
	@BIN=$(BIN) AUDIT='$(AUDIT)' ADVISORIES='$(ADVISORIES)' .ci/audit

release: .venv/release.stamp
	@BIN=$(BIN) .ci/release

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up: one stamp a step, so that the second time starts at once. Each step says what it does and how long it took; on
# a terminal it says so before, too.
define step
@begun=$$(date +%s); test ! -t 1 || printf '   %s …' '$(1)'; \
  { $(2); } || { test ! -t 1 || echo; exit 1; }; \
  test ! -t 1 || printf '\r'; printf '   %s: %s s\n' '$(1)' $$(($$(date +%s) - begun))
endef
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python
# By the pip that is there already, which is twice as quick as making another one.
PIP_INSTALL = pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r cluster/local/dpp/uv.txt
NO_PIP = dppctl needs pip, or the module ensurepip, to begin with (Debian, Ubuntu: sudo apt install python3-pip)

.venv/uv.stamp: cluster/local/dpp/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "dppctl needs Python 3.11.4 or newer; this is %s. Name another: make PYTHON=python3.12" % sys.version.split()[0])'
	@echo '== setting up .venv (once)'
	$(call step,uv,{ test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv; } && \
	  { $(PYTHON) -m $(PIP_INSTALL) 2>/dev/null || { $(BIN)/python -m ensurepip >/dev/null && $(BIN)/python -m $(PIP_INSTALL); } || \
	  { echo '$(NO_PIP)' >&2; false; }; })
	@touch $@

# Kubernetes' client is four tenths of all that there is to compile, and little of it is ever imported: Python does that.
.venv/run.stamp: .venv/uv.stamp requirements.txt pyproject.toml
	$(call step,packages,$(INSTALL) --require-hashes -r requirements.txt)
	$(call step,dppctl,$(INSTALL) --no-deps --no-build-isolation --editable .)
	$(call step,compiled files,$(BIN)/python -m compileall -q -j 0 -x '/(kubernetes|pip|setuptools)/' .venv/lib $(PACKAGES))
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt
	$(call step,packages for tests,$(INSTALL) --compile-bytecode --require-hashes -r requirements-dev.txt)
	@touch $@

# Apart, as it brings validators whose import takes three seconds of each process that runs tests.
.venv/release.stamp: .venv/dev.stamp requirements-release.txt
	@$(INSTALL) --compile-bytecode --require-hashes -r requirements-release.txt
	@touch $@
