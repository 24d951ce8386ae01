#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The gateway's own tunnels by an interface that it masquerades on: their outer packets are the gateway's, whoever
# sent what is inside, and stay as they are. They make no flows.
#
#   client            gw                              server
#   eth0 ---------- lan0  wan0 ------------------------ eth0
#   10.0.0.2    10.0.0.1  192.0.2.1              192.0.2.2
#                        tun 10.9.0.1 ~~~~~~~ 10.9.0.2 tun

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	gre
	ip_in_ip
	vxlan_keeps_its_port
)

# tunnel WORDS…: of both ends, which differ in their addresses.
tunnel() {
	ip -n "$gw" link add tun "$@" local 192.0.2.1 remote 192.0.2.2 &&
		ip -n "$server" link add tun "$@" local 192.0.2.2 remote 192.0.2.1 || return
	ip -n "$gw" addr add 10.9.0.1/24 dev tun
	ip -n "$server" addr add 10.9.0.2/24 dev tun
	ip -n "$gw" link set tun up
	ip -n "$server" link set tun up
	ip -n "$server" route replace 10.0.0.0/24 via 10.9.0.1
}

no_tunnel() {
	ip -n "$gw" link del tun
	ip -n "$server" link del tun
}

carries() { # NAME
	local before
	before=$(counter pass-local)
	works "the gateway's ping by $1" at "$gw" ping -qc2 -i0.2 -W5 10.9.0.2
	works "the client's ping by $1" at "$client" ping -qc2 -i0.2 -W5 10.9.0.2
	is "the client, by $1" "$(ask udp "$client" 10.0.0.2:4000 10.9.0.2:53)" 10.0.0.2:4000
	is "flows" "$(flows)" 0
	at_least "pass-local" "$(counter pass-local)" $((before + 5))
}

gre() {
	needs ip_gre "GRE" || return
	works "tunnel" tunnel type gre
	carries "GRE"
	no_tunnel
}

ip_in_ip() {
	needs ipip "IP in IP" || return
	works "tunnel" tunnel type ipip
	carries "IP in IP"
	no_tunnel
}

vxlan_keeps_its_port() {
	needs vxlan "VXLAN" || return
	works "tunnel" tunnel type vxlan id 7 dstport 4789 srcport 5000 5001
	capture x "$server" eth0 'src host 192.0.2.1 and udp dst port 4789 and not src portrange 5000-5001'
	carries "VXLAN"
	is "from another port" "$(captured x)" ""
	no_tunnel
}

gateway_topology
configure policy add masquerade --out wan0
serve udp "$server" 0.0.0.0:53
tests_run
