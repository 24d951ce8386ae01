#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Traffic is shaped as home routers do it, beside offload and the early lookup: what comes in by an IFB, what
# leaves by fq, while somebody wants to know when packets came.
#
#   client            gw                            server
#   eth0 ---------- lan0  wan0 (ingress: ifb0) ------ eth0
#   10.0.0.2    10.0.0.1  192.0.2.1            192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	what_comes_in_passes_the_ifb
	the_ifb_limits
	new_flows_pass_it_as_well
	transfers_are_whole
	fq_sends_at_once
	fq_keeps_to_its_rate
)

tc() { works "tc $*" at "$gw" tc "$@"; }
nothing_waits() { [[ $(at "$gw" tc -s -j qdisc show dev "$1" root | jq '.[0].qlen') == 0 ]]; }
packets_of() { at "$gw" tc -s -j qdisc show dev "$1" root | jq '.[0].packets'; }

# All that comes in by wan0 waits in ifb0's queue, and is then taken in as if it came by wan0 just now: after tc, so
# that the early lookup meets it only then.
what_comes_in_passes_the_ifb() {
	local before
	warm u t
	past u
	tc qdisc add dev wan0 clsact
	tc qdisc add dev ifb0 root tbf rate 1gbit burst 1m limit 10m
	tc filter add dev wan0 ingress matchall action mirred egress redirect dev ifb0
	before=$(packets_of ifb0)
	past u 10
	past t 10
	at_least "packets in the queue" $(($(packets_of ifb0) - before)) 20
}

# 10 kB at once and 8 kbit/s: ten answers or so of forty.
the_ifb_limits() {
	local answers
	tc qdisc replace dev ifb0 root tbf rate 8kbit burst 10k limit 3000
	observe
	answers=$(agent volley u 40 1000)
	observe
	is "packets that FORWARD saw" "$SEEN" 0
	at_least "answers" "$answers" 3
	((answers <= 16)) || fail "answers: got $answers, want at most 16"
	tc qdisc replace dev ifb0 root tbf rate 1gbit burst 1m limit 10m
	# Answers that were still in the queue go at the pace of before.
	comes_true "an empty queue" 10 nothing_waits ifb0
	agent volley u 0 1 >/dev/null
}

new_flows_pass_it_as_well() {
	local before proto
	before=$(packets_of ifb0)
	for proto in udp tcp; do
		like "$proto out" "$(ask "$proto" "$client" - "192.0.2.2:$([[ $proto == udp ]] && echo 53 || echo 80)")" '^192\.0\.2\.1:'
	done
	is "UDP in" "$(ask udp "$server" 192.0.2.2:5000 192.0.2.1:53)" 192.0.2.2:5000
	works "ping" at "$client" ping -qc2 -i0.2 -W5 192.0.2.2
	like "fragments" "$(ask udp "$client" - 192.0.2.2:53 8000)" '^192\.0\.2\.1:'
	at_least "packets in the queue" $(($(packets_of ifb0) - before)) 14
}

transfers_are_whole() {
	transfer_past "out" "$client" "$server" 192.0.2.2
	transfer_past "in" "$server" "$client" 192.0.2.1
	tc filter del dev wan0 ingress
	past u
}

# A packet's time is when it came, and what leaves has it as the time when to go. Who forwards has to forget it:
# else fq holds the packet back, or drops it, as something of the far future.
fq_sends_at_once() {
	needs_scheduler sch_fq || return
	hold when udp "$gw" -
	is "wish for times" "$(agent set when timestamp 1)" ok
	tc qdisc replace dev wan0 root fq
	tc qdisc replace dev lan0 root fq
	past u 20
	past t 20
	transfer_past "out" "$client" "$server" 192.0.2.2
	transfer_past "in" "$server" "$client" 192.0.2.1
	like "a new flow" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "packets of the far future" "$(for dev in wan0 lan0; do at "$gw" tc -s -j qdisc show dev "$dev" root | jq '.[0] | .horizon_drops // 0, .horizon_caps // 0'; done | xargs)" "0 0 0 0"
}

# The control: fq does look at what is sent.
fq_keeps_to_its_rate() {
	local begin
	needs_scheduler sch_fq || return
	tc qdisc replace dev wan0 root fq maxrate 400kbit
	begin=${EPOCHREALTIME/./}
	past u 12 1400
	# Twelve packets of 28 ms each, but for a first quantum.
	at_least "milliseconds" $(((${EPOCHREALTIME/./} - begin) / 1000)) 150
	tc qdisc del dev wan0 root
	tc qdisc del dev lan0 root
	agent close when >/dev/null
}

needs_scheduler() { modprobe -q "$1" 2>/dev/null || at "$gw" tc qdisc add dev lo root fq 2>/dev/null || { skip "no $1"; return 1; }; }

modprobe -q ifb numifbs=0 2>/dev/null
gateway_topology
ip -n "$gw" link add ifb0 type ifb 2>/dev/null || skip_all "no IFB"
works "ifb0" ip -n "$gw" link set ifb0 up
offloading wan0
configure config set --early-dev lan0 wan0
endpoints
tests_run
