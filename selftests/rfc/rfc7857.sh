# SPDX-License-Identifier: GPL-2.0
# RFC 7857: what was learned since.
# shellcheck shell=bash disable=SC2154 # see lib.sh

rfc7857_transitory() {
	local left
	fresh
	like "seen outside" "$(ask tcp "$client" "$A:$PORT" "$S1:80")" "$OUTSIDE"
	left=$(nat left tcp)
	at_least "seconds that it lives" "$left" 236
	((${left:-0} <= 240)) || fail "seconds that it lives: got $left, want 240"
}

rfc7857_rst() {
	fresh
	hold a tcp "$client" "$A:$PORT" "$S1:80"
	like "seen outside" "$(say a)" "$OUTSIDE"
	agent reset a >/dev/null
	at_least "seconds that it lives" "$(nat left tcp)" 236
}

rfc7857_timers() {
	nat timeout icmp 2
	is "echo" "$(query "$client" "$S1" 8 781)" "0 781"
	like "UDP" "$(ask udp "$client" - "$S1:53")" "$OUTSIDE"
	comes_true "the query's mapping ends" 8 no_mapping icmp
	at_least "seconds that UDP lives still" "$(nat left udp)" 20
}
