#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Which flows are forwarded past the stack: as the settings and the policy say, but
# for exempt marks and devices, and never beside connection tracking.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	nothing_is_offloaded_by_default
	both_directions_are_when_it_is_on
	the_first_packets_are_not
	a_policy_may_want_more_packets
	a_policy_that_says_off_is_obeyed
	a_policy_that_says_on_is_obeyed
	devices_are_exempt
	marks_are_exempt
	connection_tracking_excludes_it
	what_is_offloaded_ends_when_it_is_switched_off
	what_is_offloaded_ends_when_it_is_set_again
	counters_add_up
)

declare -i PORT=4000

# Twelve questions and answers of a new flow.
talk() {
	local -i round
	((PORT += 1))
	hold "talk$PORT" udp "$client" "10.0.0.2:$PORT" 192.0.2.2:53
	for ((round = 0; round < 12; round++)); do again; done
}
again() { like "answer" "$(say "talk$PORT")" '^192\.0\.2\.1:'; }

# The directions of that flow that are offloaded.
offloaded() {
	fn --json flow get --proto udp --src "10.0.0.2:$PORT" --dst 192.0.2.2:53 |
		jq -r '[if ."offloaded-orig" then "orig" else empty end, if ."offloaded-reply" then "reply" else empty end] | join(" ")'
}

# gains COUNTER CMD…: sets GAIN to that by which it grows meanwhile.
gains() {
	local -i before
	before=$(counter "$1")
	"${@:2}"
	GAIN=$(($(counter "$1") - before))
}

reset_policy() {
	fn policy del 1
	configure policy add masquerade --out wan0 --id 1 "$@"
}

settings() { configure config set "$@"; }

nothing_is_offloaded_by_default() {
	gains offloaded talk
	is "packets" "$GAIN" 0
	is "flow" "$(offloaded)" ""
}

both_directions_are_when_it_is_on() {
	settings --offload on
	talk
	is "flow" "$(offloaded)" "orig reply"
	at_least "packets" "$(counter offloaded)" 8
	like "as text" "$(fn flow list)" ":$PORT ->.* offloaded both"
}

the_first_packets_are_not() {
	local after
	for after in 1 2 7; do
		settings --offload-after "$after"
		gains offloaded talk
		# The packet that makes the flow may count among the first, or not.
		((2 * (12 - after) - GAIN & ~1)) && fail "packets after $after: $GAIN were offloaded"
	done
	settings --offload-after 255
	gains offloaded talk
	is "packets after 255" "$GAIN" 0
	settings --offload-after 3
}

a_policy_may_want_more_packets() {
	reset_policy --offload-after 200
	gains offloaded talk
	is "packets" "$GAIN" 0
	reset_policy
}

a_policy_that_says_off_is_obeyed() {
	reset_policy --offload off
	talk
	is "flow" "$(offloaded)" ""
	reset_policy
}

a_policy_that_says_on_is_obeyed() {
	settings --offload off
	reset_policy --offload on --offload-after 1
	talk
	is "flow" "$(offloaded)" "orig reply"
	settings --offload on
	reset_policy
}

devices_are_exempt() {
	local device
	for device in lan0 wan0; do
		settings --offload-exempt-dev nosuch0 "$device"
		talk
		is "flow by $device" "$(offloaded)" ""
		settings --offload-exempt-dev nosuch0
		again
		again
		again
		is "flow of before" "$(offloaded)" "orig reply"
	done
	settings --offload-exempt-dev none
}

# Nothing here marks packets: it is the mark 0 that is exempt.
marks_are_exempt() {
	settings --offload-exempt-mark 0/0xff
	talk
	is "flow" "$(offloaded)" ""
	settings --offload-exempt-mark 1/0xff
	talk
	is "flow without that mark" "$(offloaded)" "orig reply"
	settings --offload-exempt-mark none
}

connection_tracking_excludes_it() {
	talk
	is "flow" "$(offloaded)" "orig reply"
	settings --conntrack tracked
	is "flow" "$(offloaded)" ""
	gains offloaded again
	is "packets" "$GAIN" 0
	settings --conntrack untracked
	again
	again
	is "flow" "$(offloaded)" "orig reply"
}

what_is_offloaded_ends_when_it_is_switched_off() {
	talk
	settings --offload off
	is "flow" "$(offloaded)" ""
	gains offloaded again
	is "packets" "$GAIN" 0
	settings --offload on
}

what_is_offloaded_ends_when_it_is_set_again() {
	talk
	is "flow" "$(offloaded)" "orig reply"
	settings --offload on
	is "flow" "$(offloaded)" ""
	gains offloaded again
	is "packets of the first exchange" "$GAIN" 0
	gains offloaded again
	is "packets of the second" "$GAIN" 2
}

# All packets are translated; those that are offloaded count among them.
counters_add_up() {
	local -i node
	talk
	gains translated again
	is "translated" "$GAIN" 2
	node=$(fn --json stats | jq '[.node[].translated] | add')
	is "by node" "$node" "$(counter translated)"
}

gateway_topology
configure policy add masquerade --out wan0 --id 1
serve udp "$server" 192.0.2.2:53
tests_run
