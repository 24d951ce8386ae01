#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module comes and goes: idle, with flows alive, and under traffic; and leaves
# nothing behind.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	ten_times_idle
	five_times_with_flows_alive
	five_times_under_traffic
	nothing_is_left_behind
	buckets_are_a_parameter
)

loaded() { [[ -d /sys/module/fastnat ]]; }
unload() { works "unload" rmmod fastnat; }

ten_times_idle() {
	local i
	for i in {1..10}; do
		unload || return
		works "load $i" load_module || return
	done
	is "policies" "$("$FASTNAT" --json policy list | jq length)" 0
}

five_times_with_flows_alive() {
	local i
	for i in {1..5}; do
		configure policy add masquerade --out wan0 || return
		is "answered, $i" "$(agent flood 4 "f$i-" "$client" - 192.0.2.2:53 20)" 20
		at_least "flows" "$(counter flows)" 20
		unload || return
		works "load" load_module || return
		is "flows of a fresh module" "$(counter flows)" 0
	done
}

five_times_under_traffic() {
	local i
	is "traffic" "$(agent pour "$client" 192.0.2.2:53)" ok
	for i in {1..5}; do
		configure policy add masquerade --out wan0 || break
		comes_true "flows, $i" 4 some_flows
		unload || break
		works "load" load_module || break
	done
	agent calm >/dev/null
}

some_flows() { (($(counter flows) > 10)); }

nothing_is_left_behind() {
	unload
	is "slab caches" "$(grep -c fastnat /proc/slabinfo)" 0
	is "the plain way through" "$(silent ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)" timeout
	like "server heard" "$(heard udp "$server" 53)" '10\.0\.0\.2:4000$'
	works "load" load_module
	configure policy add masquerade --out wan0
	like "server saw" "$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)" '^192\.0\.2\.1:'
}

buckets_are_a_parameter() {
	unload
	modprobe fastnat buckets=4096 2>/dev/null || insmod "$HERE/../fastnat.ko" buckets=4096 || { fail "load"; return; }
	is "shown" "$(fn --json config show | jq .buckets)" 4096
	unload
	works "load" load_module
}

[[ -e /sys/module/fastnat/refcnt ]] || skip_all "fastnat is not a module here"
gateway_topology
serve udp "$server" 192.0.2.2:53
trap 'loaded || load_module; cleanup' EXIT
tests_run
