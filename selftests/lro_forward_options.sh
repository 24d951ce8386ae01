#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Options of TCP that a gateway must not touch pass one that aggregates: signatures (TCP-MD5, TCP-AO, which cannot
# be translated and are routed), MPTCP.
#
#   client            gw                      server
#   eth0 ---------- lan0  wan0 ---------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1      192.0.2.2, .3
#
# What goes to 192.0.2.3 is not translated; the server knows the way back.

# shellcheck source=selftests/lro_forward_lib.sh
. "$(dirname "$0")/lro_forward_lib.sh"

TESTS=(
	a_signature_of_md5
	a_signature_of_tcp_ao
	mptcp
	mptcp_translated
	none_of_it
)

# signed WHAT ADDR [NAME=VALUE…]: each segment has an option of its own, so that none is aggregated.
signed() {
	local before after
	before=$(sum tcp-options "$(fn --json lro show)")
	observe_lro
	begin_drops
	bulk "$1, $OFFLOAD" "$client" "$server" "$2" bytes=500000 "${@:3}"
	observe_lro
	after=$(sum tcp-options "$(fn --json lro show)")
	is "$1, $OFFLOAD: aggregates" "$AGGREGATES" 0
	at_least "$1, $OFFLOAD: refused for their options" $((after - before)) 600
	nothing_dropped "$1, $OFFLOAD"
}

a_signature_of_md5() {
	both signed "MD5" 192.0.2.3 md5=secret from=10.0.0.2
	is "wrong signatures" "$(snmp "$server" TcpExtTCPMD5NotFound TcpExtTCPMD5Unexpected TcpExtTCPMD5Failure)" 0
}

a_signature_of_tcp_ao() {
	both signed "TCP-AO" 192.0.2.3 ao=secret from=10.0.0.2
	at_least "signatures" "$(snmp "$server" TcpExtTCPAOGood)" 600
	is "wrong ones" "$(snmp "$server" TcpExtTCPAOBad TcpExtTCPAOKeyNotFound)" 0
}

# Nobody fell back to TCP.
multipath() {
	local before=$MPTCP_DONE
	signed "MPTCP" "$1" mptcp=1
	MPTCP_DONE=$(snmp "$server" MPTcpExtMPCapableACKRX)
	at_least "MPTCP connections" $((MPTCP_DONE - before)) 1
	is "fallbacks" "$(snmp "$server" MPTcpExtMPCapableFallbackACK MPTcpExtDSSCorruptionFallback MPTcpExtMPFailRx)" 0
}

MPTCP_DONE=0
mptcp() {
	[[ -e /proc/sys/net/mptcp ]] || { skip "no MPTCP"; return; }
	both multipath 192.0.2.3
}

mptcp_translated() {
	[[ -e /proc/sys/net/mptcp ]] || { skip "no MPTCP"; return; }
	both multipath 192.0.2.2
}

# So that the gateway is seen to aggregate what it may.
none_of_it() { both through "no options" "$client" "$server" 192.0.2.3; }

gateway_topology
configure policy add masquerade --out wan0 --dst 192.0.2.2
ip -n "$server" route add 10.0.0.0/24 via 192.0.2.1
wires
aggregating
tests_run
