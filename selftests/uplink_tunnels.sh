#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Uplinks by tunnels, whose addresses have a peer or a network of one address.
#
#   client            gw                                 server
#   eth0 ---------- lan0  wan0 ------------------------- eth0
#   10.0.0.2    10.0.0.1  192.0.2.1                 192.0.2.2
#                         tunnel ~~~~~~~~~~~~~~~~~~~~~~ tunnel
#                         198.51.100.7              198.51.100.1

# shellcheck source=selftests/uplink_lib.sh
. "$(dirname "$0")/uplink_lib.sh"

TESTS=(
	gre
	ip_in_ip
	wireguard
	wireguard_with_one_address
	tun
)

# addresses IF [peer]: of both ends.
addresses() {
	local peer=()
	[[ ${2:-} != peer ]] || peer=(peer 198.51.100.1)
	works "address" ip -n "$gw" addr add 198.51.100.7 "${peer[@]}" dev "$1"
	works "address" ip -n "$server" addr add 198.51.100.1 dev "$1"
	works "link" ip -n "$gw" link set "$1" up
	works "link" ip -n "$server" link set "$1" up
	ip -n "$gw" route replace 198.51.100.1 dev "$1"
	works "route" ip -n "$server" route replace 198.51.100.7 dev "$1" src 198.51.100.1
}

# through_tunnel IF: what passes, with a policy for this kind of interface.
through_tunnel() {
	configure config set --offload on
	uplink "${1%7}*" 198.51.100.7
	carries 198.51.100.7 198.51.100.1
	unconfigure
	ip -n "$gw" link del "$1"
	ip -n "$server" link del "$1" 2>/dev/null
}

gre() {
	needs ip_gre "GRE" || return
	works "tunnel" ip -n "$gw" link add gre7 type gre local 192.0.2.1 remote 192.0.2.2
	works "tunnel" ip -n "$server" link add gre7 type gre local 192.0.2.2 remote 192.0.2.1
	addresses gre7 peer
	through_tunnel gre7
}

ip_in_ip() {
	needs ipip "IP in IP" || return
	works "tunnel" ip -n "$gw" link add ipip7 type ipip local 192.0.2.1 remote 192.0.2.2
	works "tunnel" ip -n "$server" link add ipip7 type ipip local 192.0.2.2 remote 192.0.2.1
	addresses ipip7 peer
	through_tunnel ipip7
}

wg_pair() {
	local key
	needs wireguard "WireGuard" || return
	type -P wg >/dev/null || { skip "no wg(8)"; return 1; }
	(umask 077; for key in here there; do wg genkey >"$TMP/$key"; done)
	works "tunnel" ip -n "$gw" link add wg7 type wireguard
	works "tunnel" ip -n "$server" link add wg7 type wireguard
	works "wg" at "$gw" wg set wg7 listen-port 51820 private-key "$TMP/here" peer "$(wg pubkey <"$TMP/there")" allowed-ips 0.0.0.0/0 endpoint 192.0.2.2:51820
	works "wg" at "$server" wg set wg7 listen-port 51820 private-key "$TMP/there" peer "$(wg pubkey <"$TMP/here")" allowed-ips 0.0.0.0/0 endpoint 192.0.2.1:51820
}

wireguard() {
	wg_pair || return
	addresses wg7 peer
	through_tunnel wg7
}

# As wg-quick sets it up.
wireguard_with_one_address() {
	wg_pair || return
	addresses wg7
	through_tunnel wg7
}

# A program of userspace at either end, as OpenVPN's "topology p2p".
tun() {
	modprobe -q tun 2>/dev/null
	[[ -e /dev/net/tun ]] || { skip "no TUN"; return; }
	spawn "$gw" socat TUN,tun-name=tun7,iff-no-pi UDP4:192.0.2.2:7000,bind=192.0.2.1:7000
	spawn "$server" socat TUN,tun-name=tun7,iff-no-pi UDP4:192.0.2.1:7000,bind=192.0.2.2:7000
	comes_true "the gateway's end" 10 ip -n "$gw" link show tun7
	comes_true "the server's end" 10 ip -n "$server" link show tun7
	addresses tun7 peer
	width "$gw" tun7 1400
	width "$server" tun7 1400
	through_tunnel tun7
}

gateway_topology
watch || fail "nft"
services
tests_run
