# SPDX-License-Identifier: GPL-2.0
# RFC 5382: TCP.
# shellcheck shell=bash disable=SC2154 # see lib.sh

rfc5382_1() {
	in_conflict tcp
	is "towards another server" "$third" "$second"
}

# syns FLAGS: segments with just these flags in the capture "open", a line each with source and destination.
syns() { tcpdump -Z root -nnr "$OPEN" "tcp[tcpflags] == ($1)" 2>/dev/null | sed -n 's/.* IP \(.*\) > \(.*\): Flags.*/\1 \2/p'; }

syn_of() { syns tcp-syn | grep "^$1 "; }

# What is on the way to the server is held up until the server's SYN has left: both meet on the way, and neither
# end listens.
rfc5382_2() {
	local seen side server_end=${S1}.5555 dialler
	modprobe sch_plug
	# Both know their neighbours.
	like "seen outside" "$(ask udp "$client" - "$S1:53")" "$OUTSIDE"
	fresh
	capture open "$outer" eth0 'tcp port 5555'
	OPEN=$CAPTURE_FILE
	works "plug" at "$outer" tc qdisc add dev eth1 root plug limit 1000000
	spawn "$client" socat "TCP4:$S1:5555,bind=$A:$PORT,reuseaddr,connect-timeout=60" EXEC:cat
	comes_true "a SYN comes out" 10 syn_of '.*'
	seen=$(syn_of '.*')
	seen=${seen%% *}
	echo hello | at "$server" timeout $((20 * SLOW)) socat -t4 - \
		"TCP4:${seen%.*}:${seen##*.},bind=$S1:5555,reuseaddr,connect-timeout=15" >"$TMP/dialled" 2>&1 &
	dialler=$!
	comes_true "the server's SYN" 10 syn_of "$server_end"
	works "unplug" at "$outer" tc qdisc change dev eth1 root plug release_indefinite
	wait "$dialler"
	at "$outer" tc qdisc del dev eth1 root
	is "what comes back" "$(<"$TMP/dialled")" hello
	captured open >/dev/null
	for side in "$seen $server_end" "$server_end $seen"; do
		at_least "SYN $side" "$(syns tcp-syn | grep -cxF "$side")" 1
		at_least "answer to a SYN $side" "$(syns 'tcp-syn|tcp-ack' | grep -cxF "$side")" 1
	done
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
	local seen begin answer
	fresh
	translated seen ask tcp "$client" "$A:$PORT" "$S1:80"
	begin=${EPOCHREALTIME/[.,]/}
	answer=$(T=10 ask tcp "$server" "$S3:0" "${seen%:*}:9")
	at_least "ms until the answer '$answer'" $(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) 6000
	is "the answer then" "$answer" refused
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

# Two lines of 22 octets, which leave as a segment each: helpers for FTP look for a PORT that begins one.
ftp() { printf 'USER anonymous.guest\r\nPORT 10,0,0,2,156,64\r\n'; }
rfc5382_6() { unchanged ftp tcp 21 -b22; }

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
