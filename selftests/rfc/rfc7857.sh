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

# Of a half-open connection, and of one that ends.
rfc7857_timers() {
	nat closing 5
	silent ask tcp "$client" - 198.51.100.99:80 >/dev/null
	at_least "seconds that one lives that opens" "$(nat left tcp)" 60
	fresh
	hold a tcp "$client" "$A:$PORT" "$S1:80"
	like "seen outside" "$(say a)" "$OUTSIDE"
	at_least "seconds that an open one lives" "$(nat left tcp)" 60
	agent close a >/dev/null
	comes_true "seconds that one lives that ends" 3 closing_soon
}

closing_soon() { (($(nat left tcp) <= 5)); }

# From inside, as answers that a host gives to what comes in; nothing comes in.
rfc7857_refresh() {
	local seen seq
	nat timeout udp 2
	fresh
	hold a udp "$client" "$A:$PORT"
	hold s udp "$server" "$S1:5353"
	knows seen a "$S1:5353"
	for _ in {1..5}; do
		agent icmp-error "$client" "$A" "$S1" 3 3 0 udp "$S1:5353" "$A:$PORT" >/dev/null
		sleep 1
	done
	! T=0.5 reached a s "$seen" || fail "errors from inside keep a mapping"
	nat timeout tcp 5
	hold a tcp "$client" "$A:$PORT" "$S1:80"
	like "seen outside" "$(say a)" "$OUTSIDE"
	at "$server" nft "add table ip deaf; add chain ip deaf in { type filter hook input priority 0; };
		add rule ip deaf in tcp dport 80 drop"
	capture reset "$client" eth0 'tcp[tcpflags] & tcp-rst != 0'
	agent reset a >/dev/null
	seq=$(captured reset | grep -oE 'seq [0-9]+' | head -n1)
	like "number of the reset" "$seq" 'seq [0-9]+'
	for _ in {1..12}; do
		agent segment "$client" "$A:$PORT" "$S1:80" "${seq#seq }" 4 >/dev/null
		sleep 1
		no_mapping tcp && break
	done
	no_mapping tcp || fail "resets from inside keep a mapping"
	at "$server" nft delete table ip deaf
}

# both_arrive: has the server heard two datagrams since ARRIVED was emptied?
both_arrive() {
	ARRIVED+=" $(heard udp "$server" 53)"
	[[ $(grep -o ':' <<<"$ARRIVED" | wc -l) == 2 ]]
}

# Two hosts behind one address, with the same identification: in fragments, and as datagrams that may be cut later.
rfc7857_ip_id() {
	local size
	for size in 2000 600; do
		fresh
		heard udp "$server" 53 >/dev/null
		ARRIVED=''
		capture ids "$server" eth0 'src host 192.0.2.1 and ip proto 17'
		agent fragments "$client" "$A:$PORT" "$S1:53" "$size" reversed >/dev/null
		agent fragments "$client2" "$B:$PORT" "$S1:53" "$size" reversed >/dev/null
		comes_true "both arrive" 5 both_arrive
		is "identifications of two datagrams of $size octets" \
			"$(captured ids | grep -oE ' id [0-9]+, offset' | sort -u | wc -l)" 2
	done
}
