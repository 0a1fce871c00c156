# Needs make and Python 3.11, 3.12 or 3.13; everything else is fetched and checked by its hash.
.DEFAULT_GOAL := help
.PHONY: bench breaking chaos check clients coverage demo help lock models mutants pictures quick run schema setup sync test
MAKEFLAGS += --no-print-directory

# Which lock the environment follows: dev (everything), speech (to run, not to test), web (no speech, no torch).
LOCK ?= dev
# The first of these that works and can make environments (a name on the path may be a shim with nothing behind it).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
  $$p -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
# Without its compiled files, Python spends three times as long on every start, and here much is started.
unexport PYTHONDONTWRITEBYTECODE
# One pack for all data folders: several servers side by side share it.
export GRAPHOPHONE_MODELS ?= data/models

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

run: setup ## set up what is missing, start everything, print the address and the token
	@exec $(BIN)/python -m api up

demo: setup ## the same, but transcribe a real recording with progress, print it, write sample.srt, and stop
	@exec $(BIN)/python -m api demo

test: setup ## set up what is missing and run the whole suite
	$(BIN)/python -m pytest

# What another Python or another version of a package breaks first: reading media, the graph, HTTP, the pure parts.
QUICK = tests/schema/test_jobs.py tests/schema/test_sdl.py tests/schema/test_operations.py tests/schema/test_submissions.py \
  tests/api/test_graphql_http.py tests/api/test_graphql_websocket.py tests/tasks/pipeline/test_decode.py \
  tests/tasks/pipeline/test_words.py tests/tasks/pipeline/test_peaks.py tests/tasks/documents/test_formats.py \
  tests/test_audio_formats.py tests/db/test_states.py tests/db/test_words.py tests/db/test_retiming.py tests/db/test_terms.py \
  tests/db/test_migrations.py tests/db/test_jobs.py
quick: setup ## the tests that need neither models nor workers of their own: a minute
	$(BIN)/python -m pytest $(QUICK)

coverage: setup ## the suite with branch coverage of all processes; fails below 85 %
	$(BIN)/python -m pytest --cov --cov-report=term

check: sync ## the quick part: ruff, mypy, import contracts, declared packages, the schema against its snapshot
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/deptry tests --exclude __pycache__ --ignore DEP002,DEP004
	@$(BIN)/python -m api schema | diff schema/schema.graphql - || { echo "if that is meant: make schema"; exit 1; }

schema: sync ## print the schema into its snapshot, after a change that is meant
	@$(BIN)/python -m api schema > schema/schema.graphql
	@$(BIN)/python -m tasks.documents.formats.data.json

pictures: sync ## draw the diagrams in the documents anew, from the code
	@$(BIN)/python -m tests.programs.pictures

# How long each database is put under chaos, in seconds.
SECONDS_EACH ?= 600
chaos: sync ## kill, freeze, flush and restart everything under load, then check the history (SECONDS_EACH=600, SEED=)
	@$(BIN)/python -m tests.programs.chaos.run --seconds $(SECONDS_EACH) $(if $(SEED),--seed $(SEED))

bench: setup ## the figures, each a ratio against its peer measured in the same run (BENCH=speech|graph|runtime|documents for one)
	@for figures in $(or $(BENCH),graph runtime documents speech); do $(BIN)/python -m tests.programs.bench.$$figures || failed=1; done; exit $${failed:-0}

clients: sync ## real programs against a real server: gql, graphql-ws, graphql-sse, Apollo, urql, Relay, TypeScript (needs npm)
	@$(BIN)/python -m tests.programs.clients.run

console: sync ## the console's types by tsc, every view at three sizes by axe, with pictures (needs npm and chromedriver)
	@$(BIN)/python -m tests.programs.console.run

# Which revision's schema the clients know.
BASE ?= HEAD~1
breaking: sync ## what the schema takes from clients that know the one of BASE=HEAD~1; fails if anything (needs npm)
	@$(BIN)/python -m tests.programs.clients.breaking $(BASE)

mutants: sync ## take rules away one by one, and show that the suite notices each (SAMPLE=200: random small changes)
	@$(BIN)/python -m tests.programs.mutants.$(if $(SAMPLE),sample $(SAMPLE) $(if $(SEED),--seed $(SEED)),rules)

setup: sync ## only the set-up: environment and speech models
	@$(BIN)/python -m tasks.models.pack $(GRAPHOPHONE_MODELS)

models: sync ## fetch what is missing or damaged of the offline model pack, check every file by its hash, list all models
	@$(BIN)/python -m tasks.models.pack $(GRAPHOPHONE_MODELS)
	@$(BIN)/python -m tasks.models.pack $(GRAPHOPHONE_MODELS) --list

sync:
	@$(if $(PYTHON),,$(error Python 3.11, 3.12 or 3.13 with its venv module was not found))
	@$(PYTHON) requirements/sync.py $(LOCK)

# Universal (every platform and Python in one file), with hashes, without an index's name; speech and web agree with dev.
COMPILE = .venv/uv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-annotate --no-header
lock: sync ## resolve pyproject.toml again and write requirements/*.txt
	$(COMPILE) --all-extras --group dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) --extra speech -c requirements/dev.txt pyproject.toml -o requirements/speech.txt
	$(COMPILE) -c requirements/dev.txt pyproject.toml -o requirements/web.txt
	echo uv | $(COMPILE) - -o requirements/uv.txt
	@! grep -nE 'https?://' requirements/*.txt
