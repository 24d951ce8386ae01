#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Hostile packets, from either side, through a gateway with all kinds of policies: each is translated right, or dropped
# and counted for the reason that is expected. What they are, and what has to become of them, says hostile_corpus.py;
# hostile.py sends and judges. Always: nothing leaves with an inside address, no flow is made that may not be, normal
# traffic goes on, nothing is left behind, and the kernel does not complain.
#
#   HOSTILE_SEED=N       the same random changes again; printed at the start
#   HOSTILE_COUNT=N      how many packets are changed at random, 2000 if not given
#
#   (client)          gw                     (server)     Both ends are packet sockets, without a stack.
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

HOSTILE_SEED=${HOSTILE_SEED:-$SRANDOM}
HOSTILE_COUNT=${HOSTILE_COUNT:-2000}

TESTS=(
	wrong_lengths
	fragments
	errors
	addresses_ports_and_protocols
	options_flags_and_checksums
	changed_at_random
	changed_at_random_with_offload
)

hostile() {
	local output
	output=$(python3 -B "$HERE/hostile.py" "$client" "$gw" "$server" "$@" 2>&1) || fail "hostile.py $*, exit $?"
	[[ ! $output ]] || sed '/^#/!s/^/# /' <<<"$output"
}

wrong_lengths() { hostile lengths; }
fragments() { hostile fragments; }
errors() { hostile quotes; }
addresses_ports_and_protocols() { hostile addresses; }
options_flags_and_checksums() { hostile oddities; }
changed_at_random() {
	note "HOSTILE_SEED=$HOSTILE_SEED"
	hostile random "$HOSTILE_COUNT" "$HOSTILE_SEED"
}
changed_at_random_with_offload() {
	local before
	before=$(counter offloaded)
	configure config set --offload on --early-dev lan0 wan0
	hostile random "$HOSTILE_COUNT" "$HOSTILE_SEED"
	at_least "offloaded" "$(counter offloaded)" $((before + 10))
}

# neighbour DEV NS ADDR…: known for good.
neighbour() {
	local addr mac
	mac=$(ip -n "$2" -brief link show dev eth0 | awk '{ print $3 }')
	for addr in "${@:3}"; do ip -n "$gw" neigh replace "$addr" lladdr "$mac" dev "$1" nud permanent; done
}

start_agent
setup_ns client gw server
cable "$client" eth0 - "$gw" lan0 10.0.0.1/24
cable "$gw" wan0 192.0.2.1/24 "$server" eth0 -
route "$gw" default via 192.0.2.2
forwarding "$gw"
apply
is "settings" "$(agent sysctl "$gw" net.ipv4.conf.all.accept_redirects=0)" ok
neighbour lan0 "$client" 10.0.0.2 10.0.0.7 10.0.0.9
neighbour wan0 "$server" 192.0.2.2
configure pool add some --range 203.0.113.5
configure policy add snat --pool some --src 10.0.0.7 --out wan0 --priority 900
configure policy add masquerade --out wan0
configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 8080 --to 10.0.0.2
configure policy add dnat --dst 203.0.113.9 --to 10.0.0.2
tests_run
