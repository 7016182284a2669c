# The verbs of this repository. Logic lives in Python; a verb is a line or three.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# Set by `make demo KEEP=1` and `make demo KUBECONFIG=...`; the demo reads them as arguments.
KEEP ?=
# How many processes run tests: each has one or two control planes of its own, 2.5 GB. `make test WORKERS=0` is one process.
WORKERS ?= auto
PYTEST_ARGS ?=
# Bytecode is kept, whatever the environment says: each worker would compile all tests, and each operator its modules.
# API servers and kubectl, which are written in Go, collect garbage later: they take a tenth less of the processor so. Each
# runs on one core, since all cores are busy: an API server takes an eighth less so, and etcd a quarter.
PYTEST = PYTHONDONTWRITEBYTECODE= GOGC=400 GOMAXPROCS=1 $(BIN)/pytest -n $(WORKERS) $(PYTEST_ARGS)
# Only from the command line: a KUBECONFIG that happens to be exported may lead to production.
DEMO_KUBECONFIG := $(if $(findstring command,$(origin KUBECONFIG)),$(KUBECONFIG))
# Likewise: other tools export a VERSION of their own.
RELEASE_VERSION := $(if $(findstring command,$(origin VERSION)),$(VERSION))

.PHONY: help venv demo picture dashboard check test lint types contracts unit contract integration generate verify bench fuzz soak image sbom scan site release release-dry lock clean

help: ## show the verbs
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

venv: .venv/.stamp ## make .venv with product, dev and test extras and both console scripts
.venv/.stamp: requirements/dev.txt pyproject.toml
	@echo "==> virtual environment: .venv ($$($(PYTHON) --version))"
	@$(PYTHON) -c 'import sys; sys.exit("phase-operator needs Python 3.11 or newer; set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv --clear .venv
	@echo "==> installing $$(grep -cE '^[a-z0-9._-]+==' requirements/dev.txt) locked packages (about a minute)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: venv ## show the main job on a cluster of its own; KEEP=1 leaves it running, KUBECONFIG=... uses a cluster that is there
	@$(BIN)/phase-dev demo $(if $(KEEP),--keep) $(if $(DEMO_KUBECONFIG),--kubeconfig "$(DEMO_KUBECONFIG)")

picture: venv ## run the demo and draw it: docs/demo.svg
	@$(BIN)/phase-dev demo --picture docs/demo.svg

dashboard: venv ## let the operator work for some minutes and draw its dashboard: docs/operating/dashboard.svg
	@$(BIN)/phase-dev dashboard --picture docs/operating/dashboard.svg $(DASHBOARD_ARGS)

# Without its cache, mypy takes one core for half a minute: tests begin beside it. If either fails, so does this.
define tests_beside_types
$(BIN)/mypy & types=$$!; $(PYTEST) $(1); tests=$$?; \
  wait $$types || { echo "==> mypy found errors: see above"; exit 1; }; exit $$tests
endef
# Minutes count here: a quarter of the examples of property tests, and no test that takes seconds of a core.
QUICK = -m "not controlplane and not thorough" --hypothesis-profile=check
check: venv lint contracts verify ## before each commit: lint, types, contracts and the tests that need no control plane
	@$(BIN)/phase-dev cluster build --tools
	$(call tests_beside_types,$(QUICK))

test: venv lint contracts verify ## everything that CI must know; prepares what it needs by itself
	@$(BIN)/phase-dev cluster build --all
	$(call tests_beside_types)

lint: venv ## ruff: style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: venv ## mypy --strict
	$(BIN)/mypy

contracts: venv ## import contracts: the arrows between the rooms
	$(BIN)/lint-imports

unit: venv ## unit tests: no process, no socket
	$(PYTEST) tests/unit

contract: venv ## one suite on the fake and on the real thing
	@$(BIN)/phase-dev cluster build --nodes
	$(PYTEST) tests/contract

integration: venv ## real kube-apiserver and etcd, started by the tests
	@$(BIN)/phase-dev cluster build --all
	$(PYTEST) tests/integration tests/manifests

generate: venv ## write the generated files: CRDs, install.yaml, reference pages, the chart's table of values
	$(BIN)/python -m phase_dev.generate

verify: venv ## fail if a generated file is not what the models say
	$(BIN)/python -m phase_dev.generate --check

# What one lock names, and nothing else. Development tools weigh 5 MiB in the operator's memory; hadolint, trivy and
# cyclonedx-bom weigh 300 MB, and nobody needs them to run a unit test.
build/product/.stamp build/tools/.stamp: build/%/.stamp: requirements/%.txt
	@echo "==> the packages of $< alone: build/$*"
	@$(PYTHON) -m venv --clear --without-pip build/$*
	@$(BIN)/pip --python build/$*/bin/python install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --only-binary :all: --requirement $<
	@touch $@

bench: venv build/product/.stamp ## benchmarks on a real API server; BENCH_ARGS="--sizes 1000 10000 --foreign 10000 --repeat 3"
	@$(BIN)/phase-dev cluster build --all
	cd tests && ../$(BIN)/python -m bench --python ../build/product/bin/python $(BENCH_ARGS)

fuzz: venv ## try every parser and decision with a million cases; FUZZ_ARGS="--cases 24000 TARGET"
	cd tests && ../$(BIN)/python -m fuzz $(FUZZ_ARGS)

soak: venv build/product/.stamp ## two replicas for an hour with faults, kills and changes; SOAK_ARGS="--minutes 60 --resources 1000"
	@$(BIN)/phase-dev cluster build --nodes
	cd tests && ../$(BIN)/python -m soak --python ../build/product/bin/python $(SOAK_ARGS)

image: venv ## build the image with buildah, on stand-ins where no registry can be reached
	@$(BIN)/phase-dev image build

sbom: venv build/sbom.cdx.json ## list the packages in the image as CycloneDX: build/sbom.cdx.json

# Of packages that are installed: licences and who needs whom are in what they bring, and not in the lock.
build/sbom.cdx.json: build/product/.stamp build/tools/.stamp pyproject.toml
	@build/tools/bin/cyclonedx-py environment build/product/bin/python --output-reproducible --spec-version 1.6 \
	  --pyproject pyproject.toml --mc-type application --output-file $@
	@echo "$@: $$(grep -c '"purl":' $@) packages"

scan: venv build/tools/.stamp ## hadolint and trivy on Dockerfile, deploy/ and chart; tests/integration/image does it too
	@$(BIN)/phase-dev image scan

site: venv build/tools/.stamp ## the pages as a site, with a search; links and anchors are checked: build/site/site
	@$(BIN)/phase-dev site build

release: venv build/product/.stamp build/tools/.stamp ## VERSION=1.2.3: set it everywhere, build everything, sign and publish
	@$(BIN)/phase-dev release run "$(RELEASE_VERSION)"

release-dry: venv build/product/.stamp build/tools/.stamp ## the same without signing and publishing, with a registry on loopback
	@$(BIN)/phase-dev release dry "$(RELEASE_VERSION)"

lock: venv ## compile requirements/ anew from pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o requirements/product.txt pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --extra lint --extra dev --extra test -c requirements/product.txt -o requirements/dev.txt pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group pyproject.toml:tools -o requirements/tools.txt

clean: ## remove the virtual environment and caches inside the checkout
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
