#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Masquerade: the source becomes the address of the output interface, whichever it
# has now. When it changes, new flows follow and old ones die.
#
#   client            gw                          server
#   eth0 ---------- lan0  wan0 -------------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1, then .9   192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	the_source_is_the_interface_address
	replies_come_back_in_order_and_whole
	an_interface_may_appear_later
	new_flows_follow_a_changed_address
	flows_of_a_lost_address_end
	without_an_address_nothing_leaks
	a_pool_gives_the_ports
)

the_source_is_the_interface_address() {
	configure policy add masquerade --out wan0
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	works "ping" at "$client" ping -qc1 -W5 192.0.2.2
}

replies_come_back_in_order_and_whole() {
	is "to the server" "$(transfer "$client" "$server" 192.0.2.2 81 2)" intact
}

an_interface_may_appear_later() {
	local id
	id=$(fn --json policy add masquerade --out later0 | jq .id)
	like "other policies" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	cable "$gw" later0 198.51.100.1/24 "$server" later0 198.51.100.2/24
	apply
	like "server saw" "$(ask udp "$client" - 198.51.100.2:54)" '^198\.51\.100\.1:'
	works "delete" fn policy del "$id"
}

new_flows_follow_a_changed_address() {
	hold u udp "$client" 10.0.0.2:4000
	hold t tcp "$client" 10.0.0.2:4001 192.0.2.2:80
	like "UDP before" "$(say u 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "TCP before" "$(say t)" '^192\.0\.2\.1:'
	ip -n "$gw" addr del 192.0.2.1/24 dev wan0
	ip -n "$gw" addr add 192.0.2.9/24 dev wan0
	like "the same UDP socket" "$(say u 192.0.2.2:53)" '^192\.0\.2\.9:'
	like "a new TCP connection" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.9:'
}

flows_of_a_lost_address_end() {
	comes_true "flows at the old address end" 30 no_flows_at 192.0.2.1
	is "bindings at the old address" "$(fn --json binding list |
		jq '[.[] | select(."outside-addr" == "192.0.2.1")] | length')" 0
	at_least "flushed" "$(counter flows-flushed)" 2
	is "the connection" "$(say t)" reset
}

without_an_address_nothing_leaks() {
	local before
	ip -n "$gw" addr flush dev wan0
	ip -n "$gw" route add 192.0.2.0/24 dev wan0
	before=$(counter drop-address)
	capture leak "$server" eth0 ip
	is "answer" "$(silent ask udp "$client" - 192.0.2.2:53)" EHOSTUNREACH
	is "what the server received" "$(captured leak)" ""
	at_least "drop-address" "$(counter drop-address)" $((before + 1))
	ip -n "$gw" addr add 192.0.2.1/24 dev wan0
	like "with an address again" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
}

a_pool_gives_the_ports() {
	unconfigure
	configure pool add few --ports 40000-40009
	configure policy add masquerade --out wan0 --pool few
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:4000[0-9]$'
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:4000[0-9]$'
}

gateway_topology
serve udp "$server" 0.0.0.0:53
serve udp "$server" 0.0.0.0:54
serve tcp "$server" 192.0.2.2:80
tests_run
