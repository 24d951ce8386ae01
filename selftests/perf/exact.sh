#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Counts the instructions of a packet's way on the stock kernel, exactly, and compares them with budget.json.
#
#   exact.sh [--update] [--profile] [--module FILE] [ARM…]
#
# ARM: forward (and null), fastnat (and fastnat-offload), conntrack, flowtable; none: all. Prints KTAP; fails if one
# of them takes 2 % more than its budget (polls, which allocate, 4 %). --update writes what it is now to
# budget.json, --profile also tells where the instructions of fastnat are, line by line. --module: a fastnat.ko other
# than the checkout's.
# It takes about 50 s. The counts are those of a run in QEMU with -icount; they know nothing of caches.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
rig=$here/../../tools/rig
# shellcheck source=tools/rig/lib.sh
. "$rig/lib.sh"

module=$REPO/fastnat.ko options=()
while [[ ${1:-} == --* ]]; do
	case $1 in
	--update | --profile) options+=("$1") ;;
	--module) module=$(realpath "$2"); shift ;;
	*) die "unknown option $1; see the head of $0" ;;
	esac
	shift
done
(($#)) || options+=(--all)
[[ -r $module ]] || die "no $module: make"

kernel=$("$rig/kernel.sh" --vm)
"$here/exact_build.sh"
work=$(mktemp -d "$CACHE/exact.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
"$here/../vm/run" --icount --timeout 300 --module "$module" -- "$here/exact_guest.sh" "$@" >"$work/out" ||
	{ echo "Bail out! the guest: exit $?"; grep -v '^step ' "$work/out" | tail -n 40 | sed 's/^/# /'; exit 1; }
cp "$module" "$work/fastnat.ko"
"$rig/in-sysroot" python3 "$here/exact_gate.py" "${options[@]}" --kernel "$(cat "$kernel/release")" \
	--module "$work/fastnat.ko" --budget "$here/budget.json" "$work/out"
