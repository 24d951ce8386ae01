#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a sender makes of it when a router lets only some of the ACKs through: time, bursts, losses, the
# round trip it sees. It judges nothing and belongs to no suite; Documentation/develop/decisions.md has
# what it showed.
#
#     client, receives        gw                    server, sends
#   eth0 10.0.0.2 ------- lan0  wan0 ------------ eth0 192.0.2.2
#       <- netem: bottleneck, delay, loss      ACKs -> thinned here
#
# Thinned: by the kernel's own filter (sch_cake), which replaces ACKs that wait by later ones, with so slow
# a link for ACKs that one in N of them fits; and by nftables, one in N whatever it says.
#
#   selftests/vm/run --timeout 1200 -- selftests/perf/acks.sh [TIMES]     runs of each, 3; prints medians

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"

TIMES=${1:-3}
MEGABYTES=6
RATE=20		# Mbit/s
DELAY=40	# ms
# Full segments fill the line and the delay at this many packets; behind that is the buffer.
PIPE=$((RATE * 1000 * DELAY / 8 / 1514))
# One ACK for two segments, 66 octets each: kbit/s.
ACK_RATE=$((RATE * 1000 * 66 / 1514 / 2))

setup() {
	start_agent
	setup_ns client gw server
	cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
	cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
	route "$client" default via 10.0.0.1
	route "$server" default via 192.0.2.1
	forwarding "$gw"
	apply
	# Packets as they are on a wire.
	for place in "$client eth0" "$gw lan0" "$gw wan0" "$server eth0"; do
		# shellcheck disable=SC2086 # two words
		set -- $place
		at "$1" ethtool -K "$2" tso off gso off gro off >/dev/null
	done
}

# The same packets are lost in each way of thinning.
bottleneck() { # PACKETS LOSS SEED
	at "$gw" tc qdisc del dev lan0 root 2>/dev/null
	at "$gw" tc qdisc add dev lan0 root netem rate "${RATE}mbit" delay "${DELAY}ms" limit $((PIPE + $1)) loss "$2" seed "$3"
}

thin() { # none | cake N [aggressive] | every N
	at "$gw" tc qdisc del dev wan0 root 2>/dev/null
	at "$gw" nft flush ruleset
	case $1 in
	cake) at "$gw" tc qdisc replace dev wan0 root cake bandwidth "$((ACK_RATE * 1000 / $2))bit" "ack-filter${3:+-$3}" ;;
	every)
		at "$gw" nft -f - <<-END
			table ip thin {
				chain forward {
					type filter hook forward priority 0
					iifname lan0 tcp flags == ack ip length < 100 numgen inc mod $2 != 0 drop
				}
			}
		END
		;;
	esac
}

# One line: medians of what the runs gave.
report() { # CONDITION HOW
	jq -rs --arg what "$1" --arg how "$2" '
		if length == 0 then [$what, $how, "-"] | @tsv else
		def median(f): map(f) | sort | .[length / 2 | floor];
		[$what, $how, (median(.seconds) * 100 | round / 100), (median(.first) * 1000 | round),
		 (median(.segments / .acks) * 10 | round / 10), median(.retransmits),
		 median(.timeouts), (median(.rtt) / 1000 | round), (median(.least) / 1000 | round)] | @tsv end'
}

measure() { # CONDITION PACKETS LOSS CONTROL SACK
	local how run
	is sack "$(agent sysctl "$client" net.ipv4.tcp_sack="$5")" ok
	for how in none "cake 4" "cake 4 aggressive" "cake 16" "cake 16 aggressive" "every 2" "every 4"; do
		# shellcheck disable=SC2086 # words
		thin $how || { echo "$1: $how cannot be had"; continue; }
		for ((run = 1; run <= TIMES; run++)); do
			bottleneck "$2" "$3" "$run"
			timeout 60 python3 "$HERE/perf/acks.py" "$server" "$client" 10.0.0.2 "$MEGABYTES" "$4" || echo "$1: $how: no end within a minute" >&2
		done | report "$1" "$how"
	done
}

setup
is "metrics are not kept" "$(agent sysctl "$server" net.ipv4.tcp_no_metrics_save=1)" ok
printf 'condition\tthinned\tseconds\tfirst MB, ms\tsegments an ACK\tretransmitted\ttimeouts\tRTT, ms\tleast\n'
measure "reno, deep buffer" 300 0% reno 1
measure "cubic, deep buffer" 300 0% cubic 1
measure "reno, 20 packets" 20 0% reno 1
measure "cubic, 20 packets" 20 0% cubic 1
measure "cubic, 0.3 % lost" 300 0.3% cubic 1
measure "reno, 0.3 % lost, no SACK" 300 0.3% reno 0
