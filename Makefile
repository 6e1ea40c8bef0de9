# What people and CI run. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := node_modules/.bin
VITEST := $(BIN)/vitest run $(VITEST_FLAGS)
# Tests by name, the seed and number of runs of property and fault tests: make test-property FILTER=window SEED=7 RUNS=1000
FILTER ?=
# Parts of names of files: make test-fault FILES="kill lost-commit"
FILES ?=
PATTERN = $(FILES) $(if $(FILTER),-t "$(FILTER)")
# Database engines of test-engines: see test/support/database/engines.ts
ENGINES ?= mysql mariadb-binlog
# Options of `run`, `demo`, `migrate`, `bench` and `soak`: make run ARGS="--listen 127.0.0.1:6000"
ARGS ?=

SOURCES := $(shell find src generated -name '*.ts' 2>/dev/null)

.PHONY: help setup run demo demo-cawin test test-unit test-storage test-integration test-cluster test-fault test-property \
  test-docs test-plans test-engines test-migrations test-stubs test-schema-suite update-schema check check-static bench soak generate check-generated build format check-format lint \
  typecheck breaking migrate clean database-program broker-program stub-programs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  FILTER="part of a test name"  FILES="parts of file names"  SEED=n  RUNS=n  with the test targets;  ARGS="…" with run, demo, migrate, bench, soak'

## Getting and running

setup: node_modules/.installed database-program ## install npm packages and, where none is found, a MariaDB server

node_modules/.installed: package-lock.json
	@scripts/setup-packages.sh

database-program:
	@scripts/setup-database.sh

broker-program: # for the tests of callbacks by AMQP only
	@scripts/setup-rabbitmq.sh

stub-programs: # for the tests of stubs of other languages only
	@scripts/setup-stubs.sh

run: build ## run a server with its embedded database (or MADELEINE_DATABASE_URL) until Ctrl-C
	@[ -n "$${MADELEINE_DATABASE_URL:-}" ] || scripts/setup-database.sh
	@exec bin/madeleine serve $(ARGS)

demo: setup ## replay real events through a server and show that every one arrived
	@exec $(BIN)/tsx examples/webhooks-demo.ts $(ARGS)

demo-cawin: setup ## services that wait for a payment are called when it occurs: retry, late subscriber, signatures
	@exec $(BIN)/tsx examples/cawin-demo.ts

migrate: build ## bring the schema of MADELEINE_DATABASE_URL up to date
	@exec bin/madeleine migrate $(ARGS)

## Tests

test: build database-program broker-program ## unit, storage, integration, docs and property tests (few runs)
	@RUNS=$${RUNS:-25} $(VITEST) --project unit --project property --project storage --project integration --project docs $(PATTERN)

test-unit: node_modules/.installed ## logic alone, no network
	@$(VITEST) --project unit $(PATTERN)

test-property: node_modules/.installed ## random inputs against models
	@$(VITEST) --project property $(PATTERN)

test-storage: setup ## the database's side on a real server
	@$(VITEST) --project storage $(PATTERN)

test-integration: build database-program broker-program ## a real client, server and database
	@$(VITEST) --project integration $(PATTERN)

test-docs: build database-program ## the pages as written: their commands, tables and links
	@$(VITEST) --project docs $(PATTERN)

test-cluster: build database-program ## several instances on one database
	@$(VITEST) --project cluster $(PATTERN)

test-fault: build database-program ## kills, lost connections and frozen processes
	@$(VITEST) --project fault $(PATTERN)

test-stubs: setup stub-programs ## stubs of Go, Java, Python, C# and C++, made from proto/ and used; and grpcurl
	@$(VITEST) --project stubs $(PATTERN)

test-schema-suite: node_modules/.installed ## the JSON-Schema-Test-Suite (from PyPI) against the schemas of topics
	@scripts/setup-schema-suite.sh
	@$(VITEST) --project schema-suite $(PATTERN)

test-plans: setup ## the rows that statements examine in a log of a million events (MADELEINE_TEST_ENGINE=mysql)
	@[ "$${MADELEINE_TEST_ENGINE:-}" != mysql ] || scripts/setup-mysql.sh
	@$(VITEST) --project plans $(PATTERN)

test-migrations: setup ## today's server on databases that earlier ones wrote
	@$(VITEST) --project migrations $(PATTERN)

update-schema: setup ## write down the schema that a migration has changed
	@$(BIN)/vitest run --project migrations test/migrations/schema.test.ts --update

test-engines: build database-program broker-program ## storage, integration and cluster tests on MySQL, and on MariaDB with its binary log (ENGINES=mysql)
	@case " $(ENGINES) " in *" mysql "*) scripts/setup-mysql.sh ;; esac
	@failed=; for engine in $(ENGINES); do echo "== $$engine"; \
	  MADELEINE_TEST_ENGINE=$$engine $(VITEST) --project storage --project integration --project cluster $(PATTERN) || failed+=" $$engine"; \
	done; [ -z "$$failed" ] || { echo "tests failed on:$$failed" >&2; exit 1; }

bench: setup build ## measure, each figure as a ratio to its limit on this machine (ARGS=--help)
	@$(BIN)/tsc -p test/bench/tsconfig.json
	@exec node dist/test/bench/main.js $(ARGS)

soak: setup build ## let everything come and go for half an hour, and tell what is left behind (ARGS=--help)
	@$(BIN)/tsc -p test/soak/tsconfig.json
	@exec node dist/test/soak/main.js $(ARGS)

## Checks

check: check-static test test-migrations ## what a change has to pass; CI also runs cluster and a part of fault

check-static: check-format lint typecheck breaking check-generated build

check-format: node_modules/.installed
	@$(BIN)/biome check --linter-enabled=false .
	@$(BIN)/buf format -d --exit-code proto

format: node_modules/.installed ## write the one format
	@$(BIN)/biome check --linter-enabled=false --write .
	@$(BIN)/buf format -w proto

lint: node_modules/.installed ## find what is likely wrong
	@$(BIN)/biome lint --error-on-warnings .
	@$(BIN)/buf lint

typecheck: node_modules/.installed ## check the types of everything, tests too
	@$(BIN)/tsc --noEmit -p tsconfig.json

breaking: node_modules/.installed ## find changes of the contract that break clients (BASE=commit)
	@scripts/check-breaking.sh

check-generated: node_modules/.installed ## find drift between proto/ and generated/
	@scripts/check-generated.sh

## Building

build: dist/.built ## compile to dist/

dist/.built: node_modules/.installed tsconfig.json tsconfig.build.json $(SOURCES) generated/descriptor.binpb
	@$(BIN)/tsc -p tsconfig.build.json
	@touch $@

generate: node_modules/.installed ## make generated/ from proto/
	@$(BIN)/buf generate
	@$(BIN)/buf build -o generated/descriptor.binpb --as-file-descriptor-set

clean: ## remove what was built and measured; data/, node_modules/ and .engines/ stay
	@rm -rf dist coverage
