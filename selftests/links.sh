#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Interfaces and links of less common kinds, with offload: two tags, netkit, ports of a bridge between which hosts
# roam, next hops that are replaced while packets flow, and MPLS on the way.
#
#   client            gw                      server
#   (in) ---------- (in)  (out) ---------------- (out)
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	double_tags
	room_for_a_tag_is_made
	netkit_without_ethernet
	netkit_with_ethernet
	a_host_roams_between_ports_of_a_bridge
	a_next_hop_is_replaced_under_load
	labels_in_errors_stay
	labels_in_errors_from_inside_stay
)

begin() {
	setup_ns client gw server
	forwarding "$gw"
	OFFLOADED_EVER=0
}

# ready IN OUT CLIENT_IF SERVER_IF: addresses; offload and early lookup on.
ready() {
	up "$client" "$3" 10.0.0.2/24
	up "$gw" "$1" 10.0.0.1/24
	up "$gw" "$2" 192.0.2.1/24
	up "$server" "$4" 192.0.2.2/24
	route "$client" default via 10.0.0.1
	apply
	comes_true "the client is linked" 5 at "$client" ping -qc1 -W1 10.0.0.1
	comes_true "the server is linked" 5 at "$gw" ping -qc1 -W1 192.0.2.2
	offloading "$2"
	configure config set --early-dev "$1" "$2"
	endpoints
}

whole_and_in_fragments() {
	offloaded_whole
	like "fragments" "$(ask udp "$client" - 192.0.2.2:53 8000)" '^192\.0\.2\.1:'
}

# Two tags want room, as on cables of providers.
double() { # NS IF
	link "$1" set "$2" mtu 1504
	link "$1" add link "$2" name "$2.7" mtu 1504 type vlan proto 802.1ad id 7
	up "$1" "$2.7" -
	link "$1" add link "$2.7" name "$2.7.70" mtu 1500 type vlan id 70
}

# An outer tag of the provider, an inner one of the customer.
double_tags() {
	needs 8021q "802.1Q" || return
	begin
	cable "$client" eth0 - "$gw" lan0 -
	cable "$gw" wan0 - "$server" eth0 -
	double "$client" eth0
	double "$gw" lan0
	double "$gw" wan0
	double "$server" eth0
	ready lan0.7.70 wan0.7.70 eth0.7.70 eth0.7.70
	capture tags "$server" eth0 'ether proto 0x88a8 or vlan'
	whole_and_in_fragments
	works "dump" captured tags >/dev/null
	tcpdump -Z root -enr "$CAPTURE_FILE" 2>/dev/null >"$TMP/tags"
	at_least "packets with both tags" "$(grep -c 'vlan 7, .*vlan 70, .*192\.0\.2\.1\.[0-9]* > 192\.0\.2\.2\.53' "$TMP/tags")" 4
	at "$gw" ethtool -K lan0 rxvlan off txvlan off rx-vlan-stag-hw-parse off tx-vlan-stag-hw-insert off >/dev/null 2>&1
	at "$gw" ethtool -K wan0 rxvlan off txvlan off rx-vlan-stag-hw-parse off tx-vlan-stag-hw-insert off >/dev/null 2>&1
	transfer_past "without help of the devices" "$client" "$server" 192.0.2.2
	finish
}

# The client's socket has left room for Ethernet ahead of its datagrams, which is too little for a tag that the
# device does not put there.
room_for_a_tag_is_made() {
	needs 8021q "802.1Q" || return
	begin
	cable "$client" eth0 - "$gw" lan0 -
	cable "$gw" wan0 - "$server" eth0 -
	link "$gw" add link wan0 name wan0.7 type vlan id 7
	link "$server" add link eth0 name eth0.7 type vlan id 7
	ready lan0 wan0.7 eth0 eth0.7
	works "no help" at "$gw" ethtool -K wan0 txvlan off
	whole_and_in_fragments
	finish
}

# netkit MODE: both cables are pairs of it, as containers have them.
netkit() {
	begin
	if ! ip -n "$gw" link add lan0 type netkit mode "$1" peer name eth0 netns "$client" 2>/dev/null; then
		finish
		skip "no netkit"
		return
	fi
	works "netkit" ip -n "$gw" link add wan0 type netkit mode "$1" peer name eth0 netns "$server"
	ready lan0 wan0 eth0 eth0
	whole_and_in_fragments
	finish
}

netkit_without_ethernet() { netkit l3; }
netkit_with_ethernet() { netkit l2; }

# As a telephone does from one access point to another, with the same addresses of both layers. The bridge hears of
# it by the first packet that the host sends.
a_host_roams_between_ports_of_a_bridge() {
	local round from to
	begin
	cable "$client" eth0 - "$gw" lan0 -
	cable "$client" eth1 - "$gw" lan1 -
	cable "$gw" wan0 - "$server" eth0 -
	link "$gw" add br0 address 02:00:00:00:00:01 type bridge
	link "$gw" set lan0 master br0
	link "$gw" set lan1 master br0
	link "$client" set eth0 address 02:00:00:00:00:02
	link "$client" set eth1 down
	link "$client" set eth1 address 02:00:00:00:00:02
	ready br0 wan0 eth0 eth0
	warm u t
	past u
	for round in 1 2; do
		from=eth$(((round + 1) % 2)) to=eth$((round % 2))
		ip -n "$client" -batch - <<-END
			link set $from down
			link set $to up
			addr add 10.0.0.2/24 dev $to
			route replace default via 10.0.0.1
			addr del 10.0.0.2/24 dev $from
			route replace default via 10.0.0.1
		END
		comes_true "answered at $to" 10 answers u
		is "the connection goes on" "$(burst t 2)" 2
		past u
		past t
	done
	transfer_past "in" "$server" "$client" 192.0.2.1
	is "flows" "$(fn --json flow list --proto tcp | jq '[.[] | select(.orig."src-port" == 4001)] | length')" 1
	finish
}

# As one router takes over from another. Each says so at once.
a_next_hop_is_replaced_under_load() {
	local busy round sent answered
	begin
	cable "$client" eth0 - "$gw" lan0 -
	cable "$gw" wan0 - "$server" eth0 -
	ready lan0 wan0 eth0 eth0
	agent sysctl "$server" net.ipv4.conf.all.arp_notify=1 >/dev/null
	warm u t
	observe
	is "a stream" "$(agent stream u)" ok
	transfer "$client" "$server" 192.0.2.2 81 8 >"$TMP/busy" &
	busy=$!
	for ((round = 10; round < 30; round++)); do
		works "another router" ip -n "$server" link set eth0 address "02:00:00:00:01:$round"
		comes_true "known to the gateway" 5 known_as "02:00:00:00:01:$round"
	done
	wait "$busy"
	is "transfer" "$(cat "$TMP/busy")" intact
	observe
	at_least "packets offloaded" "$OFFLOADED" 100
	read -r sent answered <<<"$(agent streamed u)"
	at_least "answers of $sent" "$answered" $((sent - 20))
	past u
	past t
	finish
}

known_as() { [[ $(ip -n "$gw" neigh show 192.0.2.2 dev wan0) =~ $1 ]]; }

# RFC 4884 and 4950: behind the quoted packet, padded to 128 bytes, the labels that it had when it died. Here label
# 16001, bottom of the stack, TTL 1. The length of the quote, in words, is in the second word.
LABELS=2000ca0d0008010103e81101

labelled() {
	captured errors >"$TMP/errors"
	like "label" "$(cat "$TMP/errors")" 'MPLS Stack Entry Object.*label 16001, .*\[S\], ttl 1'
	like "checksum of the extension" "$(cat "$TMP/errors")" 'ICMP Multi-Part extension v2, checksum 0xca0d \(correct\)'
	is "wrong checksums" "$(grep -E 'wrong|incorrect|bad cksum' "$TMP/errors")" ""
}

labels_in_errors_stay() {
	local port
	begin
	cable "$client" eth0 - "$gw" lan0 -
	cable "$gw" wan0 - "$server" eth0 -
	ready lan0 wan0 eth0 eth0
	port=$(say u)
	like "server saw" "$port" '^192\.0\.2\.1:'
	capture errors "$client" eth0 'icmp[icmptype] == icmp-timxceed'
	agent icmp-error "$server" 192.0.2.2 192.0.2.1 11 0 2097152 udp "$port" 192.0.2.2:53 128 0 "$LABELS" >/dev/null
	labelled
	like "of what" "$(cat "$TMP/errors")" '10\.0\.0\.2\.4000 > 192\.0\.2\.2\.53'
}

# Of a packet that a router inside has killed on its way to a server there.
labels_in_errors_from_inside_stay() {
	hold s udp "$server" 192.0.2.2:5000 192.0.2.1:53
	is "client saw" "$(say s)" 192.0.2.2:5000
	capture errors "$server" eth0 'icmp[icmptype] == icmp-timxceed'
	agent icmp-error "$client" 10.0.0.2 192.0.2.2 11 0 2097152 udp 192.0.2.2:5000 10.0.0.2:53 128 0 "$LABELS" >/dev/null
	labelled
	like "of what" "$(cat "$TMP/errors")" '192\.0\.2\.2\.5000 > 192\.0\.2\.1\.53'
	like "from whom" "$(cat "$TMP/errors")" '192\.0\.2\.1 > 192\.0\.2\.2: ICMP time exceeded'
	unlike "addresses" "$(cat "$TMP/errors")" '10\.0\.0\.'
	agent close s >/dev/null
	finish
}

start_agent
tests_run
