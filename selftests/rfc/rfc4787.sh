# SPDX-License-Identifier: GPL-2.0
# RFC 4787: UDP.
# shellcheck shell=bash disable=SC2154 # see lib.sh

rfc4787_1() {
	in_conflict udp
	is "towards another server" "$third" "$second"
	is "towards another port" "$(say b "$S1:54")" "$second"
	is "the first host, towards another server" "$(say a "$S2:53")" "$first"
}

rfc4787_2() {
	local from to seen
	nat pool - 203.0.113.16-203.0.113.31
	for from in "$client $A" "$client 10.0.0.3" "$client2 $B"; do
		seen=''
		for to in "$S1" "$S2" "$S3" "$S1"; do
			seen+=$(ask udp "${from% *}" "${from#* }:0" "$to:53")$'\n'
		done
		like "seen outside" "${seen%%$'\n'*}" "$OUTSIDE"
		is "outside addresses of ${from#* }" "$(grep . <<<"$seen" | cut -d: -f1 | sort -u | wc -l)" 1
	done
}

rfc4787_3() {
	in_conflict udp
	isnt "the outside endpoint of another host" "$second" "$first"
}

rfc4787_3a() {
	local i seen
	for i in 1 2 3 4; do
		for seen in "$(ask udp "$client" "$A:80$i" "$S1:53")" "$(ask udp "$client2" "$B:80$i" "$S1:53")"; do
			like "seen outside" "$seen" "$OUTSIDE" || return
			((${seen##*:} < 1024)) || fail "port 80$i: got $seen"
		done
		fresh
		for seen in "$(ask udp "$client" "$A:$PORT" "$S1:53")" "$(ask udp "$client2" "$B:$PORT" "$S1:53")"; do
			like "seen outside" "$seen" "$OUTSIDE" || return
			((${seen##*:} >= 1024)) || fail "port $PORT: got $seen"
		done
	done
}

# Of two hosts with the same ports only one can keep them.
rfc4787_4() {
	local i seen
	for i in {1..16}; do
		fresh
		for seen in "$(ask udp "$client" "$A:$PORT" "$S1:53")" "$(ask udp "$client2" "$B:$PORT" "$S1:53")"; do
			like "seen outside" "$seen" "$OUTSIDE" || return
			is "parity of port $PORT, seen as $seen" $((${seen##*:} % 2)) $((PORT % 2))
		done
	done
}

# The mapping of who had no answer counts as well.
rfc4787_5() {
	local seen
	fresh
	hold a udp "$client" "$A:$PORT"
	hold s udp "$server" "$S1:5353"
	knows seen a "$S1:5353"
	at_least "seconds that it lives" "$(nat left udp)" 118
	nat timeout udp 2
	knows seen a "$S1:5353"
	reached a s "$seen" || fail "the server cannot answer"
	comes_true "the mapping ends when it should" 8 no_mapping udp
	! T=0.5 reached a s "$seen" || fail "the mapping still works"
}

rfc4787_6() {
	local seen
	nat timeout udp 2
	fresh
	hold a udp "$client" "$A:$PORT"
	hold s udp "$server" "$S1:5353"
	knows seen a "$S1:5353"
	for _ in {1..5}; do
		sleep 1
		agent tell a "$S1:5353" again >/dev/null
	done
	reached a s "$seen" || fail "the mapping ended although it was used"
}

rfc4787_8() {
	local seen
	fresh
	hold a udp "$client" "$A:$PORT"
	hold x udp "$server" "$S3:999"
	translated seen say a "$S1:53"
	reached a x "$seen" || fail "a stranger's datagram does not arrive"
}

rfc4787_8_strict() {
	local seen
	fresh
	hold a udp "$client" "$A:$PORT"
	hold s udp "$server" "$S1:998"
	hold x udp "$server" "$S3:999"
	translated seen say a "$S1:53"
	reached a s "$seen" || fail "a datagram of another port of a known address does not arrive"
	! T=0.5 reached a x "$seen" || fail "a stranger's datagram arrives"
}

rfc4787_9() {
	local first second
	fresh
	hold a udp "$client" "$A:$PORT"
	hold b udp "$client2" "$B:$PORT"
	translated first say a "$S1:53"
	translated second say b "$S1:53"
	agent tell b "$first" hello >/dev/null
	is "the first host heard" "$(T=1 hear a)" "$second hello"
	agent tell a "$second" welcome >/dev/null
	is "the second host heard" "$(T=1 hear b)" "$first welcome"
}

# Whether a mapping is the same for all must not depend on who else has one.
rfc4787_11() {
	local alone there conflict=same
	fresh
	hold a udp "$client" "$A:$PORT"
	translated alone say a "$S1:53"
	translated there say a "$S2:53"
	in_conflict udp
	[[ $second == "$third" ]] || conflict=different
	if [[ $alone == "$there" ]]; then there=same; else there=different; fi
	is "endpoints towards two servers, where another host uses the port" "$conflict" "$there"
}

rfc4787_12() {
	local seen
	fresh
	hold a udp "$client" "$A:$PORT" "$S1:53"
	hold s udp "$server" "$S1:5353"
	translated seen say a
	error "$seen" udp "$S1:53" >/dev/null
	is "what the program is told" "$(hear a)" refused
	is "seen outside then" "$(say a)" "$seen"
	hold a udp "$client" "$A:$PORT"
	knows seen a "$S1:5353"
	error "$seen" udp "$S1:5353" >/dev/null
	reached a s "$seen" || fail "the mapping ended"
}

# The gateway itself, and a router behind it, whose answer has to be translated.
rfc4787_13() {
	local narrow
	for narrow in "$gw wan0" "$outer eth1"; do
		fresh
		hold a udp "$client" "$A:$PORT" "$S1:53"
		agent set a pmtudisc 2 >/dev/null
		width "${narrow% *}" "${narrow#* }" 1400
		is "1450 octets through 1400 of ${narrow#* }" "$(say a - 1450)" EMSGSIZE
		width "${narrow% *}" "${narrow#* }" 1500
		forget
	done
}

server_heard() { [[ $(heard udp "$server" 53) =~ (192\.0\.2\.1|203\.0\.113) ]]; }

rfc4787_14() {
	local order
	like "in order, both ways" "$(ask udp "$client" - "$S1:53" 8192)" "$OUTSIDE"
	for order in duplicated reversed; do
		fresh
		heard udp "$server" 53 >/dev/null
		agent fragments "$client" "$A:$PORT" "$S1:53" 5000 "$order" >/dev/null
		comes_true "$order" 3 server_heard
	done
}

# The same addresses on both sides: inside, a host with the server's address, in a routing domain of its own,
# that takes the server's other addresses for its neighbours. The gateway answers for them.
overlap() {
	[[ ! $twin ]] || return 0
	modprobe vrf
	setup_ns twin
	cable "$twin" eth0 "$S1/24" "$gw" lan2 -
	apply
	works "routes" ip -n "$gw" -batch - <<-END
		link add inside type vrf table 10
		link set inside up
		link set lan2 master inside
		route add $S1 dev lan2 table 10
		route add default via 192.0.2.254 dev wan0 table 10
		rule add iif wan0 to 198.51.100.0/24 lookup 10
	END
	is "settings" "$(agent sysctl "$gw" net.ipv4.conf.lan2.proxy_arp=1 net.ipv4.neigh.lan2.proxy_delay=0)" ok
}

rfc4787_7() {
	overlap
	fresh
	like "an inside host, with the address of a server" "$(ask udp "$twin" "$S1:$PORT" "$S2:53")" "$OUTSIDE"
	like "another one, asking that server" "$(ask udp "$client" "$A:$PORT" "$S1:53")" "$OUTSIDE"
	like "both at once" "$(ask udp "$twin" "$S1:$PORT" "$S3:53")" "$OUTSIDE"
	like "in fragments" "$(ask udp "$twin" - "$S2:53" 5000)" "$OUTSIDE"
	like "TCP" "$(ask tcp "$twin" - "$S2:80")" "$OUTSIDE"
	is "an echo" "$(query "$twin" "$S2" 8 782)" "0 782"
}

# A message as helpers for SIP would change it: the inside endpoint is in the request, the header and the session.
sip() {
	local body
	body="v=0\r\no=alice 1 1 IN IP4 $A\r\ns=-\r\nc=IN IP4 $A\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
	printf 'INVITE sip:bob@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:5060;branch=z9hG4bK1\r\n' "$S1" "$A"
	printf 'From: <sip:alice@%s>;tag=1\r\nTo: <sip:bob@%s>\r\nCall-ID: 1@%s\r\nCSeq: 1 INVITE\r\n' "$A" "$S1" "$A"
	# shellcheck disable=SC2059 # its line ends
	printf "Contact: <sip:alice@$A:5060>\r\nContent-Type: application/sdp\r\nContent-Length: ${#body}\r\n\r\n$body"
}

# unchanged CMD PROTO PORT OPTION…: what CMD prints arrives as it is, sent by socat with these options.
unchanged() {
	local receiver
	"$1" >"$TMP/sent"
	at_least "octets sent" "$(wc -c <"$TMP/sent")" 40
	: >"$TMP/received"
	if [[ $2 == udp ]]; then
		at "$server" timeout $((6 * SLOW)) socat -u "UDP4-RECVFROM:$3" "OPEN:$TMP/received" &
		receiver=$!
		comes_true "the server listens" 5 bound udp "$3"
	else
		at "$server" timeout $((6 * SLOW)) socat -u "TCP4-LISTEN:$3,reuseaddr" "OPEN:$TMP/received" &
		receiver=$!
		comes_true "the server listens" 5 bound tcp "$3"
	fi
	at "$client" socat -u "${@:4}" "OPEN:$TMP/sent" "${2^^}4:$S1:$3,bind=$A:$3,reuseaddr${4:+,nodelay}"
	wait "$receiver"
	cmp "$TMP/sent" "$TMP/received" >"$TMP/differs" 2>&1 || fail "$1 over $2: $(<"$TMP/differs")"
}

bound() { at "$server" ss -Hln "--$1" "sport = :$2" | grep -q .; }

rfc4787_10() { unchanged sip udp 5060; }

# Octets that the gateway has in fragments.
fragment_memory() { at "$gw" sed -n 's/^FRAG:.* memory //p' /proc/net/sockstat; }

# More heads of datagrams than the memory for them holds; once they have timed out, whole ones pass again.
rfc4787_14a() {
	local limit held
	is "settings" "$(agent sysctl "$gw" net.ipv4.ipfrag_time=2)" ok
	limit=$(at "$gw" sysctl -n net.ipv4.ipfrag_high_thresh)
	fresh
	is "flood" "$(agent heads "$client" "$A:$PORT" "$S1:53" 8000)" ok
	held=$(fragment_memory)
	is "settings" "$(agent sysctl "$gw" net.ipv4.ipfrag_time=30)" ok
	at_least "octets held" "$held" 100000
	# The last one to be let in may reach over the limit.
	((held <= limit + 4096)) || fail "octets held: got $held, want at most $limit"
	comes_true "whole datagrams pass again" 10 whole
}

whole() { [[ $(T=1 ask udp "$client" - "$S1:53" 5000) =~ $OUTSIDE ]]; }
