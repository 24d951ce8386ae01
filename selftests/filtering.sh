#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who may send to a binding (RFC 4787 REQ-8, RFC 5382 REQ-3): everybody, addresses that the inside
# endpoint has a flow to, or endpoints.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4
#   pool: 203.0.113.5

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	everybody_by_default
	address_dependent_lets_known_addresses_in
	address_and_port_dependent_lets_known_endpoints_in
	an_address_is_known_as_long_as_one_flow
	each_binding_knows_its_own
	tcp_is_filtered_too
	masquerade_is_filtered_too
	inside_hosts_are_let_in
	a_static_binding_is_open
	errors_come_in
	it_is_listed_and_refused_elsewhere
	nothing_stays
)

# policy FILTERING WORDS…: in place of what was there, under the number 7.
policy() {
	unconfigure
	configure pool add one --range 203.0.113.5
	configure policy add snat --pool one --src 10.0.0.0/16 --id 7 --filtering "$@"
}

# only ENDPOINT…: keeps the flows of "u" to these alive; are there no others?
only() {
	local to
	for to; do
		say u "$to" >/dev/null
	done
	flows_are $#
}

# contact: the client's socket "u" sends to 192.0.2.2:53, and is seen as $outside.
contact() {
	outside=$(say u 192.0.2.2:53)
	like "outside" "$outside" '^203\.0\.113\.5:'
}

# knock SOCKET: what "u" hears of it.
knock() {
	agent tell "$1" "$outside" "knock-$1" >/dev/null
	hear u
}

lets_in() { is "$1 is let in" "$(knock "$1")" "$2 knock-$1"; }

keeps_out() {
	local before
	before=$(counter drop-filtered)
	is "$1 is kept out" "$(silent knock "$1")" timeout
	is "filtered" "$(counter drop-filtered)" $((before + 1))
}

everybody_by_default() {
	policy endpoint-independent
	contact
	lets_in same 192.0.2.2:1053
	lets_in other 192.0.2.3:53
}

address_dependent_lets_known_addresses_in() {
	policy address-dependent
	contact
	lets_in same 192.0.2.2:1053
	keeps_out other
	is "to the other" "$(say u 192.0.2.4:53)" "$outside"
	lets_in third 192.0.2.4:1053
}

address_and_port_dependent_lets_known_endpoints_in() {
	policy address-and-port-dependent
	contact
	keeps_out same
	keeps_out other
	is "the endpoint itself" "$(say u 192.0.2.2:53)" "$outside"
}

# Two flows to one address: when one has gone the other is enough, when both have, none is.
an_address_is_known_as_long_as_one_flow() {
	policy address-dependent --timeout-udp 3
	contact
	is "the second flow" "$(say u 192.0.2.2:54)" "$outside"
	is "to hold the binding" "$(say u 192.0.2.4:53)" "$outside"
	comes_true "one flow less" 20 only 192.0.2.2:54 192.0.2.4:53
	lets_in same 192.0.2.2:1053
	comes_true "and the other" 20 only 192.0.2.4:53
	keeps_out same
	lets_in third 192.0.2.4:1053
}

# Another inside endpoint has another outside port, and its own contacts.
each_binding_knows_its_own() {
	local mine
	policy address-dependent
	contact
	mine=$outside
	hold v udp "$client" 10.0.0.2:4100
	like "the second" "$(say v 192.0.2.4:53)" '^203\.0\.113\.5:'
	outside=$mine
	keeps_out third
	lets_in same 192.0.2.2:1053
}

tcp_is_filtered_too() {
	local seen
	policy address-dependent
	seen=$(ask tcp "$client" 10.0.0.2:4002 192.0.2.2:80)
	serve tcp "$client" 10.0.0.2:4002
	is "known" "$(ask tcp "$server" 192.0.2.2:996 "$seen")" 192.0.2.2:996
	is "unknown" "$(silent ask tcp "$server" 192.0.2.4:996 "$seen")" timeout
	policy address-and-port-dependent
	seen=$(ask tcp "$client" 10.0.0.2:4003 192.0.2.2:80)
	serve tcp "$client" 10.0.0.2:4003
	is "another port" "$(silent ask tcp "$server" 192.0.2.2:995 "$seen")" timeout
}

masquerade_is_filtered_too() {
	unconfigure
	configure policy add masquerade --out wan0 --filtering address-dependent
	outside=$(say u 192.0.2.2:53)
	like "outside" "$outside" '^192\.0\.2\.1:'
	lets_in same 192.0.2.2:1053
	keeps_out other
}

inside_hosts_are_let_in() {
	policy address-and-port-dependent
	contact
	hold h udp "$client2" 10.0.1.2:4000
	agent tell h "$outside" hello >/dev/null
	like "client heard" "$(hear u)" '^203\.0\.113\.5:[0-9]* hello$'
}

a_static_binding_is_open() {
	policy address-and-port-dependent
	configure binding add --policy 7 --proto udp --inside 10.0.0.2:4000 --outside 203.0.113.5:5000
	outside=203.0.113.5:5000
	lets_in other 192.0.2.3:53
}

errors_come_in() {
	policy address-and-port-dependent
	is "nobody listens there" "$(ask udp "$client" 10.0.0.2:4300 192.0.2.2:9)" refused
}

it_is_listed_and_refused_elsewhere() {
	policy address-dependent
	is "listed" "$(fn --json policy list | jq -r '.[0].filtering')" address-dependent
	like "in words" "$(fn policy list)" 'FILTERING.*address-dependent'
	refuses "of a dnat policy" fn policy add dnat --to 10.0.0.2 --filtering address-dependent
	refuses "of nothing known" fn policy add masquerade --filtering friends
}

nothing_stays() {
	unconfigure
	is "bindings" "$(bindings)" 0
	is "flows" "$(flows)" 0
}

gateway_topology
second_client
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.2:54
serve udp "$server" 192.0.2.4:53
serve tcp "$server" 192.0.2.2:80
hold u udp "$client" 10.0.0.2:4000
hold same udp "$server" 192.0.2.2:1053
hold other udp "$server" 192.0.2.3:53
hold third udp "$server" 192.0.2.4:1053
load_module
configure config set --max-flows 1000
tests_run
