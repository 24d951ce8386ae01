#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own tests of path MTUs, with NAT in the routers: see kernel_nat_lib.sh. Not here: the parts of pmtu.sh
# that are IPv6, IPsec or Open vSwitch, and those with tunnels whose ends know each other by their addresses (VXLAN,
# GENEVE), which pass no masquerading router.

# shellcheck source=selftests/kernel_nat_lib.sh
. "$(dirname "$0")/kernel_nat_lib.sh"

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

TESTS=()
name_subtests
tests_run
