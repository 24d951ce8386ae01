# SPDX-License-Identifier: GPL-2.0
# Sourced by the tests of forwarding what was aggregated: a gateway with LRO on both links, TCP both ways through
# it with every byte compared, and whether packets were aggregated on the way, and none lost for it.
# shellcheck shell=bash

# shellcheck source=selftests/lro_lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lro_lib.sh"

TRACE=/sys/kernel/tracing
# Between the last two calls of observe_lro: packets that came by the gateway's links, those that were left of them
# when GRO was through, and those segments of them that are in aggregates, and how many aggregates.
ARRIVED=0 SEEN=0 SEGMENTS=0 AGGREGATES=0
declare -A EVER=([ARRIVED]=0 [SEEN]=0 [SEGMENTS]=0 [AGGREGATES]=0)

device() { at "$1" ethtool -K "$2" "${@:3}" >/dev/null 2>&1 || fail "ethtool -K $2 ${*:3}"; }

# What the ends send are packets on the wire, and what they get as well; the gateway aggregates, and its devices
# take what is larger than a packet.
wires() {
	gro_link "$gw" lan0 "$client" eth0
	gro_link "$gw" wan0 "$server" eth0
	device "$client" eth0 gro off
	device "$server" eth0 gro off
	device "$gw" lan0 tso on tx on
	device "$gw" wan0 tso on tx on
}

# Ahead of all that fastnat does, so that what is offloaded counts as well.
watch_lro() {
	at "$gw" nft -f - <<-END
		table inet lro {
			counter seen { }
			chain arriving {
				type filter hook prerouting priority -500
				iifname != "lo" meta l4proto { tcp, udp } counter name seen
			}
		}
	END
}

# sum KEY JSON
sum() {
	local value total=0
	while read -r value; do total=$((total + value)); done < <(values "$@")
	echo "$total"
}

# since NAME VALUE: puts into NAME by how much it has grown.
since() {
	printf -v "$1" %s $(($2 - EVER[$1]))
	EVER[$1]=$2
}

observe_lro() {
	local answer
	since ARRIVED $(($(agent received "$gw" lan0) + $(agent received "$gw" wan0)))
	answer=$(at "$gw" nft list counter inet lro seen)
	[[ $answer =~ packets\ ([0-9]+) ]]
	since SEEN "${BASH_REMATCH[1]}"
	answer=$(fn --json lro show)
	since SEGMENTS "$(sum segments "$answer")"
	since AGGREGATES "$(sum aggregates "$answer")"
}

# lro WORDS…: of the default, that is, of both links.
lro() { configure lro set "$@"; }

# bulk WHAT CLIENT SERVER ADDR [NAME=VALUE…]: see lro_bulk.py; its report in REPORT.
REPORT=
bulk() {
	REPORT=$(python3 -IS "$HERE/lro_bulk.py" "$2" "$3" "$4" 81 "${@:5}" 2>&1)
	is "$1" "$(values verdict "$REPORT" | head -n1)" intact || note "$REPORT"
}

# told KEY: of the last transfer, by the client.
told() { values "$1" "${REPORT#*\"client\"}" | head -n1; }

# aggregated WHAT: between the last two observations; without the feature there is nothing to test.
aggregated() {
	note "$1: $ARRIVED packets arrived, $SEGMENTS of them in $AGGREGATES aggregates; $SEEN went on; $(values mbit "$REPORT") Mbit/s, $(told retransmits) sent again"
	at_least "$1: aggregates" "$AGGREGATES" 20
	at_least "$1: segments that were joined to others" $((SEGMENTS - AGGREGATES)) 100
	((SEEN + SEGMENTS - AGGREGATES <= ARRIVED + 50)) || fail "$1: $ARRIVED packets arrived, and yet $SEEN went on"
}

# through WHAT CLIENT SERVER ADDR [NAME=VALUE…]: bulk, aggregated, and nothing lost for it.
through() {
	observe_lro
	begin_drops
	bulk "$@"
	observe_lro
	aggregated "$1"
	nothing_dropped "$1"
}

# ---- TCP in the background ----

declare -A TRAFFIC=()

# traffic NAME CLIENT SERVER ADDR: streams both ways until end_traffic, which judges it. Others are to get a turn, too.
traffic() {
	python3 -IS "$HERE/lro_bulk.py" "$2" "$3" "$4" 81 connections=2 seconds=$((240 * SLOW)) pause=10 chunk=20000 >"$TMP/traffic-$1" 2>&1 &
	TRAFFIC[$1]=$!
	JOBS+=("${TRAFFIC[$1]}")
	comes_true "$1: traffic" 10 flowing "$3"
}

# Does the server get something now?
flowing() {
	local before
	before=$(agent received "$1" eth0)
	sleep 0.1
	[[ $(agent received "$1" eth0) -gt $((before + 10)) ]]
}

# end_traffic NAME SERVER: it has not come to a halt, and every byte was right.
end_traffic() {
	comes_true "$1: traffic still" 10 flowing "$2"
	kill "${TRAFFIC[$1]}"
	wait "${TRAFFIC[$1]}"
	REPORT=$(<"$TMP/traffic-$1")
	is "$1: traffic" "$(values verdict "$REPORT" | head -n1)" intact || note "$REPORT"
}

# ---- what the kernel has dropped ----

# What the ends have no use for, multicast included; the parts of what was segmented; what finds a full queue.
HARMLESS='^(tcp_|__tcp_|sk_|__sk_|mptcp_|ip6_mc_input|skb_release_data).* NOT_SPECIFIED|NO_SOCKET|TCP_(OLD_|OFO|OVERWINDOW|ZEROWINDOW|RFC7323|TOO_OLD|CLOSE|INVALID_|ACK_|RESET|ABORT)|SOCKET_|QUEUE_PURGE|QDISC_DROP|NEIGH_|OTHERHOST'

# What a test wants to be dropped.
EXPECTED=''
DISCARDED=''

watch_drops() { [[ ! -e $TRACE/events/skb/kfree_skb ]] || echo 1 >"$TRACE/events/skb/kfree_skb/enable"; }
stop_watching() { [[ ! -e $TRACE/events/skb/kfree_skb ]] || echo 0 >"$TRACE/events/skb/kfree_skb/enable"; }
trap 'stop_watching; cleanup' EXIT

begin_drops() {
	DISCARDED=$(discarded)
	[[ ! -e $TRACE/trace ]] || echo >"$TRACE/trace"
}

# Of IP packets, where and why, since begin_drops.
drops() {
	[[ -e $TRACE/trace ]] || return 0
	sed -nE 's/.*protocol=(2048|34525) location=([^ ]*) reason: (.*)/\2 \3/p' "$TRACE/trace" |
		grep -Ev "$HARMLESS${EXPECTED:+|$EXPECTED}" | sort | uniq -c
}

# snmp NS NAME…: the sum of counters of the kernel.
snmp() {
	local ns=$1 name answer total=0
	answer=$(at "$ns" nstat -asjz)
	shift
	for name; do
		[[ $answer =~ \"$name\":([0-9]+) ]] || { echo "no counter $name"; return; }
		total=$((total + BASH_REMATCH[1]))
	done
	echo "$total"
}

# What packets may have been thrown away for, at the gateway and at the ends.
discarded() {
	echo "gateway $(snmp "$gw" IpInHdrErrors IpInDiscards IpOutDiscards Ip6InHdrErrors Ip6InDiscards Ip6OutDiscards)" \
		"server $(snmp "$server" TcpInCsumErrors UdpInCsumErrors Udp6InCsumErrors IpReasmFails)" \
		"client $(snmp "$client" TcpInCsumErrors UdpInCsumErrors Udp6InCsumErrors IpReasmFails)"
}

# What the guard against LRO drops, and what was aggregated wrongly, turns up here.
nothing_dropped() {
	is "$1: dropped" "$(drops)" ""
	is "$1: discarded, and wrong checksums" "$(discarded)" "$DISCARDED"
}

# ---- the gateway ----

# Of gateway_topology, with LRO and NAT; the server gets to the client's port 81 by dnat.
lro_gateway() {
	gateway_topology
	translating wan0
	wires
	aggregating
}

translating() {
	configure policy add masquerade --out "$1"
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 81 --to 10.0.0.2
}

aggregating() {
	watch_lro || fail "nft"
	watch_drops
	lro mode lro
	observe_lro
}

# both TEST ARGS…: without offload, and with it.
OFFLOAD=''
both() {
	local offload
	for offload in off on; do
		configure config set --offload "$offload"
		OFFLOAD="offload $offload"
		"$@"
	done
}

out() { through "$1, $OFFLOAD" "$client" "$server" 192.0.2.2 "${@:2}"; }
# to_server WHAT [NAME=VALUE…]
to_server() { both out "$@"; }
