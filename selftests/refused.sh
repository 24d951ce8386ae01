#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# An inside host for which there is no flow is told so (RFC 5508 REQ-8): by the gateway's inside
# address, about the packet as it was sent, and not more often than the kernel allows.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4
#   client2 10.0.1.2 ---- lan1             pool: 203.0.113.5

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	programs_are_told_at_once
	it_comes_from_inside_and_quotes_what_was_sent
	a_destination_that_was_translated_is_quoted_as_it_was
	a_hairpin_is_refused_the_same_way
	connection_tracking_does_not_mind
	nobody_is_told_if_that_is_off
	what_is_not_refused_for_a_limit_is_not_answered
	no_stranger_is_told
	a_flood_has_few_answers
	hosts_have_limits_of_their_own
)

# full: a policy with one port for each protocol, which "full" has.
full() {
	# Or its last segments would come without a flow, again and again.
	agent reset t >/dev/null
	unconfigure
	configure pool add one --range 203.0.113.5 --ports 40000
	configure policy add snat --pool one --src 10.0.0.0/16
	is "the one port" "$(say full 192.0.2.2:53)" 203.0.113.5:40000
	hold t tcp "$client" - 192.0.2.2:80
	is "the one of TCP" "$(say t)" 203.0.113.5:40000
	works "that of ICMP" at "$client" ping -qc1 -W5 192.0.2.2
}

programs_are_told_at_once() {
	local before
	full
	before=$(counter icmp-refused)
	is "UDP" "$(ask udp "$client" 10.0.0.2:4001 192.0.2.2:53)" EHOSTUNREACH
	is "TCP" "$(ask tcp "$client" 10.0.0.2:4001 192.0.2.2:80)" EHOSTUNREACH
	like "ping" "$(at "$client2" ping -nc1 -W5 192.0.2.2)" 'From 10\.0\.1\.1 icmp_seq=1 Packet filtered'
	is "asked for" $(($(counter icmp-refused) - before)) 3
	is "refused" "$(counter drop-ports)" 3
}

it_comes_from_inside_and_quotes_what_was_sent() {
	local seen
	capture error "$client" eth0 icmp
	ask udp "$client" 10.0.0.2:4002 192.0.2.2:53 >/dev/null
	seen=$(captured error)
	like "outer header" "$seen" '10\.0\.0\.1 > 10\.0\.0\.2: ICMP host 192\.0\.2\.2 unreachable - admin prohibited'
	like "what is quoted" "$seen" '10\.0\.0\.2\.4002 > 192\.0\.2\.2\.53'
	unlike "its checksums" "$seen" 'bad cksum|wrong icmp cksum'
}

# PREROUTING leads it to the server, and POSTROUTING finds no port.
a_destination_that_was_translated_is_quoted_as_it_was() {
	local seen
	full
	configure policy add dnat --dst 198.18.0.1 --proto udp --dport 5300 --to 192.0.2.2:53
	capture error "$client" eth0 icmp
	is "what the program is told" "$(ask udp "$client" 10.0.0.2:4003 198.18.0.1:5300)" EHOSTUNREACH
	like "what is quoted" "$(captured error)" '10\.0\.0\.2\.4003 > 198\.18\.0\.1\.5300'
}

a_hairpin_is_refused_the_same_way() {
	local seen
	full
	capture error "$client2" eth0 icmp
	is "what the program is told" "$(ask udp "$client2" 10.0.1.2:4004 203.0.113.5:40000)" EHOSTUNREACH
	seen=$(captured error)
	like "outer header" "$seen" '10\.0\.1\.1 > 10\.0\.1\.2: ICMP host 203\.0\.113\.5 unreachable - admin prohibited'
	like "what is quoted" "$seen" '10\.0\.1\.2\.4004 > 203\.0\.113\.5\.40000'
}

connection_tracking_does_not_mind() {
	at "$gw" nft "add table ip watch; add chain ip watch forward { type filter hook forward priority 0; };
		add rule ip watch forward ct state new counter" || { skip "no nftables"; return; }
	is "untracked" "$(ask udp "$client" 10.0.0.2:4005 192.0.2.2:53)" EHOSTUNREACH
	configure config set --conntrack tracked
	is "tracked" "$(ask udp "$client" 10.0.0.2:4006 192.0.2.2:53)" EHOSTUNREACH
	configure config set --conntrack untracked
	at "$gw" nft delete table ip watch
}

nobody_is_told_if_that_is_off() {
	local before
	configure config set --icmp-refused off
	before=$(counter icmp-refused)
	is "UDP" "$(silent ask udp "$client" 10.0.0.2:4007 192.0.2.2:53)" timeout
	is "asked for" "$(counter icmp-refused)" "$before"
	configure config set --icmp-refused on
	is "on again" "$(ask udp "$client" 10.0.0.2:4007 192.0.2.2:53)" EHOSTUNREACH
}

# SCTP, which cannot be translated.
what_is_not_refused_for_a_limit_is_not_answered() {
	local before dropped
	before=$(counter icmp-refused) dropped=$(counter drop-protocol)
	is "send" "$(agent raw "$client" 10.0.0.2 192.0.2.2 132 0001000200000000000000000000)" ok
	comes_true "dropped" 5 counter_is drop-protocol $((dropped + 1))
	is "asked for" "$(counter icmp-refused)" "$before"
}

counter_is() { (($(counter "$1") == $2)); }

# A flow from outside that finds the table full.
no_stranger_is_told() {
	local before
	configure policy add dnat --dst 192.0.2.1 --proto udp --dport 9000 --to 10.0.0.2:9000
	configure config set --max-flows 1
	before=$(counter drop-max-flows)
	is "from outside" "$(silent ask udp "$server" - 192.0.2.1:9000)" timeout
	is "refused" "$(counter drop-max-flows)" $((before + 1))
	configure config set --max-flows 100k
}

# As the kernel comes: six at once, then one a second.
a_flood_has_few_answers() {
	local before asked sent begin=$SECONDS
	is "limit" "$(agent sysctl "$gw" net.ipv4.icmp_ratelimit=1000)" ok
	before=$(counter icmp-refused) sent=$(counter drop-ports)
	agent flood 0 g "$client" 10.0.0.2:5000 192.0.2.2:53 500 >/dev/null
	comes_true "all refused" 10 refused_since "$sent" 500
	asked=$(($(counter icmp-refused) - before))
	at_least "asked for" "$asked" 6
	((asked <= 7 + SECONDS - begin)) || fail "asked for $asked times in $((SECONDS - begin)) s"
}

refused_since() { (($(counter drop-ports) >= $1 + $2)); }

hosts_have_limits_of_their_own() {
	is "another host" "$(ask udp "$client2" 10.0.1.2:4008 192.0.2.2:53)" EHOSTUNREACH
	is "limit" "$(agent sysctl "$gw" net.ipv4.icmp_ratelimit=0)" ok
	is "without" "$(ask udp "$client" 10.0.0.2:4009 192.0.2.2:53)" EHOSTUNREACH
}

gateway_topology
second_client
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
hold full udp "$client" 10.0.0.2:4000
load_module
# The one port is used again at once.
configure config set --port-rest 0
tests_run
