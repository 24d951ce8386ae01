#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What tc does to packets that come in and leave holds for offloaded ones as well.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	an_ingress_filter_drops
	ingress_policing_limits
	an_egress_filter_sees_translated_packets
	an_egress_filter_drops
	an_egress_qdisc_limits
	a_class_is_chosen_by_dscp
	a_mark_of_an_exempt_class_takes_the_whole_stack
	an_exempt_device_takes_the_whole_stack
)

filter() { works "filter" at "$gw" tc filter add dev "$1" "${@:2}"; }
unfilter() { works "filter" at "$gw" tc filter del dev "$1" "$2"; }
# hits IF WHERE: packets that the filter's action has met.
hits() { at "$gw" tc -s -j filter show dev "$1" "$2" | jq '[.. | .stats? // empty | .packets // 0] | add'; }
nothing_comes() { unanswered "nothing comes" u; }

an_ingress_filter_drops() {
	warm u t
	past u
	filter lan0 ingress protocol ip matchall action drop
	nothing_comes
	unfilter lan0 ingress
	past u
}

# 10 kB at once and 8 kbit/s: ten of them or so. What comes in is limited before it is offloaded.
ingress_policing_limits() {
	filter lan0 ingress protocol ip matchall action police rate 8kbit burst 10k drop
	limited
	unfilter lan0 ingress
	past u
}

# limited: of a volley of 40 datagrams few reach the server, and all of them past the stack.
limited() {
	local before after
	before=$(agent received "$server" eth0)
	observe
	agent volley u 40 1000 >/dev/null
	observe
	after=$(agent received "$server" eth0)
	is "packets that FORWARD saw" "$SEEN" 0
	at_least "packets" $((after - before)) 3
	((after - before <= 16)) || fail "packets: got $((after - before)), want at most 16"
}

an_egress_filter_sees_translated_packets() {
	filter wan0 egress protocol ip flower ip_proto udp src_ip 192.0.2.1 action pass
	past u 5
	is "packets" "$(hits wan0 egress)" 5
	unfilter wan0 egress
}

an_egress_filter_drops() {
	filter wan0 egress protocol ip flower ip_proto udp dst_ip 192.0.2.2 action drop
	nothing_comes
	past t
	unfilter wan0 egress
	past u
}

an_egress_qdisc_limits() {
	works "qdisc" at "$gw" tc qdisc add dev wan0 root tbf rate 8kbit burst 10k limit 3000
	limited
	works "qdisc" at "$gw" tc qdisc del dev wan0 root
	past u
}

# ip_forward() makes a priority of the TOS, and so does offload; class 1:6 is that of priority 6.
a_class_is_chosen_by_dscp() {
	works "qdisc" at "$gw" tc qdisc add dev wan0 root handle 1: prio bands 3 priomap 0 0 0 0 0 0 2 0 0 0 0 0 0 0 0 0
	agent set u tos 16 >/dev/null
	warm u
	past u 5
	at_least "packets of the third band" "$(at "$gw" tc -s -j class show dev wan0 | jq '.[] | select(.handle == "1:3") | .stats.packets')" 5
	agent set u tos 0 >/dev/null
	works "qdisc" at "$gw" tc qdisc del dev wan0 root
	warm u
	past u
}

a_mark_of_an_exempt_class_takes_the_whole_stack() {
	configure config set --offload-exempt-mark 0x10/0xf0
	filter lan0 ingress protocol ip flower ip_proto udp action skbedit mark 0x15
	warm u t
	half_past u
	past t
	unfilter lan0 ingress
	configure config set --offload-exempt-mark none
	warm u
	past u
}

an_exempt_device_takes_the_whole_stack() {
	configure config set --offload-exempt-dev lan0
	through u
	configure config set --offload-exempt-dev none
	warm u
	past u
}

offloading_gateway
works "qdisc" at "$gw" tc qdisc add dev lan0 clsact
works "qdisc" at "$gw" tc qdisc add dev wan0 clsact
tests_run
