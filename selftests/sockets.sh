#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Sockets of inside hosts that other NATs are known to lose: connections with segments outside of their windows,
# sockets that are older than the first policy, resolvers that ask for two addresses at once.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	sockets_older_than_the_first_policy
	segments_outside_of_the_window_leave_translated
	segments_outside_of_the_window_come_in_translated
	connection_tracking_leaks_such_segments
	two_questions_at_once_from_one_socket
)

ruleset() { at "$gw" nft -f - ; }

# Connection tracking already knows both as connections that nobody translates, and its own NAT would leave
# them so. The TCP socket has sent its first SYN in vain and is about to try again.
sockets_older_than_the_first_policy() {
	local connection
	ruleset <<<'table ip old { chain forward { type filter hook forward priority 0; ct state new accept; }; }'
	hold u udp "$client" 10.0.0.2:4000 192.0.2.2:53
	is "UDP before" "$(silent say u)" timeout
	heard tcp "$server" 80 >/dev/null
	at "$client" timeout $((20 * SLOW)) socat -u OPEN:/dev/null "TCP4:192.0.2.2:80,sourceport=4001,connect-timeout=$((15 * SLOW))" &
	connection=$!
	comes_true "the SYN is on its way" 5 known_to_conntrack 4001
	configure policy add masquerade --out wan0
	like "UDP, the same socket" "$(say u)" '^192\.0\.2\.1:'
	wait "$connection"
	is "TCP, the same connection" "$?" 0
	like "who connected" "$(heard tcp "$server" 80)" '^192\.0\.2\.1:[0-9]+$'
	ruleset <<<'flush ruleset'
}

known_to_conntrack() { at "$gw" conntrack -L -p tcp --orig-port-src "$1" 2>/dev/null | grep -q .; }

# stray NS SRC DST: two segments half the space of numbers apart. Wherever a connection is, one is far ahead of
# its window, and one far behind it.
# tcpdump shows the second one as so many more than the first.
STRAY='seq (77|2147483648|2147483725),'
stray() {
	local number
	for number in 77 2147483725; do
		is "segment" "$(agent segment "$1" "$2" "$3" "$number" 16)" ok
	done
}

segments_outside_of_the_window_leave_translated() {
	local port
	hold t tcp "$client" 10.0.0.2:4002 192.0.2.2:80
	port=$(say t)
	like "server saw" "$port" '^192\.0\.2\.1:'
	capture out "$server" eth0 'tcp port 80'
	stray "$client" 10.0.0.2:4002 192.0.2.2:80
	is "the connection" "$(say t)" "$port"
	captured out >"$TMP/out"
	is "segments of the inside address" "$(grep -c '10\.0\.0\.2' "$TMP/out")" 0
	is "such segments" "$(grep -Ec "192\.0\.2\.1\.${port#*:} > 192\.0\.2\.2\.80: Flags \[\.\],.* $STRAY" "$TMP/out")" 2
	is "resets" "$(grep -c 'Flags \[R' "$TMP/out")" 0
}

segments_outside_of_the_window_come_in_translated() {
	local port
	port=$(say t)
	capture in "$client" eth0 'tcp port 4002'
	capture out "$server" eth0 'tcp port 80'
	stray "$server" 192.0.2.2:80 "$port"
	is "the connection" "$(say t)" "$port"
	is "such segments at the client" "$(captured in | grep -Ec "192\.0\.2\.2\.80 > 10\.0\.0\.2\.4002: Flags \[\.\],.* $STRAY")" 2
	is "resets by the gateway" "$(captured out | grep -c 'Flags \[R')" 0
	agent close t >/dev/null
}

# The control: these are segments that a NAT can leak.
connection_tracking_leaks_such_segments() {
	unconfigure
	ruleset <<<'table ip nat { chain postrouting { type nat hook postrouting priority srcnat; oifname wan0 masquerade; }; }'
	hold t tcp "$client" 10.0.0.2:4003 192.0.2.2:80
	like "server saw" "$(say t)" '^192\.0\.2\.1:'
	capture out "$server" eth0 'tcp port 80'
	stray "$client" 10.0.0.2:4003 192.0.2.2:80
	like "the connection" "$(say t)" '^192\.0\.2\.1:'
	at_least "segments of the inside address" "$(captured out | grep -c '10\.0\.0\.2\.4003 > ')" 1
	agent close t >/dev/null
	ruleset <<<'flush ruleset'
}

# As resolvers ask for A and AAAA: the first two datagrams of a flow, on two CPUs at the same moment. How often
# they met is what connection tracking counts, which is shown the same packets; without a meeting, this shows little.
two_questions_at_once_from_one_socket() {
	local rounds=$((500 / SLOW)) mode
	(($(nproc) > 1)) || { skip "one CPU"; return; }
	configure policy add masquerade --out wan0
	ruleset <<<'table ip watch { chain forward { type filter hook forward priority 0; ct state new accept; }; }'
	for mode in untracked tracked; do
		configure config set --conntrack "$mode"
		is "answers, $mode" "$(at "$client" python3 -IS "$HERE/pairs.py" "$rounds" 192.0.2.2 53)" $((2 * rounds))
		note "$mode: $(clashes) clashes in connection tracking"
	done
	is "outside endpoints" "$(bindings)" "$(flows)"
}

clashes() { at "$gw" conntrack -S 2>/dev/null | grep -oE '(clash_resolve|insert_failed|drop)=[0-9]+' | awk -F= '{ sum += $2 } END { print sum + 0 }'; }

gateway_topology
at "$gw" nft list ruleset >/dev/null 2>&1 || skip_all "no nftables"
serve udp "$server" 192.0.2.2:53
serve tcp "$server" 192.0.2.2:80
tests_run
