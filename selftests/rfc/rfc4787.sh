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
