# SPDX-License-Identifier: GPL-2.0
# Everything is built and run in a private Debian 13 root, made once in the cache; see "make help".
# (The kernel's build system reads Kbuild, not this file.)

SHELL := /bin/bash
.DEFAULT_GOAL := all

PREFIX ?= /usr
RIG := tools/rig
CACHE_DIR := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fastnat
# KDIR: build on the host for this prepared kernel tree. KERNEL_RELEASE: for this Debian kernel.
export KDIR KERNEL_RELEASE LLVM CLIPPY C W V JOBS TESTS FASTNAT_MIRROR
.NOTPARALLEL:

.PHONY: help all module tools demo test test-unit test-vm test-perf test-debug fuzz bench check install clean distclean

all: module tools ## Build the module and the command-line tool (the default)

module: ## Build fastnat.ko; KDIR=<kernel tree> builds on the host, LLVM=1 with clang
	@$(RIG)/module.sh

tools: ## Build the command-line tool
	@$(RIG)/tools.sh

demo: module tools ## A guided tour in a VM
	@selftests/vm/run -- selftests/demo.sh

test: ## All tests: unit tests on the host, selftests in a VM, instructions and bytes of packets
	@$(RIG)/test.sh unit vm perf

test-unit: ## The unit tests alone
	@$(RIG)/test.sh unit

test-vm: ## The selftests alone; TESTS="snat dnat" selects some
	@$(RIG)/test.sh vm

test-perf: ## Instructions per packet against their budget, and packets against a reference
	@$(RIG)/test.sh perf

test-debug: ## The selftests on two debug kernels; KERNELS="uml x86", TESTS as above
	@$(RIG)/test.sh $(or $(KERNELS),uml x86)

fuzz: ## Fuzz rust/nat; TARGETS="parse rewrite" and SECONDS=60 for each select
	@FUZZ_SECONDS=$(or $(SECONDS),60) tools/fuzz/run $(TARGETS)

bench: ## Measure against conntrack and the flow table; ARMS, SCENARIOS, ROUNDS=10 select
	@ARMS="$(ARMS)" SCENARIOS="$(SCENARIOS)" ROUNDS="$(ROUNDS)" PACKETS="$(PACKETS)" METRIC="$(METRIC)" OUT="$(OUT)" selftests/perf/run

check: ## Formatting, lints, generated files, house rules
	@$(RIG)/check.sh

install: ## Install the module, the tool and their manual pages; DESTDIR, PREFIX
	@PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) $(RIG)/install.sh

clean: ## Remove what was built in the checkout
	@$(RIG)/clean.sh
	@rm -rf tools/target

distclean: clean ## Also say what the cache holds; CACHE=1 removes it
	@if [[ "$(CACHE)" == 1 ]]; then rm -rf "$(CACHE_DIR)"; \
	elif [[ -d "$(CACHE_DIR)" ]]; then echo "The cache has $$(du -sh "$(CACHE_DIR)" | cut -f1) in $(CACHE_DIR); 'make distclean CACHE=1' removes it."; fi

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14
