# `make help` lists the targets. Each sets up what it needs; that takes no time when it is there.
.DEFAULT_GOAL := help
.PHONY: help demo demo-providers demo-compare test bench check docs record format wheel image clean
VENV := .venv/bin

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-20s %s\n' "$$name" "$$what"; done

demo: ## a question about a file, answered in the sandbox; MODEL=NAME chooses the model
	@tools/set_up.sh
	@echo "demo: a question, its code and its answer"
	@$(VENV)/python tools/demo.py $(MODEL)

demo-providers: ## one analysis over each provider's wire and both routes, in a table; scripted servers answer
	@tools/set_up.sh
	@echo "demo-providers: the same question over every provider"
	@$(VENV)/python tools/demo_providers.py

demo-compare: ## the same question to the embedded model, its recording and every provider's wire: a report side by side
	@tools/set_up.sh
	@echo "demo-compare: one question, side by side"
	@$(VENV)/python tools/demo_compare.py

test: ## all tests: pure, over loopback servers, and with a real engine
	@tools/set_up.sh compose chromium
	@echo "test: pure, over loopback servers, and with bubblewrap"
	@tools/tests.sh -n logical tests/unit tests/wire tests/bubblewrap
	@echo "test: with a real engine, and in a browser"
	@tools/tests.sh -n logical --dist worksteal -m "not alone" tests/docker tests/browser
	@echo "test: with a real engine, one after the other"
	@tools/tests.sh -m alone tests/docker

bench: ## how fast the sandbox is, beside a bare limit and plain docker; ROUNDS=3 for a short look
	@tools/set_up.sh
	@echo "bench: $(or $(ROUNDS),30) rounds"
	@$(VENV)/python bench/bench.py --rounds $(or $(ROUNDS),30)

check: ## format, lint, types, the layers between packages and the documents' links
	@tools/venv.sh
	@echo "check: format and lint"
	@$(VENV)/ruff format --check .
	@$(VENV)/ruff check .
	@echo "check: types"
	@$(VENV)/mypy
	@$(VENV)/pyright
	@echo "check: layers"
	@$(VENV)/lint-imports
	@$(MAKE) --no-print-directory docs

docs: ## the documents as a site in build/site, its links and anchors checked
	@tools/venv.sh
	@echo "docs: build/site/index.html"
	@NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --quiet

record: ## record the demo with the real embedded model, for machines without one
	@tools/set_up.sh
	@$(VENV)/python tools/local_model.py local
	@$(VENV)/python tools/record_demo.py

format: ## format the code and repair what can be repaired
	@tools/venv.sh
	@echo "format: ruff"
	@$(VENV)/ruff format .
	@$(VENV)/ruff check --fix .

wheel: ## build the wheel and try it in an empty environment
	@tools/venv.sh
	@tools/wheel_check.sh

image: ## build the sandbox image, and the base image where none can be fetched
	@echo "image: the sandbox image"
	@tools/set_up.sh

clean: ## remove what was made in this folder; images stay
	@echo "clean: .venv, dist and caches"
	@rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +
