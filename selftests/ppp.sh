#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Uplinks by PPP, with real daemons at both ends: over a line, and over Ethernet (PPPoE, in the kernel).
#
#   client            gw                                 server
#   eth0 ---------- lan0  ppp7 ~~~ (a pty) ~~~~~~~~~~~~~~ ppp8
#   10.0.0.2    10.0.0.1  198.51.100.7                    198.51.100.1
#                         ppp9 ~~~ wan0 ~~~~ eth0 ~~~~~~~ ppp10

# shellcheck source=selftests/uplink_lib.sh
. "$(dirname "$0")/uplink_lib.sh"

TESTS=(
	by_a_line
	by_a_line_with_offload
	a_new_call_gets_another_address
	by_ethernet
	by_ethernet_with_offload
)

OPTIONS="nodetach noauth nobsdcomp nodeflate noccp novj noipv6 nodefaultroute lcp-echo-interval 0 maxfail 1 ipcp-restart 1 lcp-restart 1"

# call LOCAL: by a line; the server gives the address, as providers do.
call() {
	# shellcheck disable=SC2086 # words
	spawn "$gw" pppd pty "nsenter --net=/run/netns/$server pppd notty unit 8 local mru 1400 $OPTIONS 198.51.100.1:$1" unit 7 local mtu 1400 logfile "$TMP/ppp.log" noipdefault $OPTIONS
	PPPD=$!
	comes_true "the line is up" 30 has_address "$gw" ppp7 "$1 peer 198.51.100.1/32" || { note "$(tail -n 5 "$TMP/ppp.log")"; return 1; }
	comes_true "route" 10 ip -n "$gw" route replace default dev ppp7
}

hang_up() {
	kill "$PPPD"
	wait "$PPPD" 2>/dev/null
	comes_true "the line is gone" 10 no_link "$gw" ppp7
}

by_a_line() {
	call 198.51.100.7 || return
	uplink 'ppp*' 198.51.100.7
	carries 198.51.100.7 198.51.100.1
}

by_a_line_with_offload() {
	configure config set --offload on
	hold u udp "$client" 10.0.0.2:4000 198.51.100.1:53
	hold t tcp "$client" 10.0.0.2:4001 198.51.100.1:80
	warm u t
	past u
	past t
	transfer_past "out" "$client" "$server" 198.51.100.1
	transfer_past "in" "$server" "$client" 198.51.100.7
}

a_new_call_gets_another_address() {
	hang_up
	comes_true "flows of the old address are gone" 30 no_flows_at 198.51.100.7
	call 198.51.100.9 || return
	like "the same UDP socket" "$(say u)" '^198\.51\.100\.9:'
	like "a new connection" "$(ask tcp "$client" - 198.51.100.1:80)" '^198\.51\.100\.9:'
	warm u
	past u
	hang_up
	agent close u >/dev/null
	agent close t >/dev/null
	unconfigure
	configure config set --offload off
}

# 1492 bytes are left; who sends more hears of it.
by_ethernet() {
	local plugin
	modprobe -q pppoe 2>/dev/null
	[[ -d /sys/module/pppoe ]] || { skip "no PPPoE"; return; }
	plugin=$(find /usr/lib/pppd -name pppoe.so | head -n1)
	[[ $plugin ]] || { skip "no plugin of pppd"; return; }
	# shellcheck disable=SC2086 # words
	printf '%s\n' $OPTIONS >"$TMP/server-options"
	spawn "$server" pppoe-server -F -k -I eth0 -L 198.51.100.1 -R 198.51.100.7 -N 1 -O "$TMP/server-options" -g "$plugin"
	# shellcheck disable=SC2086 # words
	spawn "$gw" pppd plugin "$plugin" nic-wan0 unit 9 mtu 1492 mru 1492 logfile "$TMP/pppoe.log" noipdefault $OPTIONS
	comes_true "the session is up" 30 has_address "$gw" ppp9 "198.51.100.7 peer 198.51.100.1/32" || { note "$(tail -n 5 "$TMP/pppoe.log")"; return 1; }
	comes_true "route" 10 ip -n "$gw" route replace default dev ppp9
	uplink 'ppp*' 198.51.100.7
	carries 198.51.100.7 198.51.100.1
	is "MTU" "$(ip -n "$gw" -j link show ppp9 | jq '.[].mtu')" 1492
}

by_ethernet_with_offload() {
	[[ -d /sys/module/pppoe ]] || { skip "no PPPoE"; return; }
	configure config set --offload on
	capture session "$server" eth0 'pppoes'
	hold u udp "$client" 10.0.0.2:4000 198.51.100.1:53
	hold t tcp "$client" 10.0.0.2:4001 198.51.100.1:80
	warm u t
	past u
	past t
	transfer_past "out" "$client" "$server" 198.51.100.1
	transfer_past "in" "$server" "$client" 198.51.100.7
	like "captured" "$(captured session)" 'PPPoE .*|198\.51\.100\.7\.[0-9]* > 198\.51\.100\.1\.53'
}

modprobe -q ppp_async 2>/dev/null
type -P pppd >/dev/null || skip_all "no pppd"
[[ -e /dev/ppp ]] || skip_all "this kernel has no PPP (Debian's cloud flavour; the debug kernels have it)"
gateway_topology
watch || fail "nft"
services
tests_run
