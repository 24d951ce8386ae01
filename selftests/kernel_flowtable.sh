#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own test of its flowtable, nft_flowtable.sh, for what is in it of NAT and path MTUs: masquerade and dnat
# between links of different MTUs, by bridges and VLANs, beside tunnels; see kernel_nat_lib.sh. A flowtable would lead
# packets past fastnat: kernel_nat/nft makes offload of it.

# shellcheck source=selftests/kernel_nat_lib.sh
. "$(dirname "$0")/kernel_nat_lib.sh"

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

all_transfers_came_through_whole() {
	is "faults" "$(grep -A4 'file mismatch' "$(said "$FLOWTABLE")")" ""
}

TESTS=()
name_subtests
TESTS+=(all_transfers_came_through_whole)
tests_run
