#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Offload: after the first packets of a direction, packets go past routing and firewall.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	it_is_off_by_default
	the_first_packets_of_each_direction_pass_the_firewall
	no_later_ones_do
	the_flow_list_says_so
	connections_from_outside_too
	a_fin_passes_the_firewall
	a_syn_of_a_known_flow_and_a_rst_too
	icmp_passes_the_firewall
	traffic_of_the_gateway_is_not_concerned
	turned_off_it_ends_at_once
	forwarded_packets_are_counted_by_ip
)

it_is_off_by_default() {
	like "settings" "$(fn --json config show)" '"offload": ?"off"'
	warm u t
	through u
	through t
}

# The third packet of either direction is the last that the firewall has to see.
the_first_packets_of_each_direction_pass_the_firewall() {
	configure config set --offload on --offload-after 3
	configure flow flush
	through u 3
}

no_later_ones_do() {
	past u
	hold t tcp "$client" 10.0.0.2:4002 192.0.2.2:80
	warm t
	past t
	past t 4 1000
}

the_flow_list_says_so() {
	is "directions" "$(fn --json flow list --proto udp | jq -c '[.[] | select(.orig."src-port" == 4000)
		| ."offloaded-orig", ."offloaded-reply"]')" '[true,true]'
}

connections_from_outside_too() {
	hold x udp "$server" - 192.0.2.1:53
	hold y tcp "$server" - 192.0.2.1:80
	warm x y
	past x
	past y
}

a_fin_passes_the_firewall() {
	seen_since edges >/dev/null
	agent close y >/dev/null
	comes_true "both FINs in FORWARD" 4 edges_reach 2
}

edges_reach() {
	EDGES=$((${EDGES:-0} + $(seen_since edges)))
	((EDGES >= $1))
}

a_syn_of_a_known_flow_and_a_rst_too() {
	EDGES=0
	agent reset t >/dev/null
	comes_true "RST in FORWARD" 4 edges_reach 1
	is "RSTs" "$EDGES" 1
	hold t tcp "$client" 10.0.0.2:4002 192.0.2.2:80
	comes_true "both SYNs in FORWARD" 4 edges_reach 3
	warm t
	past t
}

icmp_passes_the_firewall() {
	at "$gw" nft add rule ip watch forward meta l4proto icmp counter name edges
	seen_since edges >/dev/null
	observe
	works "ping" at "$client" ping -qc8 -i0.02 -W5 192.0.2.2
	is "a refusal, as an error" "$(ask udp "$client" - 192.0.2.2:9999)" refused
	is "pings and the error in FORWARD" "$(seen_since edges)" 17
	observe
	is "packets offloaded" "$OFFLOADED" 0
}

traffic_of_the_gateway_is_not_concerned() {
	hold g udp "$gw" - 192.0.2.2:53
	observe
	is "answered" "$(burst g 8)" 8
	observe
	is "packets offloaded" "$OFFLOADED" 0
}

turned_off_it_ends_at_once() {
	is "stream" "$(agent stream u)" ok
	past t
	configure config set --offload off
	through t
	configure config set --offload on
	warm t
	past t
	nothing_lost u
}

# Packets, not exchanges: these go both ways.
forwarded_packets_are_counted_by_ip() {
	local before
	before=$(agent snmp "$gw" ForwDatagrams)
	past u 5
	is "ForwDatagrams" $(($(agent snmp "$gw" ForwDatagrams) - before)) 10
}

gateway_topology
watch || fail "nft"
configure policy add masquerade --out wan0
configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 80 --to 10.0.0.2
configure policy add dnat --dst 192.0.2.1 --proto udp --dport 53 --to 10.0.0.2
endpoints
tests_run
