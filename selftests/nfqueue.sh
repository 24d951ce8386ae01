#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A program of userspace has a look at packets (NFQUEUE), ahead of fastnat, between its hooks, and behind it:
# it sees the addresses of its place, and what it lets go on is translated, in process context, as it may
# preempt others.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2

# shellcheck source=selftests/fastpath_lib.sh
. "$(dirname "$0")/fastpath_lib.sh"

TESTS=(
	ahead_of_fastnat
	ahead_of_fastnat_with_offload
	in_forward
	behind_fastnat
	a_changed_payload
	packets_wait_while_flows_go
	packets_wait_while_policies_go
	a_queue_that_nobody_reads
)

ruleset() { works "ruleset" at "$gw" nft -f - ; }

# queued WHAT CHAIN PRIORITY [MATCH]: a program, and a chain that gives it packets.
queued() {
	LOG=$TMP/queue-$((++QUEUES))
	PYTHONDONTWRITEBYTECODE=1 nsenter --net="/run/netns/$gw" python3 "$HERE/nfqueue.py" "$LOG" 1 "$1" >"$LOG.err" 2>&1 </dev/null &
	READER=$!
	JOBS+=("$READER")
	comes_true "the program reads" 30 grep -q ready "$LOG" || { note "$(cat "$LOG.err")"; return 1; }
	ruleset <<-END
		table ip fw { chain reader { type filter hook $2 priority $3; ${4:-} queue num 1; }; }
	END
}
QUEUES=0

unqueued() {
	ruleset <<<'delete table ip fw'
	kill "$READER"
	wait "$READER" 2>/dev/null
}

# A line for each packet, from SRC to DST.
packets() { grep -c "^$1 $2 " "$LOG"; }

# Transfers are aggregates, which a queue gives out in pieces.
all_pass() {
	like "UDP" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	like "fragments" "$(ask udp "$client" - 192.0.2.2:53 6000)" '^192\.0\.2\.1:'
	like "TCP" "$(ask tcp "$client" - 192.0.2.2:80 20000)" '^192\.0\.2\.1:'
	works "ping" at "$client" ping -qc2 -i0.2 -W5 192.0.2.2
	is "UDP in" "$(ask udp "$server" 192.0.2.2:5000 192.0.2.1:53)" 192.0.2.2:5000
	is "TCP in" "$(ask tcp "$server" 192.0.2.2:5000 192.0.2.1:80 20000)" 192.0.2.2:5000
	is "the gateway's own" "$(ask udp "$gw" 192.0.2.1:5001 192.0.2.2:53)" 192.0.2.1:5001
	is "an error" "$(ask udp "$client" - 192.0.2.2:9999)" refused
	is "a transfer out" "$(transfer "$client" "$server" 192.0.2.2 81 1)" intact
	is "a transfer in" "$(transfer "$server" "$client" 192.0.2.1 81 1)" intact
}

ahead_of_fastnat() {
	configure config set --offload off
	queued accept prerouting -396 || return
	all_pass
	at_least "packets as they came from inside" "$(packets 10.0.0.2 192.0.2.2)" 10
	at_least "packets as they came from outside" "$(packets 192.0.2.2 192.0.2.1)" 10
	is "packets with a source that is translated" "$(packets 192.0.2.1 192.0.2.2)" 0
	unqueued
}

# It is asked about every packet, and what it lets go on goes past the stack all the same.
ahead_of_fastnat_with_offload() {
	local before
	configure config set --offload on
	queued accept prerouting -396 'meta l4proto { tcp, udp }' || return
	warm u t
	before=$(packets 10.0.0.2 192.0.2.2)
	past u 10
	past t 10
	at_least "packets that the program saw" $(($(packets 10.0.0.2 192.0.2.2) - before)) 20
	transfer_past "out" "$client" "$server" 192.0.2.2
	transfer_past "in" "$server" "$client" 192.0.2.1
	configure config set --offload off
	unqueued
}

in_forward() {
	queued accept forward 0 || return
	all_pass
	at_least "packets from inside" "$(packets 10.0.0.2 192.0.2.2)" 10
	at_least "packets to inside" "$(packets 192.0.2.2 10.0.0.2)" 10
	is "outside addresses" "$(grep -c '192\.0\.2\.1 ' "$LOG")" 0
	unqueued
}

behind_fastnat() {
	queued accept postrouting 0 || return
	all_pass
	at_least "packets to outside" "$(packets 192.0.2.1 192.0.2.2)" 10
	at_least "packets to inside" "$(packets 192.0.2.2 10.0.0.2)" 10
	is "inside sources that go outside" "$(packets 10.0.0.2 192.0.2.2)" 0
	unqueued
}

# As proxies of SIP and games do, ahead of the translation and behind it.
a_changed_payload() {
	local where
	for where in "prerouting -396" "forward 0" "postrouting 0"; do
		# shellcheck disable=SC2086 # words
		queued change $where 'udp dport 53' || return
		hold c udp "$client" 10.0.0.2:4100
		is "said, $where" "$(agent tell c 192.0.2.2:53 ping)" ok
		like "echoed, $where" "$(hear c)" '^192\.0\.2\.2:53 192\.0\.2\.1:[0-9]+ PONG$'
		unqueued
	done
}

# What is on its way meets the NAT as it is when it comes back.
packets_wait_while_flows_go() {
	local before
	queued hold prerouting -396 'iifname lan0 udp dport 53' || return
	hold w udp "$client" 10.0.0.2:4200
	is "said" "$(agent tell w 192.0.2.2:53 first)" ok
	comes_true "it waits" 5 grep -q '^10' "$LOG"
	configure flow flush
	kill -USR1 "$READER"
	like "a flow for it" "$(hear w)" '^192\.0\.2\.2:53 192\.0\.2\.1:[0-9]+ first$'
	unqueued
	queued hold forward 0 'iifname wan0 udp sport 53' || return
	is "said" "$(agent tell w 192.0.2.2:53 second)" ok
	comes_true "the answer waits" 5 grep -q '^192' "$LOG"
	configure flow flush
	kill -USR1 "$READER"
	like "the answer" "$(hear w)" 'second$'
	unqueued
}

# Our hooks go with the last policy, and packets that wait with them; those that come then are nobody's.
packets_wait_while_policies_go() {
	queued hold prerouting -396 'iifname lan0 udp dport 53' || return
	is "said" "$(agent tell w 192.0.2.2:53 third)" ok
	comes_true "it waits" 5 grep -q '^10' "$LOG"
	capture leak "$server" eth0 'net 10.0.0.0/8'
	unconfigure
	offloading wan0
	configure config set --offload off
	kill -USR1 "$READER"
	is "said" "$(agent tell w 192.0.2.2:53 fourth)" ok
	comes_true "it waits" 5 grep -q '^10' "$LOG"
	kill -USR1 "$READER"
	like "the answer" "$(hear w)" '(third|fourth)$'
	is "inside addresses" "$(captured leak)" ""
	unqueued
}

# The control: what is not let go does not come.
a_queue_that_nobody_reads() {
	ruleset <<<'table ip fw { chain reader { type filter hook forward priority 0; queue num 7; }; }'
	is "UDP" "$(silent ask udp "$client" - 192.0.2.2:53)" timeout
	ruleset <<<'delete table ip fw'
	ruleset <<<'table ip fw { chain reader { type filter hook forward priority 0; queue flags bypass num 7; }; }'
	like "UDP, with bypass" "$(ask udp "$client" - 192.0.2.2:53)" '^192\.0\.2\.1:'
	ruleset <<<'delete table ip fw'
}

python3 -c 'import netfilterqueue' 2>/dev/null || skip_all "no python3-netfilterqueue"
modprobe -q nfnetlink_queue 2>/dev/null
gateway_topology
at "$gw" nft -f - 2>/dev/null <<<'table ip fw { chain reader { type filter hook input priority 0; udp dport 1 queue num 1; }; }; delete table ip fw' ||
	skip_all "no NFQUEUE"
offloading wan0
endpoints
tests_run
