#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Offload between interfaces of other kinds than plain cables: each test makes one of either side of the
# gateway, and puts the addresses there.
#
#   client            gw                      server
#   (in) ---------- (in)  (out) ---------------- (out)
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	vlans_are_offloaded
	a_bridge_is_offloaded
	what_a_bridge_forwards_is_not_offloaded
	a_bond_is_offloaded_and_fails_over
	macvlans_are_offloaded
	a_vrf_takes_the_whole_stack
	a_tunnel_takes_the_whole_stack
	vxlan_is_right
)

# begin: gw and both ends, with cables eth0 - lan0, eth1 - lan1, wan0 - eth0, wan1 - eth1.
begin() {
	setup_ns client gw server
	cable "$client" eth0 - "$gw" lan0 -
	cable "$client" eth1 - "$gw" lan1 -
	cable "$gw" wan0 - "$server" eth0 -
	cable "$gw" wan1 - "$server" eth1 -
	forwarding "$gw"
	OFFLOADED_EVER=0
}

# ready IN OUT [CLIENT_IF [SERVER_IF]]: addresses on the gateway's interfaces IN and OUT; offload on.
ready() {
	up "$client" "${3:-eth0}" 10.0.0.2/24
	up "$gw" "$1" 10.0.0.1/24
	up "$gw" "$2" 192.0.2.1/24
	up "$server" "${4:-eth0}" 192.0.2.2/24
	route "$client" default via 10.0.0.1
	apply
	comes_true "the links are up" 5 links_are_up
	comes_true "the client is linked" 5 at "$client" ping -qc1 -W1 10.0.0.1
	offloading "$2"
	endpoints
}

not_offloaded() {
	warm u t
	through u
	through t
	is "a large payload" "$(transfer "$client" "$server" 192.0.2.2 81 1)" intact
}

vlans_are_offloaded() {
	needs 8021q "802.1Q" || return
	begin
	link "$client" add link eth0 name in type vlan id 10
	link "$gw" add link lan0 name lan type vlan id 10
	link "$gw" add link wan0 name wan type vlan id 20
	link "$server" add link eth0 name out type vlan id 20
	ready lan wan in out
	capture tags "$server" eth0 'vlan 20'
	offloaded_whole
	like "captured" "$(captured tags)" '192\.0\.2\.1\.[0-9]* > 192\.0\.2\.2\.53'
	at "$gw" ethtool -K lan0 rxvlan off txvlan off >/dev/null
	at "$gw" ethtool -K wan0 rxvlan off txvlan off >/dev/null
	transfer_past "without help of the devices" "$client" "$server" 192.0.2.2
	finish
}

a_bridge_is_offloaded() {
	needs bridge "bridges" || return
	begin
	link "$gw" add br0 address 02:00:00:00:00:01 type bridge vlan_filtering 1
	link "$gw" set lan0 master br0
	link "$gw" set lan1 master br0
	ready br0 wan0
	offloaded_whole
}

# br_netfilter shows the hooks of IP what a bridge forwards. Here the client believes that another host
# of the bridge is the gateway, and sends it packets of a flow that is offloaded.
what_a_bridge_forwards_is_not_offloaded() {
	needs bridge "bridges" || return
	needs br_netfilter "br_netfilter" || return
	local before
	setup_ns client2
	cable "$client2" eth0 10.0.0.3/24 "$gw" lan2 -
	link "$gw" set lan2 master br0
	apply
	agent sysctl "$gw" net.bridge.bridge-nf-call-iptables=1 >/dev/null
	warm u
	works "neighbour" ip -n "$client" neigh replace 10.0.0.1 dev eth0 lladdr "$(mac "$client2" eth0)" nud permanent
	before=$(agent received "$client2" eth0)
	observe
	unanswered "sent by the bridge" u
	observe
	is "packets offloaded" "$OFFLOADED" 0
	at_least "packets by the bridge" $(($(agent received "$client2" eth0) - before)) 1
	finish
	rmmod br_netfilter
}

a_bond_is_offloaded_and_fails_over() {
	needs bonding "bonding" || return
	needs bridge "bridges" || return
	begin
	link "$gw" add bond0 type bond mode active-backup miimon 20
	link "$gw" set lan0 down
	link "$gw" set lan1 down
	link "$gw" set lan0 master bond0
	link "$gw" set lan1 master bond0
	link "$client" add br0 type bridge
	link "$client" set eth0 master br0
	link "$client" set eth1 master br0
	ready bond0 wan0 br0
	warm u t
	past u
	transfer_past "out" "$client" "$server" 192.0.2.2
	works "link" ip -n "$gw" link set lan0 down
	comes_true "answered by the other cable" 5 answers u
	is "answered on t" "$(burst t 1)" 1
	past u
	past t
	finish
}

macvlans_are_offloaded() {
	needs macvlan "macvlan" || return
	begin
	link "$gw" add link lan0 name lan type macvlan mode bridge
	link "$gw" add link wan0 name wan type macvlan mode bridge
	ready lan wan
	warm u t
	past u
	past t
	finish
}

a_vrf_takes_the_whole_stack() {
	needs vrf "VRF" || return
	begin
	link "$gw" add red type vrf table 100
	link "$gw" set red up
	link "$gw" set lan0 master red
	link "$gw" set wan0 master red
	ready lan0 wan0
	not_offloaded
	finish
}

a_tunnel_takes_the_whole_stack() {
	needs ip_gre "GRE" || return
	begin
	address "$gw" 172.16.0.1/24 wan0
	address "$server" 172.16.0.2/24 eth0
	link "$gw" add wan type gre local 172.16.0.1 remote 172.16.0.2
	link "$server" add out type gre local 172.16.0.2 remote 172.16.0.1
	ready lan0 wan eth0 out
	not_offloaded
	finish
}

# Ethernet all the way: as a cable that happens to be long.
vxlan_is_right() {
	needs vxlan "VXLAN" || return
	begin
	address "$gw" 172.16.0.1/24 wan0
	address "$server" 172.16.0.2/24 eth0
	link "$gw" add wan type vxlan id 7 local 172.16.0.1 remote 172.16.0.2 dstport 4789
	link "$server" add out type vxlan id 7 local 172.16.0.2 remote 172.16.0.1 dstport 4789
	ready lan0 wan eth0 out
	warm u t
	is "answered on u" "$(burst u 4)" 4
	is "a large payload out" "$(transfer "$client" "$server" 192.0.2.2 81 1)" intact
	is "a large payload in" "$(transfer "$server" "$client" 192.0.2.1 81 1)" intact
	finish
}

start_agent
tests_run
