#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What numa.sh does, on four nodes.
#
# vm: --numa 4

# shellcheck source=selftests/numa_lib.sh
. "$(dirname "$0")/numa_lib.sh"

TESTS=("${NUMA_TESTS[@]}")
needs_machine 4
numa_topology
tests_run
