#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm: --nics
#
# A driver of cards receives what is aggregated: virtio-net, whose packets come from outside the kernel, in polls,
# with checksums that nobody has looked at, and which segments nothing. TCP through NAT, without and with offload,
# every byte compared.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0      all of them virtio-net
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	both_ways
	several_connections
	small_segments
	and_a_cable_on_the_other_side
)

# card NUMBER NS NAME ADDR: as vm/run numbers them.
card() {
	local name
	name=$(ip -o link | sed -n "s/^[0-9]*: \([^:]*\):.* 02:00:00:00:00:${1}0 .*/\1/p")
	[[ $name ]] || skip_all "no virtual network cards: selftests/vm/run --nics"
	ip link set "$name" netns "$2" name "$3"
	up "$2" "$3" "$4"
}

both_ways() { to_server "both ways"; }
several_connections() { to_server "4 connections" connections=4 bytes=500000; }
small_segments() { to_server "MSS 536" mss=536 bytes=1000000; }

# What comes from the card leaves by a veth device, large as it is.
and_a_cable_on_the_other_side() {
	ip -n "$gw" link set wan0 down
	ip -n "$server" link set eth0 down
	ip -n "$server" link set eth0 name card
	ip -n "$gw" link set wan0 name card
	ip link add eth0 netns "$server" type veth peer name wan0 netns "$gw"
	up "$gw" wan0 192.0.2.1/24
	up "$server" eth0 192.0.2.2/24
	ip -n "$gw" addr flush dev card
	ip -n "$server" addr flush dev card
	apply
	gro_link "$gw" wan0 "$server" eth0
	observe_lro
	to_server "card and cable"
}

modprobe -q virtio_net
start_agent
setup_ns client gw server
card 0 "$client" eth0 10.0.0.2/24
card 1 "$gw" lan0 10.0.0.1/24
card 2 "$gw" wan0 192.0.2.1/24
card 3 "$server" eth0 192.0.2.2/24
route "$client" default via 10.0.0.1
forwarding "$gw"
apply
device "$client" eth0 gro off
device "$server" eth0 gro off
translating wan0
aggregating
tests_run
