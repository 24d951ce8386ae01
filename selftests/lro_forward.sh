#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What LRO has aggregated leaves a gateway with NAT as packets that nobody can tell from those that came: TCP in
# both directions at once, every byte compared, with and without offload, whatever the devices do.
# Each test also sees that packets were aggregated.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	both_ways
	one_way
	several_connections
	into_a_device_that_segments_nothing
	and_has_no_checksums
	a_connection_from_outside
	while_somebody_listens
)

to_client() { through "$1, $OFFLOAD" "$server" "$client" 192.0.2.1 "${@:2}"; }

both_ways() { to_server "both ways"; }
one_way() { to_server "one way" one=up; }
several_connections() { to_server "4 connections" connections=4 bytes=1000000; }

into_a_device_that_segments_nothing() {
	device "$gw" wan0 tso off
	device "$gw" lan0 tso off
	to_server "software segments"
}

and_has_no_checksums() {
	device "$gw" wan0 tx off
	device "$gw" lan0 tx off
	device "$client" eth0 tx off
	device "$server" eth0 tx off
	to_server "and checksums"
	device "$client" eth0 tx on
	device "$server" eth0 tx on
	wires
}

a_connection_from_outside() { both to_client "from outside"; }

# Who listens gets copies, so that headers are shared.
while_somebody_listens() {
	capture lan "$gw" lan0 tcp
	capture wan "$gw" wan0 tcp
	to_server "listened to"
	unlike "addresses inside" "$(captured lan | grep 10.0.0.2)" '192\.0\.2\.1\.'
	unlike "addresses outside" "$(captured wan)" '10\.0\.0\.2'
}

lro_gateway
tests_run
