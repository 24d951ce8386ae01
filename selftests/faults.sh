#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No memory: each allocation of the module is made to fail in turn. What was asked for is refused
# with a message and changes nothing, or is done all the same; packets are dropped and counted, and
# the flows that are there go on. Whether memory leaked is for the VM to say (vm/checkers.sh). Needs a
# kernel with fault injection, as the debug kernels are.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

SPEC=$HERE/../Documentation/netlink/specs/fastnat.yaml
DEBUG=/sys/kernel/debug

TESTS=(
	a_refused_change_changes_nothing
	reading_is_refused_or_works
	a_new_namespace_gets_all_or_nothing
	namespaces_can_be_made
	new_flows_are_dropped_and_counted
	flows_alive_go_on
	lost_events_are_counted
	all_is_well_with_memory_again
	nothing_is_left_behind
	loading_fails_cleanly
)

# faults WORDS…: see faults.py.
faults() {
	local output status
	output=$(at "$gw" timeout $((250 * SLOW)) python3 -B "$HERE/faults.py" "$SPEC" "$@" 2>&1)
	status=$?
	[[ ! $output ]] || note "${output//$'\n'/$'\n'# }"
	((status == 0)) || fail "faults.py $*: exit $status"
}

no_faults() { faults off; }

a_refused_change_changes_nothing() { faults changes; }
reading_is_refused_or_works() { faults reads; }
a_new_namespace_gets_all_or_nothing() { faults namespaces; }
namespaces_can_be_made() { faults creation; }

new_flows_are_dropped_and_counted() {
	local cache before answered
	unconfigure
	configure config set --timeout-udp 300
	configure policy add masquerade --out wan0
	hold alive udp "$client" 10.0.0.2:4000 192.0.2.2:53
	ALIVE=$(say alive)
	like "server saw" "$ALIVE" '^192\.0\.2\.1:'
	for cache in fastnat_flow fastnat_binding ''; do
		before=$(counter drop-memory)
		# shellcheck disable=SC2086 # no cache, no word
		faults on 50 $cache
		answered=$(agent flood 2 "${cache:-all}" "$client" - 192.0.2.2:53 60)
		is "the flow alive" "$(say alive)" "$ALIVE"
		faults off
		note "${cache:-all}: $answered of 60 new flows, $(($(counter drop-memory) - before)) dropped"
		at_least "drop-memory" "$(counter drop-memory)" $((before + 1))
		((answered < 60)) || fail "all new flows were made"
	done
}

flows_alive_go_on() {
	local i
	faults on 100
	for i in {1..20}; do
		is "the flow alive, $i" "$(say alive)" "$ALIVE"
	done
	like "a new one" "$(silent ask udp "$client" - 192.0.2.2:53)" '^(timeout|EHOSTUNREACH)$'
	faults off
}

lost_events_are_counted() {
	local listener
	at "$gw" timeout 60 python3 -B "$HERE/faults.py" "$SPEC" listen >"$TMP/events" 2>&1 &
	listener=$!
	JOBS+=("$listener")
	comes_true "listens" 10 grep -q listens "$TMP/events"
	faults on 50
	agent flood 2 e "$client" - 192.0.2.2:53 60 >/dev/null
	faults off
	at_least "events lost" "$(counter events-lost)" 1
	kill "$listener"
}

all_is_well_with_memory_again() {
	is "answered" "$(agent flood 4 w "$client" - 192.0.2.2:53 40)" 40
	is "the flow alive" "$(say alive)" "$ALIVE"
	works "flush" fn flow flush
	is "flows and bindings" "$(counter flows) $(counter bindings)" "0 0"
	is "created less gone" "$(($(counter flows-created) - $(counter flows-flushed) - $(counter flows-expired)))" 0
	is "bindings created less ended" "$(($(counter bindings-created) - $(counter bindings-ended)))" 0
}

nothing_is_left_behind() {
	unconfigure
	works "unload" rmmod fastnat
	is "slab caches" "$(grep -c fastnat /proc/slabinfo)" 0
	works "load" load_module
}

loading_fails_cleanly() {
	local file
	file=$(modinfo -n fastnat 2>/dev/null) || file=$HERE/../fastnat.ko
	works "unload" rmmod fastnat
	faults module "$file"
	works "load" load_module
}

[[ -e $DEBUG/failslab/require-start && -e $DEBUG/fail_page_alloc/require-start && -e /proc/self/fail-nth ]] ||
	skip_all "this kernel has no fault injection (FAILSLAB, FAIL_PAGE_ALLOC, with a filter for stack traces)"
load_module
grep -q "^fastnat " /proc/modules || skip_all "fastnat is not a module here"
[[ -f $SPEC ]] || skip_all "no specification at $SPEC"
gateway_topology
serve udp "$server" 192.0.2.2:53
trap 'no_faults; [[ -d /sys/module/fastnat ]] || load_module; cleanup' EXIT
tests_run
