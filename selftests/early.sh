#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The early lookup is where the settings want it, wherever devices come, go and are
# renamed, and makes no difference to packets.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	it_is_on_no_device_by_default
	it_is_on_the_devices_of_the_list
	packets_are_translated_as_before
	devices_may_come_and_go
	devices_may_be_renamed
	devices_may_leave_the_namespace
	a_list_that_is_refused_leaves_it_where_it_was
	the_namespace_may_go_with_it
	the_module_may_go_with_it
)

# DEVICE…: how many hooks of ours each has.
hooks() {
	local device
	for device; do
		at "$gw" nft list hooks netdev device "$device" 2>/dev/null | grep -c '\[fastnat\]'
	done | xargs
}

early() { configure config set --early-dev "$@"; }

declare -i PORT=4000

# Questions and answers of a new flow of each protocol.
talk() {
	local proto
	((PORT += 1))
	for proto in udp tcp; do
		like "$proto" "$(ask "$proto" "$client" "10.0.0.2:$PORT" 192.0.2.2:53)" '^192\.0\.2\.1:'
	done
	works "ping" at "$client" ping -c 2 -i 0.2 -W 2 192.0.2.2
	works "long ping" at "$client" ping -c 1 -s 4000 -W 2 192.0.2.2
}

it_is_on_no_device_by_default() {
	is "hooks" "$(hooks lan0 wan0)" "0 0"
}

it_is_on_the_devices_of_the_list() {
	early lan0 wan0
	is "hooks of two" "$(hooks lan0 wan0)" "1 1"
	early wan0 nosuch0 wan0
	is "hooks of one" "$(hooks lan0 wan0)" "0 1"
	configure config set --timeout-udp 200
	is "hooks with another setting" "$(hooks lan0 wan0)" "0 1"
	early none
	is "hooks of none" "$(hooks lan0 wan0)" "0 0"
}

packets_are_translated_as_before() {
	local devices
	for devices in "lan0 wan0" lan0 wan0 none; do
		# shellcheck disable=SC2086 # words
		early $devices
		talk
	done
}

devices_may_come_and_go() {
	local -i round
	early dummy0 lan0
	for ((round = 0; round < 3; round++)); do
		at "$gw" ip link add dummy0 type dummy
		is "hooks when it has come" "$(hooks dummy0 lan0)" "1 1"
		at "$gw" ip link del dummy0
	done
	is "hooks of the other" "$(hooks lan0)" 1
	early none
}

devices_may_be_renamed() {
	early dummy0
	at "$gw" ip link add dummy1 type dummy
	is "hooks of another" "$(hooks dummy1)" 0
	at "$gw" ip link set dummy1 name dummy0
	is "hooks by the name of the list" "$(hooks dummy0)" 1
	at "$gw" ip link set dummy0 name dummy1
	is "hooks by a name that is not on it" "$(hooks dummy1)" 0
	at "$gw" ip link del dummy1
	early none
}

devices_may_leave_the_namespace() {
	early dummy0
	at "$gw" ip link add dummy0 type dummy
	is "hooks" "$(hooks dummy0)" 1
	at "$gw" ip link set dummy0 netns "$client"
	is "hooks in another namespace" "$(at "$client" nft list hooks netdev device dummy0 2>/dev/null | grep -c fastnat)" 0
	at "$client" ip link set dummy0 netns "$gw"
	is "hooks when it is back" "$(hooks dummy0)" 1
	at "$gw" ip link del dummy0
	early none
}

a_list_that_is_refused_leaves_it_where_it_was() {
	local many
	early lan0
	many=$(printf 'device%d ' {1..16})
	# shellcheck disable=SC2086 # words
	refuses "17 devices" "$FASTNAT" --netns "$gw" config set --early-dev $many wan0
	is "hooks" "$(hooks lan0 wan0)" "1 0"
	early none
}

the_namespace_may_go_with_it() {
	local other
	setup_ns other
	at "$other" ip link add dummy0 type dummy
	works "list" "$FASTNAT" --netns "$other" config set --early-dev lo dummy0
	works "end" ip netns del "$other"
	unset "NAMESPACES[-1]"
	talk
}

# With hooks on devices that are there, policies and flows.
the_module_may_go_with_it() {
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	early lan0 wan0
	works "unload" rmmod fastnat
	is "hooks" "$(hooks lan0 wan0)" "0 0"
	works "load" load_module
	works "ping of the gateway" at "$client" ping -c 2 -i 0.2 -W 2 10.0.0.1
}

gateway_topology
at "$gw" nft list hooks netdev device lan0 >/dev/null 2>&1 || skip_all "no nftables, or it lists no hooks"
configure policy add masquerade --out wan0 --id 1
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:53
tests_run
