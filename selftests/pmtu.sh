#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Path-MTU discovery through the gateway, in both directions: a narrow link beyond
# it, before it, and at the gateway itself.
#
#   client ------------ inner ------------ gw ------------ outer ------------ server
#   10.0.0.2   10.0.0.1  10.0.9.2  10.0.9.1  192.0.2.1  .254  198.51.100.1   198.51.100.2
#          <- 1300             <- 1250                             1400 ->

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	ping_learns_of_a_narrow_link_outside
	an_upload_adapts_to_it
	ping_learns_of_a_narrow_link_inside
	a_download_adapts_to_it
	the_gateways_own_error_hides_the_inside
	a_download_adapts_to_the_gateway
)

ping_learns_of_a_narrow_link_outside() {
	width "$outer" eth1 1400
	like "ping" "$(at "$client" ping -nc1 -W3 -M"do" -s1472 198.51.100.2 2>&1)" \
		'From 192\.0\.2\.254 icmp_seq=1 Frag needed and DF set \(mtu = 1400\)'
	forget
}

an_upload_adapts_to_it() {
	is "payload" "$(transfer "$client" "$server" 198.51.100.2 81 1)" intact
	is "client's route" "$(learned_mtu "$client" 198.51.100.2)" "mtu 1400"
	width "$outer" eth1 1500
	forget
}

ping_learns_of_a_narrow_link_inside() {
	local seen
	width "$inner" eth0 1300
	seen=$(at "$server" ping -nc1 -W3 -M"do" -s1472 203.0.113.9 2>&1)
	like "ping" "$seen" 'Frag needed and DF set \(mtu = 1300\)'
	unlike "ping" "$seen" 'From 10\.'
	forget
}

a_download_adapts_to_it() {
	is "payload" "$(transfer "$server" "$client" 192.0.2.1 81 1)" intact
	is "server's route" "$(learned_mtu "$server" 192.0.2.1)" "mtu 1300"
	width "$inner" eth0 1500
	forget
}

the_gateways_own_error_hides_the_inside() {
	local seen
	width "$gw" lan0 1250
	capture p "$server" eth0 'icmp[icmptype] == icmp-unreach'
	like "ping" "$(at "$server" ping -nc1 -W3 -M"do" -s1400 203.0.113.9 2>&1)" \
		'From (192\.0\.2\.1|203\.0\.113\.9) icmp_seq=1 Frag needed and DF set \(mtu = 1250\)'
	seen=$(captured p)
	like "quoted header" "$seen" '198\.51\.100\.2 > 203\.0\.113\.9'
	unlike "whole error" "$seen" '10\.0\.0\.2'
	forget
}

a_download_adapts_to_the_gateway() {
	is "payload" "$(transfer "$server" "$client" 192.0.2.1 81 1)" intact
	is "server's route" "$(learned_mtu "$server" 192.0.2.1)" "mtu 1250"
}

routed_topology
configure policy add masquerade --out wan0
configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 81 --to 10.0.0.2
configure policy add dnat --dst 203.0.113.9 --to 10.0.0.2
tests_run
