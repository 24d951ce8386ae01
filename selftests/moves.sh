#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Devices leave the gateway's namespace for another one, and come back, under traffic, with offload and early
# lookup: what depended on them goes, nothing keeps them, and all works as before when they are back.
#
#   client            gw   <- wan0, lan0 ->   gw2      server
#   eth0 ---------- lan0  wan0 -------------------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1                 192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	the_uplink_leaves_and_comes_back
	the_inside_leaves_and_comes_back
	another_gateway_takes_both_over
	there_and_back_many_times
	a_namespace_dies_with_a_device_that_moved
)

# to NS IF ADDR [ROUTER]: a device of either gateway, with its address there.
to() {
	local from=$gw
	[[ $1 != "$gw" ]] || from=$gw2
	works "$2 to $1" ip -n "$from" link set "$2" netns "$1"
	ip -n "$1" -batch - <<-END || fail "$2 in $1"
		link set $2 up
		addr add $3 dev $2
	END
}

uplink_to() { to "$1" wan0 192.0.2.1/24; }
inside_to() { to "$1" lan0 10.0.0.1/24; }

the_uplink_leaves_and_comes_back() {
	warm u t
	past u
	is "a stream" "$(agent stream u)" ok
	uplink_to "$gw2"
	comes_true "flows of its address are gone" 30 flows_are 0
	is "bindings" "$(bindings)" 0
	uplink_to "$gw"
	agent streamed u >/dev/null
	comes_true "answered" 30 answers u
	warm u
	past u
	# TCP was told, or begins anew; a new connection in any case.
	hold t tcp "$client" - 192.0.2.2:80
	warm t
	past t
	is "hooks of the early lookup" "$(hooks)" "1 1"
}

# Routes are forgotten, translations stay: wan0 has kept its address.
the_inside_leaves_and_comes_back() {
	local before
	before=$(say t)
	is "a stream" "$(agent stream u)" ok
	inside_to "$gw2"
	is "nobody" "$(silent burst t 1)" 0
	inside_to "$gw"
	agent streamed u >/dev/null
	comes_true "answered" 30 answers u
	# What was said in vain is said once more by TCP, and answered first.
	agent close t >/dev/null
	hold t tcp "$client" - 192.0.2.2:80
	warm u t
	past u
	past t
	like "server saw" "$before" '^192\.0\.2\.1:'
}

# It has policies of its own, and flows of the same hosts.
another_gateway_takes_both_over() {
	local here=$gw
	is "a stream" "$(agent stream u)" ok
	uplink_to "$gw2"
	inside_to "$gw2"
	agent streamed u >/dev/null
	gw=$gw2 gw2=$here
	comes_true "answered by the other" 5 answers u
	agent close t >/dev/null
	hold t tcp "$client" - 192.0.2.2:80
	warm u t
	past u
	past t
	is "hooks of the early lookup there" "$(hooks)" "1 1"
	transfer_past "out" "$client" "$server" 192.0.2.2
	transfer_past "in" "$server" "$client" 192.0.2.1
	gw2=$gw gw=$here
	uplink_to "$gw"
	inside_to "$gw"
	comes_true "answered by the first" 5 answers u
	agent close t >/dev/null
	hold t tcp "$client" - 192.0.2.2:80
	warm u t
	OFFLOADED_EVER=$(counter offloaded)
	past u
	past t
}

there_and_back_many_times() {
	local round
	is "a stream" "$(agent stream u)" ok
	is "traffic" "$(agent pour "$client" 192.0.2.2:53)" ok
	for ((round = 0; round < 12; round++)); do
		uplink_to "$gw2"
		((round % 3)) || inside_to "$gw2"
		uplink_to "$gw"
		((round % 3)) || inside_to "$gw"
	done
	agent calm >/dev/null
	agent streamed u >/dev/null
	comes_true "answered" 30 answers u
	warm u
	past u
	is "hooks of the early lookup" "$(hooks)" "1 1"
}

# Both ends of a veth die with the namespace that has one; a device that flows and routes hold would stay.
a_namespace_dies_with_a_device_that_moved() {
	warm u
	past u
	uplink_to "$gw2"
	gw2_dies
	comes_true "its other end is gone" 10 no_link "$server" eth0
	cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
	apply
	comes_true "answered by a new cable" 5 answers u
	warm u
	past u
	is "hooks of the early lookup" "$(hooks)" "1 1"
}

gw2_dies() {
	local name kept=()
	for name in "${NAMESPACES[@]}"; do
		[[ $name == "$gw2" ]] || kept+=("$name")
	done
	NAMESPACES=("${kept[@]}")
	works "end" ip netns del "$gw2"
}

hooks() {
	local device
	for device in lan0 wan0; do
		at "$gw" nft list hooks netdev device "$device" 2>/dev/null | grep -c '\[fastnat\]'
	done | xargs
}

configured() { # NS
	local gw=$1
	offloading wan0
	configure config set --early-dev lan0 wan0
}

gateway_topology
setup_ns gw2
forwarding "$gw2"
apply
at "$gw" nft list hooks netdev device lan0 >/dev/null 2>&1 || skip_all "no nftables, or it lists no hooks"
configured "$gw"
configured "$gw2"
endpoints
tests_run
