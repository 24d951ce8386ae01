#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything at once: traffic in both directions, policies, pools, flushes, other sizes, timeouts and modes,
# bindings, lists half read, listeners, addresses, namespaces, CPUs, and the module itself come and go.
# Nobody sees an error that the others do not explain, what nobody concerns goes on as if nothing were, and
# in each pause the books balance. torture.py and its modules do it.
#
#   TORTURE_SECONDS=S    how long, 20 if not given
#
# Twice the same: a wild gateway, and a steady one at which 10.0.0.2 has to be left alone.
#
#   client                           gw                      server
#   eth0 ------------------------- lan0  wan0 ---------------- eth0
#   10.0.0.2, 10.0.0.64/26     10.0.0.1  192.0.2.1   192.0.2.2, .3, .4
#
# vm: --numa 2

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

SPEC=$HERE/../Documentation/netlink/specs/fastnat.yaml
TORTURE_SECONDS=${TORTURE_SECONDS:-20}
ROUND=15

TESTS=(
	what_nobody_concerns_survives_the_storm
	and_so_does_the_rest
	no_packet_was_damaged
	nothing_is_left_when_all_is_deleted
	the_module_leaves_no_memory_behind
)

start_torture() {
	mkfifo "$TMP/to" "$TMP/from"
	python3 -B "$HERE/torture.py" "$SPEC" <"$TMP/to" >"$TMP/from" 2>"$TMP/errors" &
	JOBS+=($!)
	exec {TO_TORTURE}>"$TMP/to" {FROM_TORTURE}<"$TMP/from"
}

# torture COMMAND…: prints the notes of torture.py, fails if it does.
torture() {
	local line=
	printf '%s\n' "$*" >&"$TO_TORTURE"
	while IFS= read -rt $((TORTURE_SECONDS + 200 * SLOW)) line <&"$FROM_TORTURE"; do
		case $line in
		ok) return ;;
		failed) break ;;
		*) echo "$line" ;;
		esac
	done
	[[ ! -s $TMP/errors ]] || tail -n 20 "$TMP/errors" | sed 's/^/# /'
	fail "$*: ${line:-no answer}"
}

# What is mapped or per CPU, kB.
memory() { awk '/^(VmallocUsed|Percpu):/ { sum += $2 } END { print sum }' /proc/meminfo; }

# Nothing is left in a slab cache, if the kernel has not merged it with others.
no_objects() {
	local slab=/sys/kernel/slab/$1 count
	[[ -e $slab/shrink && $(<"$slab/aliases") == 0 ]] || return 0
	echo 1 >"$slab/shrink"
	read -r count _ <"$slab/objects"
	((count == 0))
}

what_nobody_concerns_survives_the_storm() {
	local rounds=$(((TORTURE_SECONDS + ROUND - 1) / ROUND)) round
	((rounds > 1)) || rounds=2
	for ((round = 1; round <= rounds; round++)); do
		note "round $round of $rounds"
		torture storm $((TORTURE_SECONDS / rounds)) || break
		torture rest || break
		torture books || break
		((round < rounds)) || break
		torture unload || break
		works "load" load_module || break
	done
}

and_so_does_the_rest() { torture end; }

damaged() {
	awk '/^(Ip|Udp|Tcp|Icmp):/ { if ($1 in head) { n = split(head[$1], name); for (i = 2; i <= n; i++) if (name[i] ~ /InCsumErrors|InHdrErrors/) sum += $i } else head[$1] = $0 } END { print sum + 0 }' \
		<(at "$1" cat /proc/self/net/snmp)
}

no_packet_was_damaged() {
	local ns
	for ns in "$client" "$gw" "$server" "$client2" "$gw2" "$server2"; do
		is "wrong checksums in $ns" "$(damaged "$ns")" 0
	done
}

nothing_is_left_when_all_is_deleted() {
	torture empty
	unconfigure
	gw=$gw2 unconfigure
	is "flows and bindings" "$(counter flows) $(counter bindings)" "0 0"
	comes_true "flows are freed" 10 no_objects fastnat_flow
	comes_true "bindings are freed" 10 no_objects fastnat_binding
}

the_module_leaves_no_memory_behind() {
	local more
	works "unload" rmmod fastnat
	is "slab caches" "$(grep -c fastnat /proc/slabinfo)" 0
	is "mappings" "$(grep -c fastnat /proc/vmallocinfo)" 0
	works "load" load_module
	more=$(($(memory) - MEMORY))
	note "mapped and per CPU: $more kB more than before"
	((more < 8192)) || fail "memory that was not given back"
}

all_cpus() {
	local file
	for file in /sys/devices/system/cpu/cpu*/online; do
		[[ ! -w $file || $(<"$file") == 1 ]] || echo 1 >"$file"
	done
}

# gateway CLIENT GW SERVER
gateway() {
	cable "$1" eth0 10.0.0.2/24 "$2" lan0 10.0.0.1/24
	cable "$2" wan0 192.0.2.1/24 "$3" eth0 192.0.2.2/24
	address "$3" 192.0.2.3/24 eth0
	address "$3" 192.0.2.4/24 eth0
	route "$1" default via 10.0.0.1
	route "$1" local 10.0.0.64/26 dev lo
	route "$3" 203.0.113.0/24 via 192.0.2.1
	forwarding "$2"
}

client2='' gw2='' server2=''
load_module
[[ -e /sys/module/fastnat/refcnt ]] || skip_all "fastnat is not a module here"
[[ -f $SPEC ]] || skip_all "no specification at $SPEC"
MEMORY=$(memory)
start_torture
start_agent
setup_ns client gw server client2 gw2 server2
gateway "$client" "$gw" "$server"
gateway "$client2" "$gw2" "$server2"
apply
for ns in "$client" "$server" "$client2" "$server2"; do
	# Many packets from one call; and nothing of which kmemleak does not see who refers to it.
	at "$ns" ethtool -K eth0 tso off gso off tx-udp-segmentation off
	is "settings" "$(agent sysctl "$ns" net.ipv4.tcp_no_metrics_save=1)" ok
done
trap '[[ -d /sys/module/fastnat ]] || load_module; all_cpus; cleanup' EXIT
torture wild "$client" "$gw" "$server"
torture steady "$client2" "$gw2" "$server2"
tests_run
