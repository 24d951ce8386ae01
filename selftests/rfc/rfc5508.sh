# SPDX-License-Identifier: GPL-2.0
# RFC 5508: ICMP.
# shellcheck shell=bash disable=SC2154 # see lib.sh

rfc5508_1() {
	is "echo of one host" "$(query "$client" "$S1" 8 777)" "0 777"
	is "echo of another, with its identifier" "$(query "$client2" "$S1" 8 777)" "0 777"
	is "timestamp" "$(query "$client" "$S1" 13 555)" "14 555"
}

rfc5508_1a() {
	local seen
	capture q "$server" eth0 'icmp[icmptype] == icmp-echo'
	query "$client" "$S1" 8 778 >/dev/null
	query "$client2" "$S2" 8 778 >/dev/null
	query "$client2" "$S1" 8 778 >/dev/null
	mapfile -t seen < <(captured q | grep -oE ' id [0-9]+, seq')
	is "queries seen" "${#seen[@]}" 3
	is "identifier towards another host" "${seen[2]:-}" "${seen[1]:-}"
}

rfc5508_2() {
	is "echo" "$(query "$client" "$S1" 8 779)" "0 779"
	at_least "seconds that it lives" "$(nat left icmp)" 57
}

rfc5508_2a() {
	nat timeout icmp 2
	is "echo" "$(query "$client" "$S1" 8 781)" "0 781"
	like "UDP" "$(ask udp "$client" - "$S1:53")" "$OUTSIDE"
	comes_true "the query's mapping ends" 8 no_mapping icmp
	at_least "seconds that UDP lives still" "$(nat left udp)" 20
}

rfc5508_3() {
	local seen
	fresh
	hold a udp "$client" "$A:$PORT" "$S1:53"
	translated seen say a
	error "$seen" udp "$S1:53" 3 1 >/dev/null
	is "what the program is told by a wrong one" "$(silent hear a)" timeout
	error "$seen" udp "$S1:53" >/dev/null
	is "what it is told by a right one" "$(hear a)" refused
}

# The server's error quotes a header of 24 octets, and so does that of a router on the way.
rfc5508_3b() {
	fresh
	hold a udp "$client" "$A:$PORT" "$S1:9999"
	agent set a options 94040000 >/dev/null
	capture p "$outer" eth1 'udp port 9999 and ip[0] == 0x46'
	is "a closed port" "$(say a)" refused
	like "what came to the server" "$(captured p)" "options \(RA\)"
	fresh
	hold a udp "$client" "$A:$PORT" 198.18.0.1:53
	agent set a options 94040000 >/dev/null
	agent set a recverr 1 >/dev/null
	like "no route, on the way" "$(say a)" '^E(NET|HOST)UNREACH$'
}

rfc5508_4() {
	is "a closed port" "$(ask udp "$client" - "$S1:9999")" refused
	fresh
	hold a udp "$client" "$A:$PORT" 198.18.0.1:53
	agent set a recverr 1 >/dev/null
	like "no route, on the way" "$(say a)" '^E(NET|HOST)UNREACH$'
}

rfc5508_5() {
	local seen answer
	fresh
	hold a udp "$client" "$A:$PORT"
	hold s udp "$server" "$S1:5353"
	agent set s recverr 1 >/dev/null
	knows seen a "$S1:5353"
	agent close a >/dev/null
	capture p "$server" eth0 'icmp[icmptype] == icmp-unreach'
	agent tell s "$seen" hello >/dev/null
	is "what the server is told" "$(hear s)" refused
	answer=$(captured p)
	like "outer header" "$answer" "${seen%:*} > $S1: ICMP"
	unlike "whole error" "$answer" '10\.0\.0\.2'
}

rfc5508_6() {
	local seen
	nat timeout udp 2
	fresh
	hold a udp "$client" "$A:$PORT"
	hold s udp "$server" "$S1:5353"
	knows seen a "$S1:5353"
	for _ in {1..5}; do
		error "$seen" udp "$S1:5353" >/dev/null
		sleep 1
	done
	! T=0.5 reached a s "$seen" || fail "the mapping still works"
}

rfc5508_7() {
	local seen
	fresh
	hold a udp "$client" "$A:$PORT"
	translated seen say a "$S1:53"
	agent close a >/dev/null
	hold b udp "$client2" "$B:$PORT" "$seen"
	capture p "$client" eth0 udp
	is "what the other host is told" "$(T=1 say b)" refused
	like "what came to the first" "$(captured p)" "> 10\.0\.0\.2\.$PORT"
}

# The second mapping of a host that may have one.
rfc5508_8() {
	local seen
	nat limit 1
	fresh
	translated seen ask udp "$client" "$A:$PORT" "$S1:53"
	fresh
	is "what who gets none is told" "$(T=1 ask udp "$client" "$A:$PORT" "$S1:53")" EHOSTUNREACH
}

# firewall CHAIN RULE: the gateway's own, until the end of the test.
firewall() { works "firewall" at "$gw" nft "add table ip wall; add chain ip wall $1 { type filter hook $1 priority 0; }; add rule ip wall $1 $2"; }

# A firewall that knows the inside host sees the error as it is for that. The gateway's own can be off, too.
rfc5508_9() {
	is "without a policy" "$(ask udp "$client" - "$S1:9999")" refused
	like "without a policy, the gateway's own" "$(T=2 expired "$client")" 'From 10\.0\.9\.1 .*Time to live exceeded'
	firewall forward "ip daddr $A icmp type destination-unreachable drop"
	firewall output "oifname lan0 icmp type time-exceeded drop"
	is "with one" "$(silent ask udp "$client" - "$S1:9999")" timeout
	is "with one, another host" "$(ask udp "$client2" - "$S1:9999")" refused
	unlike "with one, the gateway's own" "$(T=1 expired "$client")" exceeded
	at "$gw" nft delete table ip wall
}

# At the second router on its way.
expired() { at "$1" ping -nc1 "-W$T" -t2 "$S1"; }

rfc5508_10() {
	is "echo" "$(query "$client" "$S1" 8 780)" "0 780"
	is "unreachable" "$(ask udp "$client" - "$S1:9999")" refused
	like "time exceeded" "$(at "$client" ping -nc1 -W3 -t3 "$S1")" 'From 192\.0\.2\.254 icmp_seq=1 Time to live exceeded'
}

# Redirects and advertisements, to the outside endpoint and from the inside host, which have nothing to say to the
# other side: none passes, and none with an inside address. The mapping goes on.
rfc5508_11() {
	local seen kind
	fresh
	hold a udp "$client" "$A:$PORT" "$S1:53"
	translated seen say a
	capture in "$client" eth0 "dst host $A and (icmp[icmptype] == 5 or icmp[icmptype] == 9 or icmp[icmptype] == 10)"
	capture out "$outer" eth0 'net 10.0.0.0/8'
	agent icmp-error "$server" "$S1" "${seen%:*}" 5 1 $((0x0a000063)) udp "$seen" "$S1:53" >/dev/null
	agent icmp-error "$client" "$A" "$S1" 5 1 $((0x0a000063)) udp "$S1:53" "$A:$PORT" >/dev/null
	# An advertisement of 10.0.0.99, and a solicitation.
	for kind in 0900e492010207080a00006300000000 0a00f5ff00000000; do
		agent raw "$server" "$S1" "${seen%:*}" 1 "$kind" >/dev/null
		agent raw "$client" "$A" "$S1" 1 "$kind" >/dev/null
	done
	is "seen outside then" "$(say a)" "$seen"
	is "what came in" "$(captured in)" ""
	is "what came out with an inside address" "$(captured out)" ""
}
