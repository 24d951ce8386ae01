#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Offload goes by routes as they are: a change leads packets the new way at once, and nothing is lost
# by it. Of the server's three interfaces, "far" shares the cable of eth0 and has its own MAC address.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0, far     lo
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3        192.0.9.9
#                         wan1 ---------------- eth1
#                         198.51.100.1   198.51.100.2         pool: 203.0.113.10

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	another_gateway
	another_interface
	a_more_specific_route_that_comes_and_goes
	a_rule_for_the_source
	a_rule_for_a_mark_of_tc
	a_mark_of_prerouting_takes_the_whole_stack_and_its_route
	nothing_was_lost
	no_route_at_all
	a_black_hole_on_either_way
	a_link_that_goes_down_and_up
	forwarding_off_and_on
	the_reverse_path_filter_once_routes_are_learned_anew
	an_xfrm_policy
)

far() { ip -n "$gw" route "$1" 192.0.9.0/24 "${@:2}"; }

# leads_to IF [HOW]: exchanges of u reach the server by IF, and go past the stack.
leads_to() {
	local before after
	is "answered at once" "$(burst u 1)" 1
	before=$(agent received "$server" "$1")
	"${2:-past}" u 4
	after=$(agent received "$server" "$1")
	at_least "packets by $1" $((after - before)) 4
	is "answered on t" "$(burst t 2)" 2
}

another_gateway() {
	warm u t s
	leads_to eth0
	is "a stream" "$(agent stream s)" ok
	works "route" far replace via 192.0.2.3
	leads_to far
}

another_interface() {
	works "route" far replace via 198.51.100.2
	leads_to eth1
}

a_more_specific_route_that_comes_and_goes() {
	works "route" ip -n "$gw" route add 192.0.9.9/32 via 192.0.2.3
	leads_to far
	works "route" ip -n "$gw" route del 192.0.9.9/32
	leads_to eth1
}

a_rule_for_the_source() {
	works "route" ip -n "$gw" route add default via 192.0.2.2 table 7
	works "rule" ip -n "$gw" rule add from 10.0.0.2 iif lan0 lookup 7 pref 100
	leads_to eth0
	works "rule" ip -n "$gw" rule del pref 100
	leads_to eth1
}

a_rule_for_a_mark_of_tc() {
	works "rule" ip -n "$gw" rule add fwmark 7 lookup 7 pref 100
	leads_to eth1
	works "filter" at "$gw" tc filter add dev lan0 ingress matchall action skbedit mark 7
	leads_to eth0
	works "filter" at "$gw" tc filter del dev lan0 ingress
	leads_to eth1
}

# Offload comes before such marks, and has learned the route without one; the settings make it forget.
# With a mark it learns nothing that fits a packet which has none yet.
a_mark_of_prerouting_takes_the_whole_stack_and_its_route() {
	at "$gw" nft -f - <<-END
		table ip marks {
			chain prerouting {
				type filter hook prerouting priority mangle
				iifname lan0 meta mark set 7
			}
		}
	END
	configure config set --offload on
	leads_to eth0 half_past
	at "$gw" nft delete table ip marks
	leads_to eth1
	works "rule" ip -n "$gw" rule del pref 100
}

nothing_was_lost() { nothing_lost s; }

no_route_at_all() {
	agent set u recverr 1 >/dev/null
	works "route" far del via 198.51.100.2
	is "answer" "$(say u)" ENETUNREACH
	works "route" far add via 192.0.2.2
	leads_to eth0
}

a_black_hole_on_either_way() {
	local hole
	for hole in 192.0.9.9/32 10.0.0.2/32; do
		works "route" ip -n "$gw" route add blackhole "$hole"
		unanswered "a black hole" u
		works "route" ip -n "$gw" route del blackhole "$hole"
		leads_to eth0
	done
}

a_link_that_goes_down_and_up() {
	works "route" far append via 198.51.100.2 metric 9
	works "link" ip -n "$gw" link set wan0 down
	answers_by 198.51.100.1
	leads_to eth1
	works "link" ip -n "$gw" link set wan0 up
	works "route" far replace via 192.0.2.2
	works "route" far del via 198.51.100.2 metric 9
	answers_by 192.0.2.1
	leads_to eth0
}

answers_by() { works "server's route" ip -n "$server" route replace 203.0.113.0/24 via "$1"; }

# refused_by SETTING: nothing passes while it is 0.
refused_by() {
	agent sysctl "$gw" "$1=0" >/dev/null
	like "answer" "$(silent say u)" '^(timeout|E[A-Z]+)$'
	agent sysctl "$gw" "$1=1" >/dev/null
	leads_to eth0
}

forwarding_off_and_on() {
	refused_by net.ipv4.ip_forward
	refused_by net.ipv4.conf.lan0.forwarding
}

# The gateway's way back to 10.9.0.2 does not lead by lan0, which nobody minds but the filter. IP
# tells nobody that the filter is on: it is asked when routes are learned anew.
the_reverse_path_filter_once_routes_are_learned_anew() {
	works "address" ip -n "$client" addr add 10.9.0.2/32 dev lo
	works "route" ip -n "$gw" route add 10.9.0.2/32 via 192.0.2.2
	hold r udp "$client" 10.9.0.2:4000 192.0.9.9:53
	observe
	burst_unheard 6
	observe
	at_least "packets offloaded" "$OFFLOADED" 2
	heard udp "$server" 53 >/dev/null
	agent sysctl "$gw" net.ipv4.conf.lan0.rp_filter=1 >/dev/null
	configure config set --offload on
	burst_unheard 1
	is "server heard" "$(heard udp "$server" 53)" nobody
	agent sysctl "$gw" net.ipv4.conf.lan0.rp_filter=0 >/dev/null
	burst_unheard 1
	isnt "server heard" "$(heard udp "$server" 53)" nobody
}

burst_unheard() { is "answered on r" "$(T=0.1 burst r "$1")" 0; }

an_xfrm_policy() {
	warm u
	works "policy" ip -n "$gw" xfrm policy add src 10.77.0.0/16 dst 10.78.0.0/16 dir out tmpl proto esp mode tunnel
	through u
	works "policy" ip -n "$gw" xfrm policy flush
	warm u
	past u
}

start_agent
setup_ns client gw server
cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
cable "$gw" wan1 198.51.100.1/24 "$server" eth1 198.51.100.2/24
NOTES[$server]+=$'link add far link eth0 type macvlan mode bridge\n'
up "$server" far 192.0.2.3/24
address "$server" 192.0.9.9/32 lo
route "$client" default via 10.0.0.1
route "$gw" 192.0.9.0/24 via 192.0.2.2
route "$server" 203.0.113.0/24 via 192.0.2.1
forwarding "$gw"
apply
# Answers come by wan0, wherever the questions went; only eth0 answers for its addresses.
agent sysctl "$gw" net.ipv4.conf.all.rp_filter=0 >/dev/null
agent sysctl "$server" net.ipv4.conf.all.arp_ignore=1 >/dev/null
# Packets are lost while a device is given a qdisc, so it has one from the beginning.
works "qdisc" at "$gw" tc qdisc add dev lan0 clsact
watch || fail "nft"
configure pool add out --range 203.0.113.10-203.0.113.10
configure policy add snat --pool out --src 10.0.0.0/8
configure config set --offload on
serve udp "$server" 192.0.9.9:53
serve tcp "$server" 192.0.9.9:80
hold u udp "$client" 10.0.0.2:4000 192.0.9.9:53
hold s udp "$client" 10.0.0.2:4002 192.0.9.9:53
hold t tcp "$client" 10.0.0.2:4001 192.0.9.9:80
tests_run
