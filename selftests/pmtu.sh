#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Path-MTU discovery through the gateway, in both directions, for TCP and UDP, by masquerade and by dnat, with and
# without offload: a narrow link beyond it, before it, and at the gateway itself, on either side.
#
#   client ------------ inner ------------ gw ------------ outer ------------ server
#   10.0.0.2   10.0.0.1  10.0.9.2  10.0.9.1  192.0.2.1  .254  198.51.100.1   198.51.100.2
#          <- 1300             <- 1250       1350 ->               1400 ->

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	ping_learns_of_a_narrow_link_outside
	an_upload_adapts_to_it
	ping_learns_of_a_narrow_link_inside
	a_download_adapts_to_it
	the_gateways_own_error_hides_the_inside
	a_download_adapts_to_the_gateway
)

# Each narrow link with each kind of traffic that meets it.
for how in plain offloaded; do
	for link in beyond_outside gateway_outside; do
		for what in upload udp answers_of_an_inside_server udp_answers_of_an_inside_server; do
			eval "${how}_${what}_at_${link}() { at_narrow $how $link $what; }"
			TESTS+=("${how}_${what}_at_${link}")
		done
	done
	for link in beyond_inside gateway_inside; do
		for what in upload_to_an_inside_server udp_to_an_inside_server answers udp_answers; do
			eval "${how}_${what}_at_${link}() { at_narrow $how $link $what; }"
			TESTS+=("${how}_${what}_at_${link}")
		done
	done
done

at_narrow() { # HOW LINK WHAT
	local ns if mtu seen before
	case $2 in
	beyond_outside) ns=$outer if=eth1 mtu=1400 ;;
	gateway_outside) ns=$gw if=wan0 mtu=1350 ;;
	beyond_inside) ns=$inner if=eth0 mtu=1300 ;;
	gateway_inside) ns=$gw if=lan0 mtu=1250 ;;
	esac
	if [[ $1 == offloaded ]]; then configure config set --offload on; else configure config set --offload off; fi
	before=$(counter offloaded)
	capture errors "$server" eth0 'icmp[icmptype] == icmp-unreach'
	width "$ns" "$if" "$mtu"
	forget
	"$3" "$mtu"
	width "$ns" "$if" 1500
	forget
	seen=$(captured errors)
	unlike "errors that the server saw" "$seen" '10\.0\.'
	[[ $2 == *_outside ]] || like "errors that the server saw" "$seen" 'need to frag'
	[[ $1 == plain ]] || at_least "offloaded" "$(counter offloaded)" $((before + 3))
}

# What was learned of the way, by its first packets that were too large.
learned() { is "the sender's route" "$(learned_mtu "$1" "$2")" "mtu $3"; }

upload() {
	is "payload" "$(transfer "$client" "$server" 198.51.100.2 81 1)" intact
	learned "$client" 198.51.100.2 "$1"
}

udp() { adapts "$client" 198.51.100.2:53 "$1"; }

answers_of_an_inside_server() {
	is "payload" "$(fetch "$client" "$server" 192.0.2.1 81)" intact
	learned "$client" 198.51.100.2 "$1"
}

udp_answers_of_an_inside_server() { answers_adapt "$server" 203.0.113.9:53 "$client" 198.51.100.2 "$1"; }

upload_to_an_inside_server() {
	is "payload" "$(transfer "$server" "$client" 192.0.2.1 81 1)" intact
	learned "$server" 192.0.2.1 "$1"
}

udp_to_an_inside_server() { adapts "$server" 203.0.113.9:53 "$1"; }

answers() {
	is "payload" "$(fetch "$server" "$client" 198.51.100.2 81)" intact
	learned "$server" 192.0.2.1 "$1"
}

udp_answers() { answers_adapt "$client" 198.51.100.2:53 "$server" 192.0.2.1 "$1"; }

# A socket that asks for path MTUs is told, and then what fits arrives.
adapts() { # NS TO MTU
	hold u udp "$1" - "$2"
	agent set u pmtudisc 2 >/dev/null
	is "small ones" "$(agent burst 4 u 5)" 5
	is "a large one" "$(say u - 1450)" EMSGSIZE
	learned "$1" "${2%:*}" "$3"
	like "one that fits" "$(say u - $(($3 - 60)))" ':'
	agent close u >/dev/null
}

# An answer is longer than the question: only the answer does not fit. The next one comes in fragments.
answers_adapt() { # NS TO FROM BACK MTU
	hold u udp "$1" - "$2"
	is "small ones" "$(agent burst 4 u 5)" 5
	is "the first answer that is too large" "$(silent say u - $(($5 - 35)))" timeout
	learned "$3" "$4" "$5"
	like "the next" "$(say u - $(($5 - 35)))" ':'
	agent close u >/dev/null
}

# fetch FROM TO ADDR PORT: as transfer, but who sends is who listens.
fetch() {
	local sender
	head -c 1M /dev/urandom >"$TMP/sent"
	: >"$TMP/received"
	at "$1" timeout $((20 * SLOW)) socat -u OPEN:"$TMP/sent" TCP4-LISTEN:"$4",reuseaddr &
	sender=$!
	wait_for 5 listening "$1" "$4"
	at "$2" timeout $((10 * SLOW)) socat -u TCP4:"$3:$4",connect-timeout=$((4 * SLOW)) OPEN:"$TMP/received" 2>/dev/null || kill "$sender"
	wait "$sender" 2>/dev/null
	if cmp -s "$TMP/sent" "$TMP/received"; then echo intact; else echo damaged; fi
}

ping_learns_of_a_narrow_link_outside() {
	width "$outer" eth1 1400
	like "ping" "$(at "$client" ping -nc1 -W3 -M"do" -s1472 198.51.100.2 2>&1)" \
		'From 192\.0\.2\.254 icmp_seq=1 Frag needed and DF set \(mtu = 1400\)'
	forget
}

an_upload_adapts_to_it() {
	is "payload" "$(transfer "$client" "$server" 198.51.100.2 81 1)" intact
	is "client's route" "$(learned_mtu "$client" 198.51.100.2)" "mtu 1400"
	width "$outer" eth1 1500
	forget
}

ping_learns_of_a_narrow_link_inside() {
	local seen
	width "$inner" eth0 1300
	seen=$(at "$server" ping -nc1 -W3 -M"do" -s1472 203.0.113.9 2>&1)
	like "ping" "$seen" 'Frag needed and DF set \(mtu = 1300\)'
	unlike "ping" "$seen" 'From 10\.'
	forget
}

a_download_adapts_to_it() {
	is "payload" "$(transfer "$server" "$client" 192.0.2.1 81 1)" intact
	is "server's route" "$(learned_mtu "$server" 192.0.2.1)" "mtu 1300"
	width "$inner" eth0 1500
	forget
}

the_gateways_own_error_hides_the_inside() {
	local seen
	width "$gw" lan0 1250
	capture p "$server" eth0 'icmp[icmptype] == icmp-unreach'
	like "ping" "$(at "$server" ping -nc1 -W3 -M"do" -s1400 203.0.113.9 2>&1)" \
		'From (192\.0\.2\.1|203\.0\.113\.9) icmp_seq=1 Frag needed and DF set \(mtu = 1250\)'
	seen=$(captured p)
	like "quoted header" "$seen" '198\.51\.100\.2 > 203\.0\.113\.9'
	unlike "whole error" "$seen" '10\.0\.0\.2'
	forget
}

a_download_adapts_to_the_gateway() {
	is "payload" "$(transfer "$server" "$client" 192.0.2.1 81 1)" intact
	is "server's route" "$(learned_mtu "$server" 192.0.2.1)" "mtu 1250"
	width "$gw" lan0 1500
	forget
}

routed_topology
configure policy add masquerade --out wan0
configure policy add dnat --dst 192.0.2.1 --proto tcp --dport 81 --to 10.0.0.2
configure policy add dnat --dst 203.0.113.9 --to 10.0.0.2
serve udp "$client" 10.0.0.2:53
serve udp "$server" 198.51.100.2:53
tests_run
