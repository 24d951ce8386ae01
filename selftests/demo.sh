#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A tour of fastnat in half a minute, with real programs. Run as root, best in the
# virtual machine of `make demo`. Ends non-zero if any step did not do what it says.
#
#   client --------- gateway --------- server
#   10.0.0.2   10.0.0.1  192.0.2.1   192.0.2.2

set -u

TAG=fastnat-demo
TMP=$(mktemp -d "${TMPDIR:-/tmp}/$TAG-XXXXXX")
HERE=$(cd "$(dirname "$0")" && pwd -P)
failed=0
summary=()

cleanup() {
	local host
	jobs -p | xargs -r kill 2>/dev/null
	wait 2>/dev/null
	for host in client gateway server; do
		ip netns del "$TAG-$host" 2>/dev/null
	done
	rm -rf "$TMP"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

bold='' plain=''
[[ ! -t 1 ]] || bold=$'\e[1m' plain=$'\e[0m'

title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
inside() { nsenter --net="/run/netns/$TAG-$1" "${@:2}"; }

# on HOST CMD…: shows the command as typed on that host, runs it, shows what it prints.
on() {
	local host=$1 status=0
	shift
	printf '  %s$ %s%s%s\n' "$host" "$bold" "$*" "$plain"
	inside "$host" "$@" >"$TMP/out" 2>&1 || status=$?
	sed 's/^/    /' "$TMP/out"
	return "$status"
}

# proves TEXT CMD…: a line with a tick or a cross, again at the end.
proves() {
	local text=$1
	shift
	if "$@" >/dev/null 2>&1; then
		summary+=("✔ $text")
	else
		summary+=("✘ $text")
		failed=1
	fi
	printf '  %s\n' "${summary[-1]}"
}

said() { grep -Eq "$1" "$TMP/out"; }
same() { [[ $(sha256sum <"$1") == "$(sha256sum <"$2")" ]]; }
# awaits CMD…: until CMD succeeds, 5 s at most.
awaits() {
	local tries
	for tries in {1..50}; do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "no success after $tries tries: $*"
	return 1
}
listens() { inside "$1" ss -Hln "sport = :$2" | grep -q .; }

cable() {
	ip -n "$TAG-$1" link add "$2" type veth peer name "$5" netns "$TAG-$4"
	printf '%s\n' "addr add $3 dev $2" "link set $2 up" | ip -n "$TAG-$1" -batch -
	printf '%s\n' "addr add $6 dev $5" "link set $5 up" | ip -n "$TAG-$4" -batch -
}

build() {
	local host
	[[ -d /sys/module/fastnat ]] || modprobe fastnat 2>/dev/null || insmod "$HERE/../fastnat.ko" || exit 1
	for host in client gateway server; do
		ip netns add "$TAG-$host" || exit 1
		inside "$host" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
		ip -n "$TAG-$host" link set lo up
	done
	cable client eth0 10.0.0.2/24 gateway lan0 10.0.0.1/24
	cable gateway wan0 192.0.2.1/24 server eth0 192.0.2.2/24
	ip -n "$TAG-client" route add default via 10.0.0.1
	inside gateway sysctl -qw net.ipv4.ip_forward=1
}

# A web server of one file on either side, and a UDP service that says who asked.
serve() {
	head -c 3M /dev/urandom >"$TMP/file"
	cat >"$TMP/web" <<-END
		#!/bin/sh
		while read -r line && [ "\${#line}" -gt 1 ]; do :; done
		printf 'HTTP/1.0 200 OK\r\nContent-Length: %d\r\nX-Asked-By: %s\r\n\r\n' \\
			"\$(stat -Lc %s "\$1")" "\$SOCAT_PEERADDR"
		cat "\$1"
	END
	cat >"$TMP/names" <<-'END'
		#!/bin/sh
		read -r name
		echo "$name is 192.0.2.2 ($SOCAT_PEERADDR asked)"
	END
	echo "hello from the client's web server" >"$TMP/hello"
	chmod +x "$TMP/web" "$TMP/names"
	inside server socat TCP4-LISTEN:80,reuseaddr,fork EXEC:"$TMP/web $TMP/file" 2>/dev/null &
	inside client socat TCP4-LISTEN:80,reuseaddr,fork EXEC:"$TMP/web $TMP/hello" 2>/dev/null &
	inside server socat UDP4-RECVFROM:53,reuseaddr,fork EXEC:"$TMP/names" 2>/dev/null &
	inside server iperf3 -s >/dev/null 2>&1 &
	awaits listens server 80 && awaits listens client 80 && awaits listens server 5201
}

build
serve || exit 1

title "1. Three hosts"
cat <<-END
	     client ------------------ gateway ------------------ server
	     10.0.0.2          10.0.0.1       192.0.2.1         192.0.2.2
	                             lan0   wan0
	  The server has no way back to 10.0.0.0/24, like any host of the internet.
END
proves "without NAT the client gets no answer" eval '! on client ping -qc1 -W1 192.0.2.2'

title "2. One command makes the gateway translate"
on gateway fastnat policy add masquerade --out wan0
on client ping -nc3 -i0.3 -W3 192.0.2.2
proves "the client reaches the server" said ' 0% packet loss'

title "3. A download of 3 MB"
cd "$TMP" || exit 1
on client curl -sSm10 -D headers -o copy http://192.0.2.2/
on server sha256sum file
on client sha256sum copy
proves "the file's SHA-256 is the same at both ends" same "$TMP/file" "$TMP/copy"
proves "the server saw the gateway's address, not the client's" grep -q 'X-Asked-By: 192.0.2.1' "$TMP/headers"

title "4. A question over UDP"
printf '  client$ %secho www.example.org | socat -t1 - UDP4:192.0.2.2:53%s\n' "$bold" "$plain"
inside client socat -t1 - UDP4:192.0.2.2:53 <<<www.example.org 2>&1 | tee "$TMP/out" | sed 's/^/    /'
proves "the answer found its way back" said 'www.example.org is 192.0.2.2 \(192.0.2.1 asked\)'

title "5. At speed (of this machine; emulated ones are slow)"
on client iperf3 -c 192.0.2.2 -t2 -f m --connect-timeout 3000
proves "TCP flows" said 'sec +[1-9][0-9.]* MBytes.*receiver'
on client iperf3 -c 192.0.2.2 -u -b 20M -t2 -f m --connect-timeout 3000
proves "UDP flows" said 'sec +[1-9][0-9.]* MBytes.*receiver'

title "6. A service of the client, reached from outside"
on gateway fastnat policy add dnat --dst 192.0.2.1 --proto tcp --dport 8080 --to 10.0.0.2:80
on server curl -sSm 5 http://192.0.2.1:8080/
proves "the server reads the client's page at the gateway's address" said "hello from the client"

title "7. One packet, before and after"
inside gateway tcpdump -Z root -c1 -nltqi lan0 icmp >"$TMP/before" 2>"$TMP/before.log" & before=$!
inside gateway tcpdump -Z root -c1 -nltqi wan0 icmp >"$TMP/after" 2>"$TMP/after.log" & after=$!
awaits grep -q listening "$TMP/before.log"
awaits grep -q listening "$TMP/after.log"
on client ping -qnc1 -W3 192.0.2.2 >/dev/null
awaits test -s "$TMP/before"
awaits test -s "$TMP/after"
kill $before $after 2>/dev/null
sed 's/^/    at lan0: /' "$TMP/before"
sed 's/^/    at wan0: /' "$TMP/after"
proves "it came as 10.0.0.2" grep -q '^IP 10.0.0.2 > 192.0.2.2' "$TMP/before"
proves "and left as 192.0.2.1" grep -q '^IP 192.0.2.1 > 192.0.2.2' "$TMP/after"

title "8. What the gateway knows"
on gateway fastnat policy list
on gateway fastnat flow list
proves "flows can be listed" said '10\.0\.0\.2'
on gateway fastnat stats
proves "the counters say what became of the packets" said 'translated'

title "9. Nobody else did it"
untracked() {
	local count=/proc/sys/net/netfilter/nf_conntrack_count
	! inside gateway test -e "$count" || [[ $(inside gateway cat "$count") == 0 ]]
}
printf '  gateway$ %slsmod | grep -E "^(fastnat|nf_conntrack|nf_nat|nf_tables) "%s\n' "$bold" "$plain"
lsmod | grep -E '^(fastnat|nf_conntrack|nf_nat|nf_tables) ' | sed 's/^/    /'
proves "connection tracking follows no connection here" untracked
on gateway nft list ruleset
proves "there is not one nftables rule" test ! -s "$TMP/out"

title "What you have seen"
printf '  %s\n' "${summary[@]}"
((failed)) && printf '\n  Something did not work; see the ✘ above.\n'
exit "$failed"
