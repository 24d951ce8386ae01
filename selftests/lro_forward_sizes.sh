#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Sizes of what LRO has aggregated: small segments, and a way out that is narrower than the way in. With DF the
# sender hears of it, although the gateway has before it what is far larger than any packet; without, fragments
# are made. TCP through NAT, without and with offload, every byte compared.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#                            1492

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	small_segments
	smaller_ones
	a_narrower_way_out
	a_narrower_way_out_without_df
	a_narrower_link
	as_many_as_asked_for
)

small_segments() { to_server "MSS 536" mss=536 bytes=1000000; }
smaller_ones() { to_server "MSS 200" mss=200 bytes=500000; }

narrower() {
	local refused
	refused=$(snmp "$gw" IpFragFails)
	forget
	EXPECTED='^ip_forward.* PKT_TOO_BIG' out "MTU 1492" one=up
	is "what the client has learned, $OFFLOAD" "$(learned_mtu "$client" 192.0.2.2)" "mtu 1492"
	at_least "what the gateway refused, $OFFLOAD" $(($(snmp "$gw" IpFragFails) - refused)) 1
}

# The gateway's own errors say what fits, and the connection adapts.
a_narrower_way_out() {
	width "$gw" wan0 1492
	both narrower
}

# Each segment becomes two fragments.
a_narrower_way_out_without_df() {
	local made
	forget
	made=$(snmp "$gw" IpFragCreates)
	to_server "fragments" one=up df=0
	at_least "fragments" $(($(snmp "$gw" IpFragCreates) - made)) 1000
	forget
}

# Both ends know, as of PPPoE.
a_narrower_link() {
	width "$server" eth0 1492
	to_server "both ways, MTU 1492"
	width "$gw" wan0 1500
	width "$server" eth0 1500
	forget
}

as_many_as_asked_for() {
	lro limit 2
	to_server "2 at most"
	((SEGMENTS <= 2 * AGGREGATES)) || fail "2 at most: $SEGMENTS segments in $AGGREGATES aggregates"
	lro limit 64
	to_server "64 at most"
	((SEGMENTS > 3 * AGGREGATES)) || fail "64 at most: $SEGMENTS segments in $AGGREGATES aggregates"
	lro limit 16
}

lro_gateway
tests_run
