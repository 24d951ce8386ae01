#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The gateway's namespace dies under traffic, again and again, with flows, pools and
# policies alive; the module can be unloaded afterwards, so nothing held on to it.
#
#   client            gw (dies)               server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	the_gateway_dies_under_traffic
	an_idle_gateway_dies_with_its_flows
	its_interfaces_go_before_it
	the_module_can_go
)

new_gateway() {
	setup_ns gw
	cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
	cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
	route "$client" default via 10.0.0.1
	forwarding "$gw"
	apply
	configure pool add few --ports 20000-29999
	configure policy add masquerade --out wan0 --pool few
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 80 --to 10.0.0.2
}

# The cables go with the namespace, a moment later.
kill_gateway() {
	works "delete" ip netns del "$gw"
	unset "NAMESPACES[-1]"
	comes_true "the cables are gone" 10 no_cables
}

no_cables() { ! ip -n "$client" link show eth0 && ! ip -n "$server" link show eth0; }
some_flows() { (($(counter flows) > 10)); }

the_gateway_dies_under_traffic() {
	local i
	is "traffic" "$(agent pour "$client" 192.0.2.2:53)" ok
	for i in {1..3}; do
		new_gateway
		comes_true "flows, $i" 6 some_flows
		kill_gateway
	done
	agent calm >/dev/null
}

an_idle_gateway_dies_with_its_flows() {
	new_gateway
	is "answered" "$(agent flood 4 f "$client" - 192.0.2.2:53 20)" 20
	at_least "flows" "$(counter flows)" 20
	kill_gateway
}

its_interfaces_go_before_it() {
	new_gateway
	is "answered" "$(agent flood 4 g "$client" - 192.0.2.2:53 20)" 20
	ip -n "$gw" link del wan0
	comes_true "its flows are gone" 30 flows_are 0
	ip -n "$gw" link del lan0
	kill_gateway
}

the_module_can_go() {
	gw=
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	works "unload" rmmod fastnat
	works "load" load_module
}

start_agent
setup_ns client server
apply
serve udp "$server" 0.0.0.0:53
tests_run
