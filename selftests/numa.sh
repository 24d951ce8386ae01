#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two NUMA nodes: a flow lives in the table of the node whose CPU made it; replies that
# arrive on the other node are translated all the same, and counted.
#
# vm: --numa 2

# shellcheck source=selftests/numa_lib.sh
. "$(dirname "$0")/numa_lib.sh"

TESTS=("${NUMA_TESTS[@]}")
needs_machine 2
numa_topology
tests_run
