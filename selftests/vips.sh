#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Outside addresses that are on lo, on a dummy interface, on several, or on none: inside hosts reach what is
# forwarded there, and nobody from outside passes for one of them.
#
#   client                 gw                          server
#   eth0 --------------- lan0  wan0 -------------------- eth0
#   10.0.0.2, .3     10.0.0.1  192.0.2.1            192.0.2.2
#   client2               |    wan1 -------------------- eth1
#   10.0.1.2 ------------ lan1 198.51.100.1     198.51.100.2       VIPs: 203.0.113.0/28

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_vip_on_lo
	a_vip_on_a_dummy
	a_vip_that_is_only_routed_here
	a_vip_with_a_pool
	a_vip_and_two_uplinks
	a_stranger_by_the_other_uplink
	a_stranger_and_a_pool_without_limits
	a_stranger_with_an_address_of_the_inside
	an_inside_host_beside_the_server_on_one_arm
)

# reached ADDR SOURCE: the service behind ADDR, by who asks; inside hosts with SOURCE.
reached() {
	is "from outside" "$(ask tcp "$server" 192.0.2.2:0 "$1:8080" | cut -d: -f1)" 192.0.2.2
	like "from another network" "$(ask tcp "$client2" - "$1:8080")" "$2"
	like "from the server's network" "$(ask tcp "$client" 10.0.0.3:0 "$1:8080")" "$2"
	like "from the server itself" "$(ask tcp "$client" 10.0.0.2:0 "$1:8080")" "$2"
}

forward() { configure policy add dnat --dst "$1" --proto tcp --dport 8080 --to 10.0.0.2:80; }

a_vip_on_lo() {
	works "VIP" ip -n "$gw" addr add 203.0.113.1/32 dev lo
	configure policy add masquerade --out wan0
	forward 203.0.113.1
	reached 203.0.113.1 '^203\.0\.113\.1:'
}

# As kube-proxy has it in mode ipvs: an interface that is down.
a_vip_on_a_dummy() {
	ip -n "$gw" -batch - <<-END
		link add kube-ipvs0 type dummy
		addr add 203.0.113.2/32 dev kube-ipvs0
	END
	forward 203.0.113.2
	reached 203.0.113.2 '^203\.0\.113\.2:'
}

a_vip_that_is_only_routed_here() {
	forward 203.0.113.3
	reached 203.0.113.3 '^203\.0\.113\.3:'
}

a_vip_with_a_pool() {
	unconfigure
	configure pool add out --range 203.0.113.8/30
	configure policy add snat --pool out --src 10.0.0.0/8 --out wan0
	forward 203.0.113.1
	reached 203.0.113.1 '^203\.0\.113\.(8|9|10|11):'
}

a_vip_and_two_uplinks() {
	unconfigure
	configure policy add masquerade --out wan1
	configure policy add masquerade --out wan0
	forward 203.0.113.1
	reached 203.0.113.1 '^203\.0\.113\.1:'
}

# An address of wan0, by wan1: it was never inside.
a_stranger_by_the_other_uplink() {
	forward 192.0.2.1
	works "way" ip -n "$server" route add 192.0.2.1/32 via 198.51.100.1
	is "by two policies" "$(ask tcp "$server" 198.51.100.2:0 192.0.2.1:8080 | cut -d: -f1)" 198.51.100.2
	unconfigure
	configure policy add masquerade --out 'wan*'
	forward 192.0.2.1
	is "by one" "$(ask tcp "$server" 198.51.100.2:0 192.0.2.1:8080 | cut -d: -f1)" 198.51.100.2
	is "hairpins" "$(fn --json flow list | jq length)" 1
	works "way" ip -n "$server" route del 192.0.2.1/32
}

# Nothing says what is inside: what comes to a binding is let in as it is, and makes no flow.
a_stranger_and_a_pool_without_limits() {
	local seen before
	unconfigure
	configure pool add out --range 203.0.113.1-203.0.113.1
	configure policy add snat --pool out
	hold u udp "$client" 10.0.0.2:4000
	seen=$(say u 192.0.2.2:53)
	like "outside" "$seen" '^203\.0\.113\.1:'
	before=$(flows)
	hold s udp "$server" 198.51.100.2:7000
	works "way" ip -n "$server" route add 203.0.113.1/32 via 198.51.100.1
	agent tell s "$seen" hello >/dev/null
	is "heard" "$(hear u)" "198.51.100.2:7000 hello"
	is "flows" "$(flows)" "$before"
	works "way" ip -n "$server" route del 203.0.113.1/32
}

# The upstream network may have such addresses as well.
a_stranger_with_an_address_of_the_inside() {
	unconfigure
	configure policy add masquerade --src 10.0.0.0/8 --out wan0
	forward 192.0.2.1
	works "address" ip -n "$server" addr add 10.99.0.2/32 dev eth0
	works "way back" ip -n "$gw" route add 10.99.0.2/32 dev wan0
	is "from outside" "$(ask tcp "$server" 10.99.0.2:0 192.0.2.1:8080 | cut -d: -f1)" 10.99.0.2
	works "way back" ip -n "$gw" route del 10.99.0.2/32
}

# Client, server and upstream are all behind lan0: the answer would not come back by the gateway.
an_inside_host_beside_the_server_on_one_arm() {
	local seen
	unconfigure
	configure policy add masquerade --src 10.0.0.0/24 --out lan0
	forward 10.0.0.1
	like "a forwarded port" "$(ask tcp "$client" 10.0.0.3:0 10.0.0.1:8080)" '^10\.0\.0\.1:'
	works "upstream" ip -n "$gw" route add 192.0.9.9/32 via 10.0.0.9 dev lan0
	works "upstream" ip -n "$client" addr add 10.0.0.9/24 dev eth0
	works "upstream" ip -n "$client" addr add 192.0.9.9/32 dev lo
	configure binding add --policy "$(fn --json policy list | jq '.[] | select(.action == "masquerade").id')" \
		--proto udp --inside 10.0.0.2:4000 --outside 10.0.0.1:4000
	hold b udp "$client" 10.0.0.2:4000
	hold a udp "$client" 10.0.0.3:4001
	agent tell a 10.0.0.1:4000 hello >/dev/null
	seen=$(hear b)
	like "heard" "$seen" '^10\.0\.0\.1:[0-9]+ hello$'
	agent tell b "${seen% *}" welcome >/dev/null
	is "the answer" "$(hear a)" "10.0.0.1:4000 welcome"
}

gateway_topology
second_client
cable "$gw" wan1 198.51.100.1/24 "$server" eth1 198.51.100.2/24
address "$client" 10.0.0.3/24 eth0
route "$server" 203.0.113.0/28 via 192.0.2.1
apply
agent sysctl "$gw" net.ipv4.conf.all.rp_filter=0 >/dev/null
serve udp "$server" 192.0.2.2:53
serve tcp "$client" 10.0.0.2:80
tests_run
