#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fragments: datagrams larger than the MTU are reassembled, translated and cut again,
# in both directions, whatever the order in which they come.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	ping_of_4000_bytes
	udp_of_8_kilobytes_both_ways
	udp_of_60_kilobytes_both_ways
	from_outside_to_an_inside_service
	fragments_in_reverse_order
	duplicated_fragments
	overlapping_fragments_are_dropped
	they_are_cut_smaller_for_a_narrow_link
	they_leave_no_larger_than_they_came
	a_datagram_without_its_head_does_not_leak
	nothing_left_with_an_inside_address
)

ping_of_4000_bytes() {
	works "out" at "$client" ping -qc2 -i0.2 -W5 -s4000 192.0.2.2
	works "in" at "$server" ping -qc2 -i0.2 -W5 -s4000 203.0.113.9
}

udp_of_8_kilobytes_both_ways() {
	capture big "$server" eth0 'src host 192.0.2.1 and ip[6:2] & 0x3fff != 0'
	like "server saw" "$(ask udp "$client" - 192.0.2.2:53 8192)" '^192\.0\.2\.1:'
	at_least "fragments" "$(captured big | grep -c 'proto UDP')" 6
}

udp_of_60_kilobytes_both_ways() {
	like "server saw" "$(ask udp "$client" - 192.0.2.2:53 60000)" '^192\.0\.2\.1:'
}

from_outside_to_an_inside_service() {
	is "client saw" "$(ask udp "$server" 192.0.2.2:5000 203.0.113.9:53 8192)" 192.0.2.2:5000
}

fragments_in_reverse_order() {
	heard udp "$server" 53 >/dev/null
	is "sent" "$(agent fragments "$client" 10.0.0.2:4500 192.0.2.2:53 5000 reversed)" ok
	comes_true "arrival" 5 server_heard '^192\.0\.2\.1:'
}

duplicated_fragments() {
	heard udp "$server" 53 >/dev/null
	is "sent" "$(agent fragments "$client" 10.0.0.2:4501 192.0.2.2:53 3000 duplicated)" ok
	comes_true "arrival" 5 server_heard '^192\.0\.2\.1:'
}

overlapping_fragments_are_dropped() {
	local seen
	heard udp "$server" 53 >/dev/null
	is "sent" "$(agent fragments "$client" 10.0.0.2:4503 192.0.2.2:53 3000 overlapping)" ok
	seen=$(ask udp "$client" - 192.0.2.2:53)
	like "another datagram" "$seen" '^192\.0\.2\.1:'
	is "what the server heard" "$(heard udp "$server" 53)" "$seen"
}

# longest ORDER: the longest packet of a datagram that came in fragments of 800 octets of data.
longest() {
	capture cut "$server" eth0 'src host 192.0.2.1 and ip proto 17'
	heard udp "$server" 53 >/dev/null
	agent fragments "$client" 10.0.0.2:4504 192.0.2.2:53 5000 "$1" >/dev/null
	wait_for 5 server_heard '^192\.0\.2\.1:' || echo lost
	captured cut | grep -oE 'length [0-9]+\)' | grep -oE '[0-9]+' | sort -n | tail -n1
}

they_are_cut_smaller_for_a_narrow_link() {
	local order
	width "$gw" wan0 600
	for order in duplicated reversed; do
		is "longest, $order" "$(longest "$order")" 596
	done
	width "$gw" wan0 1500
}

# Some link on the way was narrow, and may be so again.
they_leave_no_larger_than_they_came() { is "longest" "$(longest reversed)" 820; }

a_datagram_without_its_head_does_not_leak() {
	is "sent" "$(agent fragments "$client" 10.0.0.2:4502 192.0.2.2:53 3000 headless)" ok
	like "another datagram" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
}

nothing_left_with_an_inside_address() {
	is "captured over all" "$(captured leak)" ""
}

server_heard() { [[ $(heard udp "$server" 53) =~ $1 ]]; }

gateway_topology
configure policy add masquerade --out wan0
configure policy add dnat --dst 203.0.113.9 --to 10.0.0.2
serve udp "$server" 192.0.2.2:53
serve udp "$client" 10.0.0.2:53
capture leak "$server" eth0 'net 10.0.0.0/8'
tests_run
