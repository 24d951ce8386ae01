#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The way out changes: by a route, a rule, a link, an address. What is masqueraded follows within a packet;
# TCP, which cannot, hears of it at once. Without offload and with it.
#
#   client            gw                          server
#   eth0 ---------- lan0  wan0 -------------------- eth0        lo
#   10.0.0.2    10.0.0.1  192.0.2.1          192.0.2.2     192.0.9.9
#                         wan1 -------------------- eth1
#                         198.51.100.1    198.51.100.2     pool: 203.0.113.10

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	connection_tracking_recovers_within_a_packet
	a_route_changes
	a_route_changes_with_two_policies
	a_route_changes_under_offload
	a_rule_changes
	a_link_goes_down
	a_link_goes_down_and_comes_back
	resets_where_the_policy_names_no_interface
	to_an_interface_that_is_not_masqueraded
	the_gateway_s_own_connections
	pools_are_not_concerned
	an_address_that_two_devices_have
	an_address_that_moves_to_a_bridge
	an_address_that_is_back_in_a_moment
	a_lost_address
	static_bindings
)

W0='^192\.0\.2\.1:' W1='^198\.51\.100\.1:'
by() { ip -n "$gw" route replace 192.0.9.0/24 "${@:2}" via "$1"; }
by_wan0() { works "route by wan0" by 192.0.2.2; }
by_wan1() { works "route by wan1" by 198.51.100.2; }

# A UDP socket u and a connection t, both answered by wan0.
talk() {
	agent close-all >/dev/null
	by_wan0
	hold u udp "$client" 10.0.0.2:4000
	like "UDP before" "$(say u 192.0.9.9:53)" "$W0"
	hold t tcp "$client" - 192.0.9.9:80
	like "TCP before" "$(say t)" "$W0"
	like "TCP before" "$(say t)" "$W0"
}

# What both find when the way leads by wan1.
find_wan1() {
	like "the same UDP socket" "$(say u 192.0.9.9:53)" "$W1"
	is "the connection" "$(say t)" reset
	like "a new connection" "$(ask tcp "$client" - 192.0.9.9:80)" "$W1"
	is "flows by wan0" "$(flows_at 192.0.2.1)" 0
}

# Of UDP only, which ends by itself.
udp_ends_at() {
	comes_true "UDP at $1 ends" 30 no_flows_at "$1" --proto udp
}
# The control: the same socket, and what is expected of a NAT.
connection_tracking_recovers_within_a_packet() {
	at "$gw" nft -f - <<-END
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "wan*" masquerade
			}
		}
	END
	talk
	by_wan1
	# The packet that shows the change is lost.
	silent say u 192.0.9.9:53 >/dev/null
	like "the same UDP socket" "$(say u 192.0.9.9:53)" "$W1"
	isnt "the connection" "$(silent say t)" "$W1"
	at "$gw" nft delete table ip nat
}

a_route_changes() {
	configure policy add masquerade --out 'wan*'
	talk
	by_wan1
	find_wan1
	at_least "drop-rerouted" "$(counter drop-rerouted)" 1
}

a_route_changes_with_two_policies() {
	unconfigure
	configure policy add masquerade --out wan0
	configure policy add masquerade --out wan1
	talk
	by_wan1
	find_wan1
}

a_route_changes_under_offload() {
	configure config set --offload on --offload-after 1
	talk
	hold v udp "$client" 10.0.0.2:4001 192.0.9.9:53
	is "answered" "$(burst_of v 6)" 6
	is "answered" "$(burst_of t 6)" 6
	isnt "offloaded" "$(counter offloaded)" 0
	by_wan1
	like "the same UDP socket" "$(say v)" "$W1"
	find_wan1
	configure config set --offload off
}

burst_of() { agent burst 4 "$1" "$2"; }

a_rule_changes() {
	talk
	works "table" ip -n "$gw" route replace default via 198.51.100.2 table 7
	works "rule" ip -n "$gw" rule add from 10.0.0.2 lookup 7 pref 100
	find_wan1
	works "rule" ip -n "$gw" rule del pref 100
}

a_link_goes_down() {
	talk
	works "fallback" ip -n "$gw" route append 192.0.9.0/24 via 198.51.100.2 metric 9
	works "link" ip -n "$gw" link set wan0 down
	find_wan1
	works "link" ip -n "$gw" link set wan0 up
	works "fallback" ip -n "$gw" route del 192.0.9.0/24 metric 9
}

# Nothing else leads out: the connection is there when the link is.
a_link_goes_down_and_comes_back() {
	talk
	works "link" ip -n "$gw" link set wan0 down
	udp_ends_at 192.0.2.1
	works "link" ip -n "$gw" link set wan0 up
	by_wan0
	like "UDP" "$(say u 192.0.9.9:53)" "$W0"
	like "TCP" "$(say t)" "$W0"
}

# Then the policy matches what leaves by lan0, too: the reset keeps its source all the same, and that of a firewall.
resets_where_the_policy_names_no_interface() {
	unconfigure
	configure policy add masquerade
	talk
	by_wan1
	is "the connection" "$(say t)" reset
	at "$gw" nft -f - <<-END
		table ip refuse {
			chain forward {
				type filter hook forward priority 0
				tcp dport 81 reject with tcp reset
			}
		}
	END
	is "a connection that the firewall refuses" "$(ask tcp "$client" - 192.0.9.9:81)" refused
	at "$gw" nft delete table ip refuse
	unconfigure
	configure policy add masquerade --out 'wan*'
}

# There the server has to see the client itself, which is another one to it.
to_an_interface_that_is_not_masqueraded() {
	unconfigure
	configure policy add masquerade --out wan0
	talk
	works "way back" ip -n "$server" route add 10.0.0.0/24 via 198.51.100.1
	by_wan1
	is "the connection" "$(say t)" reset
	# The packet that shows the change is dropped: who looks at it only once must not see the inside address.
	is "UDP, first" "$(silent say u 192.0.9.9:53)" timeout
	like "UDP, then" "$(say u 192.0.9.9:53)" '^10\.0\.0\.2:4000$'
	works "way back" ip -n "$server" route del 10.0.0.0/24
}

# From an address that is not of the uplink.
the_gateway_s_own_connections() {
	unconfigure
	configure policy add masquerade --out 'wan*'
	by_wan0
	hold o tcp "$gw" 10.0.0.1:0 192.0.9.9:80
	like "before" "$(say o)" "$W0"
	by_wan1
	is "the connection" "$(say o)" reset
	like "a new one" "$(ask tcp "$gw" 10.0.0.1:0 192.0.9.9:80)" "$W1"
}

pools_are_not_concerned() {
	unconfigure
	configure pool add out --range 203.0.113.10-203.0.113.10
	configure policy add snat --pool out --src 10.0.0.0/24
	by_wan0
	hold t tcp "$client" - 192.0.9.9:80
	like "before" "$(say t)" '^203\.0\.113\.10:'
	by_wan1
	like "after" "$(say t)" '^203\.0\.113\.10:'
	by_wan0
	unconfigure
	configure policy add masquerade --out 'wan*'
}

an_address_that_two_devices_have() {
	ip -n "$gw" -batch - <<-END
		link add dummy0 type dummy
		addr add 192.0.2.1/32 dev dummy0
		link set dummy0 up
	END
	talk
	works "address" ip -n "$gw" addr del 192.0.2.1/32 dev dummy0
	# The work in the background has had its time when another address is done with.
	another_is_lost
	like "UDP" "$(say u 192.0.9.9:53)" "$W0"
	like "TCP" "$(say t)" "$W0"
	at_least "flows" "$(flows_at 192.0.2.1)" 2
}

# A flow by an address of its own shows when a loss has been seen to.
another_is_lost() {
	like "by wan1" "$(ask udp "$client" - 198.51.100.2:54)" "$W1"
	works "address" ip -n "$gw" addr del 198.51.100.1/24 dev wan1
	udp_ends_at 198.51.100.1
	works "address" ip -n "$gw" addr add 198.51.100.1/24 dev wan1
}

an_address_that_moves_to_a_bridge() {
	unconfigure
	configure policy add masquerade
	talk
	ip -n "$gw" -batch - <<-END
		link add br0 type bridge
		link set br0 up
		addr del 192.0.2.1/24 dev wan0
		link set wan0 master br0
		addr add 192.0.2.1/24 dev br0
	END
	by_wan0
	like "TCP" "$(T=10 say t)" "$W0"
	like "UDP" "$(say u 192.0.9.9:53)" "$W0"
	# And back.
	ip -n "$gw" -batch - <<-END
		link del br0
		addr add 192.0.2.1/24 dev wan0
	END
	by_wan0
	like "TCP" "$(T=10 say t)" "$W0"
}

# While it is away there is nothing to masquerade with: TCP sends again.
an_address_that_is_back_in_a_moment() {
	unconfigure
	configure policy add masquerade --out wan0
	talk
	works "address" ip -n "$gw" addr del 192.0.2.1/24 dev wan0
	works "route" ip -n "$gw" route replace 192.0.9.0/24 via 192.0.2.2 dev wan0 onlink
	is "UDP meanwhile" "$(silent say u 192.0.9.9:53)" timeout
	works "address" ip -n "$gw" addr add 192.0.2.1/24 dev wan0
	like "TCP" "$(say t)" "$W0"
	like "UDP" "$(say u 192.0.9.9:53)" "$W0"
}

# A host is told of a connection that ended with the address when it sends next.
a_lost_address() {
	unconfigure
	configure policy add masquerade --out wan0
	talk
	works "address" ip -n "$gw" addr del 192.0.2.1/24 dev wan0
	works "address" ip -n "$gw" addr add 192.0.2.9/24 dev wan0
	by_wan0
	udp_ends_at 192.0.2.1
	is "flows by the old address" "$(flows_at 192.0.2.1)" 0
	is "the connection" "$(say t)" reset
	like "UDP" "$(say u 192.0.9.9:53)" '^192\.0\.2\.9:'
	ip -n "$gw" addr del 192.0.2.9/24 dev wan0
	ip -n "$gw" addr add 192.0.2.1/24 dev wan0
	by_wan0
}

# They stay while the link is down, and go with the address.
static_bindings() {
	configure binding add --policy "$(fn --json policy list | jq '.[0].id')" --proto udp --inside 10.0.0.2:7000 --outside 192.0.2.1:7000
	talk
	works "link" ip -n "$gw" link set wan0 down
	udp_ends_at 192.0.2.1
	is "bindings at the address" "$(statics)" 1
	works "link" ip -n "$gw" link set wan0 up
	works "address" ip -n "$gw" addr del 192.0.2.1/24 dev wan0
	comes_true "the static binding ends" 30 no_static
}

statics() { fn --json binding list | jq '[.[] | select(.static)] | length'; }
no_static() { [[ $(statics) == 0 ]]; }

start_agent
setup_ns client gw server
cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
cable "$gw" wan1 198.51.100.1/24 "$server" eth1 198.51.100.2/24
address "$server" 192.0.9.9/32 lo
route "$client" default via 10.0.0.1
route "$server" 203.0.113.0/24 via 192.0.2.1
forwarding "$gw"
apply
agent sysctl "$gw" net.ipv4.conf.all.rp_filter=0 >/dev/null
serve udp "$server" 192.0.9.9:53
serve udp "$server" 198.51.100.2:54
serve tcp "$server" 192.0.9.9:80
tests_run
