#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Endpoint-independent mapping and filtering (RFC 4787, RFC 5382): an inside endpoint
# has one outside endpoint whomever it talks to, and whoever talks to that reaches it.
#
#   client            gw                      server        stranger
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4
#                         wan1 ----------------------------- eth0
#                         198.51.100.1                 198.51.100.2
#   pool: 203.0.113.5

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	udp_keeps_its_endpoint_towards_every_server
	tcp_keeps_its_endpoint_towards_every_server
	one_binding_for_all
	a_stranger_may_send_to_it
	the_answer_to_a_stranger_comes_from_it
	a_stranger_over_another_interface_may_too
	tcp_may_be_opened_from_outside
	a_binding_lives_as_long_as_a_flow
	a_policy_for_all_leaves_a_stranger_its_address
	so_does_masquerade_for_all
)

udp_keeps_its_endpoint_towards_every_server() {
	hold u udp "$client" 10.0.0.2:4000
	outside=$(say u 192.0.2.2:53)
	like "first server" "$outside" '^203\.0\.113\.5:'
	is "second server" "$(say u 192.0.2.3:53)" "$outside"
	is "another port" "$(say u 192.0.2.2:54)" "$outside"
}

tcp_keeps_its_endpoint_towards_every_server() {
	hold s tcp "$client" 10.0.0.2:4001 192.0.2.2:80
	hold t tcp "$client" 10.0.0.2:4001 192.0.2.3:80
	outside_tcp=$(say s)
	like "first server" "$outside_tcp" '^203\.0\.113\.5:'
	is "second server" "$(say t)" "$outside_tcp"
}

one_binding_for_all() {
	is "bindings" "$(fn --json binding list | jq -c '[.[] | select(.proto == "udp")] | length')" 1
	is "its flows" "$(fn --json binding list | jq -c '.[] | select(.proto == "udp") | .flows')" 3
}

a_stranger_may_send_to_it() {
	hold x udp "$server" 192.0.2.4:999
	agent tell x "$outside" hello >/dev/null
	is "client heard" "$(hear u)" "192.0.2.4:999 hello"
}

the_answer_to_a_stranger_comes_from_it() {
	agent tell u 192.0.2.4:999 welcome >/dev/null
	is "stranger heard" "$(hear x)" "$outside welcome"
}

a_stranger_over_another_interface_may_too() {
	hold y udp "$stranger" 198.51.100.2:998
	agent tell y "$outside" hello >/dev/null
	is "client heard" "$(hear u)" "198.51.100.2:998 hello"
	agent tell u 198.51.100.2:998 welcome >/dev/null
	is "stranger heard" "$(hear y)" "$outside welcome"
}

# The binding that a connection from port 4002 made leads to the listener there.
tcp_may_be_opened_from_outside() {
	local seen
	seen=$(ask tcp "$client" 10.0.0.2:4002 192.0.2.2:80)
	serve tcp "$client" 10.0.0.2:4002
	is "the inside listener saw" "$(ask tcp "$server" 192.0.2.4:997 "$seen")" 192.0.2.4:997
}

a_binding_lives_as_long_as_a_flow() {
	works "flush" fn flow flush
	is "bindings" "$(bindings)" 0
	agent tell x "$outside" knock >/dev/null
	is "client heard" "$(silent hear u)" timeout
}

# stays_a_stranger ADDR NS ENDPOINT: to the binding of "u" from there, ADDR its outside address.
stays_a_stranger() {
	local before
	outside=$(say u 192.0.2.2:53)
	like "outside" "$outside" "^$1:"
	hold z udp "$2" "$3"
	before="$(flows) $(bindings)"
	agent tell z "$outside" hello >/dev/null
	is "client heard" "$(hear u)" "$3 hello"
	is "flows and bindings" "$(flows) $(bindings)" "$before"
}

# With neither --src nor --out, nothing tells outside from inside.
a_policy_for_all_leaves_a_stranger_its_address() {
	unconfigure
	configure pool add one --range 203.0.113.5
	configure policy add snat --pool one
	stays_a_stranger '203\.0\.113\.5' "$server" 192.0.2.4:1999
	stays_a_stranger '203\.0\.113\.5' "$stranger" 198.51.100.2:1998
}

so_does_masquerade_for_all() {
	unconfigure
	configure policy add masquerade
	stays_a_stranger '192\.0\.2\.1' "$server" 192.0.2.4:1997
}

gateway_topology
setup_ns stranger
cable "$gw" wan1 198.51.100.1/24 "$stranger" eth0 198.51.100.2/24
route "$stranger" 203.0.113.0/24 via 198.51.100.1
apply
configure pool add one --range 203.0.113.5
configure policy add snat --pool one --src 10.0.0.0/24
for addr in 192.0.2.2 192.0.2.3; do
	serve udp "$server" "$addr:53"
	serve udp "$server" "$addr:54"
	serve tcp "$server" "$addr:80"
done
tests_run
