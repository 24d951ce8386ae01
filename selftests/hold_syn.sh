#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A SYN from outside that nothing expects is not refused at once (RFC 5382 REQ-4): both ends may begin a
# connection, and that of the inside host lets it in. Whatever is no business of the NAT goes on as
# without it.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1, .9  192.0.2.2, .3, .4
#                         pool: 203.0.113.5

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	a_closed_port_is_silent_for_a_while_and_then_unreachable
	a_syn_that_is_sent_again_is_held_once
	so_it_is_with_a_pool
	and_behind_a_filter
	a_connection_that_both_ends_begin_works
	services_of_the_gateway_answer_at_once
	connections_that_the_gateway_begins_work
	what_others_redirect_is_left_to_them
	where_no_policy_translates_ports_are_refused_as_ever
	it_can_be_turned_off
	there_are_so_many_at_most
	the_interface_goes_while_some_are_held
	the_namespace_goes_while_some_are_held
	the_module_goes_while_some_are_held
)

HOLD=2

# policy WORDS…: in place of what was there.
policy() {
	unconfigure
	configure pool add keep --range 203.0.113.5 --allocation preserve
	configure policy add "$@"
	configure config set --hold-syn "$HOLD" --port-rest 0
}

# takes MILLISECONDS CMD…: prints what it says, if that takes at least so long.
takes() {
	local begin=${EPOCHREALTIME/[.,]/} said passed
	said=$("${@:2}")
	passed=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
	if ((passed < $1)); then
		echo "$said after only $passed ms"
	else
		echo "$said"
	fi
}

knock() { T=10 ask tcp "$server" "${2:-192.0.2.2}:0" "$1"; }
held_is() { (($(counter syn-held) == $1)); }

a_closed_port_is_silent_for_a_while_and_then_unreachable() {
	local seen before
	policy masquerade --out wan0
	before=$(counter syn-answered)
	capture answer "$server" eth0 'src 192.0.2.1 and not arp'
	is "connect" "$(takes $((HOLD * 1000)) knock 192.0.2.1:81)" refused
	seen=$(captured answer)
	like "the answer" "$seen" '192\.0\.2\.1 > 192\.0\.2\.2: ICMP 192\.0\.2\.1 tcp port 81 unreachable'
	unlike "the answer" "$seen" 'Flags \[R|wrong icmp cksum'
	is "answers" "$(grep -c unreachable <<<"$seen")" 1
	is "syn-answered" $(($(counter syn-answered) - before)) 1
}

# TCP sends it again after a second.
a_syn_that_is_sent_again_is_held_once() {
	local held dropped answered
	policy masquerade --out wan0
	configure config set --hold-syn 6
	held=$(counter syn-held) dropped=$(counter drop-unsolicited) answered=$(counter syn-answered)
	is "connect" "$(T=4 ask tcp "$server" 192.0.2.2:0 192.0.2.1:82)" timeout
	is "held" $(($(counter syn-held) - held)) 1
	at_least "dropped" $(($(counter drop-unsolicited) - dropped)) 2
	comes_true "answered" 10 all_over "$answered" 1
}

so_it_is_with_a_pool() {
	policy snat --pool keep --out wan0
	is "an address that is not the gateway's" "$(takes $((HOLD * 1000)) knock 203.0.113.5:81)" refused
	is "its own address is none of it" "$(T=$((HOLD - 1)) ask tcp "$server" - 192.0.2.1:81)" refused
	ip -n "$gw" addr add 203.0.113.5/32 dev lo
	is "one that is" "$(takes $((HOLD * 1000)) knock 203.0.113.5:81)" refused
	ip -n "$gw" addr del 203.0.113.5/32 dev lo
}

and_behind_a_filter() {
	local seen before
	policy masquerade --out wan0 --filtering address-dependent
	hold c tcp "$client" 10.0.0.2:4400 192.0.2.2:80
	seen=$(say c)
	like "outside" "$seen" '^192\.0\.2\.1:'
	before=$(counter syn-held)
	is "a stranger" "$(takes $((HOLD * 1000)) knock "$seen" 192.0.2.4)" refused
	is "held" $(($(counter syn-held) - before)) 1
	at_least "drop-filtered" "$(counter drop-filtered)" 1
	agent close c >/dev/null
}

# The server's SYN comes first, and has nowhere to go. A later one is answered: so the time of the first has come.
a_connection_that_both_ends_begin_works() {
	local before answered
	policy snat --pool keep --out wan0
	configure config set --hold-syn $((6 * SLOW))
	before=$(counter syn-held) answered=$(counter syn-answered)
	capture refusal "$server" eth0 'icmp or tcp[tcpflags] & tcp-rst != 0'
	at "$server" timeout $((30 * SLOW)) socat -t3 EXEC:cat "TCP4:203.0.113.5:4500,bind=192.0.2.2:5555,connect-timeout=$((20 * SLOW))" 2>/dev/null &
	comes_true "the server's SYN is held" 5 held_is $((before + 1))
	is "what comes back" "$(echo hello | at "$client" timeout $((10 * SLOW)) socat -t2 - TCP4:192.0.2.2:5555,bind=10.0.0.2:4500,connect-timeout=8 2>&1)" hello
	T=20 ask tcp "$server" 192.0.2.2:0 203.0.113.5:81 >/dev/null
	is "refusals of it" "$(captured refusal | grep -E '\.(4500|5555)')" ""
	is "answered" $(($(counter syn-answered) - answered)) 1
}

services_of_the_gateway_answer_at_once() {
	local before
	policy masquerade --out wan0
	before=$(counter syn-held)
	is "at its address" "$(T=1 ask tcp "$server" 192.0.2.2:6000 192.0.2.1:22)" 192.0.2.2:6000
	is "at another" "$(T=1 ask tcp "$server" 192.0.2.2:6001 192.0.2.9:22)" 192.0.2.2:6001
	is "from inside" "$(T=1 ask tcp "$client" 10.0.0.2:6002 10.0.0.1:22)" 10.0.0.2:6002
	is "held" "$(counter syn-held)" "$before"
}

# Its socket does not listen, but waits for this very end.
connections_that_the_gateway_begins_work() {
	local before
	before=$(counter syn-held)
	at "$server" nft "add table ip deaf; add chain ip deaf in { type filter hook input priority 0; };
		add rule ip deaf in tcp dport 7001 tcp flags & (syn | ack) == syn drop" || { skip "no nftables"; return; }
	at "$gw" timeout $((20 * SLOW)) socat -t3 EXEC:cat TCP4:192.0.2.2:7001,bind=192.0.2.1:7000,connect-timeout=10 2>/dev/null &
	comes_true "it has begun" 5 sends_syn
	is "what comes back" "$(echo hello | at "$server" timeout $((8 * SLOW)) socat -t2 - TCP4:192.0.2.1:7000,bind=192.0.2.2:7001,connect-timeout=6 2>&1)" hello
	at "$server" nft delete table ip deaf
	is "held" "$(counter syn-held)" "$before"
}

# State 02 is SYN-SENT.
sends_syn() { at "$gw" grep -qE ':1B58 [0-9A-F]+:1B59 02' /proc/net/tcp; }

what_others_redirect_is_left_to_them() {
	at "$gw" nft "add table ip other; add chain ip other pre { type nat hook prerouting priority dstnat; };
		add rule ip other pre tcp dport 81 redirect to :22" || { skip "no nftables"; return; }
	is "redirected" "$(T=1 ask tcp "$server" 192.0.2.2:6010 192.0.2.1:81)" 192.0.2.2:6010
	at "$gw" nft delete table ip other
}

where_no_policy_translates_ports_are_refused_as_ever() {
	local before
	before=$(counter drop-unsolicited)
	is "the inside address" "$(T=1 ask tcp "$client" - 10.0.0.1:81)" refused
	is "the outside one, from inside" "$(T=1 ask tcp "$client" - 192.0.2.1:81)" refused
	is "a secondary one" "$(T=1 ask tcp "$server" - 192.0.2.9:81)" refused
	policy masquerade --out lan0
	is "of another interface" "$(T=1 ask tcp "$server" - 192.0.2.1:81)" refused
	policy masquerade --src 10.0.0.0/24
	is "of no interface by name" "$(T=1 ask tcp "$server" - 192.0.2.1:81)" refused
	is "dropped" "$(counter drop-unsolicited)" "$before"
}

it_can_be_turned_off() {
	local before
	policy masquerade --out wan0
	configure config set --hold-syn 0
	before=$(counter drop-unsolicited)
	is "at once" "$(T=1 ask tcp "$server" - 192.0.2.1:81)" refused
	is "dropped" "$(counter drop-unsolicited)" "$before"
	refuses "longer than a minute" fn config set --hold-syn 61
}

# syns NS SRC DST COUNT: as many SYNs, each from a port of its own.
syns() {
	at "$1" python3 -IS - "${@:2}" <<'PYTHON'
import socket, struct, sys
src, dst, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, socket.inet_aton(src), socket.inet_aton(dst))
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for port in range(10000, 10000 + count):
    sock.sendto(head + struct.pack("!HHIIBBHHH", port, 81, 1, 0, 0x50, 2, 512, 0, 0), (dst, 0))
PYTHON
}

all_seen() { (($(counter drop-unsolicited) - $1 == $2)); }
all_over() { (($(counter syn-answered) - $1 >= $2)); }

there_are_so_many_at_most() {
	local dropped held excess answered
	configure config set --hold-syn 20
	is "no limit of answers" "$(agent sysctl "$gw" net.ipv4.icmp_ratemask=0)" ok
	dropped=$(counter drop-unsolicited) held=$(counter syn-held) excess=$(counter syn-excess)
	syns "$server" 192.0.2.3 192.0.2.1 3000
	comes_true "all are dropped" 10 all_seen "$dropped" 3000
	held=$(($(counter syn-held) - held)) excess=$(($(counter syn-excess) - excess))
	note "$held held"
	is "held or not" $((held + excess)) 3000
	at_least "held" "$held" 900
	((held <= 1024)) || fail "held: $held"
	answered=$(counter syn-answered)
	comes_true "those are answered" 30 all_over "$answered" "$held"
	configure config set --hold-syn "$HOLD"
	is "there is room again" "$(takes $((HOLD * 1000)) knock 192.0.2.1:81)" refused
}

# other_gateway: with an interface out0 of its own, at which SYNs of the server's side are held.
other_gateway() {
	setup_ns gw2 twin
	cable "$gw2" out0 198.51.100.1/24 "$twin" eth0 198.51.100.2/24
	apply
	works "policy" "$FASTNAT" --netns "$gw2" policy add masquerade --out out0
	works "setting" "$FASTNAT" --netns "$gw2" config set --hold-syn "$1"
	syns "$twin" 198.51.100.2 198.51.100.1 500
	comes_true "they are held" 5 holds_some
}

of_other() { "$FASTNAT" --netns "$gw2" --json stats | jq ".\"$1\""; }
holds_some() { (($(of_other syn-held) > 400)); }

end_other() {
	works "end" ip netns del "$twin"
	unset "NAMESPACES[-1]" "NAMESPACES[-1]"
}

the_interface_goes_while_some_are_held() {
	other_gateway "$HOLD"
	works "delete" ip -n "$gw2" link del out0
	sleep $((HOLD + 1))
	is "answered" "$(of_other syn-answered)" 0
	works "end" ip netns del "$gw2"
	end_other
}

# The cable goes with the namespace, a moment later.
the_namespace_goes_while_some_are_held() {
	other_gateway 3
	works "delete" ip netns del "$gw2"
	comes_true "its cable is gone" 10 no_cable
	end_other
}

no_cable() { ! ip -n "$twin" link show eth0; }

the_module_goes_while_some_are_held() {
	[[ -e /sys/module/fastnat/refcnt ]] || { skip "fastnat is not a module here"; return; }
	other_gateway 2
	works "unload" rmmod fastnat
	# Until they would have been answered.
	sleep 3
	works "load" load_module
}

gateway_topology
address "$gw" 192.0.2.9/24 wan0
apply
serve tcp "$server" 192.0.2.2:80
serve tcp "$gw" 0.0.0.0:22
load_module
tests_run
