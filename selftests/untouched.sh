#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What fastnat does not touch: a namespace without policies has no hooks; packets that
# no policy concerns pass as they are; what a policy concerns and cannot be translated
# is dropped and counted, not let out.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2   (here it knows the way to 10.0.0.0/24)

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	without_policies_there_are_no_hooks
	a_policy_brings_the_hooks_and_takes_them_away
	other_sources_pass_both_ways
	gre_and_esp_pass_unchanged
	gre_that_a_policy_concerns_is_dropped_and_counted
	broadcasts_are_left_alone
)

hooks() { at "$gw" nft list hooks ip 2>/dev/null | grep -c '\[fastnat\]'; }

without_policies_there_are_no_hooks() {
	[[ -d /sys/module/nfnetlink_hook ]] || { skip "no nfnetlink_hook"; return; }
	is "hooks" "$(hooks)" 0
	is "server saw" "$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)" 10.0.0.2:4000
}

a_policy_brings_the_hooks_and_takes_them_away() {
	[[ -d /sys/module/nfnetlink_hook ]] || { skip "no nfnetlink_hook"; return; }
	configure policy add masquerade --out wan0
	isnt "hooks" "$(hooks)" 0
	unconfigure
	comes_true "hooks gone" 5 no_hooks
	is "server saw" "$(ask udp "$client" 10.0.0.2:4000 192.0.2.2:53)" 10.0.0.2:4000
}

no_hooks() { [[ $(hooks) == 0 ]]; }

other_sources_pass_both_ways() {
	local before
	configure policy add masquerade --out wan0 --src 10.0.7.0/24
	configure policy add masquerade --out wan0 --proto tcp
	before=$(counter pass-untouched)
	is "UDP" "$(ask udp "$client" 10.0.0.2:4001 192.0.2.2:53)" 10.0.0.2:4001
	is "UDP inwards" "$(ask udp "$server" 192.0.2.2:4002 10.0.0.2:53)" 192.0.2.2:4002
	works "ping" at "$client" ping -qc1 -W5 -s3000 192.0.2.2
	like "TCP, which a policy means" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	at_least "pass-untouched" "$(counter pass-untouched)" $((before + 4))
}

PAYLOAD=2002888e0102030405060708090a0b0c0d0e0f10

gre_and_esp_pass_unchanged() {
	local seen proto
	capture raw "$server" eth0 'ip proto 47 or ip proto 50'
	for proto in 47 50; do
		is "sent" "$(agent raw "$client" 10.0.0.2 192.0.2.2 "$proto" "$PAYLOAD")" ok
	done
	captured raw >"$TMP/summary"
	seen=$(tcpdump -Z root -nnxr "$CAPTURE_FILE" ip 2>/dev/null | awk '/^\t0x/ { $1 = ""; gsub(" ", ""); printf "%s", $0 }')
	is "payloads" "$(grep -o "$PAYLOAD" <<<"$seen" | wc -l)" 2
	is "with their own source" "$(grep -c '10\.0\.0\.2 > 192\.0\.2\.2' "$TMP/summary")" 2
}

gre_that_a_policy_concerns_is_dropped_and_counted() {
	local before
	unconfigure
	configure policy add masquerade --out wan0
	before=$(counter drop-protocol)
	capture raw "$server" eth0 'ip proto 47 or src net 10.0.0.0/8'
	is "sent" "$(agent raw "$client" 10.0.0.2 192.0.2.2 47 "$PAYLOAD")" ok
	like "TCP meanwhile" "$(ask tcp "$client" - 192.0.2.2:80)" '^192\.0\.2\.1:'
	is "captured" "$(captured raw)" ""
	at_least "drop-protocol" "$(counter drop-protocol)" $((before + 1))
}

broadcasts_are_left_alone() {
	capture cast "$server" eth0 'udp port 67'
	at "$gw" socat -u - UDP4-DATAGRAM:192.0.2.255:67,broadcast,bind=192.0.2.1:68 <<<discover ||
		fail "the gateway's broadcast"
	like "captured" "$(captured cast)" '192\.0\.2\.1\.68 > 192\.0\.2\.255\.67'
}

gateway_topology
route "$server" 10.0.0.0/8 via 192.0.2.1
apply
modprobe -q nfnetlink_hook 2>/dev/null
serve udp "$server" 192.0.2.2:53
serve udp "$client" 10.0.0.2:53
serve tcp "$server" 192.0.2.2:80
tests_run
