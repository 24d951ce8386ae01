# SPDX-License-Identifier: GPL-2.0
# RFC 6888: what carriers need besides.
# shellcheck shell=bash disable=SC2154 # see lib.sh

# Of 16 inside hosts some are seen as each.
rfc6888_3() {
	local i seen=''
	nat pool - 203.0.113.5 203.0.113.99
	for i in {16..31}; do
		seen+=$(ask udp "$client" "10.0.0.$i:0" "$S1:53" | cut -d: -f1)$'\n'
	done
	is "outside addresses" "$(sort -u <<<"$seen" | grep . | xargs)" "203.0.113.5 203.0.113.99"
}

# mappings PORTS: how many of so many new ports of the client were seen outside.
mappings() {
	local got=0
	for ((i = 0; i < $1; i++)); do
		fresh
		[[ ! $(T=0.4 ask udp "$client" "$A:$PORT" "$S1:53") =~ $OUTSIDE ]] || got=$((got + 1))
	done
	echo "$got"
}

rfc6888_4() {
	nat limit 3
	is "mappings of five" "$(mappings 5)" 3
	like "another host" "$(ask udp "$client2" "$B:$PORT" "$S1:53")" "$OUTSIDE"
}

rfc6888_4c() {
	local got
	nat rate 3
	got=$(agent flood 0.5 f "$client" "$A:7000" "$S1:53" 12)
	at_least "mappings of twelve at once" "$got" 3
	isnt "mappings of twelve at once" "$got" 12
	like "another host" "$(ask udp "$client2" "$B:$PORT" "$S1:53")" "$OUTSIDE"
}

# One mapping, that talks to many.
rfc6888_5() {
	local to got=0
	nat sessions 2
	fresh
	hold a udp "$client" "$A:$PORT"
	for to in "$S1:53" "$S1:54" "$S2:53" "$S3:53"; do
		[[ ! $(T=0.4 say a "$to") =~ $OUTSIDE ]] || got=$((got + 1))
	done
	is "sessions of four" "$got" 2
	like "another host" "$(ask udp "$client2" "$B:$PORT" "$S1:53")" "$OUTSIDE"
}

# Looked at on the way, since nobody knows the way back.
rfc6888_6() {
	nat exempt "$S2"
	fresh
	hold a udp "$client" "$A:$PORT"
	capture p "$outer" eth0 udp
	agent tell a "$S2:5353" hello >/dev/null
	like "what is seen" "$(captured p)" "10\\.0\\.0\\.2\\.$PORT > 198\\.51\\.100\\.3\\.5353"
	like "seen elsewhere" "$(say a "$S1:53")" "$OUTSIDE"
}

# Four ports, all used, all ended: nobody else gets one.
rfc6888_8() {
	local i
	nat pool 30000-30003 203.0.113.5
	nat timeout udp 1
	for i in 1 2 3 4; do
		fresh
		like "seen outside" "$(ask udp "$client" "$A:$PORT" "$S1:53")" "^203\\.0\\.113\\.5:3000[0-3]$"
	done
	comes_true "all end" 8 no_mapping udp
	like "what another host gets" "$(T=1 ask udp "$client2" "$B:$PORT" "$S1:53")" "^(timeout|EHOSTUNREACH)$"
}

# An ANNOUNCE of version 2, from the inside address, has an answer of as many octets.
rfc6888_9() {
	local answer
	answer=$(printf '\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\377\377\12\0\0\2' |
		at "$client" socat -t1 - UDP4:10.0.9.1:5351 2>/dev/null | wc -c)
	at_least "octets of an answer" "$answer" 24
}

# told WHAT: a new mapping is made; has the log of those that were made told so?
told() {
	fresh
	like "seen outside" "$(ask udp "$client" "$A:$PORT" "$S1:53")" "$OUTSIDE"
	wait_for 1 grep -q "\b$PORT\b" "$1"
}

# watched: the NAT's log of mappings is in the file $LOG.
watched() {
	LOG=$TMP/log-$((++LOGS))
	nat watch "$LOG"
	comes_true "mappings are told" 10 told "$LOG"
}
LOG='' LOGS=0

# While it works: what there is, how much it does, what happens; and settings that change.
rfc6888_10() {
	local seen before left
	fresh
	before=$(nat made)
	hold a udp "$client" "$A:$PORT"
	translated seen say a "$S1:53"
	is "the mapping, as it is listed" "$(nat mappings | grep "^$A:$PORT ")" "$A:$PORT $seen"
	is "mappings made since" $(($(nat made) - before)) 1
	watched
	nat timeout udp 77
	like "another mapping" "$(ask udp "$client2" "$B:$PORT" "$S1:53")" "$OUTSIDE"
	left=$(nat left udp)
	((${left:-999} <= 77)) || fail "the time that was set: got $left, want at most 77"
}

# With the log of mappings on as it is by default, and in the kernel's own.
rfc6888_12() {
	local kernel
	kernel=$(dmesg | wc -l)
	watched
	unlike "the log" "$(<"$LOG")" '198\.51\.100\.2'
	unlike "the kernel's log" "$(dmesg | tail -n "+$((kernel + 1))")" '198\.51\.100\.2'
}

# Forty mappings of two hosts, where ports come in blocks, and the log is of blocks.
rfc6888_14() {
	local i
	can blocks || { fail "no ports in blocks"; return; }
	nat blocks 64 203.0.113.5
	LOG=$TMP/log-$((++LOGS))
	nat records "$LOG"
	comes_true "a log" 8 recorded
	for i in {1..20}; do
		fresh
		ask udp "$client" "$A:$PORT" "$S1:53" >/dev/null
		ask udp "$client2" "$B:$PORT" "$S1:53" >/dev/null
	done
	comes_true "a record of each host" 8 recorded 10.0.0.2 10.0.1.2
	at_least "records, and 10 are enough" 10 "$(grep -c 203.0.113.5 "$LOG")"
}

# recorded WORD…: are they in the log?
recorded() {
	local word
	[[ -s $LOG ]] || return
	for word; do
		grep -q "$word" "$LOG" || return
	done
}

# Four ports: as many inside endpoints, each with as many sessions as there are servers.
rfc6888_13() {
	local i to
	nat pool 31000-31003 203.0.113.6
	fresh
	for i in 16 17 18 19; do
		hold "p$i" udp "$client" "10.0.0.$i:$PORT"
		for to in "$S1:53" "$S1:54" "$S2:53" "$S3:53"; do
			like "10.0.0.$i, seen by $to" "$(say "p$i" "$to")" "^203\\.0\\.113\\.6:3100[0-3]$"
		done
	done
}

# Fifty mappings, then more than fit: do the fifty still lead in?
rfc6888_11() {
	local peers=() peer i
	nat size 512
	hold s udp "$server" "$S1:5353"
	agent flood 0 f "$client" "$A:8000" "$S1:5353" 50 >/dev/null
	for i in {0..49}; do
		peer=$(hear s)
		peers+=("${peer%% *}")
		like "mapping $i" "${peers[i]}" "$OUTSIDE" || return
	done
	capture leak "$server" eth0 'net 10.0.0.0/8'
	agent flood 0 g "$client" "$A:9000" "$S1:53" 600 >/dev/null
	is "what left untranslated" "$(captured leak)" ""
	for i in {0..49}; do
		reached "f$i" s "${peers[i]}" || { fail "mapping $i was removed when the table was full"; return; }
	done
}

rfc6888_15() {
	local i seen last='' near=0
	for i in {1..16}; do
		fresh
		seen=$(ask udp "$client" "$A:$PORT" "$S1:53")
		like "seen outside" "$seen" "$OUTSIDE" || return
		seen=${seen##*:}
		((seen != PORT && (!last || seen - last > 4 || last - seen > 4))) || near=$((near + 1))
		last=$seen
	done
	((near < 3)) || fail "ports that are the inside one, or near the last: $near of 16"
}
