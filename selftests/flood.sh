#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Overload: a flood of unique tuples at a full table. What is new is refused and counted, what
# lives goes on, the gateway's own services answer, and memory stays within the settings.
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
	a_full_table_refuses_and_counts
	live_connections_go_on_in_a_flood
	the_gateways_services_answer_in_a_flood
	nothing_is_evicted
	memory_stays_within_the_settings
	there_is_room_again_when_there_is_less
	a_flood_of_bindings_is_refused_as_well
	tuples_made_to_collide_do_not
)

MOST=2000
SLAB=/sys/kernel/slab/fastnat_flow/objects

objects() { local objects; read -r objects _ <"$SLAB" && echo "$objects"; }
endpoints() { local i; for i in f0 f7 f19 t; do say "$i"; done; }

# speed WHILE…: kB/s of the TCP connection, both ways, for two seconds.
speed() {
	local begin=${EPOCHREALTIME/[.,]/} now count=0 got want
	want=$(tail -n1 "$TMP/endpoints")
	for ((now = begin; now < begin + 2000000; now = ${EPOCHREALTIME/[.,]/})); do
		got=$(say t - 50000)
		is "echo" "$got" "$want" || return
		count=$((count + 1))
	done
	KBS=$((count * 100000 * 1000 / (now - begin)))
}

# flood COUNT OPTION…: in the background; its process id is FLOODER.
flood() {
	blast "$@" >"$TMP/flood" &
	FLOODER=$!
	comes_true "the flood has begun" 5 refused_since "$(counter drop-max-flows)"
}

refused_since() { (($(counter drop-max-flows) > $1)); }
is_over() { ! kill -0 "$FLOODER"; }

a_full_table_refuses_and_counts() {
	local count
	count=$(($(affordable 10000) + MOST))
	is "answered" "$(agent flood 5 f "$client" 10.0.0.2:5000 192.0.2.2:53 20)" 20
	hold t tcp "$client" 10.0.0.2:5000 192.0.2.2:80
	endpoints >"$TMP/endpoints"
	configure config set --max-flows "$MOST" --max-bindings "$MOST" --timeout-udp 3000
	blast "$count" >/dev/null
	is "flows" "$(counter flows)" "$MOST"
	is "bindings" "$(counter bindings)" "$MOST"
	is "drop-max-flows" "$(counter drop-max-flows)" $((count + 21 - MOST))
	fn --json flow list | jq -c '.[].orig' | sort >"$TMP/before"
	[[ ! -r $SLAB ]] || objects >"$TMP/objects"
}

live_connections_go_on_in_a_flood() {
	local calm
	speed
	calm=$KBS
	flood $((PPS * 8))
	is "endpoints" "$(endpoints)" "$(cat "$TMP/endpoints")"
	speed
	note "TCP: $calm kB/s, with the flood $KBS kB/s$(is_over 2>/dev/null && echo ', which ended too early')"
}

# A listener stands for the ssh of the gateway.
the_gateways_services_answer_in_a_flood() {
	! is_over 2>/dev/null || flood $((PPS * 3))
	serve tcp "$gw" 0.0.0.0:22
	like "from inside" "$(ask tcp "$client" - 10.0.0.1:22)" '^10\.0\.0\.2:'
	like "from outside" "$(ask tcp "$server" - 192.0.2.1:22)" '^192\.0\.2\.2:'
	like "its own questions" "$(ask udp "$gw" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	works "ping from inside" at "$client" ping -qc1 -W5 10.0.0.1
	wait "$FLOODER"
	note "the flood: $(cat "$TMP/flood") packets a second"
}

nothing_is_evicted() {
	is "flows" "$(counter flows)" "$MOST"
	fn --json flow list | jq -c '.[].orig' | sort >"$TMP/after"
	works "the same flows" cmp "$TMP/before" "$TMP/after"
	is "endpoints" "$(endpoints)" "$(cat "$TMP/endpoints")"
	is "flows-expired, flows-flushed" "$(counter flows-expired) $(counter flows-flushed)" "0 0"
}

memory_stays_within_the_settings() {
	is "buckets within what was said" "$(fn --json stats table |
		jq --argjson most "$(fn --json config size | jq .buckets)" 'all(.buckets <= $most)')" true
	[[ -r $SLAB ]] || { skip "this kernel does not show its slabs"; return; }
	# A little room for others; some kernels merge caches.
	at_least "objects of the flood not there" $(($(cat "$TMP/objects") + 300 - $(objects))) 0
}

there_is_room_again_when_there_is_less() {
	works "flush" fn flow flush --policy 1000
	like "a new flow" "$(ask udp "$client" 10.0.0.2:6000 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "endpoints" "$(endpoints)" "$(cat "$TMP/endpoints")"
}

a_flood_of_bindings_is_refused_as_well() {
	local before
	before=$(counter drop-max-bindings)
	configure config set --max-flows 100k --max-bindings 500
	blast 2000 >/dev/null
	is "bindings" "$(counter bindings)" 500
	at_least "drop-max-bindings" "$(counter drop-max-bindings)" $((before + 1500))
	is "endpoints" "$(endpoints)" "$(cat "$TMP/endpoints")"
}

tuples_made_to_collide_do_not() {
	local longest
	works "flush" fn flow flush
	configure config set --max-flows 10k --max-bindings 10k --buckets 64
	comes_true "64 buckets" 8 few_buckets
	works "send" at "$client" python3 -IS "$HERE/collide.py" 10.0.0.2 198.18.0.1 64 64
	at_least "flows" "$(counter flows)" 64
	longest=$(fn --json stats table | jq 'map(.longest) | max')
	note "longest chain: $longest"
	((longest < 24)) || fail "longest chain: $longest entries of $(counter flows) flows in 64 buckets"
}

few_buckets() { [[ $(fn --json stats table | jq -c 'map([.buckets, .resizing]) | unique') == '[[64,null]]' ]]; }

hole_topology
configure policy add masquerade --out wan0
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
tests_run
