#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the host's unit tests (unit) and the selftests in VMs; prints KTAP and the sum.
#
#   test.sh [unit] [vm] [uml] [x86]    uml, x86: selftests on that debug kernel; TESTS="snat dnat" selects some
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
(($#)) || set -- unit vm
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
