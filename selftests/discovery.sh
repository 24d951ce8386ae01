#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What somebody else's program finds out about the NAT in front of it: stun(1), the test client of
# RFC 3489, asks a server that has two addresses and two ports. Connection tracking's NAT is asked about
# beside, so that it is seen to tell one NAT from another.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0   stund
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3
#   client2           |
#   10.0.1.2 ----- lan1 10.0.1.1

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	without_a_nat_nothing_comes_back
	by_default_all_is_endpoint_independent
	it_stays_so_when_another_host_has_the_port
	a_pool_makes_no_difference
	a_port_that_is_kept_is_seen
	filtering_by_address
	filtering_by_address_and_port
	mapping_by_address_and_port
	connection_tracking_filters_by_port
	connection_tracking_maps_by_address_when_another_host_has_the_port
	connection_tracking_with_random_maps_by_address
)

PORT=4000

# found WORDS: stun says so; from a port that the NAT has not seen.
found() {
	local said
	PORT=$((PORT + 10))
	said=$(at "$client" timeout $((60 * SLOW)) stun 192.0.2.2 -p "$PORT" 2>&1 | sed -n 's/^Primary: *//p')
	is "stun says" "${said%"${said##*[![:space:]]}"}" "$1"
}

masquerade() {
	unconfigure
	configure policy add masquerade --out wan0 "$@"
}

# The port that the client is about to use; towards one address of the server only.
another_host_has_the_port() {
	hold other udp "$client2" "10.0.1.2:$((PORT + 10))"
	is "another host's request" "$(agent tell other 192.0.2.3:3478 hello)" ok
}

without_a_nat_nothing_comes_back() {
	unconfigure
	found "Blocked or could not reach STUN server"
}

by_default_all_is_endpoint_independent() {
	masquerade
	found "Independent Mapping, Independent Filter, random port, will hairpin"
}

it_stays_so_when_another_host_has_the_port() {
	masquerade
	another_host_has_the_port
	found "Independent Mapping, Independent Filter, random port, will hairpin"
}

a_pool_makes_no_difference() {
	unconfigure
	configure pool add out --range 203.0.113.16-203.0.113.31
	configure policy add snat --pool out --out wan0
	found "Independent Mapping, Independent Filter, random port, will hairpin"
}

a_port_that_is_kept_is_seen() {
	unconfigure
	configure pool add out --range 203.0.113.16-203.0.113.31 --allocation preserve
	configure policy add snat --pool out --out wan0
	found "Independent Mapping, Independent Filter, preserves ports, will hairpin"
}

filtering_by_address() {
	masquerade --filtering address-dependent
	found "Independent Mapping, Address Dependent Filter, random port, will hairpin"
}

filtering_by_address_and_port() {
	masquerade --filtering address-and-port-dependent
	found "Independent Mapping, Port Dependent Filter, random port, will hairpin"
}

# The endpoint that it learned from the server is not where it may be reached.
mapping_by_address_and_port() {
	masquerade --mapping address-and-port-dependent
	found "Dependent Mapping, random port, no hairpin"
}

connection_tracking() {
	unconfigure
	works "nft" at "$gw" nft -f - <<-END
		table ip nat
		flush table ip nat
		table ip nat { chain post { type nat hook postrouting priority srcnat; oifname wan0 masquerade $*; }; }
	END
}

connection_tracking_filters_by_port() {
	connection_tracking
	found "Independent Mapping, Port Dependent Filter, preserves ports, no hairpin"
}

connection_tracking_maps_by_address_when_another_host_has_the_port() {
	connection_tracking
	another_host_has_the_port
	found "Dependent Mapping, preserves ports, no hairpin"
}

connection_tracking_with_random_maps_by_address() {
	connection_tracking random
	found "Dependent Mapping, random port, no hairpin"
	works "nft" at "$gw" nft flush ruleset
}

gateway_topology
second_client
spawn "$server" stund -h 192.0.2.2 -a 192.0.2.3
stund_is_up() { [[ $(at "$server" ss -Hlun 'sport = :3479' | wc -l) == 2 ]]; }
comes_true "stund" 10 stund_is_up
tests_run
