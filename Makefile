# What people type. `make run` and `make test` set up what is missing; nothing else is needed.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
# More options for the program: make run ARGS="--set model.width=384"
ARGS ?=
# More options for swift test: make test FILTER="--filter RecipeTests"
FILTER ?=
# How often runs are tormented, small or full, and which rows of the table: make torture ROWS="kills power-cuts"
COUNT ?= full
ROWS ?=

program := .build/release/foretop
# Colours are a part of the compiler's command line: with them, a build on a terminal and one in a log would each throw the
# other's work away.
swift_build := swift build -c release --no-color-diagnostics
swift_test := swift test -c release --no-color-diagnostics
python := .venv/bin/python
writer := .build/release/RunFileTorture

.PHONY: help setup build build-mpi run build-tests test test-files test-units test-filtered test-terminal test-torture \
  test-allocations test-losses test-cluster torture screens sanitize fuzz bench bench-peers bench-optimizers bench-ranks \
  bench-cores bench-control format lint asm install clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install what is missing and make the default corpus
	@sh tools/setup

build: setup ## build the program
	$(swift_build) --product foretop

run: build ## train on the default corpus, with the screen
	@$(program) train $(ARGS)

build-tests: setup
	$(swift_build) --build-tests
	$(swift_build) --product foretop

# `make test` runs its parts side by side, JOBS at a time, so that no core waits for the end of another part; those that take
# longest come first. make test PARTS="units losses" JOBS=1
PARTS ?= files terminal torture units allocations losses
JOBS ?= 3
parts = $(if $(FILTER),filtered $(filter-out files units,$(PARTS)),$(PARTS))
# Swift's tests are in one program. libhdf5 lets those of run files go on one at a time: the others do not wait for them.
# More tests than cores go on at a time: a thread that spins while it waits would take a core from another test.
spins := GOMP_SPINCOUNT=500
swift_tests = $(spins) FORETOP_PYTHON="$(CURDIR)/$(python)" .build/release/foretopPackageTests.xctest --testing-library swift-testing
run_file_tests := '^RunFileTests[.]'

test: build-tests .venv/ready ## run every test
	$(MAKE) --no-print-directory .build/allocations.so .build/wiretap.so
	@scratch=$$(sh tools/scratch); trap 'rm -rf "$$scratch"' EXIT; \
	  TMPDIR="$$scratch" NO_COLOR=1 OPENBLAS_NUM_THREADS=1 $(MAKE) --no-print-directory --jobs=$(JOBS) --keep-going \
	  $(if $(MAKE_TERMOUT),,--output-sync=target) $(parts:%=test-%)

test-files:
	$(swift_tests) --filter $(run_file_tests)

test-units:
	$(swift_tests) --skip $(run_file_tests)

test-filtered:
	$(swift_tests) $(FILTER)

test-terminal:
	$(python) Tests/Terminal/run.py $(program)

test-torture:
	$(python) Tests/Torture/run.py $(program) $(writer) .build/wiretap.so small

test-allocations:
	LD_PRELOAD="$(CURDIR)/.build/allocations.so" .build/release/StepAllocations

test-losses:
	$(spins) .build/release/StoredLosses

# Not in CI: it installs MPI and Slurm, and a little Slurm cluster needs root. The program is built once more, with MPI.
# make test-cluster WORDS="rank slurm"
test-cluster: build-mpi .venv/ready ## test several processes with mpirun, and experiments on a Slurm of this machine
	@sh tools/setup slurm-wlm munge
	$(python) Tests/Cluster/run.py $(program_mpi) $(WORDS)

program_mpi := .build-mpi/release/foretop
build-mpi: setup
	@sh tools/setup libopenmpi-dev openmpi-bin
	FORETOP_MPI=1 FORETOP_STDLIB=shared $(swift_build) --scratch-path .build-mpi --product foretop

torture: build-tests .venv/ready ## kill runs, fill disks, cut the power, thousands of times
	@sh tools/setup python3-h5py
	$(if $(ROWS),,$(tests_at_length))
	$(MAKE) --no-print-directory .build/wiretap.so
	$(python) Tests/Torture/run.py $(program) $(writer) .build/wiretap.so $(COUNT) $(ROWS)

# The tests of `make test` that try something as often as they are told to.
define tests_at_length
FORETOP_TORTURE=$(COUNT) FORETOP_PYTHON="$(CURDIR)/$(python)" $(swift_test) --skip-build --filter 'RunFileTests|TransformerTests|FactsTests|AllScreensWalkTests|RandomWalkTests'
FORETOP_TORTURE=$(COUNT) $(python) Tests/Terminal/run.py $(program) bad_input 'told to end' 'kills lose' 'killed experiment'
endef

# Libraries for LD_PRELOAD: one that listens to what a process does to its files, one that counts what it allocates. Swift
# brings its own clang.
preloaded = "$$(command -v clang || command -v cc)" -O2 -Wall -Werror -shared -fPIC -o $@ $<
.build/wiretap.so: Tests/Torture/wiretap.c
	$(preloaded)
.build/allocations.so: Tests/StepAllocations/counter.c
	$(preloaded)

screens: build .venv/ready ## take the pictures of screens in README.md and docs/screen.md
	@$(python) tools/screens.py $(program)

# The Python that reads run files and screens in tests.
.venv/ready: tools/requirements.txt
	python3 -m venv .venv
	$(python) -m pip install --quiet --disable-pip-version-check -r tools/requirements.txt
	@touch $@

# Builds of their own, with the sanitizers of Swift's clang. Everything runs at the lowest priority: it takes long.
# make sanitize KINDS=thread FILTER="--filter Trainer"
KINDS ?= address thread
address_options := ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1
thread_options := TSAN_OPTIONS="suppressions=$(CURDIR)/tools/thread-sanitizer.txt:history_size=4:halt_on_error=0:exitcode=66"
sanitized_build = FORETOP_STDLIB=shared nice -n 19 swift build -c release --no-color-diagnostics --scratch-path .build-sanitize-$* --sanitize=$*

sanitize: setup .venv/ready $(addprefix sanitize-,$(KINDS)) ## run the tests with sanitizers of memory and threads

sanitize-%:
	$(sanitized_build) --build-tests
	$(sanitized_build) --product foretop
	FORETOP_PYTHON="$(CURDIR)/$(python)" $($*_options) nice -n 19 swift test -c release --no-color-diagnostics \
	  --scratch-path .build-sanitize-$* --sanitize=$* --skip-build $(FILTER)
	$($*_options) FORETOP_PATIENCE=3600 nice -n 19 $(python) Tests/Terminal/run.py .build-sanitize-$*/release/foretop $(WORDS)

# Which readers are fuzzed, and for how many seconds each: make fuzz TIME=3600 TARGETS="journal recipe"
TIME ?= 60
TARGETS ?= $(notdir $(wildcard Tests/FuzzTests/corpus/*))
fuzzer = $(shell "$$(dirname "$$(readlink -f "$$(command -v swiftc)")")/clang" -print-resource-dir)/lib/linux/libclang_rt.fuzzer_no_main-x86_64.a
coverage := edge,inline-8bit-counters,pc-table,trace-cmp

fuzz: setup ## feed malformed bytes to the readers of files
	FORETOP_FUZZ=1 nice -n 19 swift build -c release --no-color-diagnostics --scratch-path .build-fuzz --product Fuzz \
	  --sanitize=address -Xswiftc -sanitize-coverage=$(coverage) -Xcc -fsanitize-coverage=inline-8bit-counters,pc-table,trace-cmp \
	  -Xlinker $(fuzzer) -Xlinker --undefined=LLVMFuzzerRunDriver \
	  -Xlinker --export-dynamic-symbol=LLVMFuzzerRunDriver -Xlinker -lstdc++
	@bad=0; for target in $(TARGETS); do \
	  mkdir -p .build-fuzz/found/$$target; \
	  echo "$$target, $(TIME) s:"; \
	  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 nice -n 19 .build-fuzz/release/Fuzz $$target \
	    -max_total_time=$(TIME) -timeout=10 -rss_limit_mb=4096 -artifact_prefix=.build-fuzz/found/$$target- \
	    -print_final_stats=1 -print_funcs=0 -verbosity=0 .build-fuzz/found/$$target Tests/FuzzTests/corpus/$$target \
	    >.build-fuzz/$$target.log 2>&1 || bad=1; \
	  grep -aE 'executed_units|SUMMARY|Fatal error|Test unit written' .build-fuzz/$$target.log || true; \
	done; exit $$bad

bench: build ## compare speed and memory with this machine's limits
	@$(program) bench $(ARGS)

peers := .venv-peers/bin/python

bench-peers: build .venv-peers/ready ## compare speed, memory and time to a loss with PyTorch, and decoding with llama.cpp
	@$(peers) Benchmarks/peers/compare.py $(program) $(ARGS)
	@$(peers) Benchmarks/peers/to_a_loss.py $(program)
	@$(MAKE) --no-print-directory .venv-peers/llama || true
	@$(peers) Benchmarks/peers/decoding.py $(program)

# Which size of Benchmarks/optimizers.py, or which recipe: quick (minutes), nanogpt (half an hour), default and small (hours).
# make bench-optimizers SIZE=nanogpt
SIZE ?= quick
bench-optimizers: build ## compare Muon with AdamW: tokens and time until the same held-out loss
	@python3 Benchmarks/optimizers.py $(program) $(SIZE) --jobs 2 --out .build/optimizers.jsonl $(ARGS)

# On which recipe ranks are measured. The cables need root.
# make bench-ranks RECIPE=default
RECIPE ?= small
bench-ranks: build-mpi ## compare ranks with threads of one process, then ranks over slower and slower cables
	@python3 Tests/Cluster/networks.py $(program_mpi) $(RECIPE) here
	@python3 Tests/Cluster/networks.py $(program_mpi) $(RECIPE)

bench-cores: build ## predict the share of the limit on more cores, from this machine's parts of a step
	@python3 Benchmarks/cores.py $(program) $(RECIPE) $(ARGS)

bench-control: build ## measure how much hostile peers of the control socket slow a training
	python3 Benchmarks/hostile_peers.py .build/release/foretop

.venv-peers/ready: Benchmarks/peers/requirements.txt
	python3 -m venv .venv-peers
	$(peers) -m pip install --quiet --disable-pip-version-check --no-deps \
	  --extra-index-url https://download.pytorch.org/whl/cpu "$$(grep '^torch==' $<)"
	$(peers) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# lm-evaluation-harness, whose model of transformers needs accelerate: many packages. Without it, tasks are not compared.
.venv-peers/harness: .venv-peers/ready
	$(peers) -m pip install --quiet --disable-pip-version-check lm-eval==0.4.13 accelerate==1.15.0
	@touch $@

# llama.cpp, which PyPI has as source: a C++ compiler is needed (pip fetches CMake and Ninja), and five minutes of one core. Without
# it, decoding is not compared.
.venv-peers/llama: .venv-peers/ready
	@echo "peers: compiling llama.cpp takes some minutes" >&2
	$(peers) -m pip install --quiet --disable-pip-version-check llama-cpp-python==0.3.16
	@touch $@

format: ## format the sources
	swift format -i -r Package.swift Sources Tests Benchmarks

lint: ## check format and style
	swift format lint --strict -r Package.swift Sources Tests Benchmarks

asm: build ## disassemble the kernels into .build/asm
	@mkdir -p .build/asm
	@for object in .build/release/Kernels.build/*.o; do \
	  objdump -d --no-show-raw-insn "$$object" | swift demangle --simplified \
	    >".build/asm/$$(basename "$$object" .o).asm"; \
	done
	@ls -l .build/asm/*.asm

# Completions and manual pages go where shells and man look for them below PREFIX/share.
shared = $(DESTDIR)$(PREFIX)/share

install: build ## install program, completions and manual pages to PREFIX (/usr/local)
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/share/foretop/recipes" \
	  "$(DESTDIR)$(PREFIX)/share/foretop/experiments" "$(DESTDIR)$(PREFIX)/share/foretop/layouts" \
	  "$(DESTDIR)$(PREFIX)/share/foretop/corpora" "$(DESTDIR)$(PREFIX)/share/foretop/tasks"
	install -m 755 $(program) "$(DESTDIR)$(PREFIX)/bin/foretop"
	install -m 644 recipes/*.yaml "$(DESTDIR)$(PREFIX)/share/foretop/recipes"
	install -m 644 experiments/*.yaml "$(DESTDIR)$(PREFIX)/share/foretop/experiments"
	install -m 644 layouts/*.yaml "$(DESTDIR)$(PREFIX)/share/foretop/layouts"
	install -m 644 tasks/*.jsonl "$(DESTDIR)$(PREFIX)/share/foretop/tasks"
	install -m 644 corpora/*.txt "$(DESTDIR)$(PREFIX)/share/foretop/corpora"
	install -d "$(shared)/bash-completion/completions" "$(shared)/zsh/site-functions" \
	  "$(shared)/fish/vendor_completions.d" "$(shared)/man/man1" "$(shared)/man/man5"
	$(program) --generate-completion-script bash >"$(shared)/bash-completion/completions/foretop"
	$(program) --generate-completion-script zsh >"$(shared)/zsh/site-functions/_foretop"
	$(program) --generate-completion-script fish >"$(shared)/fish/vendor_completions.d/foretop.fish"
	rm -rf .build/man && mkdir -p .build/man && $(program) manual .build/man
	install -m 644 .build/man/*.1 "$(shared)/man/man1"
	install -m 644 .build/man/*.5 "$(shared)/man/man5"

clean: ## remove build products; runs and corpora stay
	rm -rf .build .venv
