#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Source NAT to a pool: what leaves has a pool address, what returns reaches the
# host that asked, and the gateway's tables say what both ends saw.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2   (knows no way to 10.0.0.0/24)
#   client2           |
#   10.0.1.2 ------- lan1            pool "out": 203.0.113.10 - 203.0.113.13

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	without_a_policy_nothing_is_translated
	udp_leaves_with_a_pool_address
	tcp_leaves_with_a_pool_address
	one_host_keeps_one_address
	flow_list_says_what_both_ends_saw
	flow_get_finds_a_flow_from_both_sides
	binding_list_says_what_the_server_saw
	other_sources_pass_as_they_are
	flush_removes_flows_of_one_protocol
	deleting_the_policy_removes_its_flows
)

without_a_policy_nothing_is_translated() {
	is "answer" "$(silent ask udp "$client" - 192.0.2.2:53)" timeout
	like "server heard" "$(heard udp "$server" 53)" "^10\.0\.0\.2:"
	configure pool add out --range 203.0.113.10-203.0.113.13
	configure policy add snat --pool out --src 10.0.0.0/24 --out wan0
}

udp_leaves_with_a_pool_address() {
	like "server saw" "$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)" '^203\.0\.113\.1[0-3]:[0-9]+$'
}

tcp_leaves_with_a_pool_address() {
	like "server saw" "$(ask tcp "$client" 10.0.0.2:4001 192.0.2.2:80)" '^203\.0\.113\.1[0-3]:[0-9]+$'
	is "a large payload's way there and back" "$(transfer "$client" "$server" 192.0.2.2 81 2)" intact
}

# RFC 4787 REQ-2: "paired" pooling.
one_host_keeps_one_address() {
	local seen=()
	for _ in 1 2 3 4 5 6; do
		seen+=("$(ask udp "$client" - 192.0.2.2:53 | cut -d: -f1)")
	done
	seen+=("$(ask tcp "$client" - 192.0.2.2:80 | cut -d: -f1)")
	like "addresses seen" "$(printf '%s\n' "${seen[@]}" | sort -u | xargs)" '^203\.0\.113\.1[0-3]$'
}

flow_list_says_what_both_ends_saw() {
	local seen
	seen=$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)
	is "flow" "$(fn --json flow list --proto udp | jq -c '.[] | select(.orig."src-port" == 4000)
		| [.proto, .orig."src-addr", .orig."dst-addr", .orig."dst-port",
		   "\(.translated."src-addr"):\(.translated."src-port")", .translated."dst-addr", .translated."dst-port"]')" \
		"[\"udp\",\"10.0.0.2\",\"192.0.2.2\",53,\"$seen\",\"192.0.2.2\",53]"
}

flow_get_finds_a_flow_from_both_sides() {
	local seen forward reply
	seen=$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)
	forward=$(fn --json flow get --proto udp --src 10.0.0.2:4000 --dst 192.0.2.2:53 | jq -cS '[.orig, .translated]')
	reply=$(fn --json flow get --proto udp --src 192.0.2.2:53 --dst "$seen" | jq -cS '[.orig, .translated]')
	like "flow" "$forward" '"src-addr":"10.0.0.2","src-port":4000'
	is "flow of the reply" "$reply" "$forward"
	refuses "a flow that is not" fn flow get --proto udp --src 10.0.0.2:4999 --dst 192.0.2.2:53
}

binding_list_says_what_the_server_saw() {
	local seen
	seen=$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)
	is "binding" "$(fn --json binding list | jq -r '.[] | select(.proto == "udp" and ."inside-port" == 4000)
		| "\(."inside-addr") \(."outside-addr"):\(."outside-port")"')" "10.0.0.2 $seen"
}

other_sources_pass_as_they_are() {
	heard udp "$server" 53 >/dev/null
	is "answer" "$(silent ask udp "$client2" 10.0.1.2:4000 192.0.2.2:53)" timeout
	is "server heard" "$(heard udp "$server" 53)" 10.0.1.2:4000
}

flush_removes_flows_of_one_protocol() {
	ask udp "$client" - 192.0.2.2:53 >/dev/null
	ask tcp "$client" - 192.0.2.2:80 >/dev/null
	works "flush" fn flow flush --proto udp
	is "UDP flows" "$(flows --proto udp)" 0
	at_least "TCP flows" "$(flows --proto tcp)" 1
	like "a new flow" "$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)" '^203\.0\.113\.'
}

deleting_the_policy_removes_its_flows() {
	at_least "flows before" "$(flows)" 1
	unconfigure
	is "flows" "$(flows)" 0
	is "bindings" "$(bindings)" 0
	heard udp "$server" 53 >/dev/null
	is "answer" "$(silent ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)" timeout
	is "server heard" "$(heard udp "$server" 53)" 10.0.0.2:4000
}

gateway_topology
second_client
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
tests_run
