# Needs python3 (3.11 to 3.13) and make; everything else goes into .venv.
SHELL := bash
PYTHON ?= python3
TORCH ?= auto
PORT ?= 8000
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN := $(BIN)/python
SET_UP := .venv/installed
NOTEBOOKS := $(wildcard chapters/*.ipynb)
PYTEST := $(RUN) -m pytest -q -n 2 --dist loadfile
LOG := _build/test
STARTED := $(shell date +%s)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help book serve test site-test print slides check portable notebooks results census bench gpu clean distclean
.PHONY: lint proofs form FORCE

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]*:.*## /{printf "make %-12s%s\n", $$1, $$2}' Makefile
	@echo 'PYTHON=python3.12 and TORCH=cpu or TORCH=cuda choose what the set-up uses.'

# A PYTHON or TORCH that was asked for is looked at even when .venv is complete.
$(SET_UP): pyproject.toml constraints.txt tools/install.py \
           $(if $(filter command environment,$(origin PYTHON) $(origin TORCH)),FORCE)
	@$(PYTHON) tools/install.py --torch $(TORCH)

# After a warning everything is read anew: a page that was read does not warn again.
book: $(SET_UP) ## build the book
	@$(BIN)/jupyter-book build . -W -n --keep-going $(ALL) || { rm -rf _build/.doctrees; exit 1; }
	@set -o pipefail; $(RUN) tools/check_site.py _build/html _toc.yml | tee $(LOG)/links
	@echo "Open $(CURDIR)/_build/html/index.html"

serve: book ## build the book and serve it on this machine (PORT=8000)
	@$(RUN) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

test: export OMP_NUM_THREADS := 1
test: lint form | $(LOG) ## check everything
	@$(MAKE) -s -o $(SET_UP) book ALL=--all >$(LOG)/book 2>&1 & book=$$!; \
	$(MAKE) -s -o $(SET_UP) proofs; proofs=$$?; wait $$book || { cat $(LOG)/book; exit 1; }; exit $$proofs
	@last() { tail -n 1 $(LOG)/$$1 | sed 's/ in [0-9.]*s.*//'; }; \
	seconds=$$(($$(date +%s) - $(STARTED))); \
	echo "make test: ruff clean; tests and cells: $$(last proofs); $$(last form); $$(last links);" \
	"$$((seconds / 60)) min $$((seconds % 60)) s"

site-test: book ## open every page of the book in a browser
	@$(RUN) tools/browse_site.py _build/html

print: book ## print the book as one PDF
	@$(RUN) tools/pdf.py book

slides: book ## print the figures of the chapters as slides (CHAPTER=05: of that one)
	@$(RUN) tools/pdf.py slides $(CHAPTER)

check: export OMP_NUM_THREADS := 1
check: lint form ## check in a minute or two: no notebook runs, slow tests only of what was changed
	@$(PYTEST) --fast tests

portable: $(SET_UP) ## run notebooks and tests under other instructions and numbers of threads
	@$(RUN) tools/portable.py

book form: | $(LOG)
$(LOG):
	@mkdir -p $@

lint: $(SET_UP)
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check

# Notebooks first: they are long, and the last files should be short ones.
proofs: $(SET_UP) | $(LOG)
	@set -o pipefail; $(PYTEST) --no-loadscope-reorder --nbval --nbval-current-env \
	$(NOTEBOOKS) tests | tee $(LOG)/proofs

form: $(SET_UP)
	@set -o pipefail; $(RUN) tools/notebooks.py check | tee $(LOG)/form

notebooks: $(SET_UP) ## run and store the notebooks (CHAPTER=05: that one)
	@$(RUN) tools/notebooks.py run $(CHAPTER)
	@$(RUN) tools/picture.py

results: $(SET_UP) ## run the long experiments whose results the chapters draw
	@$(RUN) -m experiments

census: $(SET_UP) ## diagnose the optimizers of other packages (PACKAGE=timm: that one's)
	@$(RUN) -m experiments.census $(PACKAGE)

bench: $(SET_UP) ## time a step of Adam on this machine and draw chapter 16 from it
	@$(RUN) -m adamlib.bench --output adamlib/results

gpu: ## check an NVIDIA GPU, with .venv or with the python at hand: 8 minutes, no network
	@$(if $(wildcard $(SET_UP)),$(RUN),$(PYTHON)) -m experiments.gpu $(OPTIONS)

clean: ## remove the built book
	rm -rf _build

distclean: clean ## remove the environment, too
	rm -rf .venv
