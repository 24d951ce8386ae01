#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One NUMA node: all is there, and neither mode makes a difference.

# shellcheck source=selftests/numa_lib.sh
. "$(dirname "$0")/numa_lib.sh"

TESTS=("${NUMA_TESTS[@]}")
needs_machine 1
numa_topology
tests_run
