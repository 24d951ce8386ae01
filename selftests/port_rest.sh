#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A port that falls free is not given out again for a while (RFC 6888 REQ-8): what is still under way to
# its last holder does not reach the next.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#   pool: 203.0.113.5, ports 40000-40003

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	two_minutes_by_default
	a_freed_port_is_not_given_out
	it_is_when_it_has_rested
	tcp_too
	without_rest_it_is_given_out_at_once
	identifiers_of_queries_do_not_rest
	not_where_strangers_are_kept_out
	by_request_it_can_be_had
	half_of_them_rest
)

# policy REST WORDS…: in place of what was there; no port rests.
policy() {
	unconfigure
	configure config set --port-rest 0
	configure pool add four --range 203.0.113.5 --ports 40000-40003
	configure policy add snat --pool four --out wan0 --id 7 "${@:2}"
	works "without rest" use_up udp
	configure flow flush
	configure config set --port-rest "$1"
	NEXT=6000
}

# use_up PROTO: takes all four ports, by new endpoints.
use_up() {
	local i
	for i in 1 2 3 4; do
		another "$1" '^203\.0\.113\.5:4000[0-3]$' || return
	done
}

# another PROTO PATTERN: what a new endpoint is seen as.
another() {
	NEXT=$((NEXT + 1))
	[[ $(silent ask "$1" "$client" "10.0.0.2:$NEXT" 192.0.2.2:53) =~ $2 ]]
}

two_minutes_by_default() {
	is "rest" "$(fn --json config show | jq '."port-rest"')" 120
}

a_freed_port_is_not_given_out() {
	local before
	policy 120
	works "four" use_up udp
	configure flow flush
	is "bindings" "$(bindings)" 0
	before=$(counter drop-ports)
	works "a fifth gets nothing" another udp '^(timeout|EHOSTUNREACH)$'
	at_least "drop-ports" "$(counter drop-ports)" $((before + 1))
}

# Not before two seconds, and not after four.
it_is_when_it_has_rested() {
	local begun
	policy 2
	works "four" use_up udp
	configure flow flush
	begun=${EPOCHREALTIME/[.,]/}
	comes_true "one gets through" 12 another udp '^203'
	at_least "milliseconds of rest" $(((${EPOCHREALTIME/[.,]/} - begun) / 1000)) 1900
	works "so do three more" use_up_three
}

use_up_two() { another udp '^203' && another udp '^203'; }
use_up_three() { use_up_two && another udp '^203'; }

tcp_too() {
	policy 120
	works "four" use_up tcp
	configure flow flush
	works "a fifth gets nothing" another tcp '^(timeout|EHOSTUNREACH)$'
}

without_rest_it_is_given_out_at_once() {
	policy 120
	works "four" use_up udp
	configure flow flush
	works "a fifth gets nothing" another udp '^(timeout|EHOSTUNREACH)$'
	configure config set --port-rest 0
	works "but without rest" use_up udp
	configure flow flush
	works "again and again" use_up udp
}

identifiers_of_queries_do_not_rest() {
	local i
	policy 120
	for i in 1 2 3 4 5 6; do
		works "ping $i" at "$client" ping -qc1 -W5 192.0.2.2
		configure flow flush
	done
}

# RFC 6888 REQ-8 C: nobody but who was spoken to is let in to the next holder.
not_where_strangers_are_kept_out() {
	policy 120 --filtering address-dependent
	works "four" use_up udp
	configure flow flush
	works "four more" use_up udp
}

by_request_it_can_be_had() {
	policy 120
	works "four" use_up udp
	configure flow flush
	works "by request" fn binding add --policy 7 --proto udp --inside 10.0.0.2:5000 --outside 203.0.113.5:40001
	refuses "twice" fn binding add --policy 7 --proto udp --inside 10.0.0.2:5001 --outside 203.0.113.5:40001
	works "and back" fn binding del --proto udp --outside 203.0.113.5:40001
	works "a fifth still gets nothing" another udp '^(timeout|EHOSTUNREACH)$'
}

half_of_them_rest() {
	policy 120
	works "two" use_up_two
	configure flow flush
	works "two more" use_up_two
	NEXT=7000
	works "a fifth gets nothing" another udp '^(timeout|EHOSTUNREACH)$'
}

NEXT=6000
gateway_topology
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:53
load_module
tests_run
