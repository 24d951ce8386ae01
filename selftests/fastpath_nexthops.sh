#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Offloaded flows go by the next hop that routing would choose now: where several lead to the server,
# one that fails is left, and taken again when it is back; next hops that are objects of their own are
# replaced, removed from a group and added.
#
#   client            gw            inner, outer      server
#   eth0 ---------- lan0            eth0  eth1
#   10.0.0.2    10.0.0.1  wan0 ----- .2    .1 -------- eth0 198.51.100.2
#                  192.0.2.1
#                         wan1 ----- .2    .1 -------- eth1 198.51.101.2
#                  192.0.3.1                           192.0.9.9 on lo; pool: 203.0.113.10
#                         wan2 -------------------- eth2, for answers
#                  192.0.5.1                           192.0.5.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	a_neighbour_that_fails_and_comes_back
	the_one_that_is_left_fails_too
	the_same_with_a_group_of_next_hops
	a_next_hop_that_is_replaced
	a_member_of_a_group_that_goes
	a_group_that_is_replaced
	a_resilient_group
	an_inside_host_that_fails_and_comes_back
	packets_without_room_for_a_header
)

SOCKETS=(a b c d e f g h)

by() { agent received "$server" "$1"; }

# spread: how many packets of all sockets, one exchange each, reach the server by eth0 and by eth1.
spread() {
	local name first second
	first=$(by eth0) second=$(by eth1)
	for name in "${SOCKETS[@]}"; do
		is "answered on $name" "$(burst "$name" 1)" 1
	done
	FIRST=$(($(by eth0) - first)) SECOND=$(($(by eth1) - second))
}

# all_by IF: at once, and past the stack soon after.
all_by() {
	spread
	case $1 in
	eth0) is "by eth1" "$SECOND" 0; at_least "by eth0" "$FIRST" "${#SOCKETS[@]}" ;;
	eth1) is "by eth0" "$FIRST" 0; at_least "by eth1" "$SECOND" "${#SOCKETS[@]}" ;;
	both) at_least "by eth0" "$FIRST" 1; at_least "by eth1" "$SECOND" 1 ;;
	esac
	warm "${SOCKETS[@]}"
	past a
	past h
}

far() { ip -n "$gw" route replace 192.0.9.0/24 "$@"; }
hop() { ip -n "$gw" nexthop "$@"; }

# fails ADDR IF: as after some seconds without an answer to ARP.
fails() { ip -n "$gw" neigh replace "$1" dev "$2" nud failed; }
# absent NS ADDR IF: nor does it answer when routing has a packet for it.
absent() {
	at "$1" ip link set eth0 arp off
	fails "$2" "$3"
}
present() { at "$1" ip link set eth0 arp on; }
comes_back() { ip -n "$gw" neigh replace "$1" dev "$2" lladdr "$(mac "$3" eth0)" nud reachable; }
a_neighbour_that_fails_and_comes_back() {
	agent sysctl "$gw" net.ipv4.fib_multipath_use_neigh=1 net.ipv4.fib_multipath_hash_policy=1 >/dev/null
	works "route" far nexthop via 192.0.2.2 nexthop via 192.0.3.2
	fails_and_comes_back
}

fails_and_comes_back() {
	all_by both
	absent "$inner" 192.0.2.2 wan0
	all_by eth1
	present "$inner"
	comes_back 192.0.2.2 wan0 "$inner"
	all_by both
}

the_one_that_is_left_fails_too() {
	absent "$inner" 192.0.2.2 wan0
	all_by eth1
	present "$inner"
	comes_back 192.0.2.2 wan0 "$inner"
	absent "$outer" 192.0.3.2 wan1
	all_by eth0
	present "$outer"
	comes_back 192.0.3.2 wan1 "$outer"
	all_by both
}

# They look at neighbours in any case.
the_same_with_a_group_of_next_hops() {
	agent sysctl "$gw" net.ipv4.fib_multipath_use_neigh=0 >/dev/null
	works "next hop" hop add id 1 via 192.0.2.2 dev wan0
	works "next hop" hop add id 2 via 192.0.3.2 dev wan1
	works "group" hop add id 10 group 1/2
	works "route" far nhid 10
	fails_and_comes_back
}

a_next_hop_that_is_replaced() {
	works "next hop" hop replace id 1 via 192.0.3.2 dev wan1
	all_by eth1
	works "next hop" hop replace id 1 via 192.0.2.2 dev wan0
	all_by both
}

a_member_of_a_group_that_goes() {
	works "next hop" hop del id 2
	all_by eth0
	works "next hop" hop add id 2 via 192.0.3.2 dev wan1
	works "group" hop replace id 10 group 1/2
	all_by both
}

a_group_that_is_replaced() {
	works "group" hop replace id 10 group 2
	all_by eth1
	works "group" hop replace id 10 group 1
	all_by eth0
	works "route" far nhid 2
	all_by eth1
}

a_resilient_group() {
	hop add id 20 group 1/2 type resilient buckets 32 2>/dev/null || { skip "no resilient groups"; return; }
	works "route" far nhid 20
	spread
	warm "${SOCKETS[@]}"
	works "group" hop replace id 20 group 1 type resilient buckets 32
	all_by eth0
	works "route" far nhid 1
	works "group" hop del id 20
}

# Of the other direction, and with one way only: it is asked for anew, and nothing is lost for good.
an_inside_host_that_fails_and_comes_back() {
	warm a
	past a
	fails 10.0.0.2 lan0
	is "answered at once" "$(burst a 1)" 1
	warm a
	past a
}

# What UDP sockets send has room for the header of their own link; the VLAN behind the gateway has a longer one.
packets_without_room_for_a_header() {
	works "VLAN" ip -n "$gw" link add wan0.7 link wan0 type vlan id 7
	at "$gw" ethtool -K wan0 tx-vlan-hw-insert off >/dev/null 2>&1
	works "VLAN" ip -n "$inner" link add eth0.7 link eth0 type vlan id 7
	works "address" ip -n "$gw" addr add 192.0.4.1/24 dev wan0.7
	works "address" ip -n "$inner" addr add 192.0.4.2/24 dev eth0.7
	works "up" ip -n "$gw" link set wan0.7 up
	works "up" ip -n "$inner" link set eth0.7 up
	works "route" far via 192.0.4.2
	comes_true "links" 5 links_are_up
	warm a
	past a
	past a 4 1000
}

start_agent
setup_ns client gw inner outer server
cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
cable "$gw" wan0 192.0.2.1/24 "$inner" eth0 192.0.2.2/24
cable "$gw" wan1 192.0.3.1/24 "$outer" eth0 192.0.3.2/24
cable "$gw" wan2 192.0.5.1/24 "$server" eth2 192.0.5.2/24
cable "$inner" eth1 198.51.100.1/24 "$server" eth0 198.51.100.2/24
cable "$outer" eth1 198.51.101.1/24 "$server" eth1 198.51.101.2/24
address "$server" 192.0.9.9/32 lo
route "$client" default via 10.0.0.1
route "$gw" 192.0.9.0/24 via 192.0.2.2
route "$inner" 192.0.9.0/24 via 198.51.100.2
route "$outer" 192.0.9.0/24 via 198.51.101.2
route "$server" 203.0.113.0/24 via 192.0.5.1
forwarding "$gw" "$inner" "$outer"
apply
for ns in "$gw" "$inner" "$outer" "$server"; do
	agent sysctl "$ns" net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 >/dev/null
done
watch || fail "nft"
configure pool add out --range 203.0.113.10-203.0.113.10
configure policy add snat --pool out --src 10.0.0.0/8
configure config set --offload on
serve udp "$server" 192.0.9.9:53
for name in "${SOCKETS[@]}"; do
	hold "$name" udp "$client" 10.0.0.2:0 192.0.9.9:53
done
comes_true "links" 5 links_are_up
tests_run
