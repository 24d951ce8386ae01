#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Aggregation is switched on and off thousands of times under TCP that goes both ways, in two namespaces with two
# devices each; devices and namespaces go while it is on; the module goes and comes. All the while every byte of
# what goes through the first gateway is compared.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3
#
#   client2           gw2                       twin
#   eth0 ---------- lan0  wan0 ---------------- eth0      the same addresses
#
# What goes to 192.0.2.3 is not translated; the servers know the way back.
# LONG=N: N times as long.

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	thousands_of_times
	devices_go_while_it_is_on
	namespaces_go_while_it_is_on
	the_module_goes_and_comes
)

LONG=${LONG:-1}
LASTING=$((15 * LONG * SLOW)) # s
COUNT=$((4000 * LONG))
ROUNDS=$((3 * LONG))

users() { cat /sys/module/fastnat/refcnt; }
second() { "$FASTNAT" --netns "$gw2" "$@"; }

# chain CLIENT GW SERVER: namespaces that there are, cabled and with addresses. The server's end of the link to the
# gateway is that which comes and goes.
chain() {
	cable "$1" eth0 10.0.0.2/24 "$2" lan0 10.0.0.1/24
	route "$1" default via 10.0.0.1
	forwarding "$2"
	apply
	gro_link "$2" lan0 "$1" eth0
	link_out "$2" "$3"
}

# link_out GW SERVER
link_out() {
	cable "$1" wan0 192.0.2.1/24 "$2" eth0 192.0.2.2/24
	address "$2" 192.0.2.3/24 eth0
	route "$2" 10.0.0.0/24 via 192.0.2.1
	apply
	gro_link "$1" wan0 "$2" eth0
}

second_chain() {
	setup_ns client2 gw2 twin
	chain "$client2" "$gw2" "$twin"
	second policy add masquerade --out wan0 --dst 192.0.2.2 >/dev/null || fail "masquerade"
}

switching() { python3 -B "$HERE/lro_switch.py" "$1" "$LASTING" "$COUNT" lan0 wan0 >"$TMP/$2" 2>&1; }

thousands_of_times() {
	local other
	traffic one "$client" "$server" 192.0.2.2
	traffic two "$client2" "$twin" 192.0.2.2
	observe_lro
	switching "$gw2" two &
	other=$!
	switching "$gw" one
	wait "$other"
	observe_lro
	note "switched $(<"$TMP/one") and $(<"$TMP/two") times; $AGGREGATES aggregates meanwhile"
	at_least "switched" "$(<"$TMP/one")" $((300 * LONG / SLOW))
	at_least "switched in the second" "$(<"$TMP/two")" $((300 * LONG / SLOW))
	end_traffic one "$server"
	end_traffic two "$twin"
	is "users of the module" "$(users)" 0
	# The entries of devices are gone, and their counters.
	lro mode lro
	observe_lro
	traffic one "$client" "$server" 192.0.2.2
	comes_true "aggregates in the end" 5 grows
	end_traffic one "$server"
}

grows() {
	observe_lro
	((AGGREGATES > 0))
}

# crossing: whatever comes of it, packets are on their way to the server.
crossing() {
	python3 -IS "$HERE/lro_bulk.py" "$client2" "$twin" 192.0.2.2 81 seconds=$((60 * SLOW)) pause=10 chunk=20000 >/dev/null 2>&1 &
	CROSSING=$!
	JOBS+=("$CROSSING")
	comes_true "traffic in the second" 10 flowing "$twin"
}

no_crossing() {
	pkill -KILL -P "$CROSSING"
	kill -KILL "$CROSSING"
	wait "$CROSSING"
} 2>/dev/null

devices_go_while_it_is_on() {
	local i
	traffic one "$client" "$server" 192.0.2.2
	for ((i = 0; i < ROUNDS; i++)); do
		works "on" second lro set mode lro
		works "on for the device" second lro set dev wan0 mode "$( ((i % 2)) && echo lro || echo strict)"
		crossing
		ip -n "$gw2" link del wan0
		no_crossing
		unlike "the device, $i" "$(second --json lro show | jq -c '.[] | select(.device == "wan0")')" '"ifindex"'
		link_out "$gw2" "$twin"
		like "the new device, $i" "$(second --json lro show | jq -c '.[] | select(.device == "wan0")')" '"ifindex"'
	done
	end_traffic one "$server"
}

namespaces_go_while_it_is_on() {
	local i before
	traffic one "$client" "$server" 192.0.2.2
	lro mode off
	for ((i = 0; i < ROUNDS; i++)); do
		works "on, $i" second lro set mode lro
		crossing
		before=$(users)
		ip netns del "$gw2"
		no_crossing
		at_least "users of the module, $i" "$before" 1
		comes_true "users of the module, $i" 30 nobody
		ip netns del "$client2"
		ip netns del "$twin"
		NAMESPACES=("$client" "$gw" "$server")
		((i % 2)) || lro mode lro
		second_chain
		lro mode off
	done
	end_traffic one "$server"
}

nobody() { [[ $(users) == 0 ]]; }

# Untranslated, or nothing would come through without the module.
the_module_goes_and_comes() {
	local i
	traffic one "$client" "$server" 192.0.2.3
	for ((i = 0; i < ROUNDS; i++)); do
		works "on, $i" fn lro set mode lro
		works "on in the second, $i" second lro set mode strict
		refuses "unload, $i" rmmod fastnat
		works "off, $i" fn lro set mode off
		refuses "unload with one left, $i" rmmod fastnat
		works "off in the second, $i" second lro set mode off
		works "unload, $i" rmmod fastnat || break
		works "load, $i" load_module || break
	done
	EVER[SEGMENTS]=0 EVER[AGGREGATES]=0
	lro mode lro
	comes_true "aggregates in the end" 5 grows
	end_traffic one "$server"
	lro mode off
	works "unload in the end" rmmod fastnat
	works "load in the end" load_module
}

[[ -e /sys/module/fastnat/refcnt ]] || skip_all "fastnat is not a module here"
trap 'load_module; cleanup' EXIT
start_agent
setup_ns client gw server
chain "$client" "$gw" "$server"
configure policy add masquerade --out wan0 --dst 192.0.2.2
watch_lro
second_chain
tests_run
