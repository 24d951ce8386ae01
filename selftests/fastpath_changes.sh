#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What changes around a flow that is offloaded: neighbours, addresses and policies.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	a_neighbour_has_another_address
	a_neighbour_moves
	a_neighbour_is_stale
	a_neighbour_is_forgotten
	nothing_was_lost
	a_neighbour_does_not_answer
	another_neighbour_on_the_way_back
	a_policy_is_added
	a_policy_is_deleted
	an_address_is_removed
	exempt_traffic_is_never_offloaded
	both_ends_of_a_hairpin_take_the_whole_stack
	dnat_and_snat_at_once_take_it_too
)

neighbour() { works "neighbour" ip -n "$gw" neigh "$1" "$2" dev "$3" "${@:4}"; }
known_as() { [[ $(ip -n "$gw" neigh show 192.0.2.2 dev wan0) =~ $1 ]]; }

a_neighbour_has_another_address() {
	warm u t
	neighbour replace 192.0.2.2 wan0 lladdr 02:00:00:00:00:99 nud permanent
	unanswered "sent to nobody" u
	neighbour replace 192.0.2.2 wan0 lladdr "$(mac "$server" eth0)" nud permanent
	past u
	past t
	neighbour replace 192.0.2.2 wan0 lladdr "$(mac "$server" eth0)" nud reachable
}

# It says so itself.
a_neighbour_moves() {
	agent sysctl "$server" net.ipv4.conf.all.arp_notify=1 >/dev/null
	works "address" ip -n "$server" link set eth0 address 02:00:00:00:00:77
	comes_true "announced" 4 known_as 02:00:00:00:00:77
	past u
	past t
}

a_neighbour_is_stale() {
	is "a stream" "$(agent stream u)" ok
	neighbour replace 192.0.2.2 wan0 lladdr 02:00:00:00:00:77 nud stale
	past t
	comes_true "asked for again" 10 known_as '(DELAY|PROBE|REACHABLE)'
}

a_neighbour_is_forgotten() {
	neighbour del 192.0.2.2 wan0
	past t
	comes_true "known again" 4 known_as 'REACHABLE'
	neighbour del 10.0.0.2 lan0
	past t
}

nothing_was_lost() {
	nothing_lost u
	past u
}

# Packets wait for it, then it is said that it cannot be reached.
a_neighbour_does_not_answer() {
	works "silence" ip -n "$server" link set eth0 arp off
	agent sysctl "$gw" net.ipv4.neigh.wan0.retrans_time_ms=50 >/dev/null
	neighbour del 192.0.2.2 wan0
	unanswered "nobody" u
	comes_true "failed" 4 known_as 'FAILED'
	works "talk" ip -n "$server" link set eth0 arp on
	comes_true "answered" 4 answers u
	warm u
	past u
}

another_neighbour_on_the_way_back() {
	neighbour replace 10.0.0.2 lan0 lladdr 02:00:00:00:00:99 nud permanent
	unanswered "answered to nobody" u
	neighbour replace 10.0.0.2 lan0 lladdr "$(mac "$client" eth0)" nud permanent
	past u
}

# Flows stay with theirs; a new one is offloaded as well.
a_policy_is_added() {
	configure pool add out --range 203.0.113.10-203.0.113.10
	configure policy add snat --pool out --out wan0 --priority 10
	past u
	hold v udp "$client" 10.0.0.2:4020 192.0.2.2:53
	like "server saw" "$(say v)" '^203\.0\.113\.10:'
	warm v
	past v
}

a_policy_is_deleted() {
	local id
	id=$(fn --json policy list | jq '.[] | select(.action == "snat") | .id')
	configure policy del "$id"
	observe
	like "server saw" "$(say v)" '^192\.0\.2\.1:'
	observe
	is "packets offloaded" "$OFFLOADED" 0
	warm v
	past v
}

# Without its address masquerading has nothing to say, and offload neither.
an_address_is_removed() {
	agent sysctl "$gw" net.ipv4.conf.wan0.promote_secondaries=1 >/dev/null
	works "address" ip -n "$gw" addr add 192.0.2.9/24 dev wan0
	is "answered at once" "$(burst v 1)" 1
	past v
	works "address" ip -n "$gw" addr del 192.0.2.1/24 dev wan0
	comes_true "its flows are gone" 30 flows_are 0
	works "address" ip -n "$gw" addr add 192.0.2.1/24 dev wan0
	like "server saw" "$(say v)" '^192\.0\.2\.'
	warm v
	past v
	works "address" ip -n "$gw" addr del 192.0.2.9/24 dev wan0
	works "address" ip -n "$gw" addr replace 192.0.2.1/24 dev wan0
}

exempt_traffic_is_never_offloaded() {
	configure policy add no-snat --src 10.0.0.2 --proto udp --sport 4030 --out wan0 --priority 5
	works "route" ip -n "$server" route add 10.0.0.0/24 via 192.0.2.1
	hold e udp "$client" 10.0.0.2:4030 192.0.2.2:53
	warm e
	through e
}

both_ends_of_a_hairpin_take_the_whole_stack() {
	hold h udp "$client" 10.0.0.2:4040 192.0.2.1:53
	warm h
	through h
}

dnat_and_snat_at_once_take_it_too() {
	configure policy add dnat --dst 10.0.0.1 --proto udp --dport 54 --to 192.0.2.2:53
	hold d udp "$client" 10.0.0.2:4050 10.0.0.1:54
	like "server saw" "$(say d)" '^192\.0\.2\.1:'
	warm d
	through d
}

offloading_gateway
tests_run
