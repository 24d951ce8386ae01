#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Random requests, good and bad ones, made from the specification: each is answered, what is
# refused is explained and changes nothing, what is accepted does what it says; alone, under
# traffic, and from many processes that are killed half way. fuzz.py makes and judges them.
#
#   FUZZ_SEED=N       the same requests again; printed at the start
#   FUZZ_SECONDS=S    how long, 20 if not given
#   FUZZ_VERBOSE=1    prints each request before it is sent, for kernels that die of it
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

SPEC=$HERE/../Documentation/netlink/specs/fastnat.yaml
FUZZ_SECONDS=${FUZZ_SECONDS:-20}
FUZZ_SEED=${FUZZ_SEED:-$SRANDOM}

TESTS=(
	alone
	alone_under_traffic
	many_at_once
	everything_can_be_removed
	the_gateway_dies_full
	the_module_can_go
)

start_fuzzer() {
	mkfifo "$TMP/to" "$TMP/from"
	python3 -B "$HERE/fuzz.py" "$SPEC" "$FUZZ_SEED" <"$TMP/to" >"$TMP/from" 2>"$TMP/errors" &
	JOBS+=($!)
	exec {TO_FUZZER}>"$TMP/to" {FROM_FUZZER}<"$TMP/from"
}

tell_fuzzer() { printf '%s\n' "$*" >&"$TO_FUZZER"; }

# The fuzzer's notes, until its verdict.
fuzzer_did() {
	local line
	while IFS= read -rt $((FUZZ_SECONDS + 120)) line <&"$FROM_FUZZER"; do
		case $line in
		ok) return ;;
		failed) break ;;
		*) echo "$line" ;;
		esac
	done
	sed 's/^/# /' "$TMP/errors"
	: >"$TMP/errors"
	fail "$1: ${line:-no answer of the fuzzer}; again: FUZZ_SEED=$FUZZ_SEED FUZZ_SECONDS=$FUZZ_SECONDS"
}

fuzz() {
	tell_fuzzer "$@"
	fuzzer_did "$1"
}

# share PERCENT: of the time.
share() { echo $((FUZZ_SECONDS * $1 / 100 + 1)); }

# Kernel memory in use by few but us, kB.
memory() { awk '/^(SUnreclaim|VmallocUsed|Percpu):/ { sum += $2 } END { print sum }' /proc/meminfo; }

alone() { fuzz new "$(share 40)" "/run/netns/$gw"; }

alone_under_traffic() {
	is "traffic" "$(agent pour "$client" 192.0.2.2:53)" ok
	is "traffic" "$(agent pour "$client" 192.0.2.3:80)" ok
	fuzz alone "$(share 25)" "/run/netns/$gw"
}

many_at_once() { fuzz crowd "$(share 30)" "/run/netns/$gw"; }

all_gone() { [[ $(counter flows) == 0 && $(counter bindings) == 0 ]]; }

everything_can_be_removed() {
	fuzz clear "/run/netns/$gw"
	comes_true "nothing is left" 10 all_gone
	is "flows listed" "$(flows)" 0
	is "bindings listed" "$(bindings)" 0
}

# The killed members of the crowd are the last who know of the namespace.
the_gateway_dies_full() {
	tell_fuzzer crowd "$(share 10)" "/run/netns/$gw"
	sleep 1
	works "delete" ip netns del "$gw"
	unset "NAMESPACES[-2]"
	fuzzer_did crowd
	comes_true "its cables are gone" 20 no_cables
	agent calm >/dev/null
	gw=
}

no_cables() { ! ip -n "$client" link show eth0 && ! ip -n "$server" link show eth0; }

the_module_can_go() {
	local more
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	comes_true "no namespace aggregates" 20 grep -qx 0 /sys/module/fastnat/refcnt
	works "unload" rmmod fastnat
	is "slab caches" "$(grep -c fastnat /proc/slabinfo)" 0
	is "mappings" "$(grep -c fastnat /proc/vmallocinfo)" 0
	more=$(($(memory) - MEMORY))
	note "kernel memory: $more kB more than before"
	# Debug kernels keep what was freed for a while, and look for leaks by themselves.
	[[ -e /sys/kernel/debug/kmemleak ]] || ((more < 16384)) || fail "kernel memory: $more kB more than before"
	works "load" load_module
}

[[ -f $SPEC ]] || skip_all "no specification at $SPEC"
note "FUZZ_SEED=$FUZZ_SEED FUZZ_SECONDS=$FUZZ_SECONDS"
MEMORY=$(memory)
start_fuzzer
gateway_topology
tests_run
