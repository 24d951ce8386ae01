# SPDX-License-Identifier: GPL-2.0
# RFC 5382: TCP.
# shellcheck shell=bash disable=SC2154 # see lib.sh

rfc5382_1() {
	in_conflict tcp
	is "towards another server" "$third" "$second"
}

caught() { tcpdump -Z root -nnr "$1" tcp 2>/dev/null | grep -q .; }

# The server does not hear SYNs, so the client's has left the NAT when the server begins.
rfc5382_2() {
	local seen answer
	fresh
	at "$server" nft "add table ip deaf; add chain ip deaf in { type filter hook input priority 0; };
		add rule ip deaf in tcp dport 5555 tcp flags & (syn | ack) == syn drop"
	capture syn "$server" eth0 'tcp dst port 5555'
	spawn "$client" socat "TCP4:$S1:5555,bind=$A:$PORT,reuseaddr,connect-timeout=8" EXEC:cat
	comes_true "a SYN comes out" 5 caught "$CAPTURE_FILE"
	seen=$(captured syn | grep -oE '[0-9.]+ > ' | head -n1)
	seen=${seen% > }
	answer=$(echo hello | at "$server" timeout 6 socat -t2 - "TCP4:${seen%.*}:${seen##*.},bind=$S1:5555,reuseaddr,connect-timeout=4" 2>&1)
	at "$server" nft delete table ip deaf
	is "what comes back" "$answer" hello
}

# A mapping with a connection, and a listener at its inside endpoint.
listener_behind() {
	fresh
	hold a tcp "$client" "$A:$PORT" "$S1:80"
	translated "$1" say a
	serve tcp "$client" "$A:$PORT"
}

rfc5382_3() {
	local seen
	listener_behind seen
	is "another port of a known address" "$(T=1 ask tcp "$server" "$S1:$PORT" "$seen")" "$S1:$PORT"
}

rfc5382_4() {
	local seen
	fresh
	translated seen ask tcp "$client" "$A:$PORT" "$S1:80"
	is "the answer within 6 s" "$(T=6 ask tcp "$server" "$S3:0" "${seen%:*}:9")" timeout
}

rfc5382_5() {
	local seen
	silent ask tcp "$client" - 198.51.100.99:80 >/dev/null
	at_least "seconds that one lives that was not answered" "$(nat left tcp)" 236
	nat down
	nat up
	fresh
	hold a tcp "$client" "$A:$PORT" "$S1:80"
	translated seen say a
	at_least "seconds that an open one lives" "$(nat left tcp)" 7430
}

rfc5382_7() {
	in_conflict tcp
	isnt "the outside endpoint of another host" "$second" "$first"
}

rfc5382_8() {
	local seen
	listener_behind seen
	like "the inside listener saw" "$(T=1 ask tcp "$client2" - "$seen")" "$OUTSIDE"
}

rfc5382_9() {
	like "the answer of connect" "$(ask tcp "$client" - 198.18.0.1:80)" '^E(NET|HOST)UNREACH$'
}

rfc5382_10() {
	local seen code
	fresh
	hold a tcp "$client" "$A:$PORT" "$S1:80"
	translated seen say a
	for code in 0 1 2 3; do
		error "$seen" tcp "$S1:80" "$code" >/dev/null
	done
	is "seen outside then" "$(say a)" "$seen"
}
