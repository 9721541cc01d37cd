# What CI calls is what a developer calls. `make demo` and `make test` set themselves up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAGES := train export serve proto bench
SOURCES := $(STAGES:%=strop/%/) strop/feedback strop/tasks strop/*.py tests
PROTOS := strop/proto/open_inference.proto strop/proto/strop.proto
ARGS ?=

.PHONY: help setup demo test test-gpu test-optimum test-page lint format proto check-proto data train export serve query bench tune bench-export bench-engines bench-serve bench-train bench-rivals audit fuzz clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14
	@echo "data train export serve query bench tune"
	@echo "              one stage; options in ARGS: make train ARGS='data --out runs/mine'"

setup: $(VENV)/ready  ## install everything into .venv

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup  ## the whole line on real sentences: data, train, export, serve, bench
	$(BIN)/strop demo $(ARGS)

test: setup  ## every test that needs no GPU
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile $(ARGS)

test-gpu:  ## what needs an NVIDIA GPU, with whatever Python and packages are there: no set-up, no network
	STROP_GPU_RESULTS=bench/results $(PYTHON) -m pytest -c tests/gpu/pytest.ini tests/gpu $(ARGS)

test-optimum: setup  ## optimum's export against ours, in an environment of its own: 1.3 GB, minutes at first
	$(BIN)/python -m strop.export.optimum.environment
	$(BIN)/pytest tests/export/test_optimum.py $(ARGS)

test-page: setup  ## report and console in the Chromium that is there: 200 MB in an environment of its own
	$(BIN)/python -m strop.bench.page.browser
	$(BIN)/pytest tests/bench/test_page.py tests/serve/test_console_page.py -rs $(ARGS)

lint: setup  ## formatting, lint, types, and the generated stubs
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	@$(MAKE) --no-print-directory check-proto

format: setup  ## rewrite the sources as lint wants them
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

proto: setup  ## regenerate the stubs from proto/*.proto
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. $(PROTOS)

check-proto: setup
	@rm -rf build/proto && mkdir -p build/proto
	@$(BIN)/python -m grpc_tools.protoc -I. --python_out=build/proto --pyi_out=build/proto \
		--grpc_python_out=build/proto $(PROTOS)
	@for stub in build/proto/strop/proto/*; do diff -u proto/$$(basename $$stub) $$stub || \
		{ echo "proto/$$(basename $$stub) is stale: run make proto"; exit 1; }; done

data train export serve query bench tune: setup
	$(BIN)/strop $@ $(ARGS)

bench-export: setup  ## the demo's variants against the uncompressed model: a minute
	$(BIN)/strop bench-export $(ARGS)

bench-engines: setup  ## the demo's variants in-process against padded PyTorch and the matrix peak: minutes
	$(BIN)/strop bench-engines $(ARGS)

bench-serve: setup  ## the server against its targets, on the demo's bundle: about an hour
	$(BIN)/strop bench-serve $(ARGS)

bench-train: setup  ## how quickly this box trains, against its target: minutes
	$(BIN)/strop bench-train $(ARGS)

bench-rivals: setup  ## other servers of the demo's model beside Strop: half an hour, and environments of 4 GB
	$(BIN)/strop bench-rivals $(ARGS)

audit: setup  ## the pinned packages against known vulnerabilities; ARGS='--service osv' asks OSV.dev
	$(BIN)/python -m strop.audit $(ARGS)

fuzz: setup  ## requests and files that nobody would write, on the demo's bundle: some minutes
	$(BIN)/python -m strop.bench.fuzz $(ARGS)

clean:  ## remove what the targets made, but not .venv
	rm -rf build demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
