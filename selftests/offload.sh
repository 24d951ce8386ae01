#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checksum and segmentation offload: whatever the devices leave to one another,
# what arrives is whole and its checksums are right.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	everything_offloaded
	nothing_offloaded
	the_gateway_aggregates
	the_gateway_segments
	checksums_made_by_the_client_are_mended
	checksums_left_to_the_gateway_are_made
	a_udp_checksum_of_zero_stays_zero
	segmented_udp_arrives_whole
)

offload() { at "$1" ethtool -K "$2" "${@:3}" >/dev/null 2>&1 || note "ethtool -K $2 ${*:3}: not supported"; }
everywhere() {
	offload "$client" eth0 "$@"
	offload "$gw" lan0 "$@"
	offload "$gw" wan0 "$@"
	offload "$server" eth0 "$@"
}

both_ways() {
	is "out" "$(transfer "$client" "$server" 192.0.2.2 81 1)" intact
	is "in" "$(transfer "$server" "$client" 192.0.2.1 81 1)" intact
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53 1400)" '^192\.0\.2\.1:'
}

everything_offloaded() {
	everywhere tx on tso on gso on gro on
	both_ways
}

nothing_offloaded() {
	everywhere gro off gso off tso off tx off
	both_ways
}

the_gateway_aggregates() {
	offload "$gw" lan0 gro on
	offload "$gw" wan0 gro on tx on gso on tso on
	offload "$gw" lan0 tx on gso on tso on
	both_ways
}

the_gateway_segments() {
	everywhere tx on tso on gso on gro on
	offload "$gw" lan0 tso off gso off
	offload "$gw" wan0 tso off gso off
	both_ways
}

# What the server's side of the last cable carried, with tcpdump's judgement.
judged() {
	capture sums "$server" eth0 "src host 192.0.2.1"
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53 333)" '^192\.0\.2\.1:'
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80 5001)" '^192\.0\.2\.1:'
	works "ping" at "$client" ping -qc1 -W5 -s99 192.0.2.2
	captured sums >"$TMP/judged"
	at_least "correct TCP checksums" "$(grep -c 'cksum 0x[0-9a-f]* (correct)' "$TMP/judged")" 4
	at_least "correct UDP checksums" "$(grep -c 'udp sum ok' "$TMP/judged")" 1
	at_least "pings" "$(grep -c 'ICMP echo request' "$TMP/judged")" 1
	is "wrong ones" "$(grep -E 'incorrect|bad udp|wrong icmp|bad cksum' "$TMP/judged")" ""
}

checksums_made_by_the_client_are_mended() {
	everywhere gro off gso off tso off tx off
	judged
}

checksums_left_to_the_gateway_are_made() {
	offload "$client" eth0 tx on
	judged
}

a_udp_checksum_of_zero_stays_zero() {
	capture zero "$server" eth0 'src host 192.0.2.1 and udp'
	everywhere gro off gso off tso off tx off
	like "server saw" "$(ask udp0 "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "captured" "$(captured zero)" '\[no cksum\]'
}

segmented_udp_arrives_whole() {
	everywhere tx on tso on gso on gro on
	is "datagrams" "$(T=5 agent segments 5 "$client" - 192.0.2.2:53 9600 1200)" 8
	everywhere tx off
	is "datagrams, segmented by the client" "$(agent segments 5 "$client" - 192.0.2.2:53 9600 1200)" 8
}

gateway_topology
configure policy add masquerade --out wan0
configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 81 --to 10.0.0.2
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
tests_run
