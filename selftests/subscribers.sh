#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What each inside host may have of a policy (RFC 6888 REQ-4): bindings, flows, new bindings in a
# second. Who has more is refused, and nobody else; what lives goes on.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4
#   client2 10.0.1.2 ---- lan1             pool: 203.0.113.5

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_host_has_so_many_bindings
	what_lives_goes_on
	another_host_has_its_own
	what_has_gone_makes_room
	a_static_binding_counts_but_is_not_refused
	a_host_has_so_many_flows
	tcp_and_udp_count_together
	a_host_makes_bindings_so_fast
	refusals_are_told_with_the_host
	without_a_limit_there_is_none
	a_policy_counts_what_it_refuses
	they_are_listed_and_refused_elsewhere
	nothing_stays
)

# policy WORDS…: in place of what was there, under the number 7.
policy() {
	unconfigure
	configure pool add one --range 203.0.113.5
	configure policy add snat --pool one --src 10.0.0.0/16 --id 7 "$@"
	refused_before=$(counter drop-subscriber-bindings)
}

# try PORT [ADDR]: a datagram of the client's from that port; what the server saw, or what came instead.
try() { silent ask udp "$client" "10.0.0.2:$1" "${2:-192.0.2.2}:53"; }

# answered WORD…: is every word an outside endpoint?
answered() {
	local seen
	for seen; do
		like "is translated" "$seen" '^203\.0\.113\.5:'
	done
}

a_host_has_so_many_bindings() {
	policy --subscriber-bindings 3 --timeout-udp 3
	answered "$(say u 192.0.2.2:53)" "$(try 4001)" "$(try 4002)"
	is "the fourth" "$(try 4003)" EHOSTUNREACH
	is "refused" $(($(counter drop-subscriber-bindings) - refused_before)) 1
}

what_lives_goes_on() {
	answered "$(say u 192.0.2.2:53)" "$(say u 192.0.2.3:53)"
}

another_host_has_its_own() {
	answered "$(ask udp "$client2" 10.0.1.2:4001 192.0.2.2:53)"
}

# "u" is kept alive, the others fall silent.
fewer_bindings() {
	say u 192.0.2.2:53 >/dev/null
	[[ $(fn --json binding list | jq '[.[] | select(."inside-addr" == "10.0.0.2")] | length') == 1 ]]
}

what_has_gone_makes_room() {
	comes_true "two have gone" 20 fewer_bindings
	answered "$(try 4004)" "$(try 4005)"
	is "one too many" "$(try 4006)" EHOSTUNREACH
}

a_static_binding_counts_but_is_not_refused() {
	policy --subscriber-bindings 1
	answered "$(try 4010)"
	configure binding add --policy 7 --proto udp --inside 10.0.0.2:4011 --outside 203.0.113.5:5000
	is "the static one" "$(try 4011)" 203.0.113.5:5000
	is "another" "$(try 4012)" EHOSTUNREACH
	works "without it" fn binding del --proto udp --outside 203.0.113.5:5000
	is "still one" "$(try 4013)" EHOSTUNREACH
}

a_host_has_so_many_flows() {
	local before
	policy --subscriber-flows 2
	before=$(counter drop-subscriber-flows)
	answered "$(try 4020)" "$(try 4020 192.0.2.3)"
	is "the third" "$(try 4020 192.0.2.4)" EHOSTUNREACH
	is "the third of another port" "$(try 4021)" EHOSTUNREACH
	is "refused" $(($(counter drop-subscriber-flows) - before)) 2
	answered "$(try 4020)" "$(ask udp "$client2" 10.0.1.2:4020 192.0.2.2:53)"
}

tcp_and_udp_count_together() {
	policy --subscriber-bindings 2
	answered "$(try 4030)" "$(ask tcp "$client" 10.0.0.2:4030 192.0.2.2:80)"
	is "the third" "$(try 4031)" EHOSTUNREACH
}

# Sent at once, so that little of a second passes.
a_host_makes_bindings_so_fast() {
	local before
	policy --subscriber-rate 5
	before="$(counter drop-subscriber-rate) $(counter bindings-created)"
	for port in {6000..6039}; do
		printf 'send %s\n' "$port"
	done | at "$client" python3 -c '
import socket, sys
for line in sys.stdin:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("10.0.0.2", int(line.split()[1])))
    sock.sendto(b"x", ("192.0.2.2", 53))'
	at_least "made" $(($(counter bindings-created) - ${before#* })) 5
	at_least "refused" $(($(counter drop-subscriber-rate) - ${before% *})) 20
	is "all" $(($(counter bindings-created) - ${before#* } + $(counter drop-subscriber-rate) - ${before% *})) 40
	comes_true "one more, a while later" 5 at_once
}

at_once() { [[ $(try 6100) == 203.0.113.5:* ]]; }

# Each reason by another host, so that it cannot be the name of the last.
refusals_are_told_with_the_host() {
	"$FASTNAT" --netns "$gw" --json monitor --limits >"$TMP/limits" &
	JOBS+=($!)
	comes_true "somebody listens" 5 grep -q '"listening"' "$TMP/limits"
	policy --subscriber-bindings 1
	answered "$(try 4040)"
	is "a second binding" "$(try 4041)" EHOSTUNREACH
	policy --subscriber-flows 1
	answered "$(ask udp "$client2" 10.0.1.2:4042 192.0.2.2:53)"
	is "a second flow" "$(silent ask udp "$client2" 10.0.1.2:4042 192.0.2.3:53)" EHOSTUNREACH
	policy --subscriber-rate 1
	agent flood 0.5 r "$client" 10.0.0.2:4050 192.0.2.2:53 5 >/dev/null
	comes_true "three events" 5 told_of_all
	is "who" "$(jq -c 'select(.reason) | [.reason, ."inside-addr"]' "$TMP/limits" | sort | xargs)" \
		"[drop-subscriber-bindings,10.0.0.2] [drop-subscriber-flows,10.0.1.2] [drop-subscriber-rate,10.0.0.2]"
}

told_of_all() { (($(grep -c '"reason"' "$TMP/limits") >= 3)); }

without_a_limit_there_is_none() {
	local port
	policy --subscriber-bindings 0
	for port in {6200..6210}; do
		answered "$(try "$port")"
	done
}

# Of the reasons, one of a limit, one of the kind of packet, one of dnat.
a_policy_counts_what_it_refuses() {
	policy --subscriber-bindings 1
	answered "$(try 6300)"
	is "refused so far" "$(fn --json policy list | jq -c 'map(.refused)')" '[0]'
	unlike "in words, so far" "$(fn policy list)" REFUSED
	is "the second" "$(try 6301)" EHOSTUNREACH
	is "the third" "$(try 6302)" EHOSTUNREACH
	is "refused" "$(fn --json policy list | jq -c 'map(.refused)')" '[2]'
	like "in words" "$(fn policy list)" 'HITS  REFUSED'
	at "$client" python3 -c '
import socket
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
raw.sendto(bytes(40), ("192.0.2.2", 0))'
	is "with one of another protocol" "$(fn --json policy list | jq -c 'map(.refused)')" '[3]'
	answered "$(try 6300)"
	is "what is translated does not count" "$(fn --json policy list | jq -c 'map(.refused)')" '[3]'
	configure policy add dnat --dst 203.0.113.5 --to 10.0.0.2
	at "$server" python3 -c '
import socket
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
raw.sendto(bytes(40), ("203.0.113.5", 0))'
	is "with one of dnat" "$(fn --json policy list | jq -c 'map(.refused)')" '[3,1]'
}

they_are_listed_and_refused_elsewhere() {
	policy --subscriber-bindings 20 --subscriber-flows 30 --subscriber-rate 5
	is "json" "$(fn --json policy list | jq -c '.[0] | [."subscriber-bindings", ."subscriber-flows", ."subscriber-rate"]')" '[20,30,5]'
	like "in words" "$(fn policy list)" 'bindings 20 flows 30 rate 5'
	refuses "of a dnat policy" fn policy add dnat --to 10.0.0.2 --subscriber-flows 1
}

nothing_stays() {
	unconfigure
	is "bindings" "$(bindings)" 0
	is "flows" "$(flows)" 0
}

gateway_topology
second_client
for addr in 192.0.2.2 192.0.2.3 192.0.2.4; do
	serve udp "$server" "$addr:53"
done
serve tcp "$server" 192.0.2.2:80
hold u udp "$client" 10.0.0.2:4000
load_module
tests_run
