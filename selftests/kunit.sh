#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The suites inside the module, in kernels that have KUnit built in: the tables on the kernel's own
# locks, RCU, memory and clock.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"

TESTS=(
	the_table_works
	the_wheel_works
	ports_are_claimed_once
)
DIR=/sys/kernel/debug/kunit

# Runs a suite (again, if the kernel has run it when the module was loaded). All its cases must pass.
suite() {
	local results line
	[[ -w $DIR/$1/run ]] || { fail "$1: the module has no such suite"; return; }
	works "run" tee "$DIR/$1/run" <<<1
	results=$(sed -n 's/^ *\(\(not \)\?ok .*\)/\1/p' "$DIR/$1/results")
	while read -r line; do note "$line"; done <<<"$results"
	is "failed" "$(grep '^not ok' <<<"$results")" ""
	is "skipped" "$(grep '# SKIP' <<<"$results")" ""
	# Each case has a line of its own, and the suite one.
	at_least "cases" "$(grep -c '^ok' <<<"$results")" "$(($2 + 1))"
}

the_table_works() { suite fastnat_table 5; }
the_wheel_works() { suite fastnat_wheel 4; }
ports_are_claimed_once() { suite fastnat_ports 5; }

# A kunit that was loaded as a module has this file; the suites are not compiled for that.
[[ -d /sys/module/kunit && ! -e /sys/module/kunit/initstate ]] || skip_all "KUnit is not built into this kernel"
mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug || skip_all "no debugfs"
[[ -d $DIR ]] || skip_all "KUnit has no debugfs (CONFIG_KUNIT_DEBUGFS)"
[[ $(cat /sys/module/kunit/parameters/enable 2>/dev/null || echo Y) == [Y1] ]] || skip_all "kunit.enable is off"
load_module
tests_run
