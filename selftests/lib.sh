# SPDX-License-Identifier: GPL-2.0
# Sourced by every test: namespaces and links, programs at both ends, captures, KTAP.
# shellcheck shell=bash

set -u

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
FASTNAT=${FASTNAT:-fastnat}
TMP=$(mktemp -d "${TMPDIR:-/tmp}/fastnat-test-XXXXXX")
KSFT_SKIP=4
# How many times as slow as the stock kernel this one is; the VM sets it. Every time limit here is that
# much longer; a test whose load is too much for a slow kernel may divide by it.
SLOW=${FASTNAT_SLOW:-1}
NAMESPACES=()
JOBS=()
CAPTURES=0
CAPTURE_FILE=
FAILURES=
AGENT=
BR_NETFILTER=
# The namespaces by their part in a test, see setup_ns.
# shellcheck disable=SC2034 # every test uses some of them
client='' client2='' twin='' stranger='' gw='' gw2='' inner='' outer='' server=''

# ---- results: a test is a function; TESTS names them in order ----

tests_run() {
	local test number=0 failed=0 skipped=0
	echo "KTAP version 1"
	echo "1..${#TESTS[@]}"
	for test in "${TESTS[@]}"; do
		number=$((number + 1)) FAILURES=0 SKIPPED=
		"$test"
		if ((FAILURES)); then
			failed=$((failed + 1))
			explain
			echo "not ok $number ${test//_/ }"
		elif [[ $SKIPPED ]]; then
			skipped=$((skipped + 1))
			echo "ok $number ${test//_/ } # SKIP $SKIPPED"
		else
			echo "ok $number ${test//_/ }"
		fi
	done
	((failed == 0)) || exit 1
	((skipped < number)) || exit "$KSFT_SKIP"
	exit 0
}

skip() { SKIPPED=$*; }

# needs MODULE WHAT [PARAMETERS…]: a module of the kernel, for WHAT.
needs() {
	# A bond of init is of no use here.
	[[ $1 != bonding ]] || set -- "$@" max_bonds=0
	modprobe -q "$1" "${@:3}" 2>/dev/null || [[ -d /sys/module/$1 ]] || { skip "no $2"; return 1; }
}
skip_all() { printf 'KTAP version 1\n1..0 # SKIP %s\n' "$*"; exit "$KSFT_SKIP"; }
note() { printf '# %s\n' "$@"; }

# Outside a test nothing may fail, or the tests would judge another thing than they say.
fail() {
	if [[ ! $FAILURES ]]; then
		echo "Bail out! setup: $*"
		exit 1
	fi
	FAILURES=$((FAILURES + 1))
	note "FAIL: $*"
	return 1
}

# What the gateway thinks, when a test failed.
explain() {
	[[ $gw ]] || return 0
	fn policy list 2>&1 | head -n 8 | cut -c1-150 | sed 's/^/#   policy: /'
	fn flow list 2>&1 | head -n 12 | cut -c1-150 | sed 's/^/#   flow: /'
	fn --json stats 2>&1 | jq -c 'del(.node) | with_entries(select(.value != 0))' 2>&1 | sed 's/^/#   stats: /'
}

# ---- expectations: the first word says what is looked at ----

is() { [[ $2 == "$3" ]] || fail "$1: got '$2', want '$3'"; }
isnt() { [[ $2 != "$3" ]] || fail "$1: got '$2', which it must not be"; }
like() { [[ $2 =~ $3 ]] || fail "$1: got '$2', want something like $3"; }
unlike() { [[ ! $2 =~ $3 ]] || fail "$1: got '$2', want nothing like $3"; }
at_least() {
	if [[ ! $2 =~ ^[0-9]+$ ]] || (($2 < $3)); then
		fail "$1: got '$2', want at least $3"
	fi
}

works() {
	local what=$1 output
	shift
	output=$("$@" 2>&1) || fail "$what: '$*' failed: $output"
}

refuses() {
	local what=$1 output
	shift
	! output=$("$@" 2>&1) || fail "$what: '$*' succeeded: $output"
}

# wait_for SECONDS CMD…: until CMD succeeds.
wait_for() {
	local deadline=$((SECONDS + $1 * SLOW))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

comes_true() {
	local what=$1 seconds=$2
	shift 2
	wait_for "$seconds" "$@" || fail "$what: '$*' not so after $seconds s"
}

# ---- namespaces and links ----
# Processes are slow to start under emulation, so cable, address, route and forwarding
# only take notes, and `apply` runs one ip(8) for all that a namespace needs.

declare -A NOTES=()
CABLES=''
ROUTERS=()

# setup_ns NAME…: a namespace for each, its unique name in the variable NAME.
setup_ns() {
	local var added=''
	for var; do
		printf -v "$var" %s "fastnat-$var-$$"
		NAMESPACES+=("${!var}")
		NOTES[${!var}]=$'link set lo up\n'
		added+="netns add ${!var}"$'\n'
	done
	ip -batch - <<<"$added" || exit 1
}

forwarding() { ROUTERS+=("$@"); }

at() { nsenter --net="/run/netns/$1" "${@:2}"; }

# spawn NS CMD…: in the background, until the test ends.
spawn() {
	nsenter --net="/run/netns/$1" "${@:2}" >/dev/null 2>&1 </dev/null &
	JOBS+=($!)
}

# cable NS1 IF1 ADDR1 NS2 IF2 ADDR2: a veth pair between two namespaces; ADDR - for none.
cable() {
	CABLES+="link add $2 netns $1 type veth peer name $5 netns $4"$'\n'
	up "$1" "$2" "$3"
	up "$4" "$5" "$6"
}

up() {
	NOTES[$1]+="link set $2 up"$'\n'
	[[ $3 == - ]] || address "$1" "$3" "$2"
}

# link NS ARGUMENTS…: as ip link does.
link() { NOTES[$1]+="link ${*:2}"$'\n'; }
address() { NOTES[$1]+="addr add $2 dev $3"$'\n'; }
route() { NOTES[$1]+="route replace ${*:2}"$'\n'; }

apply() {
	local ns
	[[ ! $CABLES ]] || ip -batch - <<<"$CABLES" || exit 1
	CABLES=''
	for ns in "${!NOTES[@]}"; do
		ip -n "$ns" -batch - <<<"${NOTES[$ns]}" || exit 1
	done
	for ns in "${!NOTES[@]}"; do
		is "settings" "$(agent sysctl "$ns" net.ipv6.conf.all.disable_ipv6=1 net.ipv4.icmp_ratelimit=0)" ok
	done
	for ns in "${ROUTERS[@]}"; do
		is "settings" "$(agent sysctl "$ns" net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1)" ok
	done
	NOTES=() ROUTERS=()
}

# The common topology. The server knows no way to the inside network, only to
# 203.0.113.0/24, the addresses of pools: what is not translated gets no answer.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3, .4
gateway_topology() {
	start_agent
	setup_ns client gw server
	cable "$client" eth0 10.0.0.2/24 "$gw" lan0 10.0.0.1/24
	cable "$gw" wan0 192.0.2.1/24 "$server" eth0 192.0.2.2/24
	address "$server" 192.0.2.3/24 eth0
	address "$server" 192.0.2.4/24 eth0
	route "$client" default via 10.0.0.1
	route "$server" 203.0.113.0/24 via 192.0.2.1
	forwarding "$gw"
	apply
}

# A router on either side of the gateway, so that errors come from the way, not the end.
#
#   client ------------ inner ------------ gw ------------ outer ------------ server
#   eth0             eth0  eth1         lan0  wan0         eth0  eth1            eth0
#   10.0.0.2   10.0.0.1  10.0.9.2  10.0.9.1  192.0.2.1  .254  198.51.100.1   198.51.100.2
routed_topology() {
	start_agent
	setup_ns client inner gw outer server
	cable "$client" eth0 10.0.0.2/24 "$inner" eth0 10.0.0.1/24
	cable "$inner" eth1 10.0.9.2/24 "$gw" lan0 10.0.9.1/24
	cable "$gw" wan0 192.0.2.1/24 "$outer" eth0 192.0.2.254/24
	cable "$outer" eth1 198.51.100.1/24 "$server" eth0 198.51.100.2/24
	route "$client" default via 10.0.0.1
	route "$inner" default via 10.0.9.1
	route "$gw" 10.0.0.0/24 via 10.0.9.2
	route "$gw" default via 192.0.2.254
	route "$outer" 203.0.113.0/24 via 192.0.2.1
	route "$server" default via 198.51.100.1
	forwarding "$inner" "$gw" "$outer"
	apply
}

# A second inside host, eth0 10.0.1.2, behind lan1 10.0.1.1 of the gateway.
second_client() {
	setup_ns client2
	cable "$client2" eth0 10.0.1.2/24 "$gw" lan1 10.0.1.1/24
	route "$client2" default via 10.0.1.1
	apply
}

# ---- what a link carries ----

# width NS IF MTU: of one end only, so that nobody else knows.
width() { ip -n "$1" link set "$2" mtu "$3"; }

learned_mtu() { at "$1" ip route get "$2" | grep -o 'mtu [0-9]*'; }

# What both ends have learned of the way.
forget() {
	at "$client" ip route flush cache
	at "$server" ip route flush cache
}

# ---- fastnat ----

fn() { "$FASTNAT" --netns "$gw" "$@"; }

# configure WORDS…: must work for the rest of the test to mean anything.
configure() {
	local output
	output=$(fn "$@" 2>&1) || { fail "fastnat $*: $output"; return 1; }
}

# Removes every policy, then every pool, and with them all flows.
unconfigure() {
	local item
	for item in $(values id "$(fn --json policy list)"); do
		fn policy del "$item"
	done
	for item in $(values name "$(fn --json pool list)"); do
		fn pool del "$item"
	done
}

# values KEY JSON: those of every "KEY", a line each; cheaper than jq where that suffices.
values() {
	local rest=$2 pattern="\"$1\": *\"?([^],\"}]*)"
	while [[ $rest =~ $pattern ]]; do
		printf '%s\n' "${BASH_REMATCH[1]}"
		rest=${rest#*"${BASH_REMATCH[0]}"}
	done
}

# count KEY JSON
count() { local found; mapfile -t found < <(values "$@"); echo "${#found[@]}"; }

counter() {
	local value
	value=$(values "$1" "$(fn --json stats)")
	value=${value%%$'\n'*}
	echo "${value:--1}"
}

flows() { count orig "$(fn --json flow list "$@")"; }
bindings() { count inside-addr "$(fn --json binding list)"; }
flows_are() { [[ $(flows "${@:2}") == "$1" ]]; }

# flows_at ADDR [SELECTION…]: how many flows have this outside address.
flows_at() { fn --json flow list "${@:2}" | jq "[.[] | select(.translated.\"src-addr\" == \"$1\")] | length"; }
no_flows_at() { [[ $(flows_at "$@") == 0 ]]; }

load_module() {
	[[ -d /sys/module/fastnat ]] || modprobe fastnat 2>/dev/null || insmod "$HERE/../fastnat.ko"
}

# Bridged packets pass the hooks of IP as long as this module is there; on all bridges, so it has to go.
with_br_netfilter() {
	[[ ! -d /sys/module/br_netfilter ]] || return 0
	modprobe br_netfilter 2>/dev/null || return 1
	BR_NETFILTER=ours
}

# ---- both ends: sockets in any namespace, see agent.py ----

start_agent() {
	coproc PYTHON { exec python3 -IS "$HERE/agent.py"; }
	# Subshells are not given a coprocess's own descriptors, so duplicate them.
	exec {TO_AGENT}>&"${PYTHON[1]}" {FROM_AGENT}<&"${PYTHON[0]}"
	AGENT=$PYTHON_PID
}

agent() {
	local reply
	[[ $AGENT ]] || { echo "no agent"; return 1; }
	printf '%s\n' "$*" >&"$TO_AGENT"
	IFS= read -rt $((40 * SLOW)) reply <&"$FROM_AGENT" || reply="agent died"
	printf '%s\n' "$reply"
}

# T is how long to wait for an answer; only what must stay unanswered needs another value.
serve() { is "serve $*" "$(agent serve "$@")" ok; }
heard() { agent heard "$@"; }
ask() { agent ask "${T:-4}" "$@"; }
hold() { is "hold $*" "$(agent open "${T:-4}" "$@")" ok; }
say() { agent say "${T:-4}" "$@"; }
hear() { agent hear "${T:-4}" "$@"; }
silent() { T=0.8 "$@"; }

# ---- captures ----

# capture NAME NS IFACE FILTER: returns when tcpdump listens.
capture() {
	local file=$TMP/$1-$((++CAPTURES)).pcap
	# shellcheck disable=SC2034 # for tests that look closer than captured()
	CAPTURE_FILE=$file
	# Not by `at`: the job would be a shell, and outlived by what it runs.
	nsenter --net="/run/netns/$2" tcpdump -Z root -Unn --immediate-mode -i "$3" -w "$file" \
		"ether proto 0x88b5 or ($4)" 2>"$file.log" &
	JOBS+=($!)
	printf -v "capture_$1" '%s %s %s %s' $! "$2" "$3" "$file"
	comes_true "capture $1" 10 grep -q 'listening on' "$file.log"
}

marked() { tcpdump -Z root -nnr "$1" ether proto 0x88b5 2>/dev/null | grep -q .; }

# captured NAME: ends the capture and prints its packets, leaving out none that came before.
captured() {
	local var=capture_$1 pid ns iface file
	read -r pid ns iface file <<<"${!var}"
	agent mark "$ns" "$iface" >/dev/null
	wait_for 10 marked "$file" || note "capture $1: no marker" >&2
	kill "$pid" 2>/dev/null
	tcpdump -Z root -nnvvr "$file" not ether proto 0x88b5 2>/dev/null
}

# mac NS IF: its link-layer address.
mac() { ip -n "$1" -j link show "$2" | jq -r '.[].address'; }
no_link() { ! ip -n "$1" link show "$2" 2>/dev/null; }

# ---- large transfers with real programs ----

# transfer FROM TO ADDR PORT MEGABYTES [SENT_TO]: over TCP, to the port SENT_TO where that is forwarded; prints whether the SHA-256 of both ends agree.
transfer() {
	local receiver
	head -c "${5}M" /dev/urandom >"$TMP/sent"
	: >"$TMP/received"
	at "$2" timeout $((20 * SLOW)) socat -u TCP4-LISTEN:"$4",reuseaddr OPEN:"$TMP/received" &
	receiver=$!
	wait_for 5 listening "$2" "$4"
	at "$1" timeout $((10 * SLOW)) socat -u OPEN:"$TMP/sent" TCP4:"$3:${6:-$4}",connect-timeout=$((4 * SLOW)) 2>/dev/null || kill "$receiver"
	wait "$receiver" 2>/dev/null
	if [[ $(sha256sum <"$TMP/received") == "$(sha256sum <"$TMP/sent")" ]]; then echo intact; else echo damaged; fi
}

listening() { [[ $(agent listening "$1" "$2") == yes ]]; }

# ---- the end ----

cleanup() {
	local job
	for job in "${JOBS[@]}" $AGENT; do
		kill "$job" 2>/dev/null
	done
	for job in "${JOBS[@]}" $AGENT; do
		wait "$job" 2>/dev/null
	done
	[[ ! $BR_NETFILTER ]] || modprobe -r br_netfilter
	((${#NAMESPACES[@]} == 0)) || printf 'netns del %s\n' "${NAMESPACES[@]}" | ip -batch -
	rm -rf "$TMP"
}

trap cleanup EXIT
trap 'exit 1' INT TERM

[[ $EUID == 0 ]] || skip_all "needs root"
