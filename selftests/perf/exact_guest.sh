#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run by exact.sh in a VM whose clock counts instructions: what a packet of an established flow costs, by
# each way of forwarding it (an arm). Prints lines
#
#   exact ARM PROTOCOL DIRECTION MEASURE INSTRUCTIONS
#   step ARM PROTOCOL DIRECTION SYMBOL+OFFSET [MODULE]     the way of a packet through fastnat, one by one
#   skip ARM REASON
#
# hook_xmit: from PREROUTING at priority -396 to transmission, packets one by one, median
# source_xmit: from the driver's finished skb to transmission, packets one by one, median
# poll: all of it, in polls of 64 handed to GRO, with making and freeing the skb (which on a stock kernel
# are more than half: it clears new memory, and every repetition of a string instruction counts)

set -eu
cd "$(dirname "$0")"

FLOWS=${FLOWS:-500}	# of each protocol
PACKETS=${PACKETS:-2000}
TRACED=16
BENCH=/sys/kernel/debug/fastnat_bench

topology() {
	insmod module/fastnat_bench.ko
	sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.disable_ipv6=1
	ip -batch gateway.ip
}

# UDP flows, then TCP flows: 10.1.x.y:10000 to 198.18.0.1:53.
write_flows() {
	local i proto record all=''
	for proto in 17 6; do
		for ((i = 0; i < FLOWS; i++)); do
			printf -v record '\\x0a\\x01\\x%02x\\x%02x\\xc6\\x12\\0\\x01\\x27\\x10\\0\\x35\\x%02x\\0\\0\\0' \
				$((i / 250)) $((1 + i % 250)) "$proto"
			all+=$record
		done
	done
	# shellcheck disable=SC2059 # the escapes are meant
	printf "$all" >"$BENCH/bench0/flows"
	: >"$BENCH/bench0/captured"
	: >"$BENCH/bench1/captured"
}

run() { echo "$*" >"$BENCH/run"; }
result() { sed -n "s/^$1 //p" "$BENCH/result"; }
window() { if [[ $1 == udp ]]; then echo "from=0 count=$FLOWS"; else echo "from=$FLOWS count=$FLOWS"; fi; }

complete() {
	[[ $(result received) == "$(result sent)" ]] ||
		{ echo "skip $1 only $(result received) of $(result sent) packets came out" && false; }
}

# Every flow, both ways, until nothing about it is new any more.
warm() { # PROTOCOL
	local where round
	where=$(window "$1")
	if [[ $1 == tcp ]]; then
		run dev=bench0 "$where" tcp=syn capture=1
		run dev=bench1 "$where" flows=captured tcp=synack
	fi
	for round in 1 2 3 4; do
		run dev=bench0 "$where" capture=1
		[[ $round != 1 || $1 != udp ]] || sleep 0.1
		run dev=bench1 "$where" flows=captured
	done
}

# The shortest way of some packets: that of a flow that is alone in its bucket.
step() { # ARM PROTOCOL in|out WHERE
	local lines
	run "$4" "packets=$TRACED" rx=single marks=1 "trace=$TRACED"
	cp "$BENCH/trace" "$TMP"
	lines=$(awk '
		NF { next }
		{ finish(NR) }
		END { finish(NR + 1); print from + 1 "," to - 1 }
		function finish(at) { if (!to || at - last < to - from) { from = last; to = at } last = at }
	' "$TMP")
	sed -n "${lines}s/^[0-9a-f]* /step $1 $2 $3 /p" "$TMP"
}

measure() { # ARM PROTOCOL in|out [OPTION…]
	local arm=$1 where
	where="$(window "$2") order=shuffle"
	[[ $3 == out ]] && where+=" dev=bench0" || where+=" dev=bench1 flows=captured"
	run "$where" "packets=$PACKETS" "${@:4}"
	if [[ " ${*:4} " != *" null=1 "* ]]; then
		complete "$arm" || return 0
		echo "exact $arm $2 $3 poll $(result median_ticks_per_packet)"
		run "$where" "packets=$PACKETS" rx=single marks=1
		complete "$arm" || return 0
		[[ $(result hook_xmit_packets) == 0 ]] || echo "exact $arm $2 $3 hook_xmit $(result hook_xmit_median_ticks)"
		echo "exact $arm $2 $3 source_xmit $(result source_xmit_median_ticks)"
		[[ $arm != fastnat* ]] || step "$arm" "$2" "$3" "$where"
	else
		echo "exact $arm $2 $3 poll $(result median_ticks_per_packet)"
	fi
}

arm() { # NAME
	local proto
	write_flows
	for proto in udp tcp; do
		warm "$proto"
		[[ $1 != flowtable ]] || offloaded "$proto" || { echo "skip $1 not all $proto flows were offloaded"; continue; }
		measure "$1" "$proto" out
		measure "$1" "$proto" in
	done
}

offloaded() { (($(grep -c "^ipv4.*$1.*\[OFFLOAD\]" /proc/net/nf_conntrack) == FLOWS)); }

conntrack_off() {
	nft flush ruleset
	rmmod nft_flow_offload nf_flow_table_inet nf_flow_table nft_chain_nat nft_nat nf_nat nft_ct nf_conntrack_netlink nf_conntrack 2>/dev/null || true
	modprobe -r nft_flow_offload nft_chain_nat nf_conntrack 2>/dev/null || true
	[[ ! -d /sys/module/nf_conntrack ]] || { echo "connection tracking stays loaded" >&2; exit 1; }
}

arm_forward() {
	arm forward
	measure null udp out null=1
}

arm_fastnat() {
	modprobe fastnat
	fastnat pool add outside --range 203.0.113.1
	fastnat policy add snat --pool outside --src 10.0.0.0/8 --out bench1
	arm fastnat
	if fastnat config set --offload on --offload-after 1 2>/dev/null; then
		arm fastnat-offload
	else
		echo "skip fastnat-offload this fastnat has no offload"
	fi
	rmmod fastnat
}

arm_conntrack() {
	nft -f - <<-'END'
		table ip nat {
			chain post {
				type nat hook postrouting priority srcnat
				oifname bench1 snat to 203.0.113.1
			}
		}
	END
	arm conntrack
	conntrack_off
}

arm_flowtable() {
	nft -f - <<-'END'
		table ip nat {
			flowtable fast {
				hook ingress priority 0
				devices = { bench0, bench1 }
			}
			chain forward {
				type filter hook forward priority 0
				ip protocol { tcp, udp } flow add @fast
			}
			chain post {
				type nat hook postrouting priority srcnat
				oifname bench1 snat to 203.0.113.1
			}
		}
	END
	arm flowtable
	conntrack_off
}

TMP=$(mktemp)
trap 'rm -f "$TMP"' EXIT
topology
(($#)) || set -- forward fastnat conntrack flowtable
for arm; do "arm_$arm"; done
rmmod fastnat_bench
echo "exact done"
