#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A pool without a free port: new flows are refused and counted, what lives goes on,
# and nothing leaves with an inside address.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3
#                         pool: 203.0.113.5, ports 40000-40003

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	every_port_is_used
	the_next_is_refused_and_counted
	what_lives_goes_on
	a_known_endpoint_may_reach_new_servers
	other_protocols_have_their_own_ports
	a_freed_port_serves_again
	a_second_address_helps
	nothing_left_with_an_inside_address
)

every_port_is_used() {
	local i seen=()
	for i in 0 1 2 3; do
		hold "u$i" udp "$client" "10.0.0.2:500$i"
		seen+=("$(say "u$i" 192.0.2.2:53)")
	done
	is "endpoints" "$(printf '%s\n' "${seen[@]}" | grep -E '^203\.0\.113\.5:4000[0-3]$' | sort -u | wc -l)" 4
}

the_next_is_refused_and_counted() {
	local before
	before=$(counter drop-ports)
	is "fifth" "$(silent ask udp "$client" 10.0.0.2:5004 192.0.2.2:53)" EHOSTUNREACH
	at_least "drop-ports" "$(counter drop-ports)" $((before + 1))
	is "flows" "$(flows --proto udp)" 4
}

what_lives_goes_on() {
	local i
	for i in 0 1 2 3; do
		like "socket $i" "$(say "u$i" 192.0.2.2:53)" '^203\.0\.113\.5:4000[0-3]$'
	done
}

a_known_endpoint_may_reach_new_servers() {
	local seen
	seen=$(say u0 192.0.2.2:53)
	like "to the known server" "$seen" '^203\.0\.113\.5:4000[0-3]$'
	is "to another server" "$(say u0 192.0.2.3:53)" "$seen"
}

other_protocols_have_their_own_ports() {
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80)" '^203\.0\.113\.5:4000[0-3]$'
	works "ping" at "$client" ping -qc1 -W5 192.0.2.2
}

a_freed_port_serves_again() {
	configure config set --port-rest 0
	works "flush" fn flow flush --proto udp
	like "a new flow" "$(ask udp "$client" 10.0.0.2:5004 192.0.2.2:53)" '^203\.0\.113\.5:4000[0-3]$'
	is "beside the others" "$(agent flood 5 f "$client" 10.0.0.2:6000 192.0.2.2:53 3)" 3
}

a_second_address_helps() {
	unconfigure
	configure pool add two --range 203.0.113.5-203.0.113.6 --ports 40000-40001
	configure policy add snat --pool two --out wan0
	# A host keeps to one address, so it takes another host to use the second.
	like "first host" "$(ask udp "$client" 10.0.0.2:7000 192.0.2.2:53)" '^203\.0\.113\.[56]:4000[01]$'
	like "second host" "$(ask udp "$client" 10.0.0.3:7000 192.0.2.2:53)" '^203\.0\.113\.[56]:4000[01]$'
}

nothing_left_with_an_inside_address() {
	is "captured over all" "$(captured leak)" ""
}

gateway_topology
address "$client" 10.0.0.3/24 eth0
apply
configure pool add four --range 203.0.113.5 --ports 40000-40003
configure policy add snat --pool four --out wan0
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.3:53
serve tcp "$server" 192.0.2.2:80
capture leak "$server" eth0 'net 10.0.0.0/8'
tests_run
