#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Uplinks whose address has a peer, as PPP, tunnels and WireGuard have: the address is the gateway's own
# all the same.
#
#   client            gw                                           server
#   eth0 ---------- lan0  wan0 --------------------------------------- eth0
#   10.0.0.2    10.0.0.1  198.51.100.7 peer 198.51.100.1       198.51.100.1
#                         gre0 ======================================= gre0
#                         203.0.113.7 peer 203.0.113.1          203.0.113.1

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	inside_hosts_are_masqueraded
	the_gateway_keeps_its_own_traffic
	a_service_of_the_gateway_is_reached
	what_comes_to_nobody_is_held
	a_forwarded_port
	a_hairpin
	an_interface_of_tunnels
	a_second_address_of_the_interface
	a_changed_peer_keeps_connections
	an_uplink_without_an_address
)

inside_hosts_are_masqueraded() {
	configure policy add masquerade --out wan0
	like "UDP" "$(ask udp "$client" - 198.51.100.1:53)" '^198\.51\.100\.7:'
	like "TCP" "$(ask tcp "$client" - 198.51.100.1:80)" '^198\.51\.100\.7:'
	works "ping" at "$client" ping -qc1 -W5 198.51.100.1
	is "drop-address" "$(counter drop-address)" 0
}

# As it is, with its own ports: it is outside already.
the_gateway_keeps_its_own_traffic() {
	is "UDP" "$(ask udp "$gw" 198.51.100.7:5000 198.51.100.1:53)" 198.51.100.7:5000
	is "TCP" "$(ask tcp "$gw" 198.51.100.7:5001 198.51.100.1:80)" 198.51.100.7:5001
	works "ping" at "$gw" ping -qc1 -W5 198.51.100.1
}

a_service_of_the_gateway_is_reached() {
	like "TCP" "$(ask tcp "$server" - 198.51.100.7:22)" '^198\.51\.100\.1:'
	like "UDP" "$(ask udp "$server" - 198.51.100.7:123)" '^198\.51\.100\.1:'
}

# RFC 5382 REQ-4 is for the address as for any other.
what_comes_to_nobody_is_held() {
	local before
	before=$(counter syn-held)
	is "answer" "$(silent ask tcp "$server" - 198.51.100.7:9999)" timeout
	at_least "syn-held" "$(counter syn-held)" $((before + 1))
}

a_forwarded_port() {
	configure policy add dnat --dst 198.51.100.7 --proto tcp --dport 8080 --to 10.0.0.2:8080
	like "from outside" "$(ask tcp "$server" - 198.51.100.7:8080)" '^198\.51\.100\.1:'
	# A static binding is at an address that the interface has.
	configure binding add --policy 1 --proto udp --inside 10.0.0.2:7000 --outside 198.51.100.7:7000
	like "static binding" "$(ask udp "$server" - 198.51.100.7:7000)" '^198\.51\.100\.1:'
}

a_hairpin() {
	like "to the forwarded port" "$(ask tcp "$client" - 198.51.100.7:8080)" '^198\.51\.100\.7:'
}

an_interface_of_tunnels() {
	works "tunnel" ip -n "$gw" link add gre0x type gre local 198.51.100.7 remote 198.51.100.1 ttl 64
	works "tunnel" ip -n "$server" link add gre0x type gre local 198.51.100.1 remote 198.51.100.7 ttl 64
	ip -n "$gw" -batch - <<-END
		link set gre0x up
		addr add 203.0.113.7 peer 203.0.113.1/32 dev gre0x
	END
	ip -n "$server" -batch - <<-END
		link set gre0x up
		addr add 203.0.113.1 peer 203.0.113.7/32 dev gre0x
	END
	configure policy add masquerade --out 'gre*'
	like "UDP" "$(ask udp "$client" - 203.0.113.1:53)" '^203\.0\.113\.7:'
	like "TCP" "$(ask tcp "$client" - 203.0.113.1:80)" '^203\.0\.113\.7:'
	is "the gateway" "$(ask udp "$gw" 203.0.113.7:5000 203.0.113.1:53)" 203.0.113.7:5000
}

# The kernel gives the source address of the first one that reaches the next hop.
a_second_address_of_the_interface() {
	works "address" ip -n "$gw" addr add 198.51.100.8 peer 198.51.100.2/32 dev wan0
	works "address" ip -n "$server" addr add 198.51.100.2/32 dev eth0
	serve udp "$server" 198.51.100.2:54
	like "by the new peer" "$(ask udp "$client" - 198.51.100.2:54)" '^198\.51\.100\.8:'
	like "by the old one" "$(ask udp "$client" - 198.51.100.1:53)" '^198\.51\.100\.7:'
	is "the gateway" "$(ask udp "$gw" 198.51.100.8:5000 198.51.100.2:54)" 198.51.100.8:5000
	like "a service there" "$(ask tcp "$server" - 198.51.100.8:22)" '^198\.51\.100\.[12]:'
}

# IPCP may give another peer while the address stays.
a_changed_peer_keeps_connections() {
	works "address" ip -n "$gw" addr del 198.51.100.8 peer 198.51.100.2/32 dev wan0
	hold t tcp "$client" - 198.51.100.1:80
	like "before" "$(say t)" '^198\.51\.100\.7:'
	works "address" ip -n "$gw" addr del 198.51.100.7 peer 198.51.100.1/32 dev wan0
	works "address" ip -n "$gw" addr add 198.51.100.7 peer 198.51.100.9/32 dev wan0
	works "route" ip -n "$gw" route replace 198.51.100.1 dev wan0
	like "after" "$(say t)" '^198\.51\.100\.7:'
}

# An unnumbered uplink has the address of the loopback device.
an_uplink_without_an_address() {
	works "address" ip -n "$gw" addr flush dev wan0
	works "address" ip -n "$gw" addr add 203.0.113.9/32 dev lo
	works "routes" ip -n "$gw" -batch - <<-END
		route add 198.51.100.1 dev wan0
		route add 198.51.100.2 dev wan0
	END
	works "route" ip -n "$server" route add 203.0.113.9 dev eth0
	configure policy add masquerade --out wan0
	like "UDP" "$(ask udp "$client" - 198.51.100.1:53)" '^203\.0\.113\.9:'
	hold t tcp "$client" - 198.51.100.1:80
	like "TCP" "$(say t)" '^203\.0\.113\.9:'
	works "another address of the gateway" ip -n "$gw" addr add 192.0.2.99/32 dev lan0
	like "the same connection" "$(say t)" '^203\.0\.113\.9:'
	is "the gateway" "$(ask udp "$gw" 203.0.113.9:5000 198.51.100.1:53)" 203.0.113.9:5000
}

start_agent
setup_ns client gw server
cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
cable "$gw" wan0 - "$server" eth0 -
NOTES[$gw]+=$'addr add 198.51.100.7 peer 198.51.100.1/32 dev wan0\n'
NOTES[$server]+=$'addr add 198.51.100.1 peer 198.51.100.7/32 dev eth0\nroute add 198.51.100.8 dev eth0\n'
route "$client" default via 10.0.0.1
forwarding "$gw"
apply
serve udp "$server" 0.0.0.0:53
serve tcp "$server" 0.0.0.0:80
serve tcp "$gw" 0.0.0.0:22
serve udp "$gw" 0.0.0.0:123
serve tcp "$client" 10.0.0.2:8080
serve udp "$client" 10.0.0.2:7000
tests_run
