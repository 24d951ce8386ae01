#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own tests of path MTUs, with NAT in the routers: see kernel_nat_lib.sh. nft_flowtable.sh is one, with
# links of different MTUs, masquerade and dnat; of its flowtable, which would lead packets past fastnat, kernel_nat/nft
# makes offload. Not here: the parts of pmtu.sh that are IPv6, IPsec or Open vSwitch, and those with tunnels whose ends
# know each other by their addresses (VXLAN, GENEVE), which pass no masquerading router.

# shellcheck source=selftests/kernel_nat_lib.sh
. "$(dirname "$0")/kernel_nat_lib.sh"

# Its exit is that of all its subtests, so what is asked is what came out.
FLOWTABLE="netfilter/nft_flowtable.sh -o 8000 -l 1500 -r 2000 -s 262144"
SLOW_KEY="differs: a rule that changes the DSCP, which the script leaves in forward, keeps packets on the long way"
BOTH="differs: flows of which both ends are translated are not offloaded"

flowtable() { SUBTESTS+=("$FLOWTABLE|$1|${2:-}|${3:-}"); }

# A transfer that is whole but did not go past the stack.
counted() { flowtable "PASS: flow offload for ns1/ns2 with $1" "$2" "FAIL: flow offload for ns1/ns2 with $1: .* exceeds .*"; }

flowtable 'PASS: flow offload for ns1/ns2 with masquerade  \(pmtu disabled\)'
flowtable 'PASS: flow offload for ns1/ns2 with dnat  \(pmtu disabled\)'
counted 'masquerade ' "$SLOW_KEY"
counted 'dnat ' "$BOTH"
flowtable 'PASS: flow offload for ns1/ns2 with masquerade IPIP tunnel'
flowtable 'PASS: flow offload for ns1/ns2 with masquerade IPIP tunnel over vlan'
counted 'masquerade on bridge' "$SLOW_KEY"
counted 'dnat on bridge' "$BOTH"
flowtable 'PASS: bridge \+ IPIP tunnel'
counted 'masquerade bridge and VLAN' "$SLOW_KEY"
counted 'dnat bridge and VLAN' "$BOTH"

SUBTESTS+=(
	"netfilter/conntrack_ipip_mtu.sh|OK: PMTU without connection tracking|no NAT in it"
	"netfilter/conntrack_ipip_mtu.sh|OK: PMTU with connection tracking"
)

declare -A PMTU=(
	[pmtu_ipv4_exception]="ipv4: PMTU exceptions"
	[pmtu_ipv4_dscp_icmp_exception]="ICMPv4 with DSCP and ECN: PMTU exceptions"
	[pmtu_ipv4_dscp_udp_exception]="UDPv4 with DSCP and ECN: PMTU exceptions"
	[pmtu_ipv4_mp_exceptions]="ipv4: PMTU multipath nh exceptions"
)
for test in "${!PMTU[@]}"; do
	SUBTESTS+=("pmtu.sh ${!PMTU[*]}|TEST: ${PMTU[$test]} +\[ OK \]")
	SUBTESTS+=("pmtu.sh ${!PMTU[*]}|TEST: ${PMTU[$test]} - nexthop objects +\[ OK \]")
done

all_transfers_came_through_whole() {
	is "faults" "$(grep -A4 'file mismatch' "$(said "$FLOWTABLE")")" ""
}

TESTS=()
name_subtests
TESTS+=(all_transfers_came_through_whole)
tests_run
