#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Aggregates that come and go by VLANs and bridges: TCP through NAT, without and with offload, every byte compared.
# Of PPPoE, which Debian's cloud kernel lacks, there is the MTU: see lro_forward_sizes.
#
#   client               gw                         server
#   eth0 ------------- lan0  wan0 ---------------- eth0
#   10.0.0.2       10.0.0.1  192.0.2.1        192.0.2.2, .3
#   eth0.10 ------- lan0.10  wan0.20 ----------- eth0.20
#   10.0.10.2     10.0.10.1  198.51.100.1   198.51.100.2, .3
#
# The client reaches both addresses .3 by its VLAN.

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	from_a_vlan
	to_a_vlan
	from_vlan_to_vlan
	tags_in_the_packets
	tags_in_the_packets_and_nothing_segmented
	from_a_bridge
	to_a_bridge
	across_a_bridge
)

# vlan NS IF ID ADDR
vlan() {
	NOTES[$1]+="link add link $2 name $2.$3 type vlan id $3"$'\n'
	up "$1" "$2.$3" "$4"
}

MULTICAST='^ip_rcv_finish_core.* NOT_SPECIFIED'

towards() { through "$1, $OFFLOAD" "$client" "$server" "$2" "${@:3}"; }

from_a_vlan() { both towards "VLAN to cable" 192.0.2.3; }
to_a_vlan() { both towards "cable to VLAN" 198.51.100.2; }
from_vlan_to_vlan() { both towards "VLAN to VLAN" 198.51.100.3; }

# The devices do neither set nor strip tags.
tags_in_the_packets() {
	local end
	for end in "$client eth0" "$gw lan0" "$gw wan0" "$server eth0"; do
		# shellcheck disable=SC2086 # two words
		device $end rxvlan off txvlan off
	done
	both towards "VLAN to VLAN" 198.51.100.3
}

tags_in_the_packets_and_nothing_segmented() {
	device "$gw" wan0 tso off
	device "$gw" lan0 tso off
	both towards "VLAN to VLAN" 198.51.100.3
	wires
}

# bridged LINK ADDR BRIDGE: the address moves to the bridge that the link becomes a port of. The bridge soon tells of
# its multicast groups, and the ends are in none of them.
bridged() {
	ip -n "$gw" -batch - <<-END
		addr del $2 dev $1
		link set $1 master $3
		link set $3 up
		addr add $2 dev $3
	END
}

from_a_bridge() {
	ip -n "$gw" link add br0 type bridge
	bridged lan0 10.0.0.1/24 br0
	EXPECTED=$MULTICAST both towards "bridge to cable" 192.0.2.2
}

to_a_bridge() {
	ip -n "$gw" link add br1 type bridge
	bridged wan0 192.0.2.1/24 br1
	configure policy add masquerade --out br1
	EXPECTED=$MULTICAST both towards "bridge to bridge" 192.0.2.2
}

# Nobody routes, and nobody translates. What goes on is seen by the server, large as it is.
across_a_bridge() {
	local before
	ip -n "$gw" link set wan0 master br0
	ip -n "$client" addr add 203.0.113.1/24 dev eth0
	ip -n "$server" addr add 203.0.113.2/24 dev eth0
	before=$(agent received "$server" eth0)
	through "across" "$client" "$server" 203.0.113.2
	before=$(($(agent received "$server" eth0) - before))
	((before < ARRIVED / 2)) || fail "the server received $before packets, the bridge $ARRIVED"
}

modprobe -q 8021q 2>/dev/null
[[ -d /proc/net/vlan ]] || skip_all "no 802.1Q"
start_agent
setup_ns client gw server
cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
address "$server" 192.0.2.3/24 eth0
vlan "$client" eth0 10 10.0.10.2/24
vlan "$gw" lan0 10 10.0.10.1/24
vlan "$gw" wan0 20 198.51.100.1/24
vlan "$server" eth0 20 198.51.100.2/24
address "$server" 198.51.100.3/24 eth0.20
route "$client" default via 10.0.0.1
route "$client" 192.0.2.3/32 via 10.0.10.1
route "$client" 198.51.100.3/32 via 10.0.10.1
forwarding "$gw"
apply
translating wan0
configure policy add masquerade --out wan0.20
wires
aggregating
tests_run
