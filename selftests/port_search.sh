#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Outside ports beside forwarded ones and beside sockets of the gateway: every free port is found, and no
# host is refused while there is one. Ports that a dnat policy takes are given out last.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2, .3   10.0.0.1  192.0.2.1, .9   192.0.2.2, .3

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	beside_a_forwarded_range
	beside_forwarded_high_ports
	beside_sockets_of_the_gateway
	where_everything_is_forwarded
	what_is_forwarded_elsewhere_is_as_good_as_any
	what_no_dnat_exempts_comes_first
	every_port_of_a_small_pool
	every_even_port_then_every_odd_one
	a_closed_socket_leaves_its_port_to_others
	one_port_among_thousands_of_sockets
	a_port_is_preserved_unless_it_is_forwarded
)

MANY=300

# masquerading WORDS…: nothing but this, with the options WORDS of a pool for its ports, if there are any.
masquerading() {
	agent close-all >/dev/null
	unconfigure
	configure config set --port-rest 0
	if (($#)); then
		configure pool add ports "$@"
		configure policy add masquerade --out wan0 --pool ports
	else
		configure policy add masquerade --out wan0
	fi
}

forward() { configure policy add dnat --in wan0 --proto udp --to 10.0.0.3 --dport "$@"; }

# flood COUNT [PORT]: how many of COUNT sockets of the client get an answer.
flood() { agent flood 5 f "$client" "10.0.0.2:${2:-30000}" 192.0.2.2:53 "$1"; }

# given MIN MAX: how many outside ports from MIN to MAX are.
given() {
	values outside-port "$(fn --json binding list)" | awk -v min="$1" -v max="$2" '$1 >= min && $1 <= max' | wc -l
}

# all_get_one COUNT: nobody is refused.
all_get_one() {
	local before
	before=$(counter drop-ports)
	is "sockets that got an answer" "$(flood "$1")" "$1"
	is "refused" "$(counter drop-ports)" "$before"
}

beside_a_forwarded_range() {
	masquerading
	forward 10000-20000
	all_get_one "$MANY"
	is "forwarded ports given out" "$(given 10000 20000)" 0
}

beside_forwarded_high_ports() {
	masquerading
	forward 49152-65535
	all_get_one "$MANY"
	is "forwarded ports given out" "$(given 49152 65535)" 0
}

beside_sockets_of_the_gateway() {
	masquerading
	is "6000 sockets" "$(agent occupy s udp "$gw" 0.0.0.0:10000 6000)" ok
	all_get_one "$MANY"
	is "ports of sockets given out" "$(given 10000 15999)" 0
	# Most of what is left in a range that is all but full of them: a search asks about 4096 ports at most.
	masquerading --ports 10000-13383
	is "3000 sockets" "$(agent occupy s udp "$gw" 0.0.0.0:10000 3000)" ok
	all_get_one 370
	is "ports of sockets given out" "$(given 10000 12999)" 0
}

# The forwarded ports are given out where there are no others, since answers are found by their flow.
where_everything_is_forwarded() {
	masquerading
	forward 1-65535
	all_get_one "$MANY"
	hold forwarded udp "$server" 192.0.2.2:5000
	is "inside server saw" "$(say forwarded 192.0.2.1:53)" 192.0.2.2:5000
}

what_is_forwarded_elsewhere_is_as_good_as_any() {
	masquerading --ports 40000-40063
	configure policy add dnat --dst 192.0.2.9 --proto udp --dport 40000-40031 --to 10.0.0.3
	configure policy add dnat --in lan0 --proto udp --dport 40000-40047 --to 10.0.0.3
	configure policy add dnat --in wan0 --proto tcp --dport 40000-40063 --to 10.0.0.3
	forward 40060-40063
	all_get_one 60
	is "forwarded ports given out" "$(given 40060 40063)" 0
}

what_no_dnat_exempts_comes_first() {
	masquerading
	configure policy add no-dnat --priority 10 --proto udp --dport 20000-20099
	forward 1024-65535
	all_get_one 100
	is "exempted ports given out" "$(given 20000 20099)" 100
	is "one more" "$(agent flood 5 g "$client" 10.0.0.2:20000 192.0.2.2:53 1)" 1
	is "exempted ports given out" "$(given 20000 20099)" 100
}

# 64 ports: ten of sockets, ten that are forwarded, 44 others.
every_port_of_a_small_pool() {
	local before
	masquerading --ports 40000-40063
	forward 40010-40019
	is "ten sockets" "$(agent occupy s udp "$gw" 192.0.2.1:40030 10)" ok
	all_get_one 44
	is "forwarded ports given out" "$(given 40010 40019)" 0
	is "then forwarded ones" "$(agent flood 5 g "$client" 10.0.0.2:20000 192.0.2.2:53 10)" 10
	is "forwarded ports given out" "$(given 40010 40019)" 10
	is "ports of sockets given out" "$(given 40030 40039)" 0
	before=$(counter drop-ports)
	is "then none" "$(silent ask udp "$client" 10.0.0.2:24000 192.0.2.2:53)" EHOSTUNREACH
	is "refused" "$(counter drop-ports)" $((before + 1))
	# Who has one of them hears every stranger, by its binding or by its flow the server that it asked.
	like "an old socket" "$(say f0)" '^192\.0\.2\.1:'
	like "an old socket at a forwarded port" "$(say g0)" '^192\.0\.2\.1:'
}

every_even_port_then_every_odd_one() {
	masquerading --ports 42000-42031 --parity
	forward 42000-42015
	is "even inside ports" "$(agent flood 5 f "$client" 10.0.0.2:30000 192.0.2.2:53 32)" 32
	is "none is left" "$(silent ask udp "$client" 10.0.0.2:34000 192.0.2.2:53)" EHOSTUNREACH
	is "outside ports" "$(given 42000 42031)" 32
}

a_closed_socket_leaves_its_port_to_others() {
	masquerading --ports 10000-10003
	is "three sockets" "$(agent occupy s udp "$gw" 192.0.2.1:10000 3)" ok
	all_get_one 1
	is "one more" "$(silent ask udp "$client" 10.0.0.2:21000 192.0.2.2:53)" EHOSTUNREACH
	is "close" "$(agent vacate s 3)" ok
	comes_true "all ports given out" 5 fills
}

fills() { agent flood 1 g "$client" 10.0.0.2:22000 192.0.2.2:53 3 >/dev/null; [[ $(given 10000 10003) == 4 ]]; }

one_port_among_thousands_of_sockets() {
	masquerading --ports 10000-13000
	is "3000 sockets" "$(agent occupy s udp "$gw" 192.0.2.1:10000 3000)" ok
	all_get_one 1
	is "its port" "$(given 13000 13000)" 1
}

a_port_is_preserved_unless_it_is_forwarded() {
	masquerading --allocation preserve
	forward 30000-30001
	like "forwarded" "$(ask udp "$client" 10.0.0.2:30001 192.0.2.2:53)" '^192\.0\.2\.1:'
	is "forwarded ports given out" "$(given 30000 30001)" 0
	is "another" "$(ask udp "$client" 10.0.0.2:30002 192.0.2.2:53)" 192.0.2.1:30002
}

gateway_topology
address "$client" 10.0.0.3/24 eth0
address "$gw" 192.0.2.9/24 wan0
apply
serve udp "$server" 192.0.2.2:53
serve udp "$client" 10.0.0.3:53
tests_run
