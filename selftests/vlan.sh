#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The gateway's networks are 802.1Q VLANs of its cables.
#
#   client                 gw                           server
#   eth0.10 ------- lan0.10  wan0.20 ------------------ eth0.20
#   10.0.0.2       10.0.0.1  192.0.2.1               192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	traffic_passes_tagged
	large_transfers_pass
	without_vlan_offload_too
	the_cable_itself_is_not_meant
)

# vlan NS IF ID ADDR
vlan() {
	NOTES[$1]+="link add link $2 name $2.$3 type vlan id $3"$'\n'
	up "$1" "$2.$3" "$4"
}

traffic_passes_tagged() {
	capture t "$server" eth0 'vlan 20'
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	works "ping" at "$client" ping -qc1 -W5 192.0.2.2
	like "captured" "$(captured t)" '192\.0\.2\.1\.[0-9]* > 192\.0\.2\.2\.53'
}

large_transfers_pass() {
	is "out" "$(transfer "$client" "$server" 192.0.2.2 81 2)" intact
	is "in" "$(transfer "$server" "$client" 192.0.2.1 81 2)" intact
	like "fragments" "$(ask udp "$client" - 192.0.2.2:53 8000)" '^192\.0\.2\.1:'
}

without_vlan_offload_too() {
	at "$gw" ethtool -K lan0 rxvlan off txvlan off >/dev/null
	at "$gw" ethtool -K wan0 rxvlan off txvlan off >/dev/null
	is "out" "$(transfer "$client" "$server" 192.0.2.2 81 2)" intact
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
}

# The policy names wan0.20; what leaves by wan0 is not translated.
the_cable_itself_is_not_meant() {
	ip -n "$gw" addr add 198.51.100.1/24 dev wan0
	ip -n "$server" addr add 198.51.100.2/24 dev eth0
	heard udp "$server" 54 >/dev/null
	is "answer" "$(silent ask udp "$client" 10.0.0.2:4000 198.51.100.2:54)" timeout
	is "server heard" "$(heard udp "$server" 54)" 10.0.0.2:4000
}

modprobe -q 8021q 2>/dev/null
[[ -d /proc/net/vlan ]] || skip_all "no 802.1Q"
start_agent
setup_ns client gw server
cable "$client" eth0 - "$gw" lan0 -
cable "$gw" wan0 - "$server" eth0 -
vlan "$client" eth0 10 10.0.0.2/24
vlan "$gw" lan0 10 10.0.0.1/24
vlan "$gw" wan0 20 192.0.2.1/24
vlan "$server" eth0 20 192.0.2.2/24
route "$client" default via 10.0.0.1
forwarding "$gw"
apply
configure policy add masquerade --out wan0.20
configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 81 --to 10.0.0.2
serve udp "$server" 0.0.0.0:53
serve udp "$server" 0.0.0.0:54
serve tcp "$server" 192.0.2.2:80
tests_run
