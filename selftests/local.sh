#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The gateway's own traffic: it reaches others and is reached, whatever the policies
# and however full the table.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1, .9  192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	its_connections_work_and_keep_their_port
	its_services_are_reached_from_outside
	its_services_are_reached_from_inside
	its_services_on_a_secondary_address_are_reached
	its_services_are_reached_with_a_pool
	a_port_that_an_inside_host_holds_is_not_given_twice
	its_connections_work_when_the_table_is_full
	its_services_are_reached_when_the_table_is_full
	an_inside_host_is_still_refused
)

its_connections_work_and_keep_their_port() {
	is "TCP" "$(ask tcp "$gw" 192.0.2.1:5555 192.0.2.2:80)" 192.0.2.1:5555
	is "UDP" "$(ask udp "$gw" 192.0.2.1:5556 192.0.2.2:53)" 192.0.2.1:5556
	works "ping" at "$gw" ping -qc1 -W5 192.0.2.2
	is "a large transfer" "$(transfer "$gw" "$server" 192.0.2.2 81 1)" intact
}

its_services_are_reached_from_outside() {
	is "TCP" "$(ask tcp "$server" 192.0.2.2:6000 192.0.2.1:22)" 192.0.2.2:6000
	is "UDP" "$(ask udp "$server" 192.0.2.2:6001 192.0.2.1:53)" 192.0.2.2:6001
	works "ping" at "$server" ping -qc1 -W5 192.0.2.1
}

its_services_are_reached_from_inside() {
	is "at the inside address" "$(ask tcp "$client" 10.0.0.2:6002 10.0.0.1:22)" 10.0.0.2:6002
	like "at the outside address" "$(ask tcp "$client" 10.0.0.2:6003 192.0.2.1:22)" '^(10\.0\.0\.2|192\.0\.2\.1):'
	works "ping" at "$client" ping -qc1 -W5 192.0.2.1
}

its_services_on_a_secondary_address_are_reached() {
	is "TCP" "$(ask tcp "$server" 192.0.2.2:6010 192.0.2.9:22)" 192.0.2.2:6010
	is "UDP" "$(ask udp "$server" 192.0.2.2:6011 192.0.2.9:53)" 192.0.2.2:6011
	works "ping" at "$server" ping -qc1 -W5 192.0.2.9
}

# The policy names no --src: what the gateway answers matches as well.
its_services_are_reached_with_a_pool() {
	unconfigure
	configure pool add some --range 203.0.113.5
	configure policy add snat --pool some --out wan0
	like "inside host" "$(ask udp "$client" - 192.0.2.2:53)" '^203\.0\.113\.5:'
	its_services_are_reached_from_outside
	its_services_on_a_secondary_address_are_reached
}

a_port_that_an_inside_host_holds_is_not_given_twice() {
	local mine
	unconfigure
	configure pool add keep --allocation preserve
	configure policy add masquerade --out wan0 --pool keep
	hold inside udp "$client" 10.0.0.2:5600
	is "inside host" "$(say inside 192.0.2.2:53)" 192.0.2.1:5600
	hold own udp "$gw" 192.0.2.1:5600
	mine=$(say own 192.0.2.2:53)
	like "gateway" "$mine" '^192\.0\.2\.1:'
	isnt "gateway" "$mine" 192.0.2.1:5600
	is "inside host again" "$(say inside 192.0.2.2:53)" 192.0.2.1:5600
	is "gateway again" "$(say own 192.0.2.2:53)" "$mine"
	agent close own >/dev/null
}

its_connections_work_when_the_table_is_full() {
	local before
	works "flush" fn flow flush
	configure config set --max-flows 1 --port-rest 0
	is "the one flow" "$(say inside 192.0.2.2:53)" 192.0.2.1:5600
	before=$(counter pass-local)
	is "TCP" "$(ask tcp "$gw" 192.0.2.1:5700 192.0.2.2:80)" 192.0.2.1:5700
	is "UDP" "$(ask udp "$gw" 192.0.2.1:5701 192.0.2.2:53)" 192.0.2.1:5701
	works "ping" at "$gw" ping -qc1 -W5 192.0.2.2
	at_least "pass-local" "$(counter pass-local)" $((before + 3))
}

its_services_are_reached_when_the_table_is_full() {
	is "from outside" "$(ask tcp "$server" 192.0.2.2:6100 192.0.2.1:22)" 192.0.2.2:6100
	is "from inside" "$(ask tcp "$client" 10.0.0.2:6101 10.0.0.1:22)" 10.0.0.2:6101
}

an_inside_host_is_still_refused() {
	is "a second flow" "$(silent ask udp "$client" 10.0.0.2:5601 192.0.2.2:53)" EHOSTUNREACH
}

gateway_topology
address "$gw" 192.0.2.9/24 wan0
apply
configure policy add masquerade --out wan0
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
serve tcp "$gw" 0.0.0.0:22
serve udp "$gw" 192.0.2.1:53
serve udp "$gw" 192.0.2.9:53
tests_run
