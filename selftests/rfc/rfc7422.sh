# SPDX-License-Identifier: GPL-2.0
# RFC 7422: who has which ports is computed, not logged.
# shellcheck shell=bash disable=SC2154 # see lib.sh

# arithmetic: the inside network shares two outside addresses.
arithmetic() {
	can deterministic || { fail "no ports that follow from the inside address"; return; }
	nat deterministic 10.0.0.0/23 203.0.113.5 203.0.113.6
}

# Both hosts, by two protocols: is each within what is computed?
rfc7422_forward() {
	local who addr seen own
	arithmetic || return
	for who in "$client $A" "$client2 $B"; do
		addr=${who#* } who=${who% *}
		own=$(nat owns "$addr")
		like "what $addr has" "$own" '^203\.0\.113\.[56] [0-9]+ [0-9]+$' || return
		for _ in 1 2 3; do
			fresh
			for seen in "$(ask udp "$who" "$addr:$PORT" "$S1:53")" "$(ask tcp "$who" "$addr:$PORT" "$S1:80")"; do
				within "$addr, seen as $seen," "$seen" "$own" || return
			done
		done
	done
}

within() { # WHAT ENDPOINT ADDR FIRST LAST
	local addr first last
	read -r addr first last <<<"$3"
	is "$1 by address" "${2%:*}" "$addr"
	((${2#*:} >= first && ${2#*:} <= last)) || fail "$1 is not of ports $first to $last"
}

rfc7422_back() {
	local seen
	arithmetic || return
	fresh
	seen=$(ask udp "$client" "$A:$PORT" "$S1:53")
	is "who has $seen" "$(nat owner "$seen")" "$A"
	seen=$(ask tcp "$client2" "$B:$PORT" "$S1:80")
	is "who has $seen" "$(nat owner "$seen")" "$B"
}
