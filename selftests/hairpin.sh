#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Hairpin (RFC 4787 REQ-9): an inside host reaches another by its outside endpoint,
# and each sees the other's outside endpoint.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2, .3  10.0.0.1  192.0.2.1      192.0.2.2
#   client2           |
#   10.0.1.2 ------- lan1

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	udp_between_two_networks
	udp_within_one_network
	tcp_to_a_forwarded_port
	a_large_transfer_to_a_forwarded_port
	from_the_network_of_the_forwarded_host
	errors_find_back
	it_shows_as_two_flows
	a_flush_of_the_source_alone_leaks_nothing
	with_a_pool_too
	policies_that_share_a_pool_leave_nothing
	outside_by_pattern_and_by_group
)

# Both hosts make themselves known to the server, then talk through the outside.
meet() {
	local first second
	hold a udp "$client" 10.0.0.2:4000
	hold b udp "$1" "$2:4001"
	first=$(say a 192.0.2.2:53)
	second=$(say b 192.0.2.2:53)
	like "first outside" "$first" "$3"
	like "second outside" "$second" "$3"
	agent tell b "$first" hello >/dev/null
	is "first heard" "$(hear a)" "$second hello"
	agent tell a "$second" welcome >/dev/null
	is "second heard" "$(hear b)" "$first welcome"
}

udp_between_two_networks() {
	local before
	configure policy add masquerade --out wan0
	before=$(counter hairpins)
	meet "$client2" 10.0.1.2 '^192\.0\.2\.1:[0-9]+$'
	at_least "hairpins" "$(counter hairpins)" $((before + 1))
}

udp_within_one_network() {
	meet "$client" 10.0.0.3 '^192\.0\.2\.1:[0-9]+$'
}

tcp_to_a_forwarded_port() {
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 8080-8081 --to 10.0.0.2:80-81
	like "the inside server saw" "$(ask tcp "$client2" - 192.0.2.1:8080)" '^192\.0\.2\.1:[0-9]+$'
}

a_large_transfer_to_a_forwarded_port() {
	head -c 1M /dev/urandom >"$TMP/file"
	spawn "$client" socat -U TCP4-LISTEN:81,reuseaddr OPEN:"$TMP/file"
	comes_true "file server" 5 listening "$client" 81
	works "download" at "$client2" timeout 15 socat -u TCP4:192.0.2.1:8081 OPEN:"$TMP/copy",creat
	works "sameness" cmp "$TMP/file" "$TMP/copy"
}

from_the_network_of_the_forwarded_host() {
	like "the inside server saw" "$(ask tcp "$client" 10.0.0.3:0 192.0.2.1:8080)" '^192\.0\.2\.1:[0-9]+$'
}

errors_find_back() {
	local seen
	hold c udp "$client" 10.0.0.2:4100
	seen=$(say c 192.0.2.2:53)
	agent close c >/dev/null
	is "answer of a closed port" "$(ask udp "$client2" - "$seen")" refused
}

it_shows_as_two_flows() {
	works "flush" fn flow flush
	like "answer" "$(ask tcp "$client2" 10.0.1.2:4200 192.0.2.1:8080)" '^192\.0\.2\.1:'
	is "flows" "$(flows)" 2
}

with_a_pool_too() {
	unconfigure
	configure pool add some --range 203.0.113.0/28
	configure policy add snat --pool some --src 10.0.0.0/8
	meet "$client2" 10.0.1.2 '^203\.0\.113\.[0-9]+:[0-9]+$'
}

# The packet that finds its source's flow gone is dropped, and both flows begin anew.
a_flush_of_the_source_alone_leaks_nothing() {
	local id
	id=$(fn --json policy list | jq '.[] | select(.action == "masquerade").id')
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 5300 --to 10.0.0.2:53
	hold f udp "$client2" 10.0.1.2:4300
	like "the inside server saw" "$(say f 192.0.2.1:5300)" '^192\.0\.2\.1:'
	works "flush" fn flow flush --policy "$id"
	silent say f 192.0.2.1:5300 >/dev/null
	like "the inside server saw then" "$(say f 192.0.2.1:5300)" '^192\.0\.2\.1:'
	unlike "the inside server heard" "$(heard udp "$client" 53)" '10\.0\.1\.2'
}

# The binding, made by the first policy, is kept by a flow of the second; what it lets in turns
# round by the second.
policies_that_share_a_pool_leave_nothing() {
	local seen
	unconfigure
	configure pool add shared --range 203.0.113.5
	configure policy add snat --pool shared --src 10.0.0.0/8 --dst 192.0.2.2 --out wan0 --priority 1 --id 1
	configure policy add snat --pool shared --src 10.0.0.0/8 --out wan0 --priority 2 --id 2
	hold g udp "$client" 10.0.0.2:4400
	hold h udp "$client2" 10.0.1.2:4401
	seen=$(say g 192.0.2.2:53)
	is "outside, by the second policy" "$(say g 192.0.2.3:53)" "$seen"
	works "delete the first" fn policy del 1
	is "bindings" "$(bindings)" 1
	agent tell h "$seen" hello >/dev/null
	like "heard" "$(hear g)" '^203\.0\.113\.5:[0-9]+ hello$'
	is "flows" "$(flows)" 3
	works "delete the second" fn policy del 2
	is "flows" "$(flows) $(counter flows)" "0 0"
	is "bindings" "$(bindings) $(counter bindings)" "0 0"
}

# With addresses of the gateway's, and with a pool of which no interface has the addresses.
outside_by_pattern_and_by_group() {
	local way seen
	ip -n "$gw" link set wan0 group 9
	hold s udp "$server" 192.0.2.4:7000
	for way in '--out wan*' '--out-group 9'; do
		unconfigure
		# shellcheck disable=SC2086 # two words
		configure policy add masquerade $way
		meet "$client2" 10.0.1.2 '^192\.0\.2\.1:[0-9]+$'
		unconfigure
		configure pool add routed --range 203.0.113.0/28
		# shellcheck disable=SC2086 # two words
		configure policy add snat --pool routed $way
		meet "$client2" 10.0.1.2 '^203\.0\.113\.[0-9]+:[0-9]+$'
		seen=$(say a 192.0.2.2:53)
		agent tell s "$seen" hello >/dev/null
		is "who comes from outside, $way" "$(hear a)" "192.0.2.4:7000 hello"
	done
	ip -n "$gw" link set wan0 group default
}

gateway_topology
second_client
address "$client" 10.0.0.3/24 eth0
apply
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.3:53
serve udp "$client" 10.0.0.2:53
serve tcp "$client" 10.0.0.2:80
tests_run
