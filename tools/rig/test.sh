#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the host's unit tests (unit), the selftests in VMs (vm) and those of speed (perf); prints KTAP and the sum.
#
#   test.sh [unit] [vm] [perf] [uml] [x86]    uml, x86: selftests on that debug kernel; TESTS="snat dnat" selects some
set -euo pipefail

STEPS=1
# shellcheck source=tools/rig/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir -p "$CACHE/log"
# cargo's "test NAME ... ok" as KTAP, a failed run without a failed test as one more failure.
unit() {
	cd "$REPO/tools"
	"$REPO/tools/rig/sysroot.sh" >/dev/null
	step "unit tests: building (about 60 s the first time)" \
		"$REPO/tools/rig/in-sysroot" nice cargo test --workspace --quiet --no-run
	{ "$REPO/tools/rig/in-sysroot" nice cargo test --workspace --no-fail-fast 2>&1 || echo "cargo $?"; } |
		awk -f "$REPO/tools/rig/cargo-ktap.awk"
}

vm() {
	"$REPO/tools/rig/module.sh" | sed 's/^/# /'
	"$REPO/tools/rig/tools.sh"
	# shellcheck disable=SC2086 # a list
	"$REPO/selftests/vm/suite" ${TESTS:-}
}

# Prints what a test of its own process has said, indented, and how it ended.
verdict() { # NUMBER NAME PID FILE
	local status=0 result=ok note=''
	heartbeat "$3" "$2"
	wait "$3" || status=$?
	sed 's/^/  /' "$4"
	if ((status == 4)) || { ((status == 0)) && grep -q '^1\.\.0 # SKIP' "$4"; }; then
		note=' # SKIP'
	elif ((status)); then
		result='not ok' note=" # exit $status"
	fi
	echo "$result $1 $2$note"
	[[ $result == ok ]]
}

# Instructions against their budget, packets against a reference. Both at once: each has one busy processor, and
# one that counts its own instructions does not mind what else the machine does.
perf() {
	local at=$REPO/selftests/perf exact bytes failed=0
	"$REPO/tools/rig/module.sh" | sed 's/^/# /'
	"$REPO/tools/rig/tools.sh"
	"$at/exact_build.sh"
	work=$(mktemp -d "$CACHE/test.XXXXXX")
	set -m # in groups of their own, which end as a whole
	"$at/exact.sh" </dev/null >"$work/exact" &
	exact=$!
	"$REPO/selftests/vm/run" --timeout 300 -- "$at/bytes.sh" </dev/null >"$work/bytes" &
	bytes=$!
	# shellcheck disable=SC2064 # now
	trap "kill -- -$exact -$bytes 2>/dev/null || true; rm -rf '$work'" EXIT
	trap 'exit 130' INT TERM HUP
	echo "TAP version 13"
	echo "1..2"
	verdict 1 perf/exact "$exact" "$work/exact" || failed=1
	verdict 2 perf/bytes "$bytes" "$work/bytes" || failed=1
	return "$failed"
}

debug() {
	"$REPO/tools/rig/tools.sh"
	# shellcheck disable=SC2086 # a list
	"$REPO/selftests/vm/suite" --kernel "$1" ${TESTS:-}
}
uml() { debug uml; }
x86() { debug x86; }

if [[ ${1:-} == --part ]]; then
	"$2"
	exit
fi

results=$(mktemp "$CACHE/results.XXXXXX")
trap 'rm -f "$results"' EXIT
(($#)) || set -- unit vm perf
for part; do
	# A process of its own: a part that cannot run counts as failed and the others still run.
	{ "$0" --part "$part" || echo "# $part: exit $?"; } | tee "$results.part"
	cat "$results.part" >>"$results"
	# A part that ended badly without a failed test in it did not even get to testing.
	if grep -q "^# $part: exit" "$results.part" && ! grep -qE '^ *not ok ' "$results.part"; then
		echo "not ok - $part could not be run" | tee -a "$results"
	fi
	rm -f "$results.part"
done

grep '^# checkers of' "$results" || true
awk -f "$REPO/selftests/sum.awk" "$results"
