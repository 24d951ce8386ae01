#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# IPv6 is not translated, but aggregated: TCP through a router, every byte compared, and what it aggregates
# leaves it as what came.
#
#   client                gw                           server
#   eth0 ------------- lan0  wan0 ------------------- eth0
#   fd00:1::2     fd00:1::1  fd00:2::1          fd00:2::2

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	both_ways
	several_connections
	small_segments
	a_device_that_segments_nothing
	and_has_no_checksums
	a_narrower_way_out
)

across() { through "$1" "$client" "$server" fd00:2::2 "${@:2}"; }

both_ways() { across "both ways"; }
several_connections() { across "4 connections" connections=4 bytes=1000000; }
small_segments() { across "MSS 536" mss=536 bytes=1000000; }

a_device_that_segments_nothing() {
	device "$gw" wan0 tso off
	device "$gw" lan0 tso off
	across "software segments"
}

and_has_no_checksums() {
	device "$gw" wan0 tx off
	device "$gw" lan0 tx off
	device "$client" eth0 tx off
	device "$server" eth0 tx off
	across "and checksums"
	device "$client" eth0 tx on
	device "$server" eth0 tx on
	wires
}

a_narrower_way_out() {
	width "$gw" wan0 1492
	EXPECTED='^ip6_forward.* PKT_TOO_BIG' across "MTU 1492" one=up
	like "what the client has learned" "$(at "$client" ip -6 route get fd00:2::2)" 'mtu 1492'
	at_least "what the gateway refused" "$(snmp "$gw" Icmp6OutPktTooBigs)" 1
}

# Of its own, since the others have no IPv6.
six() {
	local ns
	for ns in "$client" "$gw" "$server"; do
		agent sysctl "$ns" net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 >/dev/null
	done
	is "forwarding" "$(agent sysctl "$gw" net.ipv6.conf.all.forwarding=1)" ok
	ip -n "$client" addr add fd00:1::2/64 dev eth0 nodad
	ip -n "$gw" addr add fd00:1::1/64 dev lan0 nodad
	ip -n "$gw" addr add fd00:2::1/64 dev wan0 nodad
	ip -n "$server" addr add fd00:2::2/64 dev eth0 nodad
	ip -n "$client" route add default via fd00:1::1
	ip -n "$server" route add default via fd00:2::1
}

[[ -d /proc/sys/net/ipv6 ]] || skip_all "no IPv6"
gateway_topology
six
wires
aggregating
tests_run
