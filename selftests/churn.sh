#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Configuration changes under traffic: policies, pools, limits and flushes come and go
# while new flows are made and old ones used; in the end nothing is left, and the
# gateway works as on the first day.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#   client2           |
#   10.0.1.2 ------- lan1

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	policies_come_and_go
	flushes_and_listings
	limits_move
	addresses_come_and_go
	the_books_balance
	nothing_is_left
	it_works_as_before
)

# Both kinds of listing agree with the counters once the traffic rests.
books() {
	local counted listed
	counted="$(counter flows) $(counter bindings)"
	listed="$(flows) $(bindings)"
	[[ $counted == "$listed" ]]
}

some_flows() { (($(counter flows) > 10)); }

policies_come_and_go() {
	local i
	configure pool add some --range 203.0.113.0/29 --ports 1024-2047
	is "traffic" "$(agent pour "$client" 192.0.2.2:53)" ok
	is "traffic" "$(agent pour "$client2" 192.0.2.3:53)" ok
	for i in {1..4}; do
		configure policy add snat --pool some --src 10.0.0.0/16 --out wan0 --priority "$i" --id "$i"
		configure policy add masquerade --out wan0 --priority 900 --id 900
		configure policy add dnat --dst 203.0.113.9 --to 10.0.0.2 --id 77
		wait_for 2 some_flows
		works "delete" fn policy del "$i"
		works "delete" fn policy del 77
		works "delete" fn policy del 900
	done
	is "flows without a policy" "$(counter flows)" 0
	is "bindings without a policy" "$(counter bindings)" 0
}

flushes_and_listings() {
	configure policy add snat --pool some --src 10.0.0.0/24 --out wan0
	configure policy add masquerade --out wan0 --priority 2000
	for _ in {1..3}; do
		works "list" fn --json flow list
		works "flush" fn flow flush
		works "list" fn --json binding list
	done
	comes_true "flows again" 3 some_flows
}

limits_move() {
	local limit
	for limit in 5 5000 20 100000; do
		configure config set --max-flows "$limit" --max-bindings "$limit"
		configure config set --timeout-udp $((limit % 7 + 1))
	done
	works "flush" fn flow flush
	comes_true "flows again" 3 some_flows
}

addresses_come_and_go() {
	for _ in 1 2; do
		ip -n "$gw" addr del 192.0.2.1/24 dev wan0
		ip -n "$gw" addr add 192.0.2.77/24 dev wan0
		ip -n "$gw" addr del 192.0.2.77/24 dev wan0
		ip -n "$gw" addr add 192.0.2.1/24 dev wan0
	done
	ip -n "$gw" link set wan0 down
	ip -n "$gw" link set wan0 up
	works "flush" fn flow flush
	comes_true "flows again" 3 some_flows
}

the_books_balance() {
	agent calm >/dev/null
	configure config set --timeout-udp 300
	comes_true "listings and counters agree" 4 books
	at_least "flows created" "$(counter flows-created)" 100
}

nothing_is_left() {
	unconfigure
	is "flows" "$(counter flows)" 0
	is "bindings" "$(counter bindings)" 0
	is "listed" "$(flows) $(bindings)" "0 0"
}

it_works_as_before() {
	configure policy add masquerade --out wan0
	like "server saw" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	is "answered" "$(agent flood 4 f "$client2" 10.0.1.2:3000 192.0.2.2:53 20)" 20
	is "flows" "$(flows)" 21
}

gateway_topology
second_client
serve udp "$server" 192.0.2.2:53
serve udp "$server" 192.0.2.3:53
serve tcp "$server" 192.0.2.2:80
tests_run
