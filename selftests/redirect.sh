#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Redirect: what goes elsewhere comes to the gateway itself, to the first address of the
# interface that it came in by; who asked gets the answer from whom it had asked.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#   client2      10.0.0.250
#   10.0.1.2 ------- lan1, no address

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	the_gateway_answers_for_others
	the_first_address_is_taken
	the_port_may_stay
	a_range_maps_one_to_one
	a_large_transfer_goes_to_the_gateway
	pings_are_answered_here
	a_closed_port_refuses
	who_asks_keeps_its_source
	from_outside_too
	an_interface_without_address_drops
	own_connections_go_where_they_went
	they_come_back_as_they_were_given
	what_makes_no_sense_is_refused
)

the_gateway_answers_for_others() {
	is "before" "$(silent ask udp "$client" - 198.51.100.7:53)" timeout
	configure policy add redirect --id 1 --in lan0 --proto udp --dport 53 --to-port 5353
	hold u udp "$client" 10.0.0.2:4000
	# say() also checks that the answer comes from the address that was asked.
	is "who the gateway saw" "$(say u 198.51.100.7:53)" 10.0.0.2:4000
	is "the gateway heard" "$(heard udp "$gw" 5353)" 10.0.0.2:4000
	is "whom the gateway can ask for" "$(fn --json flow get --proto udp --src 10.0.0.2:4000 --dst 10.0.0.1:5353 |
		jq -r '.orig."dst-addr"')" 198.51.100.7
	is "in place of a server that is there" "$(ask udp "$client" 10.0.0.2:4001 192.0.2.2:53)" 10.0.0.2:4001
	is "which heard" "$(heard udp "$server" 53)" nobody
	is "its own address" "$(ask udp "$client" 10.0.0.2:4002 10.0.0.1:53)" 10.0.0.2:4002
	is "other ports" "$(ask udp "$client" 10.0.0.2:4003 10.0.0.1:5354)" 10.0.0.2:4003
}

the_first_address_is_taken() {
	is "flows" "$(fn --json flow list | jq -r '[.[] | select(.policy == 1) | .translated | "\(."dst-addr"):\(."dst-port")"] | unique[]')" \
		10.0.0.1:5353
}

the_port_may_stay() {
	configure policy add redirect --id 2 --in lan0 --proto udp --dport 5354
	is "answer" "$(ask udp "$client" 10.0.0.2:4010 198.51.100.7:5354)" 10.0.0.2:4010
}

a_range_maps_one_to_one() {
	configure policy add redirect --id 3 --in lan0 --proto tcp --dport 8000-8001 --to-port 9000-9001
	is "the second" "$(ask tcp "$client" 10.0.0.2:4011 198.51.100.7:8001)" 10.0.0.2:4011
	is "heard" "$(heard tcp "$gw" 9001)" 10.0.0.2:4011
	configure policy del 3
}

a_large_transfer_goes_to_the_gateway() {
	configure policy add redirect --id 3 --in lan0 --proto tcp --dport 80 --to-port 3128
	is "transfer" "$(into_gateway)" intact
	configure policy del 3
}

# As transfer() in lib.sh, but the receiver listens elsewhere than where the sender sends.
into_gateway() {
	local receiver
	head -c 1M /dev/urandom >"$TMP/sent"
	at "$gw" timeout $((20 * SLOW)) socat -u TCP4-LISTEN:3128,reuseaddr OPEN:"$TMP/received",creat &
	receiver=$!
	wait_for 5 listening "$gw" 3128
	at "$client" timeout $((10 * SLOW)) socat -u OPEN:"$TMP/sent" TCP4:198.51.100.7:80,connect-timeout=$((4 * SLOW)) 2>/dev/null || kill "$receiver"
	wait "$receiver" 2>/dev/null
	cmp -s "$TMP/sent" "$TMP/received" && echo intact
}

pings_are_answered_here() {
	configure policy add redirect --id 3 --in lan0 --dst 198.51.100.0/24 --proto icmp
	works "ping" at "$client" ping -qc1 -W5 198.51.100.9
	configure policy del 3
}

a_closed_port_refuses() {
	configure policy add redirect --id 3 --in lan0 --dst 198.51.100.0/24 --proto udp --dport 99
	is "answer" "$(ask udp "$client" 10.0.0.2:4020 198.51.100.9:99)" refused
	configure policy del 3
}

who_asks_keeps_its_source() {
	configure policy add masquerade --id 4 --src 10.0.0.0/8
	is "who the gateway saw" "$(ask udp "$client" 10.0.0.2:4030 192.0.2.1:53)" 10.0.0.2:4030
	is "who the gateway saw" "$(ask udp "$client" 10.0.0.2:4031 198.51.100.7:53)" 10.0.0.2:4031
	is "hairpins" "$(counter hairpins)" 0
	configure policy del 4
}

from_outside_too() {
	configure policy add redirect --id 5 --in wan0 --dst 203.0.113.0/24 --proto udp --dport 53 --to-port 5353
	is "answer" "$(ask udp "$server" 192.0.2.2:5000 203.0.113.77:53)" 192.0.2.2:5000
	is "to" "$(fn --json flow list | jq -r '.[] | select(.policy == 5) | .translated."dst-addr"')" 192.0.2.1
}

an_interface_without_address_drops() {
	local before
	configure policy add redirect --id 6 --in lan1 --proto udp --dport 53
	before=$(counter drop-address)
	is "answer" "$(silent ask udp "$client2" - 198.51.100.7:53)" timeout
	at_least "drop-address" "$(counter drop-address)" $((before + 1))
	works "an address" ip -n "$gw" addr add 10.0.1.1/24 dev lan1
	configure policy add redirect --id 7 --in lan1 --proto udp --to-port 5353
	is "then" "$(ask udp "$client2" 10.0.1.2:4041 198.51.100.7:5355)" 10.0.1.2:4041
}

own_connections_go_where_they_went() {
	heard udp "$server" 53 >/dev/null
	configure policy add redirect --id 8 --proto udp --dport 53 --to-port 5353
	is "answer" "$(ask udp "$gw" 192.0.2.1:4050 192.0.2.2:53)" 192.0.2.1:4050
	is "the server heard" "$(heard udp "$server" 53)" 192.0.2.1:4050
	unconfigure
}

they_come_back_as_they_were_given() {
	configure policy add redirect --id 1 --in lan0 --proto tcp --dport 80-81 --to-port 3128-3129 --timeout-tcp 1h
	configure policy add redirect --id 2 --dst 203.0.113.0/24
	is "listed" "$(fn --json policy list | jq -c 'map([.action, ."to-addr", ."to-port-min", ."to-port-max", ."timeout-tcp"])')" \
		'[["redirect",null,3128,3129,3600],["redirect",null,null,null,null]]'
	like "as text" "$(fn policy list)" 'redirect +proto tcp dport 80-81 in lan0 +port 3128-3129'
	unconfigure
	echo 'redirect --in lan0 --proto tcp --dport 80 --to-port 3128' >"$TMP/file"
	is "loaded" "$(fn policy load "$TMP/file")" "1 policy added"
	unconfigure
}

# refusal WORDS OPTIONS…
refusal() {
	like "refusal of ${*:2}" "$(fn policy add redirect "${@:2}" 2>&1)" "$1"
	is "policies" "$(fn --json policy list | jq length)" 0
}

what_makes_no_sense_is_refused() {
	refusal 'not known before routing.*attribute out-iface' --out wan0
	refusal 'ports need a protocol.*attribute to-port-min' --to-port 80
	refusal 'as many new ports.*attribute to-port-max' --proto tcp --dport 80-85 --to-port 80-81
	refusal 'unexpected argument' --to 10.0.0.1
	refusal 'unexpected argument' --filtering address-dependent
}

gateway_topology
setup_ns client2
cable "$client2" eth0 10.0.1.2/24 "$gw" lan1 -
address "$gw" 10.0.0.250/24 lan0
route "$client2" default dev eth0
apply
# Nobody answers for the far end there until it has an address.
works "neighbour" ip -n "$client2" neigh replace 198.51.100.7 dev eth0 \
	lladdr "$(ip -n "$gw" -j link show lan1 | jq -r '.[0].address')"
serve udp "$server" 192.0.2.2:53
for port in 5353 5354; do serve udp "$gw" "-:$port"; done
for port in 9000 9001; do serve tcp "$gw" "-:$port"; done
tests_run
