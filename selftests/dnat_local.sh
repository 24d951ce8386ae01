#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Ports that lead to the gateway itself: to a program that listens on 127.0.0.1 only, and to one that listens on
# the address inside.
#
#   client            gw                      server (asks)
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2
#         (serves at 127.0.0.1 and 10.0.0.1)

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_port_leads_to_127_0_0_1
	transfers_from_there_are_whole
	errors_come_from_the_address_that_was_asked
	without_route_localnet_nothing_comes_in
	a_port_leads_to_the_address_inside
	inside_hosts_come_there_as_well
	others_are_masqueraded
)

# say() also sees that answers come from the address that was asked.
a_port_leads_to_127_0_0_1() {
	is "TCP" "$(ask tcp "$server" 192.0.2.2:5000 192.0.2.1:8080)" 192.0.2.2:5000
	hold u udp "$server" 192.0.2.2:5001
	is "UDP" "$(say u 192.0.2.1:8053)" 192.0.2.2:5001
	is "large UDP" "$(say u 192.0.2.1:8053 6000)" 192.0.2.2:5001
	is "flows" "$(fn --json flow list | jq '[.[] | select(.translated."dst-addr" == "127.0.0.1")] | length')" 2
	like "by another host's way" "$(ask tcp "$server" 192.0.2.3:5000 192.0.2.1:8080)" '^192\.0\.2\.3:5000$'
}

transfers_from_there_are_whole() {
	head -c 1M /dev/urandom >"$TMP/file"
	spawn "$gw" socat -U TCP4-LISTEN:81,bind=127.0.0.1,reuseaddr OPEN:"$TMP/file"
	comes_true "file server" 5 listening "$gw" 81
	works "download" at "$server" timeout $((15 * SLOW)) socat -u TCP4:192.0.2.1:8081 OPEN:"$TMP/copy",creat
	works "sameness" cmp "$TMP/file" "$TMP/copy"
}

errors_come_from_the_address_that_was_asked() {
	capture error "$server" eth0 icmp
	is "UDP that nobody serves" "$(ask udp "$server" 192.0.2.2:5002 192.0.2.1:8054)" refused
	like "of what" "$(captured error)" '192\.0\.2\.1 > 192\.0\.2\.2: ICMP 192\.0\.2\.1 udp port 8054 unreachable'
	is "TCP that nobody serves" "$(ask tcp "$server" 192.0.2.2:5003 192.0.2.1:8082)" refused
	capture error "$server" eth0 icmp
	is "UDP to the address inside" "$(ask udp "$server" 192.0.2.2:5004 192.0.2.1:5355)" refused
	like "of what" "$(captured error)" '192\.0\.2\.1 > 192\.0\.2\.2: ICMP 192\.0\.2\.1 udp port 5355 unreachable'
}

# The control: it is routing that lets it in, and says no by default.
without_route_localnet_nothing_comes_in() {
	agent sysctl "$gw" net.ipv4.conf.wan0.route_localnet=0 >/dev/null
	is "TCP" "$(silent ask tcp "$server" - 192.0.2.1:8080)" timeout
	agent sysctl "$gw" net.ipv4.conf.wan0.route_localnet=1 >/dev/null
	is "TCP again" "$(ask tcp "$server" 192.0.2.2:5004 192.0.2.1:8080)" 192.0.2.2:5004
}

a_port_leads_to_the_address_inside() {
	is "TCP" "$(ask tcp "$server" 192.0.2.2:5010 192.0.2.1:2222)" 192.0.2.2:5010
	is "UDP" "$(say u 192.0.2.1:5353)" 192.0.2.2:5001
	is "who asked there" "$(heard udp "$gw" 153)" 192.0.2.2:5001
}

# As guests of the same house do who use the public name. To 127.0.0.1 that does not lead: who comes in by lan0
# has no way there unless route_localnet says so for lan0, too.
inside_hosts_come_there_as_well() {
	configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 2223 --to 10.0.0.1:22
	isnt "TCP" "$(ask tcp "$client" 10.0.0.2:5020 192.0.2.1:2223)" timeout
	hold v udp "$client" 10.0.0.2:5021
	isnt "UDP" "$(say v 192.0.2.1:5354)" timeout
}

others_are_masqueraded() {
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	is "the gateway's own" "$(ask tcp "$gw" 192.0.2.1:5030 192.0.2.2:80)" 192.0.2.1:5030
}

gateway_topology
is "settings" "$(agent sysctl "$gw" net.ipv4.conf.wan0.route_localnet=1)" ok
configure policy add masquerade --out wan0
configure policy add dnat --in wan0 --dst 192.0.2.1 --proto tcp --dport 8080 --to 127.0.0.1:80
configure policy add dnat --in wan0 --dst 192.0.2.1 --proto tcp --dport 8081-8082 --to 127.0.0.1:81-82
configure policy add dnat --in wan0 --dst 192.0.2.1 --proto udp --dport 8053-8054 --to 127.0.0.1:53-54
configure policy add dnat --in wan0 --dst 192.0.2.1 --proto tcp --dport 2222 --to 10.0.0.1:22
configure policy add dnat --dst 192.0.2.1 --proto udp --dport 5353 --to 10.0.0.1:153
configure policy add dnat --dst 192.0.2.1 --proto udp --dport 5354 --to 10.0.0.1:153
configure policy add dnat --dst 192.0.2.1 --proto udp --dport 5355 --to 10.0.0.1:154
serve tcp "$gw" 127.0.0.1:80
serve udp "$gw" 127.0.0.1:53
serve tcp "$gw" 10.0.0.1:22
serve udp "$gw" 10.0.0.1:153
serve tcp "$server" 192.0.2.2:80
tests_run
