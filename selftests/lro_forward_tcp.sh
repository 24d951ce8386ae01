#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What TCP says to the other end passes a gateway that translates and aggregates: timestamps, selective
# acknowledgements, congestion marks.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	without_timestamps
	selective_acknowledgements
	congestion_marks
)

ends() { agent sysctl "$client" "$@" >/dev/null; agent sysctl "$server" "$@" >/dev/null; }

without_timestamps() {
	ends net.ipv4.tcp_timestamps=0
	to_server "no timestamps"
	is "timestamps" "$(told timestamps)" false
	ends net.ipv4.tcp_timestamps=1
	to_server "timestamps"
	is "timestamps" "$(told timestamps)" true
}

# queue NS WORDS…: at its eth0, packet by packet.
queue() {
	ip -n "$1" link set eth0 gso_max_segs 1
	at "$1" tc qdisc replace dev eth0 root "${@:2}" || fail "tc ${*:2}"
}

no_queue() {
	at "$1" tc qdisc del dev eth0 root
	ip -n "$1" link set eth0 gso_max_segs 65535
}

lossy() {
	to_server "2 % lost" bytes=1000000
	is "SACK" "$(told sack)" true
	at_least "sent again" "$(told retransmits)" 5
}

selective_acknowledgements() {
	queue "$client" netem loss 2% delay 2ms limit 10000
	queue "$server" netem loss 2% delay 2ms limit 10000
	lossy
	at_least "recoveries by SACK" $(($(snmp "$client" TcpExtTCPSackRecovery) + $(snmp "$server" TcpExtTCPSackRecovery))) 3
	no_queue "$client"
	no_queue "$server"
}

# marks NS…: counts what comes in.
marks() {
	local ns
	for ns; do
		at "$ns" nft -f - <<-END
			table ip marks {
				counter ce { }
				counter ece { }
				counter cwr { }
				chain arriving {
					type filter hook prerouting priority -490
					iifname { eth0, lan0 } ip ecn ce counter name ce
					iifname { eth0, wan0 } tcp flags & (syn | ecn) == ecn counter name ece
					iifname { eth0, lan0 } tcp flags & (syn | cwr) == cwr counter name cwr
				}
			}
		END
	done
}

marked_packets() {
	local answer
	answer=$(at "$1" nft list counter ip marks "$2")
	[[ $answer =~ packets\ ([0-9]+) ]]
	echo "${BASH_REMATCH[1]}"
}

# Only the client's packets are marked, on their way to the gateway, each by itself; devices segment, so that each
# packet is one to the counters of the ends. A mark on an aggregate would make it one of many.
congestion_marks() {
	local marked kind to
	ends net.ipv4.tcp_ecn=1
	marks "$client" "$gw" "$server"
	device "$gw" lan0 tso off
	device "$gw" wan0 tso off
	queue "$client" handle 1: tbf rate 50mbit burst 40k latency 200ms
	at "$client" tc qdisc add dev eth0 parent 1: fq_codel ce_threshold 1ms || fail "tc fq_codel"
	to_server "marked"
	is "ECN negotiated" "$(told ecn)" true
	marked=$(values ce_mark "$(at "$client" tc -s -j qdisc show dev eth0)")
	at_least "packets marked" "$marked" 8
	is "marks that came to the gateway" "$(marked_packets "$gw" ce)" "$marked"
	for kind in ce:server ece:client cwr:server; do
		to=${kind#*:}
		at_least "${kind%:*} that came to the $to" "$(marked_packets "${!to}" "${kind%:*}")" 1
		is "${kind%:*} that came to the $to" "$(marked_packets "${!to}" "${kind%:*}")" "$(marked_packets "$gw" "${kind%:*}")"
	done
	at_least "what the client knows to have been marked" "$(told delivered-ce)" 1
	no_queue "$client"
	wires
}

lro_gateway
tests_run
