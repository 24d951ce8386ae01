#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A bridge on a gateway with br_netfilter, as on hosts with Docker or Kubernetes: what is bridged stays
# as it is, whatever the policies; what is addressed to the gateway is routed, and translated as ever.
#
#   client, twin        gw                        server
#   eth0 -------- p0,p1 in br0  wan0 ------------- eth0
#   10.0.0.2, .3        10.0.0.1  192.0.2.1      192.0.2.2
#   twin: 198.51.100.9 on lo

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	neighbours_beside_masquerade
	neighbours_beside_masquerade_on_the_bridge
	neighbours_beside_a_pool_for_their_addresses
	through_the_gateway_with_the_kernels_nat
	through_the_gateway
	through_the_gateway_with_offload
	through_the_gateway_in_mode_tracked
	an_address_that_is_led_elsewhere_and_lies_beyond_the_bridge
	a_forwarded_port_from_outside
	a_forwarded_port_from_the_same_bridge
	the_gateway_and_its_neighbours
	other_link_layer_addresses_of_the_gateway
)

# Hosts on one bridge see each other's addresses, and nothing is made for them.
neighbours() {
	local before
	configure flow flush
	before=$(counter pass-bridged)
	hold n udp "$client" 10.0.0.2:0
	for _ in 1 2 3; do
		like "UDP" "$(say n 10.0.0.3:53)" '^10\.0\.0\.2:'
	done
	like "TCP" "$(ask tcp "$client" - 10.0.0.3:80 5000)" '^10\.0\.0\.2:'
	like "the other way" "$(ask tcp "$twin" - 10.0.0.2:80)" '^10\.0\.0\.3:'
	works "ping" at "$client" ping -qc1 -W5 10.0.0.3
	is "an error" "$(ask udp "$client" - 10.0.0.3:9999)" refused
	works "fragments" at "$client" ping -qc1 -W5 -s 4000 10.0.0.3
	like "past the gateway, as a router" "$(ask udp "$client" - 198.51.100.9:53)" '^10\.0\.0\.2:'
	is "flows" "$(flows)" 0
	at_least "pass-bridged" "$(counter pass-bridged)" $((before + 10))
}

neighbours_beside_masquerade() {
	configure policy add masquerade
	neighbours
}

neighbours_beside_masquerade_on_the_bridge() {
	unconfigure
	configure policy add masquerade --out br0
	neighbours
}

neighbours_beside_a_pool_for_their_addresses() {
	unconfigure
	configure pool add out --range 203.0.113.10-203.0.113.10
	configure policy add snat --pool out --src 10.0.0.0/8
	neighbours
}

# gateway NS…
outward() {
	local ns
	for ns; do
		hold u udp "$ns" - 192.0.2.2:53
		hold t tcp "$ns" - 192.0.2.2:80
		for _ in 1 2 3 4 5 6; do
			like "UDP" "$(say u)" '^192\.0\.2\.1:'
			like "TCP" "$(say t)" '^192\.0\.2\.1:'
		done
		works "ping" at "$ns" ping -qc1 -W5 192.0.2.2
		works "fragments" at "$ns" ping -qc1 -W5 -s 4000 192.0.2.2
		is "an error" "$(ask udp "$ns" - 192.0.2.2:9999)" refused
	done
	is "a large transfer" "$(transfer "$client" "$server" 192.0.2.2 81 1)" intact
}

through_the_gateway_with_the_kernels_nat() {
	unconfigure
	at "$gw" nft -f - <<-END || { skip "no nftables"; return; }
		table ip kernel {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname wan0 masquerade
			}
		}
	END
	outward "$client"
	at "$gw" nft delete table ip kernel
	configure policy add masquerade --out wan0
}

through_the_gateway() {
	outward "$client" "$twin"
	neighbours
}

through_the_gateway_with_offload() {
	configure config set --offload on
	outward "$client" "$twin"
	neighbours
	configure config set --offload off
}

through_the_gateway_in_mode_tracked() {
	configure config set --conntrack tracked
	outward "$client"
	neighbours
	configure config set --conntrack untracked
}

an_address_that_is_led_elsewhere_and_lies_beyond_the_bridge() {
	configure policy add dnat --dst 198.51.100.9 --to 192.0.2.2
	neighbours
	works "route" ip -n "$client" route replace 198.51.100.9 via 10.0.0.1
	like "by the gateway, the server saw" "$(ask udp "$client" - 198.51.100.9:53)" '^192\.0\.2\.1:'
	works "route" ip -n "$client" route replace 198.51.100.9 via 10.0.0.3
}

a_forwarded_port_from_outside() {
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 8080 --to 10.0.0.3:80
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 8053 --to 10.0.0.3:53
	hold t tcp "$server" - 192.0.2.1:8080
	hold u udp "$server" 192.0.2.2:0
	for _ in 1 2 3; do
		like "TCP" "$(say t)" '^192\.0\.2\.2:'
		like "UDP" "$(say u 192.0.2.1:8053)" '^192\.0\.2\.2:'
	done
}

# The packet leaves by the bridge that it came in by, and has both ends translated.
a_forwarded_port_from_the_same_bridge() {
	hold t tcp "$client" - 192.0.2.1:8080
	hold u udp "$client" 10.0.0.2:0
	for _ in 1 2 3; do
		like "TCP" "$(say t)" '^192\.0\.2\.1:'
		like "UDP" "$(say u 192.0.2.1:8053)" '^192\.0\.2\.1:'
	done
	at_least "hairpins" "$(counter hairpins)" 2
}

the_gateway_and_its_neighbours() {
	like "from the gateway" "$(ask tcp "$gw" - 10.0.0.3:80)" '^10\.0\.0\.1:'
	like "to the gateway" "$(ask tcp "$client" - 10.0.0.1:22)" '^10\.0\.0\.2:'
	like "to its outer address" "$(ask tcp "$client" - 192.0.2.1:22)" '^10\.0\.0\.2:'
}

# by NAME MAC: the client sends to the gateway at another address of its.
by() {
	works "$1" ip -n "$client" neigh replace 10.0.0.1 lladdr "$2" dev eth0
	like "by $1" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "TCP by $1" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
}

# Both ports have theirs; a device on top, as keepalived has it, another one. What comes in by a port and is to
# another, the kernel takes for its own only if the bridge has that address, too.
other_link_layer_addresses_of_the_gateway() {
	works "address" ip -n "$gw" link set br0 address "$(mac "$gw" p1)"
	by "its own port" "$(mac "$gw" p0)"
	by "another port" "$(mac "$gw" p1)"
	works "macvlan" ip -n "$gw" link add mac0 link br0 type macvlan mode bridge
	works "up" ip -n "$gw" link set mac0 up
	agent sysctl "$gw" net.ipv4.conf.mac0.rp_filter=0 net.ipv4.conf.all.rp_filter=0 >/dev/null
	by "a macvlan" "$(mac "$gw" mac0)"
	works "restored" ip -n "$client" neigh del 10.0.0.1 dev eth0
}

start_agent
with_br_netfilter || skip_all "no br_netfilter"
setup_ns client twin gw server
cable "$client" eth0 10.0.0.2/24 "$gw" p0 -
cable "$twin" eth0 10.0.0.3/24 "$gw" p1 -
NOTES[$gw]+=$'link add br0 type bridge\nlink set p0 master br0\nlink set p1 master br0\nlink set br0 up\naddr add 10.0.0.1/24 dev br0\n'
cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
address "$twin" 198.51.100.9/32 lo
route "$client" default via 10.0.0.1
route "$client" 198.51.100.9 via 10.0.0.3
route "$twin" default via 10.0.0.1
route "$gw" 198.51.100.9 via 10.0.0.3
forwarding "$gw"
apply
# The module's default, but not to rely on.
is "settings" "$(agent sysctl "$gw" net.bridge.bridge-nf-call-iptables=1)" ok
for host in "$client:10.0.0.2" "$twin:10.0.0.3" "$server:192.0.2.2"; do
	serve udp "${host%:*}" "${host#*:}:53"
	serve tcp "${host%:*}" "${host#*:}:80"
done
serve udp "$twin" 198.51.100.9:53
serve tcp "$gw" 0.0.0.0:22
tests_run
