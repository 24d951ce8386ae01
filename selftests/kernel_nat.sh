#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own tests of NAT, and of ICMP errors in it: see kernel_nat_lib.sh.
#
# Not here, as no part of them would be fastnat's: nft_nat_zones.sh and the zones of conntrack_vrf.sh (inside hosts of
# one address, told apart by conntrack's zones); the rest of conntrack_vrf.sh (the gateway's own connections into a
# VRF); conntrack_tcp_unreplied.sh (asks conntrack for ct status dnat); nf_nat_edemux.sh (the gateway's own
# connections, and two outside ports that lead to one inside port: drop-conflict); conntrack_clash.sh and nft_queue.sh
# (races of conntrack's entries).

# shellcheck source=selftests/kernel_nat_lib.sh
. "$(dirname "$0")/kernel_nat_lib.sh"

OWN="left to nft: destinations of the gateway's own packets"
SIX="left to nft: IPv6"
NONE="no NAT rule in it"
NOTRACK="differs: fastnat comes before notrack, which tells connection tracking only"
CLASH="differs: what reaches the service directly, from the port of a flow by the policy, is not told from that"

nft_nat() { # WHAT REASON INSTEAD
	SUBTESTS+=("netfilter/nft_nat.sh|PASS: $1|${2:-}|${3:-}")
}

nft_nat 'netns routing/connectivity: .*' "$NONE"
nft_nat 'ping to .* was ip NATted to .*' "$OWN"
nft_nat 'ping to .* OK after ip nat output chain flush' "$OWN"
nft_nat 'ipv6 ping to .* was ip6 NATted to .*' "$SIX"
nft_nat 'inet port rewrite without l3 address' "$OWN"
nft_nat 'ping to .* was inet NATted to .*' "$OWN"
nft_nat 'ping to .* OK after inet nat output chain flush' "$OWN"
nft_nat 'ipv6 ping to .* was inet NATted to .*' "$SIX"
for how in '' fully-random; do
	nft_nat "ip IP masquerade $how for .*"
	nft_nat "ip6 IPv6 masquerade $how for .*" "$SIX"
	nft_nat "inet IP masquerade $how for .*"
	nft_nat "inet IPv6 masquerade $how for .*" "$SIX"
done
nft_nat 'ip IP redirection for .*'
nft_nat 'ip6 IPv6 redirection for .*' "$SIX"
nft_nat 'inet IP redirection for .*'
nft_nat 'inet IPv6 redirection for .*' "$SIX"
nft_nat 'portshadow test default: got reply from CLIENT'
nft_nat 'portshadow test port-filter: got reply from ROUTER'
nft_nat 'portshadow test port-notrack: got reply from ROUTER' "$NOTRACK" \
	'ERROR: portshadow test port-notrack: got reply from "CLIENT", .*'
nft_nat 'portshadow test pat: got reply from ROUTER'
nft_nat 'IP statless for .*' "$NONE"
nft_nat 'IP dnat clash .*' "$CLASH" 'ERROR: failed to test udp .* with dnat rule step 2, result: ""'

SUBTESTS+=(
	"netfilter/conntrack_icmp_related.sh|PASS: icmp mtu error had RELATED state"
	"netfilter/conntrack_icmp_related.sh|PASS: icmp redirects had RELATED state"
	"netfilter/conntrack_reverse_clash.sh|PASS: No SNAT performed for null bindings"
)

TESTS=()
name_subtests
tests_run
