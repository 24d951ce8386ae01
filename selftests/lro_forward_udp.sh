#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# UDP that the gateway's devices collect in lists is forwarded and translated datagram by datagram: none is lost,
# changed or joined to another. TCP beside it is aggregated as ever.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	datagrams_arrive_whole
	short_ones
	into_a_device_that_segments_nothing
	checksums_made_by_nobody_else
	tcp_beside_it
	off_again
)

# datagrams WHAT COUNT SIZE: as many as were sent, and few packets were made of them on the way.
datagrams() {
	local rounds=100
	observe_lro
	begin_drops
	is "$1, $OFFLOAD" "$(python3 -IS "$HERE/lro_forward_udp.py" "$client" "$server" 192.0.2.2 53 "$rounds" "$2" "$3" 2>&1)" $((2 * rounds * ($2 + 1)))
	observe_lro
	note "$1, $OFFLOAD: $ARRIVED packets arrived, $SEEN went on"
	nothing_dropped "$1, $OFFLOAD"
}

collected() {
	datagrams "$@"
	((SEEN * 3 < ARRIVED)) || fail "$1, $OFFLOAD: of $ARRIVED packets $SEEN went on"
}

datagrams_arrive_whole() { both collected "1400 bytes" 32 1400; }
short_ones() { both collected "40 bytes" 40 40; }

into_a_device_that_segments_nothing() {
	device "$gw" wan0 tso off gso off
	device "$gw" lan0 tso off gso off
	both collected "no GSO" 32 1400
}

# The sender segments itself, and that takes checksums of the device; so only the gateway's are off.
checksums_made_by_nobody_else() {
	device "$gw" wan0 tx off
	device "$gw" lan0 tx off
	both collected "no checksums" 32 1400
	device "$gw" wan0 tx on gso on tso on
	device "$gw" lan0 tx on gso on tso on
}

tcp_beside_it() { to_server "TCP" bytes=1000000; }

off_again() {
	configure lro set dev lan0 udp off
	configure lro set dev wan0 udp off
	both datagrams "off" 32 1400
	((SEEN + 10 > ARRIVED)) || fail "of $ARRIVED packets $SEEN went on"
}

lro_gateway
device "$client" eth0 tx-udp-segmentation off
device "$server" eth0 tx-udp-segmentation off
configure lro set dev lan0 udp on
configure lro set dev wan0 udp on
tests_run
