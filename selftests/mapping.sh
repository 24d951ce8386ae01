#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A policy that maps for each remote endpoint (address and port-dependent mapping, RFC 4787 section 4.1).
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4
#   pool: 203.0.113.5

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	each_remote_endpoint_sees_another_port
	nobody_else_is_let_in
	a_static_binding_stands_for_all
	open_policies_of_one_pool_keep_theirs
	many_destinations_of_one_socket
	tcp_and_echo_work
	it_is_listed_and_refused_elsewhere
	nothing_stays
)

# policy WORDS…: in place of what was there, under the number 7.
policy() {
	unconfigure
	configure pool add one --range 203.0.113.5
	configure policy add snat --pool one --src 10.0.0.0/24 --id 7 --mapping address-and-port-dependent "$@"
}

each_remote_endpoint_sees_another_port() {
	local a b c
	policy
	a=$(say u 192.0.2.2:53) b=$(say u 192.0.2.2:54) c=$(say u 192.0.2.4:53)
	like "outside" "$a" '^203\.0\.113\.5:'
	isnt "another port" "$b" "$a"
	isnt "another address" "$c" "$a"
	isnt "another address and port" "$c" "$b"
	is "the first again" "$(say u 192.0.2.2:53)" "$a"
	is bindings "$(bindings)" 3
}

# knock SOCKET: does "u" hear of it, at the endpoint that 192.0.2.2:53 sees?
knock() {
	agent tell "$1" "$outside" "knock-$1" >/dev/null
	hear u
}

nobody_else_is_let_in() {
	local before
	policy
	outside=$(say u 192.0.2.2:53)
	like "a known address" "$(say u 192.0.2.3:53)" '^203\.0\.113\.5:'
	before=$(counter drop-filtered)
	is "a known address, at another's port" "$(silent knock other)" timeout
	is "another port" "$(silent knock same)" timeout
	is "filtered" "$(counter drop-filtered)" $((before + 2))
}

a_static_binding_stands_for_all() {
	policy
	configure binding add --policy 7 --proto udp --inside 10.0.0.2:4000 --outside 203.0.113.5:4001
	is "to one" "$(say u 192.0.2.2:53)" 203.0.113.5:4001
	is "to another" "$(say u 192.0.2.4:53)" 203.0.113.5:4001
	outside=203.0.113.5:4001
	is "open to all" "$(knock other)" "192.0.2.3:1053 knock-other"
}

# An inside endpoint has its one binding of the policy for others, whatever it has besides.
open_policies_of_one_pool_keep_theirs() {
	local a b
	policy --dst 192.0.2.2
	configure policy add snat --pool one --src 10.0.0.0/24 --id 8
	a=$(say u 192.0.2.2:53) b=$(say u 192.0.2.3:53)
	isnt "the open policy's" "$b" "$a"
	is "everywhere else" "$(say u 192.0.2.4:53)" "$b"
	isnt "not for the other policy" "$(say u 192.0.2.2:54)" "$b"
}

# More than a bucket may hold: their insides are spread.
many_destinations_of_one_socket() {
	policy
	at "$client" python3 - <<-'PY'
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("10.0.0.2", 4500))
		for port in range(10000, 12000):
		    s.sendto(b"x", ("192.0.2.2", port))
	PY
	is bindings "$(bindings)" 2000
	is "refused" "$(counter drop-chain)" 0
	configure flow flush
	is "bindings then" "$(bindings)" 0
}

tcp_and_echo_work() {
	policy
	like "by TCP" "$(ask tcp "$client" 10.0.0.2:4002 192.0.2.2:80)" '^203\.0\.113\.5:'
	works "ping" at "$client" ping -qc2 -i0.2 -W2 192.0.2.2
}

it_is_listed_and_refused_elsewhere() {
	policy
	is "listed" "$(fn --json policy list | jq -r '.[0].mapping + " " + .[0].filtering')" \
		"address-and-port-dependent address-and-port-dependent"
	refuses "with another filtering" \
		fn policy add masquerade --mapping address-and-port-dependent --filtering address-dependent
	refuses "for dnat" fn policy add dnat --to 10.0.0.2 --mapping endpoint-independent
	is "nothing was added" "$(fn --json policy list | jq length)" 1
}

nothing_stays() {
	unconfigure
	is "bindings" "$(bindings)" 0
	is "flows" "$(flows)" 0
}

gateway_topology
for endpoint in 192.0.2.2:53 192.0.2.2:54 192.0.2.3:53 192.0.2.4:53; do
	serve udp "$server" "$endpoint"
done
serve tcp "$server" 192.0.2.2:80
hold u udp "$client" 10.0.0.2:4000
hold same udp "$server" 192.0.2.2:1053
hold other udp "$server" 192.0.2.3:1053
load_module
configure config set --max-flows 5000
tests_run
