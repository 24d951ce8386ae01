#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tables grow with what they hold, shrink again, and are resized by hand, in traffic: nobody
# notices, and what cannot be had is refused.
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
	tables_begin_small
	they_grow_with_the_flows
	chains_stay_short
	who_was_there_before_keeps_its_endpoint
	by_hand_both_ways_a_transfer_stays_whole
	and_everybody_keeps_his_endpoint
	nothing_was_dropped
	a_listing_taken_meanwhile_is_complete_or_says_that_it_is_not
	too_many_buckets_are_refused
	a_container_may_not_go_beyond_the_default
	back_to_automatic_they_fit_again
	an_empty_one_shrinks_after_a_minute
)

HOLDS=(0 7 15 24 39)
drops() { fn --json stats | jq -c 'with_entries(select((.key | startswith("drop-")) and .value != 0))'; }
table() { fn --json stats table | jq -c ".[] | select(.kind == \"$1\")"; }
buckets_are() { [[ $(fn --json stats table | jq -c 'map([.buckets, .resizing])') == "[[$1,null],[$1,null]]" ]]; }
settled() { [[ $(fn --json stats table) != *'"resizing"'* ]]; }

# endpoints: those that the server sees of the sockets, and of the TCP connection.
endpoints() {
	local i
	for i in "${HOLDS[@]}"; do say "f$i"; done
	say t
}

tables_begin_small() {
	is "tables" "$(fn --json stats table | jq -c 'map([.kind, .buckets, .entries, .longest, .chain])')" \
		'[["flows",256,0,0,[256,0,0,0,0,0,0,0,0]],["bindings",256,0,0,[256,0,0,0,0,0,0,0,0]]]'
	is "answered" "$(agent flood 5 f "$client" 10.0.0.2:5000 192.0.2.2:53 40)" 40
	hold t tcp "$client" 10.0.0.2:5000 192.0.2.2:80
	endpoints >"$TMP/endpoints"
}

they_grow_with_the_flows() {
	local count kind
	count=$(affordable 5000)
	blast "$count" >/dev/null
	is "flows" "$(counter flows)" $((count + 41))
	comes_true "the tables have settled" 5 settled
	for kind in flows bindings; do
		table "$kind" >"$TMP/$kind"
		at_least "buckets of $kind" "$(jq .buckets "$TMP/$kind")" $((2 * count))
	done
	at_least "resizes" "$(counter resizes)" 2
}

chains_stay_short() {
	local kind
	for kind in flows bindings; do
		is "entries of $kind" "$(jq .entries "$TMP/$kind")" $((2 * $(counter "$kind")))
		is "buckets in the histogram of $kind" "$(jq '(.chain | add) == .buckets' "$TMP/$kind")" true
		# With a load below 1 the fullest of 100000 buckets has 9 or so.
		at_least "entries that the longest chain of $kind is below 13" "$(jq '13 - .longest' "$TMP/$kind")" 1
		is "entries in the histogram of $kind" "$(jq '.chain[8] > 0 or .entries == ([.chain | to_entries[] | .key * .value] | add)' "$TMP/$kind")" true
		is "longest of $kind" "$(jq '.chain[8] > 0 or .longest == ([.chain | to_entries[] | select(.value > 0) | .key] | max)' "$TMP/$kind")" true
	done
	note "longest chains: $(jq -r '"\(.longest) of \(.kind)"' "$TMP/flows" "$TMP/bindings" | paste -sd,)"
}

who_was_there_before_keeps_its_endpoint() {
	is "endpoints" "$(endpoints)" "$(cat "$TMP/endpoints")"
}

# Sizes that are asked for one after another, without a break, while it runs.
by_hand_both_ways_a_transfer_stays_whole() {
	local size count=0 mover
	is "traffic" "$(agent pour "$client" 192.0.2.2:53)" ok
	transfer "$client" "$server" 192.0.2.2 81 4 >"$TMP/verdict" &
	mover=$!
	while kill -0 "$mover" 2>/dev/null || ((count < 8)); do
		for size in 131072 4096 262144 16384; do
			configure config set --buckets "$size" || break 2
			comes_true "$size buckets" 8 buckets_are "$size"
			count=$((count + 1))
		done
	done
	wait "$mover"
	agent calm >/dev/null
	is "transfer" "$(cat "$TMP/verdict")" intact
	note "$count sizes set meanwhile"
}

and_everybody_keeps_his_endpoint() { is "endpoints" "$(endpoints)" "$(cat "$TMP/endpoints")"; }
nothing_was_dropped() { is "drops" "$(drops)" "{}"; }

a_listing_taken_meanwhile_is_complete_or_says_that_it_is_not() {
	local complete=0 interrupted=0 resizer want
	want=$(counter flows)
	: >"$TMP/resizing"
	while [[ -e $TMP/resizing ]]; do
		fn config set --buckets 131072 && fn config set --buckets 16384
	done >/dev/null 2>&1 &
	resizer=$!
	while ((complete + interrupted < 3)); do
		if fn --json flow list >"$TMP/list" 2>"$TMP/said"; then
			is "flows listed" "$(grep -o '"orig":{[^}]*}' "$TMP/list" | sort -u | wc -l)" "$want"
			complete=$((complete + 1))
		else
			like "what is said" "$(cat "$TMP/said")" '(interrupt|changed|again|while)'
			interrupted=$((interrupted + 1))
		fi
	done
	rm "$TMP/resizing"
	wait "$resizer"
	note "$complete complete, $interrupted interrupted"
}

too_many_buckets_are_refused() {
	local output status=0
	# Two tables of 64M buckets of 16 bytes, in three quarters of what is there.
	(($(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) < 2700000)) || { skip "this machine has memory for all there may be"; return; }
	configure config set --buckets 8192
	output=$(fn config set --buckets 64M --timeout-udp 77 2>&1) || status=$?
	is "exit status" "$status" 1
	like "what is said" "$output" 'memory'
	is "settings" "$(fn --json config show | jq -c '[.buckets, ."timeout-udp"]')" '[8192,300]'
	comes_true "8192 buckets" 8 buckets_are 8192
	fn config set --buckets 65M >/dev/null 2>&1 && fail "more than there may be: accepted"
	is "endpoints" "$(endpoints)" "$(cat "$TMP/endpoints")"
}

# in_container WORDS…: of another user namespace and its own network.
in_container() { unshare --user --map-root-user --net "$FASTNAT" "$@" 2>&1; }

a_container_may_not_go_beyond_the_default() {
	local most status=0 output
	most=$(in_container --json config show | jq '[."max-flows", ."max-bindings"] | max * 2')
	output=$(in_container config set --buckets $((2 * most))) || status=$?
	is "exit status" "$status" 4
	like "what is said" "$output" 'administrator.*attribute buckets'
	works "fewer" in_container config set --buckets 1024
}

back_to_automatic_they_fit_again() {
	configure config set --buckets auto
	at_least "flows" "$(counter flows)" 1000
	comes_true "as many buckets as entries" 10 roomy
}

roomy() { [[ $(fn --json stats table | jq 'all(.buckets >= .entries and .resizing == null)') == true ]]; }

# The one next door has been empty since the tests began.
an_empty_one_shrinks_after_a_minute() {
	[[ ${FASTNAT_LONG:-} ]] || { skip "takes a minute; FASTNAT_LONG=1 asks for it"; return; }
	comes_true "256 buckets" $((75 / SLOW + 1)) next_door buckets_are 256
	is "flows" "$(next_door counter flows)" 0
}

next_door() { gw=$gw2 "$@"; }

# A gateway without neighbours: all that it translates is its own, from an address that is no outside one.
setup_next_door() {
	setup_ns gw2
	apply
	ip -n "$gw2" -batch - <<-'END'
		link add hole type dummy
		link set hole up
		addr add 198.18.0.254/15 dev hole
		addr add 10.0.0.1/32 dev lo
	END
	next_door configure policy add masquerade --out hole
	at "$gw2" python3 -IS -c '
import socket
for port in range(5000, 5400):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("10.0.0.1", port))
        sock.sendto(b"x", ("198.18.0.1", 9))'
	is "flows next door" "$(next_door counter flows)" 400
	comes_true "1024 buckets next door" 5 next_door buckets_are 1024
	next_door works "flush" fn flow flush
}

hole_topology
[[ ! ${FASTNAT_LONG:-} ]] || setup_next_door
configure policy add masquerade --out wan0
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
tests_run
