PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

PUBLISHED := experiments/configs/published
ABLATION := $(PUBLISHED)/digits.py,$(PUBLISHED)/digits_at_once.py,$\
	$(PUBLISHED)/digits_shared.py,$(PUBLISHED)/digits_shared_at_once.py

.DEFAULT_GOAL := help
.PHONY: help demo experiments ablation test test-fast test-thorough \
	test-tpu-compile lint bench-gpu docs clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-17s %s\n", $$1, $$2}' \
		Makefile

demo: $(INSTALLED)  ## Train a small run in runs/demo, anew each time
	@if [ -e runs/demo ]; then \
		echo "Removing the earlier demo in runs/demo."; rm -rf runs/demo; \
	fi
	$(BIN)/python experiments/train.py --workdir=runs/demo \
		--config=experiments/configs/digits_tinted.py

experiments: $(INSTALLED) runs/published/digits/results.json  ## Draw the paper's figures and tables from runs/published/digits
	$(BIN)/python experiments/figure_1.py --out=runs/figure_1.png
	$(BIN)/python experiments/paper.py --workdir=runs/published/digits
	@if [ -e runs/ablation/results.csv ]; then \
		$(BIN)/python experiments/ablation.py --sweep=runs/ablation; \
	else \
		echo "App. E.1 is not drawn: make ablation trains it first."; \
	fi

ablation: $(INSTALLED)  ## Train and compare the four arms of App. E.1
	$(BIN)/python experiments/sweep.py --workdir=runs/ablation --n_seeds=5 \
		--configs=$(ABLATION)
	$(BIN)/python experiments/ablation.py --sweep=runs/ablation

runs/published/digits/results.json: | $(INSTALLED)
	$(BIN)/python experiments/train.py --workdir=runs/published/digits \
		--config=$(PUBLISHED)/digits.py --config.n_seeds=5

test: $(INSTALLED)  ## Run every test but those that repeat others many times
	$(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder \
		-m "not thorough and not tpu_compile"

test-thorough: $(INSTALLED)  ## Run those: more kills, more damage
	$(BIN)/python -m pytest -m thorough

test-fast: $(INSTALLED)  ## Run the tests that take seconds
	$(BIN)/python -m pytest -n auto --dist loadscope \
		-m "not slow and not thorough and not tpu_compile"

# In an environment of its own: libtpu takes 700 MB, and where it is installed,
# every process of JAX looks for chips first.
test-tpu-compile:  ## Compile training for TPUs; none is needed
	$(MAKE) VENV=.venv-tpu .venv-tpu/.installed-tpu
	.venv-tpu/bin/python -m pytest -m tpu_compile

lint: $(INSTALLED)  ## Check style, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench-gpu: $(INSTALLED)  ## Time training on the GPU, or on the CPU if there is none
	$(BIN)/python benchmarks/gpu.py $(if $(TORCH),--torch_python=$(TORCH))

docs: $(VENV)/.installed-docs  ## Build the site in build/docs
	$(BIN)/python -m sphinx --quiet -W --keep-going -b html docs build/docs
	@echo "Open build/docs/index.html."

clean:  ## Remove caches and build outputs; .venv* and runs stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

# The environment counts as made once it has pip: where the system lacks
# ensurepip, venv leaves a folder with a Python and nothing else.
$(INSTALLED): requirements.txt setup.cfg pyproject.toml
	@if [ ! -x $(BIN)/pip ]; then \
		$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit( \
		"Python 3.11 or newer is needed; $(PYTHON) is %d.%d.%d. Name another: " \
		"make PYTHON=python3.12 ..." % v[:3])' \
		&& $(PYTHON) -m venv $(VENV); \
	fi
	$(BIN)/python -m pip install -r requirements.txt -e '.[test]'
	@touch $@

$(VENV)/.installed-tpu: $(INSTALLED)
	$(BIN)/python -m pip install -r requirements.txt -e '.[test,tpu]'
	@touch $@

$(VENV)/.installed-docs: $(INSTALLED) docs/requirements.txt
	$(BIN)/python -m pip install -r requirements.txt -r docs/requirements.txt \
		-e '.[docs]'
	@touch $@
