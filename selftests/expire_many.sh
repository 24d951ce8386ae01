#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A great many flows expire at once: those that live stay, and nobody waits.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#                         hole: swallows 198.18.0.0/15

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/pktgen.sh
. "$(dirname "$0")/pktgen.sh"

TESTS=(
	a_great_many_flows
	all_that_are_idle_expire
	each_is_counted_once
	nobody_waits_meanwhile
	those_that_live_stay
	a_tcp_connection_too
	their_ports_are_free_again
	what_they_took_is_given_back
)

a_great_many_flows() {
	local i
	configure config set --max-flows $((COUNT + 1000)) --max-bindings $((COUNT + 1000))
	is "answered" "$(agent flood 5 f "$client" 10.0.0.2:5000 192.0.2.2:53 20)" 20
	hold t tcp "$client" 10.0.0.2:5000 192.0.2.2:80
	for i in f0 f7 f19 t; do say "$i"; done >"$TMP/endpoints"
	blast "$COUNT" >/dev/null
	is "flows" "$(counter flows)" $((COUNT + 21))
	is "bindings" "$(counter bindings)" $((COUNT + 21))
}

live_alone() { (($(counter flows) <= 22)); }

all_that_are_idle_expire() {
	local begin pinger end
	nsenter --net="/run/netns/$client" env --default-signal=INT ping -w $((60 * SLOW)) -i 0.02 192.0.2.2 >"$TMP/pings" 2>&1 &
	pinger=$!
	comes_true "pings" 5 grep -q 'bytes from' "$TMP/pings"
	begin=${EPOCHREALTIME/[.,]/}
	configure config set --timeout-udp 1
	comes_true "the live ones are left" 30 live_alone
	end=${EPOCHREALTIME/[.,]/}
	kill -INT "$pinger"
	wait "$pinger"
	note "$COUNT flows gone after $(((end - begin) / 1000)) ms"
}

each_is_counted_once() {
	is "flows-expired" "$(counter flows-expired)" "$COUNT"
	is "bindings-ended" "$(counter bindings-ended)" "$COUNT"
	is "flows listed" "$(flows)" "$(counter flows)"
}

nobody_waits_meanwhile() {
	local max
	note "$(tail -n2 "$TMP/pings" | paste -sd' ')"
	like "lost" "$(cat "$TMP/pings")" ' 0% packet loss'
	max=$(sed -n 's|^rtt .*/\([0-9]*\)[.0-9]*/[.0-9]* ms.*|\1|p' "$TMP/pings")
	at_least "ms that the longest ping is below the limit" $((1000 * SLOW - ${max:-1000000})) 0
}

# By a policy with more patience.
those_that_live_stay() {
	local i
	for i in f0 f7 f19 t; do say "$i"; done >"$TMP/after"
	works "same endpoints" cmp "$TMP/endpoints" "$TMP/after"
	is "flows" "$(counter flows)" 22
}

a_tcp_connection_too() { like "endpoint" "$(say t)" '^192\.0\.2\.1:'; }

their_ports_are_free_again() {
	is "bindings of the pool" "$(fn --json pool list | jq '.[0].bindings')" 0
	configure config set --timeout-udp 300
	blast 1000 >/dev/null
	is "flows" "$(counter flows)" 1022
	works "flush" fn flow flush --policy 1000
}

what_they_took_is_given_back() {
	[[ -r /sys/kernel/slab/fastnat_flow/objects ]] || { skip "this kernel does not show its slabs"; return; }
	! dmesg | grep -q 'KernelAddressSanitizer initialized' || { skip "KASAN keeps what was freed"; return; }
	comes_true "flow objects are free" 10 few_objects
}

few_objects() {
	local objects
	read -r objects _ </sys/kernel/slab/fastnat_flow/objects
	((objects < COUNT / 4))
}

hole_topology
configure policy add masquerade --out wan0 --timeout-udp 1000
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
COUNT=$(affordable 100000)
tests_run
