#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What offload puts on the wire is what forwarding would: TTL, DSCP, addresses, checksums and payload,
# whatever the devices leave to one another and whoever listens.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	packets_look_as_forwarded_ones_on_the_way_out
	and_on_the_way_back
	a_ttl_that_ends_is_reported
	a_dscp_is_kept
	ip_options_take_the_whole_stack
	checksums_are_right_without_any_help
	checksums_left_to_devices_are_right
	large_transfers_everything_left_to_devices
	large_transfers_nothing_left_to_devices
	large_transfers_the_gateway_segments
	large_transfers_while_somebody_listens
	segmented_udp_arrives_whole
	a_udp_checksum_of_zero_stays_zero
)

offloads() { at "$1" ethtool -K "$2" "${@:3}" >/dev/null 2>&1 || note "ethtool -K $2 ${*:3}: not supported"; }
everywhere() {
	offloads "$client" eth0 "$@"
	offloads "$gw" lan0 "$@"
	offloads "$gw" wan0 "$@"
	offloads "$server" eth0 "$@"
}

# Of a link in another namespace; /sys shows this one's.
# looked_at NS IF SRC DST FROM_NS FROM_IF: of packets from SRC to DST, how they came in.
looked_at() {
	local seen macs
	macs=$(tcpdump -Z root -ennr "$CAPTURE_FILE" ip 2>/dev/null)
	seen=$(captured look)
	at_least "packets" "$(grep -cF "$3" <<<"$seen")" 4
	is "TTLs" "$(grep -o 'ttl [0-9]*' <<<"$seen" | sort -u)" "ttl 63"
	is "wrong checksums" "$(grep -E 'incorrect|bad udp|bad cksum' <<<"$seen")" ""
	is "link-layer addresses" "$(grep -oE '([0-9a-f]{2}:){5}[0-9a-f]{2} > ([0-9a-f]{2}:){5}[0-9a-f]{2}' <<<"$macs" | sort -u)" \
		"$(mac "$gw" "$5") > $(mac "$1" "$2")"
}

packets_look_as_forwarded_ones_on_the_way_out() {
	everywhere gro off gso off tso off tx off
	warm u t
	capture look "$server" eth0 'src host 192.0.2.1 and (udp or tcp)'
	past u 4 333
	past t 4 333
	looked_at "$server" eth0 192.0.2.1. 192.0.2.2. wan0
}

and_on_the_way_back() {
	capture look "$client" eth0 'dst host 10.0.0.2 and (udp or tcp)'
	past u 4 333
	past t 4 333
	looked_at "$client" eth0 192.0.2.2. 10.0.0.2. lan0
}

a_ttl_that_ends_is_reported() {
	agent set u recverr 1 >/dev/null
	agent set u ttl 1 >/dev/null
	is "answer" "$(say u)" EHOSTUNREACH
	agent set u ttl 2 >/dev/null
	past u
	agent set u ttl 64 >/dev/null
}

# Priorities and routes may depend on it, so each value is learned for itself.
a_dscp_is_kept() {
	agent set u tos 184 >/dev/null
	warm u
	capture look "$server" eth0 'src host 192.0.2.1 and udp'
	past u
	is "TOS" "$(captured look | grep -o 'tos 0x[0-9a-f]*' | sort -u)" "tos 0xb8"
	agent set u tos 0 >/dev/null
	warm u
	past u
}

# A router alert, and room for one address to be recorded.
ip_options_take_the_whole_stack() {
	local options
	for options in 94040000 07070400000000 ; do
		agent set u options "$options" >/dev/null
		half_past u
	done
	agent set u options - >/dev/null
	past u
}

checksums_are_right_without_any_help() {
	everywhere gro off gso off tso off tx off
	judged
}

checksums_left_to_devices_are_right() {
	everywhere tx on
	offloads "$gw" lan0 tx off
	offloads "$gw" wan0 tx off
	judged
}

judged() {
	local seen
	capture sums "$server" eth0 'src host 192.0.2.1'
	past u 3 1001
	past t 3 5001
	seen=$(captured sums)
	at_least "correct TCP checksums" "$(grep -c 'cksum 0x[0-9a-f]* (correct)' <<<"$seen")" 4
	at_least "correct UDP checksums" "$(grep -c 'udp sum ok' <<<"$seen")" 3
	is "wrong ones" "$(grep -E 'incorrect|bad udp|bad cksum' <<<"$seen")" ""
}

both_ways() {
	transfer_past "out" "$client" "$server" 192.0.2.2
	transfer_past "in" "$server" "$client" 192.0.2.1
}

large_transfers_everything_left_to_devices() {
	everywhere tx on tso on gso on gro on
	both_ways
}

large_transfers_nothing_left_to_devices() {
	everywhere gro off gso off tso off tx off
	both_ways
}

large_transfers_the_gateway_segments() {
	everywhere tx on tso on gso on gro on
	offloads "$gw" lan0 tso off gso off
	offloads "$gw" wan0 tso off gso off
	both_ways
}

# Who listens gets copies, so that headers are shared.
large_transfers_while_somebody_listens() {
	everywhere tx on tso on gso on gro on
	capture lan "$gw" lan0 tcp
	capture wan "$gw" wan0 tcp
	both_ways
	unlike "addresses inside" "$(captured lan | grep 10.0.0.2)" '192\.0\.2\.1\.'
	unlike "addresses outside" "$(captured wan)" '10\.0\.0\.2'
}

segmented_udp_arrives_whole() {
	local round
	for round in 1 2 3 4 5; do
		observe
		is "datagrams" "$(agent segments 5 "$client" 10.0.0.2:4010 192.0.2.2:53 9600 1200)" 8
	done
	observe
	at_least "packets offloaded, round $round" "$OFFLOADED" 9
	is "packets that FORWARD saw" "$SEEN" 0
}

a_udp_checksum_of_zero_stays_zero() {
	hold z udp0 "$client" - 192.0.2.2:53
	warm z
	capture zero "$server" eth0 'src host 192.0.2.1 and udp'
	past z
	is "checksums" "$(captured zero | grep -c '\[no cksum\]')" 4
}

offloading_gateway
tests_run
