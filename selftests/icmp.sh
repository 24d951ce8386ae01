#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ICMP: queries of many hosts share one address, and errors reach the program that
# they concern, on either side, with the header they quote translated as well.
#
#   client ------------ inner ------------ gw ------------ outer ------------ server
#   10.0.0.2   10.0.0.1  10.0.9.2  10.0.9.1  192.0.2.1  .254  198.51.100.1   198.51.100.2
#   client2                                |
#   10.0.1.2 ---------------------- 10.0.1.1

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	ping_passes
	two_hosts_may_use_the_same_identifier
	other_queries_are_translated
	who_asks_twice_has_one_identifier
	port_unreachable_reaches_the_inside_program
	net_unreachable_reaches_a_tcp_connect
	port_unreachable_from_inside_reaches_the_outside_program
	port_unreachable_from_inside_reaches_a_stranger
	traceroute_sees_every_hop
	ping_with_a_short_life_hears_of_it
	traceroute_from_outside_shows_no_inside_address
	an_error_with_eight_quoted_bytes_is_enough
	an_error_that_quotes_less_does_no_harm
	an_error_with_a_wrong_checksum_is_dropped
	an_error_ends_no_binding
	an_error_about_nothing_known_stays_inside
)

ping_passes() {
	configure policy add masquerade --out wan0
	capture p "$server" eth0 icmp
	works "ping" at "$client" ping -qc2 -i0.2 -W5 198.51.100.2
	like "what the server saw" "$(captured p)" '192\.0\.2\.1 > 198\.51\.100\.2: ICMP echo request'
}

two_hosts_may_use_the_same_identifier() {
	local first second seen
	capture p "$server" eth0 'icmp[icmptype] == icmp-echo'
	at "$client" ping -qc3 -i0.2 -W5 -e 777 198.51.100.2 >"$TMP/first" &
	first=$!
	at "$client2" ping -qc3 -i0.2 -W5 -e 777 198.51.100.2 >"$TMP/second" &
	second=$!
	wait "$first" || fail "first: $(tail -n2 "$TMP/first")"
	wait "$second" || fail "second: $(tail -n2 "$TMP/second")"
	seen=$(captured p)
	is "sources" "$(grep -c '192\.0\.2\.1 > ' <<<"$seen")" 6
	is "identifiers" "$(grep -o 'id [0-9]*, seq' <<<"$seen" | sort -u | wc -l)" 2
}

# query NS TYPE ID: what answers, and for whom.
query() { at "$1" python3 "$HERE/icmp_query.py" 198.51.100.2 "$2" "$3"; }

# Timestamps and probes (RFC 8335); nobody answers address masks any more.
other_queries_are_translated() {
	local first second
	at "$server" sysctl -qw net.ipv4.icmp_echo_enable_probe=1
	query "$client" 13 555 >"$TMP/first" &
	first=$!
	query "$client2" 13 555 >"$TMP/second" &
	second=$!
	wait "$first" "$second"
	is "first timestamp" "$(cat "$TMP/first")" "14 555"
	is "second timestamp" "$(cat "$TMP/second")" "14 555"
	is "probe" "$(query "$client" 42 556)" "43 556"
	capture q "$server" eth0 'icmp[icmptype] == icmp-maskreq'
	is "address mask" "$(FASTNAT_SLOW=1 query "$client" 17 557)" timeout
	like "what the server saw" "$(captured q)" '192\.0\.2\.1 > 198\.51\.100\.2: ICMP address mask request'
}

# RFC 5508 REQ-1: whomever, and with whatever kind of query.
who_asks_twice_has_one_identifier() {
	capture o "$server" eth0 'icmp[icmptype] == icmp-tstamp or icmp[icmptype] == icmp-echo'
	is "echo" "$(query "$client" 8 600)" "0 600"
	is "timestamp" "$(query "$client" 13 600)" "14 600"
	is "identifiers" "$(captured o | grep -o 'ICMP .*' | grep -o ' id [0-9]*' | sort -u | wc -l)" 1
}

port_unreachable_reaches_the_inside_program() {
	local before
	before=$(counter icmp-errors)
	is "answer" "$(ask udp "$client" - 198.51.100.2:9999)" refused
	at_least "icmp-errors" "$(counter icmp-errors)" $((before + 1))
}

net_unreachable_reaches_a_tcp_connect() {
	like "answer" "$(ask tcp "$client" - 198.18.0.1:80)" '^(ENETUNREACH|EHOSTUNREACH)$'
}

port_unreachable_from_inside_reaches_the_outside_program() {
	local seen before
	before=$(counter icmp-errors)
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 7777 --to 10.0.0.2:7776
	capture p "$server" eth0 'icmp[icmptype] == icmp-unreach'
	is "answer" "$(ask udp "$server" - 192.0.2.1:7777)" refused
	seen=$(captured p)
	like "outer header" "$seen" '192\.0\.2\.1 > 198\.51\.100\.2: ICMP 192\.0\.2\.1 udp port 7777 unreachable'
	unlike "whole error" "$seen" '10\.0\.0\.2|7776'
	at_least "icmp-errors" "$(counter icmp-errors)" $((before + 1))
}

# What a binding lets in makes no flow; an error about it is translated all the same.
port_unreachable_from_inside_reaches_a_stranger() {
	local seen port before
	hold b udp "$client" 10.0.0.2:4090
	seen=$(say b 198.51.100.2:53) port=${seen#*:}
	agent close b >/dev/null
	before="$(flows) $(bindings)"
	capture p "$server" eth0 'icmp[icmptype] == icmp-unreach'
	is "answer" "$(ask udp "$server" 198.51.100.2:5400 "$seen")" refused
	seen=$(captured p)
	like "outer header" "$seen" "192\\.0\\.2\\.1 > 198\\.51\\.100\\.2: ICMP 192\\.0\\.2\\.1 udp port $port unreachable"
	like "quoted header" "$seen" "198\\.51\\.100\\.2\\.5400 > 192\\.0\\.2\\.1\\.$port:"
	unlike "whole error" "$seen" '10\.0\.0\.2|4090'
	is "flows and bindings" "$(flows) $(bindings)" "$before"
}

# The addresses that answered, a word each.
hops() { at "$1" traceroute -n -q 1 -N 1 -w 3 -m 6 "${@:2}" | awk 'NR > 1 { printf "%s ", $2 }'; }

traceroute_sees_every_hop() {
	command -v traceroute >/dev/null || { skip "no traceroute"; return; }
	local way="10.0.0.1 10.0.9.1 192.0.2.254 198.51.100.2 "
	is "UDP" "$(hops "$client" 198.51.100.2)" "$way"
	is "ICMP" "$(hops "$client" -I 198.51.100.2)" "$way"
}

ping_with_a_short_life_hears_of_it() {
	like "ping -t 3" "$(at "$client" ping -nc1 -W3 -t3 198.51.100.2)" \
		'From 192\.0\.2\.254 icmp_seq=1 Time to live exceeded'
}

traceroute_from_outside_shows_no_inside_address() {
	local seen
	command -v traceroute >/dev/null || { skip "no traceroute"; return; }
	configure policy add dnat --dst 203.0.113.9 --to 10.0.0.2
	seen=$(hops "$server" 203.0.113.9)
	like "hops" "$seen" '^198\.51\.100\.1 .*203\.0\.113\.9 $'
	unlike "hops" "$seen" '(^| )10\.'
}

# A connected socket of the client, known outside as $seen.
known_outside() {
	hold "$1" udp "$client" "10.0.0.2:$2" 198.51.100.2:53
	seen=$(say "$1")
	like "server saw" "$seen" '^192\.0\.2\.1:'
}

an_error_with_eight_quoted_bytes_is_enough() {
	local seen
	known_outside e 4100
	is "sent" "$(agent icmp-error "$server" 198.51.100.2 192.0.2.1 3 3 0 udp "$seen" 198.51.100.2:53 28)" ok
	is "what the client's socket says" "$(T=3 hear e)" refused
}

an_error_that_quotes_less_does_no_harm() {
	local seen cut
	known_outside s 4101
	for cut in 23 20 19 8 1 0; do
		is "sent" "$(agent icmp-error "$server" 198.51.100.2 192.0.2.1 3 3 0 udp "$seen" 198.51.100.2:53 "$cut")" ok
	done
	is "what the client's socket says" "$(silent hear s)" timeout
	is "the same flow" "$(say s)" "$seen"
}

an_error_with_a_wrong_checksum_is_dropped() {
	local seen before
	known_outside c 4102
	before=$(counter drop-icmp-checksum)
	is "sent" "$(agent icmp-error "$server" 198.51.100.2 192.0.2.1 3 3 0 udp "$seen" 198.51.100.2:53 28 1)" ok
	is "what the client's socket says" "$(silent hear c)" timeout
	at_least "drop-icmp-checksum" "$(counter drop-icmp-checksum)" $((before + 1))
}

# RFC 4787 REQ-12, RFC 5382 REQ-10.
an_error_ends_no_binding() {
	local seen
	known_outside k 4103
	agent icmp-error "$server" 198.51.100.2 192.0.2.1 3 3 0 udp "$seen" 198.51.100.2:53 >/dev/null
	is "what the client's socket says" "$(hear k)" refused
	is "the same flow" "$(say k)" "$seen"
}

an_error_about_nothing_known_stays_inside() {
	local before
	before=$(counter drop-icmp-no-flow)
	capture p "$server" eth0 'icmp or net 10.0.0.0/8'
	agent icmp-error "$client" 10.0.0.2 198.51.100.2 3 3 0 udp 198.51.100.2:1234 10.0.0.2:4321 >/dev/null
	works "ping" at "$client" ping -qc1 -W5 198.51.100.2
	unlike "what came out" "$(captured p)" 'unreachable'
	at_least "drop-icmp-no-flow" "$(counter drop-icmp-no-flow)" $((before + 1))
}

routed_topology
second_client
serve udp "$server" 198.51.100.2:53
tests_run
