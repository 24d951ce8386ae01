#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The limits of the table: beyond them new flows are refused and counted, what lives
# goes on, and a raised limit serves at once.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	max_flows_is_kept
	what_lives_goes_on
	a_raised_limit_serves_at_once
	max_bindings_is_kept
	a_limit_below_what_lives_harms_nothing
	nothing_left_with_an_inside_address
)

max_flows_is_kept() {
	local before
	before=$(counter drop-max-flows)
	configure config set --max-flows 10
	is "answered" "$(agent flood 5 f "$client" 10.0.0.2:5000 192.0.2.2:53 20)" 10
	is "flows" "$(flows)" 10
	is "flows counted" "$(counter flows)" 10
	at_least "drop-max-flows" "$(counter drop-max-flows)" $((before + 10))
}

what_lives_goes_on() {
	local i
	for i in 0 5 9; do
		like "socket $i" "$(say "f$i")" '^192\.0\.2\.1:'
	done
	is "a refused one" "$(silent say f15)" EHOSTUNREACH
}

a_raised_limit_serves_at_once() {
	configure config set --max-flows 1000
	like "the refused one" "$(say f15)" '^192\.0\.2\.1:'
}

max_bindings_is_kept() {
	local before
	works "flush" fn flow flush
	before=$(counter drop-max-bindings)
	configure config set --max-bindings 5
	is "answered" "$(agent flood 5 g "$client" 10.0.0.2:6000 192.0.2.2:53 12)" 5
	is "bindings" "$(bindings)" 5
	at_least "drop-max-bindings" "$(counter drop-max-bindings)" $((before + 7))
	hold h udp "$client" 10.0.0.2:6000
	like "a bound endpoint to another server" "$(say h 192.0.2.3:53)" '^192\.0\.2\.1:'
}

a_limit_below_what_lives_harms_nothing() {
	configure config set --max-bindings 1 --max-flows 1
	like "a living flow" "$(say h 192.0.2.3:53)" '^192\.0\.2\.1:'
	at_least "bindings" "$(bindings)" 5
	is "a new one" "$(silent ask udp "$client" 10.0.0.2:6500 192.0.2.2:53)" EHOSTUNREACH
}

nothing_left_with_an_inside_address() {
	is "captured over all" "$(captured leak)" ""
}

gateway_topology
configure policy add masquerade --out wan0
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.3:53
capture leak "$server" eth0 'net 10.0.0.0/8'
tests_run
