#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Offload knows the size of the way out, also when it changes: what is longer takes the whole stack,
# which fragments it or says how long it may be.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	fragments_take_the_whole_stack
	packets_as_long_as_the_device_allows_go_past
	longer_ones_are_refused_once_the_device_is_narrower
	shorter_ones_still_go_past
	a_connection_adapts
	a_route_may_be_narrower_than_its_device
	or_fragments_are_made
	a_locked_size_of_a_route_holds
	the_way_back_is_narrower
)

# A datagram of 4000 bytes: the firewall gets it in one piece.
fragments_take_the_whole_stack() {
	agent set u pmtudisc 0 >/dev/null
	warm u
	past u
	through u 2 4000
}

# 28 bytes are of headers; the answer has the peer's name in front, and fits the client's way only.
packets_as_long_as_the_device_allows_go_past() {
	hold v udp "$client" - 192.0.2.2:53
	warm v
	past v 4 1400
}

longer_ones_are_refused_once_the_device_is_narrower() {
	width "$gw" wan0 1300
	is "1400 bytes" "$(say v - 1400)" EMSGSIZE
	is "client's route" "$(learned_mtu "$client" 192.0.2.2)" "mtu 1300"
	forget
}

shorter_ones_still_go_past() {
	warm v
	past v 4 1200
}

a_connection_adapts() {
	transfer_past "a large payload" "$client" "$server" 192.0.2.2
	is "client's route" "$(learned_mtu "$client" 192.0.2.2)" "mtu 1300"
	width "$gw" wan0 1500
	forget
	warm v
	past v 4 1400
}

a_route_may_be_narrower_than_its_device() {
	ip -n "$gw" route add 192.0.2.2/32 dev wan0 mtu 1200
	is "1400 bytes" "$(say v - 1400)" EMSGSIZE
	is "client's route" "$(learned_mtu "$client" 192.0.2.2)" "mtu 1200"
	forget
	warm v
	past v 4 1100
}

# Only what the client sends is too long.
or_fragments_are_made() {
	warm u
	capture f "$server" eth0 'src host 192.0.2.1 and ip[6:2] & 0x3fff != 0'
	half_past u 2 1400
	is "fragments" "$(captured f | grep -c ' offset ')" 4
}

a_locked_size_of_a_route_holds() {
	ip -n "$gw" route replace 192.0.2.2/32 dev wan0 mtu lock 1250
	is "1240 bytes" "$(say v - 1240)" EMSGSIZE
	is "client's route" "$(learned_mtu "$client" 192.0.2.2)" "mtu 1250"
	warm v
	past v 4 1200
	ip -n "$gw" route del 192.0.2.2/32
	forget
}

the_way_back_is_narrower() {
	warm v
	past v 4 1400
	ip -n "$gw" route add 10.0.0.2/32 dev lan0 mtu 1300
	unanswered "an answer of 1400 bytes" v 1400
	is "server's route" "$(learned_mtu "$server" 192.0.2.1)" "mtu 1300"
	forget
	transfer_past "a large payload" "$server" "$client" 192.0.2.1
}

offloading_gateway
tests_run
