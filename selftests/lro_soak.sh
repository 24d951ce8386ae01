#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Aggregation done badly shows itself as a connection that crawls. TCP in both directions, over several connections
# at once, through NAT and over links that lose, reorder, double and delay packets, with and without timestamps,
# in small segments, through small windows. Every byte is compared; and what is aggregated by LRO
# is no slower than a third of what the kernel's own GRO passes on, in the same run.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#
# LONG=N: N times as long.

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	plainly
	with_loss
	with_reordering
	with_duplicates
	with_all_of_it
	with_small_segments
	with_small_windows
	without_timestamps
)
TURN=$((${LONG:-1} * 1))
# Whether a connection is lucky differs a lot within a second, so what seems slow gets more of them.
TURNS=5

# links WORDS…: how both ends send, packet by packet; none: as they like.
links() {
	local ns
	for ns in "$client" "$server"; do
		at "$ns" tc qdisc del dev eth0 root 2>/dev/null
		ip -n "$ns" link set eth0 gso_max_segs $(($# ? 1 : 65535))
		(($# == 0)) || at "$ns" tc qdisc add dev eth0 root netem limit 2000 "$@" || fail "tc netem $*"
	done
}

# turn MODE NAME=VALUE…: adds the bytes that came through to BYTES[MODE].
turn() {
	lro mode "$1"
	observe_lro
	bulk "$1" "$client" "$server" 192.0.2.2 connections=3 seconds="$TURN" "${@:2}"
	observe_lro
	BYTES[$1]=$((${BYTES[$1]:-0} + $(values bytes "$REPORT")))
	[[ $1 == off ]] || since_turns
}

since_turns() {
	TAKEN[SEGMENTS]=$((TAKEN[SEGMENTS] + SEGMENTS))
	TAKEN[AGGREGATES]=$((TAKEN[AGGREGATES] + AGGREGATES))
}

# Is what LRO got through less than a third?
collapsed() { ((BYTES[lro] < BYTES[off] / 3)); }

# The modes take turns, so that what else the machine does hits both.
soak() {
	local i
	local -A BYTES=() TAKEN=([SEGMENTS]=0 [AGGREGATES]=0)
	for ((i = 0; i < TURNS; i++)); do
		turn off "$@"
		turn lro "$@"
		collapsed || break
	done
	note "$((BYTES[off] / 1000)) kB with GRO, $((BYTES[lro] / 1000)) kB with LRO, ${TAKEN[SEGMENTS]} segments in ${TAKEN[AGGREGATES]} aggregates"
	! collapsed || fail "LRO gets less than a third of the bytes through"
	at_least "aggregates" "${TAKEN[AGGREGATES]}" 20
	at_least "segments in aggregates" "${TAKEN[SEGMENTS]}" $((2 * TAKEN[AGGREGATES]))
}

plainly() {
	links
	soak
}

with_loss() {
	links delay 2ms loss 0.5%
	soak
}

with_reordering() {
	links delay 2ms reorder 98% gap 20
	soak
}

with_duplicates() {
	links delay 2ms duplicate 2%
	soak
}

with_all_of_it() {
	links delay 2ms 1ms loss 0.3% duplicate 1%
	soak
}

with_small_segments() {
	links delay 1ms loss 0.2%
	soak mss=300
}

with_small_windows() {
	links delay 1ms
	soak buffer=8192 chunk=3000
}

without_timestamps() {
	local ns
	for ns in "$client" "$server"; do agent sysctl "$ns" net.ipv4.tcp_timestamps=0 >/dev/null; done
	links delay 2ms loss 0.3%
	soak
}

modprobe -q sch_netem
lro_gateway
stop_watching
tests_run
