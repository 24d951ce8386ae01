#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Idle flows expire after the time configured for their protocol; a packet that passes
# in either direction puts it off; a binding goes with its last flow.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	the_defaults_are_those_of_the_rfcs
	a_flow_says_when_it_expires
	idle_flows_of_every_protocol_expire
	the_busy_one_stays
	it_expires_in_its_turn
	a_longer_time_of_one_protocol_is_its_own
)

the_defaults_are_those_of_the_rfcs() {
	is "TCP, UDP, ICMP" "$(fn --json config show |
		jq -c '[."timeout-tcp", ."timeout-udp", ."timeout-icmp"]')" '[7440,300,60]'
}

a_flow_says_when_it_expires() {
	local left
	configure config set --timeout-udp 2 --timeout-tcp 2 --timeout-icmp 2
	hold busy udp "$client" 10.0.0.2:4000
	like "server saw" "$(say busy 192.0.2.2:53)" '^192\.0\.2\.1:'
	left=$(fn --json flow list | jq '.[0].expires')
	((left >= 1 && left <= 2)) || fail "expires in '$left', want 1 or 2"
}

idle_flows_of_every_protocol_expire() {
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	works "ping" at "$client" ping -qc1 -W5 192.0.2.2
	at_least "flows" "$(flows)" 3
	comes_true "only the busy one is left" 9 busy_alone
	is "flows" "$(flows)" 1
	is "bindings" "$(bindings)" 1
	at_least "flows-expired" "$(counter flows-expired)" 3
}

# Keeps it busy, too.
busy_alone() {
	like "the busy flow" "$(say busy 192.0.2.2:53)" '^192\.0\.2\.1:'
	flows_are 1
}

the_busy_one_stays() {
	is "inside port" "$(fn --json flow list | jq '.[0].orig."src-port"')" 4000
}

it_expires_in_its_turn() {
	comes_true "no flow" 8 flows_are 0
	comes_true "no binding" 2 no_bindings
}

no_bindings() { [[ $(bindings) == 0 ]]; }

a_longer_time_of_one_protocol_is_its_own() {
	configure config set --timeout-udp 1 --timeout-tcp 100
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	comes_true "UDP expired" 6 flows_are 0 --proto udp
	at_least "TCP flows" "$(flows --proto tcp)" 1
}

gateway_topology
configure policy add masquerade --out wan0
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
tests_run
