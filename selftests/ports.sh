#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two inside hosts use the same source port towards the same server: both work, and
# outside they are told apart by their ports.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#   client2           |
#   10.0.1.2 ------- lan1       pool: 203.0.113.5, the inside port preserved if free

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_free_port_is_preserved
	a_taken_port_is_given_to_one_host_only
	the_same_holds_for_tcp
	protocols_do_not_share_ports
	a_freed_port_is_given_again
	random_ports_differ
	random_ports_stay_in_the_class_of_the_inside_port
	a_range_of_ports_is_kept_to
	parity_is_kept
	a_port_of_the_other_parity_is_none
)

preserve() {
	unconfigure
	configure pool add one --range 203.0.113.5 --allocation preserve
	configure policy add snat --pool one --out wan0
}

a_free_port_is_preserved() {
	preserve
	hold a udp "$client" 10.0.0.2:4000
	is "server saw" "$(say a 192.0.2.2:53)" 203.0.113.5:4000
}

a_taken_port_is_given_to_one_host_only() {
	local other
	hold b udp "$client2" 10.0.1.2:4000
	other=$(say b 192.0.2.2:53)
	like "second host" "$other" '^203\.0\.113\.5:[0-9]+$'
	isnt "second host" "$other" 203.0.113.5:4000
	is "first host again" "$(say a 192.0.2.2:53)" 203.0.113.5:4000
	is "second host again" "$(say b 192.0.2.2:53)" "$other"
}

the_same_holds_for_tcp() {
	local other
	hold c tcp "$client" 10.0.0.2:4001 192.0.2.2:80
	hold d tcp "$client2" 10.0.1.2:4001 192.0.2.2:80
	is "first host" "$(say c)" 203.0.113.5:4001
	other=$(say d)
	like "second host" "$other" '^203\.0\.113\.5:[0-9]+$'
	isnt "second host" "$other" 203.0.113.5:4001
}

protocols_do_not_share_ports() {
	is "TCP from UDP's port" "$(ask tcp "$client2" 10.0.1.2:4000 192.0.2.2:80)" 203.0.113.5:4000
}

a_freed_port_is_given_again() {
	configure config set --port-rest 0
	works "flush" fn flow flush
	is "bindings" "$(bindings)" 0
	is "second host, first to ask" "$(say b 192.0.2.2:53)" 203.0.113.5:4000
}

random() {
	unconfigure
	configure pool add one --range 203.0.113.5
	configure policy add snat --pool one --out wan0
}

random_ports_differ() {
	local i seen=()
	random
	for i in 0 1 2 3 4; do
		seen+=("$(ask udp "$client" "10.0.0.2:510$i" 192.0.2.2:53)" "$(ask udp "$client2" "10.0.1.2:510$i" 192.0.2.2:53)")
	done
	is "endpoints" "$(printf '%s\n' "${seen[@]}" | grep '^203\.0\.113\.5:' | sort -u | wc -l)" 10
	isnt "the first and the next" "$((${seen[0]#*:} + 1))" "${seen[1]#*:}"
}

# RFC 4787 REQ-3a.
random_ports_stay_in_the_class_of_the_inside_port() {
	local i port
	for i in 1 2 3 4; do
		port=$(ask udp "$client" "10.0.0.2:80$i" 192.0.2.2:53)
		((${port#*:} < 1024)) || fail "well-known port 80$i: got $port"
		port=$(ask udp "$client" "10.0.0.2:520$i" 192.0.2.2:53)
		((${port#*:} >= 1024)) || fail "port 520$i: got $port"
	done
}

a_range_of_ports_is_kept_to() {
	local i port
	unconfigure
	configure pool add narrow --range 203.0.113.5 --ports 30000-30019
	configure policy add snat --pool narrow --out wan0
	for i in 0 1 2 3 4 5 6 7; do
		port=$(ask udp "$client" "10.0.0.2:530$i" 192.0.2.2:53)
		like "server saw" "$port" '^203\.0\.113\.5:300[01][0-9]$'
	done
}

# RFC 4787 REQ-4.
parity_is_kept() {
	local i port
	unconfigure
	configure pool add same --range 203.0.113.5 --parity
	configure policy add snat --pool same --out wan0
	for i in 10 11 12 13 14 15 16 17; do
		port=$(ask udp "$client" "10.0.0.2:54$i" 192.0.2.2:53)
		like "server saw" "$port" '^203\.0\.113\.5:'
		is "parity of 54$i and $port" $((${port#*:} % 2)) $((i % 2))
	done
}

a_port_of_the_other_parity_is_none() {
	unconfigure
	configure pool add same --range 203.0.113.5 --ports 30000-30003 --parity
	configure policy add snat --pool same --out wan0
	for port in 5500 5502; do
		like "port $port" "$(ask udp "$client" 10.0.0.2:"$port" 192.0.2.2:53)" '^203\.0\.113\.5:3000[02]$'
	done
	like "a third even one" "$(silent ask udp "$client" 10.0.0.2:5504 192.0.2.2:53)" '^(timeout|EHOSTUNREACH)$'
	like "an odd one" "$(ask udp "$client" 10.0.0.2:5505 192.0.2.2:53)" '^203\.0\.113\.5:3000[13]$'
}

gateway_topology
second_client
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
tests_run
