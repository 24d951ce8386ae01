#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# `fastnat monitor`: what happens is told to those who listen, in this namespace and with
# the right to; what is lost is noticed.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3
#                         hole: swallows 198.18.0.0/15

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/pktgen.sh
. "$(dirname "$0")/pktgen.sh"

TESTS=(
	a_binding_is_announced
	so_is_its_end
	one_that_is_added_by_request_says_so
	flows_only_when_that_is_set
	flows_then_come_and_go
	numbers_have_no_gaps
	an_exhausted_pool_is_announced_with_its_counter
	a_limit_is_announced_once_a_second_at_most
	a_listener_that_is_too_slow_learns_what_it_lost
	and_lists_what_lives
	other_namespaces_hear_nothing
	users_without_the_right_may_not_listen
	who_only_listens_costs_no_flow
	the_listener_ends_with_the_module
)

declare -A LISTENERS=()

# listen NAME OPTION…: from now on events are in the file NAME, a line each.
listen() {
	"$FASTNAT" --netns "$gw" --json monitor "${@:2}" >"$TMP/$1" 2>"$TMP/$1.err" &
	LISTENERS[$1]=$!
	JOBS+=($!)
	comes_true "$1 listens" 5 grep -q '"listening"' "$TMP/$1"
}

# heard_of FILE FILTER: has there been such an event?
heard_of() { jq -e -s "any(.[]; $2)" "$TMP/$1"; }
how_many() { jq -s "map(select($2)) | length" "$TMP/$1"; }

a_binding_is_announced() {
	local seen
	listen bindings --bindings
	seen=$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)
	comes_true "the event" 4 heard_of bindings '.event == "binding-created"'
	is "binding" "$(jq -c 'select(.event == "binding-created") | [.proto, ."inside-addr", ."inside-port", "\(."outside-addr"):\(."outside-port")", .policy, .static]' \
		"$TMP/bindings")" "[\"udp\",\"10.0.0.2\",4000,\"$seen\",1,null]"
}

so_is_its_end() {
	works "flush" fn flow flush
	comes_true "the event" 4 heard_of bindings '.event == "binding-ended" and ."inside-port" == 4000'
	is "events" "$(how_many bindings '.seq')" 2
}

one_that_is_added_by_request_says_so() {
	configure binding add --policy 1 --proto udp --inside 10.0.0.2:4001 --outside 192.0.2.1:6000 --lifetime 100
	configure binding del --proto udp --outside 192.0.2.1:6000
	comes_true "its end" 4 heard_of bindings '.event == "binding-ended" and ."inside-port" == 4001'
	is "its beginning" "$(how_many bindings '.event == "binding-created" and ."outside-port" == 6000')" 1
}

flows_only_when_that_is_set() {
	listen flows --flows
	like "said" "$(cat "$TMP/flows.err")" 'config set --events flow'
	like "server saw" "$(ask udp "$client" 10.0.0.2:4002 192.0.2.2:53)" '^192\.0\.2\.1:'
	comes_true "the binding" 4 heard_of bindings '.event == "binding-created" and ."inside-port" == 4002'
	is "flow events" "$(how_many flows '.seq')" 0
}

flows_then_come_and_go() {
	local seen
	configure config set --events flow
	seen=$(ask udp "$client" 10.0.0.2:4003 192.0.2.2:53)
	comes_true "the event" 4 heard_of flows '.event == "flow-created"'
	is "flow" "$(jq -c 'select(.event == "flow-created") | [.proto, .orig."src-port", .orig."dst-addr", "\(.translated."src-addr"):\(.translated."src-port")"]' \
		"$TMP/flows")" "[\"udp\",4003,\"192.0.2.2\",\"$seen\"]"
	works "flush" fn flow flush
	comes_true "its end" 4 heard_of flows '.event == "flow-ended" and .orig."src-port" == 4003'
	configure config set --events binding
	like "server saw" "$(ask udp "$client" 10.0.0.2:4004 192.0.2.2:53)" '^192\.0\.2\.1:'
	comes_true "the binding" 4 heard_of bindings '.event == "binding-created" and ."inside-port" == 4004'
	is "flow events after that" "$(how_many flows '.orig."src-port" == 4004')" 0
}

numbers_have_no_gaps() {
	is "answered" "$(agent flood 5 n "$client" 10.0.0.2:4100 192.0.2.2:53 50)" 50
	comes_true "all" 4 heard_of bindings '."inside-port" == 4149'
	is "numbers" "$(jq -sc 'map(select(.seq).seq) | . == [range(1; 1 + length)]' "$TMP/bindings")" true
	at_least "events" "$(how_many bindings .seq)" 56
	is "lost" "$(how_many bindings '.event == "lost" or .event == "overrun"')" 0
}

an_exhausted_pool_is_announced_with_its_counter() {
	listen limits --limits
	configure pool add tiny --range 203.0.113.77 --ports 2000-2001
	configure policy add snat --pool tiny --dst 192.0.2.3 --out wan0 --priority 5
	is "answered" "$(agent flood 5 p "$client" 10.0.0.2:4200 192.0.2.3:53 3)" 2
	comes_true "the event" 4 heard_of limits '.event == "limit"'
	is "event" "$(jq -c 'select(.event == "limit") | [.seq, .reason, .count, ."inside-addr"]' "$TMP/limits")" '[1,"drop-ports",1,"10.0.0.2"]'
	is "counter" "$(counter drop-ports)" 1
}

a_limit_is_announced_once_a_second_at_most() {
	local begin end events=0
	configure config set --max-flows 1
	begin=${EPOCHREALTIME/[.,]/}
	is "traffic" "$(agent pour "$client" 192.0.2.2:54)" ok
	comes_true "three events" 10 heard_of_limit 3
	agent calm >/dev/null
	end=${EPOCHREALTIME/[.,]/}
	events=$(how_many limits '.reason == "drop-max-flows"')
	note "$events events in $(((end - begin) / 1000)) ms, $(counter drop-max-flows) refused"
	((events <= (end - begin) / 1000000 + 2)) || fail "$events events in $(((end - begin) / 1000)) ms"
	is "counts grow" "$(jq -sc 'map(select(.reason == "drop-max-flows").count) | . == (unique | sort) and .[0] > 0' "$TMP/limits")" true
	at_least "counter" "$(counter drop-max-flows)" "$(jq -s 'map(select(.reason == "drop-max-flows").count) | max' "$TMP/limits")"
	configure config set --max-flows 100k --max-bindings 100k
}

heard_of_limit() { (($(how_many limits '.reason == "drop-max-flows"') >= $1)); }

# How often the kernel had no room for an event, over all listeners of the gateway.
# shellcheck disable=SC2016 # fields of awk
overruns() { at "$gw" awk '$2 == 16 { sum += $9 } END { print sum + 0 }' /proc/net/netlink; }

# It reads again when all has happened.
a_listener_that_is_too_slow_learns_what_it_lost() {
	local round count
	listen slow --bindings --resync
	comes_true "first list" 5 heard_of slow '.event == "resync-end"'
	kill "${LISTENERS[bindings]}" "${LISTENERS[flows]}" "${LISTENERS[limits]}"
	count=$(affordable 5000)
	kill -STOP "${LISTENERS[slow]}"
	for round in {1..20}; do
		blast "$count" >/dev/null
		(($(overruns) == 0)) || break
		works "flush" fn flow flush --policy 1000
	done
	kill -CONT "${LISTENERS[slow]}"
	comes_true "overrun" 10 grep -q '"overrun"' "$TMP/slow"
	comes_true "all that was kept is read" 20 lists 2
	like "server saw" "$(ask udp "$client" 10.0.0.2:4005 192.0.2.2:53)" '^192\.0\.2\.1:'
	comes_true "how many" 10 grep -q '"lost"' "$TMP/slow"
	grep -E '"(seq|lost)"' "$TMP/slow" >"$TMP/numbered"
	is "first, last, told, lost" "$(jq -n '[inputs | if .event == "lost" then {lost: .count} else {seq} end] |
		(map(.seq // empty)) as $told | (map(.lost // 0) | add) as $lost |
		$lost > 0 and ($told | length) + $lost == ($told | max) - ($told | min) + 1' "$TMP/numbered")" true
	note "$(grep '"lost"' "$TMP/slow" | jq -s 'map(.count) | add') of $((round * count * 2 - count)) events lost"
}

and_lists_what_lives() {
	comes_true "a third list" 20 lists 3
	is "bindings in it" "$(awk '/"resync-begin"/ { n = 0 } /"binding-listed"/ { n++ } END { print n }' "$TMP/slow")" "$(counter bindings)"
}

lists() { (($(grep -c '"resync-end"' "$TMP/slow") >= $1)); }

other_namespaces_hear_nothing() {
	is "lines" "$(cat "$TMP/elsewhere")" "$(head -n1 "$TMP/elsewhere")"
	like "the only line" "$(cat "$TMP/elsewhere")" '"listening"'
}

users_without_the_right_may_not_listen() {
	local status=0
	timeout $((5 * SLOW)) nsenter --net="/run/netns/$gw" setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$FASTNAT" monitor --bindings >"$TMP/out" 2>"$TMP/err" || status=$?
	is "status of a user" "$status" 4
	status=0
	timeout $((5 * SLOW)) nsenter --net="/run/netns/$gw" unshare --user --map-root-user \
		"$FASTNAT" monitor --bindings >"$TMP/out" 2>"$TMP/err" || status=$?
	is "status of root in a container" "$status" 4
}

who_only_listens_costs_no_flow() {
	works "flush" fn flow flush
	is "drops" "$(fn --json stats | jq -c 'with_entries(select((.key | startswith("drop-")) and .value != 0)) | keys')" \
		'["drop-max-flows","drop-ports"]'
	is "events-lost" "$(counter events-lost)" 0
	is "bindings" "$(bindings)" 0
}

the_listener_ends_with_the_module() {
	local status=0
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	works "unload" rmmod fastnat
	comes_true "it has ended" 5 ended "${LISTENERS[elsewhere]}"
	wait "${LISTENERS[elsewhere]}" || status=$?
	is "status" "$status" 3
	gw=
	works "load" load_module
}

ended() { ! kill -0 "$1"; }

hole_topology
configure policy add masquerade --out wan0 --id 1
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.3:53
setup_ns stranger
apply
gw=$stranger listen elsewhere --limits --bindings --flows
tests_run
